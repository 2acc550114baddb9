// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/nn/layer.hpp>
#include <funnel/ranking/field_table.hpp>
#include <funnel/ranking/field_training.hpp>
#include <funnel/ranking/fields.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ranking::detail {

// How a ranker over fields gathers rows for its network, in blocks. The network itself is a callable.

inline constexpr std::size_t field_block_rows = 288;  // whole blocks of nn::Frozen, 96 rows

/// The logits of rows. infer(inputs, outputs) is the network, on at most field_block_rows rows.
template <class Schema, bool HasLinear, class Infer>
[[nodiscard]] Matrix<float> score_rows(const FieldTable<Schema, HasLinear>& table, const FieldRows& rows,
                                       std::size_t tasks, const std::string& function, const Infer& infer) {
    require_rows<Schema>(rows, function);
    Matrix<float> logits(rows.ids.rows(), tasks);
    Matrix<float> inputs(std::min(field_block_rows, logits.rows()), Schema::columns);
    for (std::size_t begin = 0; begin < logits.rows(); begin += field_block_rows) {
        const std::size_t count = std::min(field_block_rows, logits.rows() - begin);
        const MatrixView<float> block = inputs.view().rows_from(0, count);
        for (std::size_t i = 0; i < count; ++i) {
            table.fill(rows, begin + i, block.row(i));
        }
        const MatrixView<float> out = logits.view().rows_from(begin, count);
        infer(block, out);
        for (std::size_t i = 0; i < count && HasLinear; ++i) {
            out(i, 0) += table.linear(rows.ids.row(begin + i), 0);
        }
    }
    require_finite_logits(logits, function);
    return logits;
}

/// Numbers of memory that score_candidates needs, without that of the network.
template <class Schema>
[[nodiscard]] constexpr std::size_t candidates_scratch(std::size_t n) noexcept {
    return nn::detail::padded_width(Schema::user_columns) +
           std::min(n, field_block_rows) * nn::detail::padded_width(Schema::columns - Schema::user_columns);
}

/// The logits of the candidates of a user. The network is two callables: share(user, memory) gives the memory that is
/// left after what it keeps of the user, and infer(user, items, outputs, memory) takes at most field_block_rows rows.
template <class Schema, bool HasLinear, class Share, class Infer>
void score_candidates(const FieldTable<Schema, HasLinear>& table, const FieldRequest& request, std::span<float> memory,
                      MatrixView<float> logits, const Share& share, const Infer& infer) noexcept {
    const std::span<float> user =
        nn::detail::take(memory, nn::detail::padded_width(Schema::user_columns)).first(Schema::user_columns);
    std::copy(request.user_dense.begin(), request.user_dense.end(), user.begin());
    table.embed(request.user_ids, 0, user.subspan(Schema::user_dense));
    const float user_linear = table.linear(request.user_ids, 0);
    const MatrixView<float> block = nn::detail::take_rows(memory, std::min(logits.rows(), field_block_rows),
                                                          Schema::columns - Schema::user_columns);
    const std::span<float> rest = share(user, memory);
    for (std::size_t begin = 0; begin < logits.rows(); begin += field_block_rows) {
        const std::size_t count = std::min(field_block_rows, logits.rows() - begin);
        for (std::size_t i = 0; i < count; ++i) {
            table.embed(request.item_ids.row(begin + i), Schema::user_fields, block.row(i));
            if constexpr (Schema::item_dense > 0) {
                const auto dense = request.item_dense.row(begin + i);
                std::copy(dense.begin(), dense.end(), block.row(i).begin() + Schema::item_fields * Schema::width);
            }
        }
        infer(user, block.rows_from(0, count), logits.rows_from(begin, count), rest);
        for (std::size_t i = 0; i < count && HasLinear; ++i) {
            logits(begin + i, 0) += user_linear + table.linear(request.item_ids.row(begin + i), Schema::user_fields);
        }
    }
}

}  // namespace ranking::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel
