// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/bandits/index_policy.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/options.hpp>

#include <string_view>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace bandits {

struct UCB1Options {
    double exploration = 2.0;  ///< c in the formula, >= 0; 1.5 for CascadeUCB1
};

/// The bound of UCB1.
class UCB1Index {
public:
    using Options = UCB1Options;
    static constexpr std::string_view kind = "bandits.UCB1";

    explicit UCB1Index(const UCB1Options& options) : exploration_(options.exploration) {
        require_not_negative(exploration_, "UCB1: exploration");
    }

    [[nodiscard]] static bool is_valid(double exploration) noexcept {
        return math::is_finite(exploration) && exploration >= 0.0;
    }
    [[nodiscard]] double parameter() const noexcept { return exploration_; }

    [[nodiscard]] double operator()(const ArmSummary& arm, double log_total) const noexcept {
        return arm.mean + math::sqrt(exploration_ * log_total / static_cast<double>(arm.plays));
    }

private:
    double exploration_;
};

/// UCB1: plays the arm whose mean reward would be largest if each were as high as its confidence interval allows.
///
///     index(i) = mean_i + sqrt(c log(t) / n_i),   n_i plays of arm i, t plays of all arms
///
/// Regret    O(sum over arms of log(t) / gap) for rewards in [0, 1]
/// Source    Auer et al., "Finite-time analysis of the multiarmed bandit problem", Machine Learning 2002 (figure 1)
using UCB1 = IndexPolicy<UCB1Index>;

}  // namespace bandits
}  // namespace FUNNEL_ABI
}  // namespace funnel
