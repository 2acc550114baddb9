// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/nn/columns.hpp>
#include <funnel/nn/layer.hpp>
#include <funnel/nn/parallel_layers.hpp>
#include <funnel/nn/sequential.hpp>
#include <funnel/ranking/field_ranker.hpp>
#include <funnel/ranking/task_losses.hpp>

#include <concepts>
#include <cstddef>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ranking {

namespace detail {

// The columns of a row that are not in First .. First + Count - 1.
template <std::size_t In, std::size_t First, std::size_t Count, bool HasBefore = (First > 0),
          bool HasAfter = (First + Count < In)>
struct OtherColumns;
template <std::size_t In, std::size_t First, std::size_t Count>
struct OtherColumns<In, First, Count, true, true> {
    using type = nn::Parallel<nn::Columns<In, 0, First>, nn::Columns<In, First + Count, In - First - Count>>;
};
template <std::size_t In, std::size_t First, std::size_t Count>
struct OtherColumns<In, First, Count, true, false> {
    using type = nn::Columns<In, 0, First>;
};
template <std::size_t In, std::size_t First, std::size_t Count>
struct OtherColumns<In, First, Count, false, true> {
    using type = nn::Columns<In, Count, In - Count>;
};

// Layer L on rows of In numbers without Count of them, from First on. Rows that begin with the same First numbers are
// split for L.
template <std::size_t In, std::size_t First, std::size_t Count, nn::Layer L>
struct Without : nn::Sequential<typename OtherColumns<In, First, Count>::type, L> {
    static constexpr const char* name = "Without";

    [[nodiscard]] static constexpr std::size_t split_scratch(std::size_t rows) noexcept {
        return nn::detail::split_scratch<L>(rows);
    }

    template <kernels::HostBackend Backend, std::size_t Head, std::floating_point T>
        requires(Head == First)
    static void infer_split(std::span<const T> trained, std::span<const T> collected, std::span<const T> head,
                            MatrixView<const T> tail, MatrixView<T> y, std::span<T> scratch) noexcept {
        nn::detail::infer_split<L, Backend, Head, T>(trained, collected, head,
                                                     tail.columns_from(Count, tail.cols() - Count), y, scratch);
    }
};

template <class Schema, nn::Layer Position, nn::Layer Relevance>
struct PALNetwork {
    static_assert(Schema::item_fields > 0, "PAL: the first field of the item is the position");
    static_assert(Position::in == Schema::width && Position::out == 1,
                  "PAL: the network of the position must take its embedding, and give one logit");
    static_assert(Relevance::in == Schema::columns - Schema::width && Relevance::out == 1,
                  "PAL: the network of the relevance must take a row without the position, and give one logit");
    static constexpr std::size_t first = Schema::user_columns;
    using type = nn::Parallel<nn::Sequential<nn::Columns<Schema::columns, first, Schema::width>, Position>,
                              Without<Schema::columns, first, Schema::width, Relevance>>;
};

}  // namespace detail

/// PAL, a ranker that learns from clicks on lists how much of a click is due to the position.
///
///     P(click) = P(seen | position) P(relevant | user, item)
///
/// The first field of the item is the position at which a row was shown (or position and page in one id, say). Only the
/// network of the position reads it, and nothing else.
///
///     using Features = Fields<1, 2, 8>;                  // the user; the position, and the item
///     using Ranker = PAL<Features, nn::Dense<8, 1>, nn::MLP<Features::columns - 8, 32, 1>>;
///     const auto ranker = Ranker::fit({.ids = shown}, clicks);
///     ranker.score(request);                             // column 1 ranks; any position gives the same
///
/// Column 0 of score() is the logit of P(seen), column 1 that of P(relevant). Both are known only up to a common
/// factor: P(seen | position) relative to that of the first position has a meaning, its level has none. Positions must
/// vary for the same item: if each item is always shown at one position, no model can tell the two apart.
///
/// Shapes    fit: labels: n, one click per row
/// Source    Guo et al., "PAL: a position-bias aware learning framework", RecSys 2019
template <class Schema, nn::Layer Position, nn::Layer Relevance>
using PAL = FieldRanker<Schema, typename detail::PALNetwork<Schema, Position, Relevance>::type, false, PALLoss>;

}  // namespace ranking
}  // namespace FUNNEL_ABI
}  // namespace funnel
