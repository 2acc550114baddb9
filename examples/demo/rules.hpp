// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "sources.hpp"

#include <funnel/core/matrix.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/pipeline/candidates.hpp>
#include <funnel/pipeline/stage.hpp>
#include <funnel/rerank/freshness.hpp>
#include <funnel/rerank/mmr.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace demo {

/// Scores of a ranker have no unit: 0 for the worst of these candidates, 1 for the best.
inline std::vector<float> from_worst_to_best(std::span<const float> scores) {
    const auto [worst, best] = std::minmax_element(scores.begin(), scores.end());
    std::vector<float> relevance;
    for (const float score : scores) {
        relevance.push_back(*best > *worst ? (score - *worst) / (*best - *worst) : 1.0F);
    }
    return relevance;
}

/// Lifts items that came up recently.
class Freshness {
public:
    explicit Freshness(const funnel::data::Interactions& train)
        : first_seen_(train.items(), std::numeric_limits<double>::infinity()), half_life_(time_span(train) / 12.0) {
        for (const auto& row : train) {
            first_seen_[row.item] = std::min(first_seen_[row.item], row.time);
            now_ = std::max(now_, row.time);
        }
    }

    std::vector<float> operator()(const funnel::pipeline::Request&,
                                  const funnel::pipeline::Candidates& candidates) const {
        std::vector<double> ages;
        for (const std::uint32_t item : candidates.ids()) {
            ages.push_back(now_ - first_seen_[item]);
        }
        return funnel::rerank::freshness(from_worst_to_best(candidates.scores()), ages,
                                         {.weight = 0.02F, .half_life = half_life_});
    }

private:
    std::vector<double> first_seen_;
    double half_life_;
    double now_ = -std::numeric_limits<double>::infinity();
};

/// Picks a list that is relevant but not all of one genre.
struct Diversity {
    const funnel::Matrix<float>& genres;
    float lambda;

    std::vector<std::size_t> operator()(const funnel::pipeline::Request& request,
                                        const funnel::pipeline::Candidates& candidates) const {
        funnel::Matrix<float> embeddings(candidates.size(), genres.cols());
        for (std::size_t i = 0; i < candidates.size(); ++i) {
            std::ranges::copy(genres.row(candidates.ids()[i]), embeddings.row(i).begin());
        }
        return funnel::rerank::mmr(from_worst_to_best(candidates.scores()), embeddings,
                                   {.k = request.k, .lambda = lambda});
    }
};

}  // namespace demo
