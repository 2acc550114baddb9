// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/nn/adam.hpp>
#include <funnel/nn/embedding_bag.hpp>
#include <funnel/nn/layer.hpp>
#include <funnel/nn/sparse_gradient.hpp>
#include <funnel/nn/tower.hpp>
#include <funnel/ranking/field_table.hpp>
#include <funnel/ranking/field_training.hpp>
#include <funnel/ranking/fields.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ranking {

/// The numbers of a Deep Interest Network, and where they stand in a row of its network:
///
///     [user's dense | user's embeddings | vector of the history | item's embeddings | item's dense]
///
/// The ids of a history are those of the first field of the item. The same table holds both.
template <class Schema, class Unit, nn::Layer Network>
struct DINWeights {
    static_assert(Schema::item_fields > 0, "DIN: the first field of the item is that of the history, so it must exist");
    static_assert(Unit::width == Schema::width, "DIN: the activation unit must have the width of the schema");
    static_assert(
        Network::in == Schema::columns + Schema::width,
        "DIN: the network must take the rows of the schema and one more embedding, the vector of the history");
    static constexpr std::size_t target = Schema::user_fields;  // the field of the history
    static constexpr std::size_t first_of_vector = Schema::user_columns;
    static constexpr std::size_t first_of_item = Schema::user_columns + Schema::width;
    static constexpr std::size_t tail_columns = Network::in - Schema::user_columns;

    nn::Tower<typename Unit::Network> unit;
    nn::Tower<Network> network;
    FieldTable<Schema, false> table;

    DINWeights(std::span<const std::size_t> sizes, const FieldRankerOptions& options)
        : unit(stream("din.unit").substream(options.seed).id),
          network(stream("din.network").substream(options.seed).id),
          table(sizes, options.init_scale, options.seed) {}

    /// The part of a row that belongs to the user.
    void fill_user(std::span<const std::uint32_t> ids, std::span<const float> dense,
                   std::span<float> out) const noexcept {
        std::copy(dense.begin(), dense.end(), out.begin());
        table.embed(ids, 0, out.subspan(Schema::user_dense));
    }

    /// The part of a row that belongs to the item, without the vector of the history, with which it begins.
    void fill_item(std::span<const std::uint32_t> ids, std::span<const float> dense,
                   std::span<float> out) const noexcept {
        table.embed(ids, target, out.subspan(Schema::width));
        std::copy(dense.begin(), dense.end(), out.begin() + Schema::width + Schema::item_fields * Schema::width);
    }

    /// A row, without the vector of the history.
    void fill(const FieldRows& rows, std::size_t i, std::span<float> out) const noexcept {
        const std::span<const std::uint32_t> ids = rows.ids.row(i);
        const auto dense = Schema::dense > 0 ? rows.dense.row(i) : std::span<const float>{};
        fill_user(ids.first(Schema::user_fields), dense.first(Schema::user_dense), out);
        fill_item(ids.subspan(Schema::user_fields), dense.subspan(Schema::user_dense),
                  out.subspan(Schema::user_columns));
    }

    /// The embeddings of a history, one per row.
    void fill_keys(std::span<const std::uint32_t> history, MatrixView<float> keys) const noexcept {
        for (std::size_t t = 0; t < history.size(); ++t) {
            table.embed(history.subspan(t, 1), target, keys.row(t));
        }
    }
};

/// Trains a Deep Interest Network batch by batch. DIN::fit runs all of them.
///
/// Pairs of a candidate and an item of its history are rows of the activation unit. All sums run in the order of the
/// rows, so results do not depend on the number of threads.
///
/// Cost      memory: about 12 x width numbers per pair of a batch, and the hidden layers of the unit twice
template <class Schema, class Unit, nn::Layer Network, class Loss, kernels::HostBackend Backend>
class DINTrainer {
public:
    using Weights = DINWeights<Schema, Unit, Network>;
    static constexpr std::size_t tasks = Network::out;

    /// The rows, histories and labels must outlive the trainer.
    DINTrainer(Weights& weights, const FieldRows& rows, const nn::Bags& histories, MatrixView<const float> labels,
               std::size_t batch, const FieldRankerOptions& options)
        : weights_(weights),
          rows_(rows),
          histories_(histories),
          labels_(labels),
          options_(options),
          unit_adam_(weights.unit.parameters().size(), {.learning_rate = static_cast<double>(options.learning_rate)}),
          network_adam_(weights.network.parameters().size(),
                        {.learning_rate = static_cast<double>(options.learning_rate)}),
          table_adam_(weights.table.rows().rows(), Schema::width,
                      {.learning_rate = static_cast<double>(options.table_learning_rate)}),
          network_pass_(batch),
          unit_gradient_(weights.unit.parameters().size()),
          network_gradient_(weights.network.parameters().size()),
          inputs_(batch, Network::in),
          d_inputs_(batch, Network::in),
          targets_(batch, tasks),
          d_logits_(batch, tasks) {}

    /// One step with these rows, as many as the batch has.
    ///
    /// Returns   the loss before the step
    template <Executor E>
    double step(std::span<const std::size_t> batch, E& executor) {
        const nn::Step step{.seed = options_.seed, .number = steps_, .layer = stream("din.layers")};
        gather(batch);
        const MatrixView<float> pairs = pairs_.view().rows_from(0, history_rows());
        const MatrixView<float> d_pairs = d_pairs_.view().rows_from(0, history_rows());
        const auto activations = weights_.unit.template forward<Backend>(pairs, step.of(0), *unit_pass_, executor);
        executor.for_range(batch.size(), row_grain, [&](std::size_t begin, std::size_t end, std::size_t) {
            for (std::size_t i = begin; i < end; ++i) {
                const std::span<float> vector = vector_of(inputs_, i);
                std::fill(vector.begin(), vector.end(), 0.0F);
                for (std::size_t p = starts_[i]; p < starts_[i + 1]; ++p) {
                    nn::detail::add_scaled<Backend, float>(activations(p, 0), key_of(pairs, p), vector);
                }
            }
        });
        const auto logits = weights_.network.template forward<Backend>(inputs_, step.of(1), network_pass_, executor);
        const double value = Loss{}(logits, targets_, d_logits_.view());

        std::fill(network_gradient_.begin(), network_gradient_.end(), 0.0F);
        std::fill(unit_gradient_.begin(), unit_gradient_.end(), 0.0F);
        weights_.network.template backward<Backend>(inputs_, d_logits_, network_pass_, network_gradient_,
                                                    d_inputs_.view(), executor);
        // vector = sum of a_p k_p: the derivative of a_p is the inner product with that of the vector.
        for (std::size_t i = 0; i < batch.size(); ++i) {
            for (std::size_t p = starts_[i]; p < starts_[i + 1]; ++p) {
                d_activations_(p, 0) = nn::detail::dot_of<Backend, float>(vector_of(d_inputs_, i), key_of(pairs, p));
            }
        }
        weights_.unit.template backward<Backend>(pairs, d_activations_.view().rows_from(0, history_rows()), *unit_pass_,
                                                 unit_gradient_, d_pairs, executor);
        collect_table_gradient(batch.size(), activations, executor);
        unit_adam_.step(weights_.unit.parameters(), unit_gradient_);
        network_adam_.step(weights_.network.parameters(), network_gradient_);
        table_adam_.step(weights_.table.rows(), table_gradient_, executor);
        ++steps_;
        return value;
    }

    /// The gradients of the last step, for programs that watch them.
    [[nodiscard]] const nn::SparseGradient<float>& table_gradient() const noexcept FUNNEL_LIFETIMEBOUND {
        return table_gradient_;
    }
    [[nodiscard]] std::span<const float> unit_gradient() const noexcept FUNNEL_LIFETIMEBOUND { return unit_gradient_; }
    [[nodiscard]] std::span<const float> network_gradient() const noexcept FUNNEL_LIFETIMEBOUND {
        return network_gradient_;
    }

private:
    static constexpr std::size_t row_grain = 64;

    [[nodiscard]] std::size_t history_rows() const noexcept { return starts_.back(); }
    [[nodiscard]] static std::span<float> vector_of(Matrix<float>& rows, std::size_t i) {
        return rows.row(i).subspan(Weights::first_of_vector, Schema::width);
    }
    [[nodiscard]] static std::span<float> key_of(MatrixView<float> pairs, std::size_t p) {
        return pairs.row(p).subspan(Schema::width, Schema::width);
    }

    // The inputs of both networks, and the row of the table that each embedding came from: first those of the fields,
    // then those of the histories.
    void gather(std::span<const std::size_t> batch) {
        starts_.assign(1, 0);
        table_rows_.clear();
        for (std::size_t i = 0; i < batch.size(); ++i) {
            const std::size_t row = batch[i];
            starts_.push_back(starts_.back() + histories_.starts[row + 1] - histories_.starts[row]);
            weights_.fill(rows_, row, inputs_.row(i));
            std::copy_n(labels_.row(row).begin(), tasks, targets_.row(i).begin());
            for (std::size_t f = 0; f < Schema::fields; ++f) {
                table_rows_.push_back(static_cast<std::uint32_t>(weights_.table.row_of(f, rows_.ids(row, f))));
            }
        }
        if (!unit_pass_ || unit_pass_->rows() < history_rows()) {
            unit_pass_.emplace(history_rows());
            pairs_ = Matrix<float>(history_rows(), 2 * Schema::width);
            d_pairs_ = Matrix<float>(history_rows(), 2 * Schema::width);
            d_activations_ = Matrix<float>(history_rows(), 1);
        }
        std::size_t p = 0;
        for (std::size_t i = 0; i < batch.size(); ++i) {
            const std::span<const float> query = inputs_.row(i).subspan(Weights::first_of_item, Schema::width);
            for (std::size_t at = histories_.starts[batch[i]]; at < histories_.starts[batch[i] + 1]; ++at, ++p) {
                std::copy(query.begin(), query.end(), pairs_.row(p).begin());
                weights_.table.embed(histories_.ids.subspan(at, 1), Weights::target, key_of(pairs_.view(), p));
                table_rows_.push_back(
                    static_cast<std::uint32_t>(weights_.table.row_of(Weights::target, histories_.ids[at])));
            }
        }
        pair_rows_.resize(history_rows());
        for (std::size_t i = 0; i < batch.size(); ++i) {
            std::fill(pair_rows_.begin() + static_cast<std::ptrdiff_t>(starts_[i]),
                      pair_rows_.begin() + static_cast<std::ptrdiff_t>(starts_[i + 1]), static_cast<std::uint32_t>(i));
        }
    }

    template <Executor E>
    void collect_table_gradient(std::size_t batch, MatrixView<const float> activations, E& executor) {
        const std::size_t of_fields = batch * Schema::fields;
        table_gradient_.collect(
            table_rows_, Schema::width,
            [&](std::size_t at, std::span<float> sum) {
                const auto add = [&](float factor, std::span<const float> part) {
                    nn::detail::add_scaled<Backend, float>(factor, part, sum);
                };
                if (at >= of_fields) {
                    const std::size_t p = at - of_fields;
                    add(1.0F, key_of(d_pairs_.view(), p));
                    add(activations(p, 0), vector_of(d_inputs_, pair_rows_[p]));
                    return;
                }
                const std::size_t i = at / Schema::fields;
                const std::size_t f = at % Schema::fields;
                const std::size_t first =
                    f < Schema::user_fields ? Schema::user_dense : Schema::user_dense + Schema::width;
                add(1.0F, d_inputs_.row(i).subspan(first + f * Schema::width, Schema::width));
                for (std::size_t p = starts_[i]; f == Weights::target && p < starts_[i + 1]; ++p) {
                    add(1.0F, d_pairs_.row(p).first(Schema::width));
                }
            },
            executor);
        detail::add_penalty(options_.l2, weights_.table.rows(), table_gradient_);
    }

    Weights& weights_;
    FieldRows rows_;
    nn::Bags histories_;
    MatrixView<const float> labels_;
    FieldRankerOptions options_;
    nn::Adam unit_adam_;
    nn::Adam network_adam_;
    nn::LazyAdam table_adam_;
    std::uint64_t steps_ = 0;

    // Memory of a step. Row p of pairs_ is a candidate and one item of its history: pairs starts_[i] .. starts_[i + 1]
    // are those of row i of the batch.
    typename nn::Tower<Network>::Pass network_pass_;
    std::optional<typename nn::Tower<typename Unit::Network>::Pass> unit_pass_;
    nn::SparseGradient<float> table_gradient_;
    std::vector<float> unit_gradient_;
    std::vector<float> network_gradient_;
    std::vector<std::size_t> starts_;
    std::vector<std::uint32_t> pair_rows_;
    std::vector<std::uint32_t> table_rows_;
    Matrix<float> inputs_;
    Matrix<float> d_inputs_;
    Matrix<float> targets_;
    Matrix<float> d_logits_;
    Matrix<float> pairs_;
    Matrix<float> d_pairs_;
    Matrix<float> d_activations_;
};

}  // namespace ranking
}  // namespace FUNNEL_ABI
}  // namespace funnel
