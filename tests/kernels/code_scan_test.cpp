// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/kernels/fast_scan.hpp>
#include <funnel/kernels/pq_scan.hpp>

#include "support/backends.hpp"

#include <funnel/core/rng.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

using funnel::Random;
using funnel::kernels::fast_scan;
using funnel::kernels::pq_scan;
using namespace funnel::testing;

namespace {

template <class T>
std::vector<T> draws(std::size_t n, std::uint64_t below, std::uint64_t stream) {
    Random random(21, stream);
    std::vector<T> all(n);
    for (T& element : all) {
        element = static_cast<T>(random.below(below));
    }
    return all;
}

// Views of the same elements at other addresses. The memory ends with the last element, so that a sanitizer sees a
// kernel that reads on.
template <class T>
std::vector<T> shifted(const std::vector<T>& x, std::size_t shift) {
    std::vector<T> all(shift, T{9});
    all.insert(all.end(), x.begin(), x.end());
    return all;
}

}  // namespace

TEST_CASE_TEMPLATE_DEFINE("pq_scan: worked by hand", Backend, pq_by_hand) {
    // Two codes: entry c of the first table is c, and of the second 1000 + c. Vector i has the codes 8 i and 255 - i.
    std::vector<std::uint16_t> tables(512);
    for (std::size_t c = 0; c < 256; ++c) {
        tables[c] = static_cast<std::uint16_t>(c);
        tables[256 + c] = static_cast<std::uint16_t>(1000 + c);
    }
    std::vector<std::uint8_t> block(64);
    std::vector<std::uint16_t> expected(32);
    for (std::size_t i = 0; i < 32; ++i) {
        block[i] = static_cast<std::uint8_t>(8 * i);
        block[32 + i] = static_cast<std::uint8_t>(255 - i);
        expected[i] = static_cast<std::uint16_t>(1255 + 7 * i);  // 8 i + 1000 + 255 - i
    }
    std::vector<std::uint16_t> sums(32);
    pq_scan<Backend>(tables, block, sums);
    CHECK(sums == expected);
}
TEST_CASE_TEMPLATE_APPLY(pq_by_hand, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("pq_scan: any number of codes and blocks, at any address", Backend, pq_lengths) {
    for (const std::size_t m : {0U, 1U, 2U, 3U, 7U, 8U, 16U, 33U}) {
        for (const std::size_t blocks : {0U, 1U, 2U, 3U, 9U}) {
            for (const std::size_t shift : {0U, 1U, 5U}) {
                const auto tables = draws<std::uint16_t>(m * 256, 65536, m);  // sums pass 2^16
                const auto codes = draws<std::uint8_t>(blocks * m * 32, 256, 100 + m);
                std::vector<std::uint16_t> expected(blocks * 32);
                for (std::size_t i = 0; i < expected.size(); ++i) {
                    std::uint64_t sum = 0;
                    for (std::size_t j = 0; j < m; ++j) {
                        sum += tables[j * 256 + codes[(i / 32 * m + j) * 32 + i % 32]];
                    }
                    expected[i] = static_cast<std::uint16_t>(sum % 65536);
                }
                CAPTURE(m);
                CAPTURE(blocks);
                CAPTURE(shift);
                const auto tables_at = shifted(tables, shift);
                const auto codes_at = shifted(codes, shift);
                std::vector<std::uint16_t> sums(shift + expected.size(), 7);
                pq_scan<Backend>(std::span(tables_at).subspan(shift), std::span(codes_at).subspan(shift),
                                 std::span(sums).subspan(shift));
                CHECK(sums == [&] {
                    std::vector<std::uint16_t> all(shift, 7);
                    all.insert(all.end(), expected.begin(), expected.end());
                    return all;
                }());
            }
        }
    }
}
TEST_CASE_TEMPLATE_APPLY(pq_lengths, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("fast_scan: worked by hand", Backend, fast_by_hand) {
    // Three codes. Vector 0 has the codes 1, 2, 3 and vector 16 has 15, 14, 13; all others have 0.
    std::vector<std::uint8_t> tables(48);
    for (std::size_t c = 0; c < 16; ++c) {
        tables[c] = static_cast<std::uint8_t>(c);
        tables[16 + c] = static_cast<std::uint8_t>(10 * c);
        tables[32 + c] = static_cast<std::uint8_t>(100 + c);
    }
    std::vector<std::uint8_t> block(48);
    block[0] = 1 + 16 * 15;
    block[16] = 2 + 16 * 14;
    block[32] = 3 + 16 * 13;
    std::vector<std::uint16_t> expected(32, 100);
    expected[0] = 1 + 20 + 103;
    expected[16] = 15 + 140 + 113;
    std::vector<std::uint16_t> sums(32);
    fast_scan<Backend>(tables, block, sums);
    CHECK(sums == expected);
}
TEST_CASE_TEMPLATE_APPLY(fast_by_hand, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("fast_scan: any number of codes and blocks, at any address", Backend, fast_lengths) {
    for (std::size_t m = 0; m <= 40; ++m) {
        for (const std::size_t blocks : {0U, 1U, 2U, 5U}) {
            for (const std::size_t shift : {0U, 1U, 5U}) {
                const auto tables = draws<std::uint8_t>(m * 16, 256, m);
                const auto codes = draws<std::uint8_t>(blocks * m * 16, 256, 100 + m);
                std::vector<std::uint16_t> expected(shift, 7);
                for (std::size_t i = 0; i < blocks * 32; ++i) {
                    std::size_t sum = 0;
                    for (std::size_t j = 0; j < m; ++j) {
                        const std::size_t both = codes[(i / 32 * m + j) * 16 + i % 16];
                        sum += tables[j * 16 + (i % 32 < 16 ? both % 16 : both / 16)];
                    }
                    expected.push_back(static_cast<std::uint16_t>(sum));
                }
                CAPTURE(m);
                CAPTURE(blocks);
                CAPTURE(shift);
                const auto tables_at = shifted(tables, shift);
                const auto codes_at = shifted(codes, shift);
                std::vector<std::uint16_t> sums(expected.size(), 7);
                fast_scan<Backend>(std::span(tables_at).subspan(shift), std::span(codes_at).subspan(shift),
                                   std::span(sums).subspan(shift));
                CHECK(sums == expected);
            }
        }
    }
}
TEST_CASE_TEMPLATE_APPLY(fast_lengths, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("fast_scan: the largest sum does not overflow", Backend, fast_largest) {
    const std::vector<std::uint8_t> tables(257 * 16, 255);
    const std::vector<std::uint8_t> codes(257 * 16, 0x3C);
    std::vector<std::uint16_t> sums(32);
    fast_scan<Backend>(tables, codes, sums);
    CHECK(sums == std::vector<std::uint16_t>(32, 65535));  // 257 * 255
}
TEST_CASE_TEMPLATE_APPLY(fast_largest, HostBackends);
