// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/options.hpp>
#include <funnel/rerank/fill_slate.hpp>
#include <funnel/rerank/group_cap.hpp>
#include <funnel/rerank/group_quota.hpp>
#include <funnel/rerank/groups.hpp>
#include <funnel/rerank/slate_rules.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace rerank {

/// How many items of a group a slate may have.
struct GroupBounds {
    std::uint64_t group;                      ///< the name that the caller uses
    std::size_t at_least = 0;                 ///< minimum number of items
    std::optional<std::size_t> at_most = {};  ///< >= at_least; not set: no maximum
};

struct BoundedSlate {
    std::vector<std::size_t> slate;  ///< positions, in slate order
    std::vector<Shortage> short_of;  ///< minimums that are not met; empty: all bounds hold
};

/// Fills a slate in the order of scores, with a minimum and a maximum number of items per group.
///
///     maximize the sum of the scores   subject to   at_least(g) <= items of group g <= at_most(g)
///
/// With one group per candidate at most, the slate is the best one for scores that add up. With several groups per
/// candidate, the problem is NP-hard and the selection is greedy.
///
/// A maximum is never exceeded: if nothing else is left, the slate is shorter. A minimum that cannot be met is met as
/// far as possible and reported. For rules about places, pins, or another order in which bounds give way, write
/// SlateRules.
///
/// Shapes    scores: n, such as weighted_sum() or chebyshev();  groups: of n candidates
/// Returns   min(k, n) positions, or fewer if the maximums allow no more; ties go to the smaller position
/// Cost      that of fill_slate under a GroupCap and a GroupQuota
/// Errors    InvalidArgument if the sizes differ, a score is not finite, a group has two entries, or a maximum is below
///           its minimum
[[nodiscard]] inline BoundedSlate constrained_greedy(std::span<const float> scores, const Groups& groups,
                                                     std::span<const GroupBounds> bounds, std::size_t k) {
    require_equal(groups.candidates(), scores.size(), "constrained_greedy: candidates of groups");
    GroupCapOptions caps{.at_most = std::numeric_limits<std::size_t>::max()};
    std::vector<Quota> quotas;
    for (std::size_t b = 0; b < bounds.size(); ++b) {
        const GroupBounds& bound = bounds[b];
        for (std::size_t other = 0; other < b; ++other) {
            if (bounds[other].group == bound.group) {
                raise<InvalidArgument>("constrained_greedy: bounds must name each group once, got group " +
                                       std::to_string(bound.group) + " twice");
            }
        }
        if (bound.at_least > 0) {
            quotas.push_back({.group = bound.group, .at_least = bound.at_least});
        }
        if (bound.at_most) {
            require_at_least(*bound.at_most, bound.at_least, "constrained_greedy: at_most");
            caps.except.push_back({.group = bound.group, .at_most = *bound.at_most});
        }
    }
    SlateRules rules({.candidates = scores.size(), .places = k}, hard("at most", GroupCap(groups, caps)),
                     soft("at least", GroupQuota(groups, k, quotas)));
    BoundedSlate result{fill_slate(scores, k, rules), {}};
    for (const NamedShortage& shortage : rules.report().short_of) {
        result.short_of.push_back(shortage.shortage);
    }
    return result;
}

}  // namespace rerank
}  // namespace FUNNEL_ABI
}  // namespace funnel
