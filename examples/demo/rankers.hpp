// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "candidate_features.hpp"
#include "ranking_rows.hpp"
#include "sources.hpp"

#include <funnel/core/matrix.hpp>
#include <funnel/pipeline/candidates.hpp>
#include <funnel/pipeline/stage.hpp>
#include <funnel/ranking/deep_rankers.hpp>
#include <funnel/ranking/fields.hpp>
#include <funnel/ranking/fm.hpp>
#include <funnel/ranking/forest.hpp>
#include <funnel/ranking/logistic_regression.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace demo {

/// Four rankers that have learned from the same rows.
struct Rankers {
    /// One field of the user, two of the item, an embedding of 8 numbers for each id, and the features.
    using Schema = funnel::ranking::Fields<1, CandidateFeatures::fields - 1, 8, 0, CandidateFeatures::count>;
    using Deep = funnel::ranking::DeepFM<Schema, 32, 16>;

    funnel::ranking::LogisticRegression logistic;
    funnel::ranking::FM fm;
    Deep deep;
    funnel::ranking::Forest forest;  ///< LambdaMART, as it serves: saved for LightGBM and loaded again
    std::size_t compared = 0;        ///< training rows that were scored by the trained and by the loaded forest
    std::size_t differ = 0;          ///< ... and whose scores are not the same bits

    /// NDCG@10 on the lists of `rows`, each scored by a ranker that has learned from the others; NaN for too few lists.
    double held_out_deep = 0.0;
    double held_out_forest = 0.0;

    /// Saves the forest under `path`, as a model of LightGBM.
    static Rankers fit(const RankingRows& rows, const std::string& path, Pool& pool);

    /// Whether the deep ranker serves. Lists of the test part have no say in this.
    [[nodiscard]] bool deep_is_better() const { return held_out_deep > held_out_forest; }

    [[nodiscard]] std::vector<float> by_logistic(const funnel::ranking::FieldRows& rows) const;
    [[nodiscard]] std::vector<float> by_fm(const funnel::ranking::FieldRows& rows) const;
    [[nodiscard]] std::vector<float> by_deep(const funnel::ranking::FieldRows& rows) const;
    [[nodiscard]] std::vector<float> by_forest(const funnel::ranking::FieldRows& rows) const;
};

/// One of the rankers as a stage of a funnel.
struct ByFeatures {
    using Score = std::vector<float> (Rankers::*)(const funnel::ranking::FieldRows&) const;

    const CandidateFeatures& features;
    const Rankers& rankers;
    Score score;

    [[nodiscard]] std::vector<float> operator()(const funnel::pipeline::Request& request,
                                                const funnel::pipeline::Candidates& candidates) const {
        const funnel::Matrix<float> dense = features.of(request.user, candidates);
        const funnel::Matrix<std::uint32_t> ids = features.fields_of(request.user, candidates);
        return (rankers.*score)({.ids = ids, .dense = dense});
    }
};

}  // namespace demo
