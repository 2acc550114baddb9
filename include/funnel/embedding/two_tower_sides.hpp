// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/executor.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/embedding/sequences.hpp>
#include <funnel/embedding/two_tower_negatives.hpp>
#include <funnel/embedding/two_tower_options.hpp>
#include <funnel/io/container_reader.hpp>
#include <funnel/io/container_writer.hpp>
#include <funnel/kernels/axpy.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/nn/adam.hpp>
#include <funnel/nn/embedding_bag.hpp>
#include <funnel/nn/layer.hpp>
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

namespace detail {

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

/// What training a table of word embeddings needs beside its numbers.
template <std::size_t Width, kernels::HostBackend Backend>
class TextSide {
public:
    TextSide(std::size_t rows, const nn::AdamOptions& options) : adam_(rows, Width, options) {}

    /// Adds the mean of the embeddings of the words of each of `of` to the front of its row.
    template <class Ids, class Id, Executor E>
    void add(MatrixView<const float> words, const TextFeatures& text, const Ids& of, const Id& id_of,
             MatrixView<float> rows, E& executor) {
        if (text.rows == 0) {
            return;
        }
        ids_.clear();
        weights_.clear();
        starts_.assign(1, 0);
        for (const auto& each : of) {
            const std::size_t begin = text.bags.starts[id_of(each)];
            const std::size_t count = text.bags.starts[id_of(each) + 1] - begin;
            const auto ids = text.bags.ids.subspan(begin, count);
            ids_.insert(ids_.end(), ids.begin(), ids.end());
            if (!text.bags.weights.empty()) {
                const auto weights = text.bags.weights.subspan(begin, count);
                weights_.insert(weights_.end(), weights.begin(), weights.end());
            }
            starts_.push_back(ids_.size());
        }
        grow(means_, of.size(), Width);
        const MatrixView<float> means = means_.view().rows_from(0, of.size());
        nn::pool_bags<Backend, float>(words, bags(), nn::Pooling::Mean, means, executor);
        for (std::size_t i = 0; i < of.size(); ++i) {
            kernels::axpy<Backend>(1.0F, means.row(i), rows.row(i).first(Width));
        }
    }

    /// Takes a step, from the gradient of the rows of the last call of add.
    template <Executor E>
    void step(MatrixView<float> words, MatrixView<const float> d_rows, E& executor) {
        if (words.rows() > 0) {
            nn::pool_bags_gradient<Backend, float>(bags(), nn::Pooling::Mean, d_rows.columns_from(0, Width), gradient_,
                                                   executor);
            adam_.step(words, gradient_, executor);
        }
    }

    void write(io::ContainerWriter& file, const std::string& name) const { adam_.write(file, name + ".words_adam"); }
    void read(const io::ContainerReader& file, const std::string& name) {
        adam_ = nn::LazyAdam::read(file, adam_.rows(), Width, adam_.options(), name + ".words_adam");
    }

private:
    [[nodiscard]] nn::Bags bags() const { return {.ids = ids_, .starts = starts_, .weights = weights_}; }

    nn::LazyAdam adam_;
    nn::SparseGradient<float> gradient_;
    std::vector<std::uint32_t> ids_;
    std::vector<std::size_t> starts_;
    std::vector<float> weights_;
    Matrix<float> means_;
};

/// What training a tower of users needs beside its numbers: optimisers, gradients and the memory of a step.
template <nn::Layer Network, std::size_t Width, kernels::HostBackend Backend>
class UserSide {
public:
    static constexpr std::size_t features = Network::in - Width;

    UserSide(std::size_t items, std::size_t words, const nn::AdamOptions& options)
        : adam_(Network::parameters, options),
          history_adam_(items, Width, options),
          text_(words, options),
          gradient_(Network::parameters) {}

    /// The vectors of the users of a batch, described by what they took before the item of the pair.
    template <Executor E>
    MatrixView<const float> forward(nn::Tower<Network>& tower, MatrixView<const float> histories,
                                    MatrixView<const float> words, const Sequences& sequences,
                                    std::span<const TrainingPair> batch, const TwoTowerOptions& options,
                                    const nn::Step& step, E& executor) {
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
        nn::pool_bags<Backend, float>(histories, bags(), nn::Pooling::Mean, rows().columns_from(0, Width), executor);
        const auto user_of = [](const TrainingPair& pair) { return std::size_t{pair.user}; };
        text_.add(words, options.user_text, batch, user_of, rows(), executor);
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
    void backward(nn::Tower<Network>& tower, MatrixView<float> histories, MatrixView<float> words,
                  MatrixView<const float> d_vectors, E& executor) {
        grow(d_rows_, used_, Network::in);
        const MatrixView<float> d_rows = d_rows_.view().rows_from(0, used_);
        std::fill(gradient_.begin(), gradient_.end(), 0.0F);
        tower.template backward<Backend>(rows(), d_vectors, *pass_, gradient_, d_rows, executor);
        nn::pool_bags_gradient<Backend, float>(bags(), nn::Pooling::Mean,
                                               MatrixView<const float>(d_rows).columns_from(0, Width),
                                               history_gradient_, executor);
        adam_.step(tower.parameters(), gradient_);
        history_adam_.step(histories, history_gradient_, executor);
        text_.step(words, d_rows, executor);
    }

    /// The state of the optimisers, in a file.
    void write(io::ContainerWriter& file) const {
        adam_.write(file, "user.adam");
        history_adam_.write(file, "histories.adam");
        text_.write(file, "user");
    }
    void read(const io::ContainerReader& file) {
        adam_ = nn::Adam::read(file, Network::parameters, adam_.options(), "user.adam");
        history_adam_ =
            nn::LazyAdam::read(file, history_adam_.rows(), Width, history_adam_.options(), "histories.adam");
        text_.read(file, "user");
    }

private:
    [[nodiscard]] MatrixView<float> rows() { return rows_.view().rows_from(0, used_); }
    [[nodiscard]] nn::Bags bags() const { return {.ids = history_ids_, .starts = history_starts_}; }

    nn::Adam adam_;
    nn::LazyAdam history_adam_;
    TextSide<Width, Backend> text_;
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

    ItemSide(std::size_t items, std::size_t words, const nn::AdamOptions& options, std::uint64_t seed)
        : seed_(seed),
          adam_(Network::parameters, options),
          id_adam_(items, Width, options),
          text_(words, options),
          negatives_(seed),
          gradient_(Network::parameters) {}

    /// Prepares negatives, for items that occur in so many training pairs, and batches of that many of them.
    void count(std::span<const std::uint64_t> counts, std::size_t batch, const NegativeOptions& negatives) {
        negatives_.count(counts, batch, negatives);
    }

    /// One step: the loss of users with these vectors, who took the items of the batch.
    ///
    /// Shapes    d_users: as users; overwritten with the gradient times `weight`
    /// Returns   the loss, without the weight
    template <Executor E>
    double step(nn::Tower<Network>& tower, Matrix<float>& ids, Matrix<float>& words, const ItemBatch& batch,
                MatrixView<const float> item_features, MatrixView<const float> users, MatrixView<float> d_users,
                const TwoTowerOptions& options, float weight, std::uint64_t number, const nn::Step& step, E& executor) {
        negatives_.draw(batch, number);
        const std::span<const std::uint32_t> items = negatives_.items();
        const std::size_t m = items.size();
        grow(rows_, m, Network::in);
        const MatrixView<float> rows = rows_.view().rows_from(0, m);
        hidden_.assign(m, 0);
        Random lots(seed_, stream("two_tower.id_dropout"), number);
        for (std::size_t j = 0; j < m; ++j) {
            hidden_[j] = options.id_dropout > 0.0F && lots.uniform() < static_cast<double>(options.id_dropout) ? 1 : 0;
            const std::span<float> row = rows.row(j);
            const std::span<const float> id = ids.row(items[j]);
            if (hidden_[j] != 0) {
                std::fill(row.begin(), row.begin() + Width, 0.0F);
            } else {
                std::copy(id.begin(), id.end(), row.begin());
            }
            if constexpr (features > 0) {
                const std::span<const float> of_item = item_features.row(items[j]);
                std::copy(of_item.begin(), of_item.end(), row.begin() + Width);
            }
        }
        text_.add(
            words, options.item_text, items, [](std::uint32_t item) { return std::size_t{item}; }, rows, executor);
        if (!pass_ || pass_->rows() < m) {
            pass_.emplace(m);
        }
        const auto vectors = tower.template forward<Backend>(rows, step, *pass_, executor);
        if (options.log_q_correction) {
            negatives_.log_q(log_q_);
        }
        grow(d_vectors_, m, Network::out);
        grow(d_rows_, m, Network::in);
        const MatrixView<float> d_vectors = d_vectors_.view().rows_from(0, m);
        const MatrixView<float> d_rows = d_rows_.view().rows_from(0, m);
        const double loss = nn::in_batch_softmax<Backend, float>(
            {.users = users,
             .items = vectors,
             .log_q = log_q_,
             .item_ids = items,
             .left_out_starts = negatives_.left_out_starts(),
             .left_out = negatives_.left_out()},
            {.temperature = options.temperature, .in_batch = options.negatives.in_batch}, scratch_, d_users, d_vectors,
            executor);
        scale(d_users, weight);
        scale(d_vectors, weight);
        std::fill(gradient_.begin(), gradient_.end(), 0.0F);
        tower.template backward<Backend>(rows, d_vectors, *pass_, gradient_, d_rows, executor);
        id_gradient_.collect(
            items, Width,
            [&](std::size_t j, std::span<float> row) {
                for (std::size_t k = 0; k < Width && hidden_[j] == 0; ++k) {
                    row[k] += d_rows(j, k);
                }
            },
            executor);
        adam_.step(tower.parameters(), gradient_);
        id_adam_.step(ids.view(), id_gradient_, executor);
        text_.step(words.view(), d_rows, executor);
        return loss;
    }

    /// The state of the optimisers, in a file.
    void write(io::ContainerWriter& file) const {
        adam_.write(file, "item.adam");
        id_adam_.write(file, "ids.adam");
        text_.write(file, "item");
    }
    void read(const io::ContainerReader& file) {
        adam_ = nn::Adam::read(file, Network::parameters, adam_.options(), "item.adam");
        id_adam_ = nn::LazyAdam::read(file, id_adam_.rows(), Width, id_adam_.options(), "ids.adam");
        text_.read(file, "item");
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
    TextSide<Width, Backend> text_;
    Negatives negatives_;
    std::optional<typename nn::Tower<Network>::Pass> pass_;
    nn::InBatchScratch<float> scratch_;
    nn::SparseGradient<float> id_gradient_;
    std::vector<float> gradient_;
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
