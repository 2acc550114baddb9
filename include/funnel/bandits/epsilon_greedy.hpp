// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/bandits/arm_statistics.hpp>
#include <funnel/bandits/policy.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/io/container.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace bandits {

struct EpsilonGreedyOptions {
    double epsilon = 0.1;        ///< probability of a random arm, in [0, 1]
    double decay = 0.0;          ///< d in the formula, >= 0
    double least_epsilon = 0.0;  ///< epsilon decays to this, in [0, epsilon]
    std::uint64_t seed = 1;      ///< seed of the choices
};

/// Epsilon-greedy: plays the arm with the best mean reward, and with probability epsilon any arm.
///
///     epsilon_t = max(least_epsilon, epsilon / (1 + d t)),   t rewards so far, of removed arms too
///     P(first = i) = epsilon_t / n + (1 - epsilon_t) [i has the best mean]
///
/// Each place of a slate is drawn like that from the arms left. Arms without plays count as the best ones; ties go to
/// the smaller arm. Rewards are finite, up to 1e100 in magnitude.
///
/// Cost      select: O(n k);  update: O(1)
/// Source    Auer et al., "Finite-time analysis of the multiarmed bandit problem", Machine Learning 2002 (figure 3:
///           with decay, epsilon falls as 1 / t)
class EpsilonGreedy {
public:
    /// Errors    InvalidArgument if there are no arms or an option is out of range
    explicit EpsilonGreedy(std::size_t arms, const EpsilonGreedyOptions& options = {})
        : options_(options), statistics_(arms, "EpsilonGreedy: arms") {
        require_between(options.epsilon, 0.0, 1.0, "EpsilonGreedy: epsilon");
        require_not_negative(options.decay, "EpsilonGreedy: decay");
        require_between(options.least_epsilon, 0.0, options.epsilon, "EpsilonGreedy: least_epsilon");
    }

    /// min(k, arms) distinct arms.
    [[nodiscard]] std::vector<std::size_t> select(std::size_t k) {
        Random random(options_.seed, stream("epsilon_greedy.select"), step_);
        const double explores = epsilon();
        const std::vector<double> scores = means();
        std::vector<std::size_t> left(arms());
        std::iota(left.begin(), left.end(), std::size_t{0});
        std::vector<std::size_t> chosen;
        while (chosen.size() < std::min(k, arms())) {
            auto at = std::max_element(left.begin(), left.end(),
                                       [&](std::size_t i, std::size_t j) { return scores[i] < scores[j]; });
            if (random.uniform() < explores) {
                at = left.begin() + static_cast<std::ptrdiff_t>(random.below(left.size()));
            }
            chosen.push_back(*at);
            left.erase(at);
        }
        ++step_;
        return chosen;
    }

    /// Learns from one reward.
    ///
    /// Errors    InvalidArgument if the arm does not exist, or the reward is not finite or above 1e100 in magnitude
    void update(std::size_t arm, double reward) {
        require_below(arm, arms(), "EpsilonGreedy::update: arm");
        require_between(reward, -detail::largest_reward, detail::largest_reward, "EpsilonGreedy::update: reward");
        statistics_.add(arm, reward);
        ++rewards_;
    }

    /// The probability of each arm to be selected first.
    ///
    /// Errors    InvalidArgument if the policy is moved-from
    [[nodiscard]] std::vector<double> propensities() const {
        require(arms() > 0, "EpsilonGreedy::propensities: the policy must not be moved-from");
        const std::vector<double> scores = means();
        std::vector<double> result(arms(), epsilon() / static_cast<double>(arms()));
        result[detail::best_positions(std::span<const double>(scores), 1)[0]] += 1.0 - epsilon();
        return result;
    }

    /// The current probability of a random arm.
    [[nodiscard]] double epsilon() const noexcept {
        const auto t = static_cast<double>(rewards_);
        return std::max(options_.least_epsilon, options_.epsilon / (1.0 + options_.decay * t));
    }

    [[nodiscard]] std::size_t arms() const noexcept { return statistics_.size(); }

    /// Adds an arm without plays, with the next number.
    void add_arm() { statistics_.add_arm(); }

    /// Removes an arm. The numbers of later arms fall by one.
    ///
    /// Errors    InvalidArgument if the arm does not exist or is the last one
    void remove_arm(std::size_t arm) { statistics_.remove_arm(arm, "EpsilonGreedy::remove_arm: arm"); }

    /// Errors    IOError;  InvalidArgument if the policy is moved-from
    void save(const std::string& path) const {
        io::ContainerWriter file(kind, layout_version);
        file.value("epsilon", options_.epsilon);
        file.value("decay", options_.decay);
        file.value("least_epsilon", options_.least_epsilon);
        file.value("seed", options_.seed);
        file.value("step", step_);
        file.value("all_rewards", rewards_);
        statistics_.write(file);
        file.save(path);
    }

    /// Errors    IOError;  CorruptData if the file is damaged or holds something else
    [[nodiscard]] static EpsilonGreedy load(const std::string& path) {
        const io::ContainerReader file(path, kind, layout_version);
        const EpsilonGreedyOptions options{.epsilon = file.value<double>("epsilon"),
                                           .decay = file.value<double>("decay"),
                                           .least_epsilon = file.value<double>("least_epsilon"),
                                           .seed = file.value<std::uint64_t>("seed")};
        file.check(options.epsilon >= 0.0 && options.epsilon <= 1.0 && math::is_finite(options.epsilon), "epsilon",
                   "must lie in [0, 1]");
        file.check(math::is_finite(options.decay) && options.decay >= 0.0, "decay", "must be finite and >= 0");
        file.check(math::is_finite(options.least_epsilon) && options.least_epsilon >= 0.0 &&
                       options.least_epsilon <= options.epsilon,
                   "least_epsilon", "must lie in [0, epsilon]");
        EpsilonGreedy policy(options,
                             detail::ArmStatistics::read(file, -detail::largest_reward, detail::largest_reward));
        policy.step_ = file.value<std::uint64_t>("step");
        policy.rewards_ = file.value<std::uint64_t>("all_rewards");
        file.check(policy.rewards_ >= policy.statistics_.total_plays(), "all_rewards",
                   "must be at least the rewards of the arms");
        return policy;
    }

private:
    static constexpr std::string_view kind = "bandits.EpsilonGreedy";
    static constexpr std::uint32_t layout_version = 2;

    EpsilonGreedy(const EpsilonGreedyOptions& options, detail::ArmStatistics statistics)
        : options_(options), statistics_(std::move(statistics)) {}

    [[nodiscard]] std::vector<double> means() const {
        std::vector<double> result(arms(), std::numeric_limits<double>::infinity());
        for (std::size_t i = 0; i < arms(); ++i) {
            if (statistics_.plays(i) > 0) {
                result[i] = statistics_.mean(i);
            }
        }
        return result;
    }

    EpsilonGreedyOptions options_;
    detail::ArmStatistics statistics_;
    std::uint64_t step_ = 0;
    std::uint64_t rewards_ = 0;  // also of arms that were removed
};

}  // namespace bandits
}  // namespace FUNNEL_ABI
}  // namespace funnel
