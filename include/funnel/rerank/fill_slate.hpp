// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/rerank/similarities.hpp>
#include <funnel/rerank/slate_rule.hpp>

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace rerank {

/// Fills a slate in the order of relevance, under a rule: each place gets the most relevant remaining candidate that
/// the rule allows there. Ties go to the smaller position.
///
///     fill_slate(relevance, 10, GroupCap(genres, {.at_most = 2}))
///
/// Shapes    relevance: n;  rule: about the candidates 0 .. n - 1; it is changed: use a new one for the next slate
/// Returns   positions, in slate order: min(k, n), or fewer if the rule allows no candidate at a place
/// Cost      O(n log n) and up to n k questions to the rule
/// Errors    InvalidArgument if a relevance is not finite, or the rule is about another number of candidates
template <class R = AnyCandidate>
    requires SlateRule<std::remove_cvref_t<R>>
[[nodiscard]] std::vector<std::size_t> fill_slate(std::span<const float> relevance, std::size_t k, R&& rule = {}) {
    detail::require_finite_relevance(relevance, "fill_slate");
    detail::require_rule_of(rule, relevance.size(), "fill_slate");
    std::vector<std::size_t> remaining(relevance.size());
    std::iota(remaining.begin(), remaining.end(), std::size_t{0});
    std::sort(remaining.begin(), remaining.end(), [&](std::size_t a, std::size_t b) {
        return relevance[a] != relevance[b] ? relevance[a] > relevance[b] : a < b;
    });

    std::vector<std::size_t> slate;
    std::vector<bool> is_taken(remaining.size(), false);  // by place in `remaining`
    std::size_t first = 0;                                // all before it are taken
    while (slate.size() < k) {
        while (first < remaining.size() && is_taken[first]) {
            ++first;
        }
        std::size_t next = first;
        while (next < remaining.size() &&
               (is_taken[next] || !static_cast<bool>(std::as_const(rule).allows(remaining[next])))) {
            ++next;
        }
        if (next == remaining.size()) {
            break;
        }
        slate.push_back(remaining[next]);
        rule.place(remaining[next]);
        is_taken[next] = true;
    }
    return slate;
}

}  // namespace rerank
}  // namespace FUNNEL_ABI
}  // namespace funnel
