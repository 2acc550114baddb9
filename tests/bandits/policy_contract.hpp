// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "support/saved_contract.hpp"

#include <funnel/bandits/policy.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/rng.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

namespace funnel::testing {

/// The first choices of a policy that is then not used again.
template <class P>
std::vector<std::vector<std::size_t>> next_choices(P policy) {
    std::vector<std::vector<std::size_t>> choices;
    for (const std::size_t k : {1U, 3U, 2U, 1U, 100U}) {
        choices.push_back(policy.select(k));
    }
    return choices;
}

/// Plays against arms that pay 1 with the given probabilities. Returns the sum over steps of what the best arm would
/// have paid more in expectation.
template <class P>
double regret_of(P& policy, const std::vector<double>& means, std::size_t steps, std::uint64_t seed) {
    Random random(seed);
    const double best = *std::max_element(means.begin(), means.end());
    double regret = 0.0;
    for (std::size_t step = 0; step < steps; ++step) {
        const std::size_t arm = policy.select(1)[0];
        policy.update(arm, random.uniform() < means[arm] ? 1.0 : 0.0);
        regret += best - means[arm];
    }
    return regret;
}

/// Chi-square of `draws` first choices against the propensities of a policy that does not learn meanwhile: below the
/// quantile of 0.9999, and no choice that has propensity 0.
template <class P>
void check_choices_follow_propensities(P policy, std::size_t draws) {
    const std::vector<double> propensities = policy.propensities();
    std::vector<double> counts(propensities.size(), 0.0);
    for (std::size_t i = 0; i < draws; ++i) {
        counts[policy.select(1)[0]] += 1.0;
    }
    double statistic = 0.0;
    double cells = 0.0;
    double rare = 0.0;  // arms that are expected less than 10 times, as one cell
    double rare_count = 0.0;
    const auto add = [&](double expected, double count) {
        statistic += (count - expected) * (count - expected) / expected;
        cells += 1.0;
    };
    for (std::size_t i = 0; i < counts.size(); ++i) {
        const double expected = propensities[i] * static_cast<double>(draws);
        CHECK((propensities[i] > 0.0 || counts[i] == 0.0));
        if (expected < 10.0) {
            rare += expected;
            rare_count += counts[i];
        } else {
            add(expected, counts[i]);
        }
    }
    if (rare > 1.0) {
        add(rare, rare_count);
    }
    const double freedom = cells - 1.0;
    // Wilson and Hilferty's approximation of the quantile.
    const double quantile =
        freedom * std::pow(1.0 - 2.0 / (9.0 * freedom) + 3.72 * std::sqrt(2.0 / (9.0 * freedom)), 3.0);
    CHECK(statistic <= (freedom > 0.0 ? quantile : 0.0));
}

/// What every policy promises. make(arms) returns a new one, which must accept the rewards 0 and 1.
template <class Make>
void check_policy(const Make& make) {
    using P = decltype(make(1));
    static_assert(bandits::Policy<P>);
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    constexpr double infinity = std::numeric_limits<double>::infinity();

    P policy = make(5);
    Random random(3);
    for (int i = 0; i < 40; ++i) {
        const std::size_t arm = random.below(5);
        policy.update(arm, random.uniform() < 0.1 + 0.1 * static_cast<double>(arm) ? 1.0 : 0.0);
    }

    // Distinct arms, at most k, the same again for a copy.
    for (const auto& choice : next_choices(policy)) {
        CHECK(choice.size() <= 5);
        std::vector<std::size_t> sorted = choice;
        std::sort(sorted.begin(), sorted.end());
        CHECK(std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end());
        CHECK(sorted.back() < 5);
    }
    CHECK(next_choices(policy) == next_choices(policy));
    CHECK(P(policy).select(0).empty());
    CHECK(P(policy).select(3).size() == 3);
    CHECK(P(policy).select(100).size() == 5);

    // Propensities are a distribution, and those of the choices.
    const auto p = policy.propensities();
    CHECK(p.size() == 5);
    CHECK(std::accumulate(p.begin(), p.end(), 0.0) == doctest::Approx(1.0).epsilon(1e-12));
    CHECK(*std::min_element(p.begin(), p.end()) >= 0.0);
    check_choices_follow_propensities(policy, 100000);
    check_choices_follow_propensities(make(3), 30000);

    // One arm, and arms that come and go.
    CHECK(make(1).select(2) == std::vector<std::size_t>{0});
    CHECK(make(1).propensities() == std::vector{1.0});
    P changing = policy;
    changing.add_arm();
    CHECK(changing.arms() == 6);
    CHECK(changing.select(100).size() == 6);
    changing.remove_arm(5);
    CHECK(changing.arms() == 5);
    for (std::size_t i = 0; i < 5; ++i) {  // the others know what they knew
        CHECK(changing.propensities()[i] == doctest::Approx(p[i]).epsilon(1e-9));
    }
    changing.remove_arm(0);
    CHECK(changing.propensities().size() == 4);

    // Errors leave the policy as it was.
    const auto before = next_choices(policy);
    for (const double wrong : {nan, infinity, -infinity}) {
        CHECK_THROWS_AS(policy.update(0, wrong), InvalidArgument);
    }
    CHECK_THROWS_AS(policy.update(5, 1.0), InvalidArgument);
    CHECK_THROWS_AS(policy.remove_arm(5), InvalidArgument);
    CHECK_THROWS_AS((void)make(0), InvalidArgument);
    P one = make(1);
    CHECK_THROWS_AS(one.remove_arm(0), InvalidArgument);
    CHECK(next_choices(policy) == before);
    CHECK(policy.propensities() == p);

    P source = policy;
    const P taken = std::move(source);
    CHECK(taken.propensities() == p);
    // NOLINTBEGIN(bugprone-use-after-move)
    CHECK(source.arms() == 0);
    const auto is_empty_or_refused = [](const auto& ask) {
        try {
            return ask().empty();
        } catch (const InvalidArgument&) {
            return true;
        }
    };
    CHECK(is_empty_or_refused([&] { return source.propensities(); }));
    CHECK(is_empty_or_refused([&] { return source.select(3); }));
    // NOLINTEND(bugprone-use-after-move)

    const auto answers = [](const P& saved) { return std::pair(saved.propensities(), next_choices(saved)); };
    check_saved(policy, make(2), answers,
                [](P saved) {
                    (void)saved.select(3);
                    saved.update(saved.arms() - 1, 1.0);
                    saved.add_arm();
                },
                {.bit_flips = 500, .truncations = 50});
}

}  // namespace funnel::testing
