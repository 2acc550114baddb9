// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/scalar/residual.hpp>
#include <funnel/kernels/simd/add_rows.hpp>
#include <funnel/kernels/simd/batch.hpp>
#include <funnel/kernels/simd/dot.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

namespace simd {

/// The products with x of as many rows as a batch has lanes. Four rows at a time, so that their addresses and sums stay
/// in registers, and memory is read nearly in order.
template <class Arch>
[[nodiscard, gnu::always_inline]] inline Batch<Arch> products_of_rows(const ChosenRows& rows,
                                                                      std::span<const float> x) noexcept {
    using Batch = simd::Batch<Arch>;
    constexpr std::size_t lanes = Batch::size;
    std::array<Batch, lanes / 4> grouped;
    unroll<lanes / 4>([&](auto g) __attribute__((always_inline)) {
        const std::array<const float*, 4> four{rows[4 * g], rows[4 * g + 1], rows[4 * g + 2], rows[4 * g + 3]};
        std::array<Batch, 4> sums;
        sums.fill(Batch(0.0F));
        const auto add = [&](std::size_t at, auto load) __attribute__((always_inline)) {
            const Batch factors = load(x.data() + at);
            unroll<4>([&](auto i) __attribute__((always_inline)) {
                sums[i] = fma<Arch>(factors, load(four[i] + at), sums[i]);
            });
        };
        std::size_t j = 0;
        for (; j + lanes <= x.size(); j += lanes) {
            add(j, [](const float* p) __attribute__((always_inline)) { return Batch::load_unaligned(p); });
        }
        if (j < x.size()) {
            add(j, [&](const float* p) __attribute__((always_inline)) { return load_first<Arch>(p, x.size() - j); });
        }
        grouped[g] = sum_groups<Arch>(sums);
    });
    return sum_over_groups<Arch>(grouped);
}

}  // namespace simd

// Rows are taken in blocks of as many as a batch has lanes. The products of a block are computed before the rows of the
// block before it are added: neither then waits for the other.
template <class Arch>
void add_residual(Simd<Arch>, MatrixView<const float> a, std::span<const std::uint32_t> ids,
                  std::span<const float> weights, std::span<const float> targets, std::span<const float> x,
                  std::span<float> out) noexcept {
    using Batch = simd::Batch<Arch>;
    constexpr std::size_t lanes = Batch::size;
    const std::size_t in_blocks = ids.size() / lanes * lanes;
    alignas(64) std::array<std::array<float, lanes>, 2> factors{};
    const auto rows_from = [&](std::size_t first)
                               __attribute__((always_inline)) { return simd::ChosenRows{a, ids.data() + first}; };
    const auto compute = [&](std::size_t first) __attribute__((always_inline)) {
        const Batch target = targets.empty() ? Batch(0.0F) : Batch::load_unaligned(targets.data() + first);
        const Batch products = simd::products_of_rows<Arch>(rows_from(first), x);
        simd::fnma<Arch>(Batch::load_unaligned(weights.data() + first), products, target)
            .store_aligned(factors[first / lanes % 2].data());
    };
    if (in_blocks > 0) {
        compute(0);
    }
    for (std::size_t first = 0; first < in_blocks; first += lanes) {
        if (first + lanes < in_blocks) {
            compute(first + lanes);
        }
        simd::add_rows<Arch>(factors[first / lanes % 2].data(), rows_from(first), lanes, out);
    }
    const std::size_t rest = ids.size() - in_blocks;
    const simd::ChosenRows last = rows_from(in_blocks);
    for (std::size_t i = 0; i < rest; ++i) {
        const float product = dot(Simd<Arch>{}, std::span(last[i], x.size()), x);
        factors[0][i] = (targets.empty() ? 0.0F : targets[in_blocks + i]) - weights[in_blocks + i] * product;
    }
    simd::add_rows<Arch>(factors[0].data(), last, rest, out);
}

template <class Arch>
[[nodiscard]] float weighted_squares(Simd<Arch>, MatrixView<const float> a, std::span<const std::uint32_t> ids,
                                     std::span<const float> weights, std::span<const float> x) noexcept {
    using Batch = simd::Batch<Arch>;
    Batch sums(0.0F);
    std::size_t i = 0;
    for (; i + Batch::size <= ids.size(); i += Batch::size) {
        const Batch products = simd::products_of_rows<Arch>({a, ids.data() + i}, x);
        sums = simd::fma<Arch>(Batch::load_unaligned(weights.data() + i) * products, products, sums);
    }
    float sum = simd::sum_of_lanes<Arch>(sums);
    for (; i < ids.size(); ++i) {
        const float product = dot(Simd<Arch>{}, a.row(ids[i]), x);
        sum += weights[i] * product * product;
    }
    return sum;
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel
