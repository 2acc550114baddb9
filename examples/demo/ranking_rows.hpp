// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "candidate_features.hpp"
#include "sources.hpp"

#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/ranking/fields.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace demo {

/// Lists of candidates, one per user, with their features, and labels: 1 if the user went on to choose the candidate.
struct RankingRows {
    std::vector<float> values;       ///< features, row by row
    std::vector<std::uint32_t> ids;  ///< of the fields, row by row
    std::vector<float> labels;
    std::vector<std::size_t> group_sizes;

    [[nodiscard]] funnel::MatrixView<const float> rows() const {
        return {values, labels.size(), CandidateFeatures::count};
    }

    [[nodiscard]] funnel::ranking::FieldRows fields() const {
        return {.ids = {ids, labels.size(), CandidateFeatures::fields}, .dense = rows()};
    }
};

/// Lists whose candidates and features know only `past`, and whose labels are the choices in `future`.
RankingRows ranking_rows(const funnel::data::Interactions& past, const funnel::data::Interactions& future,
                         const funnel::Matrix<float>& genres, Pool& pool);

/// What rankers learn from: the last quarter of the training log says what was chosen, and the rest is the past.
RankingRows ranking_rows(const funnel::data::Interactions& train, const funnel::Matrix<float>& genres, Pool& pool);

}  // namespace demo
