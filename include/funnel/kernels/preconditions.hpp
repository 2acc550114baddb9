// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/math.hpp>
#include <funnel/core/matrix_view.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

// Unchecked preconditions of the kernels, for use in FUNNEL_ASSERT. They are evaluated only with FUNNEL_CHECKS=1.
namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels::detail {

[[nodiscard]] constexpr bool has_no_nan(std::span<const float> x) noexcept {
    return std::none_of(x.begin(), x.end(), [](float element) { return math::is_nan(element); });
}

/// Whether no element is NaN or +infinity. Minus infinity is allowed.
[[nodiscard]] constexpr bool is_below_infinity(std::span<const float> x) noexcept {
    return std::none_of(x.begin(), x.end(), [](float element) {
        return math::is_nan(element) || (math::is_inf(element) && element > 0.0F);
    });
}

[[nodiscard]] constexpr bool are_below(std::span<const std::uint32_t> ids, std::size_t n) noexcept {
    return std::all_of(ids.begin(), ids.end(), [n](std::uint32_t id) { return id < n; });
}

/// Whether x and y do not overlap in memory. Constant evaluation is not checked.
[[nodiscard]] constexpr bool are_apart(std::span<const float> x, std::span<const float> y) noexcept {
    if (std::is_constant_evaluated() || x.empty() || y.empty()) {
        return true;
    }
    const auto begin_of = [](std::span<const float> s) { return reinterpret_cast<std::uintptr_t>(s.data()); };
    return begin_of(x) + x.size_bytes() <= begin_of(y) || begin_of(y) + y.size_bytes() <= begin_of(x);
}

[[nodiscard]] constexpr bool are_apart(MatrixView<const float> a, std::span<const float> y) noexcept {
    const bool is_empty = a.rows() == 0 || a.cols() == 0;
    return is_empty || are_apart({a.data(), (a.rows() - 1) * a.stride() + a.cols()}, y);
}

/// Whether x and y are the same memory, or do not overlap.
[[nodiscard]] constexpr bool are_same_or_apart(std::span<const float> x, std::span<const float> y) noexcept {
    return (x.size() == y.size() && x.data() == y.data()) || are_apart(x, y);
}

}  // namespace kernels::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel
