// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/rerank/slate_rules.hpp>

#include <funnel/core/matrix.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/rerank/fill_slate.hpp>
#include <funnel/rerank/group_cap.hpp>
#include <funnel/rerank/item_policy.hpp>
#include <funnel/rerank/near_duplicates.hpp>
#include <funnel/rerank/window_cap.hpp>

#include "rerank/orders.hpp"
#include "support/reranker_contract.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <vector>

using funnel::InvalidArgument;
using funnel::Random;
using namespace funnel::rerank;
using namespace funnel::testing;

namespace {

constexpr std::size_t endless = std::numeric_limits<std::size_t>::max();
using Relaxed = std::vector<Relaxation>;

}  // namespace

TEST_CASE("SlateRules: the order of operations") {
    // The contract in the documentation, step by step. Groups: A A A A B B C D.
    const Groups groups(Names{0, 0, 0, 0, 1, 1, 2, 3});
    const std::vector<float> scores{8, 7, 6, 5, 4, 3, 2, 1};
    // Candidate 5 is a copy of candidate 4; all others are alike in nothing.
    funnel::Matrix<float> embeddings(8, 8);
    for (std::size_t i = 0; i < 8; ++i) {
        embeddings(i, i == 5 ? 4 : i) = 1.0F;
    }
    const auto is_allowed = [](std::size_t i) { return i != 0; };

    // 1. Candidate 0 is blocked, and 5 is a near-duplicate of 4. 2. Promotion moves 6 in front, but cannot unblock 0.
    // 3. Caps: one of each group. 4. Candidate 2 is pinned to place 2 and uses up the cap of A from the start.
    // 5. The slate has six places. After 6, 4, 2, 7 the cap gives way: 1 and 3 come back, but never 0 and 5.
    const std::vector<float> boosted = promote(scores, Slate{0, 6}, {.weight = 10.0F});
    SlateRules rules({.candidates = 8, .places = 8, .pins = {{2, 2}}}, hard("policy", AllowIf(is_allowed)),
                     hard("near-duplicates", NearDuplicates(embeddings)),
                     soft("cap", GroupCap(groups, {.at_most = 1})));
    CHECK(fill_slate(boosted, 8, rules) == Slate{6, 4, 2, 7, 1, 3});
    CHECK(rules.report().relaxed == Relaxed{{"cap", 4, 1, false}, {"cap", 5, 3, false}});
    CHECK(rules.report().short_of.empty());
}

TEST_CASE("SlateRules: soft rules give way from the last to the first, for one place each time") {
    const Groups groups(Names{0, 0, 0, 1});
    const std::vector<float> scores{4, 3, 2, 1};
    const auto slate_of = [&](const auto&... rules) {
        SlateRules all({.candidates = 4, .places = 4}, rules...);
        const Slate slate = fill_slate(scores, 4, all);
        return std::pair{slate, all.report().relaxed};
    };
    const auto spaced = [&] { return WindowCap(groups, 4, {.at_most = 1, .window = 2}); };
    const auto two = [&] { return GroupCap(groups, {.at_most = 2}); };

    // A B A, then only an A is left: it breaks the cap and the window.
    const auto [slate, relaxed] = slate_of(soft("cap", two()), soft("spacing", spaced()));
    CHECK(slate == Slate{0, 3, 1, 2});
    CHECK(relaxed == Relaxed{{"cap", 3, 2, false}, {"spacing", 3, 2, false}});

    // A hard cap ends the slate.
    const auto [shorter, kept] = slate_of(hard("cap", two()), soft("spacing", spaced()));
    CHECK(shorter == Slate{0, 3, 1});
    CHECK(kept.empty());
}

TEST_CASE("SlateRules: only the last soft rule gives way if that is enough") {
    // A A B B, at most one of a group, and policy forbids 1. After A B nothing keeps both rules. The last rule goes.
    const Groups groups(Names{0, 0, 1, 1});
    const std::vector<float> scores{4, 3, 2, 1};
    const auto is_allowed = [](std::size_t i) { return i != 1; };
    SlateRules cap_last({.candidates = 4, .places = 3}, soft("policy", AllowIf(is_allowed)),
                        soft("cap", GroupCap(groups, {.at_most = 1})));
    CHECK(fill_slate(scores, 3, cap_last) == Slate{0, 2, 3});
    CHECK(cap_last.report().relaxed == Relaxed{{"cap", 2, 3, false}});

    // With the policy last: no candidate keeps the cap, so both are set aside, and 1 is the best. Both are reported.
    SlateRules policy_last({.candidates = 4, .places = 3}, soft("cap", GroupCap(groups, {.at_most = 1})),
                           soft("policy", AllowIf(is_allowed)));
    CHECK(fill_slate(scores, 3, policy_last) == Slate{0, 2, 1});
    CHECK(policy_last.report().relaxed == Relaxed{{"cap", 2, 1, false}, {"policy", 2, 1, false}});
}

TEST_CASE("SlateRules: a pin breaks rules, is reported, and comes early instead of not at all") {
    const Groups groups(Names{0, 0, 1, 1});
    const std::vector<float> scores{4, 3, 2, 1};
    SlateRules rules({.candidates = 4, .places = 4, .pins = {{1, 1}, {3, 3}}},
                     hard("cap", GroupCap(groups, {.at_most = 1})),
                     soft("policy", AllowIf([](std::size_t i) { return i != 1; })));
    // The pins use up both caps, so nothing else can be shown: both come early.
    CHECK(fill_slate(scores, 4, rules) == Slate{1, 3});
    CHECK(rules.report().relaxed == Relaxed{{"pins", 0, 1, true}, {"policy", 0, 1, true}, {"pins", 1, 3, true}});
    CHECK(rules.report().dropped.empty());
}

TEST_CASE("SlateRules: a pin that a hard filter forbids is not shown, counts for nothing, and is reported") {
    const Groups groups(Names{0, 0, 1, 1});
    const std::vector<float> scores{4, 3, 2, 1};
    SlateRules rules({.candidates = 4, .places = 4, .pins = {{1, 1}, {3, 0}}},
                     hard("age", AllowIf([](std::size_t i) { return i != 1; })),
                     hard("region", AllowIf([](std::size_t i) { return i != 1; })),
                     soft("cap", GroupCap(groups, {.at_most = 1})),
                     soft("quota", GroupQuota(groups, 4, {{.group = 1, .at_least = 2}})));
    CHECK(rules.infeasible().empty());
    // 3 has its place. 0 may come: the dropped pin does not use up the cap of its group. 2 breaks the cap. 1 never comes.
    CHECK(fill_slate(scores, 4, rules) == Slate{3, 0, 2});
    CHECK(rules.report().dropped == std::vector<DroppedPin>{{"age", {1, 1}}});
    CHECK(rules.report().relaxed == Relaxed{{"cap", 2, 2, false}});
}

TEST_CASE("SlateRules: caps and quotas on one partition are met together whenever they can be") {
    Random random(8);
    int possible = 0;
    for (int round = 0; round < 400; ++round) {
        CAPTURE(round);
        const std::size_t n = random.below(8);
        const std::size_t k = random.below(6);
        const std::size_t cap = 1 + random.below(2);
        const std::vector<Names> names = random_groups(random, n, 3, 1);
        const Groups groups(n, [&](std::size_t i) { return names[i]; });
        std::vector<Quota> quotas;
        for (std::uint32_t group = 0; group < 3; ++group) {
            Quota quota{.group = group, .at_least = random.below(cap + 1)};
            if (k > 0 && random.below(2) == 0) {
                quota.within = 1 + random.below(k);
            }
            quotas.push_back(quota);
        }
        const auto is_good = [&](const Slate& slate) {
            return most_in_a_window(slate, names, endless) <= cap &&
                   std::all_of(quotas.begin(), quotas.end(), [&](const Quota& q) {
                       const auto group = static_cast<std::uint32_t>(q.group);
                       return count_of(slate, names, group, 0, q.within.value_or(k)) >= q.at_least;
                   });
        };
        SlateRules rules({.candidates = n, .places = k}, hard("cap", GroupCap(groups, {.at_most = cap})),
                         hard("quota", GroupQuota(groups, k, quotas)));
        const bool is_said_to_be_possible = rules.infeasible().empty();
        const Slate slate = fill_slate(random_relevance(random, n), k, rules);
        check_slate(slate, n, k);
        CHECK(rules.report().relaxed.empty());
        CHECK(most_in_a_window(slate, names, endless) <= cap);
        std::size_t longest = std::min(n, k) + 1;
        bool is_possible = false;
        while (!is_possible && longest-- > 0) {
            is_possible = any_order(n, longest, is_good);
        }
        CHECK(is_said_to_be_possible == is_possible);
        CHECK(rules.report().short_of.empty() == is_possible);
        if (is_possible) {
            CHECK(is_good(slate));
            CHECK(slate.size() == longest);
            ++possible;
        }
    }
    CHECK(possible > 100);
}

TEST_CASE("SlateRules: any rules and pins: what a slate breaks is reported, and nothing else") {
    Random random(9);
    std::size_t reports = 0;
    for (int round = 0; round < 2000; ++round) {
        CAPTURE(round);
        const std::size_t n = random.below(14);
        const std::size_t k = random.below(10);
        const std::size_t window = 1 + random.below(4);
        const std::size_t per_window = 1 + random.below(2);
        const std::size_t cap = 1 + random.below(3);
        const std::vector<Names> names = random_groups(random, n, 4, 1 + random.below(2));
        const Groups groups(n, [&](std::size_t i) { return names[i]; });
        std::vector<bool> may_be_shown(n);
        for (std::size_t i = 0; i < n; ++i) {
            may_be_shown[i] = random.below(5) != 0;
        }
        std::vector<Quota> quotas{{.group = random.below(4), .at_least = random.below(3)}};
        std::vector<Pin> pins;
        for (std::size_t i = 0; i < std::min(n, k); ++i) {
            if (random.below(6) == 0) {
                pins.push_back({n - 1 - i, i});
            }
        }
        const auto choose = [&](const char* name, const auto& rule) {
            return random.below(2) == 0 ? hard(name, rule) : soft(name, rule);
        };
        auto policy = choose("policy", AllowIf([&](std::size_t i) { return static_cast<bool>(may_be_shown[i]); }));
        auto caps = choose("cap", GroupCap(groups, {.at_most = cap}));
        auto windows = choose("window", WindowCap(groups, k, {.at_most = per_window, .window = window}));
        auto wanted = choose("quota", GroupQuota(groups, k, quotas));
        SlateRules rules({.candidates = n, .places = k, .pins = pins}, policy, caps, wanted, windows);
        const Slate slate = fill_slate(random_relevance(random, n), k, rules);
        check_slate(slate, n, k);
        const SlateReport report = rules.report();
        if (policy.is_hard) {
            const auto is_forbidden = [&](const Pin& pin) { return !may_be_shown[pin.candidate]; };
            CHECK(report.dropped.size() ==
                  static_cast<std::size_t>(std::count_if(pins.begin(), pins.end(), is_forbidden)));
            std::erase_if(pins, is_forbidden);
        } else {
            CHECK(report.dropped.empty());
        }
        reports += report.relaxed.size();
        const auto is_reported = [&](const std::string& rule, std::size_t place) {
            return std::any_of(report.relaxed.begin(), report.relaxed.end(), [&](const Relaxation& r) {
                return r.rule == rule && (place == endless || r.place == place);
            });
        };

        for (std::size_t t = 0; t < slate.size(); ++t) {
            CHECK(may_be_shown[slate[t]] != is_reported("policy", t));
        }
        CHECK((most_in_a_window(slate, names, endless) <= cap || is_reported("cap", endless)));
        CHECK((most_in_a_window(slate, names, window) <= per_window || is_reported("window", endless)));
        const auto group = static_cast<std::uint32_t>(quotas[0].group);
        CHECK(report.short_of.empty() == (count_of(slate, names, group, 0, k) >= quotas[0].at_least));
        for (const Pin& pin : pins) {
            const auto at =
                static_cast<std::size_t>(std::find(slate.begin(), slate.end(), pin.candidate) - slate.begin());
            REQUIRE(at < slate.size());
            CHECK((at != pin.place) == is_reported("pins", at));
        }
        for (const Relaxation& r : report.relaxed) {
            CHECK(slate[r.place] == r.candidate);
            const bool is_pinned =
                std::any_of(pins.begin(), pins.end(), [&](const Pin& pin) { return pin.candidate == r.candidate; });
            CHECK(r.by_pin == is_pinned);
            const bool is_hard = (r.rule == "policy" && policy.is_hard) || (r.rule == "cap" && caps.is_hard) ||
                                 (r.rule == "window" && windows.is_hard) || (r.rule == "quota" && wanted.is_hard);
            CHECK((!is_hard || is_pinned));
            CHECK((r.rule != "policy" || !policy.is_hard));
        }
        const bool all_are_soft = !policy.is_hard && !caps.is_hard && !windows.is_hard && !wanted.is_hard;
        CHECK((!all_are_soft || slate.size() == std::min(n, k)));
    }
    CHECK(reports > 1000);
}

TEST_CASE("SlateRules: many candidates and pins, where nothing need be looked ahead") {
    Random random(14);
    for (int round = 0; round < 50; ++round) {
        CAPTURE(round);
        const std::size_t window = 2 + random.below(3);
        const std::size_t n = 400;
        std::vector<Names> names(n);
        for (std::size_t i = 0; i < n; ++i) {
            names[i] = {static_cast<std::uint32_t>(i % 10)};
        }
        const Groups groups(n, [&](std::size_t i) { return names[i]; });
        std::vector<Pin> pins;  // each pin has a group of its own
        for (std::size_t place = random.below(5); place < 50 && pins.size() < 9; place += 1 + random.below(8)) {
            pins.push_back({390 + pins.size(), place});
        }
        SlateRules rules({.candidates = n, .places = 50, .pins = pins},
                         hard("window", WindowCap(groups, 50, {.at_most = 1, .window = window})));
        const Slate slate = fill_slate(random_relevance(random, n), 50, rules);
        CHECK(slate.size() == 50);
        CHECK(most_in_a_window(slate, names, window) == 1);
        CHECK(rules.report().relaxed.empty());
    }
}

TEST_CASE("SlateRules: edges") {
    SlateRules none({.candidates = 0, .places = 10});
    CHECK(fill_slate({}, 10, none).empty());
    SlateRules endless_rules({.candidates = 2, .places = endless, .pins = {{0, 1}}});
    CHECK(fill_slate(std::vector<float>{2, 1}, endless, endless_rules) == Slate{1, 0});
    CHECK(!endless_rules.allows(0));
    CHECK(!endless_rules.allows(99));
    check_reranker([](std::span<const float> relevance, std::size_t k) {
        SlateRules rules({.candidates = relevance.size(), .places = k}, soft("none", AnyCandidate{}));
        return fill_slate(relevance, k, rules);
    });
    // A longer selection ends with the places of the rules.
    CHECK(fill_slate(std::vector<float>{2, 1}, 2, SlateRules({.candidates = 2, .places = 1})) == Slate{0});
}

TEST_CASE("SlateRules: rejects pins that contradict each other, and candidates that are taken") {
    CHECK_THROWS_AS((void)SlateRules({.candidates = 4, .places = 4, .pins = {{0, 1}, {1, 1}}}), InvalidArgument);
    CHECK_THROWS_AS((void)SlateRules({.candidates = 4, .places = 2, .pins = {{0, 2}}}), InvalidArgument);
    SlateRules rules({.candidates = 2, .places = 2});
    CHECK_THROWS_AS(rules.place(2), InvalidArgument);
    rules.place(0);
    CHECK_THROWS_AS(rules.place(0), InvalidArgument);
}

TEST_CASE("SlateRules: a pin behind the end of the slate is reported") {
    const Groups groups(Names{0, 0, 0, 1});
    const std::vector<float> scores{4, 3, 2, 1};
    SlateRules rules({.candidates = 4, .places = 4, .pins = {{3, 3}}}, hard("cap", GroupCap(groups, {.at_most = 1})));
    CHECK(fill_slate(scores, 1, rules) == Slate{0});
    CHECK(rules.report().dropped == std::vector<DroppedPin>{{"end", {3, 3}}});
}
