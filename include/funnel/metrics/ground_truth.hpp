// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/data/interactions.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace metrics {

/// What makes an item of the test part relevant.
enum class Relevance : std::uint8_t {
    AnyRow,  ///< every row, whatever its value; all relevant items have the label 1
    Values,  ///< a value above 0, which is the label; the last row of a pair counts
};

namespace detail {

// The distinct items of each user, in order of first occurrence in the log, and on request the value of the last row of
// each.
class ItemsByUser {
public:
    explicit ItemsByUser(const data::Interactions& log, Relevance relevance = Relevance::AnyRow)
        : ends_(log.users() + 1, 0), items_(log.size()) {
        const bool has_values = relevance == Relevance::Values;
        values_.resize(has_values ? log.size() : 0);
        // Group by user. ends_[u] is the begin of the rows of u before they are placed, and their end afterwards.
        for (const data::Interaction& row : log) {
            ++ends_[row.user + std::size_t{1}];
        }
        for (std::size_t user = 0; user < log.users(); ++user) {
            ends_[user + 1] += ends_[user];
        }
        for (const data::Interaction& row : log) {
            if (has_values) {
                values_[ends_[row.user]] = row.value;
            }
            items_[ends_[row.user]++] = row.item;
        }

        // Remove repeats in place. last_user[i] - 1 is the last user who was seen with item i.
        std::vector<std::uint32_t> last_user(log.items(), 0);
        std::vector<std::size_t> place(has_values ? log.items() : 0);  // of the item, of that user
        std::size_t kept = 0;
        std::size_t at = 0;
        for (std::uint32_t user = 0; user < log.users(); ++user) {
            for (; at < ends_[user]; ++at) {
                const std::uint32_t item = items_[at];
                if (last_user[item] != user + 1) {
                    last_user[item] = user + 1;
                    if (has_values) {
                        place[item] = kept;
                    }
                    items_[kept++] = item;
                }
                if (has_values) {
                    values_[place[item]] = values_[at];
                }
            }
            ends_[user] = kept;
        }
        items_.resize(kept);
    }

    [[nodiscard]] std::span<const std::uint32_t> of(std::size_t user) const noexcept FUNNEL_LIFETIMEBOUND {
        return std::span(items_).subspan(begin(user), ends_[user] - begin(user));
    }
    // Empty without values.
    [[nodiscard]] std::span<const float> values_of(std::size_t user) const noexcept FUNNEL_LIFETIMEBOUND {
        return values_.empty() ? std::span<const float>()
                               : std::span(values_).subspan(begin(user), ends_[user] - begin(user));
    }
    [[nodiscard]] std::span<const std::uint32_t> all() const noexcept FUNNEL_LIFETIMEBOUND {
        return {items_.data(), items_.size()};
    }

private:
    [[nodiscard]] std::size_t begin(std::size_t user) const noexcept {
        FUNNEL_ASSERT(user + 1 < ends_.size());
        return user > 0 ? ends_[user - 1] : 0;
    }

    std::vector<std::size_t> ends_;
    std::vector<std::uint32_t> items_;
    std::vector<float> values_;
};

}  // namespace detail

/// The users to evaluate, and the relevant items of each: users with a test row, and the distinct items of those rows.
///
/// An item that the user has in the training part is not relevant, unless repeats count: models do not recommend items
/// that a user has seen, so such an item must not count as missed. A user without any relevant item is skipped.
///
/// With Relevance::Values, an item is relevant if its value is above 0, and the value is its label.
///
/// Cost      O(rows + users + items) time and memory
/// Errors    InvalidArgument if the two logs do not share their users and items
class GroundTruth {
public:
    GroundTruth(const data::Interactions& train, const data::Interactions& test, bool count_repeats = false,
                Relevance relevance = Relevance::AnyRow)
        : users_of_item_(train.items(), 0), relevance_(relevance) {
        require(train.user_keys() == test.user_keys() && train.item_keys() == test.item_keys(),
                "evaluate: train and test must be parts of one log, with the same users and items");
        const detail::ItemsByUser seen(train);
        const detail::ItemsByUser wanted(test, relevance);
        std::vector<Labelled> labelled;  // scratch

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
            const auto counts = [&](std::uint32_t item) { return count_repeats || last_user[item] != user + 1; };
            if (relevance == Relevance::Values) {
                labelled.clear();
                for (std::size_t i = 0; i < wanted.of(user).size(); ++i) {
                    if (wanted.values_of(user)[i] > 0.0F && counts(wanted.of(user)[i])) {
                        labelled.push_back({wanted.of(user)[i], wanted.values_of(user)[i]});
                    }
                }
                std::sort(labelled.begin(), labelled.end(), [](const Labelled& a, const Labelled& b) {
                    return a.label != b.label ? a.label > b.label : a.item < b.item;
                });
                for (const Labelled& pair : labelled) {
                    relevant_.push_back(pair.item);
                    labels_.push_back(pair.label);
                }
            } else {
                std::copy_if(wanted.of(user).begin(), wanted.of(user).end(), std::back_inserter(relevant_), counts);
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
          labels_(std::move(other.labels_)),
          users_of_item_(std::move(other.users_of_item_)),
          relevance_(other.relevance_),
          train_users_(std::exchange(other.train_users_, 0)),
          skipped_users_(std::exchange(other.skipped_users_, 0)) {}
    GroundTruth& operator=(const GroundTruth& other) { return *this = GroundTruth(other); }  // strong guarantee
    GroundTruth& operator=(GroundTruth&& other) noexcept {
        GroundTruth taken(std::move(other));
        users_.swap(taken.users_);
        is_warm_.swap(taken.is_warm_);
        begins_.swap(taken.begins_);
        relevant_.swap(taken.relevant_);
        labels_.swap(taken.labels_);
        users_of_item_.swap(taken.users_of_item_);
        std::swap(relevance_, taken.relevance_);
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
    /// The labels of relevant(position), from the largest down; empty unless labels are values of rows.
    [[nodiscard]] std::span<const float> labels(std::size_t position) const noexcept FUNNEL_LIFETIMEBOUND {
        FUNNEL_ASSERT(position < size());
        return labels_.empty() ? std::span<const float>()
                               : std::span(labels_).subspan(begins_[position], relevant(position).size());
    }
    /// Whether labels are values of rows.
    [[nodiscard]] bool is_graded() const noexcept { return relevance_ == Relevance::Values; }
    /// The largest label of all users; 1 unless labels are values of rows.
    [[nodiscard]] float largest_label() const noexcept {
        return labels_.empty() ? 1.0F : *std::max_element(labels_.begin(), labels_.end());
    }
    /// Whether user_ids()[position], position < size() (not checked), has a training row.
    [[nodiscard]] bool is_warm(std::size_t position) const noexcept {
        FUNNEL_ASSERT(position < size());
        return is_warm_[position] != 0;
    }
    /// Number of users with test rows, but without a relevant item.
    [[nodiscard]] std::size_t skipped_users() const noexcept { return skipped_users_; }

    [[nodiscard]] std::size_t items() const noexcept { return users_of_item_.size(); }
    /// Number of users who have each item in the training part.
    [[nodiscard]] std::span<const std::uint32_t> users_of_item() const noexcept FUNNEL_LIFETIMEBOUND {
        return users_of_item_;
    }
    /// Number of users with a training row.
    [[nodiscard]] std::size_t train_users() const noexcept { return train_users_; }

private:
    struct Labelled {
        std::uint32_t item;
        float label;
    };

    std::vector<std::uint32_t> users_;
    std::vector<char> is_warm_;
    std::vector<std::size_t> begins_ = {0};
    std::vector<std::uint32_t> relevant_;
    std::vector<float> labels_;  // of relevant_, or empty
    std::vector<std::uint32_t> users_of_item_;
    Relevance relevance_;
    std::size_t train_users_ = 0;
    std::size_t skipped_users_ = 0;
};

}  // namespace metrics
}  // namespace FUNNEL_ABI
}  // namespace funnel
