// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/options.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace rerank {

/// A candidate and the place that it must take; 0 is the first place.
struct Pin {
    std::size_t candidate;
    std::size_t place;

    friend bool operator==(const Pin&, const Pin&) = default;
};

/// Pins for a list that has places of its own in the slate, such as the arms that a bandit selected for exploration.
///
///     pin_in_order(places, policy.select(places.size()))
///
/// Shapes    places: m;  candidates: m or fewer, for the first of the places
/// Errors    InvalidArgument if there are more candidates than places
[[nodiscard]] inline std::vector<Pin> pin_in_order(std::span<const std::size_t> places,
                                                   std::span<const std::size_t> candidates) {
    require(candidates.size() <= places.size(), "pin_in_order: there must be a place for each candidate");
    std::vector<Pin> pins;
    pins.reserve(candidates.size());
    for (std::size_t i = 0; i < candidates.size(); ++i) {
        pins.push_back({candidates[i], places[i]});
    }
    return pins;
}

/// A rule: pinned candidates take their places, and no others.
///
/// If the selection takes a pinned candidate early, because no other was left, its place is free again.
///
/// Cost      O(p) per call for p pins
/// Errors    InvalidArgument if a candidate or a place is out of range, or two pins have the same place or candidate
class Pins {
public:
    /// n candidates for `places` places, of which min(places, n) can be filled.
    Pins(std::size_t n, std::size_t places, std::span<const Pin> pins)
        : candidates_(n), pins_(pins.begin(), pins.end()) {
        std::sort(pins_.begin(), pins_.end(), [](const Pin& a, const Pin& b) { return a.place < b.place; });
        for (std::size_t i = 0; i < pins_.size(); ++i) {
            require_below(pins_[i].candidate, n, "Pins: candidate");
            require_below(pins_[i].place, std::min(places, n), "Pins: place");
            for (std::size_t j = 0; j < i; ++j) {
                if (pins_[i].place == pins_[j].place) {
                    raise<InvalidArgument>("Pins: place " + std::to_string(pins_[i].place) + " has two pins");
                }
                if (pins_[i].candidate == pins_[j].candidate) {
                    raise<InvalidArgument>("Pins: candidate " + std::to_string(pins_[i].candidate) + " has two pins");
                }
            }
        }
    }

    [[nodiscard]] std::size_t candidates() const noexcept { return candidates_; }

    [[nodiscard]] bool allows(std::size_t candidate) const noexcept {
        if (is_pinned_place()) {
            return pins_.front().candidate == candidate;
        }
        return std::none_of(pins_.begin(), pins_.end(), [&](const Pin& pin) { return pin.candidate == candidate; });
    }

    void place(std::size_t candidate) {
        std::erase_if(pins_, [&](const Pin& pin) { return pin.candidate == candidate || pin.place == next_; });
        ++next_;
    }

    /// Removes the pin of a candidate, which may take any place then.
    void drop(std::size_t candidate) {
        std::erase_if(pins_, [&](const Pin& pin) { return pin.candidate == candidate; });
    }

    /// Whether the next place has a pin.
    [[nodiscard]] bool is_pinned_place() const noexcept { return !pins_.empty() && pins_.front().place == next_; }

    /// The pins whose places are still to come, in the order of the places.
    [[nodiscard]] std::span<const Pin> left() const noexcept FUNNEL_LIFETIMEBOUND { return pins_; }

private:
    std::size_t candidates_;
    std::vector<Pin> pins_;  // by place
    std::size_t next_ = 0;
};

}  // namespace rerank
}  // namespace FUNNEL_ABI
}  // namespace funnel
