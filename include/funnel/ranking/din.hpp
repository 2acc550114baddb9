// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/io/container.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/nn/activation_unit.hpp>
#include <funnel/nn/activations.hpp>
#include <funnel/nn/embedding_bag.hpp>
#include <funnel/nn/layer.hpp>
#include <funnel/nn/mlp.hpp>
#include <funnel/nn/tower.hpp>
#include <funnel/ranking/binary_labels.hpp>
#include <funnel/ranking/din_trainer.hpp>
#include <funnel/ranking/field_table.hpp>
#include <funnel/ranking/field_training.hpp>
#include <funnel/ranking/fields.hpp>
#include <funnel/ranking/task_losses.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ranking {

/// A Deep Interest Network with networks of your own: see DIN. Unit is an nn::ActivationUnit. Network takes the rows
/// that DINWeights describes, and has one output per task.
template <class Schema, class Unit, nn::Layer Network, class Loss = LoglossPerTask,
          kernels::HostBackend Backend = kernels::DefaultBackend>
class BasicDIN {
    using Weights = DINWeights<Schema, Unit, Network>;
    using Trainer = DINTrainer<Schema, Unit, Network, Loss, Backend>;

public:
    static constexpr std::size_t tasks = Network::out;
    static constexpr std::size_t block_rows = 256;

    /// Learns from rows, the history that the user of each row had at that time, and labels.
    ///
    /// Shapes    rows: n;  histories: n bags of ids of the first field of the item, without weights;
    ///           labels: n x tasks, each 0 or 1
    /// Errors    InvalidArgument if a shape does not match, a label is neither 0 nor 1, a dense feature is not finite,
    ///           an option is out of range, or training diverges
    template <Executor E = Serial>
    [[nodiscard]] static BasicDIN fit(const FieldRows& rows, const nn::Bags& histories, MatrixView<const float> labels,
                                      const FieldRankerOptions& options = {}, E&& executor = E{}) {
        check(rows, histories, "DIN::fit");
        require(labels.rows() == rows.ids.rows() && labels.cols() == tasks,
                "DIN::fit: labels must have one row per row, and one column per task");
        for (std::size_t i = 0; i < labels.rows(); ++i) {
            detail::require_binary_labels(labels.row(i), tasks, "DIN::fit");
        }
        auto sizes = FieldTable<Schema, false>::sizes_of(rows.ids);
        for (const std::uint32_t id : histories.ids) {
            sizes[Weights::target] = std::max(sizes[Weights::target], std::size_t{id} + 1);
        }
        BasicDIN ranker(sizes, options);
        ranker.train(rows, histories, labels, options, executor);
        return ranker;
    }

    /// The same for one task. Shapes    labels: n
    template <Executor E = Serial>
        requires(tasks == 1)
    [[nodiscard]] static BasicDIN fit(const FieldRows& rows, const nn::Bags& histories, std::span<const float> labels,
                                      const FieldRankerOptions& options = {}, E&& executor = E{}) {
        detail::require_binary_labels(labels, rows.ids.rows(), "DIN::fit");
        return fit(rows, histories, MatrixView<const float>(labels, labels.size(), 1), options, executor);
    }

    /// The logits, n x tasks; higher means more likely.
    ///
    /// Shapes    histories: one bag per row
    /// Errors    InvalidArgument if a shape does not match, or a dense feature or a logit is not finite
    [[nodiscard]] Matrix<float> score(const FieldRows& rows, const nn::Bags& histories) const {
        check(rows, histories, "DIN::score");
        const std::size_t n = rows.ids.rows();
        std::size_t longest = 0;
        for (std::size_t i = 0; i < n; ++i) {
            longest = std::max(longest, histories.starts[i + 1] - histories.starts[i]);
        }
        Matrix<float> logits(n, tasks);
        Matrix<float> inputs(std::min(block_rows, n), Network::in);
        Matrix<float> keys(longest, Schema::width);
        Buffer folded_memory(Unit::folded_size);
        Buffer memory(std::max(Unit::scratch(longest), nn::Tower<Network>::scratch(inputs.rows())));
        const auto folded = Unit::template fold<float>(weights_.unit.parameters(), folded_memory);
        for (std::size_t begin = 0; begin < n; begin += block_rows) {
            const std::size_t count = std::min(block_rows, n - begin);
            const MatrixView<float> block = inputs.view().rows_from(0, count);
            for (std::size_t i = 0; i < count; ++i) {
                const std::size_t first = histories.starts[begin + i];
                const auto history = histories.ids.subspan(first, histories.starts[begin + i + 1] - first);
                weights_.fill(rows, begin + i, block.row(i));
                weights_.fill_keys(history, keys);
                attend(folded, keys.view().rows_from(0, history.size()), block.row(i).subspan(Schema::user_columns),
                       memory);
            }
            weights_.network.template infer<Backend>(block, memory, logits.view().rows_from(begin, count));
        }
        detail::require_finite_logits(logits, "DIN::score");
        return logits;
    }

    /// The probabilities, n x tasks, in [0, 1].
    ///
    /// Errors    as score()
    [[nodiscard]] Matrix<float> predict(const FieldRows& rows, const nn::Bags& histories) const {
        return detail::probabilities(score(rows, histories));
    }

    /// A user with a history, and candidates. What does not depend on the candidate is computed once.
    struct Request {
        std::span<const std::uint32_t> user_ids;   ///< one per field of the user
        std::span<const float> user_dense;         ///< one per dense feature of the user
        std::span<const std::uint32_t> history;    ///< any number of ids of the first field of the item
        MatrixView<const std::uint32_t> item_ids;  ///< n x fields of the item
        MatrixView<const float> item_dense{};      ///< n x dense features of the item
    };

    /// The logits of the candidates of one user, n x tasks: those of score(), up to rounding.
    ///
    /// Errors    InvalidArgument if a shape does not match, or a dense feature or a logit is not finite
    [[nodiscard]] Matrix<float> score(const Request& request) const {
        detail::require_request<Schema>(request, "DIN::score");
        Matrix<float> logits(request.item_ids.rows(), tasks);
        Buffer memory(scratch(logits.rows(), request.history.size()));
        score(request, memory, logits.view());
        detail::require_finite_logits(logits, "DIN::score");
        return logits;
    }

    /// Numbers of scratch memory that the next function needs for n candidates and a history of that many items.
    [[nodiscard]] static constexpr std::size_t scratch(std::size_t n, std::size_t history) noexcept {
        const std::size_t rows = std::min(n, block_rows);
        return nn::detail::padded_width(Schema::user_columns) + Unit::folded_size +
               history * nn::detail::padded_width(Schema::width) +
               rows * nn::detail::padded_width(Weights::tail_columns) +
               std::max(Unit::scratch(history), nn::detail::split_scratch<Network>(rows));
    }

    /// The same in memory of the caller.
    ///
    /// Shapes    memory: scratch(n, size of the history) or more;  logits: n x tasks (not checked)
    /// Cost      O(n (history x parameters of the unit, a quarter of those of its first layer, + those of the network))
    // NOLINTNEXTLINE(bugprone-exception-escape): views of memory that is large enough do not throw
    void score(const Request& request, std::span<float> memory, MatrixView<float> logits) const noexcept {
        FUNNEL_ASSERT(detail::fits<Schema>(request) && memory.size() >= scratch(logits.rows(), request.history.size()));
        const std::span<float> user =
            nn::detail::take(memory, nn::detail::padded_width(Schema::user_columns)).first(Schema::user_columns);
        weights_.fill_user(request.user_ids, request.user_dense, user);
        const auto folded =
            Unit::template fold<float>(weights_.unit.parameters(), nn::detail::take(memory, Unit::folded_size));
        const MatrixView<float> keys = nn::detail::take_rows(memory, request.history.size(), Schema::width);
        weights_.fill_keys(request.history, keys);
        const MatrixView<float> block =
            nn::detail::take_rows(memory, std::min(logits.rows(), block_rows), Weights::tail_columns);
        for (std::size_t begin = 0; begin < logits.rows(); begin += block_rows) {
            const std::size_t count = std::min(block_rows, logits.rows() - begin);
            const MatrixView<float> items = block.rows_from(0, count);
            for (std::size_t i = 0; i < count; ++i) {
                const auto dense =
                    Schema::item_dense > 0 ? request.item_dense.row(begin + i) : std::span<const float>{};
                weights_.fill_item(request.item_ids.row(begin + i), dense, items.row(i));
                attend(folded, keys, items.row(i), memory);
            }
            nn::detail::infer_split<Network, Backend, Schema::user_columns, float>(
                weights_.network.parameters(), weights_.network.statistics(), user, items,
                logits.rows_from(begin, count), memory);
        }
    }

    /// The networks and the embeddings of the fields: for loading weights that were trained elsewhere.
    [[nodiscard]] Weights& weights() noexcept FUNNEL_LIFETIMEBOUND { return weights_; }
    [[nodiscard]] const Weights& weights() const noexcept FUNNEL_LIFETIMEBOUND { return weights_; }

    /// A ranker with random weights, for loading weights that were trained elsewhere.
    ///
    /// Shapes    sizes: the number of ids of each field
    /// Errors    InvalidArgument if there is another number of fields, or 2^32 - 1 ids or more
    explicit BasicDIN(std::span<const std::size_t> sizes, const FieldRankerOptions& options = {})
        : weights_(sizes, detail::checked(options, "DIN")) {}

    /// Errors    IOError
    void save(const std::string& path) const {
        io::ContainerWriter file(kind, layout_version);
        weights_.table.write(file);
        weights_.unit.write(file, "unit");
        weights_.network.write(file, "network");
        file.save(path);
    }

    /// Errors    IOError;  CorruptData if the file is damaged or holds something else
    [[nodiscard]] static BasicDIN load(const std::string& path) {
        const io::ContainerReader file(path, kind, layout_version);
        BasicDIN ranker(std::array<std::size_t, Schema::fields>{});
        ranker.weights_.table = FieldTable<Schema, false>::read(file);
        ranker.weights_.unit = decltype(ranker.weights_.unit)::read(file, "unit");
        ranker.weights_.network = decltype(ranker.weights_.network)::read(file, "network");
        return ranker;
    }

private:
    using Buffer = std::vector<float, funnel::detail::RowAllocator<float>>;
    static constexpr std::string_view kind = "ranking.DIN";
    static constexpr std::uint32_t layout_version = 1;

    static void check(const FieldRows& rows, const nn::Bags& histories, const std::string& function) {
        detail::require_rows<Schema>(rows, function);
        const std::span<const std::size_t> starts = histories.starts;
        require(histories.weights.empty(), (function + ": histories must not have weights").c_str());
        require_equal(histories.size(), rows.ids.rows(), (function + ": the number of histories").c_str());
        require(starts.empty() || starts.front() == 0, (function + ": histories must start at 0").c_str());
        require(std::is_sorted(starts.begin(), starts.end()),
                (function + ": starts of histories must be ascending").c_str());
        require_equal(starts.empty() ? 0 : starts.back(), histories.ids.size(),
                      (function + ": the last start of histories").c_str());
    }

    // The vector of a history, at the front of an item's part of a row; the embedding of its first field stands behind.
    void attend(const typename Unit::template Folded<const float>& folded, MatrixView<const float> keys,
                std::span<float> item, std::span<float> memory) const noexcept {
        Unit::template attend<Backend, float>(weights_.unit.parameters(), weights_.unit.statistics(), folded,
                                              item.subspan(Schema::width, Schema::width), keys,
                                              item.first(Schema::width), memory);
    }

    template <Executor E>
    void train(const FieldRows& rows, const nn::Bags& histories, MatrixView<const float> labels,
               const FieldRankerOptions& options, E& executor) {
        const std::size_t n = rows.ids.rows();
        if (n == 0) {
            return;
        }
        const std::size_t batch = std::min(options.batch, n);
        std::vector<std::size_t> order(n);
        std::iota(order.begin(), order.end(), std::size_t{0});
        Trainer trainer(weights_, rows, histories, labels, batch, options);
        for (std::size_t epoch = 0; epoch < options.epochs; ++epoch) {
            Random(options.seed, stream("din.order"), epoch).shuffle(std::span(order));
            for (std::size_t begin = 0; begin + batch <= n; begin += batch) {
                const double loss = trainer.step(std::span<const std::size_t>(order).subspan(begin, batch), executor);
                require(math::is_finite(loss), "DIN::fit: training diverged; try a smaller learning_rate");
            }
            report_progress(executor, "DIN", epoch + 1, options.epochs);
        }
    }

    Weights weights_;
};

/// A Deep Interest Network: the items of a user's history count as much as they say about the candidate.
///
///     vector of the history = sum over its items j of a(q, k_j) k_j,   q, k: embeddings of the candidate and of item j
///     logit = MLP([user's features | vector of the history | item's features])
///
///     using Features = Fields<1, 2, 16>;              // a field of the user; the item and its category
///     auto ranker = DIN<Features, 36, 64, 32>::fit({.ids = ids}, {.ids = history_ids, .starts = starts}, labels);
///
/// The ids of a history are ids of the first field of the item. a is an nn::ActivationUnit with one hidden layer of
/// UnitWidth and a sigmoid; Hidden are the layers of the MLP, with ReLU. An empty history has a vector of zeros, and so
/// has an id that training has not seen.
///
/// Source    Zhou et al., "Deep interest network for click-through rate prediction", KDD 2018
template <class Schema, std::size_t UnitWidth, std::size_t... Hidden>
using DIN = BasicDIN<Schema, nn::ActivationUnit<Schema::width, nn::Sigmoid, UnitWidth>,
                     nn::MLP<Schema::columns + Schema::width, Hidden..., 1>>;

}  // namespace ranking
}  // namespace FUNNEL_ABI
}  // namespace funnel
