// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/alias_table.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/portable_math.hpp>
#include <funnel/core/rng.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn {

/// Where negatives of training come from: draws item ids, and knows how likely each one is. The loss needs this
/// probability, see sampled_softmax_loss and in_batch_softmax.
template <class S>
concept Sampler = requires(const S& sampler, Random& random, std::uint32_t id) {
    { sampler.items() } -> std::same_as<std::size_t>;
    { sampler.draw(random) } -> std::same_as<std::uint32_t>;
    { sampler.probability(id) } -> std::same_as<double>;
};

/// Every item is equally likely.
class UniformSampler {
public:
    /// Errors    InvalidArgument if items is 0 or above 2^32
    explicit UniformSampler(std::size_t items) : items_(items) {
        require(items > 0 && items - 1 <= std::numeric_limits<std::uint32_t>::max(),
                "UniformSampler: items must lie in [1, 2^32]");
    }

    [[nodiscard]] std::size_t items() const noexcept { return items_; }
    // NOLINTNEXTLINE(bugprone-exception-escape): below(0) would throw, but there are items
    [[nodiscard]] std::uint32_t draw(Random& random) const noexcept {
        return static_cast<std::uint32_t>(random.below(items_));
    }
    [[nodiscard]] double probability(std::uint32_t /*id*/) const noexcept { return 1.0 / static_cast<double>(items_); }

private:
    std::size_t items_;
};

/// By popularity.
///
///     P(i) = count_i^alpha / sum over j of count_j^alpha
///
/// alpha 1 gives the items that in-batch negatives have; 0.75 is that of word2vec; 0 is uniform over the items with a
/// count. An item without a count is never drawn: its probability is 0.
///
/// Source    Mikolov et al., "Distributed representations of words and phrases and their compositionality", NIPS 2013
class PopularitySampler {
public:
    /// Errors    InvalidArgument if alpha is negative or not finite, or no item has a count
    explicit PopularitySampler(std::span<const std::uint64_t> counts, double alpha = 0.75)
        : table_(weights(counts, alpha)) {}

    [[nodiscard]] std::size_t items() const noexcept { return table_.size(); }
    [[nodiscard]] std::uint32_t draw(Random& random) const noexcept { return table_.draw(random); }
    /// Of an id below items() (not checked).
    [[nodiscard]] double probability(std::uint32_t id) const noexcept { return table_.probability(id); }

private:
    // Relative to the largest count, so that nothing overflows.
    [[nodiscard]] static std::vector<double> weights(std::span<const std::uint64_t> counts, double alpha) {
        require_not_negative(alpha, "PopularitySampler: alpha");
        const std::uint64_t largest = counts.empty() ? 0 : *std::max_element(counts.begin(), counts.end());
        require(largest > 0, "PopularitySampler: at least one count must be above 0");
        std::vector<double> result(counts.size(), 0.0);
        for (std::size_t i = 0; i < counts.size(); ++i) {
            if (counts[i] > 0) {
                const double share = static_cast<double>(counts[i]) / static_cast<double>(largest);
                result[i] = funnel::detail::portable_exp(alpha * funnel::detail::portable_log(share));
            }
        }
        return result;
    }

    AliasTable table_;
};

/// How many of the negatives of a batch come from where.
struct MixedSamplerOptions {
    std::size_t in_batch = 0;  ///< items that users of the batch took: they come by popularity
    std::size_t uniform = 0;   ///< every item is equally likely
    std::size_t popular = 0;   ///< by popularity^alpha
    double alpha = 0.75;       ///< of the popular ones, >= 0; see PopularitySampler
};

/// Mixed negatives: items that users of the batch took, items drawn uniformly, and items drawn by popularity^alpha. All
/// share one probability, with which in_batch_softmax corrects all kinds.
///
///     Q(i) = (in_batch q_i + uniform / items + popular P_alpha(i)) / (in_batch + uniform + popular)
///     q_i = count_i / sum of counts
///
/// Uniform negatives reach items that no batch has, so that such items also learn to rank low.
///
/// Source    Yang et al., "Mixed negative sampling for learning two-tower neural networks in recommendations", WWW 2020
class MixedSampler {
public:
    /// Errors    InvalidArgument if no item has a count, alpha is out of range, or all numbers are 0
    MixedSampler(std::span<const std::uint64_t> counts, const MixedSamplerOptions& options)
        : taken_(counts, 1.0), popular_(counts, options.alpha), uniform_(counts.size()) {
        const double all = static_cast<double>(options.in_batch) + static_cast<double>(options.uniform) +
                           static_cast<double>(options.popular);
        require(all > 0.0, "MixedSampler: in_batch, uniform and popular must not all be 0");
        in_batch_share_ = static_cast<double>(options.in_batch) / all;
        popular_share_ = static_cast<double>(options.popular) / all;
    }

    [[nodiscard]] std::size_t items() const noexcept { return uniform_.items(); }
    [[nodiscard]] std::uint32_t draw(Random& random) const noexcept {
        const double kind = random.uniform();
        if (kind < in_batch_share_) {
            return taken_.draw(random);
        }
        return kind - in_batch_share_ < popular_share_ ? popular_.draw(random) : uniform_.draw(random);
    }
    /// Of an id below items() (not checked).
    [[nodiscard]] double probability(std::uint32_t id) const noexcept {
        return in_batch_share_ * taken_.probability(id) +
               (1.0 - in_batch_share_ - popular_share_) * uniform_.probability(id) +
               popular_share_ * popular_.probability(id);
    }

private:
    PopularitySampler taken_;
    PopularitySampler popular_;
    UniformSampler uniform_;
    double in_batch_share_ = 0.0;
    double popular_share_ = 0.0;
};

/// Negatives from pools, such as items that the model scores high for the users of a batch: each pool is equally
/// likely, and so is each item of it. Empty pools are never drawn from.
///
///     P(i) = mean over the pools that are not empty of (occurrences of i in the pool) / (size of the pool)
///
/// Cost      assign: O(sizes of all pools);  draw, probability: O(1);  8 bytes per item
class PoolSampler {
public:
    /// Of ids below `items`, without pools: nothing can be drawn.
    explicit PoolSampler(std::size_t items) : probabilities_(items) {}

    /// Replaces the pools. They are not copied, and must outlive the draws.
    ///
    /// Errors    InvalidArgument if an id is not below items(); then there are no pools
    void assign(std::span<const std::span<const std::uint32_t>> pools) {
        for (const std::uint32_t id : used_) {
            probabilities_[id] = 0.0;
        }
        used_.clear();
        pools_.clear();
        std::vector<std::span<const std::uint32_t>> usable;
        for (const std::span<const std::uint32_t> pool : pools) {
            for (const std::uint32_t id : pool) {
                require_below(id, items(), "PoolSampler::assign: id");
            }
            if (!pool.empty()) {
                usable.push_back(pool);
            }
        }
        pools_ = std::move(usable);
        for (const std::span<const std::uint32_t> pool : pools_) {
            const double share = 1.0 / (static_cast<double>(pools_.size()) * static_cast<double>(pool.size()));
            for (const std::uint32_t id : pool) {
                probabilities_[id] += share;
                used_.push_back(id);
            }
        }
    }

    /// Whether there is nothing to draw.
    [[nodiscard]] bool is_empty() const noexcept { return pools_.empty(); }
    [[nodiscard]] std::size_t items() const noexcept { return probabilities_.size(); }
    /// One item. The sampler must not be empty (not checked).
    // NOLINTNEXTLINE(bugprone-exception-escape): below(0) would throw, but no pool is empty
    [[nodiscard]] std::uint32_t draw(Random& random) const noexcept {
        const std::span<const std::uint32_t> pool = pools_[random.below(pools_.size())];
        return pool[random.below(pool.size())];
    }
    /// Of an id below items() (not checked).
    [[nodiscard]] double probability(std::uint32_t id) const noexcept { return probabilities_[id]; }

private:
    std::vector<std::span<const std::uint32_t>> pools_;
    std::vector<double> probabilities_;
    std::vector<std::uint32_t> used_;  // ids of pools, whose probabilities may differ from 0
};

/// Estimates how likely an item is in the next batch from a stream of batches, without a pass over the log: it averages
/// the number of steps between two batches with the item.
///
///     B <- (1 - rate) B + rate (step - last step with the item);   Q = 1 / B
///
/// Source    Yi et al., "Sampling-bias-corrected neural modeling for large corpus item recommendations", RecSys 2019
///           (algorithm 2)
class StreamingFrequency {
public:
    /// A new item starts with an interval of `first_interval` steps.
    ///
    /// Errors    InvalidArgument if rate is not in (0, 1], or first_interval is below 1 or not finite
    explicit StreamingFrequency(std::size_t items, double rate = 0.01, double first_interval = 100.0)
        : rate_(rate), last_(items, 0), interval_(items, first_interval) {
        require(rate > 0.0 && rate <= 1.0, "StreamingFrequency: rate must lie in (0, 1]");
        require_finite(first_interval, "StreamingFrequency: first_interval");
        require(first_interval >= 1.0, "StreamingFrequency: first_interval must be at least 1");
    }

    /// The items of one batch, each counted once. Steps start at 1.
    ///
    /// Errors    InvalidArgument if step is not above that of the call before, or an item is unknown; then nothing
    ///           changes
    void update(std::uint64_t step, std::span<const std::uint32_t> batch) {
        require(step > step_, "StreamingFrequency::update: step must be above that of the last call");
        for (const std::uint32_t item : batch) {
            require_below(item, last_.size(), "StreamingFrequency::update: item");
        }
        step_ = step;
        for (const std::uint32_t item : batch) {
            if (last_[item] != step) {
                interval_[item] = (1.0 - rate_) * interval_[item] + rate_ * static_cast<double>(step - last_[item]);
                last_[item] = step;
            }
        }
    }

    /// Errors    InvalidArgument if the item is unknown
    [[nodiscard]] double probability(std::uint32_t item) const {
        require_below(item, interval_.size(), "StreamingFrequency::probability: item");
        return 1.0 / interval_[item];
    }

private:
    double rate_;
    std::uint64_t step_ = 0;
    std::vector<std::uint64_t> last_;
    std::vector<double> interval_;
};

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel
