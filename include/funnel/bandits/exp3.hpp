// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/bandits/policy.hpp>
#include <funnel/bandits/probabilities.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/portable_math.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/io/container.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace bandits {

struct Exp3Options {
    double gamma = 0.1;      ///< share of uniform exploration and learning rate, in [1e-9, 1]
    std::uint64_t seed = 1;  ///< seed of the choices
};

/// Exp3: plays arms in proportion to exponential weights. Its regret against the best single arm is bounded even if an
/// adversary chooses the rewards. Where arms take turns at being the best, a discounted ThompsonBeta follows faster.
///
///     p_i = (1 - gamma) w_i / sum of w + gamma / n
///     after arm i with reward r:  log w_i += gamma / n r / p_i
///
/// The weights are kept as logarithms below the largest one, so they never overflow. Rewards must lie in [0, 1].
/// The later places of a slate are drawn from the arms left, in proportion to p.
///
/// Regret    O(sqrt(t n log n)) against the best single arm, for gamma = min(1, sqrt(n log(n) / ((e - 1) t)))
/// Cost      select: O(n k);  update: O(n), a sum of n weights
/// Source    Auer et al., "The nonstochastic multiarmed bandit problem", SIAM J. Computing 2002 (figure 1)
class Exp3 {
public:
    /// Errors    InvalidArgument if there are no arms or gamma does not lie in [1e-9, 1]
    explicit Exp3(std::size_t arms, const Exp3Options& options = {}) : options_(options) {
        require_at_least(arms, 1, "Exp3: arms");
        require_between(options.gamma, least_gamma, 1.0, "Exp3: gamma");
        log_weights_.resize(arms);
        weights_.resize(arms, 1.0);
    }

    Exp3(const Exp3&) = default;
    Exp3(Exp3&&) noexcept = default;
    Exp3& operator=(const Exp3& other) { return *this = Exp3(other); }  // strong guarantee
    Exp3& operator=(Exp3&&) noexcept = default;
    ~Exp3() = default;

    /// min(k, arms) distinct arms.
    [[nodiscard]] std::vector<std::size_t> select(std::size_t k) {
        Random random(options_.seed, stream("exp3.select"), step_);
        std::vector<double> left = propensities();
        std::vector<std::size_t> chosen;
        while (chosen.size() < std::min(k, arms())) {
            const double total = std::accumulate(left.begin(), left.end(), 0.0);
            chosen.push_back(position_of(left, random.uniform() * total));
            left[chosen.back()] = 0.0;
        }
        ++step_;
        return chosen;
    }

    /// Learns from one reward of an arm that was selected with the current propensities.
    ///
    /// Errors    InvalidArgument if the arm does not exist or the reward does not lie in [0, 1]
    void update(std::size_t arm, double reward) {
        require_below(arm, arms(), "Exp3::update: arm");
        const double floor = options_.gamma / static_cast<double>(arms());
        const double share = weights_[arm] / std::accumulate(weights_.begin(), weights_.end(), 0.0);
        update(arm, reward, floor + (1.0 - options_.gamma) * share);
    }

    /// Learns from one reward that arrives late: propensity is that of the time of the selection. It may be below
    /// gamma / n if arms were removed since; the step then is that of n = gamma / propensity arms.
    ///
    /// Errors    InvalidArgument as above, or if propensity does not lie in (0, 1], up to rounding
    void update(std::size_t arm, double reward, double propensity) {
        require_below(arm, arms(), "Exp3::update: arm");
        require_between(reward, 0.0, 1.0, "Exp3::update: reward");
        require_positive(propensity, "Exp3::update: propensity");
        require_between(propensity, 0.0, 1.0 + 1e-9, "Exp3::update: propensity");
        // No step may exceed the reward: the bound of the regret needs steps of at most 1.
        const double rate = std::min(options_.gamma / static_cast<double>(arms()), propensity);
        log_weights_[arm] += reward * (rate / propensity);
        if (log_weights_[arm] > 0.0) {
            normalise();
        } else {
            weights_[arm] = funnel::detail::portable_exp(log_weights_[arm]);
        }
    }

    /// The probability of each arm to be selected first, at least gamma / n.
    ///
    /// Errors    InvalidArgument if the policy is moved-from
    [[nodiscard]] std::vector<double> propensities() const {
        require(arms() > 0, "Exp3::propensities: the policy must not be moved-from");
        std::vector<double> result = weights_;
        const double total = std::accumulate(result.begin(), result.end(), 0.0);
        for (double& p : result) {
            p /= total;
        }
        raise_to_floor(result, options_.gamma / static_cast<double>(arms()));
        return result;
    }

    [[nodiscard]] std::size_t arms() const noexcept { return log_weights_.size(); }

    /// Adds an arm with the mean weight of the others, with the next number.
    void add_arm() {
        const double mean = std::accumulate(weights_.begin(), weights_.end(), 0.0) / static_cast<double>(arms());
        Exp3 grown = *this;
        grown.log_weights_.push_back(funnel::detail::portable_log(mean));
        grown.normalise();
        *this = std::move(grown);
    }

    /// Removes an arm. The numbers of later arms fall by one.
    ///
    /// Errors    InvalidArgument if the arm does not exist or is the last one
    void remove_arm(std::size_t arm) {
        require_below(arm, arms(), "Exp3::remove_arm: arm");
        require_at_least(arms(), 2, "Exp3::remove_arm: arms");
        weights_.erase(weights_.begin() + static_cast<std::ptrdiff_t>(arm));
        log_weights_.erase(log_weights_.begin() + static_cast<std::ptrdiff_t>(arm));
        normalise();
    }

    /// Errors    IOError;  InvalidArgument if the policy is moved-from
    void save(const std::string& path) const {
        require(arms() > 0, "save: the policy must not be moved-from");
        io::ContainerWriter file(kind, layout_version);
        file.value("gamma", options_.gamma);
        file.value("seed", options_.seed);
        file.value("step", step_);
        file.array("log_weights", log_weights_);
        file.save(path);
    }

    /// Errors    IOError;  CorruptData if the file is damaged or holds something else
    [[nodiscard]] static Exp3 load(const std::string& path) {
        const io::ContainerReader file(path, kind, layout_version);
        const auto gamma = file.value<double>("gamma");
        file.check(math::is_finite(gamma) && gamma >= least_gamma && gamma <= 1.0, "gamma", "must lie in [1e-9, 1]");
        std::vector<double> log_weights = file.array<double>("log_weights");
        file.check(!log_weights.empty(), "log_weights", "must have at least one arm");
        file.check(std::all_of(log_weights.begin(), log_weights.end(),
                               [](const double& x) { return math::is_finite(x) && x <= 0.0; }) &&
                       *std::max_element(log_weights.begin(), log_weights.end()) == 0.0,
                   "log_weights", "must be finite, the largest 0");
        Exp3 policy(1, {.gamma = gamma, .seed = file.value<std::uint64_t>("seed")});
        policy.log_weights_ = std::move(log_weights);
        policy.normalise();
        policy.step_ = file.value<std::uint64_t>("step");
        return policy;
    }

private:
    static constexpr double least_gamma = 1e-9;
    static constexpr std::string_view kind = "bandits.Exp3";
    static constexpr std::uint32_t layout_version = 1;

    // Makes the largest logarithm 0, and computes the weights.
    void normalise() {
        const double largest = *std::max_element(log_weights_.begin(), log_weights_.end());
        weights_.resize(arms());
        for (std::size_t i = 0; i < arms(); ++i) {
            log_weights_[i] -= largest;
            weights_[i] = funnel::detail::portable_exp(log_weights_[i]);
        }
    }

    Exp3Options options_;
    std::vector<double> log_weights_;  // the largest is 0
    std::vector<double> weights_;      // their exponentials
    std::uint64_t step_ = 0;
};

}  // namespace bandits
}  // namespace FUNNEL_ABI
}  // namespace funnel
