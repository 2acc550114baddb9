// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/metrics/fusion.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

using doctest::Approx;
using funnel::InvalidArgument;
using funnel::data::RunRow;
using namespace funnel::metrics;

namespace {

using Rows = std::vector<RunRow<>>;

// Ranks: a b c in the first run; c a in the second.
const Rows first{{"q", "c", 1}, {"q", "a", 9}, {"q", "b", 5}};
const Rows second{{"q", "c", 30}, {"q", "a", 10}};

Rows fused(std::vector<Rows> runs, const FusionOptions& options) {
    return fuse(std::move(runs), options);
}

void check(const Rows& rows, const std::vector<std::string>& items, const std::vector<double>& scores) {
    REQUIRE(rows.size() == items.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
        CAPTURE(i);
        CHECK(rows[i].item == items[i]);
        CHECK(rows[i].score == Approx(scores[i]));
    }
}

}  // namespace

TEST_CASE("fuse: reciprocal ranks, worked by hand") {
    check(fused({first, second}, {}), {"a", "c", "b"}, {1.0 / 61 + 1.0 / 62, 1.0 / 63 + 1.0 / 61, 1.0 / 62});
    check(fused({first}, {.rank_constant = 0.0}), {"a", "b", "c"}, {1.0, 0.5, 1.0 / 3});
}

TEST_CASE("fuse: sums of scaled scores, worked by hand") {
    const auto sum = FusionRule::CombSum;
    check(fused({first, second}, {.rule = sum, .scale = ScoreScale::None}), {"c", "a", "b"}, {31, 19, 5});
    check(fused({first, second}, {.rule = sum, .scale = ScoreScale::MinMax}), {"a", "c", "b"}, {1, 1, 0.5});
    // 9 5 1 become 8 4 0 over 12; 30 10 become 20 0 over 20.
    check(fused({first, second}, {.rule = sum, .scale = ScoreScale::Sum}), {"c", "a", "b"}, {1, 2.0 / 3, 1.0 / 3});
    // Mean 5 and deviation sqrt(32 / 3); mean 20 and deviation 10.
    const double z = 4.0 / 3.265986323710904;
    check(fused({first, second}, {.rule = sum, .scale = ScoreScale::ZScore}), {"a", "b", "c"}, {z - 1, 0, 1 - z});
}

TEST_CASE("fuse: CombMNZ rewards items that many runs have") {
    check(fused({first, second}, {.rule = FusionRule::CombMNZ, .scale = ScoreScale::None}), {"c", "a", "b"},
          {62, 38, 5});
}

TEST_CASE("fuse: equal scores, one item, no rows") {
    const Rows equal{{"q", "b", 3}, {"q", "a", 3}};
    check(fused({equal}, {.rule = FusionRule::CombSum, .scale = ScoreScale::MinMax}), {"a", "b"}, {1, 1});
    check(fused({equal}, {.rule = FusionRule::CombSum, .scale = ScoreScale::Sum}), {"a", "b"}, {0.5, 0.5});
    check(fused({equal}, {.rule = FusionRule::CombSum, .scale = ScoreScale::ZScore}), {"a", "b"}, {0, 0});
    check(fused({equal}, {.rank_constant = 1}), {"a", "b"}, {1.0 / 2, 1.0 / 3});
    CHECK(fused({}, {}).empty());
    CHECK(fused({{}, {}}, {}).empty());
}

TEST_CASE("fuse: queries are apart, and keys may be numbers") {
    using Numbered = std::vector<RunRow<std::uint32_t>>;
    const Numbered a{{2, 7, 1}, {1, 8, 1}};
    const Numbered b{{2, 9, 1}};
    const Numbered all = fuse(std::vector{a, b});
    CHECK(all == Numbered{{1, 8, 1.0 / 61}, {2, 7, 1.0 / 61}, {2, 9, 1.0 / 61}});
}

TEST_CASE("fuse: rejects items that occur twice, bad constants and NaN") {
    CHECK_THROWS_AS(static_cast<void>(fused({{{"q", "a", 1}, {"q", "a", 2}}}, {})), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(fused({first}, {.rank_constant = -1})), InvalidArgument);
    const double missing = std::numeric_limits<double>::quiet_NaN();
    CHECK_THROWS_AS(static_cast<void>(fused({{{"q", "a", missing}}}, {})), InvalidArgument);
}

TEST_CASE("fuse: rejects scores whose range is not finite, which became NaN in the order") {
    const double far = std::numeric_limits<double>::max();
    const Rows rows{{"q", "a", -far}, {"q", "b", far}, {"q", "c", 1.0}};
    for (const ScoreScale scale : {ScoreScale::MinMax, ScoreScale::Sum, ScoreScale::ZScore}) {
        CHECK_THROWS_AS(static_cast<void>(fused({rows}, {.rule = FusionRule::CombSum, .scale = scale})),
                        InvalidArgument);
    }
    check(fused({rows}, {}), {"b", "c", "a"}, {1.0 / 61, 1.0 / 62, 1.0 / 63});
    const Rows equal{{"q", "a", far}, {"q", "b", far}};
    check(fused({equal}, {.rule = FusionRule::CombSum, .scale = ScoreScale::ZScore}), {"a", "b"}, {0, 0});
}
