// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>
#include <funnel/core/error.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace rerank {

/// A callable that returns the categories of the candidate at a position: a range of integers, possibly empty.
template <class C>
concept Categories = requires(const C& categories, std::size_t i) {
    { *categories(i).begin() } -> std::convertible_to<std::uint32_t>;
    categories(i).end();
};

/// Which candidates belong together: genres, brands, franchises, languages. A candidate may have any number of groups.
/// Candidates are positions in the list that a request chooses from, not ids of the catalogue.
///
/// The names of the groups are the integers that the caller uses. Inside, groups are numbered 0, 1, ... in the order of
/// their names, so that rules count in arrays.
///
///     Groups genres(films.size(), [&](std::size_t i) -> const auto& { return films[i].genres; });
///
/// Cost      O(n c log(n c)) time to build, O(n c) memory, for c groups per candidate
class Groups {
public:
    /// A group that a candidate has twice counts once.
    template <Categories C>
    Groups(std::size_t n, const C& groups_of) {
        for (std::size_t i = 0; i < n; ++i) {
            for (const auto group : groups_of(i)) {
                numbers_.push_back(static_cast<std::uint64_t>(group));  // 64 bits keep all integer values distinct
            }
            const auto begin = numbers_.begin() + static_cast<std::ptrdiff_t>(first_.back());
            std::sort(begin, numbers_.end());
            numbers_.erase(std::unique(begin, numbers_.end()), numbers_.end());
            is_partition_ = is_partition_ && numbers_.size() - first_.back() <= 1;
            first_.push_back(numbers_.size());
        }
        names_ = numbers_;
        std::sort(names_.begin(), names_.end());
        names_.erase(std::unique(names_.begin(), names_.end()), names_.end());
        sizes_.resize(names_.size());
        for (std::size_t& number : numbers_) {
            number = static_cast<std::size_t>(std::lower_bound(names_.begin(), names_.end(), number) - names_.begin());
            ++sizes_[number];
        }
    }

    /// One group per candidate.
    explicit Groups(std::span<const std::uint32_t> groups)
        : Groups(groups.size(), [groups](std::size_t i) { return groups.subspan(i, 1); }) {}

    [[nodiscard]] std::size_t candidates() const noexcept { return first_.size() - 1; }

    /// Number of groups that have a candidate.
    [[nodiscard]] std::size_t count() const noexcept { return names_.size(); }

    /// The numbers of the groups of a candidate, ascending. The candidate must exist (not checked).
    [[nodiscard]] std::span<const std::size_t> of(std::size_t candidate) const noexcept FUNNEL_LIFETIMEBOUND {
        FUNNEL_ASSERT(candidate < candidates());
        return std::span(numbers_).subspan(first_[candidate], first_[candidate + 1] - first_[candidate]);
    }

    /// Whether the candidate is in the group with this number.
    [[nodiscard]] bool has(std::size_t candidate, std::size_t number) const noexcept {
        const auto mine = of(candidate);
        return std::find(mine.begin(), mine.end(), number) != mine.end();
    }

    /// The number of candidates in the group with this number, which must be below count() (not checked).
    [[nodiscard]] std::size_t size(std::size_t number) const noexcept { return sizes_[number]; }

    /// The number of the group with this name; nothing if no candidate has it.
    [[nodiscard]] std::optional<std::size_t> find(std::uint64_t name) const noexcept {
        const auto at = std::lower_bound(names_.begin(), names_.end(), name);
        if (at == names_.end() || *at != name) {
            return std::nullopt;
        }
        return static_cast<std::size_t>(at - names_.begin());
    }

    /// Whether no candidate has more than one group.
    [[nodiscard]] bool is_partition() const noexcept { return is_partition_; }

private:
    std::vector<std::size_t> first_{0};  // the groups of candidate i are numbers_[first_[i] .. first_[i + 1])
    std::vector<std::size_t> numbers_;
    std::vector<std::uint64_t> names_;  // ascending
    std::vector<std::size_t> sizes_;
    bool is_partition_ = true;
};

}  // namespace rerank
}  // namespace FUNNEL_ABI
}  // namespace funnel
