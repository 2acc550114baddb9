// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "candidate_features.hpp"
#include "ranking_rows.hpp"
#include "sources.hpp"

#include <funnel/core/matrix_view.hpp>
#include <funnel/pipeline/candidates.hpp>
#include <funnel/pipeline/stage.hpp>
#include <funnel/ranking/fm.hpp>
#include <funnel/ranking/forest.hpp>
#include <funnel/ranking/logistic_regression.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace demo {

/// Three rankers that have learned from the same rows.
struct Rankers {
    funnel::ranking::LogisticRegression logistic;
    funnel::ranking::FM fm;
    funnel::ranking::Forest forest;  ///< LambdaMART, as it serves: saved for LightGBM and loaded again
    std::size_t compared = 0;        ///< training rows that were scored by the trained and by the loaded forest
    std::size_t differ = 0;          ///< ... and whose scores are not the same bits

    /// Saves the forest under `path`, as a model of LightGBM.
    static Rankers fit(const RankingRows& rows, const std::string& path, Pool& pool);

    [[nodiscard]] std::vector<float> by_logistic(funnel::MatrixView<const float> rows) const;
    [[nodiscard]] std::vector<float> by_fm(funnel::MatrixView<const float> rows) const;
    [[nodiscard]] std::vector<float> by_forest(funnel::MatrixView<const float> rows) const;
};

/// One of the rankers as a stage of a funnel.
struct ByFeatures {
    using Score = std::vector<float> (Rankers::*)(funnel::MatrixView<const float>) const;

    const CandidateFeatures& features;
    const Rankers& rankers;
    Score score;

    [[nodiscard]] std::vector<float> operator()(const funnel::pipeline::Request& request,
                                                const funnel::pipeline::Candidates& candidates) const {
        return (rankers.*score)(features.of(request.user, candidates));
    }
};

}  // namespace demo
