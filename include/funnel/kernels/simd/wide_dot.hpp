// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/math.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/scalar/wide_dot.hpp>
#include <funnel/kernels/simd/batch.hpp>

#include <array>
#include <cstddef>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

namespace simd::detail {

// Four sums, so that an addition need not wait for the one before.
template <class Arch, class A, class B>
[[nodiscard, gnu::always_inline]] inline double wide_dot(std::span<const A> a, std::span<const B> b) noexcept {
    constexpr std::size_t lanes = Wide<Arch>::size;
    constexpr std::size_t chains = 4;
    const A* const pa = a.data();
    const B* const pb = b.data();
    const std::size_t n = a.size();
    std::array<Wide<Arch>, chains> sums;
    unroll<chains>([&](auto c) __attribute__((always_inline)) { sums[c] = Wide<Arch>(0.0); });
    std::size_t j = 0;
    for (; j + chains * lanes <= n; j += chains * lanes) {
        unroll<chains>([&](auto c) __attribute__((always_inline)) {
            sums[c] = load_wide<Arch>(pa + j + c * lanes) * load_wide<Arch>(pb + j + c * lanes) + sums[c];
        });
    }
    for (; j + lanes <= n; j += lanes) {
        sums[0] = load_wide<Arch>(pa + j) * load_wide<Arch>(pb + j) + sums[0];
    }
    double sum = sum_of_wide_lanes<Arch>((sums[0] + sums[1]) + (sums[2] + sums[3]));
    for (; j < n; ++j) {
        sum += static_cast<double>(pa[j]) * static_cast<double>(pb[j]);
    }
    return sum;
}

// The bits of wide_dot(a, a), which would convert each number twice.
template <class Arch>
[[nodiscard, gnu::always_inline]] inline double wide_square(std::span<const float> a) noexcept {
    constexpr std::size_t lanes = Wide<Arch>::size;
    constexpr std::size_t chains = 4;
    const std::size_t n = a.size();
    std::array<Wide<Arch>, chains> sums;
    unroll<chains>([&](auto c) __attribute__((always_inline)) { sums[c] = Wide<Arch>(0.0); });
    std::size_t j = 0;
    const auto add = [&](std::size_t c, std::size_t at) __attribute__((always_inline)) {
        const Wide<Arch> x = load_wide<Arch>(a.data() + at);
        sums[c] = x * x + sums[c];
    };
    for (; j + chains * lanes <= n; j += chains * lanes) {
        unroll<chains>([&](auto c) __attribute__((always_inline)) { add(c, j + c * lanes); });
    }
    for (; j + lanes <= n; j += lanes) {
        add(0, j);
    }
    double sum = sum_of_wide_lanes<Arch>((sums[0] + sums[1]) + (sums[2] + sums[3]));
    for (; j < n; ++j) {
        sum += static_cast<double>(a[j]) * static_cast<double>(a[j]);
    }
    return sum;
}

}  // namespace simd::detail

template <class Arch>
    requires simd::has_halves<Arch>
void row_lengths(Simd<Arch>, MatrixView<const float> rows, std::span<double> out) noexcept {
    for (std::size_t i = 0; i < rows.rows(); ++i) {
        out[i] = simd::detail::wide_square<Arch>(rows.row(i));
    }
    constexpr std::size_t lanes = simd::Wide<Arch>::size;
    std::size_t i = 0;
    for (; i + lanes <= rows.rows(); i += lanes) {
        xsimd::sqrt(simd::Wide<Arch>::load_unaligned(out.data() + i)).store_unaligned(out.data() + i);
    }
    for (; i < rows.rows(); ++i) {
        out[i] = math::sqrt(out[i]);
    }
}

template <class Arch>
    requires simd::has_halves<Arch>
[[nodiscard, gnu::always_inline]] inline double wide_dot(Simd<Arch>, std::span<const float> a,
                                                         std::span<const float> b) noexcept {
    return simd::detail::wide_dot<Arch>(a, b);
}

template <class Arch>
    requires simd::has_halves<Arch>
[[nodiscard, gnu::always_inline]] inline double wide_dot(Simd<Arch>, std::span<const double> a,
                                                         std::span<const float> b) noexcept {
    return simd::detail::wide_dot<Arch>(a, b);
}

template <class Arch>
    requires simd::has_halves<Arch>
[[nodiscard, gnu::always_inline]] inline double wide_dot(Simd<Arch>, std::span<const double> a,
                                                         std::span<const double> b) noexcept {
    return simd::detail::wide_dot<Arch>(a, b);
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel
