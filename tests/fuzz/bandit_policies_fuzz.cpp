// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/fuzz.hpp"

#include <funnel/bandits/epsilon_greedy.hpp>
#include <funnel/bandits/exp3.hpp>
#include <funnel/bandits/index_policy.hpp>
#include <funnel/bandits/kl_ucb.hpp>
#include <funnel/bandits/thompson_beta.hpp>
#include <funnel/bandits/thompson_gaussian.hpp>
#include <funnel/bandits/ucb1.hpp>
#include <funnel/bandits/ucb_tuned.hpp>

namespace funnel::fuzz::bandit_policies_target {
namespace {

template <class P>
void use_policy(const Input& input) {
    load_and_use<P>(input, [](P policy) {
        (void)policy.select(3);
        policy.update(policy.arms() - 1, 1.0);
        policy.add_arm();
        (void)policy.select(1);
    });
}

template <class P>
std::string policy_seed() {
    return saved([](const std::string& path) {
        P policy(3);
        policy.update(1, 1.0);
        policy.update(2, 0.0);
        policy.save(path);
    });
}

// A file names its kind, so each input is for one of the policies.
template <class... Policies>
Registered policies_target(const char* name) {
    return Registered({
        .name = name,
        .run = [](const Input& input) { (use_policy<Policies>(input), ...); },
        .seeds = [] { return std::vector{policy_seed<Policies>()...}; },
        .is_container = true,
    });
}

const Registered policies =
    policies_target<bandits::EpsilonGreedy, bandits::UCB1, bandits::UCBTuned, bandits::KLUCB, bandits::Exp3,
                    bandits::ThompsonBeta, bandits::ThompsonGaussian>("bandit_policies");

}  // namespace
}  // namespace funnel::fuzz::bandit_policies_target
