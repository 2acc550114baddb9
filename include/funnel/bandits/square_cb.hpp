// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/bandits/linear_arms.hpp>
#include <funnel/bandits/probabilities.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/portable_math.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/io/container.hpp>
#include <funnel/kernels/backend.hpp>

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

/// Inverse gap weighting: the further an estimate lies below the best one, the smaller the probability of its arm.
///
///     p(arm) = 1 / (K + gamma (best - estimate(arm))),   the best arm takes the rest
///
/// K is the number of estimates. To choose among some of the arms only, pass their estimates alone: with any other K
/// the result is not a distribution.
///
/// Returns   n probabilities, >= 0, with sum 1 up to rounding; that of the best arm, the smaller of equal ones, is at
///           least 1 / K
/// Errors    InvalidArgument if there is no estimate, one is not finite, or gamma is not finite or negative
/// Source    Abe & Long, "Associative reinforcement learning using linear probabilistic concepts", ICML 1999;
///           Foster & Rakhlin, "Beyond UCB: optimal and efficient contextual bandits with regression oracles", 2020
[[nodiscard]] inline std::vector<double> inverse_gap_weights(std::span<const double> estimates, double gamma) {
    require(!estimates.empty(), "inverse_gap_weights: there must be at least one estimate");
    require_not_negative(gamma, "inverse_gap_weights: gamma");
    for (const double& estimate : estimates) {
        require_finite(estimate, "inverse_gap_weights: estimate");
    }
    const std::size_t best = detail::position_of_best(estimates);
    const auto k = static_cast<double>(estimates.size());
    std::vector<double> weights(estimates.size());
    double others = 0.0;
    for (std::size_t arm = 0; arm < estimates.size(); ++arm) {
        if (arm != best) {
            const double half_gap = 0.5 * estimates[best] - 0.5 * estimates[arm];  // the gap itself may overflow
            weights[arm] = 1.0 / (k + 2.0 * (gamma * half_gap));
            others += weights[arm];
        }
    }
    weights[best] = 1.0 - others;  // others <= (K - 1) / K
    return weights;
}

struct SquareCBOptions {
    double gamma_scale = 10.0;    ///< gamma = gamma_scale (updates + 1)^gamma_exponent; larger values explore less
    double gamma_exponent = 0.5;  ///< in [0, 1]; 0: a constant gamma
    double lambda = 1.0;          ///< ridge penalty of the estimates, in [1e-9, 1e9]
    double forgetting = 1.0;      ///< weight of an observation after one more update of its arm, in [1e-9, 1]
    std::uint64_t seed = 1;       ///< seed of the choices
};

/// SquareCB: turns a regression of the rewards into a policy, here a ridge regression per arm. It needs no confidence
/// widths, and its propensities are exact at no cost.
///
///     choose an arm with the probabilities inverse_gap_weights(x^T theta of each arm, gamma)
///
/// For another regression, call inverse_gap_weights with its estimates.
///
/// Cost      select, propensities: O(arms d^2);  update: O(d^2);  memory: O(arms d^2)
/// Source    Foster & Rakhlin, "Beyond UCB: optimal and efficient contextual bandits with regression oracles", ICML
///           2020 (algorithm 1); gamma grows as in Vowpal Wabbit
template <kernels::HostBackend Backend = kernels::DefaultBackend>
class BasicSquareCB {
public:
    /// Errors    InvalidArgument if arms or dimension is 0, or an option is out of range
    BasicSquareCB(std::size_t arms, std::size_t dimension, const SquareCBOptions& options = {})
        : arms_(arms, dimension, options.lambda, options.forgetting),
          gamma_scale_(options.gamma_scale),
          gamma_exponent_(options.gamma_exponent),
          seed_(options.seed) {
        require_between(gamma_scale_, 0.0, largest_gamma_scale, "SquareCB: gamma_scale");
        require_between(gamma_exponent_, 0.0, 1.0, "SquareCB: gamma_exponent");
    }

    [[nodiscard]] std::size_t arms() const noexcept { return arms_.size(); }
    [[nodiscard]] std::size_t dimension() const noexcept { return arms_.dimension(); }
    [[nodiscard]] SquareCBOptions options() const noexcept {
        return {.gamma_scale = gamma_scale_,
                .gamma_exponent = gamma_exponent_,
                .lambda = arms_.lambda(),
                .forgetting = arms_.forgetting(),
                .seed = seed_};
    }

    /// Adds arms that were never chosen, after the existing ones.
    void add_arms(std::size_t count) { arms_.add(count); }

    /// An arm, chosen at random with the propensities. Each call is a new decision.
    ///
    /// Shapes    context: d, for all arms; or contexts: arms x d, row i is for arm i
    /// Errors    InvalidArgument if a shape does not match, or a number is not finite or not in [-1e9, 1e9]
    [[nodiscard]] std::size_t select(std::span<const float> context) { return choose(propensities(context)); }
    [[nodiscard]] std::size_t select(MatrixView<const float> contexts) { return choose(propensities(contexts)); }

    /// The probability that select() chooses each arm.
    ///
    /// Shapes, Errors    as select()
    [[nodiscard]] std::vector<double> propensities(std::span<const float> context) const {
        return propensities_of(arms_.estimates(context));
    }
    [[nodiscard]] std::vector<double> propensities(MatrixView<const float> contexts) const {
        return propensities_of(arms_.estimates(contexts));
    }

    /// Learns the reward of an arm that was chosen in a context.
    ///
    /// Errors    InvalidArgument if there is no such arm, the dimension does not match, or a number is not finite or
    ///           not in [-1e9, 1e9]; the policy is then unchanged
    void update(std::size_t arm, std::span<const float> context, const float& reward) {
        arms_.update(arm, context, reward);
        ++updates_;
    }

    /// The current gamma.
    [[nodiscard]] double gamma() const noexcept {
        const double log_updates = funnel::detail::portable_log(static_cast<double>(updates_) + 1.0);
        return gamma_scale_ * funnel::detail::portable_exp(gamma_exponent_ * log_updates);
    }

    /// Errors    IOError;  InvalidArgument if the policy is moved-from
    void save(const std::string& path) const {
        io::ContainerWriter file(kind, layout_version);
        const auto sections = arms_.sections();
        file.value("gamma_scale", gamma_scale_);
        file.value("gamma_exponent", gamma_exponent_);
        file.value("seed", seed_);
        file.value("decisions", decisions_);
        file.value("all_updates", updates_);
        arms_.write(file, sections);
        file.save(path);
    }

    /// Errors    IOError;  CorruptData if the file is damaged or holds something else
    [[nodiscard]] static BasicSquareCB load(const std::string& path) {
        const io::ContainerReader file(path, kind, layout_version);
        BasicSquareCB policy(detail::LinearArms<Backend>::read(file));
        policy.gamma_scale_ = file.value<double>("gamma_scale");
        policy.gamma_exponent_ = file.value<double>("gamma_exponent");
        policy.seed_ = file.value<std::uint64_t>("seed");
        policy.decisions_ = file.value<std::uint64_t>("decisions");
        policy.updates_ = file.value<std::uint64_t>("all_updates");
        const auto lies_between = [](const double& x, double low, double high) {
            return math::is_finite(x) && x >= low && x <= high;
        };
        file.check(lies_between(policy.gamma_scale_, 0.0, largest_gamma_scale), "gamma_scale", "must lie in [0, 1e9]");
        file.check(lies_between(policy.gamma_exponent_, 0.0, 1.0), "gamma_exponent", "must lie in [0, 1]");
        return policy;
    }

private:
    static constexpr std::string_view kind = "bandits.SquareCB";
    static constexpr std::uint32_t layout_version = 1;
    static constexpr double largest_gamma_scale = 1e9;

    explicit BasicSquareCB(detail::LinearArms<Backend> arms) : arms_(std::move(arms)) {}

    [[nodiscard]] std::vector<double> propensities_of(std::span<const ArmEstimate> estimates) const {
        std::vector<double> means;
        means.reserve(estimates.size());
        for (const ArmEstimate& estimate : estimates) {
            means.push_back(estimate.mean);
        }
        return inverse_gap_weights(means, gamma());
    }

    [[nodiscard]] std::size_t choose(std::span<const double> probabilities) {
        return position_of(probabilities, Random(seed_, stream("square_cb.choices"), decisions_++).uniform());
    }

    detail::LinearArms<Backend> arms_;  // first: its assignment may throw
    double gamma_scale_ = 0.0;
    double gamma_exponent_ = 0.0;
    std::uint64_t seed_ = 0;
    std::uint64_t decisions_ = 0;
    std::uint64_t updates_ = 0;  ///< of all arms
};

using SquareCB = BasicSquareCB<>;

}  // namespace bandits
}  // namespace FUNNEL_ABI
}  // namespace funnel
