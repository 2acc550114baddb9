// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/rerank/group_cap.hpp>

#include <funnel/core/rng.hpp>
#include <funnel/rerank/fill_slate.hpp>

#include "rerank/orders.hpp"
#include "support/reranker_contract.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

using funnel::InvalidArgument;
using funnel::Random;
using funnel::rerank::fill_slate;
using funnel::rerank::GroupCap;
using funnel::rerank::Groups;
using namespace funnel::testing;

namespace {

const std::vector<float> scores{0.95F, 0.93F, 0.92F, 0.90F, 0.88F, 0.85F, 0.80F, 0.78F, 0.75F, 0.70F};
const Names letters{0, 0, 0, 0, 1, 1, 0, 2, 2, 1};  // A A A A B B A C C B

}  // namespace

TEST_CASE("GroupCap: worked by hand") {
    // The third A (position 2) is one too many, and so on: .95 + .93 + .88 + .85 + .78 + .75 = 5.14.
    const Groups groups(letters);
    const Slate slate = fill_slate(scores, 6, GroupCap(groups, {.at_most = 2}));
    CHECK(slate == Slate{0, 1, 4, 5, 7, 8});
    CHECK(sum_over(slate, scores) == doctest::Approx(5.14).epsilon(1e-6));
    CHECK(fill_slate(scores, 10, GroupCap(groups, {.at_most = 1})) == Slate{0, 4, 7});
}

TEST_CASE("GroupCap: a group may have a limit of its own, and 0 keeps it out") {
    const Groups groups(letters);
    CHECK(fill_slate(scores, 6, GroupCap(groups, {.at_most = 2, .except = {{0, 0}, {1, 3}, {77, 1}}})) ==
          Slate{4, 5, 7, 8, 9});
}

TEST_CASE("GroupCap: a pinned candidate uses up its caps before its place comes") {
    const Groups groups(letters);
    GroupCap rule(groups, {.at_most = 2});
    rule.pin(6, 5);
    CHECK(rule.allows(0));
    rule.place(0);
    CHECK(!rule.allows(1));
    CHECK(rule.allows(6));  // its own place has been counted
    rule.place(6);
    CHECK(!rule.allows(1));
    GroupCap three(groups, {.at_most = 3});
    three.pin(6, 1);
    three.place(0);
    three.place(6);
    CHECK(three.allows(1));  // pinned and placed: counted once
    GroupCap full(groups, {.at_most = 1});
    full.pin(0, 0);
    full.pin(1, 1);
    CHECK(!full.allows(1));  // two pins are one too many
}

TEST_CASE("GroupCap: one group per candidate gives the best slate that keeps the caps") {
    Random random(1);
    for (int round = 0; round < 300; ++round) {
        CAPTURE(round);
        const std::size_t n = random.below(8);
        const std::size_t k = random.below(5);
        const std::vector<Names> names = random_groups(random, n, 3, 1);
        const std::vector<float> relevance = random_relevance(random, n);
        const std::size_t cap = 1 + random.below(2);
        const Groups groups(n, [&](std::size_t i) { return names[i]; });
        const Slate slate = fill_slate(relevance, k, GroupCap(groups, {.at_most = cap}));
        check_slate(slate, n, k);
        CHECK(most_in_a_window(slate, names, n) <= cap);

        double best = -1.0;
        std::size_t longest = std::min(n, k);
        for (; best < 0.0; --longest) {  // the longest slates come first
            (void)any_order(n, longest, [&](const Slate& other) {
                if (most_in_a_window(other, names, n) <= cap) {
                    best = std::max(best, sum_over(other, relevance));
                }
                return false;
            });
        }
        CHECK(slate.size() == longest + 1);
        CHECK(sum_over(slate, relevance) == best);
    }
}

TEST_CASE("GroupCap: with several groups per candidate, it keeps all caps and stops only if no candidate does") {
    Random random(2);
    for (int round = 0; round < 300; ++round) {
        CAPTURE(round);
        const std::size_t n = random.below(12);
        const std::vector<Names> names = random_groups(random, n, 4, 3);
        const std::size_t cap = 1 + random.below(3);
        const Groups groups(n, [&](std::size_t i) { return names[i]; });
        Slate slate = fill_slate(random_relevance(random, n), n, GroupCap(groups, {.at_most = cap}));
        CHECK(most_in_a_window(slate, names, n) <= cap);
        for (std::size_t i = 0; i < n; ++i) {
            if (std::find(slate.begin(), slate.end(), i) == slate.end()) {
                slate.push_back(i);
                CHECK(most_in_a_window(slate, names, n) > cap);
                slate.pop_back();
            }
        }
    }
}

TEST_CASE("GroupCap: candidates without groups have no caps") {
    const Groups groups(4, [](std::size_t) { return Names{}; });
    CHECK(fill_slate(std::vector<float>(4, 1.0F), 9, GroupCap(groups, {.at_most = 1})) == Slate{0, 1, 2, 3});
    check_reranker([](std::span<const float> relevance, std::size_t k) {
        const Groups same(Names(relevance.size(), 7));
        return fill_slate(relevance, k, GroupCap(same, {.at_most = std::numeric_limits<std::size_t>::max()}));
    });
}

TEST_CASE("GroupCap: rejects a cap of 0 for all groups") {
    const Groups groups(letters);
    CHECK_THROWS_AS((void)GroupCap(groups, {.at_most = 0}), InvalidArgument);
}
