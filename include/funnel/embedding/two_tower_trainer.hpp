// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/math.hpp>
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
#include <funnel/io/container_reader.hpp>
#include <funnel/io/container_writer.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/nn/adam.hpp>
#include <funnel/nn/layer.hpp>
#include <funnel/nn/tower.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
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

    /// Errors    InvalidArgument if an option is out of range, features do not have the shape that the networks want,
    ///           or an id or a time in the log is not valid (see Sequences)
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

    /// Epochs that are done.
    [[nodiscard]] std::uint64_t epochs() const noexcept { return epoch_; }

    /// Saves all that training needs to go on after the last epoch: weights, optimisers, epochs and steps. The file is
    /// written completely or not at all.
    ///
    /// Errors    IOError
    void save(const std::string& path) const {
        io::ContainerWriter file(kind, layout_version);
        const std::array<std::uint64_t, 4> course{epoch_, steps_, options_.seed, pairs_.size()};
        file.array("course", course);
        std::vector<std::uint64_t> order;  // each epoch shuffles the order of the one before
        order.reserve(pairs_.size());
        for (const detail::TrainingPair& pair : pairs_) {
            order.push_back(pair.position);
        }
        file.array_copy<std::uint64_t>("order", order);
        weights_.user.write(file, "user");
        weights_.item.write(file, "item");
        file.matrix("histories", weights_.histories);
        file.matrix("ids", weights_.ids);
        file.matrix("user_words", weights_.user_words);
        file.matrix("item_words", weights_.item_words);
        user_side_.write(file);
        item_side_.write(file);
        file.save(path);
    }

    /// Goes on where a trainer with the same log and options was saved: training gives the same bits as without an
    /// interruption. Pools of set_hard_pools are not part of the file. If it throws, nothing has changed.
    ///
    /// Errors    IOError;  CorruptData if the file is damaged, holds something else, or was saved by a trainer with
    ///           other networks, another seed, or other numbers of items, words or pairs
    void restore(const std::string& path) {
        const io::ContainerReader file(path, kind, layout_version);
        const std::vector<std::uint64_t> course = file.template array<std::uint64_t>("course", 4);
        const std::size_t batches = pairs_.empty() ? 0 : pairs_.size() / batch_;
        file.check(course[2] == options_.seed && course[3] == pairs_.size(), "course",
                   "must have the seed and the number of pairs of this trainer");
        file.check(batches == 0 ? course[0] == 0 && course[1] == 0
                                : course[1] % batches == 0 && course[1] / batches == course[0],
                   "course", "must have the steps of whole epochs");
        std::vector<detail::TrainingPair> pairs = ordered(file);
        Weights weights = weights_;
        auto user_side = user_side_;
        auto item_side = item_side_;
        weights.user = nn::Tower<UserNetwork>::read(file, "user");
        weights.item = nn::Tower<ItemNetwork>::read(file, "item");
        const auto read = [&](const char* name, Matrix<float>& rows) {
            rows = file.template matrix<float>(name, rows.rows(), Width);
            for (std::size_t i = 0; i < rows.rows(); ++i) {
                file.check(math::all_finite(rows.row(i)), name, "must be finite");
            }
        };
        read("histories", weights.histories);
        read("ids", weights.ids);
        read("user_words", weights.user_words);
        read("item_words", weights.item_words);
        user_side.read(file);
        item_side.read(file);
        weights_ = std::move(weights);
        user_side_ = std::move(user_side);
        item_side_ = std::move(item_side);
        pairs_ = std::move(pairs);
        epoch_ = course[0];
        steps_ = course[1];
    }

private:
    static constexpr std::string_view kind = "embedding.TwoTowerRun";
    static constexpr std::uint32_t layout_version = 1;

    // The pairs in the order that a file has.
    [[nodiscard]] std::vector<detail::TrainingPair> ordered(const io::ContainerReader& file) const {
        const std::vector<std::uint64_t> order = file.array<std::uint64_t>("order", pairs_.size());
        const auto is_before = [](const detail::TrainingPair& a, const detail::TrainingPair& b) {
            return a.position < b.position;
        };
        std::vector<detail::TrainingPair> by_position = pairs_;
        std::sort(by_position.begin(), by_position.end(), is_before);
        std::vector<std::uint8_t> is_used(by_position.size());
        std::vector<detail::TrainingPair> result;
        for (const std::uint64_t position : order) {
            const auto found = std::lower_bound(by_position.begin(), by_position.end(),
                                                detail::TrainingPair{.user = 0, .position = position}, is_before);
            file.check(found != by_position.end() && found->position == position, "order",
                       "must be positions of the pairs of this trainer");
            std::uint8_t& used = is_used[static_cast<std::size_t>(found - by_position.begin())];
            file.check(used == 0, "order", "must have each pair once");
            used = 1;
            result.push_back(*found);
        }
        return result;
    }

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
