// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/fuzz.hpp"

#include <funnel/bandits/epsilon_greedy.hpp>
#include <funnel/bandits/exp3.hpp>
#include <funnel/bandits/index_policy.hpp>
#include <funnel/bandits/kl_ucb.hpp>
#include <funnel/bandits/logged_decision.hpp>
#include <funnel/bandits/thompson_beta.hpp>
#include <funnel/bandits/thompson_gaussian.hpp>
#include <funnel/bandits/ucb1.hpp>
#include <funnel/bandits/ucb_tuned.hpp>

namespace funnel::fuzz {
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
std::vector<std::string> policy_seeds() {
    return {saved([](const std::string& path) {
        P policy(3);
        policy.update(1, 1.0);
        policy.update(2, 0.0);
        policy.save(path);
    })};
}

template <class P>
Registered policy_target(const char* name) {
    return Registered({.name = name, .run = use_policy<P>, .seeds = policy_seeds<P>, .is_container = true});
}

void use_decisions(const Input& input) {
    const std::string path = input.file();
    attempt([&] { (void)bandits::load_decisions(path); });
}

const Registered epsilon_greedy = policy_target<bandits::EpsilonGreedy>("bandits_epsilon_greedy");
}  // namespace
}  // namespace funnel::fuzz
