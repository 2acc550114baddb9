// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/options.hpp>
#include <funnel/rerank/groups.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace rerank {

/// At least so many items of a group in the first `within` places of a slate.
struct Quota {
    std::uint64_t group;                     ///< the name that the caller uses
    std::size_t at_least = 1;                ///< minimum number of items of the group ...
    std::optional<std::size_t> within = {};  ///< ... in the first `within` places; not set: in the whole slate
};

/// A quota that is not met, and the number of items that the slate has, or can have, instead.
struct Shortage {
    Quota quota;
    std::size_t found;

    friend bool operator==(const Shortage& a, const Shortage& b) noexcept {
        return a.quota.group == b.quota.group && a.quota.at_least == b.quota.at_least &&
               a.quota.within == b.quota.within && a.found == b.found;
    }
};

/// A rule: the slate, or its first places, hold at least so many items of a group.
///
/// A candidate outside of the quotas is allowed as long as the places behind it suffice for what the quotas still need.
/// From then on, places are reserved. With one group per candidate at most, this meets every set of quotas that can be
/// met, and picking by score gives the best such slate for scores that add up.
///
/// With several groups per candidate that problem is NP-hard, and this rule is greedy: each quota is expected to need
/// items of its own, and while the places do not suffice for that, only candidates that serve the most quotas are
/// allowed. unmet() says whether it was enough.
///
/// Cost      O(q^3) per call for q quotas; place: O(n q^3) while places are reserved; constructor and pin: O(q^4)
/// Errors    InvalidArgument if `within` is 0 or more than the slate has places
class GroupQuota {
public:
    /// places: length of the slate. Keeps a reference: the groups must live as long as the rule.
    GroupQuota(const Groups& groups FUNNEL_LIFETIMEBOUND, std::size_t places, const std::vector<Quota>& quotas)
        : groups_(&groups), places_(std::min(places, groups.candidates())), is_taken_(groups.candidates(), false) {
        for (const Quota& quota : quotas) {
            require_between(quota.within.value_or(std::max<std::size_t>(places, 1)), 1,
                            std::max<std::size_t>(places, 1), "GroupQuota: within");
            const std::size_t within = std::min(quota.within.value_or(places_), places_);
            quotas_.push_back({quota, groups.find(quota.group).value_or(none), within, 0, 0});
        }
        set_targets();
        reserve();
    }
    GroupQuota(const Groups&&, std::size_t, const std::vector<Quota>&) = delete;

    [[nodiscard]] std::size_t candidates() const noexcept { return groups_->candidates(); }

    [[nodiscard]] bool allows(std::size_t candidate) const noexcept {
        if (has_room_ || is_pinned(candidate)) {
            return true;
        }
        return is_greedy_ ? served_by(candidate) == most_served_ : leaves_enough(candidate);
    }

    void place(std::size_t candidate) {
        if (const auto pin = pin_of(candidate); pin != pins_.end()) {
            count(candidate, pin->place, -1);  // it may come before its place, and serve quotas that end earlier
            pins_.erase(pin);
        }
        count(candidate, next_, 1);
        is_taken_[candidate] = true;
        ++next_;
        reserve();
    }

    /// The candidate will take this place: it serves the quotas that reach so far.
    void pin(std::size_t candidate, std::size_t place) {
        require(next_ == 0, "GroupQuota: pins come before the first place is taken");
        pins_.push_back({candidate, place});
        is_taken_[candidate] = true;
        count(candidate, place, 1);
        set_targets();
        reserve();
    }

    /// The quotas that no order of the candidates can meet, with the number that can be had. Known before the first
    /// place is taken. Quotas in front of others are served first.
    [[nodiscard]] std::vector<Shortage> infeasible() const {
        std::vector<Shortage> short_of;
        for (const State& q : quotas_) {
            if (q.target < q.asked.at_least) {
                short_of.push_back({q.asked, q.target});
            }
        }
        return short_of;
    }

    /// The quotas that the places taken so far do not meet.
    [[nodiscard]] std::vector<Shortage> unmet() const {
        std::vector<Shortage> short_of;
        for (const State& q : quotas_) {
            std::size_t found = q.found;
            for (const PinnedItem& pin : pins_) {
                found -= serves(pin.candidate, pin.place, q) ? 1U : 0U;
            }
            if (found < q.asked.at_least) {
                short_of.push_back({q.asked, found});
            }
        }
        return short_of;
    }

private:
    static constexpr std::size_t none = std::numeric_limits<std::size_t>::max();
    struct State {
        Quota asked;
        std::size_t group;   // its number; none if no candidate has it
        std::size_t within;  // at most places_
        std::size_t target;  // asked.at_least, or what is possible
        std::size_t found;   // items with places, pins included
    };
    struct PinnedItem {
        std::size_t candidate;
        std::size_t place;
    };

    [[nodiscard]] std::vector<PinnedItem>::const_iterator pin_of(std::size_t candidate) const noexcept {
        return std::find_if(pins_.begin(), pins_.end(), [&](const PinnedItem& p) { return p.candidate == candidate; });
    }
    [[nodiscard]] bool is_pinned(std::size_t candidate) const noexcept { return pin_of(candidate) != pins_.end(); }

    [[nodiscard]] bool serves(std::size_t candidate, std::size_t place, const State& q) const noexcept {
        return q.group != none && place < q.within && groups_->has(candidate, q.group);
    }
    void count(std::size_t candidate, std::size_t place, std::ptrdiff_t change) noexcept {
        for (State& q : quotas_) {
            q.found += serves(candidate, place, q) ? static_cast<std::size_t>(change) : 0;
        }
    }

    // What a quota still needs, if `candidate` (none: nobody) takes the next place.
    [[nodiscard]] std::size_t need(const State& q, std::size_t candidate) const noexcept {
        const std::size_t found = q.found + (candidate != none && serves(candidate, next_, q) ? 1U : 0U);
        return q.within > next_ && q.target > found ? q.target - found : 0;
    }

    // Places in [begin, end) without a pin.
    [[nodiscard]] std::size_t free_places(std::size_t begin, std::size_t end) const noexcept {
        const auto is_inside = [&](const PinnedItem& pin) { return pin.place >= begin && pin.place < end; };
        const auto pinned = static_cast<std::size_t>(std::count_if(pins_.begin(), pins_.end(), is_inside));
        return end > begin ? end - begin - pinned : 0;
    }

    // Whether the free places from `begin` on suffice for the quotas, if `candidate` takes the next place. Quotas of
    // the same group share their items.
    [[nodiscard]] bool suffices(std::size_t begin, std::size_t candidate) const noexcept {
        for (const State& deadline : quotas_) {
            std::size_t needed = 0;
            for (std::size_t i = 0; i < quotas_.size(); ++i) {
                const State& q = quotas_[i];
                const std::size_t mine = q.within <= deadline.within ? need(q, candidate) : 0;
                bool is_largest = mine > 0;
                for (std::size_t j = 0; is_largest && j < quotas_.size(); ++j) {
                    const State& other = quotas_[j];
                    if (j != i && other.group == q.group && other.within <= deadline.within) {
                        const std::size_t theirs = need(other, candidate);
                        is_largest = theirs < mine || (theirs == mine && i < j);
                    }
                }
                needed += is_largest ? mine : 0;
            }
            if (needed > free_places(begin, deadline.within)) {
                return false;
            }
        }
        return true;
    }
    [[nodiscard]] bool leaves_enough(std::size_t candidate) const noexcept { return suffices(next_ + 1, candidate); }

    [[nodiscard]] std::size_t served_by(std::size_t candidate) const noexcept {
        return static_cast<std::size_t>(std::count_if(
            quotas_.begin(), quotas_.end(), [&](const State& q) { return need(q, none) > need(q, candidate); }));
    }

    void set_targets() {
        for (State& q : quotas_) {
            q.target = 0;
        }
        for (State& q : quotas_) {
            // Candidates that are pinned behind the deadline do not help.
            std::size_t supply = q.group == none ? 0 : groups_->size(q.group);
            for (const PinnedItem& pin : pins_) {
                supply -= q.group != none && groups_->has(pin.candidate, q.group) && pin.place >= q.within ? 1U : 0U;
            }
            q.target = std::min({q.asked.at_least, supply, q.within});
            while (groups_->is_partition() && q.target > 0 && !suffices(0, none)) {
                --q.target;
            }
        }
    }

    // Decides how the next place is given away.
    void reserve() {
        has_room_ = leaves_enough(none);
        is_greedy_ = false;
        if (has_room_) {
            return;
        }
        most_served_ = 0;
        is_greedy_ = true;
        for (std::size_t i = 0; is_greedy_ && i < is_taken_.size(); ++i) {
            if (!is_taken_[i]) {
                is_greedy_ = !leaves_enough(i);
                most_served_ = std::max(most_served_, served_by(i));
            }
        }
    }

    const Groups* groups_;
    std::size_t places_;
    std::vector<bool> is_taken_;  // placed or pinned
    std::vector<State> quotas_;
    std::vector<PinnedItem> pins_;  // that have not been placed
    std::size_t next_ = 0;
    std::size_t most_served_ = 0;
    bool has_room_ = true;    // every candidate leaves enough places
    bool is_greedy_ = false;  // no candidate does
};

}  // namespace rerank
}  // namespace FUNNEL_ABI
}  // namespace funnel
