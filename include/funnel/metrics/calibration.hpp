// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/options.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace metrics {

/// Weight of the item at a rank, for the distribution of a list.
enum class RankWeights : std::uint8_t {
    Equal,       ///< 1
    Logarithmic  ///< 1 / log2(rank + 1): the first items count more
};

/// Distribution of a list over groups (genres): each item spreads the weight of its rank equally over its groups.
///
/// Shapes    groups_of: one set of groups per item, best rank first: spans of numbers below `groups`
/// Returns   one share per group, with sum 1; all 0 if no item has a group
/// Errors    InvalidArgument if a group is outside
template <class Sets>
[[nodiscard]] std::vector<double> group_shares(const Sets& groups_of, std::size_t groups,
                                               RankWeights weights = RankWeights::Equal) {
    std::vector<double> shares(groups, 0.0);
    double total = 0.0;
    std::size_t rank = 0;
    for (const auto& set : groups_of) {
        ++rank;
        const double weight = weights == RankWeights::Equal ? 1.0 : 1.0 / math::log2(static_cast<double>(rank) + 1.0);
        for (const auto group : set) {
            require_below(static_cast<std::size_t>(group), groups, "group_shares: groups");
            shares[static_cast<std::size_t>(group)] += weight / static_cast<double>(std::size(set));
        }
        total += std::size(set) > 0 ? weight : 0.0;
    }
    for (double& share : shares) {
        share = total > 0.0 ? share / total : 0.0;
    }
    return shares;
}

namespace detail {

inline void require_shares(std::span<const double> target, std::span<const double> shown, const char* function) {
    require_equal(shown.size(), target.size(), function);
    for (const std::span<const double> shares : {target, shown}) {
        double sum = 0.0;
        for (const double& share : shares) {
            require_not_negative(share, function);
            sum += share;
        }
        if (!(math::abs(sum - 1.0) <= 1e-6)) {
            raise<InvalidArgument>(std::string(function) + " must have the sum 1, got " +
                                   funnel::detail::shortest(sum));
        }
    }
}

}  // namespace detail

struct MiscalibrationOptions {
    double smoothing = 0.01;  ///< how much of the target is mixed into the list, so that the value is finite; in (0, 1)
};

/// Miscalibration: how far the groups of a list are from those that the user consumes. 0 if the shares are equal.
///
///     KL(p || q~) = sum over groups g of p_g ln(p_g / q~_g),    q~ = (1 - smoothing) q + smoothing p
///
/// Shapes    target: p, the shares in the history;  shown: q, the shares in the list (see group_shares)
/// Returns   nats, >= 0 up to rounding and at most ln(1 / smoothing)
/// Errors    InvalidArgument if the sizes differ, a share is negative or not finite, a sum is not 1, or smoothing is
///           not in (0, 1)
/// Source    Steck, "Calibrated recommendations", RecSys 2018
[[nodiscard]] inline double miscalibration(std::span<const double> target, std::span<const double> shown,
                                           const MiscalibrationOptions& options = {}) {
    require_inside(options.smoothing, 0.0, 1.0, "miscalibration: smoothing");
    detail::require_shares(target, shown, "miscalibration: shares");
    double sum = 0.0;
    for (std::size_t group = 0; group < target.size(); ++group) {
        const double smoothed = (1.0 - options.smoothing) * shown[group] + options.smoothing * target[group];
        sum += target[group] > 0.0 ? target[group] * math::log(target[group] / smoothed) : 0.0;
    }
    return sum;
}

/// Hellinger distance between the groups of a list and those that the user consumes. It needs no smoothing.
///
///     sqrt(sum over groups of (sqrt(p_g) - sqrt(q_g))^2 / 2)
///
/// Shapes    as miscalibration
/// Returns   a value in [0, 1]; 1 if they share no group
/// Errors    InvalidArgument if the sizes differ, a share is negative or not finite, or a sum is not 1
[[nodiscard]] inline double hellinger_distance(std::span<const double> target, std::span<const double> shown) {
    detail::require_shares(target, shown, "hellinger_distance: shares");
    double sum = 0.0;
    for (std::size_t group = 0; group < target.size(); ++group) {
        const double difference = math::sqrt(target[group]) - math::sqrt(shown[group]);
        sum += difference * difference;
    }
    return math::sqrt(sum / 2.0);
}

}  // namespace metrics
}  // namespace FUNNEL_ABI
}  // namespace funnel
