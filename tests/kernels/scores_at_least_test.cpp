// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/kernels/scores_at_least.hpp>

#include "kernels/inputs.hpp"
#include "support/backends.hpp"

#include <funnel/core/rng.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

using funnel::kernels::scores_at_least;
using namespace funnel::testing;

TEST_CASE_TEMPLATE_DEFINE("scores_at_least: worked by hand", Backend, above_by_hand) {
    const std::vector<std::uint16_t> sums{0, 10, 20, 65535};
    const std::vector<float> penalties{0.0F, 1.0F, 2.0F, 40000.0F};
    std::vector<std::uint32_t> positions(4, 9);
    std::vector<float> scores(4, 9.0F);
    // 0.5 * sums + 3: 3, 8, 13, 32770.5
    CHECK(scores_at_least<Backend>(sums, 0.5F, 3.0F, {}, 8.0F, positions, scores) == 3);
    CHECK(positions == std::vector<std::uint32_t>{1, 2, 3, 9});  // 8 is at least 8
    CHECK(scores == std::vector<float>{8.0F, 13.0F, 32770.5F, 9.0F});
    CHECK(scores_at_least<Backend>(sums, 0.5F, 3.0F, penalties, 5.0F, positions, scores) == 2);
    CHECK(positions[0] == 1);
    CHECK(positions[1] == 2);
    CHECK(scores[0] == 7.0F);
    CHECK(scores[1] == 11.0F);
}
TEST_CASE_TEMPLATE_APPLY(above_by_hand, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("scores_at_least: one by one, for any length", Backend, above_lengths) {
    for (const std::size_t n : lengths()) {
        for (const float threshold : {-std::numeric_limits<float>::infinity(), -1.0F, 5.0F, 1e9F}) {
            for (const bool has_penalties : {false, true}) {
                funnel::Random random(3, n);
                std::vector<std::uint16_t> sums(n);
                for (std::uint16_t& sum : sums) {
                    sum = static_cast<std::uint16_t>(random.below(64));
                }
                const auto penalties = has_penalties ? small_integers(n, n) : std::vector<float>{};
                std::vector<std::uint32_t> expected_positions;
                std::vector<float> expected_scores;
                for (std::size_t i = 0; i < n; ++i) {  // small whole numbers: exact
                    const float score =
                        0.25F * static_cast<float>(sums[i]) - 4.0F - (has_penalties ? penalties[i] : 0.0F);
                    if (score >= threshold) {
                        expected_positions.push_back(static_cast<std::uint32_t>(i));
                        expected_scores.push_back(score);
                    }
                }
                std::vector<std::uint32_t> positions(n, 77);
                std::vector<float> scores(n, 77.0F);
                const std::size_t count =
                    scores_at_least<Backend>(sums, 0.25F, -4.0F, penalties, threshold, positions, scores);
                expected_positions.resize(n, 77);
                std::size_t expected_count = expected_scores.size();
                expected_scores.resize(n, 77.0F);
                CAPTURE(n);
                CAPTURE(threshold);
                CHECK(count == expected_count);
                CHECK(positions == expected_positions);
                CHECK(scores == expected_scores);
            }
        }
    }
}
TEST_CASE_TEMPLATE_APPLY(above_lengths, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("scores_at_least: a score has the same bits at every place of any length", Backend,
                          above_places) {
    // Values whose product has to be rounded.
    for (std::uint64_t draw = 0; draw < 200; ++draw) {
        funnel::Random random(4, draw);
        const auto sum = static_cast<std::uint16_t>(random.below(65536));
        const auto scale = static_cast<float>(random.uniform());
        const auto offset = static_cast<float>(random.normal());
        const std::vector<float> penalty(40, static_cast<float>(random.normal()));
        const std::vector<std::uint16_t> sums(40, sum);
        std::vector<std::uint32_t> positions(40);
        std::vector<float> scores(40);
        for (const bool has_penalties : {false, true}) {
            float expected = 0.0F;
            for (std::size_t n = 1; n <= sums.size(); ++n) {
                const auto penalties = std::span<const float>(penalty).first(has_penalties ? n : 0);
                REQUIRE(scores_at_least<Backend>(std::span(sums).first(n), scale, offset, penalties, -1e9F, positions,
                                                 scores) == n);
                expected = n == 1 ? scores[0] : expected;
                for (std::size_t i = 0; i < n; ++i) {
                    REQUIRE(scores[i] == expected);
                }
            }
        }
    }
}
TEST_CASE_TEMPLATE_APPLY(above_places, HostBackends);
