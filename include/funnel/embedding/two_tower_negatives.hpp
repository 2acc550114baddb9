// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/math.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/embedding/hard_pools.hpp>
#include <funnel/embedding/sequences.hpp>
#include <funnel/embedding/two_tower_options.hpp>
#include <funnel/nn/samplers.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace embedding {
namespace detail {

/// A user and the position, among the items of all sequences, of an item that this user took.
struct TrainingPair {
    std::uint32_t user;
    std::size_t position;
};

/// The pairs of a step, as a tower of items sees them.
struct ItemBatch {
    std::span<const std::uint32_t> taken;  // the item of each pair, below the items of the tower
    std::span<const TrainingPair> pairs;
    const Sequences& sequences;
    std::size_t first_item = 0;             // the number that the tower's item 0 has in the sequences
    const HardPools* hard_pools = nullptr;  // of all users; null: there are no hard negatives
};

/// Draws the negatives of each step: the columns of a batch are the items that its users took, then those drawn.
class Negatives {
public:
    explicit Negatives(std::uint64_t seed) : seed_(seed) {}

    /// For items that occur in so many training pairs, and batches of that many of them.
    void count(std::span<const std::uint64_t> counts, std::size_t batch, const NegativeOptions& options) {
        options_ = options;
        if (options.popular > 0) {
            popular_.emplace(counts, options.alpha);
        }
        pools_ = nn::PoolSampler(counts.size());
        const std::size_t in_batch = options.in_batch ? batch : 0;
        mixed_count_ = in_batch + options.uniform + options.popular;
        q_of_item_.assign(counts.size(), 0.0);
        if (mixed_count_ > 0) {
            const nn::MixedSampler mixed(
                counts,
                {.in_batch = in_batch, .uniform = options.uniform, .popular = options.popular, .alpha = options.alpha});
            for (std::uint32_t item = 0; item < counts.size(); ++item) {
                q_of_item_[item] = mixed.probability(item);
            }
        }
    }

    /// Draws the columns of step `number`. The same seed and number give the same columns.
    void draw(const ItemBatch& batch, std::uint64_t number) {
        items_.assign(batch.taken.begin(), batch.taken.end());
        Random uniform(seed_, stream("two_tower.negatives"), number);
        for (std::size_t i = 0; i < options_.uniform; ++i) {
            items_.push_back(static_cast<std::uint32_t>(uniform.below(q_of_item_.size())));
        }
        Random popular(seed_, stream("two_tower.popular_negatives"), number);
        if (popular_) {
            for (std::size_t i = 0; i < options_.popular; ++i) {
                items_.push_back(popular_->draw(popular));
            }
        }
        first_hard_ = items_.size();
        if (batch.hard_pools != nullptr && options_.hard > 0) {
            pools_of_users_.clear();
            for (const TrainingPair& pair : batch.pairs) {
                pools_of_users_.push_back(batch.hard_pools->of(pair.user));
            }
            pools_.assign(pools_of_users_);
            Random hard(seed_, stream("two_tower.hard_negatives"), number);
            for (std::size_t i = 0; i < options_.hard && !pools_.is_empty(); ++i) {
                items_.push_back(pools_.draw(hard));
            }
        }
        leave_out_taken(batch);
    }

    /// The item of each column.
    [[nodiscard]] std::span<const std::uint32_t> items() const noexcept { return items_; }
    /// Columns that are no negatives, as nn::InBatch wants them.
    [[nodiscard]] std::span<const std::size_t> left_out_starts() const noexcept { return left_out_starts_; }
    [[nodiscard]] std::span<const std::uint32_t> left_out() const noexcept { return left_out_; }

    /// How likely each draw of a negative of the last batch was to give this item: the mean of all kinds, by their
    /// numbers.
    [[nodiscard]] double probability(std::uint32_t item) const noexcept {
        const std::size_t hard = items_.size() - first_hard_;
        if (hard == 0) {
            return q_of_item_[item];
        }
        const auto mixed = static_cast<double>(mixed_count_);
        return (mixed * q_of_item_[item] + static_cast<double>(hard) * pools_.probability(item)) /
               (mixed + static_cast<double>(hard));
    }

    /// The logarithm of the probability of each column.
    void log_q(std::vector<double>& result) const {
        result.clear();
        for (const std::uint32_t item : items_) {
            const double q = probability(item);
            result.push_back(q > 0.0 ? math::log(q) : 0.0);
        }
    }

private:
    static constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();

    // Of each user: the hard negatives (or all columns, if options say so) whose item this user took.
    void leave_out_taken(const ItemBatch& batch) {
        left_out_.clear();
        left_out_starts_.clear();
        const std::size_t first = options_.leaves_out_taken ? 0 : first_hard_;
        if (first == items_.size()) {
            return;
        }
        column_of_.resize(q_of_item_.size(), none);
        next_.assign(items_.size(), none);
        for (std::size_t j = first; j < items_.size(); ++j) {  // a chain of columns for each item
            next_[j] = column_of_[items_[j]];
            column_of_[items_[j]] = static_cast<std::uint32_t>(j);
        }
        left_out_starts_.push_back(0);
        for (const TrainingPair& pair : batch.pairs) {
            for (const std::uint32_t taken : batch.sequences.of(pair.user)) {
                const std::size_t item = taken - batch.first_item;  // wraps around for items of other towers
                if (item < column_of_.size()) {
                    for (std::uint32_t j = column_of_[item]; j != none; j = next_[j]) {
                        left_out_.push_back(j);
                    }
                }
            }
            left_out_starts_.push_back(left_out_.size());
        }
        for (std::size_t j = first; j < items_.size(); ++j) {
            column_of_[items_[j]] = none;
        }
    }

    std::uint64_t seed_;
    NegativeOptions options_;
    std::size_t mixed_count_ = 0;    // columns that are not hard negatives
    std::vector<double> q_of_item_;  // among these columns
    std::optional<nn::PopularitySampler> popular_;
    nn::PoolSampler pools_{0};
    std::vector<std::span<const std::uint32_t>> pools_of_users_;
    std::vector<std::uint32_t> items_;
    std::size_t first_hard_ = 0;
    std::vector<std::uint32_t> column_of_;  // the last column of each item, or none
    std::vector<std::uint32_t> next_;       // the column before it with the same item
    std::vector<std::size_t> left_out_starts_;
    std::vector<std::uint32_t> left_out_;
};

}  // namespace detail
}  // namespace embedding
}  // namespace FUNNEL_ABI
}  // namespace funnel
