// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "measure.hpp"
#include "new_films.hpp"
#include "report_data.hpp"

#include <funnel/bandits/logged_decision.hpp>
#include <funnel/core/parallel.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/metrics/ground_truth.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace demo {

/// Compares a step with the one before it: its users with a history, one by one, and its lists. The time is that of the
/// stages "new films" and "slate".
template <class Funnel>
void add_step(std::string name, const Quality& subject, const Quality& before, const Funnel& funnel,
              std::span<const std::uint32_t> warm, const funnel::metrics::GroundTruth& truth, ReportData& data) {
    std::vector<double> microseconds;
    for (const std::uint32_t user : warm) {
        double sum = 0.0;
        for (const auto& stage : funnel.recommend(user, {.k = 10}).trace.stages) {
            sum += stage.name == "new films" || stage.name == "slate" ? static_cast<double>(stage.nanoseconds) : 0.0;
        }
        microseconds.push_back(sum / 1000.0);
    }
    const auto is_warm = [&](std::size_t position) { return truth.is_warm(position); };
    if (const auto ndcg = gain(subject.ndcg_of_user, before.ndcg_of_user, is_warm)) {
        data.steps.push_back(
            {std::move(name), before.name, *ndcg, gain(subject.distance_of_user, before.distance_of_user, is_warm),
             (subject.coverage - before.coverage) * static_cast<double>(data.items), quantile(microseconds, 0.5)});
    }
}

/// Counts what the rules and the exploration did in the lists of some users.
template <class Funnel>
[[nodiscard]] SlateCount count_slates(const Funnel& funnel, std::span<const std::uint32_t> users) {
    SlateCount count;
    for (const std::uint32_t user : users) {
        const auto result = funnel.recommend(user, {.k = 10});
        count.places += result.size();
        count.explored += result.trace.explored.size();
        for (const auto& aside : result.trace.set_aside) {
            ++count.set_aside[aside.rule];
        }
    }
    return count;
}

/// Draws for each user in some rounds, notes whether the user went on to choose what was drawn, and estimates from this
/// log what other policies would have earned per place. The test rows say what that is in truth: they tell for every
/// film whether the user chose it, which an ordinary log does not.
template <class Candidates, funnel::Executor E>
[[nodiscard]] std::vector<funnel::bandits::LoggedDecision> explore_users(const NewFilms& films,
                                                                         const funnel::data::Interactions& test,
                                                                         std::span<const std::uint32_t> users,
                                                                         const Candidates& candidates_of, E& executor,
                                                                         ReportData& data) {
    constexpr std::size_t rounds = 20;
    constexpr std::size_t places = 2;
    struct User {
        std::vector<funnel::bandits::LoggedDecision> decisions;
        std::vector<double> uniform;  // per round, weighted rewards
        std::vector<double> best;
        double uniform_truth = 0.0;
        double best_truth = 0.0;
    };
    std::vector<std::set<std::uint32_t>> chosen(test.users());
    for (const auto& row : test) {
        chosen[row.user].insert(row.item);
    }
    std::vector<User> logs(users.size());
    funnel::parallel_for(executor, users.size(), 4, [&](std::size_t at) {
        const std::uint32_t user = users[at];
        const auto candidates = candidates_of(user);
        for (std::size_t round = 0; round < rounds; ++round) {
            const Arms arms = films.arms(user, candidates, places, round);
            const std::size_t n = std::min(places, arms.ids.size());
            // Another policy: the arms with the highest mean, as by a ranker that does not explore.
            std::vector<std::size_t> order(arms.ids.size());
            std::iota(order.begin(), order.end(), std::size_t{0});
            std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
                const double mean_a = arms.alphas[a] / (arms.alphas[a] + arms.betas[a]);
                const double mean_b = arms.alphas[b] / (arms.alphas[b] + arms.betas[b]);
                return mean_a != mean_b ? mean_a > mean_b : a < b;
            });
            const auto reward = [&](std::size_t arm) { return chosen[user].contains(arms.ids[arm]) ? 1.0 : 0.0; };
            double uniform = 0.0;
            double best = 0.0;
            for (const std::size_t arm : arms.slate.arms) {
                const double propensity = arms.slate.propensities[arm];
                logs[at].decisions.push_back(
                    {.context = user, .arm = arms.ids[arm], .propensity = propensity, .reward = reward(arm)});
                const bool is_best = std::find(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(n), arm) !=
                                     order.begin() + static_cast<std::ptrdiff_t>(n);
                uniform += reward(arm) / static_cast<double>(arms.ids.size()) / propensity;
                best += is_best ? reward(arm) / propensity / static_cast<double>(n) : 0.0;
            }
            logs[at].uniform.push_back(uniform);
            logs[at].best.push_back(best);
            if (round == 0) {
                for (std::size_t i = 0; i < order.size(); ++i) {
                    logs[at].uniform_truth += reward(order[i]) / static_cast<double>(order.size());
                    logs[at].best_truth += i < n ? reward(order[i]) / static_cast<double>(n) : 0.0;
                }
            }
        }
    });
    std::vector<funnel::bandits::LoggedDecision> decisions;
    const auto add_policy = [&](std::string name, auto values_of, auto truth_of) {
        double sum = 0.0;
        double squares = 0.0;
        double truth = 0.0;
        for (const User& log : logs) {
            for (const double value : log.*values_of) {
                sum += value;
                squares += value * value;
            }
            truth += log.*truth_of;
        }
        const auto n = static_cast<double>(logs.size() * rounds);
        const double mean = sum / n;
        data.policies.push_back({std::move(name), mean, std::sqrt(std::max(0.0, squares / n - mean * mean) / n),
                                 truth / static_cast<double>(logs.size())});
    };
    for (const User& log : logs) {
        decisions.insert(decisions.end(), log.decisions.begin(), log.decisions.end());
    }
    data.decisions = decisions.size();
    if (!decisions.empty()) {
        add_policy("uniform draws", &User::uniform, &User::uniform_truth);
        add_policy("the films with the highest mean", &User::best, &User::best_truth);
    }
    return decisions;
}

}  // namespace demo
