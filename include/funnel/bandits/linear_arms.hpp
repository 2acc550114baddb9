// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/portable_math.hpp>
#include <funnel/io/container.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/linalg/cholesky_update.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <span>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace bandits {

/// What a linear model of an arm says about a context x. The width falls as the arm is tried in similar contexts.
///
///     mean = x^T A^-1 b,   width = sqrt(x^T A^-1 x)
struct ArmEstimate {
    double mean = 0.0;
    double width = 0.0;  ///< >= 0; |x| / sqrt(lambda) for an arm that was never tried

    friend bool operator==(const ArmEstimate&, const ArmEstimate&) = default;
};

namespace detail {

// With contexts, rewards and lambda in these limits, all numbers of a model stay finite in float.
inline constexpr float largest_input = 1e9F;
inline constexpr double least_lambda = 1e-9;
inline constexpr double least_forgetting = 1e-9;

// Compares bits, which finds NaN and infinity under -ffast-math too.
[[nodiscard]] inline bool is_valid_input(const float& x) noexcept {
    return (std::bit_cast<std::uint32_t>(x) & 0x7FFF'FFFFU) <= std::bit_cast<std::uint32_t>(largest_input);
}

inline void require_context(std::span<const float> context, std::size_t dimension) {
    require_equal(context.size(), dimension, "linear bandit: size of the context");
    require(std::all_of(context.begin(), context.end(), is_valid_input),
            "linear bandit: the context must be finite and lie in [-1e9, 1e9]");
}

inline void require_contexts(MatrixView<const float> contexts, std::size_t dimension) {
    require_equal(contexts.cols(), dimension, "linear bandit: columns of the contexts");
    for (std::size_t i = 0; i < contexts.rows(); ++i) {
        require_context(contexts.row(i), dimension);
    }
}

/// The position of the largest value; ties go to the smaller position.
[[nodiscard]] inline std::size_t position_of_best(std::span<const double> values) noexcept {
    return static_cast<std::size_t>(std::max_element(values.begin(), values.end()) - values.begin());
}

/// Ridge regressions of rewards on contexts, one per arm, each learned one observation at a time. With forgetting
/// gamma, older observations count less:
///
///     A = L + sum over t of gamma^(n - t) x_t x_t^T,   b = sum over t of gamma^(n - t) r_t x_t
///
/// n counts the updates of the arm. L is lambda I without forgetting. Otherwise it would vanish with the observations
/// and leave A singular; so each update brings the next of its elements back to lambda, in turn, and as many of them
/// that none falls much below lambda / 2. They are rotations too, so that no update needs more than O(d^2), unless the
/// memory of 1 / (1 - gamma) observations is shorter than d.
template <kernels::HostBackend Backend = kernels::DefaultBackend>
class LinearArms {
public:
    using Factor = linalg::CholeskyFactor<float, Backend>;

    LinearArms(std::size_t arms, std::size_t dimension, double lambda, double forgetting)
        : dimension_(dimension), lambda_(lambda), forgetting_(forgetting) {
        require_at_least(arms, 1, "linear bandit: arms");
        require_at_least(dimension, 1, "linear bandit: dimension");
        require_between(lambda, least_lambda, static_cast<double>(largest_input), "linear bandit: lambda");
        require_between(forgetting, least_forgetting, 1.0, "linear bandit: forgetting");
        add(arms);
    }

    LinearArms(const LinearArms&) = default;
    LinearArms(LinearArms&&) noexcept = default;
    LinearArms& operator=(const LinearArms& other) { return *this = LinearArms(other); }  // strong guarantee
    LinearArms& operator=(LinearArms&&) noexcept = default;
    ~LinearArms() = default;

    [[nodiscard]] std::size_t size() const noexcept { return arms_.size(); }
    [[nodiscard]] std::size_t dimension() const noexcept { return dimension_; }
    [[nodiscard]] double lambda() const noexcept { return lambda_; }
    [[nodiscard]] double forgetting() const noexcept { return forgetting_; }
    [[nodiscard]] std::uint64_t updates(std::size_t arm) const noexcept { return arms_[arm].updates; }
    [[nodiscard]] const Factor& factor(std::size_t arm) const noexcept FUNNEL_LIFETIMEBOUND {
        return arms_[arm].factor;
    }

    void add(std::size_t count) { arms_.insert(arms_.end(), count, Arm{Factor(dimension_, lambda_)}); }

    void update(std::size_t arm, std::span<const float> context, const float& reward) {
        require_below(arm, arms_.size(), "linear bandit: arm");
        require_context(context, dimension_);
        require(is_valid_input(reward), "linear bandit: the reward must be finite and lie in [-1e9, 1e9]");
        Arm& chosen = arms_[arm];
        if (forgetting_ < 1.0) {
            chosen.factor.scale(forgetting_);
        }
        chosen.factor.update(context, reward);
        ++chosen.updates;
        if (forgetting_ < 1.0) {
            restore_ridge(chosen);
        }
    }

    /// One context for all arms.
    [[nodiscard]] std::vector<ArmEstimate> estimates(std::span<const float> context) const {
        require_context(context, dimension_);
        return estimates_of(arms_.size(), [&](std::size_t) { return context; });
    }

    /// Context i is for arm i; with `is_shared`, all are for the only arm.
    [[nodiscard]] std::vector<ArmEstimate> estimates(MatrixView<const float> contexts, bool is_shared = false) const {
        if (!is_shared) {
            require_equal(contexts.rows(), arms_.size(), "linear bandit: rows of the contexts");
        }
        require_contexts(contexts, dimension_);
        return estimates_of(contexts.rows(), [&](std::size_t i) { return contexts.row(i); });
    }

    /// What save() writes; must live until the file is saved.
    struct Sections {
        std::vector<float> factors;
        std::vector<double> inverse_diagonals;
        std::vector<std::uint64_t> updates;
    };

    [[nodiscard]] Sections sections() const {
        require_arms();
        Sections all;
        for (const Arm& arm : arms_) {
            for (std::size_t k = 0; k < dimension_; ++k) {
                for (const float element : arm.factor.upper_row(k)) {
                    all.factors.push_back(element);
                }
            }
            for (const double element : arm.factor.inverse_diagonal()) {
                all.inverse_diagonals.push_back(element);
            }
            all.updates.push_back(arm.updates);
        }
        return all;
    }

    void write(io::ContainerWriter& file, const Sections& sections) const {
        file.value("dimension", static_cast<std::uint64_t>(dimension_));
        file.value("lambda", lambda_);
        file.value("forgetting", forgetting_);
        file.array("factors", sections.factors);
        file.array("inverse_diagonals", sections.inverse_diagonals);
        file.array("updates", sections.updates);
    }

    [[nodiscard]] static LinearArms read(const io::ContainerReader& file) {
        const auto dimension = file.value<std::uint64_t>("dimension");
        file.check(dimension >= 1 && dimension <= std::uint64_t{1} << 24, "dimension", "must lie in [1, 2^24]");
        const auto lambda = file.value<double>("lambda");
        file.check(math::is_finite(lambda) && lambda >= least_lambda && lambda <= static_cast<double>(largest_input),
                   "lambda", "must lie in [1e-9, 1e9]");
        const auto forgetting = file.value<double>("forgetting");
        file.check(math::is_finite(forgetting) && forgetting >= least_forgetting && forgetting <= 1.0, "forgetting",
                   "must lie in [1e-9, 1]");
        const auto updates = file.array<std::uint64_t>("updates");
        file.check(!updates.empty(), "updates", "must have a number for at least one arm");
        const auto d = static_cast<std::size_t>(dimension);
        const auto factors = file.array<float>("factors", math::saturating_multiply(updates.size(), d * (d + 1) / 2));
        const auto diagonals = file.array<double>("inverse_diagonals", math::saturating_multiply(updates.size(), d));
        file.check(math::all_finite(factors), "factors", "must be finite");
        file.check(std::all_of(diagonals.begin(), diagonals.end(),
                               [](const double& x) { return math::is_finite(x) && x > 0.0; }),
                   "inverse_diagonals", "must be finite and > 0");

        LinearArms arms(updates.size(), d, lambda, forgetting);
        std::size_t at = 0;
        for (std::size_t i = 0; i < updates.size(); ++i) {
            Arm& arm = arms.arms_[i];
            arm.updates = updates[i];
            for (std::size_t k = 0; k < d; ++k) {
                const auto row = arm.factor.upper_row(k);
                std::copy_n(factors.begin() + static_cast<std::ptrdiff_t>(at), row.size(), row.begin());
                at += row.size();
            }
            std::copy_n(diagonals.begin() + static_cast<std::ptrdiff_t>(i * d), d,
                        arm.factor.inverse_diagonal().begin());
        }
        return arms;
    }

private:
    struct Arm {
        Factor factor;
        std::uint64_t updates = 0;
    };

    void require_arms() const { require(!arms_.empty(), "linear bandit: must not be moved-from"); }

    template <class ContextOf>
    [[nodiscard]] std::vector<ArmEstimate> estimates_of(std::size_t count, const ContextOf& context_of) const {
        require_arms();
        std::vector<ArmEstimate> all(count);
        std::vector<float> work(arms_[0].factor.workspace());
        for (std::size_t i = 0; i < count; ++i) {
            const Arm& arm = arms_[arms_.size() == 1 ? 0 : i];
            const auto found = arm.factor.estimate(context_of(i), std::span<float>(work));
            all[i] = {.mean = found.mean, .width = math::sqrt(found.quadratic_form)};
        }
        return all;
    }

    // How many elements of L one update restores: none then loses more than about half before its turn.
    [[nodiscard]] std::uint64_t restored_per_update() const noexcept {
        const double needed =
            -static_cast<double>(dimension_) * funnel::detail::portable_log(forgetting_) / std::numbers::ln2;
        return needed >= static_cast<double>(dimension_) ? dimension_ : static_cast<std::uint64_t>(needed) + 1;
    }

    void restore_ridge(Arm& arm) const {
        const std::uint64_t d = dimension_;
        const std::uint64_t per_update = std::min(restored_per_update(), d);
        const double log_forgetting = funnel::detail::portable_log(forgetting_);
        for (std::uint64_t turn = (arm.updates - 1) * per_update; turn < arm.updates * per_update; ++turn) {
            // Number of the update after which the element was lambda; at the start, all were.
            const std::uint64_t before = turn >= d ? (turn - d) / per_update + 1 : 0;
            const double left =
                funnel::detail::portable_exp(log_forgetting * static_cast<double>(arm.updates - before));
            arm.factor.add_to_diagonal(turn % d, lambda_ * (1.0 - left));
        }
    }

    std::size_t dimension_;
    double lambda_;
    double forgetting_;
    std::vector<Arm> arms_;
};

}  // namespace detail
}  // namespace bandits
}  // namespace FUNNEL_ABI
}  // namespace funnel
