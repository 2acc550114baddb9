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
#include <funnel/embedding/sequences.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/nn/adam.hpp>
#include <funnel/nn/embedding_bag.hpp>
#include <funnel/nn/layer.hpp>
#include <funnel/nn/samplers.hpp>
#include <funnel/nn/softmax_losses.hpp>
#include <funnel/nn/sparse_gradient.hpp>
#include <funnel/nn/tower.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace embedding {

struct TwoTowerOptions {
    std::size_t epochs = 15;            ///< passes over all training pairs
    std::size_t batch = 1024;           ///< pairs per step, at least 1
    std::size_t history = 50;           ///< most recent items of a user that describe the user, at least 1
    float learning_rate = 1e-3F;        ///< of Adam, > 0
    double temperature = 0.07;          ///< > 0; for networks without L2Normalize, 1 is usual
    bool log_q_correction = true;       ///< whether the loss corrects for the popularity of in-batch negatives
    std::size_t uniform_negatives = 0;  ///< per batch, beside its own items
    float id_dropout = 0.0F;            ///< in [0, 1): share of item ids that are hidden in training, so that features
                                        ///< alone can describe an item; for catalogues with new items
    float init_scale = 0.05F;           ///< standard deviation of the initial embeddings, > 0
    std::uint64_t seed = 1;
    MatrixView<const float> item_features{};  ///< one row per item; as many columns as the item network wants
    MatrixView<const float> user_features{};  ///< one row per user; as many columns as the user network wants
};

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
        draw(histories, init_scale, seed, stream("two_tower.histories"));
        draw(ids, init_scale, seed, stream("two_tower.ids"));
    }

private:
    [[nodiscard]] static std::uint64_t seed_of(std::uint64_t seed, std::string_view name) noexcept {
        return stream(name).substream(seed).id;
    }

    static void draw(Matrix<float>& rows, float scale, std::uint64_t seed, Stream numbers) {
        for (std::size_t i = 0; i < rows.rows(); ++i) {
            Random random(seed, numbers, i);
            for (float& x : rows.row(i)) {
                x = scale * static_cast<float>(random.normal());
            }
        }
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
          user_adam_(weights_.user.parameters().size(), adam()),
          item_adam_(weights_.item.parameters().size(), adam()),
          history_adam_(log.items(), Width, adam()),
          id_adam_(log.items(), Width, adam()),
          user_gradient_(weights_.user.parameters().size()),
          item_gradient_(weights_.item.parameters().size()) {
        std::vector<std::uint64_t> counts(log.items());
        for (std::uint32_t user = 0; user < sequences_.users(); ++user) {
            const std::span<const std::uint32_t> items = sequences_.of(user);
            for (std::size_t t = Weights::user_features > 0 ? 0 : 1; t < items.size(); ++t) {
                pairs_.push_back({.user = user, .position = sequences_.starts()[user] + t});
                ++counts[items[t]];
            }
        }
        const std::size_t negatives = options.uniform_negatives;
        if (!pairs_.empty()) {
            batch_ = std::min(options.batch, pairs_.size());
            const nn::MixedSampler frequency(counts, batch_, negatives);
            for (std::uint32_t item = 0; item < log.items(); ++item) {
                const double q = frequency.probability(item);
                log_q_of_item_.push_back(q > 0.0 ? math::log(q) : 0.0);  // an item with q = 0 is in no batch
            }
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
        Random(options_.seed, stream("two_tower.order"), epoch_).shuffle(std::span<Pair>(pairs_));
        const std::size_t batches = pairs_.size() / batch_;
        if (!user_pass_) {
            user_pass_.emplace(batch_);
            item_pass_.emplace(batch_ + options_.uniform_negatives);
        }
        double loss = 0.0;
        for (std::size_t b = 0; b < batches; ++b) {
            loss += step(std::span<const Pair>(pairs_).subspan(b * batch_, batch_), executor);
        }
        ++epoch_;
        return loss / static_cast<double>(batches);
    }

private:
    struct Pair {
        std::uint32_t user;
        std::size_t position;  // of the item in sequences_.items()
    };

    template <data::InteractionLog Log>
    [[nodiscard]] static const TwoTowerOptions& checked(const TwoTowerOptions& options, const Log& log) {
        require(options.batch > 0, "TwoTower: batch must be at least 1, got 0");
        require(options.history > 0, "TwoTower: history must be at least 1, got 0");
        require_positive(options.learning_rate, "TwoTower: learning_rate");
        require_positive(options.temperature, "TwoTower: temperature");
        require_positive(options.init_scale, "TwoTower: init_scale");
        require(options.id_dropout >= 0.0F && options.id_dropout < 1.0F, "TwoTower: id_dropout must lie in [0, 1)");
        require_features(options.item_features, log.items(), Weights::item_features, "item_features");
        require_features(options.user_features, log.users(), Weights::user_features, "user_features");
        return options;
    }

    static void require_features(MatrixView<const float> features, std::size_t rows, std::size_t columns,
                                 const char* what) {
        if (features.cols() != columns || (columns > 0 && features.rows() != rows)) {
            raise<InvalidArgument>(std::string("TwoTower: ") + what + " must be " + std::to_string(rows) + " x " +
                                   std::to_string(columns) + ", got " + std::to_string(features.rows()) + " x " +
                                   std::to_string(features.cols()));
        }
        for (std::size_t i = 0; columns > 0 && i < rows; ++i) {
            for (const float& x : features.row(i)) {
                require_finite(x, "TwoTower: a feature");
            }
        }
    }

    [[nodiscard]] nn::AdamOptions adam() const {
        return {.learning_rate = static_cast<double>(options_.learning_rate)};
    }

    template <Executor E>
    double step(std::span<const Pair> batch, E& executor) {
        const nn::Step step{.seed = options_.seed, .number = steps_, .layer = stream("two_tower.layers")};
        const std::size_t n = batch.size();
        const std::size_t m = n + options_.uniform_negatives;

        items_.clear();
        history_ids_.clear();
        history_starts_.assign(1, 0);
        for (const Pair& pair : batch) {
            items_.push_back(sequences_.items()[pair.position]);
            const std::size_t first = sequences_.starts()[pair.user];
            const std::size_t begin = std::max(first, pair.position - std::min(pair.position, options_.history));
            history_ids_.insert(history_ids_.end(), sequences_.items().begin() + static_cast<std::ptrdiff_t>(begin),
                                sequences_.items().begin() + static_cast<std::ptrdiff_t>(pair.position));
            history_starts_.push_back(history_ids_.size());
        }
        Random negatives(options_.seed, stream("two_tower.negatives"), steps_);
        while (items_.size() < m) {
            items_.push_back(static_cast<std::uint32_t>(negatives.below(weights_.ids.rows())));
        }

        // Inputs: an embedding, then features.
        const nn::Bags bags{.ids = history_ids_, .starts = history_starts_};
        resize(user_rows_, n, UserNetwork::in);
        resize(item_rows_, m, ItemNetwork::in);
        const MatrixView<float> user_rows = user_rows_.view().rows_from(0, n);
        const MatrixView<float> item_rows = item_rows_.view().rows_from(0, m);
        nn::pool_bags<Backend, float>(weights_.histories, bags, nn::Pooling::Mean,
                                      nn::detail::columns(user_rows, 0, Width), executor);
        for (std::size_t i = 0; i < n && Weights::user_features > 0; ++i) {
            const std::span<const float> features = options_.user_features.row(batch[i].user);
            std::copy(features.begin(), features.end(), user_rows.row(i).begin() + Width);
        }
        hidden_.assign(m, 0);
        Random lots(options_.seed, stream("two_tower.id_dropout"), steps_);
        for (std::size_t j = 0; j < m; ++j) {
            hidden_[j] =
                options_.id_dropout > 0.0F && lots.uniform() < static_cast<double>(options_.id_dropout) ? 1 : 0;
            const std::span<float> row = item_rows.row(j);
            const std::span<const float> id = weights_.ids.row(items_[j]);
            if (hidden_[j] != 0) {
                std::fill(row.begin(), row.begin() + Width, 0.0F);
            } else {
                std::copy(id.begin(), id.end(), row.begin());
            }
            if constexpr (Weights::item_features > 0) {
                const std::span<const float> features = options_.item_features.row(items_[j]);
                std::copy(features.begin(), features.end(), row.begin() + Width);
            }
        }

        const auto user_vectors = weights_.user.template forward<Backend>(user_rows, step.of(0), *user_pass_, executor);
        const auto item_vectors = weights_.item.template forward<Backend>(item_rows, step.of(1), *item_pass_, executor);
        log_q_.clear();
        for (std::size_t j = 0; j < m && options_.log_q_correction; ++j) {
            log_q_.push_back(log_q_of_item_[items_[j]]);
        }
        resize(d_users_, n, UserNetwork::out);
        resize(d_items_, m, ItemNetwork::out);
        const MatrixView<float> d_users = d_users_.view().rows_from(0, n);
        const MatrixView<float> d_items = d_items_.view().rows_from(0, m);
        const double loss = nn::in_batch_softmax<Backend, float>(
            {.users = user_vectors, .items = item_vectors, .log_q = log_q_, .item_ids = items_},
            {.temperature = options_.temperature}, scratch_, d_users, d_items, executor);

        resize(d_user_rows_, n, UserNetwork::in);
        resize(d_item_rows_, m, ItemNetwork::in);
        const MatrixView<float> d_user_rows = d_user_rows_.view().rows_from(0, n);
        const MatrixView<float> d_item_rows = d_item_rows_.view().rows_from(0, m);
        std::fill(user_gradient_.begin(), user_gradient_.end(), 0.0F);
        std::fill(item_gradient_.begin(), item_gradient_.end(), 0.0F);
        weights_.user.template backward<Backend>(user_rows, d_users, *user_pass_, user_gradient_, d_user_rows,
                                                 executor);
        weights_.item.template backward<Backend>(item_rows, d_items, *item_pass_, item_gradient_, d_item_rows,
                                                 executor);

        nn::pool_bags_gradient<Backend, float>(bags, nn::Pooling::Mean,
                                               nn::detail::columns(MatrixView<const float>(d_user_rows), 0, Width),
                                               history_gradient_, executor);
        id_gradient_.collect(
            items_, Width,
            [&](std::size_t j, std::span<float> row) {
                for (std::size_t k = 0; k < Width && hidden_[j] == 0; ++k) {
                    row[k] += d_item_rows(j, k);
                }
            },
            executor);
        user_adam_.step(weights_.user.parameters(), user_gradient_);
        item_adam_.step(weights_.item.parameters(), item_gradient_);
        history_adam_.step(weights_.histories.view(), history_gradient_, executor);
        id_adam_.step(weights_.ids.view(), id_gradient_, executor);
        ++steps_;
        return loss;
    }

    static void resize(Matrix<float>& matrix, std::size_t rows, std::size_t cols) {
        if (matrix.rows() < rows || matrix.cols() != cols) {
            matrix = Matrix<float>(rows, cols);
        }
    }

    TwoTowerOptions options_;
    Sequences sequences_;
    std::vector<Pair> pairs_;
    std::size_t batch_ = 0;
    std::vector<double> log_q_of_item_;
    Weights weights_;
    nn::Adam user_adam_;
    nn::Adam item_adam_;
    nn::LazyAdam history_adam_;
    nn::LazyAdam id_adam_;
    std::uint64_t epoch_ = 0;
    std::uint64_t steps_ = 0;

    // Memory of a step.
    std::optional<typename nn::Tower<UserNetwork>::Pass> user_pass_;
    std::optional<typename nn::Tower<ItemNetwork>::Pass> item_pass_;
    nn::InBatchScratch<float> scratch_;
    nn::SparseGradient<float> history_gradient_;
    nn::SparseGradient<float> id_gradient_;
    std::vector<float> user_gradient_;
    std::vector<float> item_gradient_;
    std::vector<std::uint32_t> items_;
    std::vector<std::uint32_t> history_ids_;
    std::vector<std::size_t> history_starts_;
    std::vector<std::uint8_t> hidden_;
    std::vector<double> log_q_;
    Matrix<float> user_rows_;
    Matrix<float> item_rows_;
    Matrix<float> d_users_;
    Matrix<float> d_items_;
    Matrix<float> d_user_rows_;
    Matrix<float> d_item_rows_;
};

}  // namespace embedding
}  // namespace FUNNEL_ABI
}  // namespace funnel
