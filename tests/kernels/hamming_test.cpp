// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/kernels/hamming.hpp>

#include "kernels/inputs.hpp"
#include "support/backends.hpp"

#include <funnel/core/rng.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

using funnel::kernels::hamming;
using namespace funnel::testing;

TEST_CASE_TEMPLATE_DEFINE("hamming: worked by hand", Backend, hamming_by_hand) {
    const std::vector<std::uint64_t> query{0b1100};
    const std::vector<std::uint64_t> codes{0b1100, 0b1010, 0, ~std::uint64_t{0b1100}};
    std::vector<std::uint32_t> distances(4);
    hamming<Backend>(query, codes, distances);
    CHECK(distances == std::vector<std::uint32_t>{0, 2, 2, 64});
}
TEST_CASE_TEMPLATE_APPLY(hamming_by_hand, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("hamming: bit by bit, for any length and number of codes", Backend, hamming_lengths) {
    funnel::Random random(5);
    const auto word = [&] { return (std::uint64_t{random()} << 32) | random(); };
    for (std::size_t words = 0; words <= 19; ++words) {
        for (const std::size_t count : {0U, 1U, 7U, 8U, 9U, 16U, 29U}) {
            std::vector<std::uint64_t> query(words);
            std::vector<std::uint64_t> codes(count * words);
            for (auto* const all : {&query, &codes}) {
                for (std::uint64_t& bits : *all) {
                    bits = word();
                }
            }
            std::vector<std::uint32_t> expected(count, 0);
            for (std::size_t i = 0; i < count; ++i) {
                for (std::size_t bit = 0; bit < 64 * words; ++bit) {
                    const bool differs =
                        ((query[bit / 64] ^ codes[i * words + bit / 64]) >> (bit % 64) & std::uint64_t{1}) != 0;
                    expected[i] += differs ? 1U : 0U;
                }
            }
            CAPTURE(words);
            CAPTURE(count);
            std::vector<std::uint32_t> distances(count, 77);
            hamming<Backend>(query, codes, distances);
            CHECK(distances == expected);
        }
    }
}
TEST_CASE_TEMPLATE_APPLY(hamming_lengths, HostBackends);
