// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/bandits/linear_arms.hpp>
#include <funnel/bandits/posteriors.hpp>
#include <funnel/bandits/top_k_quadrature.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/io/container.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/gemv.hpp>

#include <algorithm>
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

struct LinTSOptions {
    double scale = 1.0;   ///< v: the standard deviation of the noise in the rewards, > 0; larger values explore more
    double lambda = 1.0;  ///< ridge penalty, in [1e-9, 1e9]
    double forgetting = 1.0;  ///< weight of an observation after one more update of its arm, in [1e-9, 1]
    std::uint64_t seed = 1;   ///< seed of all draws
};

namespace detail {

inline constexpr double least_scale = 1e-9;  // widths times it must not underflow
inline constexpr double largest_scale = 1e9;

// theta + v R^-1 z with z standard normal: mean theta, covariance v^2 A^-1.
template <kernels::HostBackend Backend>
[[nodiscard]] std::vector<float> draw_coefficients(const linalg::CholeskyFactor<float, Backend>& factor, double scale,
                                                   Random random) {
    std::vector<double> z(factor.dimension());
    for (double& element : z) {
        element = random.normal();
    }
    return factor.shifted_solution(z, scale);
}

}  // namespace detail

/// Thompson sampling with a linear model per arm: draws a reward of each arm from what is known about it, and chooses
/// the arm with the best draw.
///
///     theta ~ N(A^-1 b, v^2 A^-1),   so x^T theta ~ N(mean, v^2 width^2), independently for each arm
///     A = lambda I + sum of x x^T,   b = sum of reward x,   over the contexts in which the arm was chosen
///
/// select() draws the reward and not theta, which has the same distribution and costs one normal number per arm. Draws
/// depend only on the seed, the number of the decision and the arm.
///
/// Cost      select, score: O(arms d^2);  draw, update: O(d^2);  memory: O(arms d^2)
/// Source    Agrawal & Goyal, "Thompson sampling for contextual bandits with linear payoffs", ICML 2013
template <kernels::HostBackend Backend = kernels::DefaultBackend>
class BasicLinTS {
public:
    /// Errors    InvalidArgument if arms or dimension is 0, or an option is out of range
    BasicLinTS(std::size_t arms, std::size_t dimension, const LinTSOptions& options = {})
        : arms_(arms, dimension, options.lambda, options.forgetting), scale_(options.scale), seed_(options.seed) {
        require_between(scale_, detail::least_scale, detail::largest_scale, "LinTS: scale");
    }

    [[nodiscard]] std::size_t arms() const noexcept { return arms_.size(); }
    [[nodiscard]] std::size_t dimension() const noexcept { return arms_.dimension(); }
    [[nodiscard]] LinTSOptions options() const noexcept {
        return {.scale = scale_, .lambda = arms_.lambda(), .forgetting = arms_.forgetting(), .seed = seed_};
    }

    /// Adds arms that were never chosen, after the existing ones.
    void add_arms(std::size_t count) { arms_.add(count); }

    /// The arm with the best draw; ties go to the smaller arm. Each call is a new decision with new draws.
    ///
    /// Shapes    context: d, for all arms; or contexts: arms x d, row i is for arm i
    /// Errors    InvalidArgument if a shape does not match, or a number is not finite or not in [-1e9, 1e9]
    [[nodiscard]] std::size_t select(std::span<const float> context) { return best_draw(score(context)); }
    [[nodiscard]] std::size_t select(MatrixView<const float> contexts) { return best_draw(score(contexts)); }

    /// The probability that select() chooses each arm, for logs that off-policy evaluation will read.
    ///
    ///     P(arm) = integral of f_arm(s) product over other arms of F_other(s) ds
    ///
    /// Returns   probabilities with sum 1, exact to about 1e-8 (see normal_top_k_probabilities)
    /// Cost      O(arms d^2 + 200 arms)
    /// Shapes, Errors    as select()
    [[nodiscard]] std::vector<double> propensities(std::span<const float> context) const {
        return propensities_of(score(context));
    }
    [[nodiscard]] std::vector<double> propensities(MatrixView<const float> contexts) const {
        return propensities_of(score(contexts));
    }

    /// Estimate and width for each arm; the reward that is drawn has the standard deviation scale * width.
    ///
    /// Shapes, Errors    as select()
    [[nodiscard]] std::vector<ArmEstimate> score(std::span<const float> context) const {
        return arms_.estimates(context);
    }
    [[nodiscard]] std::vector<ArmEstimate> score(MatrixView<const float> contexts) const {
        return arms_.estimates(contexts);
    }

    /// Learns the reward of an arm that was chosen in a context.
    ///
    /// Errors    InvalidArgument if there is no such arm, the dimension does not match, or a number is not finite or
    ///           not in [-1e9, 1e9]; the policy is then unchanged
    void update(std::size_t arm, std::span<const float> context, const float& reward) {
        arms_.update(arm, context, reward);
    }

    /// A draw of theta of an arm; each number gives another draw.
    ///
    /// Errors    InvalidArgument if there is no such arm
    [[nodiscard]] std::vector<float> draw(std::size_t arm, std::uint64_t number) const {
        require_below(arm, arms(), "LinTS::draw: arm");
        return detail::draw_coefficients(arms_.factor(arm), scale_,
                                         Random(seed_, stream("lin_ts.coefficients").substream(number), arm));
    }

    /// Errors    IOError;  InvalidArgument if the policy is moved-from
    void save(const std::string& path) const {
        io::ContainerWriter file(kind, layout_version);
        const auto sections = arms_.sections();
        file.value("scale", scale_);
        file.value("seed", seed_);
        file.value("decisions", decisions_);
        arms_.write(file, sections);
        file.save(path);
    }

    /// Errors    IOError;  CorruptData if the file is damaged or holds something else
    [[nodiscard]] static BasicLinTS load(const std::string& path) {
        const io::ContainerReader file(path, kind, layout_version);
        BasicLinTS policy(detail::LinearArms<Backend>::read(file), file.value<double>("scale"),
                          file.value<std::uint64_t>("seed"), file.value<std::uint64_t>("decisions"));
        file.check(math::is_finite(policy.scale_) && policy.scale_ >= detail::least_scale &&
                       policy.scale_ <= detail::largest_scale,
                   "scale", "must lie in [1e-9, 1e9]");
        return policy;
    }

private:
    static constexpr std::string_view kind = "bandits.LinTS";
    static constexpr std::uint32_t layout_version = 1;

    BasicLinTS(detail::LinearArms<Backend> arms, double scale, std::uint64_t seed, std::uint64_t decisions)
        : arms_(std::move(arms)), scale_(scale), seed_(seed), decisions_(decisions) {}

    [[nodiscard]] std::size_t best_draw(std::span<const ArmEstimate> estimates) {
        const Stream rewards = stream("lin_ts.rewards").substream(decisions_++);
        std::vector<double> draws;
        draws.reserve(estimates.size());
        for (std::size_t arm = 0; arm < estimates.size(); ++arm) {
            const double z = Random(seed_, rewards, arm).normal();
            draws.push_back(estimates[arm].mean + scale_ * estimates[arm].width * z);
        }
        return detail::position_of_best(draws);
    }

    // Arms with a context of zeros have the reward 0 for certain. The first of them takes part with a width that is
    // negligible beside the others; it wins all ties with the rest of them.
    [[nodiscard]] std::vector<double> propensities_of(std::span<const ArmEstimate> estimates) const {
        std::vector<std::size_t> taking_part;
        std::vector<double> means;
        std::vector<double> deviations;
        double narrowest = 0.0;
        bool has_certain = false;
        for (std::size_t arm = 0; arm < estimates.size(); ++arm) {
            const double deviation = scale_ * estimates[arm].width;
            if (deviation > 0.0 || !std::exchange(has_certain, true)) {
                taking_part.push_back(arm);
                means.push_back(estimates[arm].mean);
                deviations.push_back(deviation);
            }
            if (deviation > 0.0 && (narrowest == 0.0 || deviation < narrowest)) {
                narrowest = deviation;
            }
        }
        std::replace(deviations.begin(), deviations.end(), 0.0, narrowest > 0.0 ? 1e-6 * narrowest : 1.0);
        const auto found = detail::top_k_probabilities(detail::NormalPosteriors(means, deviations), 1);
        std::vector<double> probabilities(estimates.size(), 0.0);
        for (std::size_t i = 0; i < found.size(); ++i) {
            probabilities[taking_part[i]] = found[i];
        }
        return probabilities;
    }

    detail::LinearArms<Backend> arms_;  // first: its assignment may throw
    double scale_;
    std::uint64_t seed_;
    std::uint64_t decisions_ = 0;
};

using LinTS = BasicLinTS<>;

/// Probabilities from a number of draws.
struct SampledPropensities {
    std::vector<double> probabilities;    ///< shares of the draws, with sum 1
    std::vector<double> standard_errors;  ///< sqrt(p (1 - p) / draws)
};

/// Thompson sampling with one linear model for all arms: draws theta once per decision, and chooses the row of
/// features with the highest value. What is learned from one arm holds for all.
///
///     theta ~ N(A^-1 b, v^2 A^-1);   row = argmax of row^T theta
///
/// Cost      select: O(d^2 + rows d);  update, draw: O(d^2);  memory: O(d^2)
/// Source    Agrawal & Goyal, "Thompson sampling for contextual bandits with linear payoffs", ICML 2013 (algorithm 1)
template <kernels::HostBackend Backend = kernels::DefaultBackend>
class BasicSharedLinTS {
public:
    /// Errors    InvalidArgument if dimension is 0, or an option is out of range
    explicit BasicSharedLinTS(std::size_t dimension, const LinTSOptions& options = {})
        : model_(1, dimension, options.lambda, options.forgetting), scale_(options.scale), seed_(options.seed) {
        require_between(scale_, detail::least_scale, detail::largest_scale, "SharedLinTS: scale");
    }

    [[nodiscard]] std::size_t dimension() const noexcept { return model_.dimension(); }
    [[nodiscard]] LinTSOptions options() const noexcept {
        return {.scale = scale_, .lambda = model_.lambda(), .forgetting = model_.forgetting(), .seed = seed_};
    }

    /// The row with the highest value under a new draw of theta; ties go to the smaller position.
    ///
    /// Shapes    contexts: n x d, n > 0
    /// Errors    InvalidArgument if the shape does not match, or a number is not finite or not in [-1e9, 1e9]
    [[nodiscard]] std::size_t select(MatrixView<const float> contexts) {
        check(contexts);
        const auto theta = draw(decisions_++);
        std::vector<float> values(contexts.rows());
        kernels::gemv<Backend>(contexts, theta, values);
        return static_cast<std::size_t>(std::max_element(values.begin(), values.end()) - values.begin());
    }

    /// The probability that select() chooses each row. The rows share theta, so their values depend on each other and
    /// no quadrature applies; the probabilities are shares of `draws` simulated decisions.
    ///
    /// Cost      O(rows d^2 + draws (rows + 1) d)
    /// Shapes, Errors    as select(); InvalidArgument if draws is 0
    [[nodiscard]] SampledPropensities propensities(MatrixView<const float> contexts, std::size_t draws = 10'000) const {
        check(contexts);
        require_at_least(draws, 1, "SharedLinTS::propensities: draws");
        const std::size_t n = contexts.rows();
        const std::size_t d = dimension();
        // row^T theta = mean + v (R^-T row)^T z
        const auto estimates = score(contexts);
        Matrix<float> whitened(n, d);
        for (std::size_t i = 0; i < n; ++i) {
            const auto row = model_.factor(0).whitened(contexts.row(i));
            std::copy(row.begin(), row.end(), whitened.row(i).begin());
        }
        std::vector<std::size_t> chosen(n, 0);
        std::vector<float> z(d);
        std::vector<float> noise(n);
        std::vector<double> values(n);
        for (std::size_t number = 0; number < draws; ++number) {
            Random random(seed_, stream("shared_lin_ts.propensities").substream(decisions_), number);
            std::generate(z.begin(), z.end(), [&] { return static_cast<float>(random.normal()); });
            kernels::gemv<Backend>(whitened, z, noise);
            for (std::size_t i = 0; i < n; ++i) {
                values[i] = estimates[i].mean + scale_ * static_cast<double>(noise[i]);
            }
            ++chosen[detail::position_of_best(values)];
        }
        SampledPropensities result;
        for (const std::size_t count : chosen) {
            const double p = static_cast<double>(count) / static_cast<double>(draws);
            result.probabilities.push_back(p);
            result.standard_errors.push_back(math::sqrt(p * (1.0 - p) / static_cast<double>(draws)));
        }
        return result;
    }

    /// Estimate and width for each row.
    [[nodiscard]] std::vector<ArmEstimate> score(MatrixView<const float> contexts) const {
        return model_.estimates(contexts, true);
    }

    /// Learns the reward of the row that was chosen.
    ///
    /// Errors    InvalidArgument if the dimension does not match, or a number is not finite or not in [-1e9, 1e9]
    void update(std::span<const float> context, const float& reward) { model_.update(0, context, reward); }

    /// A draw of theta; each number gives another draw, and decision n uses draw n.
    [[nodiscard]] std::vector<float> draw(std::uint64_t number) const {
        return detail::draw_coefficients(model_.factor(0), scale_,
                                         Random(seed_, stream("shared_lin_ts.coefficients"), number));
    }

    /// Errors    IOError;  InvalidArgument if the policy is moved-from
    void save(const std::string& path) const {
        io::ContainerWriter file(kind, layout_version);
        const auto sections = model_.sections();
        file.value("scale", scale_);
        file.value("seed", seed_);
        file.value("decisions", decisions_);
        model_.write(file, sections);
        file.save(path);
    }

    /// Errors    IOError;  CorruptData if the file is damaged or holds something else
    [[nodiscard]] static BasicSharedLinTS load(const std::string& path) {
        const io::ContainerReader file(path, kind, layout_version);
        BasicSharedLinTS policy(detail::LinearArms<Backend>::read(file), file.value<double>("scale"),
                                file.value<std::uint64_t>("seed"), file.value<std::uint64_t>("decisions"));
        file.check(policy.model_.size() == 1, "updates", "must have a number for one model");
        file.check(math::is_finite(policy.scale_) && policy.scale_ >= detail::least_scale &&
                       policy.scale_ <= detail::largest_scale,
                   "scale", "must lie in [1e-9, 1e9]");
        return policy;
    }

private:
    static constexpr std::string_view kind = "bandits.SharedLinTS";
    static constexpr std::uint32_t layout_version = 1;

    BasicSharedLinTS(detail::LinearArms<Backend> model, double scale, std::uint64_t seed, std::uint64_t decisions)
        : model_(std::move(model)), scale_(scale), seed_(seed), decisions_(decisions) {}

    void check(MatrixView<const float> contexts) const {
        require(contexts.rows() > 0, "SharedLinTS: contexts must have at least one row");
        detail::require_contexts(contexts, dimension());
    }

    detail::LinearArms<Backend> model_;  // first: its assignment may throw
    double scale_;
    std::uint64_t seed_;
    std::uint64_t decisions_ = 0;
};

using SharedLinTS = BasicSharedLinTS<>;

}  // namespace bandits
}  // namespace FUNNEL_ABI
}  // namespace funnel
