// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/bandits/index_policy.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/portable_math.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <span>
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
        double bound = 0.0;
        bounds(std::span(&arm, 1), log_total, std::span(&bound, 1));
        return bound;
    }

    /// The bounds of all arms at once, with the same bits as those of each arm alone.
    ///
    /// Shapes    arms, out: n
    void bounds(std::span<const ArmSummary> arms, double log_total, std::span<double> out) const noexcept {
        FUNNEL_ASSERT(arms.size() == out.size());
        const double log_log = log_log_ > 0.0 && log_total > 0.0 ? funnel::detail::portable_log(log_total) : 0.0;
        const double exploration = std::max(0.0, math::fma(log_log_, log_log, log_total));
        Block block;
        for (std::size_t i = 0; i < arms.size(); ++i) {
            const double mean = std::clamp(arms[i].mean, 0.0, 1.0);
            const double budget = exploration / static_cast<double>(arms[i].plays);
            if (mean >= 1.0 || budget <= 0.0) {
                out[i] = mean;
            } else if (mean < 1e-300) {  // 0, or nearly: the logarithm below needs a normal number
                out[i] = 1.0 - funnel::detail::portable_exp(-budget);
            } else {
                block.add(mean, budget, i);
                if (block.count == lanes) {
                    block.flush(out);
                }
            }
        }
        block.flush(out);
    }

private:
    static constexpr std::size_t lanes = 8;
    using Numbers = std::array<double, lanes>;

    // Arms that are solved together, in loops over lanes that a compiler vectorizes. Every fma is explicit, so that a
    // bound does not depend on the other lanes, or on what the compiler makes of the loops.
    struct Block {
        Numbers mean;
        Numbers budget;
        std::array<std::size_t, lanes> position;
        std::size_t count = 0;

        void add(double some_mean, double some_budget, std::size_t at) noexcept {
            mean[count] = some_mean;
            budget[count] = some_budget;
            position[count++] = at;
        }

        void flush(std::span<double> out) noexcept {
            if (count == 0) {
                return;
            }
            std::fill(mean.begin() + static_cast<std::ptrdiff_t>(count), mean.end(), mean[0]);
            std::fill(budget.begin() + static_cast<std::ptrdiff_t>(count), budget.end(), budget[0]);
            const Numbers largest = largest_means(mean, budget);
            for (std::size_t j = 0; j < count; ++j) {
                out[position[j]] = largest[j];
            }
            count = 0;
        }
    };

    // The largest q with kl(mean, q) <= budget, for means in (0, 1) and budgets > 0.
    [[nodiscard]] static Numbers largest_means(const Numbers& mean, const Numbers& budget) noexcept {
        constexpr double below_one = 1.0 - 0x1p-53;
        // Two upper bounds: kl >= 2 (q - mean)^2 (Pinsker), and kl >= mean log(mean) + (1 - mean) log((1 - mean) / (1 -
        // q)). kl is convex in q, so Newton's method falls towards the solution from there.
        Numbers exponent;
        for (std::size_t j = 0; j < lanes; ++j) {
            exponent[j] = math::fma(mean[j], funnel::detail::portable_log(mean[j]), -budget[j]) / (1.0 - mean[j]);
        }
        Numbers q;
        for (std::size_t j = 0; j < lanes; ++j) {
            const double left = funnel::detail::portable_exp(exponent[j]);
            const double least = std::min(mean[j] + math::sqrt(budget[j] / 2.0), math::fma(mean[j] - 1.0, left, 1.0));
            q[j] = std::max(mean[j], std::min(least, below_one));
        }
        int falls = 1;
        for (int step = 0; step < 50 && falls > 0; ++step) {
            falls = 0;
            for (std::size_t j = 0; j < lanes; ++j) {
                const double p = mean[j];
                const double log_ratio = funnel::detail::portable_log(p / q[j]);
                const double log_other = funnel::detail::portable_log((1.0 - p) / (1.0 - q[j]));
                const double excess = math::fma(p, log_ratio, math::fma(1.0 - p, log_other, -budget[j]));
                const double rise = std::max(q[j] - p, std::numeric_limits<double>::min());
                const double next = q[j] - excess * q[j] * (1.0 - q[j]) / rise;
                const bool is_lower = next < q[j] - 1e-16;
                q[j] = is_lower ? std::max(p, next) : q[j];  // rounding may lead below p
                falls |= is_lower ? 1 : 0;
            }
        }
        return q;
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
