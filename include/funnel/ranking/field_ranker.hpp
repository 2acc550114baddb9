// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/io/container.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/nn/adam.hpp>
#include <funnel/nn/layer.hpp>
#include <funnel/nn/sparse_gradient.hpp>
#include <funnel/nn/tower.hpp>
#include <funnel/ranking/field_scoring.hpp>
#include <funnel/ranking/field_table.hpp>
#include <funnel/ranking/field_training.hpp>
#include <funnel/ranking/fields.hpp>
#include <funnel/ranking/task_losses.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ranking {

/// A deep ranker over fields: embeddings of ids and dense features go through a network. DeepFM, WideAndDeep, DCNv2,
/// DLRM, SharedBottom, MMoE and PLE are rankers with a given network.
///
///     logits = Network(row) + sum over fields of w_f[id_f],   the second part only if HasLinear
///
/// The network has one output per task. An id that training has not seen has an embedding of zeros. For service, freeze
/// makes a faster form: see FrozenFieldRanker.
///
/// Cost      fit: per row O(fields x width + parameters of the network);  memory: 12 (width + 1) bytes per id in
///           training, a third of it in service
template <class Schema, nn::Layer Network, bool HasLinear = false, class Loss = LoglossPerTask,
          kernels::HostBackend Backend = kernels::DefaultBackend>
class FieldRanker {
    static_assert(Network::in == Schema::columns, "FieldRanker: the network must take the rows of the schema");
    static_assert(!HasLinear || Network::out == 1, "FieldRanker: only a network with one output has a linear part");

public:
    static constexpr std::size_t tasks = Network::out;
    static constexpr std::size_t labels_per_row = detail::labels_of<Loss>(tasks);
    static constexpr std::size_t block_rows = detail::field_block_rows;

    /// Learns from rows and labels.
    ///
    /// Shapes    rows: n;  labels: n x labels_per_row (one per task, but only one for PALLoss), each 0 or 1, or what
    ///           Loss::is_label allows
    /// Errors    InvalidArgument if a shape does not match, a label is not allowed, a dense feature is not finite, an
    ///           option is out of range, or training diverges
    template <Executor E = Serial>
    [[nodiscard]] static FieldRanker fit(const FieldRows& rows, MatrixView<const float> labels,
                                         const FieldRankerOptions& options = {}, E&& executor = E{}) {
        detail::require_rows<Schema>(rows, "FieldRanker::fit");
        require(labels.rows() == rows.ids.rows() && labels.cols() == labels_per_row,
                "FieldRanker::fit: labels must have one row per row, and labels_per_row columns");
        detail::require_labels<Loss>(labels, "FieldRanker::fit");
        FieldRanker ranker(FieldTable<Schema, HasLinear>::sizes_of(rows.ids), options);
        ranker.train(rows, labels, options, executor);
        return ranker;
    }

    /// The same for one label per row. Shapes    labels: n
    template <Executor E = Serial>
        requires(labels_per_row == 1)
    [[nodiscard]] static FieldRanker fit(const FieldRows& rows, std::span<const float> labels,
                                         const FieldRankerOptions& options = {}, E&& executor = E{}) {
        require_equal(labels.size(), rows.ids.rows(), "FieldRanker::fit: number of labels");
        return fit(rows, MatrixView<const float>(labels, labels.size(), 1), options, executor);
    }

    /// The logits, n x tasks; higher means more likely.
    ///
    /// Errors    InvalidArgument if a shape does not match, or a dense feature or a logit is not finite
    [[nodiscard]] Matrix<float> score(const FieldRows& rows) const {
        Buffer memory(nn::Tower<Network>::scratch(std::min(block_rows, rows.ids.rows())));
        return detail::score_rows(table_, rows, tasks, "FieldRanker::score",
                                  [&](MatrixView<const float> inputs, MatrixView<float> outputs) {
                                      network_.template infer<Backend>(inputs, memory, outputs);
                                  });
    }

    /// The probabilities, n x tasks, in [0, 1].
    ///
    /// Errors    as score()
    [[nodiscard]] Matrix<float> predict(const FieldRows& rows) const { return detail::probabilities(score(rows)); }

    /// A user and candidates. The part of the network that sees only the user is computed once.
    using Request = FieldRequest;

    /// The logits of the candidates of one user, n x tasks: those of score(), up to rounding.
    ///
    /// Errors    InvalidArgument if a shape does not match, or a dense feature or a logit is not finite
    [[nodiscard]] Matrix<float> score(const Request& request) const {
        detail::require_request<Schema>(request, "FieldRanker::score");
        Matrix<float> logits(request.item_ids.rows(), tasks);
        Buffer memory(scratch(logits.rows()));
        score(request, memory, logits.view());
        detail::require_finite_logits(logits, "FieldRanker::score");
        return logits;
    }

    /// Numbers of scratch memory that the next function needs for n candidates.
    [[nodiscard]] static constexpr std::size_t scratch(std::size_t n) noexcept {
        return detail::candidates_scratch<Schema>(n) + nn::detail::split_scratch<Network>(std::min(n, block_rows));
    }

    /// The same in memory of the caller.
    ///
    /// Shapes    memory: scratch(n) or more;  logits: n x tasks (not checked)
    // NOLINTNEXTLINE(bugprone-exception-escape): views of memory that is large enough do not throw
    void score(const Request& request, std::span<float> memory, MatrixView<float> logits) const noexcept {
        FUNNEL_ASSERT(detail::fits<Schema>(request) && memory.size() >= scratch(logits.rows()));
        detail::score_candidates(
            table_, request, memory, logits, [](std::span<const float>, std::span<float> rest) { return rest; },
            [&](std::span<const float> user, MatrixView<const float> items, MatrixView<float> out,
                std::span<float> rest) {
                nn::detail::infer_split<Network, Backend, Schema::user_columns, float>(
                    network_.parameters(), network_.statistics(), user, items, out, rest);
            });
    }

    /// The network, and the embeddings of the fields: for loading weights that were trained elsewhere.
    [[nodiscard]] nn::Tower<Network>& network() noexcept FUNNEL_LIFETIMEBOUND { return network_; }
    [[nodiscard]] const nn::Tower<Network>& network() const noexcept FUNNEL_LIFETIMEBOUND { return network_; }
    [[nodiscard]] FieldTable<Schema, HasLinear>& table() noexcept FUNNEL_LIFETIMEBOUND { return table_; }
    [[nodiscard]] const FieldTable<Schema, HasLinear>& table() const noexcept FUNNEL_LIFETIMEBOUND { return table_; }

    /// A ranker with random weights, for loading weights that were trained elsewhere.
    ///
    /// Shapes    sizes: the number of ids of each field
    /// Errors    InvalidArgument if there is another number of fields, or 2^32 - 1 ids or more
    explicit FieldRanker(std::span<const std::size_t> sizes, const FieldRankerOptions& options = {})
        : network_(detail::checked(options, "FieldRanker").seed), table_(sizes, options.init_scale, options.seed) {}

    /// Errors    IOError
    void save(const std::string& path) const {
        io::ContainerWriter file(kind, layout_version);
        table_.write(file);
        network_.write(file, "network");
        file.save(path);
    }

    /// Errors    IOError;  CorruptData if the file is damaged or holds something else
    [[nodiscard]] static FieldRanker load(const std::string& path) {
        const io::ContainerReader file(path, kind, layout_version);
        FieldRanker ranker(std::array<std::size_t, Schema::fields>{});
        ranker.table_ = FieldTable<Schema, HasLinear>::read(file);
        ranker.network_ = decltype(ranker.network_)::read(file, "network");
        return ranker;
    }

private:
    using Buffer = std::vector<float, funnel::detail::RowAllocator<float>>;
    static constexpr std::string_view kind = "ranking.FieldRanker";
    static constexpr std::uint32_t layout_version = 1;
    static constexpr std::size_t table_width = FieldTable<Schema, HasLinear>::width;

    template <Executor E>
    void train(const FieldRows& rows, MatrixView<const float> labels, const FieldRankerOptions& options, E& executor) {
        const std::size_t n = rows.ids.rows();
        if (n == 0) {
            return;
        }
        const std::size_t batch = std::min(options.batch, n);
        std::vector<std::size_t> order(n);
        std::iota(order.begin(), order.end(), std::size_t{0});
        nn::Adam network_adam(network_.parameters().size(),
                              {.learning_rate = static_cast<double>(options.learning_rate)});
        nn::LazyAdam table_adam(table_.rows().rows(), table_width,
                                {.learning_rate = static_cast<double>(options.table_learning_rate)});
        typename nn::Tower<Network>::Pass pass(batch);
        nn::SparseGradient<float> table_gradient;
        std::vector<float> gradient(network_.parameters().size());
        std::vector<std::uint32_t> ids(batch * Schema::fields);
        Matrix<float> inputs(batch, Schema::columns);
        Matrix<float> d_inputs(batch, Schema::columns);
        Matrix<float> logits(batch, tasks);
        Matrix<float> d_logits(batch, tasks);
        Matrix<float> targets(batch, labels_per_row);
        std::uint64_t step = 0;
        for (std::size_t epoch = 0; epoch < options.epochs; ++epoch) {
            Random(options.seed, stream("field_ranker.order"), epoch).shuffle(std::span(order));
            for (std::size_t begin = 0; begin + batch <= n; begin += batch, ++step) {
                for (std::size_t i = 0; i < batch; ++i) {
                    const std::size_t row = order[begin + i];
                    table_.fill(rows, row, inputs.row(i));
                    std::copy_n(labels.row(row).begin(), labels_per_row, targets.row(i).begin());
                    for (std::size_t f = 0; f < Schema::fields; ++f) {
                        ids[i * Schema::fields + f] = static_cast<std::uint32_t>(table_.row_of(f, rows.ids(row, f)));
                    }
                }
                const auto out = network_.template forward<Backend>(
                    inputs, {.seed = options.seed, .number = step, .layer = stream("field_ranker.layers")}, pass,
                    executor);
                for (std::size_t i = 0; i < batch; ++i) {
                    std::copy_n(out.row(i).begin(), tasks, logits.row(i).begin());
                    if constexpr (HasLinear) {
                        logits(i, 0) += table_.linear(rows.ids.row(order[begin + i]), 0);
                    }
                }
                const double value = Loss{}(logits, targets, d_logits.view());
                require(math::is_finite(value), "FieldRanker::fit: training diverged; try a smaller learning_rate");

                std::fill(gradient.begin(), gradient.end(), 0.0F);
                network_.template backward<Backend>(inputs, d_logits, pass, gradient, d_inputs.view(), executor);
                table_gradient.collect(
                    ids, table_width,
                    [&](std::size_t at, std::span<float> sum) {
                        const std::size_t i = at / Schema::fields;
                        const std::size_t first = Schema::user_dense + at % Schema::fields * Schema::width;
                        for (std::size_t k = 0; k < Schema::width; ++k) {
                            sum[k] += d_inputs(i, first + k);
                        }
                        if constexpr (HasLinear) {
                            sum[Schema::width] += d_logits(i, 0);
                        }
                    },
                    executor);
                detail::add_penalty(options.l2, table_.rows(), table_gradient);
                network_adam.step(network_.parameters(), gradient);
                table_adam.step(table_.rows(), table_gradient, executor);
            }
            report_progress(executor, "FieldRanker", epoch + 1, options.epochs);
        }
    }

    nn::Tower<Network> network_;
    FieldTable<Schema, HasLinear> table_;
};

}  // namespace ranking
}  // namespace FUNNEL_ABI
}  // namespace funnel
