// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/bandits/linear_arms.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
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

struct LinUCBOptions {
    double alpha = 1.0;       ///< width of the confidence bound, >= 0; larger values explore more
    double lambda = 1.0;      ///< ridge penalty, in [1e-9, 1e9]
    double forgetting = 1.0;  ///< weight of an observation after one more update of its arm, in [1e-9, 1]
};

namespace detail {

[[nodiscard]] inline std::size_t position_of_highest_bound(std::span<const ArmEstimate> estimates, double alpha) {
    std::vector<double> bounds;
    bounds.reserve(estimates.size());
    for (const ArmEstimate& estimate : estimates) {
        bounds.push_back(estimate.mean + alpha * estimate.width);
    }
    return position_of_best(bounds);
}

}  // namespace detail

/// LinUCB with a linear model per arm: chooses the arm with the highest upper confidence bound of its reward.
///
///     bound(arm, x) = x^T theta + alpha sqrt(x^T A^-1 x),   theta = A^-1 b,
///     A = lambda I + sum of x x^T,   b = sum of reward x,   over the contexts in which the arm was chosen
///
/// A is kept as a Cholesky factor (linalg::CholeskyFactor), so widths are never negative, however correlated the
/// contexts are. An arm that was never chosen has the bound alpha |x| / sqrt(lambda).
///
///     LinUCB policy(articles, features, {.alpha = 0.5});
///     const std::size_t arm = policy.select(context);
///     policy.update(arm, context, reward);
///
/// Cost      select, score: O(arms d^2);  update: O(d^2), no allocation;  memory: O(arms d^2)
/// Source    Li et al., "A contextual-bandit approach to personalized news article recommendation", WWW 2010 (3.1)
template <kernels::HostBackend Backend = kernels::DefaultBackend>
class BasicLinUCB {
public:
    /// Errors    InvalidArgument if arms or dimension is 0, or an option is out of range
    BasicLinUCB(std::size_t arms, std::size_t dimension, const LinUCBOptions& options = {})
        : arms_(arms, dimension, options.lambda, options.forgetting), alpha_(options.alpha) {
        require_not_negative(alpha_, "LinUCB: alpha");
    }

    [[nodiscard]] std::size_t arms() const noexcept { return arms_.size(); }
    [[nodiscard]] std::size_t dimension() const noexcept { return arms_.dimension(); }
    [[nodiscard]] LinUCBOptions options() const noexcept {
        return {.alpha = alpha_, .lambda = arms_.lambda(), .forgetting = arms_.forgetting()};
    }

    /// Adds arms that were never chosen, after the existing ones.
    void add_arms(std::size_t count) { arms_.add(count); }

    /// The arm with the highest bound; ties go to the smaller arm.
    ///
    /// Shapes    context: d, for all arms; or contexts: arms x d, row i is for arm i
    /// Errors    InvalidArgument if a shape does not match, or a number is not finite or not in [-1e9, 1e9]
    [[nodiscard]] std::size_t select(std::span<const float> context) const {
        return detail::position_of_highest_bound(score(context), alpha_);
    }
    [[nodiscard]] std::size_t select(MatrixView<const float> contexts) const {
        return detail::position_of_highest_bound(score(contexts), alpha_);
    }

    /// Estimate and width for each arm.
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

    /// theta of an arm.
    ///
    /// Errors    InvalidArgument if there is no such arm
    [[nodiscard]] std::vector<float> coefficients(std::size_t arm) const {
        require_below(arm, arms(), "LinUCB::coefficients: arm");
        return arms_.factor(arm).solution();
    }

    /// Errors    IOError;  InvalidArgument if the policy is moved-from
    void save(const std::string& path) const {
        io::ContainerWriter file(kind, layout_version);
        const auto sections = arms_.sections();
        file.value("alpha", alpha_);
        arms_.write(file, sections);
        file.save(path);
    }

    /// Errors    IOError;  CorruptData if the file is damaged or holds something else
    [[nodiscard]] static BasicLinUCB load(const std::string& path) {
        const io::ContainerReader file(path, kind, layout_version);
        const auto alpha = file.value<double>("alpha");
        file.check(math::is_finite(alpha) && alpha >= 0.0, "alpha", "must be finite and >= 0");
        return {detail::LinearArms<Backend>::read(file), alpha};
    }

private:
    static constexpr std::string_view kind = "bandits.LinUCB";
    static constexpr std::uint32_t layout_version = 1;

    BasicLinUCB(detail::LinearArms<Backend> arms, double alpha) : arms_(std::move(arms)), alpha_(alpha) {}

    detail::LinearArms<Backend> arms_;  // first: its assignment may throw
    double alpha_;
};

using LinUCB = BasicLinUCB<>;

/// LinUCB with one linear model for all arms: an arm is a row of features of this request, so arms may come and go,
/// and what is learned from one holds for all.
///
///     bound(row) = row^T theta + alpha sqrt(row^T A^-1 row)
///
/// Cost      select, score: O(rows d^2);  update: O(d^2), no allocation;  memory: O(d^2)
/// Source    Chu et al., "Contextual bandits with linear payoff functions", AISTATS 2011 (algorithm 1)
template <kernels::HostBackend Backend = kernels::DefaultBackend>
class BasicSharedLinUCB {
public:
    /// Errors    InvalidArgument if dimension is 0, or an option is out of range
    explicit BasicSharedLinUCB(std::size_t dimension, const LinUCBOptions& options = {})
        : model_(1, dimension, options.lambda, options.forgetting), alpha_(options.alpha) {
        require_not_negative(alpha_, "LinUCB: alpha");
    }

    [[nodiscard]] std::size_t dimension() const noexcept { return model_.dimension(); }
    [[nodiscard]] LinUCBOptions options() const noexcept {
        return {.alpha = alpha_, .lambda = model_.lambda(), .forgetting = model_.forgetting()};
    }

    /// The row with the highest bound; ties go to the smaller position.
    ///
    /// Shapes    contexts: n x d, n > 0
    /// Errors    InvalidArgument if the shape does not match, or a number is not finite or not in [-1e9, 1e9]
    [[nodiscard]] std::size_t select(MatrixView<const float> contexts) const {
        require(contexts.rows() > 0, "SharedLinUCB::select: contexts must have at least one row");
        return detail::position_of_highest_bound(score(contexts), alpha_);
    }

    /// Estimate and width for each row.
    [[nodiscard]] std::vector<ArmEstimate> score(MatrixView<const float> contexts) const {
        return model_.estimates(contexts, true);
    }

    /// Learns the reward of the row that was chosen.
    ///
    /// Errors    InvalidArgument if the dimension does not match, or a number is not finite or not in [-1e9, 1e9]
    void update(std::span<const float> context, const float& reward) { model_.update(0, context, reward); }

    /// theta
    [[nodiscard]] std::vector<float> coefficients() const { return model_.factor(0).solution(); }

    /// Errors    IOError;  InvalidArgument if the policy is moved-from
    void save(const std::string& path) const {
        io::ContainerWriter file(kind, layout_version);
        const auto sections = model_.sections();
        file.value("alpha", alpha_);
        model_.write(file, sections);
        file.save(path);
    }

    /// Errors    IOError;  CorruptData if the file is damaged or holds something else
    [[nodiscard]] static BasicSharedLinUCB load(const std::string& path) {
        const io::ContainerReader file(path, kind, layout_version);
        const auto alpha = file.value<double>("alpha");
        file.check(math::is_finite(alpha) && alpha >= 0.0, "alpha", "must be finite and >= 0");
        auto model = detail::LinearArms<Backend>::read(file);
        file.check(model.size() == 1, "updates", "must have a number for one model");
        return {std::move(model), alpha};
    }

private:
    static constexpr std::string_view kind = "bandits.SharedLinUCB";
    static constexpr std::uint32_t layout_version = 1;

    BasicSharedLinUCB(detail::LinearArms<Backend> model, double alpha) : model_(std::move(model)), alpha_(alpha) {}

    detail::LinearArms<Backend> model_;  // first: its assignment may throw
    double alpha_;
};

using SharedLinUCB = BasicSharedLinUCB<>;

}  // namespace bandits
}  // namespace FUNNEL_ABI
}  // namespace funnel
