// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/options.hpp>
#include <funnel/rerank/groups.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace rerank {

/// A limit for one group, given by the name that the caller uses.
struct GroupLimit {
    std::uint64_t group;
    std::size_t at_most;  ///< 0 keeps the group out of the slate
};

struct GroupCapOptions {
    std::size_t at_most = 2;           ///< > 0, maximum number of items of each group in the slate
    std::vector<GroupLimit> except{};  ///< groups with a limit of their own
};

/// A rule: the slate holds at most so many items of a group.
///
/// With one group per candidate, picking by score under caps gives the best slate for scores that add up: the slates
/// that keep the caps are the independent sets of a laminar matroid. With several groups per candidate it is greedy.
///
/// Cost      O(c) per call for c groups per candidate
/// Errors    InvalidArgument if at_most is 0
class GroupCap {
public:
    /// Keeps a reference: the groups must live as long as the rule.
    explicit GroupCap(const Groups& groups FUNNEL_LIFETIMEBOUND, const GroupCapOptions& options = {})
        : groups_(&groups), room_(groups.count(), options.at_most), used_(groups.count(), 0) {
        require_at_least(options.at_most, 1, "GroupCap: at_most");
        for (const GroupLimit& limit : options.except) {
            if (const auto number = groups.find(limit.group)) {
                room_[*number] = limit.at_most;
            }
        }
    }
    explicit GroupCap(const Groups&&, const GroupCapOptions& = {}) = delete;

    [[nodiscard]] std::size_t candidates() const noexcept { return groups_->candidates(); }

    [[nodiscard]] bool allows(std::size_t candidate) const noexcept {
        const std::size_t more = is_pinned(candidate) ? 0 : 1;
        const auto mine = groups_->of(candidate);
        return std::all_of(mine.begin(), mine.end(), [&](std::size_t g) { return used_[g] + more <= room_[g]; });
    }

    void place(std::size_t candidate) {
        if (!is_pinned(candidate)) {
            count(candidate);
        }
    }

    /// The candidate will take a place later: it uses up its caps from now on.
    void pin(std::size_t candidate, std::size_t) {
        count(candidate);
        pinned_.push_back(candidate);
    }

private:
    void count(std::size_t candidate) noexcept {
        for (const std::size_t g : groups_->of(candidate)) {
            ++used_[g];
        }
    }
    [[nodiscard]] bool is_pinned(std::size_t candidate) const noexcept {
        return std::find(pinned_.begin(), pinned_.end(), candidate) != pinned_.end();
    }

    const Groups* groups_;
    std::vector<std::size_t> room_;  // per group
    std::vector<std::size_t> used_;
    std::vector<std::size_t> pinned_;
};

}  // namespace rerank
}  // namespace FUNNEL_ABI
}  // namespace funnel
