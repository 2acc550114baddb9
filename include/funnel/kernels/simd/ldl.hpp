// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/scalar/ldl.hpp>
#include <funnel/kernels/simd/batch.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

namespace simd {

inline constexpr std::size_t most_lanes = 16;
inline constexpr std::array<float, 2 * most_lanes> zeros_then_ones = [] {
    std::array<float, 2 * most_lanes> factors{};
    std::fill(factors.begin() + most_lanes, factors.end(), 1.0F);
    return factors;
}();

// A factor that is 0 in the first lanes and 1 in the others.
template <class Arch>
[[nodiscard, gnu::always_inline]] inline Batch<Arch> ones_from(std::size_t lane) noexcept {
    return Batch<Arch>::load_unaligned(zeros_then_ones.data() + most_lanes - lane);
}

}  // namespace simd

// Batches of a row begin at the same positions in all rows. So a batch of x that was just stored is loaded from the
// store buffer, and the first batch of row k may hold elements up to the diagonal, which must stay zero.
template <class Arch>
inline void ldl_update(Simd<Arch>, MatrixView<float> u, std::span<double> inverse_diagonal,
                       std::span<float> x) noexcept {
    using Batch = simd::Batch<Arch>;
    constexpr std::size_t lanes = Batch::size;
    static_assert(lanes <= simd::most_lanes);
    const std::size_t in_batches = u.cols() / lanes * lanes;

    double t = 1.0;
    for (std::size_t k = 0; k < u.rows(); ++k) {
        const float y = x[k];
        if (y == 0.0F) {
            continue;
        }
        const detail::LDLStep step = detail::ldl_step(t, static_cast<double>(y), inverse_diagonal[k]);
        t = step.next;
        float* const row = u.row(k).data();
        const auto alpha = static_cast<float>(step.alpha);
        const auto beta = static_cast<float>(step.beta);
        const Batch ys(y);
        const Batch alphas(alpha);
        const Batch betas(beta);
        std::size_t j = (k + 1) / lanes * lanes;
        Batch shares = betas * simd::ones_from<Arch>(k + 1 - j);
        if (step.is_small()) {
            for (; j < in_batches; j += lanes, shares = betas) {
                const Batch old = Batch::load_unaligned(row + j);
                const Batch rest = simd::fnma<Arch>(ys, old, Batch::load_unaligned(x.data() + j));
                rest.store_unaligned(x.data() + j);
                simd::fma<Arch>(shares, rest, old).store_unaligned(row + j);
            }
        } else {
            for (; j < in_batches; j += lanes, shares = betas) {
                const Batch old = Batch::load_unaligned(row + j);
                const Batch before = Batch::load_unaligned(x.data() + j);
                simd::fnma<Arch>(ys, old, before).store_unaligned(x.data() + j);
                simd::fma<Arch>(shares, before, alphas * old).store_unaligned(row + j);
            }
        }
        detail::ldl_apply(step, y, u.row(k), x, std::max(j, k + 1));
    }
}

// The rows are taken in blocks of as many as a batch has lanes. Each row needs its element of x from the row before,
// so the columns of the block and those of the next block stay in registers. Then all rows of the block are applied to
// each of the batches that follow, which do not depend on each other.
template <class Arch>
[[nodiscard]] inline double ldl_solve(Simd<Arch>, MatrixView<const float> u, std::span<const double> inverse_diagonal,
                                      std::span<float> x) noexcept {
    using Batch = simd::Batch<Arch>;
    constexpr std::size_t lanes = Batch::size;
    const std::size_t stride = u.stride();
    const std::size_t in_batches = u.cols() / lanes * lanes;

    double sum = 0.0;
    std::size_t first = 0;
    for (; first < u.rows() && first < in_batches; first += lanes) {
        const std::size_t count = std::min(lanes, u.rows() - first);
        const bool has_next = first + lanes < in_batches;
        const float* const rows = u.row(first).data();
        float* const from = x.data() + first;
        Batch head = Batch::load_unaligned(from);
        Batch next = has_next ? Batch::load_unaligned(from + lanes) : head;
        for (std::size_t i = 0; i < count; ++i) {
            const Batch y = simd::broadcast_lane<Arch>(head, i);
            const float* const row = rows + i * stride + first;
            head = simd::fnma<Arch>(y, Batch::load_unaligned(row), head);
            if (has_next) {
                next = simd::fnma<Arch>(y, Batch::load_unaligned(row + lanes), next);
            }
            const auto element = static_cast<double>(simd::first_lane<Arch>(y));
            sum += element * element * inverse_diagonal[first + i];
        }
        head.store_unaligned(from);
        if (has_next) {
            next.store_unaligned(from + lanes);
        }
        for (std::size_t j = first + 2 * lanes; j < in_batches; j += lanes) {
            Batch rest = Batch::load_unaligned(x.data() + j);
            for (std::size_t i = 0; i < count; ++i) {
                rest = simd::fnma<Arch>(Batch(from[i]), Batch::load_unaligned(rows + i * stride + j), rest);
            }
            rest.store_unaligned(x.data() + j);
        }
        for (std::size_t j = in_batches; j < u.cols(); ++j) {
            for (std::size_t i = 0; i < count; ++i) {
                x[j] -= from[i] * rows[i * stride + j];
            }
        }
    }
    return detail::ldl_solve<float>(u, inverse_diagonal, x, first, sum);
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel
