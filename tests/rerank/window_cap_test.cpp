// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/rerank/window_cap.hpp>

#include <funnel/core/rng.hpp>
#include <funnel/rerank/fill_slate.hpp>
#include <funnel/rerank/slate_rules.hpp>

#include "rerank/orders.hpp"
#include "support/reranker_contract.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

using funnel::InvalidArgument;
using funnel::Random;
using funnel::rerank::fill_slate;
using funnel::rerank::Groups;
using funnel::rerank::hard;
using funnel::rerank::SlateRules;
using funnel::rerank::spacing;
using funnel::rerank::WindowCap;
using namespace funnel::testing;

namespace {

constexpr std::size_t endless = std::numeric_limits<std::size_t>::max();
const std::vector<float> scores{0.95F, 0.93F, 0.92F, 0.90F, 0.88F, 0.85F, 0.80F, 0.78F, 0.75F, 0.70F};
const Names letters{0, 0, 0, 0, 1, 1, 0, 2, 2, 1};  // A A A A B B A C C B

std::vector<float> falling(std::size_t n) {
    std::vector<float> relevance(n);
    for (std::size_t i = 0; i < n; ++i) {
        relevance[i] = static_cast<float>(n - i);
    }
    return relevance;
}

}  // namespace

TEST_CASE("WindowCap: worked by hand") {
    const Groups groups(letters);
    CHECK(fill_slate(scores, 8, WindowCap(groups, 8, {.at_most = 1, .window = 2})) == Slate{0, 4, 1, 5, 2, 7, 3, 8});
    CHECK(fill_slate(scores, 8, WindowCap(groups, 8, {.at_most = 1, .window = 3})) == Slate{0, 4, 7, 1, 5, 8, 2, 9});
    CHECK(fill_slate(scores, 8, WindowCap(groups, 8, {.at_most = 2, .window = 3})) == Slate{0, 1, 4, 2, 3, 5, 6, 7});
}

TEST_CASE("WindowCap: keeps places for the most frequent group") {
    // B B A A A, at most one in two places. By score alone: B A B A, and no place is left for the last A. Only
    // A B A B A has five places.
    const Groups groups(Names{1, 1, 0, 0, 0});
    CHECK(fill_slate(falling(5), 5, WindowCap(groups, 5, {.at_most = 1, .window = 2})) == Slate{2, 0, 3, 1, 4});
    // A slate of four does not need it.
    CHECK(fill_slate(falling(5), 4, WindowCap(groups, 4, {.at_most = 1, .window = 2})) == Slate{0, 2, 1, 3});
    // A A A B cannot fill four places in any order: by score as far as it goes.
    const Groups hopeless(Names{0, 0, 0, 1});
    CHECK(fill_slate(falling(4), 4, WindowCap(hopeless, 4, {.at_most = 1, .window = 2})) == Slate{0, 3, 1});
}

TEST_CASE("WindowCap: candidates without a group fill the gaps") {
    // A - A -: the candidates without a group are saved for the places where A is forbidden.
    const std::vector<Names> names{{}, {}, {0}, {0}, {0}};
    const Groups groups(5, [&](std::size_t i) { return names[i]; });
    CHECK(fill_slate(falling(5), 5, WindowCap(groups, 5, {.at_most = 1, .window = 2})) == Slate{2, 0, 3, 1, 4});
}

TEST_CASE("WindowCap: one in a window fills the slate whenever some order does") {
    Random random(3);
    int filled = 0;
    int impossible = 0;
    for (int round = 0; round < 600; ++round) {
        CAPTURE(round);
        const std::size_t n = random.below(8);
        const std::size_t k = random.below(n + 2);
        const std::size_t window = 1 + random.below(4);
        const std::vector<Names> names = random_groups(random, n, 1 + random.below(4), 1);
        const Groups groups(n, [&](std::size_t i) { return names[i]; });
        const Slate slate =
            fill_slate(random_relevance(random, n), k, WindowCap(groups, k, {.at_most = 1, .window = window}));
        check_slate(slate, n, k);
        CHECK(most_in_a_window(slate, names, window) <= 1);
        const bool is_possible = any_order(
            n, std::min(n, k), [&](const Slate& other) { return most_in_a_window(other, names, window) <= 1; });
        CHECK((slate.size() == std::min(n, k)) == is_possible);
        filled += is_possible ? 1 : 0;
        impossible += is_possible ? 0 : 1;
    }
    CHECK(filled > 100);
    CHECK(impossible > 50);
}

TEST_CASE("WindowCap: several in a window, several groups per candidate: no window ever holds too many") {
    Random random(4);
    int missed = 0;
    int possible = 0;
    for (int round = 0; round < 600; ++round) {
        CAPTURE(round);
        const std::size_t n = random.below(8);
        const std::size_t k = random.below(n + 2);
        const std::size_t window = 1 + random.below(5);
        const std::size_t at_most = 1 + random.below(3);
        const std::size_t per_candidate = 1 + random.below(2);
        const std::vector<Names> names = random_groups(random, n, 1 + random.below(3), per_candidate);
        const Groups groups(n, [&](std::size_t i) { return names[i]; });
        const Slate slate =
            fill_slate(random_relevance(random, n), k, WindowCap(groups, k, {.at_most = at_most, .window = window}));
        check_slate(slate, n, k);
        CHECK(most_in_a_window(slate, names, window) <= at_most);
        if (per_candidate == 1) {
            const bool is_possible = any_order(n, std::min(n, k), [&](const Slate& other) {
                return most_in_a_window(other, names, window) <= at_most;
            });
            possible += is_possible ? 1 : 0;
            missed += is_possible && slate.size() < std::min(n, k) ? 1 : 0;
        }
    }
    CHECK(possible > 100);
    CHECK(missed == 0);  // a heuristic, but on these it finds an order whenever there is one
}

TEST_CASE("WindowCap: many candidates, where nothing need be looked ahead") {
    Random random(5);
    for (const std::size_t window : {1U, 2U, 5U, 9U}) {
        for (const std::size_t at_most : {1U, 2U}) {
            CAPTURE(window);
            const std::size_t n = 600;
            std::vector<Names> names(n);
            for (Names& mine : names) {
                mine = {static_cast<std::uint32_t>(random.below(10))};
            }
            const Groups groups(n, [&](std::size_t i) { return names[i]; });
            const Slate slate = fill_slate(random_relevance(random, n), 60,
                                           WindowCap(groups, 60, {.at_most = at_most, .window = window}));
            CHECK(slate.size() == 60);
            CHECK(most_in_a_window(slate, names, window) <= at_most);
        }
    }
}

TEST_CASE("WindowCap: a group per candidate forbids nothing, and takes no longer than a few groups") {
    Random random(6);
    const std::size_t n = 5'000;  // one test per group and place would take seconds
    std::vector<std::uint32_t> names(n);
    std::iota(names.begin(), names.end(), 0U);
    const Groups groups(names);
    const std::vector<float> relevance = random_relevance(random, n);
    CHECK(fill_slate(relevance, 20, WindowCap(groups, 20, {.at_most = 1, .window = 3})) == fill_slate(relevance, 20));
}

TEST_CASE("WindowCap: items in front of a pin and behind it keep their distance") {
    const Groups groups(letters);
    WindowCap rule(groups, 6, {.at_most = 1, .window = 3});
    rule.pin(1, 3);  // an A: another may take place 0, not 1 or 2, nor 4 or 5
    Slate open_to_a;
    const Slate order{0, 4, 7, 1, 5, 8};
    for (std::size_t place = 0; place < order.size(); ++place) {
        if (place != 3 && rule.allows(2)) {
            open_to_a.push_back(place);
        }
        rule.place(order[place]);
    }
    CHECK(open_to_a == Slate{0});
}

TEST_CASE("WindowCap: a group with a pin is not like another one of its size") {
    const Groups groups(Names{0, 3, 3, 3, 1, 2, 4, 1, 1, 4});
    const std::vector<float> relevance{0.59F, 0.45F, 0.06F, 0.91F, 0.87F, 0.41F, 0.10F, 0.71F, 0.83F, 0.98F};
    SlateRules rules({.candidates = 10, .places = 10, .pins = {{4, 5}}},
                     hard("spacing", WindowCap(groups, 10, {.at_most = 1, .window = 4})));
    // Group 3 needs places 0, 4 and 8, so the other two of group 1 need places 1 and 9. Group 4 has two candidates as well.
    CHECK(fill_slate(relevance, 10, rules) == Slate{3, 8, 9, 0, 1, 4, 5, 6, 2, 7});
}

TEST_CASE("WindowCap: a window that begins behind the first place does not count it") {
    // A ? . A with at most two in three: A at place 1 makes the windows A A . and A . A.
    const Groups groups(Names{0, 0, 0, 1, 1, 1});
    WindowCap rule(groups, 4, {.at_most = 2, .window = 3});
    rule.pin(2, 3);
    rule.place(0);
    CHECK(rule.allows(1));
}

TEST_CASE("WindowCap: a pin that comes early frees its place") {
    const Groups groups(Names{0, 0, 1, 1, 2});
    WindowCap rule(groups, 5, {.at_most = 1, .window = 2});
    rule.pin(0, 3);
    rule.pin(4, 4);
    rule.place(0);
    CHECK(!rule.allows(1));
    rule.place(2);
    CHECK(rule.allows(1));  // places 2 and 3 are free of A
}

TEST_CASE("spacing: so many others lie between two films of a franchise") {
    const Groups franchises(Names{5, 5, 1, 2, 5, 3});
    CHECK(fill_slate(falling(6), 6, spacing(franchises, 6, 0)) == Slate{0, 1, 2, 3, 4, 5});
    CHECK(fill_slate(falling(6), 4, spacing(franchises, 4, 2)) == Slate{0, 2, 3, 1});
    CHECK_THROWS_AS((void)spacing(franchises, 6, endless), InvalidArgument);
}

TEST_CASE("WindowCap: edges") {
    const Groups none(Names{});
    CHECK(fill_slate({}, 5, WindowCap(none, 5)).empty());
    const Groups groups(Names{4, 4});
    CHECK(fill_slate(falling(2), 0, WindowCap(groups, 0)).empty());
    CHECK(fill_slate(falling(2), endless, WindowCap(groups, endless, {.at_most = 1, .window = endless})) == Slate{0});
    CHECK(fill_slate(falling(2), endless, WindowCap(groups, endless, {.at_most = endless, .window = endless})) ==
          Slate{0, 1});
    CHECK(fill_slate(falling(2), 5, WindowCap(groups, 5, {.at_most = 1, .window = 1})) == Slate{0, 1});
    check_reranker([](std::span<const float> relevance, std::size_t k) {
        const Groups same(Names(relevance.size(), 7));
        return fill_slate(relevance, k, WindowCap(same, k, {.at_most = 3, .window = 3}));
    });
}

TEST_CASE("WindowCap: rejects options without a meaning, and pins without a place") {
    const Groups groups(letters);
    CHECK_THROWS_AS((void)WindowCap(groups, 8, {.at_most = 0}), InvalidArgument);
    CHECK_THROWS_AS((void)WindowCap(groups, 8, {.window = 0}), InvalidArgument);
    WindowCap rule(groups, 1);
    CHECK_THROWS_AS(rule.pin(0, 1), InvalidArgument);
    rule.place(0);
    CHECK_THROWS_AS(rule.place(1), InvalidArgument);
}
