// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/data/interaction_log.hpp>
#include <funnel/embedding/sequences.hpp>
#include <funnel/embedding/two_tower_sides.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/nn/adam.hpp>
#include <funnel/nn/layer.hpp>
#include <funnel/nn/tower.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace embedding {

/// The numbers of a two-tower model.
///
///     user vector = UserNetwork([mean of the history embeddings | user features])
///     item vector = ItemNetwork([id embedding | item features])
template <nn::Layer UserNetwork, nn::Layer ItemNetwork, std::size_t Width>
struct TwoTowerWeights {
    static_assert(UserNetwork::out == ItemNetwork::out, "TwoTower: both networks must give vectors of the same length");
    static_assert(UserNetwork::in >= Width && ItemNetwork::in >= Width,
                  "TwoTower: the input of a network starts with an embedding of Width numbers");
    static constexpr std::size_t user_features = UserNetwork::in - Width;
    static constexpr std::size_t item_features = ItemNetwork::in - Width;

    nn::Tower<UserNetwork> user;
    nn::Tower<ItemNetwork> item;
    Matrix<float> histories;  // an embedding per item, for the histories of users
    Matrix<float> ids;        // an embedding per item, for the item network

    TwoTowerWeights(std::size_t items, float init_scale, std::uint64_t seed)
        : user(seed_of(seed, "two_tower.user")),
          item(seed_of(seed, "two_tower.item")),
          histories(items, Width),
          ids(items, Width) {
        detail::draw(histories, init_scale, seed, stream("two_tower.histories"));
        detail::draw(ids, init_scale, seed, stream("two_tower.ids"));
    }

private:
    [[nodiscard]] static std::uint64_t seed_of(std::uint64_t seed, std::string_view name) noexcept {
        return stream(name).substream(seed).id;
    }
};

/// Trains a two-tower model epoch by epoch, for programs that decide themselves when to stop. TwoTower::fit runs all
/// epochs.
///
/// A training pair is an item that a user took, and the items that the user took before it: a history never holds the
/// item itself or a later one. The first item of a user has no history, and is a pair only if there are user features.
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
          weights_(log.items(), options.init_scale, options.seed),
          user_side_(log.items(), adam(options)),
          item_side_(log.items(), adam(options), options.seed) {
        std::vector<std::uint64_t> counts(log.items());
        for (std::uint32_t user = 0; user < sequences_.users(); ++user) {
            const std::span<const std::uint32_t> items = sequences_.of(user);
            for (std::size_t t = Weights::user_features > 0 ? 0 : 1; t < items.size(); ++t) {
                pairs_.push_back({.user = user, .position = sequences_.starts()[user] + t});
                ++counts[items[t]];
            }
        }
        if (!pairs_.empty()) {
            batch_ = std::min(options.batch, pairs_.size());
            item_side_.count(counts, batch_, options.uniform_negatives);
        }
    }

    /// Training pairs.
    [[nodiscard]] std::size_t pairs() const noexcept { return pairs_.size(); }
    [[nodiscard]] const Weights& weights() const noexcept FUNNEL_LIFETIMEBOUND { return weights_; }
    [[nodiscard]] const Sequences& sequences() const noexcept FUNNEL_LIFETIMEBOUND { return sequences_; }

    /// One pass over all pairs, in a new random order. Pairs that do not fill a last batch wait for the next epoch.
    ///
    /// Returns   the mean loss, 0 without pairs
    template <Executor E = Serial>
    double epoch(E&& executor = E{}) {
        if (pairs_.empty()) {
            return 0.0;
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
        const auto users =
            user_side_.forward(weights_.user, weights_.histories, sequences_, batch, options_, step.of(0), executor);
        detail::grow(d_users_, batch.size(), UserNetwork::out);
        const MatrixView<float> d_users = d_users_.view().rows_from(0, batch.size());
        const double loss = item_side_.step(weights_.item, weights_.ids, taken_, options_.item_features, users, d_users,
                                            options_, 1.0F, steps_, step.of(1), executor);
        user_side_.backward(weights_.user, weights_.histories.view(), d_users, executor);
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
    std::uint64_t epoch_ = 0;
    std::uint64_t steps_ = 0;
    std::vector<std::uint32_t> taken_;
    Matrix<float> d_users_;
};

}  // namespace embedding
}  // namespace FUNNEL_ABI
}  // namespace funnel
