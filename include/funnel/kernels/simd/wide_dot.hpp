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

// The sum of n products, in four sums, so that an addition need not wait for the one before. add(sum, j) adds those of
// a register from j on, and product(j) is one of them.
template <class Arch, class Add, class Product>
[[nodiscard, gnu::always_inline]] inline double wide_sum(std::size_t n, const Add& add,
                                                         const Product& product) noexcept {
    constexpr std::size_t lanes = Wide<Arch>::size;
    constexpr std::size_t chains = 4;
    std::array<Wide<Arch>, chains> sums;
    unroll<chains>([&](auto c) __attribute__((always_inline)) { sums[c] = Wide<Arch>(0.0); });
    std::size_t j = 0;
    for (; j + chains * lanes <= n; j += chains * lanes) {
        unroll<chains>([&](auto c) __attribute__((always_inline)) { add(sums[c], j + c * lanes); });
    }
    for (; j + lanes <= n; j += lanes) {
        add(sums[0], j);
    }
    double sum = sum_of_wide_lanes<Arch>((sums[0] + sums[1]) + (sums[2] + sums[3]));
    for (; j < n; ++j) {
        sum += product(j);
    }
    return sum;
}

template <class Arch, class A, class B>
[[nodiscard, gnu::always_inline]] inline double wide_dot(std::span<const A> a, std::span<const B> b) noexcept {
    const A* const pa = a.data();
    const B* const pb = b.data();
    return wide_sum<Arch>(
        a.size(),
        [&](Wide<Arch>& sum, std::size_t j)
            __attribute__((always_inline)) { sum = load_wide<Arch>(pa + j) * load_wide<Arch>(pb + j) + sum; },
        [&](std::size_t j)
            __attribute__((always_inline)) { return static_cast<double>(pa[j]) * static_cast<double>(pb[j]); });
}

// wide_dot(a, a), which would convert each number twice.
template <class Arch>
[[nodiscard, gnu::always_inline]] inline double wide_square(std::span<const float> a) noexcept {
    const float* const pa = a.data();
    return wide_sum<Arch>(
        a.size(),
        [&](Wide<Arch>& sum, std::size_t j) __attribute__((always_inline)) {
            const Wide<Arch> x = load_wide<Arch>(pa + j);
            sum = x * x + sum;
        },
        [&](std::size_t j)
            __attribute__((always_inline)) { return static_cast<double>(pa[j]) * static_cast<double>(pa[j]); });
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
