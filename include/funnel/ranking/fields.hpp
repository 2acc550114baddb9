// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/matrix_view.hpp>
#include <funnel/nn/columns.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ranking {

/// The features of a deep ranker, known at compile time. A field is a categorical feature, such as the user, the
/// country or the item; each of its ids has an embedding of Width numbers. A dense feature is a number. Features of the
/// user come first, so that they are computed once for all candidates of a request.
///
///     a row:  [user's dense | user's embeddings | item's embeddings | item's dense]
template <std::size_t UserFields, std::size_t ItemFields, std::size_t Width, std::size_t UserDense = 0,
          std::size_t ItemDense = 0>
    requires(UserFields + ItemFields > 0 && Width > 0)
struct Fields {
    static constexpr std::size_t user_fields = UserFields;
    static constexpr std::size_t item_fields = ItemFields;
    static constexpr std::size_t fields = UserFields + ItemFields;
    static constexpr std::size_t width = Width;
    static constexpr std::size_t user_dense = UserDense;
    static constexpr std::size_t item_dense = ItemDense;
    static constexpr std::size_t dense = UserDense + ItemDense;

    /// Numbers of a row, and those of them that belong to the user.
    static constexpr std::size_t columns = dense + fields * Width;
    static constexpr std::size_t user_columns = UserDense + UserFields * Width;

    /// The layer that takes the embeddings out of a row.
    using Embeddings = nn::Columns<columns, UserDense, fields * Width>;
};

/// Rows of features.
struct FieldRows {
    MatrixView<const std::uint32_t> ids;  ///< n x fields, those of the user first; small numbers, for each field from 0
    MatrixView<const float> dense{};      ///< n x dense features, those of the user first; on a common scale
};

/// A user and candidates, for rankers that compute the user's part once.
struct FieldRequest {
    std::span<const std::uint32_t> user_ids;   ///< one per field of the user
    std::span<const float> user_dense;         ///< one per dense feature of the user
    MatrixView<const std::uint32_t> item_ids;  ///< n x fields of the item
    MatrixView<const float> item_dense{};      ///< n x dense features of the item
};

}  // namespace ranking
}  // namespace FUNNEL_ABI
}  // namespace funnel
