// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/scored.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/int8_blocks.hpp>
#include <funnel/kernels/scalar/int8_scan.hpp>
#include <funnel/kernels/simd/batch.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

// xsimd has no products of bytes, so this file uses intrinsics.

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

namespace simd {

#if defined(__AVX512VNNI__)
template <class Arch>
inline constexpr bool has_vnni = is_avx512<Arch>;
#else
template <class Arch>
inline constexpr bool has_vnni = false;
#endif
#if defined(__AVX2__)
template <class Arch>
inline constexpr bool has_byte_products = is_avx512<Arch> || std::derived_from<Arch, xsimd::avx2>;
#else
template <class Arch>
inline constexpr bool has_byte_products = false;
#endif

/// Sums for the vectors of one register, each in its lane, in the order of the vectors.
template <class Arch>
class Int8Sums;

#if defined(__AVX2__)
/// One half of a block.
template <class Arch>
    requires(has_byte_products<Arch> && !has_vnni<Arch>)
class Int8Sums<Arch> {
public:
    static constexpr std::size_t lanes = 8;
    static constexpr std::size_t registers = 2;  // registers of sums for each of several queries

    // Bytes as signed numbers, and their absolute values.
    struct Bytes {
        __m256i numbers;
        __m256i absolutes;
    };
    [[nodiscard, gnu::always_inline]] static Bytes load(const std::uint8_t* p) noexcept {
        const __m256i numbers =
            _mm256_xor_si256(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)), _mm256_set1_epi8(-128));
        return {numbers, _mm256_abs_epi8(numbers)};
    }
    using Four = __m256i;
    [[nodiscard, gnu::always_inline]] static Four broadcast(std::int32_t four) noexcept {
        return _mm256_set1_epi32(four);
    }

    [[gnu::always_inline]] void start(std::int32_t) noexcept { sums_ = _mm256_setzero_si256(); }
    // The product of an unsigned and a signed byte: |b| and sign(b) q. Pairs are at most 2 * 127 * 127 < 2^15.
    [[gnu::always_inline]] void add(const Bytes& bytes, Four query) noexcept {
        const __m256i pairs = _mm256_maddubs_epi16(bytes.absolutes, _mm256_sign_epi8(query, bytes.numbers));
        sums_ = _mm256_add_epi32(sums_, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
    }
    [[gnu::always_inline]] void add(const Int8Sums& other) noexcept { sums_ = _mm256_add_epi32(sums_, other.sums_); }
    [[gnu::always_inline]] void store(std::int32_t* p) const noexcept {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), sums_);
    }
    [[nodiscard, gnu::always_inline]] __m256 floats() const noexcept { return _mm256_cvtepi32_ps(sums_); }

    class Scores {
    public:
        [[gnu::always_inline]] Scores(const Int8Sums& sums, const Int8Scan& scan, const float* scales,
                                      const float* biases) noexcept {
            const __m256 dots = _mm256_cvtepi32_ps(sums.sums_);
            const __m256 inner =
                _mm256_add_ps(_mm256_mul_ps(_mm256_set1_ps(scan.step), dots), _mm256_set1_ps(scan.offset));
            scores_ = _mm256_mul_ps(_mm256_loadu_ps(scales), inner);
            if (biases != nullptr) {
                scores_ = _mm256_add_ps(scores_, _mm256_loadu_ps(biases));
            }
            const __m256 reach = _mm256_cmp_ps(scores_, _mm256_set1_ps(scan.threshold), _CMP_NLT_UQ);
            hits_ = static_cast<unsigned>(_mm256_movemask_ps(reach));
        }
        [[nodiscard, gnu::always_inline]] unsigned hits() const noexcept { return hits_; }
        // The vectors whose bit is set, the first of which has id `first`.
        [[gnu::always_inline]] void write(unsigned hits, std::uint32_t first, Scored<>* out) const noexcept {
            alignas(32) std::array<float, lanes> values;
            _mm256_store_ps(values.data(), scores_);
            for (; hits != 0; hits &= hits - 1U) {
                const auto v = static_cast<std::uint32_t>(std::countr_zero(hits));
                *out++ = {first + v, values[v]};
            }
        }

    private:
        __m256 scores_;
        unsigned hits_;
    };

private:
    __m256i sums_;
};
#endif

#if defined(__AVX512VNNI__)
/// One block.
template <class Arch>
    requires has_vnni<Arch>
class Int8Sums<Arch> {
public:
    static constexpr std::size_t lanes = 16;
    static constexpr std::size_t registers = 4;

    struct Bytes {
        __m512i plus_128;
    };
    [[nodiscard, gnu::always_inline]] static Bytes load(const std::uint8_t* p) noexcept {
        return {_mm512_loadu_si512(p)};
    }
    using Four = __m512i;
    [[nodiscard, gnu::always_inline]] static Four broadcast(std::int32_t four) noexcept {
        return _mm512_set1_epi32(four);
    }

    // The instruction multiplies unsigned with signed bytes: subtract 128 times the sum of the query. Intermediate sums
    // may wrap around, the result fits.
    [[gnu::always_inline]] void start(std::int32_t sum) noexcept {
        sums_ = _mm512_set1_epi32(static_cast<std::int32_t>(0U - 128U * static_cast<std::uint32_t>(sum)));
    }
    [[gnu::always_inline]] void add(const Bytes& bytes, Four query) noexcept {
        __m512i sums = _mm512_dpbusd_epi32(sums_, bytes.plus_128, query);
        asm("" : "+v"(sums));  // else g++ 12 copies the register before and after each instruction
        sums_ = sums;
    }
    [[gnu::always_inline]] void add(const Int8Sums& other) noexcept { sums_ = _mm512_add_epi32(sums_, other.sums_); }
    [[gnu::always_inline]] void store(std::int32_t* p) const noexcept { _mm512_storeu_si512(p, sums_); }
    [[nodiscard, gnu::always_inline]] __m512 floats() const noexcept { return _mm512_cvtepi32_ps(sums_); }

    class Scores {
    public:
        [[gnu::always_inline]] Scores(const Int8Sums& sums, const Int8Scan& scan, const float* scales,
                                      const float* biases) noexcept {
            const __m512 inner =
                _mm512_fmadd_ps(_mm512_set1_ps(scan.step), _mm512_cvtepi32_ps(sums.sums_), _mm512_set1_ps(scan.offset));
            const __m512 scale = _mm512_loadu_ps(scales);
            scores_ = biases != nullptr ? _mm512_fmadd_ps(scale, inner, _mm512_loadu_ps(biases))
                                        : _mm512_mul_ps(scale, inner);
            hits_ = _mm512_cmp_ps_mask(scores_, _mm512_set1_ps(scan.threshold), _CMP_NLT_UQ);
        }
        [[nodiscard, gnu::always_inline]] unsigned hits() const noexcept { return hits_; }
        // The vectors whose bit is set, the first of which has id `first`. No branch depends on a single one.
        [[gnu::always_inline]] void write(unsigned hits, std::uint32_t first, Scored<>* out) const noexcept {
            static_assert(sizeof(Scored<>) == 8);
            const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
            const auto mask = static_cast<__mmask16>(hits);
            const __m512i ids = _mm512_maskz_compress_epi32(
                mask, _mm512_add_epi32(lane, _mm512_set1_epi32(static_cast<std::int32_t>(first))));
            const __m512i scores = _mm512_maskz_compress_epi32(mask, _mm512_castps_si512(scores_));
            const __m512i pairs = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
            const std::uint64_t words = (std::uint64_t{1} << (2 * std::popcount(hits))) - 1;
            _mm512_mask_storeu_epi32(out, static_cast<__mmask16>(words), _mm512_permutex2var_epi32(ids, pairs, scores));
            if (const auto rest = static_cast<__mmask16>(words >> 16U); rest != 0) {
                const __m512i next = _mm512_add_epi32(pairs, _mm512_set1_epi32(8));
                _mm512_mask_storeu_epi32(out + 8, rest, _mm512_permutex2var_epi32(ids, next, scores));
            }
        }

    private:
        __m512 scores_;
        __mmask16 hits_;
    };

private:
    __m512i sums_;
};
#endif

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
