// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

// Objectives of small random candidates and dominance by definition, for the tests of multi-objective headers.

#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/rng.hpp>

#include <cstddef>
#include <initializer_list>
#include <vector>

namespace funnel::testing {

inline Matrix<float> matrix_of(std::initializer_list<std::initializer_list<float>> rows) {
    Matrix<float> matrix(rows.size(), rows.size() == 0 ? 0 : rows.begin()->size());
    std::size_t i = 0;
    for (const auto& row : rows) {
        std::size_t j = 0;
        for (const float value : row) {
            matrix(i, j++) = value;
        }
        ++i;
    }
    return matrix;
}

// Whole numbers from 0 to levels - 1: their sums are exact, and there are ties and copies.
inline Matrix<float> random_objectives(Random& random, std::size_t n, std::size_t d, std::size_t levels) {
    Matrix<float> matrix(n, d);
    for (std::size_t i = 0; i < n; ++i) {
        for (float& value : matrix.row(i)) {
            value = static_cast<float>(random.below(levels));
        }
    }
    return matrix;
}

inline bool dominates(MatrixView<const float> f, std::size_t a, std::size_t b) {
    bool is_better = false;
    for (std::size_t j = 0; j < f.cols(); ++j) {
        if (f(a, j) < f(b, j)) {
            return false;
        }
        is_better = is_better || f(a, j) > f(b, j);
    }
    return is_better;
}

inline bool is_pareto_optimal(MatrixView<const float> f, std::size_t i) {
    for (std::size_t other = 0; other < f.rows(); ++other) {
        if (dominates(f, other, i)) {
            return false;
        }
    }
    return true;
}

// The position of the highest score, the first of equal ones.
inline std::size_t best_of(const std::vector<float>& scores) {
    std::size_t best = 0;
    for (std::size_t i = 1; i < scores.size(); ++i) {
        best = scores[i] > scores[best] ? i : best;
    }
    return best;
}

}  // namespace funnel::testing
