// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/metric.hpp>
#include <funnel/kernels/one_to_many.hpp>
#include <funnel/rerank/finite_norms.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace rerank {

/// Serendipity of candidates: relevant, but unlike what the user took before.
///
///     serendipity(i) = relevance(i) * (1 - mean over history h of cosine(i, h))
///
/// Its best candidates, top_k of the result, make a list for ReservedPlaces. Without a history, it is the relevance.
///
/// Shapes    relevance: n, >= 0;  embeddings: n x d;  history: m x d
/// Returns   n scores, by position
/// Cost      O(n m d) in vector kernels
/// Errors    InvalidArgument if the shapes differ, or a relevance is negative or not finite, or a row is not
///           finite or has a norm above 1.8e19
/// Source    Zhang et al., "Auralist: introducing serendipity into music recommendation", WSDM 2012
template <kernels::HostBackend Backend = kernels::DefaultBackend>
[[nodiscard]] std::vector<float> serendipity(std::span<const float> relevance, MatrixView<const float> embeddings,
                                             MatrixView<const float> history) {
    require_equal(embeddings.rows(), relevance.size(), "serendipity: rows of embeddings");
    require(history.rows() == 0 || history.cols() == embeddings.cols(),
            "serendipity: history and embeddings must have equally many columns");
    detail::require_finite_norms(embeddings, "serendipity: embeddings");
    detail::require_finite_norms(history, "serendipity: history");
    std::vector<double> sums(relevance.size(), 0.0);
    std::vector<float> cosines(relevance.size());
    for (std::size_t h = 0; h < history.rows(); ++h) {
        kernels::score_rows<kernels::Cosine, Backend>(history.row(h), embeddings, cosines);
        for (std::size_t i = 0; i < sums.size(); ++i) {
            sums[i] += static_cast<double>(cosines[i]);
        }
    }
    std::vector<float> scores(relevance.size());
    const auto m = static_cast<double>(std::max<std::size_t>(history.rows(), 1));
    for (std::size_t i = 0; i < scores.size(); ++i) {
        require_not_negative(relevance[i], "serendipity: relevance");
        scores[i] = static_cast<float>(static_cast<double>(relevance[i]) * (1.0 - sums[i] / m));
    }
    return scores;
}

}  // namespace rerank
}  // namespace FUNNEL_ABI
}  // namespace funnel
