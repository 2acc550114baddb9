// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>
#include <funnel/core/options.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace rerank {

/// A rule: some places belong to another list, such as new items to explore, or surprising ones (serendipity). Only its
/// candidates take them, and they take no others.
///
/// The selection chooses among the candidates of the list. If the list itself decides which one is shown, as a bandit
/// does whose propensities are logged, pin its choice instead: pin_in_order().
///
///     soft("explore", ReservedPlaces(n, {{4, 9}}, new_items))
///
/// Shapes    n: number of candidates;  places: 0 is the first;  list: positions of candidates
/// Cost      allows: O(log p) for p places
/// Errors    InvalidArgument if the list has a position that is not below n
class ReservedPlaces {
public:
    ReservedPlaces(std::size_t n, std::vector<std::size_t> places, std::span<const std::size_t> list)
        : places_(std::move(places)), is_listed_(n, false) {
        std::sort(places_.begin(), places_.end());
        for (const std::size_t candidate : list) {
            require_below(candidate, n, "ReservedPlaces: position in the list");
            is_listed_[candidate] = true;
        }
    }

    [[nodiscard]] std::size_t candidates() const noexcept { return is_listed_.size(); }

    [[nodiscard]] bool allows(std::size_t candidate) const noexcept {
        return is_listed_[candidate] == std::binary_search(places_.begin(), places_.end(), next_);
    }
    void place(std::size_t) noexcept { ++next_; }

private:
    std::vector<std::size_t> places_;  // ascending
    std::vector<bool> is_listed_;
    std::size_t next_ = 0;
};

}  // namespace rerank
}  // namespace FUNNEL_ABI
}  // namespace funnel
