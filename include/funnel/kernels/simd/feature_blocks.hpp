// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/scalar/feature_blocks.hpp>
#include <funnel/kernels/simd/batch.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

template <class Arch>
[[nodiscard]] constexpr std::size_t feature_block_width(Simd<Arch>) noexcept {
    static_assert(simd::Batch<Arch>::size <= widest_feature_block);
    return simd::Batch<Arch>::size;
}

namespace simd::detail {

template <class Arch>
using Rows = std::array<const float*, Batch<Arch>::size>;

template <class Arch>
[[nodiscard, gnu::always_inline]] inline Rows<Arch> rows_of(MatrixView<const float> features,
                                                            std::span<const std::uint32_t> block) noexcept {
    Rows<Arch> rows;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        rows[i] = features.row(block[i]).data();
    }
    return rows;
}

// Calls use(dots) for the dots of all rows with each vector, in order. Four rows and Group vectors are read at a time,
// so that each load feeds several products. Returns the first vector that is left.
template <std::size_t Group, class Arch, class Use>
[[gnu::always_inline]] inline std::size_t for_each_dots(const Rows<Arch>& rows, MatrixView<const float> vectors,
                                                        std::size_t first, const Use& use) noexcept {
    constexpr std::size_t lanes = Batch<Arch>::size;
    const std::size_t d = vectors.cols();
    std::size_t v = first;
    for (; v + Group <= vectors.rows(); v += Group) {
        std::array<std::array<Batch<Arch>, lanes / 4>, Group> sums_of_groups;
        for (std::size_t four = 0; four < lanes / 4; ++four) {
            std::array<std::array<Batch<Arch>, 4>, Group> sums;
            unroll<Group>([&](auto g) __attribute__((always_inline)) { sums[g].fill(Batch<Arch>(0.0F)); });
            const auto add = [&](const auto& load) __attribute__((always_inline)) {
                std::array<Batch<Arch>, Group> parts;
                unroll<Group>([&](auto g)
                                  __attribute__((always_inline)) { parts[g] = load(vectors.row(v + g).data()); });
                unroll<4>([&](auto r) __attribute__((always_inline)) {
                    const Batch<Arch> row = load(rows[4 * four + r]);
                    unroll<Group>([&](auto g) __attribute__((always_inline)) {
                        sums[g][r] = fma<Arch>(row, parts[g], sums[g][r]);
                    });
                });
            };
            std::size_t j = 0;
            for (; j + lanes <= d; j += lanes) {
                add([j](const float* p) __attribute__((always_inline)) { return Batch<Arch>::load_unaligned(p + j); });
            }
            if (j < d) {
                add([j, d](const float* p) __attribute__((always_inline)) { return load_first<Arch>(p + j, d - j); });
            }
            unroll<Group>([&](auto g)
                              __attribute__((always_inline)) { sums_of_groups[g][four] = sum_groups<Arch>(sums[g]); });
        }
        unroll<Group>([&](auto g) __attribute__((always_inline)) { use(sum_over_groups<Arch>(sums_of_groups[g])); });
    }
    return v;
}

// As many sums as the registers hold: 16 of 32, or 8 of 16.
template <class Arch, class Use>
[[gnu::always_inline]] inline void for_each_dots(const Rows<Arch>& rows, MatrixView<const float> vectors,
                                                 const Use& use) noexcept {
    std::size_t v = 0;
    if constexpr (is_avx512<Arch>) {
        v = for_each_dots<4, Arch>(rows, vectors, v, use);
        v = for_each_dots<3, Arch>(rows, vectors, v, use);
    }
    v = for_each_dots<2, Arch>(rows, vectors, v, use);
    for_each_dots<1, Arch>(rows, vectors, v, use);
}

}  // namespace simd::detail

template <class Arch>
inline float subtract_squared_dots(Simd<Arch>, MatrixView<const float> features, std::span<const std::uint32_t> block,
                                   MatrixView<const float> vectors, std::span<const float> scale,
                                   std::span<const float> weight, std::span<float> residual) noexcept {
    using Batch = simd::Batch<Arch>;
    const Batch scales = Batch::load_unaligned(scale.data());
    Batch left = Batch::load_unaligned(residual.data());
    simd::detail::for_each_dots<Arch>(simd::detail::rows_of<Arch>(features, block), vectors,
                                      [&](const Batch& dots) __attribute__((always_inline)) {
                                          const Batch scaled = scales * dots;
                                          left = left - scaled * scaled;
                                      });
    left.store_unaligned(residual.data());
    return simd::max_of_lanes<Arch>(Batch::load_unaligned(weight.data()) * left);
}

template <class Arch>
inline float raise_to_dots(Simd<Arch>, MatrixView<const float> features, std::span<const std::uint32_t> block,
                           MatrixView<const float> vectors, std::span<const float> scale, std::span<const float> offset,
                           float factor, std::span<float> highest) noexcept {
    using Batch = simd::Batch<Arch>;
    const Batch scales = Batch::load_unaligned(scale.data());
    Batch most = Batch::load_unaligned(highest.data());
    simd::detail::for_each_dots<Arch>(simd::detail::rows_of<Arch>(features, block), vectors,
                                      [&](const Batch& dots)
                                          __attribute__((always_inline)) { most = xsimd::max(most, scales * dots); });
    most.store_unaligned(highest.data());
    return simd::max_of_lanes<Arch>(Batch::load_unaligned(offset.data()) - Batch(factor) * most);
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel
