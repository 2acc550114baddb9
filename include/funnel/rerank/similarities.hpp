// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix_view.hpp>

#include <concepts>
#include <cstddef>
#include <span>
#include <string>

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

namespace detail {

inline void require_finite_relevance(std::span<const float> relevance, const char* function) {
    for (std::size_t i = 0; i < relevance.size(); ++i) {
        if (!math::is_finite(relevance[i])) {
            raise<InvalidArgument>(std::string(function) + ": relevance must be finite, got " +
                                   std::to_string(relevance[i]) + " at position " + std::to_string(i));
        }
    }
}

inline void require_one_row_each(std::span<const float> relevance, std::size_t rows, const char* function) {
    if (rows != relevance.size()) {
        raise<InvalidArgument>(std::string(function) + ": embeddings must have " + std::to_string(relevance.size()) +
                               " rows, one per candidate, got " + std::to_string(rows));
    }
}

inline void require_square(std::span<const float> relevance, MatrixView<const float> values, const char* function) {
    if (values.rows() != relevance.size() || values.cols() != relevance.size()) {
        raise<InvalidArgument>(std::string(function) + ": similarities must have one row and one column for each of " +
                               std::to_string(relevance.size()) + " candidates, got " + std::to_string(values.rows()) +
                               " x " + std::to_string(values.cols()));
    }
}

[[nodiscard]] inline auto element_of(Similarities similarities) {
    return [values = similarities.values](std::size_t i, std::size_t j) { return values(i, j); };
}

}  // namespace detail

}  // namespace rerank
}  // namespace FUNNEL_ABI
}  // namespace funnel
