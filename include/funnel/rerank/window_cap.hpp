// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/options.hpp>
#include <funnel/rerank/groups.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace rerank {

struct WindowCapOptions {
    std::size_t at_most = 1;  ///< > 0, maximum number of items of a group ...
    std::size_t window = 3;   ///< > 0, ... in any `window` adjacent places
};

/// A rule: any `window` adjacent places hold at most `at_most` items of a group.
///
/// Picking by score alone can run into a dead end: B B A A A, at most one in two places, starts with B A B A and ends
/// there if A A A A is what remains. So the rule keeps places for the most frequent remaining groups: it allows a group
/// only if the places behind can still be filled, when each takes the most frequent group that fits. With at_most = 1,
/// one group per candidate at most and no pins this test is exact: if some order of some of the candidates fills the
/// slate, the slate is filled. Otherwise the test is a heuristic, and with several groups per candidate there is none.
/// If no group passes the test, all groups that fit the place are allowed.
///
/// Cost      allows: O(c) for c groups per candidate;  place: O(g w) for g groups, and up to O(k g^2 w) where
///           candidates of fewer than w groups are plentiful
/// Errors    InvalidArgument if at_most or window is 0
class WindowCap {
public:
    /// places: length of the slate. Keeps a reference: the groups must live as long as the rule.
    WindowCap(const Groups& groups FUNNEL_LIFETIMEBOUND, std::size_t places, const WindowCapOptions& options = {})
        : groups_(&groups),
          at_most_(options.at_most),
          slate_(std::min(places, groups.candidates()), none),
          example_(groups.count(), none) {
        require_at_least(options.at_most, 1, "WindowCap: at_most");
        require_at_least(options.window, 1, "WindowCap: window");
        window_ = std::min(options.window, std::max<std::size_t>(slate_.size(), 1));
        for (std::size_t g = 0; g < groups.count(); ++g) {
            left_.push_back(groups.size(g));
        }
        for (std::size_t i = 0; i < groups.candidates(); ++i) {
            ungrouped_ += groups.of(i).empty() ? 1U : 0U;
            for (const std::size_t g : groups.of(i)) {
                example_[g] = i;
            }
        }
        look_ahead();
    }
    WindowCap(const Groups&&, std::size_t, const WindowCapOptions& = {}) = delete;

    [[nodiscard]] std::size_t candidates() const noexcept { return groups_->candidates(); }

    [[nodiscard]] bool allows(std::size_t candidate) const noexcept {
        const auto mine = groups_->of(candidate);
        return mine.empty() ? may_be_ungrouped_
                            : std::all_of(mine.begin(), mine.end(), [&](std::size_t g) { return is_open_[g]; });
    }

    void place(std::size_t candidate) {
        require(next_ < slate_.size(), "WindowCap: all places are taken");
        const auto pin = std::find(slate_.begin() + static_cast<std::ptrdiff_t>(next_), slate_.end(), candidate);
        if (pin == slate_.end()) {
            take(candidate);
        } else {
            *pin = none;  // in its place, or before it
            --pins_left_;
        }
        slate_[next_++] = candidate;
        look_ahead();
    }

    /// The candidate will take this place: its windows have one item less for others.
    void pin(std::size_t candidate, std::size_t place) {
        require(place >= next_ && place < slate_.size() && slate_[place] == none, "WindowCap: a pin has no place");
        slate_[place] = candidate;
        ++pins_left_;
        take(candidate);
        look_ahead();
    }

private:
    static constexpr std::size_t none = std::numeric_limits<std::size_t>::max();
    using Slate = std::vector<std::size_t>;

    void take(std::size_t candidate) noexcept {
        ungrouped_ -= groups_->of(candidate).empty() ? 1U : 0U;
        for (const std::size_t g : groups_->of(candidate)) {
            --left_[g];
        }
    }

    // Whether a slate can take one more of a group at an empty place.
    [[nodiscard]] bool fits(const Slate& slate, std::size_t at, std::size_t g) const noexcept {
        const auto holds = [&](std::size_t p) { return slate[p] != none && p != at && groups_->has(slate[p], g); };
        std::size_t count = 1;
        for (std::size_t p = at + 1 - std::min(window_, at + 1); p < at; ++p) {
            count += holds(p) ? 1U : 0U;
        }
        bool keeps = count <= at_most_;
        for (std::size_t last = at + 1; keeps && pins_left_ > 0 && last < std::min(at + window_, slate.size());
             ++last) {
            count += holds(last) ? 1U : 0U;
            count -= last >= window_ && holds(last - window_) ? 1U : 0U;
            keeps = count <= at_most_;
        }
        return keeps;
    }

    // Whether the slate can be filled behind the next place, if a candidate of this group (none: of no group) takes it.
    [[nodiscard]] bool can_finish(std::size_t group) const {
        Slate slate = slate_;
        std::vector<std::size_t> left = left_;
        std::size_t ungrouped = ungrouped_;
        if (group == none) {
            --ungrouped;
        } else {
            slate[next_] = example_[group];
            --left[group];
        }
        for (std::size_t at = next_ + 1; at < slate.size(); ++at) {
            if (slate[at] != none) {
                continue;  // a pin
            }
            std::size_t best = none;
            for (std::size_t g = 0; g < left.size(); ++g) {
                if (left[g] > (best == none ? 0 : left[best]) && fits(slate, at, g)) {
                    best = g;
                }
            }
            if (best != none) {
                slate[at] = example_[best];
                --left[best];
            } else if (ungrouped == 0) {
                return false;
            } else {
                --ungrouped;
            }
        }
        return true;
    }

    // Decides which groups may take the next place.
    void look_ahead() {
        is_open_.assign(left_.size(), false);
        may_be_ungrouped_ = true;
        if (next_ == slate_.size()) {
            return;
        }
        for (std::size_t g = 0; g < left_.size(); ++g) {
            is_open_[g] = fits(slate_, next_, g);
        }
        // A group fits a place if no item of it is within a window of that place, before it or pinned behind it. Groups
        // that are placed only so take one place per window. If enough groups are plentiful, one of them always fits.
        const std::size_t turns = (slate_.size() - next_) / window_ + 2;
        const auto plentiful =
            std::count_if(left_.begin(), left_.end(), [&](std::size_t size) { return size >= turns; });
        const bool is_roomy = static_cast<std::size_t>(plentiful) >= window_ + std::min(pins_left_, window_ - 1);
        if (!groups_->is_partition() || slate_[next_] != none || is_roomy) {
            return;
        }
        std::vector<bool> finishes(left_.size(), false);
        bool any = false;
        for (std::size_t g = 0; g < left_.size(); ++g) {
            finishes[g] = is_open_[g] && left_[g] > 0 && can_finish(g);
            any = any || finishes[g];
        }
        const bool ungrouped_finishes = ungrouped_ > 0 && can_finish(none);
        if (any || ungrouped_finishes) {
            is_open_ = finishes;
            may_be_ungrouped_ = ungrouped_finishes;
        }
    }

    const Groups* groups_;
    std::size_t at_most_;
    std::size_t window_ = 1;
    Slate slate_;    // picks, then pins at their places
    Slate example_;  // per group: one of its candidates
    std::size_t next_ = 0;
    std::size_t pins_left_ = 0;
    std::vector<std::size_t> left_;  // per group: candidates without a place
    std::size_t ungrouped_ = 0;      // candidates of no group without a place
    std::vector<bool> is_open_;      // per group: may take the next place
    bool may_be_ungrouped_ = true;
};

/// A rule: between two items of a group, such as films of a franchise, lie at least `apart` others.
[[nodiscard]] inline WindowCap spacing(const Groups& groups FUNNEL_LIFETIMEBOUND, std::size_t places,
                                       std::size_t apart) {
    require(apart < std::numeric_limits<std::size_t>::max(), "spacing: apart is too large");
    return WindowCap(groups, places, {.at_most = 1, .window = apart + 1});
}
WindowCap spacing(const Groups&&, std::size_t, std::size_t) = delete;

}  // namespace rerank
}  // namespace FUNNEL_ABI
}  // namespace funnel
