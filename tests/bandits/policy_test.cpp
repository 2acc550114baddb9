// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/bandits/policy.hpp>

#include "support/allocations.hpp"

#include <funnel/bandits/epsilon_greedy.hpp>
#include <funnel/bandits/exp3.hpp>
#include <funnel/bandits/kl_ucb.hpp>
#include <funnel/bandits/thompson_beta.hpp>
#include <funnel/bandits/thompson_gaussian.hpp>
#include <funnel/bandits/ucb1.hpp>
#include <funnel/bandits/ucb_tuned.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

using namespace funnel::bandits;

namespace {

// First choices of a policy that learns nothing, so that they are uniform.
template <class P>
std::vector<std::size_t> choices(P policy, std::size_t count) {
    std::vector<std::size_t> result;
    for (std::size_t i = 0; i < count; ++i) {
        result.push_back(policy.select(1)[0]);
    }
    return result;
}

template <class P>
std::size_t allocations_of_rewards(P policy) {
    return funnel::testing::allocations_of([&] {
        for (std::size_t arm = 0; arm < policy.arms(); ++arm) {
            policy.update(arm, arm % 3 == 0 ? 1.0 : 0.0);
        }
    });
}

}  // namespace

TEST_CASE("best_positions: ties go to the smaller position; k beyond the end is the end") {
    const std::vector<double> scores{1.0, 3.0, 3.0, 2.0};
    const auto best = [&](std::size_t k) { return detail::best_positions(std::span<const double>(scores), k); };
    CHECK(best(0).empty());
    CHECK(best(3) == std::vector<std::size_t>{1, 2, 3});
    CHECK(best(9) == std::vector<std::size_t>{1, 2, 3, 0});
}

TEST_CASE("policies: learners that share a seed do not choose alike") {
    constexpr std::size_t arms = 10;
    constexpr std::size_t count = 4000;
    const std::vector<std::vector<std::size_t>> all{
        choices(ThompsonBeta(arms, {.seed = 5}), count), choices(ThompsonGaussian(arms, {.seed = 5}), count),
        choices(EpsilonGreedy(arms, {.epsilon = 1.0, .seed = 5}), count), choices(Exp3(arms, {.seed = 5}), count)};
    for (std::size_t a = 0; a < all.size(); ++a) {
        for (std::size_t b = 0; b < a; ++b) {
            double same = 0.0;
            for (std::size_t i = 0; i < count; ++i) {
                same += all[a][i] == all[b][i] ? 1.0 : 0.0;
            }
            CHECK(std::abs(same - count * 0.1) < 4.5 * std::sqrt(count * 0.09));  // 6 pairs, a fixed seed
        }
    }
}

TEST_CASE("policies: recording a reward copies no arms and allocates nothing") {
    constexpr std::size_t arms = 1000;
    CHECK(allocations_of_rewards(ThompsonBeta(arms)) == 0);
    CHECK(allocations_of_rewards(ThompsonBeta(arms, {.discount = 0.99})) == 0);
    CHECK(allocations_of_rewards(ThompsonGaussian(arms)) == 0);
    CHECK(allocations_of_rewards(EpsilonGreedy(arms)) == 0);
    CHECK(allocations_of_rewards(UCB1(arms)) == 0);
    CHECK(allocations_of_rewards(UCBTuned(arms)) == 0);
    CHECK(allocations_of_rewards(KLUCB(arms)) == 0);
    CHECK(allocations_of_rewards(Exp3(arms)) == 0);
}
