// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/cf/histories.hpp>
#include <funnel/core/item_filter.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/core/sparse.hpp>
#include <funnel/core/top_k.hpp>
#include <funnel/kernels/metric.hpp>
#include <funnel/kernels/one_to_many.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace cf {

/// The k accepted ids other than self with the highest similarities above 0, best first; ties go to the smaller id.
///
/// Shapes    similarities: one per id
template <ItemFilter Filter = AcceptAll>
[[nodiscard]] std::vector<Scored<>> most_similar(std::span<const float> similarities, std::size_t self, std::size_t k,
                                                 const Filter& filter = {}) {
    std::vector<Scored<>> list(std::min(k, similarities.size()));
    TopK<> best(list);
    for (std::size_t i = 0; i < similarities.size(); ++i) {
        const auto id = static_cast<std::uint32_t>(i);
        if (similarities[i] > best.threshold() && similarities[i] > 0.0F && i != self && filter(id)) {
            best.push(id, similarities[i]);
        }
    }
    funnel::detail::keep_first(list, best.finish().size());
    return list;
}

/// The k entries of a row of similarities with the highest ones, best first.
///
/// Shapes    row: similarities above 0 (not checked)
[[nodiscard]] inline std::vector<Scored<>> most_similar(const SparseRow<float>& row, std::size_t k) {
    std::vector<Scored<>> list(std::min(k, row.size()));
    TopK<> best(list);
    for (std::size_t i = 0; i < row.size(); ++i) {
        best.push(row.columns[i], row.values[i]);
    }
    funnel::detail::keep_first(list, best.finish().size());
    return list;
}

/// The k other accepted rows with the largest cosines above 0 to row self.
///
/// Shapes    rows: n x d, self < n (not checked)
/// Cost      O(n d)
template <kernels::HostBackend Backend = kernels::DefaultBackend, ItemFilter Filter = AcceptAll>
[[nodiscard]] std::vector<Scored<>> most_similar_rows(MatrixView<const float> rows, std::size_t self, std::size_t k,
                                                      const Filter& filter = {}) {
    std::vector<float> cosines(rows.rows());
    kernels::score_rows<kernels::Cosine, Backend>(rows.row(self), rows, cosines);
    return most_similar(cosines, self, k, filter);
}

namespace detail {

// The columns of factors that say what a user or an item is like. A scorer S whose last columns are biases has
// S::bias_columns of them: with these, items would be similar because they are equally popular.
template <class S>
[[nodiscard]] MatrixView<const float> without_biases(MatrixView<const float> factors) {
    if constexpr (requires { S::bias_columns; }) {
        return factors.columns_from(0, factors.cols() - S::bias_columns);
    } else {
        return factors;
    }
}

}  // namespace detail

/// The k other users with the most similar histories.
///
///     similarity(u, v) = |I_u and I_v| / sqrt(|I_u| |I_v|)
///
/// Returns   users who share an item with the user; nobody if the user is unknown or has no history
/// Cost      O(items in all histories)
[[nodiscard]] inline std::vector<Scored<>> users_with_similar_histories(const Histories& histories, std::size_t user,
                                                                        std::size_t k) {
    const std::span<const std::uint32_t> own = histories.of(user);
    std::vector<std::uint8_t> is_own(histories.items());
    for (const std::uint32_t item : own) {
        is_own[item] = 1;
    }
    std::vector<float> similarities(histories.users());
    for (std::size_t other = 0; other < similarities.size() && !own.empty(); ++other) {
        const std::span<const std::uint32_t> items = histories.of(other);
        const auto shared =
            std::count_if(items.begin(), items.end(), [&](std::uint32_t item) { return is_own[item] != 0; });
        if (shared > 0) {
            const double lengths = static_cast<double>(own.size()) * static_cast<double>(items.size());
            similarities[other] = static_cast<float>(static_cast<double>(shared) / math::sqrt(lengths));
        }
    }
    return most_similar(similarities, user, k);
}

}  // namespace cf
}  // namespace FUNNEL_ABI
}  // namespace funnel
