// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/data/interactions.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace metrics {

namespace detail {

// The distinct items of each user, in order of first occurrence in the log.
class ItemsByUser {
public:
    explicit ItemsByUser(const data::Interactions& log) : ends_(log.users() + 1, 0), items_(log.size()) {
        // Group by user. ends_[u] is the begin of the rows of u before they are placed, and their end afterwards.
        for (const data::Interaction& row : log) {
            ++ends_[row.user + std::size_t{1}];
        }
        for (std::size_t user = 0; user < log.users(); ++user) {
            ends_[user + 1] += ends_[user];
        }
        for (const data::Interaction& row : log) {
            items_[ends_[row.user]++] = row.item;
        }

        // Remove repeats in place. last_user[i] - 1 is the last user who was seen with item i.
        std::vector<std::uint32_t> last_user(log.items(), 0);
        std::size_t kept = 0;
        std::size_t at = 0;
        for (std::uint32_t user = 0; user < log.users(); ++user) {
            for (; at < ends_[user]; ++at) {
                const std::uint32_t item = items_[at];
                if (last_user[item] != user + 1) {
                    last_user[item] = user + 1;
                    items_[kept++] = item;
                }
            }
            ends_[user] = kept;
        }
        items_.resize(kept);
    }

    [[nodiscard]] std::span<const std::uint32_t> of(std::size_t user) const noexcept FUNNEL_LIFETIMEBOUND {
        FUNNEL_ASSERT(user + 1 < ends_.size());
        const std::size_t begin = user > 0 ? ends_[user - 1] : 0;
        return {items_.data() + begin, ends_[user] - begin};
    }
    [[nodiscard]] std::span<const std::uint32_t> all() const noexcept FUNNEL_LIFETIMEBOUND {
        return {items_.data(), items_.size()};
    }

private:
    std::vector<std::size_t> ends_;
    std::vector<std::uint32_t> items_;
};

}  // namespace detail

/// The users to evaluate, and the relevant items of each: users with a test row, and the distinct items of those rows.
///
/// An item that the user has in the training part is not relevant, unless repeats count: models do not recommend items
/// that a user has seen, so such an item must not count as missed. A user without any relevant item is skipped.
///
/// Cost      O(rows + users + items) time and memory
/// Errors    InvalidArgument if the two logs do not share their users and items
class GroundTruth {
public:
    GroundTruth(const data::Interactions& train, const data::Interactions& test, bool count_repeats = false)
        : users_of_item_(train.items(), 0) {
        require(train.user_keys() == test.user_keys() && train.item_keys() == test.item_keys(),
                "evaluate: train and test must be parts of one log, with the same users and items");
        const detail::ItemsByUser seen(train);
        const detail::ItemsByUser wanted(test);

        std::vector<std::uint32_t> last_user(train.items(), 0);
        for (std::uint32_t user = 0; user < train.users(); ++user) {
            const bool is_warm = !seen.of(user).empty();
            train_users_ += is_warm ? 1U : 0U;
            if (wanted.of(user).empty()) {
                continue;
            }
            for (const std::uint32_t item : seen.of(user)) {
                last_user[item] = user + 1;
            }
            for (const std::uint32_t item : wanted.of(user)) {
                if (count_repeats || last_user[item] != user + 1) {
                    relevant_.push_back(item);
                }
            }
            if (relevant_.size() > begins_.back()) {
                users_.push_back(user);
                is_warm_.push_back(is_warm ? 1 : 0);
                begins_.push_back(relevant_.size());
            } else {
                ++skipped_users_;
            }
        }
        for (const std::uint32_t item : seen.all()) {
            ++users_of_item_[item];
        }
    }

    GroundTruth(const GroundTruth&) = default;
    GroundTruth(GroundTruth&& other) noexcept
        : users_(std::move(other.users_)),
          is_warm_(std::move(other.is_warm_)),
          begins_(std::move(other.begins_)),
          relevant_(std::move(other.relevant_)),
          users_of_item_(std::move(other.users_of_item_)),
          train_users_(std::exchange(other.train_users_, 0)),
          skipped_users_(std::exchange(other.skipped_users_, 0)) {}
    GroundTruth& operator=(const GroundTruth& other) { return *this = GroundTruth(other); }  // strong guarantee
    GroundTruth& operator=(GroundTruth&& other) noexcept {
        GroundTruth taken(std::move(other));
        users_.swap(taken.users_);
        is_warm_.swap(taken.is_warm_);
        begins_.swap(taken.begins_);
        relevant_.swap(taken.relevant_);
        users_of_item_.swap(taken.users_of_item_);
        std::swap(train_users_, taken.train_users_);
        std::swap(skipped_users_, taken.skipped_users_);
        return *this;
    }
    ~GroundTruth() = default;

    /// Number of evaluated users.
    [[nodiscard]] std::size_t size() const noexcept { return users_.size(); }
    /// Their ids, ascending.
    [[nodiscard]] std::span<const std::uint32_t> user_ids() const noexcept FUNNEL_LIFETIMEBOUND {
        return {users_.data(), users_.size()};
    }
    /// The relevant items of user_ids()[position], position < size() (not checked); never empty, without duplicates.
    [[nodiscard]] std::span<const std::uint32_t> relevant(std::size_t position) const noexcept FUNNEL_LIFETIMEBOUND {
        FUNNEL_ASSERT(position < size());
        return {relevant_.data() + begins_[position], begins_[position + 1] - begins_[position]};
    }
    /// Whether user_ids()[position], position < size() (not checked), has a training row.
    [[nodiscard]] bool is_warm(std::size_t position) const noexcept {
        FUNNEL_ASSERT(position < size());
        return is_warm_[position] != 0;
    }
    /// Number of users whose test rows only repeat their training rows.
    [[nodiscard]] std::size_t skipped_users() const noexcept { return skipped_users_; }

    [[nodiscard]] std::size_t items() const noexcept { return users_of_item_.size(); }
    /// Number of users who have each item in the training part.
    [[nodiscard]] std::span<const std::uint32_t> users_of_item() const noexcept FUNNEL_LIFETIMEBOUND {
        return users_of_item_;
    }
    /// Number of users with a training row.
    [[nodiscard]] std::size_t train_users() const noexcept { return train_users_; }

private:
    std::vector<std::uint32_t> users_;
    std::vector<char> is_warm_;
    std::vector<std::size_t> begins_ = {0};
    std::vector<std::uint32_t> relevant_;
    std::vector<std::uint32_t> users_of_item_;
    std::size_t train_users_ = 0;
    std::size_t skipped_users_ = 0;
};

}  // namespace metrics
}  // namespace FUNNEL_ABI
}  // namespace funnel
