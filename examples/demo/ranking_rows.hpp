// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "candidate_features.hpp"
#include "sources.hpp"

#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/data/interactions.hpp>

#include <cstddef>
#include <vector>

namespace demo {

/// Lists of candidates, one per user and window, with their features, and labels: 1 if the user went on to choose it.
struct RankingRows {
    std::vector<float> values;  ///< row by row
    std::vector<float> labels;
    std::vector<std::size_t> group_sizes;

    [[nodiscard]] funnel::MatrixView<const float> rows() const {
        return {values, labels.size(), CandidateFeatures::count};
    }
};

/// Adds the lists of one window: sources and features know only `past`, and `future` says what was chosen.
void add_window(const funnel::data::Interactions& past, const funnel::data::Interactions& future,
                const funnel::Matrix<float>& genres, Pool& pool, RankingRows& rows);

/// What rankers learn from: lists of several windows, all of them in the training log.
RankingRows ranking_rows(const funnel::data::Interactions& train, const funnel::Matrix<float>& genres, Pool& pool);

}  // namespace demo
