// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/kernels/int8_scan.hpp>

#include "support/backends.hpp"

#include <funnel/core/rng.hpp>
#include <funnel/core/scored.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

using funnel::Random;
using funnel::Scored;
using namespace funnel::kernels;
using funnel::testing::HostBackends;

namespace {

// Numbers in [-127, 127], row by row, and the same in blocks that start `shift` bytes after an aligned address.
struct Sample {
    std::size_t n;
    std::size_t d;
    std::vector<std::int8_t> numbers;
    std::vector<std::uint8_t> memory;
    std::size_t shift;
    std::vector<float> scales;
    std::vector<float> biases;

    Sample(std::size_t vectors, std::size_t dimension, std::size_t offset, bool extreme = false)
        : n(vectors), d(dimension), numbers(n * d), shift(offset) {
        Random random(7, n * 1000 + d);
        const std::size_t groups = int8_groups(d);
        memory.assign(shift + int8_blocks(n) * groups * int8_group_bytes, 128);
        scales.assign(int8_blocks(n) * int8_block, 1e30F);  // the padding would be found if it counted
        biases.assign(scales.size(), 1e30F);
        for (std::size_t v = 0; v < n; ++v) {
            scales[v] = static_cast<float>(1U << random.below(3));
            biases[v] = static_cast<float>(random.below(1000));
            for (std::size_t j = 0; j < d; ++j) {
                const auto number =
                    extreme ? (random.below(2) == 0 ? -127 : 127) : static_cast<int>(random.below(255)) - 127;
                numbers[v * d + j] = static_cast<std::int8_t>(number);
                memory[shift + int8_position(v, j, groups)] = static_cast<std::uint8_t>(number + 128);
            }
        }
    }

    std::span<const std::uint8_t> blocks() const { return std::span(memory).subspan(shift); }
    std::int64_t dot(std::size_t v, const std::vector<std::int8_t>& query) const {
        std::int64_t sum = 0;
        for (std::size_t j = 0; j < d; ++j) {
            sum += std::int64_t{numbers[v * d + j]} * query[j];
        }
        return sum;
    }
};

std::vector<std::int8_t> padded_query(std::size_t d, std::uint64_t seed, bool extreme = false) {
    Random random(8, seed);
    std::vector<std::int8_t> query(int8_groups(d) * int8_group);
    for (std::size_t j = 0; j < d; ++j) {
        query[j] = static_cast<std::int8_t>(extreme ? 127 : static_cast<int>(random.below(255)) - 127);
    }
    return query;
}

Int8Query with_sum(const std::vector<std::int8_t>& bytes) {
    std::int32_t sum = 0;
    for (const std::int8_t byte : bytes) {
        sum += byte;
    }
    return {bytes, sum};
}

template <class Backend>
void check_dots(const Sample& sample, const std::vector<std::int8_t>& query) {
    std::vector<std::int32_t> out(sample.n);
    int8_dots<Backend>(with_sum(query), sample.blocks(), out);
    for (std::size_t v = 0; v < sample.n; ++v) {
        REQUIRE(out[v] == sample.dot(v, query));
    }
}

// All scores are whole numbers below 2^24 or their halves, so they are exact in float.
template <class Backend>
void check_scan(const Sample& sample, std::size_t queries, bool has_biases, float threshold) {
    std::vector<std::vector<std::int8_t>> bytes;
    const Scored<> behind{12345, -7.0F};  // room ends in front of it
    std::vector<std::vector<Scored<>>> hits(queries, std::vector<Scored<>>(sample.n + 16, behind));
    for (std::size_t q = 0; q < queries; ++q) {
        bytes.push_back(padded_query(sample.d, q));
    }
    std::vector<Int8Scan> scans;
    for (std::size_t q = 0; q < queries; ++q) {
        scans.push_back({with_sum(bytes[q]), q % 2 == 0 ? 0.5F : 1.0F, static_cast<float>(q), threshold,
                         std::span(hits[q]).first(sample.n), 99});
    }
    const std::span<const float> biases = has_biases ? std::span<const float>(sample.biases) : std::span<const float>();
    int8_scan<Backend>({sample.blocks(), sample.scales, biases, sample.n}, scans);
    for (std::size_t q = 0; q < queries; ++q) {
        std::vector<Scored<>> expected;
        for (std::size_t v = 0; v < sample.n; ++v) {
            const double inner = double{scans[q].step} * static_cast<double>(sample.dot(v, bytes[q]));
            const double score = double{sample.scales[v]} * (inner + double{scans[q].offset}) +
                                 (has_biases ? double{sample.biases[v]} : 0.0);
            if (score >= double{threshold}) {
                expected.push_back({static_cast<std::uint32_t>(v), static_cast<float>(score)});
            }
        }
        REQUIRE(std::all_of(hits[q].begin() + static_cast<std::ptrdiff_t>(sample.n), hits[q].end(),
                            [&](const Scored<>& hit) { return hit == behind; }));
        hits[q].resize(scans[q].count);
        REQUIRE(hits[q] == expected);
    }
}

}  // namespace

TEST_CASE_TEMPLATE_DEFINE("int8_dots: worked by hand", Backend, int8_by_hand) {
    // Two vectors of two dimensions: (1, -2) and (127, -127); the query is (3, -4).
    std::vector<std::uint8_t> block(int8_group_bytes, 128);
    block[0] = 129;
    block[1] = 126;
    block[4] = 255;
    block[5] = 1;
    const std::vector<std::int8_t> query{3, -4, 0, 0};
    std::vector<std::int32_t> out(2);
    int8_dots<Backend>({query, -1}, block, out);
    CHECK(out[0] == 11);   // 3 + 8
    CHECK(out[1] == 889);  // 381 + 508
}
TEST_CASE_TEMPLATE_APPLY(int8_by_hand, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("int8_dots: exact for every dimension, number of vectors and alignment", Backend,
                          int8_exact) {
    for (std::size_t d = 0; d <= 300; ++d) {
        CAPTURE(d);
        check_dots<Backend>(Sample(d % 37, d, d % 64), padded_query(d, d));
    }
    for (std::size_t n = 0; n <= 70; ++n) {
        CAPTURE(n);
        check_dots<Backend>(Sample(n, 65, n % 7), padded_query(65, n));
    }
}
TEST_CASE_TEMPLATE_APPLY(int8_exact, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("int8_dots: no sum is too large up to 2^17 dimensions", Backend, int8_largest) {
    for (const std::size_t d : {std::size_t{300}, max_int8_dimension}) {
        check_dots<Backend>(Sample(17, d, 0, true), padded_query(d, 1, true));
        Sample same(3, d, 0);
        std::fill(same.numbers.begin(), same.numbers.end(), std::int8_t{-127});
        std::fill(same.memory.begin(), same.memory.end(), std::uint8_t{1});
        check_dots<Backend>(same, padded_query(d, 1, true));
        std::fill(same.numbers.begin(), same.numbers.end(), std::int8_t{127});
        std::fill(same.memory.begin(), same.memory.end(), std::uint8_t{255});
        check_dots<Backend>(same, padded_query(d, 1, true));
    }
}
TEST_CASE_TEMPLATE_APPLY(int8_largest, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("int8_scan: equals the definition for any number of queries", Backend, int8_scan_exact) {
    for (const std::size_t d : {1U, 4U, 7U, 63U, 64U, 65U}) {
        for (std::size_t n = 0; n <= 70; n += d == 7 ? 1 : 5) {
            for (std::size_t queries = 0; queries <= 9; ++queries) {
                CAPTURE(d);
                CAPTURE(n);
                CAPTURE(queries);
                const Sample sample(n, d, n % 5);
                for (const float threshold : {-1e30F, 0.0F, 1000.0F, 1e29F}) {
                    check_scan<Backend>(sample, queries, queries % 2 == 0, threshold);
                }
            }
        }
    }
    for (const std::size_t n : {128U, 129U, 255U, 256U, 257U}) {
        check_scan<Backend>(Sample(n, 100, 0), 6, true, 50000.0F);
    }
}
TEST_CASE_TEMPLATE_APPLY(int8_scan_exact, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("int8_scan: a score equal to the threshold is a hit", Backend, int8_edges) {
    const std::vector<std::uint8_t> block(int8_group_bytes, 129);  // all vectors are (1, 1, 1, 1)
    const std::vector<std::int8_t> query{1, 2, 3, 4};
    std::vector<float> scales(int8_block, 1.0F);
    scales[3] = 0.5F;
    std::vector<Scored<>> hits(16);
    std::vector<Int8Scan> scans{{{query, 10}, 1.0F, 0.0F, 10.0F, hits, 0}};
    int8_scan<Backend>({block, scales, {}, 16}, scans);
    REQUIRE(scans[0].count == 15);
    CHECK(hits[2] == Scored<>{2, 10.0F});
    CHECK(hits[3].id == 4);
}
TEST_CASE_TEMPLATE_APPLY(int8_edges, HostBackends);

#ifndef __FAST_MATH__
TEST_CASE_TEMPLATE_DEFINE("int8_scan: NaN is a hit, so that no search loses it", Backend, int8_nan) {
    const std::vector<std::uint8_t> block(int8_group_bytes, 129);
    const std::vector<std::int8_t> query{1, 2, 3, 4};
    std::vector<float> scales(int8_block, 1.0F);
    scales[5] = std::numeric_limits<float>::quiet_NaN();
    std::vector<Scored<>> hits(16);
    std::vector<Int8Scan> scans{{{query, 10}, 1.0F, 0.0F, 10.0F, hits, 0}};
    int8_scan<Backend>({block, scales, {}, 16}, scans);
    REQUIRE(scans[0].count == 16);
    CHECK(hits[5].id == 5);
    CHECK(std::isnan(hits[5].score));
}
TEST_CASE_TEMPLATE_APPLY(int8_nan, HostBackends);
#endif
