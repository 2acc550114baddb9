// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/scored.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/int8_blocks.hpp>
#include <funnel/kernels/scalar/int8_scan.hpp>
#include <funnel/kernels/simd/batch.hpp>
#include <funnel/kernels/simd/int8_sums.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

namespace simd {

[[nodiscard, gnu::always_inline]] inline std::int32_t four_bytes(const Int8Query& query, std::size_t j) noexcept {
    std::int32_t four;
    std::memcpy(&four, query.bytes.data() + j, sizeof four);
    return four;
}

/// The registers of one block.
template <class Arch>
using Int8BlockSums = std::array<Int8Sums<Arch>, int8_block / Int8Sums<Arch>::lanes>;

/// The sums of one query with one block. The bytes are read strictly in order and without prefetches: the processor
/// then reads ahead by itself, which is faster than several streams at once (three times from main memory). Several
/// sums per lane hide the latency of the additions.
template <class Arch>
[[nodiscard, gnu::always_inline]] inline Int8BlockSums<Arch> int8_block_sums(const Int8Query& query,
                                                                             const std::uint8_t* bytes) noexcept {
    using Sums = Int8Sums<Arch>;
    constexpr std::size_t registers = int8_block / Sums::lanes;
    constexpr std::size_t chains = 4 / registers;
    const std::size_t dimension = query.bytes.size();
    std::array<Int8BlockSums<Arch>, chains> sums;
    unroll<chains>([&](auto c) __attribute__((always_inline)) {
        unroll<registers>([&](auto r) __attribute__((always_inline)) { sums[c][r].start(c == 0 ? query.sum : 0); });
    });
    const auto add = [&](auto c, std::size_t j) __attribute__((always_inline)) {
        const auto broadcast = Sums::broadcast(four_bytes(query, j));
        unroll<registers>([&](auto r) __attribute__((always_inline)) {
            sums[c][r].add(Sums::load(bytes + j * int8_block + r * Sums::lanes * int8_group), broadcast);
        });
    };
    std::size_t j = 0;
    for (; j + chains * int8_group <= dimension; j += chains * int8_group) {
        unroll<chains>([&](auto c) __attribute__((always_inline)) { add(c, j + c * int8_group); });
    }
    for (; j < dimension; j += int8_group) {
        add(std::integral_constant<std::size_t, 0>{}, j);
    }
    unroll<registers>([&](auto r) __attribute__((always_inline)) {
        unroll<chains - 1>([&](auto c) __attribute__((always_inline)) { sums[0][r].add(sums[c + 1][r]); });
    });
    return sums[0];
}

template <class Arch, std::size_t Queries, std::size_t Registers>
using Int8Tile = std::array<std::array<Int8Sums<Arch>, Registers>, Queries>;

/// The sums of some queries with `Registers` registers of vectors, from vector `begin` on.
template <class Arch, std::size_t Queries, std::size_t Registers>
[[nodiscard, gnu::always_inline]] inline Int8Tile<Arch, Queries, Registers> int8_tile(
    const std::array<Int8Query, Queries>& queries, const std::uint8_t* blocks, std::size_t begin) noexcept {
    using Sums = Int8Sums<Arch>;
    const std::size_t dimension = queries[0].bytes.size();
    const std::uint8_t* at = blocks + begin / int8_block * int8_block * dimension + begin % int8_block * int8_group;
    Int8Tile<Arch, Queries, Registers> sums;
    unroll<Queries>([&](auto q) __attribute__((always_inline)) {
        unroll<Registers>([&](auto r) __attribute__((always_inline)) { sums[q][r].start(queries[q].sum); });
    });
    for (std::size_t j = 0; j < dimension; j += int8_group) {
        std::array<typename Sums::Bytes, Registers> bytes;
        unroll<Registers>([&](auto r) __attribute__((always_inline)) {
            constexpr std::size_t first = r * Sums::lanes;
            bytes[r] = Sums::load(at + first / int8_block * int8_block * dimension + j * int8_block +
                                  first % int8_block * int8_group);
        });
        unroll<Queries>([&](auto q) __attribute__((always_inline)) {
            const auto broadcast = Sums::broadcast(four_bytes(queries[q], j));
            unroll<Registers>([&](auto r) __attribute__((always_inline)) { sums[q][r].add(bytes[r], broadcast); });
        });
    }
    return sums;
}

/// The hits in one register of vectors, the first of which is `first`.
template <class Arch>
[[gnu::always_inline]] inline void add_hits(const Int8Vectors& vectors, const Int8Sums<Arch>& sums, std::size_t first,
                                            Int8Scan& scan) noexcept {
    using Sums = Int8Sums<Arch>;
    const typename Sums::Scores scores(sums, scan, vectors.scales.data() + first,
                                       vectors.biases.empty() ? nullptr : vectors.biases.data() + first);
    unsigned hits = scores.hits();
    if (hits != 0) [[unlikely]] {
        if (vectors.size - first < Sums::lanes) {
            hits &= (1U << (vectors.size - first)) - 1U;
        }
        scores.write(hits, static_cast<std::uint32_t>(first), scan.hits.data() + scan.count);
        scan.count += static_cast<std::size_t>(std::popcount(hits));
    }
}

/// One tile of a scan.
template <class Arch, std::size_t Queries, std::size_t Registers>
[[gnu::always_inline]] inline void scan_tile(const Int8Vectors& vectors, Int8Scan* scans,
                                             const std::array<Int8Query, Queries>& queries,
                                             std::size_t begin) noexcept {
    const auto sums = int8_tile<Arch, Queries, Registers>(queries, vectors.bytes.data(), begin);
    unroll<Queries>([&](auto q) __attribute__((always_inline)) {
        unroll<Registers>([&](auto r) __attribute__((always_inline)) {
            add_hits<Arch>(vectors, sums[q][r], begin + r * Int8Sums<Arch>::lanes, scans[q]);
        });
    });
}

template <class Arch, std::size_t Queries>
void scan_queries(const Int8Vectors& vectors, Int8Scan* scans) noexcept {
    constexpr std::size_t registers = Int8Sums<Arch>::registers;
    constexpr std::size_t step = registers * Int8Sums<Arch>::lanes;
    std::array<Int8Query, Queries> queries;
    for (std::size_t q = 0; q < Queries; ++q) {
        queries[q] = scans[q].query;
    }
    std::size_t begin = 0;
    for (; begin + step <= vectors.size; begin += step) {
        scan_tile<Arch, Queries, registers>(vectors, scans, queries, begin);
    }
    for (; begin < vectors.size; begin += Int8Sums<Arch>::lanes) {
        scan_tile<Arch, Queries, 1>(vectors, scans, queries, begin);
    }
}

template <class Arch>
void scan_query(const Int8Vectors& vectors, Int8Scan& scan) noexcept {
    const Int8Query query = scan.query;
    for (std::size_t begin = 0; begin < vectors.size; begin += int8_block) {
        const auto sums = int8_block_sums<Arch>(query, vectors.bytes.data() + begin * query.bytes.size());
        unroll<sums.size()>([&](auto r) __attribute__((always_inline)) {
            const std::size_t first = begin + r * Int8Sums<Arch>::lanes;
            if (r == 0 || first < vectors.size) {
                add_hits<Arch>(vectors, sums[r], first, scan);
            }
        });
    }
}

}  // namespace simd

template <class Arch>
    requires simd::has_byte_products<Arch>
void int8_dots(Simd<Arch>, const Int8Query& query, std::span<const std::uint8_t> blocks,
               std::span<std::int32_t> out) noexcept {
    for (std::size_t v = 0; v < out.size(); v += int8_block) {
        const auto sums = simd::int8_block_sums<Arch>(query, blocks.data() + v * query.bytes.size());
        std::array<std::int32_t, int8_block> dots;
        for (std::size_t r = 0; r < sums.size(); ++r) {
            sums[r].store(dots.data() + r * simd::Int8Sums<Arch>::lanes);
        }
        std::copy_n(dots.begin(), std::min(int8_block, out.size() - v), out.data() + v);
    }
}

template <class Arch>
    requires simd::has_byte_products<Arch>
void int8_scan(Simd<Arch>, const Int8Vectors& vectors, std::span<Int8Scan> scans) noexcept {
    std::size_t q = 0;
    for (; q + 4 <= scans.size(); q += 4) {
        simd::scan_queries<Arch, 4>(vectors, scans.data() + q);
    }
    if (q + 2 <= scans.size()) {
        simd::scan_queries<Arch, 2>(vectors, scans.data() + q);
        q += 2;
    }
    if (q < scans.size()) {
        simd::scan_query<Arch>(vectors, scans[q]);
    }
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel
