// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/bandits/arm_statistics.hpp>
#include <funnel/bandits/policy.hpp>
#include <funnel/bandits/propensities.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/io/container.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace bandits {

struct ThompsonGaussianOptions {
    double prior_mean = 0.0;       ///< expected reward of an arm without plays, up to 1e100 in magnitude
    double prior_deviation = 1.0;  ///< its standard deviation, in [1e-6, 1e6]
    double noise_deviation = 1.0;  ///< standard deviation of a reward around the mean of its arm, in [1e-6, 1e6]
    std::uint64_t seed = 1;        ///< seed of the draws
};

/// Thompson sampling for rewards of any size, such as minutes or money: plays the arm whose draw from its posterior is
/// largest. The mean of each arm has a normal prior; rewards scatter around it with a known deviation.
///
///     precision_i = 1 / prior_deviation^2 + n_i / noise_deviation^2
///     mean_i = (prior_mean / prior_deviation^2 + sum of rewards / noise_deviation^2) / precision_i
///     draw_i ~ N(mean_i, 1 / precision_i);  select the k largest draws
///
/// Propensities are exact; see normal_top_k_probabilities. Ties go to the smaller arm. Rewards are finite, up to 1e100
/// in magnitude.
///
/// Cost      select: O(n + k log n);  update: O(1)
/// Source    Agrawal and Goyal, "Further optimal regret bounds for Thompson sampling", AISTATS 2013
class ThompsonGaussian {
public:
    /// Errors    InvalidArgument if there are no arms or an option is out of range
    explicit ThompsonGaussian(std::size_t arms, const ThompsonGaussianOptions& options = {})
        : options_(options), statistics_(arms, "ThompsonGaussian: arms") {
        require_between(options.prior_mean, -detail::largest_reward, detail::largest_reward,
                        "ThompsonGaussian: prior_mean");
        require_between(options.prior_deviation, least_deviation, largest_deviation,
                        "ThompsonGaussian: prior_deviation");
        require_between(options.noise_deviation, least_deviation, largest_deviation,
                        "ThompsonGaussian: noise_deviation");
    }

    /// min(k, arms) distinct arms, the largest draw first.
    [[nodiscard]] std::vector<std::size_t> select(std::size_t k) {
        Random random(options_.seed, stream("thompson_gaussian.select"), step_++);
        std::vector<double> draws(arms());
        for (std::size_t i = 0; i < arms(); ++i) {
            draws[i] = mean(i) + deviation(i) * random.normal();
        }
        return detail::best_positions(std::span<const double>(draws), k);
    }

    /// Learns from one reward.
    ///
    /// Errors    InvalidArgument if the arm does not exist, or the reward is not finite or above 1e100 in magnitude
    void update(std::size_t arm, double reward) {
        require_below(arm, arms(), "ThompsonGaussian::update: arm");
        require_between(reward, -detail::largest_reward, detail::largest_reward, "ThompsonGaussian::update: reward");
        statistics_.add(arm, reward);
    }

    /// The probability of each arm to be selected first.
    ///
    /// Cost      as normal_top_k_probabilities
    [[nodiscard]] std::vector<double> propensities() const { return slate_propensities(1); }

    /// The probability of each arm to be among k selected ones.
    ///
    /// Cost      as normal_top_k_probabilities
    [[nodiscard]] std::vector<double> slate_propensities(std::size_t k) const {
        std::vector<double> means(arms());
        std::vector<double> deviations(arms());
        for (std::size_t i = 0; i < arms(); ++i) {
            means[i] = mean(i);
            deviations[i] = deviation(i);
        }
        return normal_top_k_probabilities(means, deviations, k);
    }

    [[nodiscard]] std::size_t arms() const noexcept { return statistics_.size(); }
    /// Mean of the posterior of an arm, which must exist (not checked), here and below.
    [[nodiscard]] double mean(std::size_t arm) const noexcept {
        FUNNEL_ASSERT(arm < arms());
        return (options_.prior_mean * prior_precision() + statistics_.sum(arm) * noise_precision()) / precision(arm);
    }
    /// Standard deviation of the posterior of an arm.
    [[nodiscard]] double deviation(std::size_t arm) const noexcept { return 1.0 / math::sqrt(precision(arm)); }

    /// Adds an arm with the prior, with the next number.
    void add_arm() { statistics_.add_arm(); }

    /// Removes an arm. The numbers of later arms fall by one.
    ///
    /// Errors    InvalidArgument if the arm does not exist or is the last one
    void remove_arm(std::size_t arm) { statistics_.remove_arm(arm, "ThompsonGaussian::remove_arm: arm"); }

    /// Errors    IOError;  InvalidArgument if the policy is moved-from
    void save(const std::string& path) const {
        io::ContainerWriter file(kind, layout_version);
        file.value("prior_mean", options_.prior_mean);
        file.value("prior_deviation", options_.prior_deviation);
        file.value("noise_deviation", options_.noise_deviation);
        file.value("seed", options_.seed);
        file.value("step", step_);
        statistics_.write(file);
        file.save(path);
    }

    /// Errors    IOError;  CorruptData if the file is damaged or holds something else
    [[nodiscard]] static ThompsonGaussian load(const std::string& path) {
        const io::ContainerReader file(path, kind, layout_version);
        const ThompsonGaussianOptions options{.prior_mean = file.value<double>("prior_mean"),
                                              .prior_deviation = file.value<double>("prior_deviation"),
                                              .noise_deviation = file.value<double>("noise_deviation"),
                                              .seed = file.value<std::uint64_t>("seed")};
        const auto is_deviation = [](const double& x) {
            return math::is_finite(x) && x >= least_deviation && x <= largest_deviation;
        };
        file.check(math::is_finite(options.prior_mean) && math::abs(options.prior_mean) <= detail::largest_reward,
                   "prior_mean", "must be finite, up to 1e100");
        file.check(is_deviation(options.prior_deviation), "prior_deviation", "must lie in [1e-6, 1e6]");
        file.check(is_deviation(options.noise_deviation), "noise_deviation", "must lie in [1e-6, 1e6]");
        ThompsonGaussian policy(1, options);
        policy.statistics_ = detail::ArmStatistics::read(file, -detail::largest_reward, detail::largest_reward);
        policy.step_ = file.value<std::uint64_t>("step");
        return policy;
    }

private:
    static constexpr std::string_view kind = "bandits.ThompsonNormal";
    static constexpr std::uint32_t layout_version = 1;
    static constexpr double least_deviation = 1e-6;
    static constexpr double largest_deviation = 1e6;

    [[nodiscard]] double prior_precision() const noexcept {
        return 1.0 / (options_.prior_deviation * options_.prior_deviation);
    }
    [[nodiscard]] double noise_precision() const noexcept {
        return 1.0 / (options_.noise_deviation * options_.noise_deviation);
    }
    [[nodiscard]] double precision(std::size_t arm) const noexcept {
        return prior_precision() + static_cast<double>(statistics_.plays(arm)) * noise_precision();
    }

    ThompsonGaussianOptions options_;
    detail::ArmStatistics statistics_;
    std::uint64_t step_ = 0;
};

}  // namespace bandits
}  // namespace FUNNEL_ABI
}  // namespace funnel
