// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/item_filter.hpp>
#include <funnel/core/sparse.hpp>
#include <funnel/core/top_k.hpp>
#include <funnel/data/interaction_log.hpp>
#include <funnel/data/user_item_matrix.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <queue>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace content {

struct OnboardingOptions {
    std::size_t k = 10;  ///< number of items to ask about
};

/// Items to ask a new user about: each next one is known by the most users who know none of those before it.
///
///     for (const std::uint32_t item : onboarding_items(log, {.k = 12})) { ... }
///
/// The most popular items are liked by the same people, so most answers to them say nothing new. This list covers
/// users: at least 1 - 1/e = 63 % as many of them know one of its items as for the best list of k. If all users with a
/// history are covered, a new round begins, in which each user counts again. The filter decides which items may be
/// asked about.
///
/// Returns   at most k items; fewer if fewer have an interaction and pass
/// Cost      O(rows + items log items) for each round, as gains are updated only when they might be the largest
/// Source    Nemhauser, Wolsey & Fisher, "An analysis of approximations for maximizing submodular set functions", 1978;
///           Minoux, "Accelerated greedy algorithms", 1978; the task: Rashid et al., "Getting to know you", IUI 2002
template <data::InteractionLog Log, ItemFilter Filter = AcceptAll>
[[nodiscard]] std::vector<std::uint32_t> onboarding_items(const Log& log, const OnboardingOptions& options = {},
                                                          const Filter& filter = {}) {
    const CSRMatrix<float> users_of = data::user_item_matrix(log).transposed();
    std::vector<bool> is_covered(users_of.cols());
    const auto gain = [&](std::uint32_t item) {
        const auto users = users_of.row(item).columns;
        return static_cast<std::size_t>(
            std::count_if(users.begin(), users.end(), [&](std::uint32_t user) { return !is_covered[user]; }));
    };
    struct Offer {
        std::size_t gain;
        std::uint32_t item;
        bool operator<(const Offer& other) const noexcept {
            return gain != other.gain ? gain < other.gain : item > other.item;
        }
    };
    std::vector<Offer> rest;
    for (std::uint32_t item = 0; item < users_of.rows(); ++item) {
        if (users_of.row(item).size() > 0 && filter(item)) {
            rest.push_back({0, item});
        }
    }
    std::vector<std::uint32_t> picks;
    while (picks.size() < options.k && !rest.empty()) {
        std::fill(is_covered.begin(), is_covered.end(), false);
        for (Offer& offer : rest) {
            offer.gain = gain(offer.item);
        }
        std::priority_queue<Offer> queue({}, std::move(rest));
        rest.clear();
        while (picks.size() < options.k && !queue.empty()) {
            Offer best = queue.top();
            queue.pop();
            if (best.gain == 0) {  // nobody new: for the next round
                rest.push_back(best);
                continue;
            }
            best.gain = gain(best.item);  // it may have fallen since, but never risen
            if (!queue.empty() && best < queue.top()) {
                queue.push(best);
                continue;
            }
            picks.push_back(best.item);
            for (const std::uint32_t user : users_of.row(best.item).columns) {
                is_covered[user] = true;
            }
        }
    }
    return picks;
}

}  // namespace content
}  // namespace FUNNEL_ABI
}  // namespace funnel
