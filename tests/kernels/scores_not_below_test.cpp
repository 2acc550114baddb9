// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/kernels/scores_not_below.hpp>

#include "kernels/inputs.hpp"
#include "support/backends.hpp"

#include <funnel/core/scored.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

using funnel::Scored;
using funnel::kernels::scores_not_below;
using namespace funnel::testing;

TEST_CASE_TEMPLATE_DEFINE("scores_not_below: worked by hand", Backend, not_below_by_hand) {
    const std::vector<float> scores{3.0F, -1.0F, 2.0F, 2.5F, -0.0F};
    std::vector<Scored<>> out(6, {9, 9.0F});
    CHECK(scores_not_below<Backend>(scores, 2.5F, out) == 2);
    CHECK(out == std::vector<Scored<>>{{0, 3.0F}, {3, 2.5F}, {9, 9.0F}, {9, 9.0F}, {9, 9.0F}, {9, 9.0F}});
    CHECK(scores_not_below<Backend>(scores, 0.0F, out) == 4);  // 0 and -0 are equal
    CHECK(out[3] == Scored<>{4, 0.0F});
}
TEST_CASE_TEMPLATE_APPLY(not_below_by_hand, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("scores_not_below: one by one, for any length", Backend, not_below_lengths) {
    for (const std::size_t n : lengths()) {
        for (const float threshold : {-std::numeric_limits<float>::infinity(), -1.0F, 1.0F, 3.0F, 1e9F}) {
            const std::vector<float> scores = small_integers(n, n);
            std::vector<Scored<>> expected;
            for (std::size_t i = 0; i < n; ++i) {
                if (!(scores[i] < threshold)) {
                    expected.push_back({static_cast<std::uint32_t>(i), scores[i]});
                }
            }
            const std::size_t expected_count = expected.size();
            expected.resize(n, {77, 77.0F});
            std::vector<Scored<>> out(n, {77, 77.0F});
            CAPTURE(n);
            CAPTURE(threshold);
            CHECK(scores_not_below<Backend>(scores, threshold, out) == expected_count);
            CHECK(out == expected);
        }
    }
}
TEST_CASE_TEMPLATE_APPLY(not_below_lengths, HostBackends);

#ifndef __FAST_MATH__
TEST_CASE_TEMPLATE_DEFINE("scores_not_below: NaN is not below, infinities are in order", Backend, not_below_nan) {
    constexpr float infinity = std::numeric_limits<float>::infinity();
    std::vector<float> scores(40, -infinity);
    scores[5] = std::numeric_limits<float>::quiet_NaN();
    scores[38] = infinity;
    std::vector<Scored<>> out(40);
    REQUIRE(scores_not_below<Backend>(scores, 0.0F, out) == 2);
    CHECK(out[0].id == 5);
    CHECK(out[1] == Scored<>{38, infinity});
    CHECK(scores_not_below<Backend>(scores, -infinity, out) == 40);
}
TEST_CASE_TEMPLATE_APPLY(not_below_nan, HostBackends);
#endif
