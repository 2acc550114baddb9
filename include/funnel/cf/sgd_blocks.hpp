// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/sparse.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace cf {

/// One observation, as stochastic gradient descent reads it.
struct SGDEntry {
    std::uint32_t user;
    std::uint32_t item;
    float value;
};

/// The entries of one group of users and one group of items, by ascending user, then item.
struct SGDBlock {
    std::size_t index;                     ///< of the block: a number for its random draws
    std::span<const SGDEntry> entries;     ///< all entries of these users with these items
    std::span<const std::uint32_t> items;  ///< the group of items: those from which a block may draw negatives
};

/// A schedule of stochastic gradient descent that gives the same result for any number of threads.
///
/// Users and items are divided into the same number of groups. An epoch has as many rounds as groups; in round r, the
/// blocks (user group s, item group s + r) run at the same time. They share neither users nor items, so no update
/// depends on another of the same round. The groups of items are drawn anew in each epoch, so that any two items meet
/// in a group: a uniform draw from the group is a uniform draw from all items, over the epochs.
///
/// Items without entries are in no group. The number of groups depends on the numbers of items and users alone.
///
/// Cost      16 bytes per entry and item; per epoch O(entries + items) to divide, without the updates
/// Source    Gemulla, Nijkamp, Haas, Sismanis, "Large-scale matrix factorization with distributed stochastic gradient
///           descent", KDD 2011 (strata);  groups of items anew in each epoch: ours
class SGDBlocks {
public:
    static constexpr std::size_t most_groups = 8;
    static constexpr std::size_t least_items = 32;  ///< of a group, if there is more than one

    SGDBlocks(const CSRMatrix<float>& user_item, std::uint64_t seed, Stream stream)
        : user_item_(&user_item),
          seed_(seed),
          stream_(stream),
          group_of_(user_item.cols()),
          entries_(user_item.nonzeros()) {
        std::vector<bool> is_taken(user_item.cols());
        for (std::size_t user = 0; user < user_item.rows(); ++user) {
            for (const std::uint32_t item : user_item.row(user).columns) {
                is_taken[item] = true;
            }
        }
        for (std::uint32_t item = 0; item < user_item.cols(); ++item) {
            if (is_taken[item]) {
                items_.push_back(item);
            }
        }
        groups_ = groups_for(items_.size());
        divide_users();
    }
    SGDBlocks(const CSRMatrix<float>&&, std::uint64_t, Stream) = delete;

    /// The number of groups, and of rounds in an epoch, if so many items have entries.
    [[nodiscard]] static constexpr std::size_t groups_for(std::size_t items) noexcept {
        return std::clamp<std::size_t>(items / least_items, 1, most_groups);
    }

    [[nodiscard]] std::size_t groups() const noexcept { return groups_; }

    template <Executor E, class Body>
    void run(std::size_t epoch, E& executor, const Body& body) {
        run(epoch, executor, body, [] {});
    }

    /// Runs one epoch: body(block, worker) for each block. Calls of a round may overlap, those of one worker do not.
    /// After each round, when no call is left, after_round().
    template <Executor E, class Body, class AfterRound>
    void run(std::size_t epoch, E& executor, const Body& body, const AfterRound& after_round) {
        divide_items(epoch);
        parallel_for(executor, groups_, 1, [&](std::size_t group) { sort_entries(group); });
        for (std::size_t round = 0; round < groups_; ++round) {
            executor.for_range(groups_, 1, [&](std::size_t begin, std::size_t end, std::size_t worker) {
                for (std::size_t users = begin; users < end; ++users) {
                    const std::size_t items = (users + round) % groups_;
                    const std::size_t first = starts_[users][items];
                    const std::span<const SGDEntry> entries(entries_.data() + first, starts_[users][items + 1] - first);
                    body(SGDBlock{users * groups_ + items, entries, items_of(items)}, worker);
                }
            });
            after_round();
        }
    }

private:
    [[nodiscard]] std::span<const std::uint32_t> items_of(std::size_t group) const noexcept {
        const std::size_t begin = group * items_.size() / groups_;
        return {items_.data() + begin, (group + 1) * items_.size() / groups_ - begin};
    }

    // Consecutive users with about the same number of entries per group.
    void divide_users() {
        users_.fill(user_item_->rows());
        users_[0] = 0;
        std::size_t passed = 0;
        std::size_t group = 1;
        for (std::size_t user = 0; user < user_item_->rows(); ++user) {
            for (; group < groups_ && passed * groups_ >= group * user_item_->nonzeros(); ++group) {
                users_[group] = user;
                first_[group] = passed;
            }
            passed += user_item_->row(user).size();
        }
    }

    void divide_items(std::size_t epoch) {
        std::sort(items_.begin(), items_.end());  // so that an epoch does not depend on the ones before
        Random random(seed_, stream_.substream(0), epoch);
        random.shuffle(std::span(items_));
        for (std::size_t group = 0; group < groups_; ++group) {
            for (const std::uint32_t item : items_of(group)) {
                group_of_[item] = static_cast<std::uint8_t>(group);
            }
        }
    }

    // Sorts the entries of a group of users by group of items; stable, so users and items ascend within each.
    void sort_entries(std::size_t group) {
        std::array<std::size_t, most_groups + 1>& starts = starts_[group];
        starts.fill(0);
        const auto each_row = [&](const auto& visit) {
            for (std::size_t user = users_[group]; user < users_[group + 1]; ++user) {
                const SparseRow<float> row = user_item_->row(user);
                for (std::size_t i = 0; i < row.size(); ++i) {
                    visit(SGDEntry{static_cast<std::uint32_t>(user), row.columns[i], row.values[i]});
                }
            }
        };
        each_row([&](const SGDEntry& entry) { ++starts[group_of_[entry.item] + std::size_t{1}]; });
        starts[0] = first_[group];
        for (std::size_t i = 0; i < most_groups; ++i) {
            starts[i + 1] += starts[i];
        }
        std::array<std::size_t, most_groups + 1> next = starts;
        each_row([&](const SGDEntry& entry) { entries_[next[group_of_[entry.item]]++] = entry; });
    }

    const CSRMatrix<float>* user_item_;
    std::uint64_t seed_;
    Stream stream_;
    std::size_t groups_ = 1;
    std::vector<std::uint32_t> items_;                                            // with entries, by group
    std::vector<std::uint8_t> group_of_;                                          // of each item
    std::array<std::size_t, most_groups + 1> users_{};                            // where each group of users begins
    std::array<std::size_t, most_groups> first_{};                                // entry of each group of users
    std::vector<SGDEntry> entries_;                                               // by group of users, then of items
    std::array<std::array<std::size_t, most_groups + 1>, most_groups> starts_{};  // of each block in entries_
};

}  // namespace cf
}  // namespace FUNNEL_ABI
}  // namespace funnel
