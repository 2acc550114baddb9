// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/rng.hpp>
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
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
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

namespace detail {

inline void check(const TwoTowerOptions& options, const std::string& model) {
    require_at_least(options.batch, 1, (model + ": batch").c_str());
    require_at_least(options.history, 1, (model + ": history").c_str());
    require_positive(options.learning_rate, (model + ": learning_rate").c_str());
    require_positive(options.temperature, (model + ": temperature").c_str());
    require_positive(options.init_scale, (model + ": init_scale").c_str());
    require(options.id_dropout >= 0.0F && options.id_dropout < 1.0F,
            (model + ": id_dropout must lie in [0, 1)").c_str());
}

/// Checks that there is a row of `columns` finite features for each user or item. what: "TwoTower: item_features".
inline void require_features(MatrixView<const float> features, std::size_t rows, std::size_t columns,
                             const std::string& what) {
    if (features.cols() != columns || (columns > 0 && features.rows() != rows)) {
        raise<InvalidArgument>(what + " must be " + std::to_string(rows) + " x " + std::to_string(columns) + ", got " +
                               std::to_string(features.rows()) + " x " + std::to_string(features.cols()));
    }
    for (std::size_t i = 0; columns > 0 && i < rows; ++i) {
        for (const float& x : features.row(i)) {
            require_finite(x, what.c_str());
        }
    }
}

/// Random embeddings.
inline void draw(Matrix<float>& rows, float scale, std::uint64_t seed, Stream numbers) {
    for (std::size_t i = 0; i < rows.rows(); ++i) {
        Random random(seed, numbers, i);
        for (float& x : rows.row(i)) {
            x = scale * static_cast<float>(random.normal());
        }
    }
}

inline void grow(Matrix<float>& matrix, std::size_t rows, std::size_t cols) {
    if (matrix.rows() < rows || matrix.cols() != cols) {
        matrix = Matrix<float>(rows, cols);
    }
}

/// Writes what describes a user into the front of a row: the mean of the embeddings of the last `limit` items.
///
/// Shapes    history: ids below the rows of embeddings (not checked);  row: as wide as embeddings, or wider
template <kernels::HostBackend Backend>
void pool_last(MatrixView<const float> embeddings, std::size_t limit, std::span<const std::uint32_t> history,
               std::span<float> row) {
    const auto last = history.last(std::min(history.size(), limit));
    const std::array<std::size_t, 2> starts{0, last.size()};
    nn::pool_bags<Backend, float>(embeddings, {.ids = last, .starts = starts}, nn::Pooling::Mean,
                                  MatrixView<float>(row.first(embeddings.cols()), 1, embeddings.cols()));
}

/// A user and the position, among the items of all sequences, of an item that this user took.
struct TrainingPair {
    std::uint32_t user;
    std::size_t position;
};

/// What training a tower of users needs beside its numbers: optimisers, gradients and the memory of a step.
template <nn::Layer Network, std::size_t Width, kernels::HostBackend Backend>
class UserSide {
public:
    static constexpr std::size_t features = Network::in - Width;

    UserSide(std::size_t items, const nn::AdamOptions& options)
        : adam_(Network::parameters, options), history_adam_(items, Width, options), gradient_(Network::parameters) {}

    /// The vectors of the users of a batch, described by what they took before the item of the pair.
    template <Executor E>
    MatrixView<const float> forward(nn::Tower<Network>& tower, MatrixView<const float> histories,
                                    const Sequences& sequences, std::span<const TrainingPair> batch,
                                    const TwoTowerOptions& options, const nn::Step& step, E& executor) {
        history_ids_.clear();
        history_starts_.assign(1, 0);
        for (const TrainingPair& pair : batch) {
            const std::size_t first = sequences.starts()[pair.user];
            const std::size_t begin = std::max(first, pair.position - std::min(pair.position, options.history));
            history_ids_.insert(history_ids_.end(), sequences.items().begin() + static_cast<std::ptrdiff_t>(begin),
                                sequences.items().begin() + static_cast<std::ptrdiff_t>(pair.position));
            history_starts_.push_back(history_ids_.size());
        }
        used_ = batch.size();
        grow(rows_, used_, Network::in);
        nn::pool_bags<Backend, float>(histories, bags(), nn::Pooling::Mean, nn::detail::columns(rows(), 0, Width),
                                      executor);
        for (std::size_t i = 0; i < used_ && features > 0; ++i) {
            const std::span<const float> of_user = options.user_features.row(batch[i].user);
            std::copy(of_user.begin(), of_user.end(), rows().row(i).begin() + Width);
        }
        if (!pass_ || pass_->rows() < used_) {
            pass_.emplace(used_);
        }
        return tower.template forward<Backend>(rows(), step, *pass_, executor);
    }

    /// Takes a step, from the gradient of the vectors.
    template <Executor E>
    void backward(nn::Tower<Network>& tower, MatrixView<float> histories, MatrixView<const float> d_vectors,
                  E& executor) {
        grow(d_rows_, used_, Network::in);
        const MatrixView<float> d_rows = d_rows_.view().rows_from(0, used_);
        std::fill(gradient_.begin(), gradient_.end(), 0.0F);
        tower.template backward<Backend>(rows(), d_vectors, *pass_, gradient_, d_rows, executor);
        nn::pool_bags_gradient<Backend, float>(bags(), nn::Pooling::Mean,
                                               nn::detail::columns(MatrixView<const float>(d_rows), 0, Width),
                                               history_gradient_, executor);
        adam_.step(tower.parameters(), gradient_);
        history_adam_.step(histories, history_gradient_, executor);
    }

private:
    [[nodiscard]] MatrixView<float> rows() { return rows_.view().rows_from(0, used_); }
    [[nodiscard]] nn::Bags bags() const { return {.ids = history_ids_, .starts = history_starts_}; }

    nn::Adam adam_;
    nn::LazyAdam history_adam_;
    std::size_t used_ = 0;  // rows of the last forward pass
    std::optional<typename nn::Tower<Network>::Pass> pass_;
    nn::SparseGradient<float> history_gradient_;
    std::vector<float> gradient_;
    std::vector<std::uint32_t> history_ids_;
    std::vector<std::size_t> history_starts_;
    Matrix<float> rows_;
    Matrix<float> d_rows_;
};

/// What training a tower of items needs beside its numbers: optimisers, gradients, negatives and the memory of a step.
template <nn::Layer Network, std::size_t Width, kernels::HostBackend Backend>
class ItemSide {
public:
    static constexpr std::size_t features = Network::in - Width;

    ItemSide(std::size_t items, const nn::AdamOptions& options, std::uint64_t seed)
        : seed_(seed),
          adam_(Network::parameters, options),
          id_adam_(items, Width, options),
          gradient_(Network::parameters) {}

    /// The log Q correction, for items that occur in so many training pairs, batches of that many of them, and so many
    /// uniform negatives.
    void count(std::span<const std::uint64_t> counts, std::size_t batch, std::size_t negatives) {
        const nn::MixedSampler frequency(counts, batch, negatives);
        for (std::uint32_t item = 0; item < counts.size(); ++item) {
            const double q = frequency.probability(item);
            log_q_of_item_.push_back(q > 0.0 ? math::log(q) : 0.0);  // an item with q = 0 is in no batch
        }
    }

    /// One step: the loss of users with these vectors, who took these items.
    ///
    /// Shapes    d_users: as users; overwritten with the gradient times `weight`
    /// Returns   the loss, without the weight
    template <Executor E>
    double step(nn::Tower<Network>& tower, Matrix<float>& ids, std::span<const std::uint32_t> taken,
                MatrixView<const float> item_features, MatrixView<const float> users, MatrixView<float> d_users,
                const TwoTowerOptions& options, float weight, std::uint64_t number, const nn::Step& step, E& executor) {
        items_.assign(taken.begin(), taken.end());
        Random negatives(seed_, stream("two_tower.negatives"), number);
        while (items_.size() < taken.size() + options.uniform_negatives) {
            items_.push_back(static_cast<std::uint32_t>(negatives.below(ids.rows())));
        }
        const std::size_t m = items_.size();
        grow(rows_, m, Network::in);
        const MatrixView<float> rows = rows_.view().rows_from(0, m);
        hidden_.assign(m, 0);
        Random lots(seed_, stream("two_tower.id_dropout"), number);
        for (std::size_t j = 0; j < m; ++j) {
            hidden_[j] = options.id_dropout > 0.0F && lots.uniform() < static_cast<double>(options.id_dropout) ? 1 : 0;
            const std::span<float> row = rows.row(j);
            const std::span<const float> id = ids.row(items_[j]);
            if (hidden_[j] != 0) {
                std::fill(row.begin(), row.begin() + Width, 0.0F);
            } else {
                std::copy(id.begin(), id.end(), row.begin());
            }
            if constexpr (features > 0) {
                const std::span<const float> of_item = item_features.row(items_[j]);
                std::copy(of_item.begin(), of_item.end(), row.begin() + Width);
            }
        }
        if (!pass_ || pass_->rows() < m) {
            pass_.emplace(m);
        }
        const auto vectors = tower.template forward<Backend>(rows, step, *pass_, executor);
        log_q_.clear();
        for (std::size_t j = 0; j < m && options.log_q_correction; ++j) {
            log_q_.push_back(log_q_of_item_[items_[j]]);
        }
        grow(d_vectors_, m, Network::out);
        grow(d_rows_, m, Network::in);
        const MatrixView<float> d_vectors = d_vectors_.view().rows_from(0, m);
        const MatrixView<float> d_rows = d_rows_.view().rows_from(0, m);
        const double loss = nn::in_batch_softmax<Backend, float>(
            {.users = users, .items = vectors, .log_q = log_q_, .item_ids = items_},
            {.temperature = options.temperature}, scratch_, d_users, d_vectors, executor);
        scale(d_users, weight);
        scale(d_vectors, weight);
        std::fill(gradient_.begin(), gradient_.end(), 0.0F);
        tower.template backward<Backend>(rows, d_vectors, *pass_, gradient_, d_rows, executor);
        id_gradient_.collect(
            items_, Width,
            [&](std::size_t j, std::span<float> row) {
                for (std::size_t k = 0; k < Width && hidden_[j] == 0; ++k) {
                    row[k] += d_rows(j, k);
                }
            },
            executor);
        adam_.step(tower.parameters(), gradient_);
        id_adam_.step(ids.view(), id_gradient_, executor);
        return loss;
    }

private:
    static void scale(MatrixView<float> rows, float weight) noexcept {
        for (std::size_t i = 0; i < rows.rows() && weight != 1.0F; ++i) {
            for (float& x : rows.row(i)) {
                x *= weight;
            }
        }
    }

    std::uint64_t seed_;
    nn::Adam adam_;
    nn::LazyAdam id_adam_;
    std::vector<double> log_q_of_item_;
    std::optional<typename nn::Tower<Network>::Pass> pass_;
    nn::InBatchScratch<float> scratch_;
    nn::SparseGradient<float> id_gradient_;
    std::vector<float> gradient_;
    std::vector<std::uint32_t> items_;
    std::vector<std::uint8_t> hidden_;
    std::vector<double> log_q_;
    Matrix<float> rows_;
    Matrix<float> d_vectors_;
    Matrix<float> d_rows_;
};

}  // namespace detail

}  // namespace embedding
}  // namespace FUNNEL_ABI
}  // namespace funnel
