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

/// How alike two candidates are, given by position; larger is more alike. A matrix is not one, whoever made it and
/// however it stores its elements: matrices hold embeddings, in rows of floats, unless wrapped in Similarities.
template <class S>
concept Similarity = !funnel::detail::MatrixLike<S> && requires(const S& similarity, std::size_t i, std::size_t j) {
    { similarity(i, j) } -> std::convertible_to<float>;
};

/// Says that a matrix holds similarities: values(i, j) is how alike candidates i and j are.
struct Similarities {
    MatrixView<const float> values;  ///< n x n
};

struct MMROptions {
    std::size_t k = 10;   ///< length of the slate
    float lambda = 0.7F;  ///< 1 looks at relevance alone, 0 at novelty alone
};

namespace detail {

// The greedy loop. note_similarities(pick, remaining, similarities) writes how alike the newest pick and each candidate
// that remains are. It is called for every pick but the last.
template <class NoteSimilarities>
[[nodiscard]] std::vector<std::size_t> select_by_mmr(std::span<const float> relevance, const MMROptions& options,
                                                     const NoteSimilarities& note_similarities) {
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

    // What remains, without gaps: position, relevance, and similarity to the closest pick so far.
    std::vector<std::size_t> remaining(relevance.size());
    std::iota(remaining.begin(), remaining.end(), std::size_t{0});
    std::vector<float> relevances(relevance.begin(), relevance.end());
    std::vector<float> redundancies(relevance.size(), std::numeric_limits<float>::lowest());
    std::vector<float> similarities(relevance.size());

    // The first pick has nothing to repeat. Ties go to the smaller position: remaining ascends, the first best wins.
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

        note_similarities(pick, std::span<const std::size_t>(remaining), std::span<float>(similarities));
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

/// Maximal marginal relevance: picks, one by one, the candidate that is relevant yet unlike the picks so far.
///
///     score(i) = lambda * relevance(i) - (1 - lambda) * max over picks p of similarity(i, p)
///
/// The first pick is the most relevant candidate. Ties go to the smaller position. lambda has a meaning only relative
/// to the scales of the two inputs: bring both to the same one, say [0, 1].
///
/// Shapes    relevance: n;  similarity: callable on [0, n) x [0, n)
/// Returns   the positions of min(k, n) candidates, in the order they were picked
/// Cost      O(n k) time with fewer than n k calls of similarity, O(n) memory
/// Errors    InvalidArgument if lambda lies outside [0, 1], or a relevance or a similarity is not finite
/// Source    Carbonell & Goldstein, "The use of MMR, diversity-based reranking", SIGIR 1998
template <Similarity S>
[[nodiscard]] std::vector<std::size_t> mmr(std::span<const float> relevance, const S& similarity,
                                           const MMROptions& options = {}) {
    const auto note_similarities = [&](std::size_t pick, std::span<const std::size_t> remaining, std::span<float> out) {
        for (std::size_t at = 0; at < out.size(); ++at) {
            out[at] = static_cast<float>(similarity(remaining[at], pick));
        }
    };
    return detail::select_by_mmr(relevance, options, note_similarities);
}

/// The same with a matrix of similarities: similarity(i, p) is values(i, p). Only what the formula asks for is read.
///
/// Shapes    relevance: n;  similarities.values: n x n
/// Cost      O(n k) time, O(n) memory
/// Errors    InvalidArgument as above, or if the matrix is not n x n
[[nodiscard]] inline std::vector<std::size_t> mmr(std::span<const float> relevance, Similarities similarities,
                                                  const MMROptions& options = {}) {
    const MatrixView<const float> values = similarities.values;
    if (values.rows() != relevance.size() || values.cols() != relevance.size()) {
        raise<InvalidArgument>("mmr: similarities must have one row and one column per candidate, " +
                               std::to_string(relevance.size()) + ", got " + std::to_string(values.rows()) + " x " +
                               std::to_string(values.cols()));
    }
    return mmr(relevance, [values](std::size_t i, std::size_t j) { return values(i, j); }, options);
}

/// The same with the cosine of embeddings as similarity; the rows need not be unit vectors. A row of zeros is similar
/// to nothing (cosine 0), and so is one shorter than 1e-18, whose square is lost in a float.
///
/// A matrix always means embeddings, square or not; for similarities write mmr(relevance, Similarities{matrix}).
///
/// Shapes    relevance: n;  embeddings: n x d, from Matrix<float>, MatrixView, or a row-major Eigen matrix of floats
/// Cost      O(n d k) time in vector kernels; a normalised copy, n x d floats
/// Errors    InvalidArgument as above, or if there is not one row per candidate, or a row is not finite or longer than
///           1.8e19, whose square is more than a float can hold
template <kernels::HostBackend Backend = kernels::DefaultBackend>
[[nodiscard]] std::vector<std::size_t> mmr(std::span<const float> relevance, MatrixView<const float> embeddings,
                                           const MMROptions& options = {}) {
    if (embeddings.rows() != relevance.size()) {
        raise<InvalidArgument>("mmr: embeddings must have one row per candidate, " + std::to_string(relevance.size()) +
                               ", got " + std::to_string(embeddings.rows()));
    }

    Matrix<float> unit(embeddings);
    for (std::size_t i = 0; i < unit.rows(); ++i) {
        const float squared = kernels::dot<Backend>(unit.row(i), unit.row(i));
        if (!math::is_finite(squared)) {
            raise<InvalidArgument>("mmr: embeddings must be finite and shorter than 1.8e19, but row " +
                                   std::to_string(i) + " is not");
        }
        kernels::scale<Backend>(squared > 1e-36F ? 1.0F / math::sqrt(squared) : 0.0F, unit.row(i));
    }

    std::vector<float> cosines(unit.rows());
    const auto note_similarities = [&](std::size_t pick, std::span<const std::size_t> remaining, std::span<float> out) {
        kernels::score_rows<kernels::InnerProduct, Backend>(unit.row(pick), unit.view(), cosines);
        for (std::size_t at = 0; at < out.size(); ++at) {
            out[at] = cosines[remaining[at]];
        }
    };
    return detail::select_by_mmr(relevance, options, note_similarities);
}

}  // namespace rerank
}  // namespace FUNNEL_ABI
}  // namespace funnel
