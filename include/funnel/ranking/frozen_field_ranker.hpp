// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/dense_panels.hpp>
#include <funnel/nn/freeze.hpp>
#include <funnel/nn/layer.hpp>
#include <funnel/nn/tower.hpp>
#include <funnel/ranking/field_ranker.hpp>
#include <funnel/ranking/field_scoring.hpp>
#include <funnel/ranking/field_table.hpp>
#include <funnel/ranking/field_training.hpp>
#include <funnel/ranking/fields.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ranking {

/// A deep ranker for service: what `freeze` makes of a FieldRanker. Its network is an nn::Frozen, whose weights are
/// packed and whose layers are merged. It cannot be trained.
///
/// Cost      score: as FieldRanker, but nothing is rearranged, and the user's part of Dense layers is computed once per
///           request;  memory: the table and the weights
template <class Schema, nn::Layer Network, bool HasLinear = false, kernels::PackedWeight Storage = float,
          kernels::HostBackend Backend = kernels::DefaultBackend>
class FrozenFieldRanker {
public:
    static constexpr std::size_t tasks = Network::out;
    using Request = FieldRequest;

    /// Freezes a network, and takes the embeddings.
    FrozenFieldRanker(FieldTable<Schema, HasLinear> table, const nn::Tower<Network>& network)
        : network_(nn::freeze<Storage>(network)), table_(std::move(table)) {}

    /// The logits, n x tasks: those of the ranker, up to rounding.
    ///
    /// Errors    InvalidArgument if a shape does not match, or a dense feature or a logit is not finite
    [[nodiscard]] Matrix<float> score(const FieldRows& rows) const {
        Buffer memory(network_.scratch(std::min(detail::field_block_rows, rows.ids.rows())));
        return detail::score_rows(table_, rows, tasks, "FrozenFieldRanker::score",
                                  [&](MatrixView<const float> inputs, MatrixView<float> outputs) {
                                      network_.template infer<Backend>(inputs, memory, outputs);
                                  });
    }

    /// The logits of the candidates of one user, n x tasks.
    ///
    /// Errors    as above
    [[nodiscard]] Matrix<float> score(const Request& request) const {
        detail::require_request<Schema>(request, "FrozenFieldRanker::score");
        Matrix<float> logits(request.item_ids.rows(), tasks);
        Buffer memory(scratch(logits.rows()));
        score(request, memory, logits.view());
        detail::require_finite_logits(logits, "FrozenFieldRanker::score");
        return logits;
    }

    /// Numbers of scratch memory that the next function needs for n candidates.
    [[nodiscard]] static constexpr std::size_t scratch(std::size_t n) noexcept {
        return detail::candidates_scratch<Schema>(n) +
               FrozenNetwork::template split_scratch<Schema::user_columns>(std::min(n, detail::field_block_rows));
    }

    /// The same in memory of the caller. Allocates nothing.
    ///
    /// Shapes    memory: scratch(n) or more;  logits: n x tasks (not checked)
    // NOLINTNEXTLINE(bugprone-exception-escape): views of memory that is large enough do not throw
    void score(const Request& request, std::span<float> memory, MatrixView<float> logits) const noexcept {
        FUNNEL_ASSERT(detail::fits<Schema>(request) && memory.size() >= scratch(logits.rows()));
        std::span<float> shared;
        detail::score_candidates(
            table_, request, memory, logits,
            [&](std::span<const float> user, std::span<float> rest) {
                shared = nn::detail::take(rest, FrozenNetwork::template shared<Schema::user_columns>());
                network_.template share<Backend, Schema::user_columns>(user, shared);
                return rest;
            },
            [&](std::span<const float>, MatrixView<const float> items, MatrixView<float> out, std::span<float> rest) {
                network_.template infer_tail<Backend, Schema::user_columns>(shared, items, out, rest);
            });
    }

private:
    using Buffer = std::vector<float, funnel::detail::RowAllocator<float>>;
    using FrozenNetwork = nn::Frozen<Storage, Network>;

    FrozenNetwork network_;
    FieldTable<Schema, HasLinear> table_;
};

/// A ranker for service with the numbers that a FieldRanker has now. See FrozenFieldRanker.
///
///     const auto frozen = freeze(ranker);                       // or freeze<kernels::BFloat16>(std::move(ranker))
///     frozen.score(request, memory, logits);                    // allocates nothing
template <kernels::PackedWeight Storage = float, class Schema, nn::Layer Network, bool HasLinear, class Loss,
          kernels::HostBackend Backend>
[[nodiscard]] FrozenFieldRanker<Schema, Network, HasLinear, Storage, Backend> freeze(
    FieldRanker<Schema, Network, HasLinear, Loss, Backend> ranker) {
    return {std::move(ranker.table()), ranker.network()};
}

}  // namespace ranking
}  // namespace FUNNEL_ABI
}  // namespace funnel
