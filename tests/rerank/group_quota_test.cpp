// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/rerank/group_quota.hpp>

#include <funnel/core/rng.hpp>
#include <funnel/rerank/fill_slate.hpp>
#include <funnel/rerank/groups.hpp>
#include <funnel/rerank/item_policy.hpp>
#include <funnel/rerank/slate_rules.hpp>

#include "rerank/orders.hpp"
#include "support/reranker_contract.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <vector>

using funnel::InvalidArgument;
using funnel::Random;
using funnel::rerank::fill_slate;
using funnel::rerank::GroupQuota;
using funnel::rerank::Groups;
using funnel::rerank::Quota;
using funnel::rerank::Shortage;
using namespace funnel::testing;

namespace {

constexpr std::size_t endless = std::numeric_limits<std::size_t>::max();
const std::vector<float> falling{9, 8, 7, 6, 5, 4, 3, 2};

bool meets(const Slate& slate, const std::vector<Names>& names, const std::vector<Quota>& quotas) {
    return std::all_of(quotas.begin(), quotas.end(), [&](const Quota& quota) {
        const auto group = static_cast<std::uint32_t>(quota.group);
        return count_of(slate, names, group, 0, quota.within.value_or(slate.size())) >= quota.at_least;
    });
}

std::vector<Quota> random_quotas(Random& random, std::size_t places) {
    std::vector<Quota> quotas(1 + random.below(3));
    for (Quota& quota : quotas) {
        quota = {.group = random.below(4), .at_least = random.below(4)};
        if (places > 0 && random.below(2) == 0) {
            quota.within = 1 + random.below(places);
        }
    }
    return quotas;
}

}  // namespace

TEST_CASE("GroupQuota: worked by hand") {
    // A A A B A B C A: two of B and one of C in five places. Places 0 and 1 are free; then three are reserved.
    const Groups groups(Names{0, 0, 0, 1, 0, 1, 2, 0});
    GroupQuota rule(groups, 5, {{.group = 1, .at_least = 2}, {.group = 2}});
    CHECK(rule.infeasible().empty());
    CHECK(fill_slate(falling, 5, rule) == Slate{0, 1, 3, 5, 6});
    CHECK(rule.unmet().empty());
}

TEST_CASE("GroupQuota: a prefix gets its items in time, and no earlier than necessary") {
    const Groups groups(Names{0, 0, 0, 1, 0, 1, 2, 0});
    CHECK(fill_slate(falling, 6, GroupQuota(groups, 6, {{.group = 1, .within = 2}, {.group = 2, .within = 4}})) ==
          Slate{0, 3, 1, 6, 2, 4});
    // Quotas of one group share their items: two of B in the first four, one of them in the first two.
    CHECK(fill_slate(falling, 6,
                     GroupQuota(groups, 6, {{.group = 1, .within = 2}, {.group = 1, .at_least = 2, .within = 4}})) ==
          Slate{0, 3, 1, 5, 2, 4});
}

TEST_CASE("GroupQuota: what cannot be met is known before, and the rest is met") {
    const Groups groups(Names{0, 0, 0, 1, 0, 1, 2, 0});
    GroupQuota rule(groups, 4, {{.group = 1, .at_least = 3}, {.group = 9}, {.group = 2, .at_least = endless}});
    CHECK(rule.infeasible() == std::vector<Shortage>{{{1, 3, {}}, 2}, {{9, 1, {}}, 0}, {{2, endless, {}}, 1}});
    CHECK(fill_slate(falling, 4, rule) == Slate{0, 3, 5, 6});
    CHECK(rule.unmet() == rule.infeasible());

    // Two of B and two of A do not fit three places: the quota in front is served.
    GroupQuota crowded(groups, 3, {{.group = 1, .at_least = 2}, {.group = 0, .at_least = 2}});
    CHECK(crowded.infeasible() == std::vector<Shortage>{{{0, 2, {}}, 1}});
    CHECK(fill_slate(falling, 3, crowded) == Slate{0, 3, 5});
    CHECK(crowded.unmet() == crowded.infeasible());
}

TEST_CASE("GroupQuota: with one group per candidate, quotas that can be met are met, at the best sum") {
    Random random(6);
    int possible = 0;
    int impossible = 0;
    for (int round = 0; round < 500; ++round) {
        CAPTURE(round);
        const std::size_t n = random.below(8);
        const std::size_t k = random.below(6);
        const std::vector<Names> names = random_groups(random, n, 3, 1);
        const std::vector<float> relevance = random_relevance(random, n);
        const std::vector<Quota> quotas = random_quotas(random, k);
        const Groups groups(n, [&](std::size_t i) { return names[i]; });
        GroupQuota rule(groups, k, quotas);
        const bool is_said_to_be_possible = rule.infeasible().empty();
        const Slate slate = fill_slate(relevance, k, rule);
        check_slate(slate, n, k);
        CHECK(slate.size() == std::min(n, k));
        double best = -1.0;
        (void)any_order(n, std::min(n, k), [&](const Slate& other) {
            if (meets(other, names, quotas)) {
                best = std::max(best, sum_over(other, relevance));
            }
            return false;
        });
        CHECK(is_said_to_be_possible == (best >= 0.0));
        CHECK(meets(slate, names, quotas) == (best >= 0.0));
        CHECK(rule.unmet().empty() == (best >= 0.0));
        CHECK(rule.unmet().size() == rule.infeasible().size());
        if (best >= 0.0) {
            CHECK(sum_over(slate, relevance) == best);
            ++possible;
        } else {
            ++impossible;
        }
    }
    CHECK(possible > 50);
    CHECK(impossible > 100);
}

TEST_CASE("GroupQuota: with several groups per candidate, what is missing is reported, and little is") {
    Random random(7);
    int possible = 0;
    int missed = 0;
    for (int round = 0; round < 500; ++round) {
        CAPTURE(round);
        const std::size_t n = random.below(8);
        const std::size_t k = random.below(6);
        const std::vector<Names> names = random_groups(random, n, 4, 3);
        const std::vector<Quota> quotas = random_quotas(random, k);
        const Groups groups(n, [&](std::size_t i) { return names[i]; });
        GroupQuota rule(groups, k, quotas);
        const Slate slate = fill_slate(random_relevance(random, n), k, rule);
        CHECK(slate.size() == std::min(n, k));
        CHECK(rule.unmet().empty() == meets(slate, names, quotas));
        const bool is_possible =
            any_order(n, std::min(n, k), [&](const Slate& other) { return meets(other, names, quotas); });
        CHECK((rule.infeasible().empty() || !is_possible));
        possible += is_possible ? 1 : 0;
        missed += is_possible && !rule.unmet().empty() ? 1 : 0;
    }
    CHECK(possible > 50);
    CHECK(missed * 20 < possible);  // greedy
}

TEST_CASE("GroupQuota: where places do not suffice for items of their own, items that serve two quotas come first") {
    const std::vector<Names> names{{}, {1}, {2}, {1, 2}, {1, 2}};
    const Groups groups(5, [&](std::size_t i) { return names[i]; });
    GroupQuota rule(groups, 2, {{.group = 1, .at_least = 2}, {.group = 2, .at_least = 2}});
    CHECK(rule.infeasible().empty());
    CHECK(fill_slate(std::vector<float>{9, 8, 7, 6, 5}, 2, rule) == Slate{3, 4});
    CHECK(rule.unmet().empty());
}

TEST_CASE("GroupQuota: pins count where they stand") {
    const Groups groups(Names{0, 0, 0, 1, 0, 1, 2, 0});
    GroupQuota rule(groups, 4, {{.group = 1, .at_least = 2, .within = 3}});
    rule.pin(5, 1);  // a B in time: one of the places 0 and 2 goes to the other
    CHECK(rule.allows(0));
    rule.place(0);
    CHECK(rule.allows(5));
    rule.place(5);
    CHECK(!rule.allows(1));
    CHECK(rule.allows(3));
    CHECK(rule.unmet() == std::vector<Shortage>{{{1, 2, 3}, 1}});

    GroupQuota late(groups, 4, {{.group = 1, .at_least = 2, .within = 3}});
    late.pin(5, 3);  // too late
    CHECK(late.infeasible() == std::vector<Shortage>{{{1, 2, 3}, 1}});
    late.place(5);  // early after all
    CHECK(late.unmet() == std::vector<Shortage>{{{1, 2, 3}, 1}});
    late.place(3);
    CHECK(late.unmet().empty());
}

TEST_CASE("GroupQuota: candidates that a filter forbids have no group, so that no place waits for them") {
    using funnel::rerank::hard;
    using funnel::rerank::SlateRules;
    const auto may_show = [](std::size_t i) { return i != 5; };  // 3 and 5 are of group 1
    const std::vector<Names> names{{}, {}, {}, {1}, {}, {1}, {}, {}};
    const Groups groups(8, [&](std::size_t i) { return may_show(i) ? names[i] : Names{}; });
    SlateRules rules({.candidates = 8, .places = 4}, hard("policy", funnel::rerank::AllowIf(may_show)),
                     hard("local", GroupQuota(groups, 4, {{.group = 1, .at_least = 2}})));
    REQUIRE(rules.infeasible().size() == 1);
    CHECK(rules.infeasible()[0].shortage == Shortage{{1, 2}, 1});
    CHECK(fill_slate(falling, 4, rules) == Slate{0, 1, 2, 3});

    // With its group, the last place is kept for candidate 5, and remains empty.
    const Groups all(8, [&](std::size_t i) { return names[i]; });
    SlateRules waiting({.candidates = 8, .places = 4}, hard("policy", funnel::rerank::AllowIf(may_show)),
                       hard("local", GroupQuota(all, 4, {{.group = 1, .at_least = 2}})));
    CHECK(waiting.infeasible().empty());
    CHECK(fill_slate(falling, 4, waiting) == Slate{0, 1, 3});
}

TEST_CASE("GroupQuota: edges") {
    const Groups none(Names{});
    GroupQuota empty(none, 5, {{.group = 1, .within = 5}});
    CHECK(fill_slate({}, 5, empty).empty());
    CHECK(empty.unmet().size() == 1);
    const Groups groups(Names{1, 2});
    CHECK(fill_slate(std::vector<float>{2, 1}, 0, GroupQuota(groups, 0, {{.group = 1}})).empty());
    CHECK(fill_slate(std::vector<float>{2, 1}, endless, GroupQuota(groups, endless, {{.group = 2, .within = 1}})) ==
          Slate{1, 0});
    CHECK(fill_slate(std::vector<float>{2, 1}, 2, GroupQuota(groups, 2, {})) == Slate{0, 1});
}

TEST_CASE("GroupQuota: rejects prefixes that the slate does not have, and late pins") {
    const Groups groups(Names{1, 2});
    CHECK_THROWS_AS((void)GroupQuota(groups, 2, {{.group = 1, .within = 3}}), InvalidArgument);
    CHECK_THROWS_AS((void)GroupQuota(groups, 2, {{.group = 1, .within = 0}}), InvalidArgument);
    GroupQuota rule(groups, 2, {{.group = 1}});
    rule.place(0);
    CHECK_THROWS_AS(rule.pin(1, 1), InvalidArgument);
}
