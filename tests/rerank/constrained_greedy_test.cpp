// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/rerank/constrained_greedy.hpp>

#include <funnel/core/error.hpp>
#include <funnel/core/rng.hpp>

#include "rerank/orders.hpp"
#include "support/reranker_contract.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <optional>
#include <span>
#include <vector>

using funnel::InvalidArgument;
using funnel::Random;
using funnel::rerank::constrained_greedy;
using funnel::rerank::GroupBounds;
using funnel::rerank::Groups;
using funnel::rerank::Shortage;
using namespace funnel::testing;

namespace {

using Bounds = std::vector<GroupBounds>;

// Of two different groups at most, each with bounds that do not contradict each other.
Bounds random_bounds(Random& random) {
    Bounds bounds;
    for (std::uint32_t group = 0; group < 3; ++group) {
        if (random.below(2) == 0) {
            GroupBounds bound{.group = group, .at_least = random.below(3)};
            if (random.below(2) == 0) {
                bound.at_most = bound.at_least + random.below(2);
            }
            bounds.push_back(bound);
        }
    }
    return bounds;
}

bool keeps_maximums(const Slate& slate, const std::vector<Names>& names, const Bounds& bounds) {
    return std::all_of(bounds.begin(), bounds.end(), [&](const GroupBounds& bound) {
        const auto group = static_cast<std::uint32_t>(bound.group);
        return !bound.at_most || count_of(slate, names, group, 0, slate.size()) <= *bound.at_most;
    });
}

bool keeps_minimums(const Slate& slate, const std::vector<Names>& names, const Bounds& bounds) {
    return std::all_of(bounds.begin(), bounds.end(), [&](const GroupBounds& bound) {
        return count_of(slate, names, static_cast<std::uint32_t>(bound.group), 0, slate.size()) >= bound.at_least;
    });
}

}  // namespace

TEST_CASE("constrained_greedy: worked by hand") {
    // A A A B A B C, best first. Five places, at most two of A, at least one of C: A A B B C.
    const std::vector<float> scores{9, 8, 7, 6, 5, 4, 3};
    const Groups groups(Names{0, 0, 0, 1, 0, 1, 2});
    const auto slate =
        constrained_greedy(scores, groups, Bounds{{.group = 0, .at_most = 2}, {.group = 2, .at_least = 1}}, 5);
    CHECK(slate.slate == Slate{0, 1, 3, 5, 6});
    CHECK(slate.short_of.empty());
    // Three places: the last one is kept for C.
    CHECK(constrained_greedy(scores, groups, Bounds{{.group = 2, .at_least = 1}}, 3).slate == Slate{0, 1, 6});
    CHECK(constrained_greedy(scores, groups, Bounds{}, 3).slate == Slate{0, 1, 2});
}

TEST_CASE("constrained_greedy: reports what cannot be met, and never exceeds a maximum") {
    const std::vector<float> scores{9, 8, 7, 6};
    const Groups groups(Names{0, 0, 1, 0});
    const auto lacking =
        constrained_greedy(scores, groups, Bounds{{.group = 1, .at_least = 2}, {.group = 7, .at_least = 1}}, 3);
    CHECK(lacking.slate == Slate{0, 1, 2});
    CHECK(lacking.short_of == std::vector<Shortage>{{{1, 2, {}}, 1}, {{7, 1, {}}, 0}});
    const auto shorter = constrained_greedy(scores, groups, Bounds{{.group = 0, .at_most = 1}}, 4);
    CHECK(shorter.slate == Slate{0, 2});
    CHECK(shorter.short_of.empty());
    CHECK(constrained_greedy(scores, groups, Bounds{{.group = 0, .at_most = 0}}, 4).slate == Slate{2});
}

TEST_CASE("constrained_greedy: with one group per candidate, no slate within the bounds is better") {
    Random random(13);
    std::size_t feasible = 0;
    for (int round = 0; round < 400; ++round) {
        const std::size_t n = 1 + random.below(7);
        const std::size_t k = 1 + random.below(std::min<std::size_t>(n, 4));
        const auto names = random_groups(random, n, 3, 1);
        const auto scores = random_relevance(random, n);
        const Bounds bounds = random_bounds(random);
        const Groups groups(n, [&](std::size_t i) -> const auto& { return names[i]; });
        const auto found = constrained_greedy(scores, groups, bounds, k);
        REQUIRE(keeps_maximums(found.slate, names, bounds));
        REQUIRE(keeps_minimums(found.slate, names, bounds) == found.short_of.empty());

        std::optional<double> best;
        any_order(n, k, [&](const Slate& slate) {
            if (keeps_maximums(slate, names, bounds) && keeps_minimums(slate, names, bounds)) {
                best = std::max(best.value_or(-1.0), sum_over(slate, scores));
            }
            return false;
        });
        REQUIRE(best.has_value() == (found.slate.size() == k && found.short_of.empty()));
        if (best) {
            ++feasible;
            REQUIRE(sum_over(found.slate, scores) == *best);
        }
    }
    CHECK(feasible > 100);
    CHECK(feasible < 390);
}

TEST_CASE("constrained_greedy: with several groups per candidate, bounds hold or are reported") {
    Random random(14);
    for (int round = 0; round < 1000; ++round) {
        const std::size_t n = random.below(12);
        const std::size_t k = random.below(8);
        const auto names = random_groups(random, n, 3, 3);
        const Bounds bounds = random_bounds(random);
        const Groups groups(n, [&](std::size_t i) -> const auto& { return names[i]; });
        const auto found = constrained_greedy(random_relevance(random, n), groups, bounds, k);
        check_slate(found.slate, n, k);
        REQUIRE(keeps_maximums(found.slate, names, bounds));
        REQUIRE(keeps_minimums(found.slate, names, bounds) == found.short_of.empty());
        for (const Shortage& shortage : found.short_of) {
            REQUIRE(count_of(found.slate, names, static_cast<std::uint32_t>(shortage.quota.group), 0,
                             found.slate.size()) == shortage.found);
        }
    }
}

TEST_CASE("constrained_greedy: without bounds, keeps what slates by relevance promise") {
    check_reranker([](std::span<const float> relevance, std::size_t k) {
        const std::vector<std::uint32_t> names(relevance.size(), 0);
        return constrained_greedy(relevance, Groups(names), Bounds{}, k).slate;
    });
}

TEST_CASE("constrained_greedy: rejects sizes, NaN, two entries of a group and contradictions") {
    const std::vector<float> scores{2, 1};
    const Groups groups(Names{0, 1});
    CHECK_THROWS_AS((void)constrained_greedy(std::vector<float>{1}, groups, Bounds{}, 1), InvalidArgument);
    CHECK_THROWS_AS(
        (void)constrained_greedy(std::vector<float>{1, std::numeric_limits<float>::quiet_NaN()}, groups, Bounds{}, 1),
        InvalidArgument);
    CHECK_THROWS_AS((void)constrained_greedy(scores, groups, Bounds{{.group = 0, .at_least = 2, .at_most = 1}}, 1),
                    InvalidArgument);
    CHECK_THROWS_WITH((void)constrained_greedy(scores, groups, Bounds{{.group = 5}, {.group = 0}, {.group = 5}}, 1),
                      "constrained_greedy: bounds must name each group once, got group 5 twice");
}
