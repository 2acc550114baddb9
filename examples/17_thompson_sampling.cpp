// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Exploration: Thompson sampling learns which headline is clicked most, logs the propensity of each choice, and the log
// then tells what another policy would have earned.
//
//     g++ -std=c++20 -O2 -I include examples/17_thompson_sampling.cpp -o /tmp/example && /tmp/example
#include <funnel/bandits/logged_decision.hpp>
#include <funnel/bandits/thompson_beta.hpp>
#include <funnel/core/rng.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <vector>

using funnel::bandits::LoggedDecision;

int main() {
    const std::vector<double> click_rates{0.04, 0.05, 0.06, 0.12};  // of four headlines; the policy does not know them
    funnel::Random users(7);

    // No headline is shown with a probability below 0.02, so no weight of the evaluation exceeds 50.
    funnel::bandits::ThompsonBeta policy(click_rates.size(), {.floor = 0.02, .seed = 1});
    std::vector<LoggedDecision> log;
    double clicks = 0.0;
    for (std::uint64_t visit = 1; visit <= 20000; ++visit) {
        const std::vector<double> propensities = policy.propensities();  // exact, before the reward is known
        const std::size_t shown = policy.select(1)[0];
        const double reward = users.uniform() < click_rates[shown] ? 1.0 : 0.0;
        policy.update(shown, reward);
        log.push_back({.context = visit, .arm = shown, .propensity = propensities[shown], .reward = reward});
        clicks += reward;
        if (visit == 100 || visit == 1000 || visit == 20000) {
            std::printf("after %5llu visits: P(shown next) =", static_cast<unsigned long long>(visit));
            for (const double p : policy.propensities()) {
                std::printf(" %.3f", p);
            }
            std::printf("   click rate so far %.4f\n", clicks / static_cast<double>(visit));
        }
    }

    // Inverse propensity scoring: what would "always headline i" have earned? Each visit that showed i counts 1 / p.
    // save_decisions and load_decisions keep such a log in a file.
    for (std::size_t i = 0; i < click_rates.size(); ++i) {
        double sum = 0.0;
        for (const LoggedDecision& decision : log) {
            sum += decision.arm == i ? decision.reward / decision.propensity : 0.0;
        }
        std::printf("headline %zu: click rate %.3f, estimated from the log %.3f\n", i, click_rates[i],
                    sum / static_cast<double>(log.size()));
    }
}
