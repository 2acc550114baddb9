// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/scored.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/int8_blocks.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

namespace detail {

using Int8Dots = std::array<std::int32_t, int8_block>;

/// The products of a query with the vectors of one block.
[[nodiscard]] inline Int8Dots block_dots(std::span<const std::int8_t> query, const std::uint8_t* block) noexcept {
    Int8Dots dots{};
    for (std::size_t j = 0; j < query.size(); j += int8_group) {
        for (std::size_t v = 0; v < int8_block; ++v) {
            for (std::size_t i = 0; i < int8_group; ++i) {
                dots[v] += (block[j * int8_block + v * int8_group + i] - 128) * query[j + i];
            }
        }
    }
    return dots;
}

}  // namespace detail

inline void int8_dots(Scalar, const Int8Query& query, std::span<const std::uint8_t> blocks,
                      std::span<std::int32_t> out) noexcept {
    for (std::size_t v = 0; v < out.size(); v += int8_block) {
        const auto dots = detail::block_dots(query.bytes, blocks.data() + v * query.bytes.size());
        std::copy_n(dots.begin(), std::min(int8_block, out.size() - v), out.data() + v);
    }
}

inline void int8_scan(Scalar, const Int8Vectors& vectors, std::span<Int8Scan> scans) noexcept {
    for (std::size_t begin = 0; begin < vectors.size; begin += int8_block) {
        for (Int8Scan& scan : scans) {
            const auto dots =
                detail::block_dots(scan.query.bytes, vectors.bytes.data() + begin * scan.query.bytes.size());
            for (std::size_t v = begin; v < std::min(begin + int8_block, vectors.size); ++v) {
                const float bias = vectors.biases.empty() ? 0.0F : vectors.biases[v];
                const float score =
                    vectors.scales[v] * (scan.step * static_cast<float>(dots[v - begin]) + scan.offset) + bias;
                if (!(score < scan.threshold)) {
                    scan.hits[scan.count++] = {static_cast<std::uint32_t>(v), score};
                }
            }
        }
    }
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel
