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
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

namespace demo {

/// Lifts items that came up recently. Chances instead of log-odds, so that the gain has a meaning.
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
        std::vector<float> chances;
        std::vector<double> ages;
        for (std::size_t i = 0; i < candidates.size(); ++i) {
            chances.push_back(1.0F / (1.0F + std::exp(-candidates.scores()[i])));
            ages.push_back(now_ - first_seen_[candidates.ids()[i]]);
        }
        return funnel::rerank::freshness(chances, ages, {.weight = 0.02F, .half_life = half_life_});
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
        // lambda has a meaning only if relevance has a scale: 0 for the worst of these candidates, 1 for the best.
        const auto scores = candidates.scores();
        const auto [worst, best] = std::minmax_element(scores.begin(), scores.end());
        std::vector<float> relevance;
        funnel::Matrix<float> embeddings(candidates.size(), genres.cols());
        for (std::size_t i = 0; i < candidates.size(); ++i) {
            relevance.push_back(*best > *worst ? (scores[i] - *worst) / (*best - *worst) : 1.0F);
            std::ranges::copy(genres.row(candidates.ids()[i]), embeddings.row(i).begin());
        }
        return funnel::rerank::mmr(relevance, embeddings, {.k = request.k, .lambda = lambda});
    }
};

}  // namespace demo
