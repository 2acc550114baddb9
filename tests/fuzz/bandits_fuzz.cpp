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
    attempt([&] {
        check_round_trip(
            bandits::load_decisions(input.path), [](const std::string& path) { return bandits::load_decisions(path); },
            [](const std::string& path, const auto& decisions) { bandits::save_decisions(path, decisions); });
    });
}

std::vector<std::string> decision_seeds() {
    return {saved([](const std::string& path) {
        const std::vector<bandits::LoggedDecision> decisions{{.context = 1, .arm = 2, .propensity = 0.5}};
        bandits::save_decisions(path, decisions);
    })};
}

const Registered epsilon_greedy = policy_target<bandits::EpsilonGreedy>("bandits_epsilon_greedy");
const Registered ucb1 = policy_target<bandits::UCB1>("bandits_ucb1");
const Registered ucb_tuned = policy_target<bandits::UCBTuned>("bandits_ucb_tuned");
const Registered kl_ucb = policy_target<bandits::KLUCB>("bandits_kl_ucb");
const Registered exp3 = policy_target<bandits::Exp3>("bandits_exp3");
const Registered thompson_beta = policy_target<bandits::ThompsonBeta>("bandits_thompson_beta");
const Registered thompson_gaussian = policy_target<bandits::ThompsonGaussian>("bandits_thompson_gaussian");
const Registered decisions(
    {.name = "bandits_decisions", .run = use_decisions, .seeds = decision_seeds, .is_container = true});

}  // namespace
}  // namespace funnel::fuzz
