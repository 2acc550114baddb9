// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/data/interaction_log.hpp>
#include <funnel/embedding/hard_pools.hpp>
#include <funnel/embedding/sequences.hpp>
#include <funnel/embedding/two_tower_options.hpp>
#include <funnel/embedding/two_tower_sides.hpp>
#include <funnel/embedding/two_tower_weights.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/nn/adam.hpp>
#include <funnel/nn/layer.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace embedding {

/// Trains a two-tower model epoch by epoch, for programs that decide themselves when to stop. TwoTower::fit runs all
/// epochs.
///
/// A training pair is an item that a user took, and the items that the user took before it: a history never holds the
/// item itself or a later one. The first item of a user has no history, and is a pair only if there are features of
/// users, or a text of this one.
///
/// With hard negatives, each epoch begins with a score for all pairs of users and items (HardPools::scored). Programs
/// with a large catalogue search an index instead, and call set_hard_pools before each epoch.
///
/// Results do not depend on the number of threads.
template <nn::Layer UserNetwork, nn::Layer ItemNetwork, std::size_t Width,
          kernels::HostBackend Backend = kernels::DefaultBackend>
class TwoTowerTrainer {
public:
    using Weights = TwoTowerWeights<UserNetwork, ItemNetwork, Width>;

    /// Errors    InvalidArgument if an option is out of range, or features do not have the shape that the networks want
    template <data::InteractionLog Log>
    TwoTowerTrainer(const Log& log, const TwoTowerOptions& options)
        : options_(checked(options, log)),
          sequences_(log),
          weights_(log.items(), options),
          user_side_(log.items(), options.user_text.rows, adam(options)),
          item_side_(log.items(), options.item_text.rows, adam(options), options.seed) {
        std::vector<std::uint64_t> counts(log.items());
        for (std::uint32_t user = 0; user < sequences_.users(); ++user) {
            const std::span<const std::uint32_t> items = sequences_.of(user);
            const bool is_described = Weights::user_features > 0 || detail::has_words(options.user_text, user);
            for (std::size_t t = is_described ? 0 : 1; t < items.size(); ++t) {
                pairs_.push_back({.user = user, .position = sequences_.starts()[user] + t});
                ++counts[items[t]];
            }
        }
        if (!pairs_.empty()) {
            batch_ = std::min(options.batch, pairs_.size());
            item_side_.count(counts, batch_, options.negatives);
        }
    }

    /// Training pairs.
    [[nodiscard]] std::size_t pairs() const noexcept { return pairs_.size(); }
    [[nodiscard]] const Weights& weights() const noexcept FUNNEL_LIFETIMEBOUND { return weights_; }
    [[nodiscard]] const Sequences& sequences() const noexcept FUNNEL_LIFETIMEBOUND { return sequences_; }

    /// Replaces the pools of hard negatives for all epochs from now on, which score no pools of their own then.
    ///
    /// Errors    InvalidArgument if options.negatives.hard is 0, or the pools are of other users or items
    void set_hard_pools(HardPools pools) {
        require(options_.negatives.hard > 0, "TwoTower::set_hard_pools: negatives.hard must be above 0");
        require_equal(pools.users(), sequences_.users(), "TwoTower::set_hard_pools: number of users");
        require_equal(pools.items(), weights_.ids.rows(), "TwoTower::set_hard_pools: number of items");
        hard_pools_ = std::move(pools);
        has_own_pools_ = true;
    }

    /// One pass over all pairs, in a new random order. Pairs that do not fill a last batch wait for the next epoch.
    ///
    /// Returns   the mean loss, 0 without pairs
    template <Executor E = Serial>
    double epoch(E&& executor = E{}) {
        if (pairs_.empty()) {
            return 0.0;
        }
        if (options_.negatives.hard > 0 && !has_own_pools_) {
            hard_pools_ =
                HardPools::scored<Backend>(detail::user_vectors<Backend>(weights_, sequences_, options_, executor),
                                           detail::item_vectors<Backend>(weights_, sequences_, options_, executor),
                                           sequences_, options_.negatives.hard_pool, executor);
        }
        Random(options_.seed, stream("two_tower.order"), epoch_).shuffle(std::span(pairs_));
        const std::size_t batches = pairs_.size() / batch_;
        double loss = 0.0;
        for (std::size_t b = 0; b < batches; ++b) {
            loss += step(std::span<const detail::TrainingPair>(pairs_).subspan(b * batch_, batch_), executor);
        }
        ++epoch_;
        return loss / static_cast<double>(batches);
    }

private:
    template <data::InteractionLog Log>
    [[nodiscard]] static TwoTowerOptions checked(const TwoTowerOptions& options, const Log& log) {
        detail::check(options, "TwoTower");
        detail::require_features(options.item_features, log.items(), Weights::item_features, "TwoTower: item_features");
        detail::require_features(options.user_features, log.users(), Weights::user_features, "TwoTower: user_features");
        detail::require_text(options.item_text, log.items(), "TwoTower: item_text");
        detail::require_text(options.user_text, log.users(), "TwoTower: user_text");
        return options;
    }

    [[nodiscard]] static nn::AdamOptions adam(const TwoTowerOptions& options) {
        return {.learning_rate = static_cast<double>(options.learning_rate)};
    }

    template <Executor E>
    double step(std::span<const detail::TrainingPair> batch, E& executor) {
        const nn::Step step{.seed = options_.seed, .number = steps_, .layer = stream("two_tower.layers")};
        taken_.clear();
        for (const detail::TrainingPair& pair : batch) {
            taken_.push_back(sequences_.items()[pair.position]);
        }
        const auto users = user_side_.forward(weights_.user, weights_.histories, weights_.user_words, sequences_, batch,
                                              options_, step.of(0), executor);
        detail::grow(d_users_, batch.size(), UserNetwork::out);
        const MatrixView<float> d_users = d_users_.view().rows_from(0, batch.size());
        const detail::ItemBatch items{.taken = taken_,
                                      .pairs = batch,
                                      .sequences = sequences_,
                                      .hard_pools = options_.negatives.hard > 0 ? &hard_pools_ : nullptr};
        const double loss =
            item_side_.step(weights_.item, weights_.ids, weights_.item_words, items, options_.item_features, users,
                            d_users, options_, 1.0F, steps_, step.of(1), executor);
        user_side_.backward(weights_.user, weights_.histories.view(), weights_.user_words.view(), d_users, executor);
        ++steps_;
        return loss;
    }

    TwoTowerOptions options_;
    Sequences sequences_;
    std::vector<detail::TrainingPair> pairs_;
    std::size_t batch_ = 0;
    Weights weights_;
    detail::UserSide<UserNetwork, Width, Backend> user_side_;
    detail::ItemSide<ItemNetwork, Width, Backend> item_side_;
    HardPools hard_pools_;
    bool has_own_pools_ = false;
    std::uint64_t epoch_ = 0;
    std::uint64_t steps_ = 0;
    std::vector<std::uint32_t> taken_;
    Matrix<float> d_users_;
};

}  // namespace embedding
}  // namespace FUNNEL_ABI
}  // namespace funnel
