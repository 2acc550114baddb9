// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

/// The functions of `<cmath>` that the library needs, as builtins. Names and results are those of the standard.
/// `<cmath>` itself takes longer to parse than most of our headers, because C++17 added the special functions to it.
///
/// is_finite, is_nan and is_inf test the bits, so that they also work with -ffast-math, unlike their standard
/// counterparts. They take a reference, because with that flag clang assumes that a float passed by value is finite.
namespace funnel {
inline namespace FUNNEL_ABI {
namespace math {

[[nodiscard]] constexpr bool is_finite(const float& x) noexcept {
    return (std::bit_cast<std::uint32_t>(x) & 0x7F80'0000U) != 0x7F80'0000U;
}
[[nodiscard]] constexpr bool is_finite(const double& x) noexcept {
    return (std::bit_cast<std::uint64_t>(x) & 0x7FF0'0000'0000'0000U) != 0x7FF0'0000'0000'0000U;
}
[[nodiscard]] FUNNEL_HOST_DEVICE constexpr bool is_nan(const float& x) noexcept {
    return (__builtin_bit_cast(std::uint32_t, x) & 0x7FFF'FFFFU) > 0x7F80'0000U;  // std::bit_cast is host code
}
[[nodiscard]] constexpr bool is_nan(const double& x) noexcept {
    return (std::bit_cast<std::uint64_t>(x) & 0x7FFF'FFFF'FFFF'FFFFU) > 0x7FF0'0000'0000'0000U;
}
[[nodiscard]] constexpr bool is_inf(const float& x) noexcept {
    return (std::bit_cast<std::uint32_t>(x) & 0x7FFF'FFFFU) == 0x7F80'0000U;
}
[[nodiscard]] constexpr bool is_inf(const double& x) noexcept {
    return (std::bit_cast<std::uint64_t>(x) & 0x7FFF'FFFF'FFFF'FFFFU) == 0x7FF0'0000'0000'0000U;
}

/// Whether all values are finite. Does not stop at the first one that is not, so that the loop can be vectorized.
[[nodiscard]] constexpr bool all_finite(std::span<const float> values) noexcept {
    bool is_all_finite = true;
    for (const float& value : values) {
        is_all_finite = is_finite(value) && is_all_finite;
    }
    return is_all_finite;
}
[[nodiscard]] constexpr bool all_finite(std::span<const double> values) noexcept {
    bool is_all_finite = true;
    for (const double& value : values) {
        is_all_finite = is_finite(value) && is_all_finite;
    }
    return is_all_finite;
}

/// a + b and a * b for sizes that a caller may choose freely: overflow yields the largest size_t instead of wrapping.
[[nodiscard]] constexpr std::size_t saturating_add(std::size_t a, std::size_t b) noexcept {
    return b > std::numeric_limits<std::size_t>::max() - a ? std::numeric_limits<std::size_t>::max() : a + b;
}
[[nodiscard]] constexpr std::size_t saturating_multiply(std::size_t a, std::size_t b) noexcept {
    return a != 0 && b > std::numeric_limits<std::size_t>::max() / a ? std::numeric_limits<std::size_t>::max() : a * b;
}

[[nodiscard]] FUNNEL_HOST_DEVICE inline float abs(float x) noexcept {
    return __builtin_fabsf(x);
}
[[nodiscard]] inline double abs(double x) noexcept {
    return __builtin_fabs(x);
}
[[nodiscard]] inline double copysign(double size, double sign) noexcept {
    return __builtin_copysign(size, sign);
}
[[nodiscard]] inline double floor(double x) noexcept {
    return __builtin_floor(x);
}
[[nodiscard]] inline double round(double x) noexcept {
    return __builtin_round(x);
}
[[nodiscard]] inline float sqrt(float x) noexcept {
    return __builtin_sqrtf(x);
}
[[nodiscard]] inline double sqrt(double x) noexcept {
    return __builtin_sqrt(x);
}
[[nodiscard]] inline float exp(float x) noexcept {
    return __builtin_expf(x);
}
[[nodiscard]] inline double exp(double x) noexcept {
    return __builtin_exp(x);
}
[[nodiscard]] inline double exp2(double x) noexcept {
    return __builtin_exp2(x);
}
[[nodiscard]] inline float log(float x) noexcept {
    return __builtin_logf(x);
}
[[nodiscard]] inline double log(double x) noexcept {
    return __builtin_log(x);
}
[[nodiscard]] inline double log1p(double x) noexcept {
    return __builtin_log1p(x);
}
[[nodiscard]] inline double log2(double x) noexcept {
    return __builtin_log2(x);
}
[[nodiscard]] inline double pow(double x, double y) noexcept {
    return __builtin_pow(x, y);
}
[[nodiscard]] inline double erfc(double x) noexcept {
    return __builtin_erfc(x);
}
[[nodiscard]] inline double nextafter(double x, double towards) noexcept {
    return __builtin_nextafter(x, towards);
}
[[nodiscard]] inline double fma(double x, double y, double z) noexcept {
    return __builtin_fma(x, y, z);
}

}  // namespace math
}  // namespace FUNNEL_ABI
}  // namespace funnel
