// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/dot.hpp>
#include <funnel/kernels/metric.hpp>
#include <funnel/kernels/one_to_many.hpp>
#include <funnel/kernels/scale.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <limits>
#include <numeric>
#include <span>
#include <string>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace rerank {

/// A callable that returns the similarity of the candidates at two positions; larger means more similar. Matrices
/// are excluded: a matrix holds embeddings, one row of floats per candidate, unless wrapped in Similarities.
template <class S>
concept PairSimilarity = !funnel::detail::MatrixLike<S> && requires(const S& similarity, std::size_t i, std::size_t j) {
    { similarity(i, j) } -> std::convertible_to<float>;
};

/// Marks a matrix as pairwise similarities: values(i, j) is the similarity of candidates i and j.
struct Similarities {
    MatrixView<const float> values;  ///< n x n
};

struct MMROptions {
    std::size_t k = 10;   ///< length of the slate
    float lambda = 0.7F;  ///< in [0, 1]; 1 uses only relevance, 0 only dissimilarity
};

namespace detail {

// The greedy loop. fill_similarities(pick, remaining, similarities) writes the similarity of the newest pick to each
// remaining candidate. It is called for every pick but the last.
template <class FillSimilarities>
[[nodiscard]] std::vector<std::size_t> select_by_mmr(std::span<const float> relevance, const MMROptions& options,
                                                     const FillSimilarities& fill_similarities) {
    require_between(options.lambda, 0.0, 1.0, "mmr: lambda");
    for (std::size_t i = 0; i < relevance.size(); ++i) {
        if (!math::is_finite(relevance[i])) {
            raise<InvalidArgument>("mmr: relevance must be finite, got " + std::to_string(relevance[i]) +
                                   " at position " + std::to_string(i));
        }
    }

    const std::size_t slate_size = std::min(options.k, relevance.size());
    std::vector<std::size_t> slate;
    slate.reserve(slate_size);
    if (slate_size == 0) {
        return slate;
    }

    // Per remaining candidate: position, relevance, and similarity to the most similar pick so far.
    std::vector<std::size_t> remaining(relevance.size());
    std::iota(remaining.begin(), remaining.end(), std::size_t{0});
    std::vector<float> relevances(relevance.begin(), relevance.end());
    std::vector<float> redundancies(relevance.size(), std::numeric_limits<float>::lowest());
    std::vector<float> similarities(relevance.size());

    // The first pick depends on relevance only. Ties go to the smaller position: remaining ascends, and the first
    // maximum wins.
    auto best = std::max_element(relevances.begin(), relevances.end()) - relevances.begin();
    while (true) {
        const std::size_t pick = remaining[static_cast<std::size_t>(best)];
        slate.push_back(pick);
        if (slate.size() == slate_size) {
            return slate;
        }
        remaining.erase(remaining.begin() + best);
        relevances.erase(relevances.begin() + best);
        redundancies.erase(redundancies.begin() + best);
        similarities.pop_back();

        fill_similarities(pick, std::span<const std::size_t>(remaining), std::span<float>(similarities));
        require(std::all_of(similarities.begin(), similarities.end(), [](float s) { return math::is_finite(s); }),
                "mmr: similarities must be finite");
        best = 0;
        float best_score = std::numeric_limits<float>::lowest();
        for (std::size_t at = 0; at < remaining.size(); ++at) {
            redundancies[at] = std::max(redundancies[at], similarities[at]);
            const float score = options.lambda * relevances[at] - (1.0F - options.lambda) * redundancies[at];
            if (score > best_score) {
                best = static_cast<std::ptrdiff_t>(at);
                best_score = score;
            }
        }
    }
}

}  // namespace detail

/// Maximal marginal relevance: repeatedly picks the candidate that is relevant and dissimilar to the picks so far.
///
///     score(i) = lambda * relevance(i) - (1 - lambda) * max over picks p of similarity(i, p)
///
/// The first pick is the most relevant candidate. Ties go to the smaller position. The effect of lambda depends on the
/// scales of relevance and similarity: bring both to the same scale, such as [0, 1].
///
/// Shapes    relevance: n;  similarity: callable on [0, n) x [0, n)
/// Returns   the positions of min(k, n) candidates, in the order of the picks
/// Cost      O(n k) time with fewer than n k calls of similarity, O(n) memory
/// Errors    InvalidArgument if lambda lies outside [0, 1], or a relevance or a similarity is not finite
/// Source    Carbonell & Goldstein, "The use of MMR, diversity-based reranking", SIGIR 1998
template <PairSimilarity S>
[[nodiscard]] std::vector<std::size_t> mmr(std::span<const float> relevance, const S& similarity,
                                           const MMROptions& options = {}) {
    const auto fill_similarities = [&](std::size_t pick, std::span<const std::size_t> remaining, std::span<float> out) {
        for (std::size_t at = 0; at < out.size(); ++at) {
            out[at] = static_cast<float>(similarity(remaining[at], pick));
        }
    };
    return detail::select_by_mmr(relevance, options, fill_similarities);
}

/// As above, with a matrix of similarities: similarity(i, p) is values(i, p). Reads only elements the formula needs.
///
/// Shapes    relevance: n;  similarities.values: n x n
/// Cost      O(n k) time, O(n) memory
/// Errors    InvalidArgument as above, or if the matrix is not n x n
[[nodiscard]] inline std::vector<std::size_t> mmr(std::span<const float> relevance, Similarities similarities,
                                                  const MMROptions& options = {}) {
    const MatrixView<const float> values = similarities.values;
    if (values.rows() != relevance.size() || values.cols() != relevance.size()) {
        raise<InvalidArgument>("mmr: similarities must have one row and one column for each of " +
                               std::to_string(relevance.size()) + " candidates, got " + std::to_string(values.rows()) +
                               " x " + std::to_string(values.cols()));
    }
    return mmr(relevance, [values](std::size_t i, std::size_t j) { return values(i, j); }, options);
}

/// As above, with the cosine of embeddings as similarity. The rows need not be unit vectors. A row of zeros has cosine
/// 0 with every row. So has a row with a norm below 1e-18, whose square is too small for a float.
///
/// A matrix always holds embeddings, even if square; for similarities, call mmr(relevance, Similarities{matrix}).
///
/// Shapes    relevance: n;  embeddings: n x d, from Matrix<float>, MatrixView, or a row-major Eigen matrix of floats
/// Cost      O(n d k) time in vector kernels; a normalized copy, n x d floats
/// Errors    InvalidArgument as above, or if there is not one row per candidate, or a row is not finite or has a norm
///           above 1.8e19, whose square exceeds the range of float
template <kernels::HostBackend Backend = kernels::DefaultBackend>
[[nodiscard]] std::vector<std::size_t> mmr(std::span<const float> relevance, MatrixView<const float> embeddings,
                                           const MMROptions& options = {}) {
    if (embeddings.rows() != relevance.size()) {
        raise<InvalidArgument>("mmr: embeddings must have " + std::to_string(relevance.size()) +
                               " rows, one per candidate, got " + std::to_string(embeddings.rows()));
    }

    Matrix<float> unit(embeddings);
    for (std::size_t i = 0; i < unit.rows(); ++i) {
        const float squared = kernels::dot<Backend>(unit.row(i), unit.row(i));
        if (!math::is_finite(squared)) {
            raise<InvalidArgument>("mmr: row " + std::to_string(i) +
                                   " of embeddings must be finite and have a norm below 1.8e19");
        }
        kernels::scale<Backend>(squared > 1e-36F ? 1.0F / math::sqrt(squared) : 0.0F, unit.row(i));
    }

    std::vector<float> cosines(unit.rows());
    const auto fill_similarities = [&](std::size_t pick, std::span<const std::size_t> remaining, std::span<float> out) {
        kernels::score_rows<kernels::InnerProduct, Backend>(unit.row(pick), unit.view(), cosines);
        for (std::size_t at = 0; at < out.size(); ++at) {
            out[at] = cosines[remaining[at]];
        }
    };
    return detail::select_by_mmr(relevance, options, fill_similarities);
}

}  // namespace rerank
}  // namespace FUNNEL_ABI
}  // namespace funnel
