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

// Calls use(dots) for the dots of the block with each vector, in order. Vectors are taken Group at a time, and each
// sum is split into four, so that a load of the block feeds several additions, none of which waits for another.
template <class Arch, std::size_t Group, class Use>
[[gnu::always_inline]] inline std::size_t for_each_dots(const float* block, MatrixView<const float> vectors,
                                                        std::size_t first, const Use& use) noexcept {
    constexpr std::size_t lanes = Batch<Arch>::size;
    constexpr std::size_t chains = 4;
    const std::size_t d = vectors.cols();
    std::size_t v = first;
    for (; v + Group <= vectors.rows(); v += Group) {
        std::array<const float*, Group> rows;
        unroll<Group>([&](auto g) __attribute__((always_inline)) { rows[g] = vectors.row(v + g).data(); });
        std::array<Batch<Arch>, Group * chains> sums;
        unroll<Group * chains>([&](auto s) __attribute__((always_inline)) { sums[s] = Batch<Arch>(0.0F); });
        std::size_t j = 0;
        for (; j + chains <= d; j += chains) {
            unroll<chains>([&](auto c) __attribute__((always_inline)) {
                const Batch<Arch> features = Batch<Arch>::load_unaligned(block + (j + c) * lanes);
                unroll<Group>([&](auto g) __attribute__((always_inline)) {
                    sums[g * chains + c] = fma<Arch>(features, Batch<Arch>(rows[g][j + c]), sums[g * chains + c]);
                });
            });
        }
        for (; j < d; ++j) {
            const Batch<Arch> features = Batch<Arch>::load_unaligned(block + j * lanes);
            unroll<Group>([&](auto g) __attribute__((always_inline)) {
                sums[g * chains] = fma<Arch>(features, Batch<Arch>(rows[g][j]), sums[g * chains]);
            });
        }
        unroll<Group>([&](auto g) __attribute__((always_inline)) {
            use((sums[g * chains] + sums[g * chains + 1]) + (sums[g * chains + 2] + sums[g * chains + 3]));
        });
    }
    return v;
}

template <class Arch, class Use>
[[gnu::always_inline]] inline void for_each_dots(const float* block, MatrixView<const float> vectors,
                                                 const Use& use) noexcept {
    constexpr std::size_t group = is_avx512<Arch> ? 4 : 2;  // 16 or 8 sums: what the registers hold
    const std::size_t rest = for_each_dots<Arch, group>(block, vectors, 0, use);
    for_each_dots<Arch, 1>(block, vectors, rest, use);
}

}  // namespace simd::detail

template <class Arch>
inline void pack_features(Simd<Arch>, MatrixView<const float> features, std::span<const std::uint32_t> candidates,
                          std::span<float> block) noexcept {
    constexpr std::size_t lanes = simd::Batch<Arch>::size;
    const std::size_t d = features.cols();
    std::array<const float*, lanes> rows;
    for (std::size_t i = 0; i < lanes; ++i) {
        rows[i] = features.row(candidates[i]).data();
    }
    float* out = block.data();
    std::size_t j = 0;
    for (; j + 4 <= d; j += 4, out += 4 * lanes) {
        const std::array<simd::Batch<Arch>, 4> columns = simd::load_columns<Arch>(rows, j);
        simd::unroll<4>([&](auto c) __attribute__((always_inline)) { columns[c].store_unaligned(out + c * lanes); });
    }
    for (; j < d; ++j, out += lanes) {
        for (std::size_t i = 0; i < lanes; ++i) {
            out[i] = rows[i][j];
        }
    }
}

template <class Arch>
inline float subtract_squared_dots(Simd<Arch>, std::span<const float> block, MatrixView<const float> vectors,
                                   std::span<const float> scale, std::span<const float> weight,
                                   std::span<float> residual) noexcept {
    using Batch = simd::Batch<Arch>;
    const Batch scales = Batch::load_unaligned(scale.data());
    Batch left = Batch::load_unaligned(residual.data());
    simd::detail::for_each_dots<Arch>(block.data(), vectors, [&](const Batch& dots) __attribute__((always_inline)) {
        const Batch scaled = scales * dots;
        left = left - scaled * scaled;
    });
    left.store_unaligned(residual.data());
    return simd::max_of_lanes<Arch>(Batch::load_unaligned(weight.data()) * left);
}

template <class Arch>
inline float raise_to_dots(Simd<Arch>, std::span<const float> block, MatrixView<const float> vectors,
                           std::span<const float> scale, std::span<const float> offset, float factor,
                           std::span<float> highest) noexcept {
    using Batch = simd::Batch<Arch>;
    const Batch scales = Batch::load_unaligned(scale.data());
    Batch most = Batch::load_unaligned(highest.data());
    simd::detail::for_each_dots<Arch>(block.data(), vectors, [&](const Batch& dots) __attribute__((always_inline)) {
        most = xsimd::max(most, scales * dots);
    });
    most.store_unaligned(highest.data());
    return simd::max_of_lanes<Arch>(Batch::load_unaligned(offset.data()) - Batch(factor) * most);
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel
