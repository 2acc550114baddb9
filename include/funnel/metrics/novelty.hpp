// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/metrics/item_list.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace metrics {

/// Self-information of an item, in bits: how surprising it is that a random user knows the item.
///
///     self_information = -log2(users who know the item / users)
///
/// An item that no user knows counts as known by one user, so the value is finite.
///
/// Errors    InvalidArgument unless known_by <= users and users > 0
[[nodiscard]] inline double self_information(std::size_t known_by, std::size_t users) {
    require(users > 0 && known_by <= users, "self_information: known_by must be <= users, and users must be > 0");
    return math::log2(static_cast<double>(users) / static_cast<double>(std::max<std::size_t>(1, known_by)));
}

/// Novelty of a list: the mean self-information of its items, also called mean inverse user frequency.
///
///     novelty = mean over shown items i of -log2(users(i) / users)
///
/// Novelty counts users, not interactions: repeated clicks of one user do not make an item better known.
///
/// Shapes    shown: item ids, or a result of recommend()
///           users_of_item: number of users who know each item, one per item of the catalogue
/// Returns   bits, from 0 (every shown item is known to every user) to log2(users); NaN for an empty list
/// Cost      O(n)
/// Errors    InvalidArgument if an id is outside the catalogue, users is 0, or an item is known by more than users
/// Source    Zhou et al., "Solving the apparent diversity-accuracy dilemma of recommender systems", PNAS 2010
template <ItemList L>
[[nodiscard]] double novelty(const L& shown, std::span<const std::uint32_t> users_of_item, std::size_t users) {
    double sum = 0.0;
    std::size_t n = 0;
    for (const auto& entry : shown) {
        sum += self_information(users_of_item[detail::checked_id(entry, users_of_item.size(), "novelty")], users);
        ++n;
    }
    return n > 0 ? sum / static_cast<double>(n) : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace metrics
}  // namespace FUNNEL_ABI
}  // namespace funnel
