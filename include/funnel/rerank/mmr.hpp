// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/dot.hpp>
#include <funnel/kernels/metric.hpp>
#include <funnel/kernels/one_to_many.hpp>
#include <funnel/kernels/scale.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace funnel::inline FUNNEL_ABI::rerank {

/// How alike two candidates are, given by position; larger is more alike.
template <class S>
concept Similarity = requires(const S& similarity, std::size_t i, std::size_t j) {
    { similarity(i, j) } -> std::convertible_to<float>;
};

/// Says that the rows of a matrix are the candidates' vectors, whatever its shape.
struct Embeddings {
    MatrixView<const float> rows;
};

struct MMROptions {
    std::size_t k = 10;   ///< length of the slate
    float lambda = 0.7F;  ///< 1 looks at relevance alone, 0 at novelty alone
};

namespace detail {

// The greedy loop. note_pick(pick, remaining, redundancy) raises the redundancy of what remains to its similarity with
// the newest pick; it is called for every pick but the last.
template <class NotePick>
[[nodiscard]] std::vector<std::size_t> select_by_mmr(std::span<const float> relevance, const MMROptions& options,
                                                     NotePick&& note_pick) {
    require(options.lambda >= 0.0F && options.lambda <= 1.0F, "mmr: lambda must lie in [0, 1]");
    require(std::all_of(relevance.begin(), relevance.end(), [](float r) { return math::is_finite(r); }),
            "mmr: relevance must be finite");

    const std::size_t slate_size = std::min(options.k, relevance.size());
    std::vector<std::size_t> slate;
    slate.reserve(slate_size);

    std::vector<std::size_t> remaining(relevance.size());
    for (std::size_t i = 0; i < remaining.size(); ++i) {
        remaining[i] = i;
    }
    // Similarity to the closest pick so far: one look per candidate and round keeps it up to date.
    std::vector<float> redundancy(relevance.size(), std::numeric_limits<float>::lowest());

    while (slate.size() < slate_size) {
        // The first pick has nothing to repeat. Ties go to the smaller position: remaining ascends, the first best
        // wins.
        const auto marginal_relevance_of = [&](std::size_t i) {
            return slate.empty() ? relevance[i]
                                 : options.lambda * relevance[i] - (1.0F - options.lambda) * redundancy[i];
        };
        std::size_t best = 0;
        float best_score = marginal_relevance_of(remaining[0]);
        for (std::size_t at = 1; at < remaining.size(); ++at) {
            const float score = marginal_relevance_of(remaining[at]);
            if (score > best_score) {
                best = at;
                best_score = score;
            }
        }
        const std::size_t pick = remaining[best];
        slate.push_back(pick);
        if (slate.size() < slate_size) {
            remaining.erase(remaining.begin() + static_cast<std::ptrdiff_t>(best));
            note_pick(pick, std::span<const std::size_t>(remaining), std::span<float>(redundancy));
        }
    }
    return slate;
}

inline void require_a_row_each(MatrixView<const float> matrix, std::span<const float> relevance) {
    if (matrix.rows() != relevance.size()) {
        raise<InvalidArgument>("mmr: the matrix must have one row a candidate; it has " +
                               std::to_string(matrix.rows()) + " for " + std::to_string(relevance.size()));
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
/// Shapes    relevance: n;  similarity: callable on [0, n) x [0, n), never NaN (not checked)
/// Returns   the positions of min(k, n) candidates, in the order they were picked
/// Cost      O(n k) time with fewer than n k calls of similarity, O(n) memory
/// Errors    InvalidArgument if lambda lies outside [0, 1], or a relevance is not finite
/// Source    Carbonell & Goldstein, "The use of MMR, diversity-based reranking", SIGIR 1998
template <Similarity S>
    requires(!std::convertible_to<const S&, MatrixView<const float>>)
[[nodiscard]] std::vector<std::size_t> mmr(std::span<const float> relevance, const S& similarity,
                                           const MMROptions& options = {}) {
    return detail::select_by_mmr(
        relevance, options, [&](std::size_t pick, std::span<const std::size_t> remaining, std::span<float> redundancy) {
            for (const std::size_t i : remaining) {
                redundancy[i] = std::max(redundancy[i], static_cast<float>(similarity(i, pick)));
            }
        });
}

/// The same with the cosine of embeddings as similarity. A row of zeros is similar to nothing (cosine 0).
///
/// Shapes    relevance: n;  embeddings.rows: n x d, of any lengths between 1e-18 and 1e18
/// Cost      O(n d k) time in vector kernels; a normalised copy, n x d floats
/// Errors    InvalidArgument as above, or if there is not one row a candidate, or a row is not finite
template <kernels::HostBackend Backend = kernels::DefaultBackend>
[[nodiscard]] std::vector<std::size_t> mmr(std::span<const float> relevance, Embeddings embeddings,
                                           const MMROptions& options = {}) {
    detail::require_a_row_each(embeddings.rows, relevance);

    Matrix<float> unit(embeddings.rows);
    for (std::size_t i = 0; i < unit.rows(); ++i) {
        const float squared = kernels::dot<Backend>(unit.row(i), unit.row(i));
        require(math::is_finite(squared), "mmr: embeddings must be finite, and shorter than 1e18");
        kernels::scale<Backend>(squared > 1e-36F ? 1.0F / math::sqrt(squared) : 0.0F, unit.row(i));
    }

    std::vector<float> cosines(unit.rows());
    return detail::select_by_mmr(
        relevance, options, [&](std::size_t pick, std::span<const std::size_t> remaining, std::span<float> redundancy) {
            kernels::score_rows<kernels::InnerProduct, Backend>(unit.row(pick), unit.view(), cosines);
            for (const std::size_t i : remaining) {
                redundancy[i] = std::max(redundancy[i], cosines[i]);
            }
        });
}

/// The same with a matrix, which can mean two things:
///
///     n x d, d != n    embeddings, one row a candidate
///     n x n            similarities: matrix(i, j) - unless every row is a unit vector, then embeddings
///
/// The exception makes the two readings agree: of the matrices whose rows are unit vectors, the only one that also is
/// a similarity matrix with ones on its diagonal is the identity, and it gives the same slate either way. So only
/// embeddings that are not normalised, and happen to be as many as they are long, would be misread: write
/// Embeddings{matrix} for those. To force the other reading, pass a lambda.
///
/// Errors    InvalidArgument as above
template <kernels::HostBackend Backend = kernels::DefaultBackend>
[[nodiscard]] std::vector<std::size_t> mmr(std::span<const float> relevance, MatrixView<const float> matrix,
                                           const MMROptions& options = {}) {
    detail::require_a_row_each(matrix, relevance);

    bool rows_are_unit_vectors = true;
    for (std::size_t i = 0; i < matrix.rows() && rows_are_unit_vectors; ++i) {
        // What normalising in float leaves is about 1e-7; 1e-5 still tells any similarity above 0.003 from the
        // identity.
        rows_are_unit_vectors = math::abs(kernels::dot<Backend>(matrix.row(i), matrix.row(i)) - 1.0F) <= 1e-5F;
    }
    if (matrix.cols() != matrix.rows() || rows_are_unit_vectors) {
        return mmr<Backend>(relevance, Embeddings{matrix}, options);
    }
    return mmr(relevance, [&](std::size_t i, std::size_t j) { return matrix(i, j); }, options);
}

}  // namespace funnel::rerank
