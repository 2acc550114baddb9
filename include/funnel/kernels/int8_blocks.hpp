// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>
#include <funnel/core/scored.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

// Vectors of bytes are stored in blocks of 16 vectors. A block is a sequence of groups of 4 dimensions, and a group
// holds the 4 bytes of vector 0, then those of vector 1, and so on. So one register of 512 bits holds 4 dimensions of
// 16 vectors, each vector has its own lane, and no sum over lanes is needed. Dimensions are padded to a multiple of 4.
inline constexpr std::size_t int8_block = 16;
inline constexpr std::size_t int8_group = 4;
inline constexpr std::size_t int8_group_bytes = int8_block * int8_group;

/// The sums below fit into 32 bits up to this dimension: 127 * 127 * 2^17 < 2^31.
inline constexpr std::size_t max_int8_dimension = std::size_t{1} << 17;

[[nodiscard]] constexpr std::size_t int8_groups(std::size_t dimension) noexcept {
    return (dimension + int8_group - 1) / int8_group;
}
[[nodiscard]] constexpr std::size_t int8_blocks(std::size_t vectors) noexcept {
    return (vectors + int8_block - 1) / int8_block;
}

/// Where the byte of dimension j of a vector is.
[[nodiscard]] constexpr std::size_t int8_position(std::size_t vector, std::size_t j, std::size_t groups) noexcept {
    return ((vector / int8_block * groups + j / int8_group) * int8_block + vector % int8_block) * int8_group +
           j % int8_group;
}

/// A query: bytes in [-127, 127], padded with zeros to whole groups, and their sum.
struct Int8Query {
    std::span<const std::int8_t> bytes;
    std::int32_t sum = 0;
};

/// Vectors in blocks, with a scale for each and, if biases is not empty, a bias for each. Bytes, scales and biases are
/// padded to whole blocks. A byte u stands for the number u - 128 in [-127, 127].
struct Int8Vectors {
    std::span<const std::uint8_t> bytes;
    std::span<const float> scales;
    std::span<const float> biases;
    std::size_t size = 0;  ///< number of vectors, without those that only pad the last block
};

/// One query of a scan, and its hits.
struct Int8Scan {
    Int8Query query;
    float step = 1.0F;
    float offset = 0.0F;
    float threshold = 0.0F;
    std::span<Scored<>> hits;  ///< room for all vectors
    std::size_t count = 0;     ///< the result: number of hits
};

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel
