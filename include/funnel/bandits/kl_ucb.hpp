// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/bandits/index_policy.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/portable_math.hpp>

#include <algorithm>
#include <string_view>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace bandits {

struct KLUCBOptions {
    double log_log = 0.0;  ///< c in the formula, >= 0; the proof needs 3, practice prefers 0
};

/// The bound of KLUCB.
class KLUCBIndex {
public:
    using Options = KLUCBOptions;
    static constexpr std::string_view kind = "bandits.KLUCB";

    explicit KLUCBIndex(const KLUCBOptions& options) : log_log_(options.log_log) {
        require_not_negative(log_log_, "KLUCB: log_log");
    }

    [[nodiscard]] static bool is_valid(double log_log) noexcept { return math::is_finite(log_log) && log_log >= 0.0; }
    [[nodiscard]] double parameter() const noexcept { return log_log_; }

    [[nodiscard]] double operator()(const ArmSummary& arm, double log_total) const noexcept {
        const double log_log = log_log_ > 0.0 && log_total > 0.0 ? funnel::detail::portable_log(log_total) : 0.0;
        return largest_mean(std::clamp(arm.mean, 0.0, 1.0),
                            std::max(0.0, log_total + log_log_ * log_log) / static_cast<double>(arm.plays));
    }

private:
    // x log(x / y), 0 for x = 0.
    [[nodiscard]] static double term(double x, double y) noexcept {
        return x > 0.0 ? x * funnel::detail::portable_log(x / y) : 0.0;
    }

    // The largest q with kl(mean, q) <= budget.
    [[nodiscard]] static double largest_mean(double mean, double budget) noexcept {
        constexpr double below_one = 1.0 - 0x1p-53;
        if (mean >= 1.0 || budget <= 0.0) {
            return mean;
        }
        if (mean < 1e-300) {  // 0, or nearly: the logarithm below needs a normal number
            return 1.0 - funnel::detail::portable_exp(-budget);
        }
        // Two upper bounds: kl >= 2 (q - mean)^2 (Pinsker), and kl >= mean log(mean) + (1 - mean) log((1 - mean) / (1 -
        // q)). kl is convex in q, so Newton's method falls towards the solution from there.
        const double entropy = mean * funnel::detail::portable_log(mean);
        double q = std::min({mean + math::sqrt(budget / 2.0),
                             1.0 - (1.0 - mean) * funnel::detail::portable_exp(-(budget - entropy) / (1.0 - mean)),
                             below_one});
        for (int step = 0; step < 50 && q > mean; ++step) {
            const double excess = term(mean, q) + term(1.0 - mean, 1.0 - q) - budget;
            const double next = q - excess * q * (1.0 - q) / (q - mean);
            if (!(next < q - 1e-16)) {
                break;
            }
            q = next;
        }
        return std::max(q, mean);
    }

    double log_log_;
};

/// KL-UCB: as UCB1, with confidence bounds from the divergence of Bernoulli distributions. They are much tighter for
/// means near 0 or 1, as of click rates, and the regret reaches the lower bound of Lai and Robbins.
///
///     index(i) = the largest q with n_i kl(mean_i, q) <= log(t) + c log(log(t))
///     kl(p, q) = p log(p / q) + (1 - p) log((1 - p) / (1 - q))
///
/// Cost      a few Newton steps per arm and selection
/// Source    Garivier and Cappe, "The KL-UCB algorithm for bounded stochastic bandits and beyond", COLT 2011
using KLUCB = IndexPolicy<KLUCBIndex>;

}  // namespace bandits
}  // namespace FUNNEL_ABI
}  // namespace funnel
