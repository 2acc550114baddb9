// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "sources.hpp"

#include <funnel/core/matrix.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/kernels/distance.hpp>
#include <funnel/pipeline/candidates.hpp>
#include <funnel/ranking/logistic_regression.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>
#include <vector>

namespace demo {

/// What the ranker knows of a candidate: how popular it is over several times, what each personal source thinks of it,
/// how well its genres fit the user's, and how much of that can be trusted, which depends on how long the history is.
class CandidateFeatures {
public:
    static constexpr std::size_t count = 15;

    CandidateFeatures(const Sources& sources, const funnel::data::Interactions& train,
                      const funnel::Matrix<float>& genres)
        : sources_(sources),
          genres_(genres),
          bursts_(funnel::cf::Popularity::fit(train, {.half_life = time_span(train) / 50.0})),
          lasting_(funnel::cf::Popularity::fit(train, {.half_life = time_span(train) / 2.0})) {
        const double span = time_span(train);

        // New items: those that nobody had had until late. The share of the time that has passed since.
        double end = -std::numeric_limits<double>::infinity();
        for (const auto& row : train) {
            end = std::max(end, row.time);
        }
        age_.assign(train.items(), 0.0F);
        for (const auto& row : train) {
            age_[row.item] = std::max(age_[row.item], static_cast<float>((end - row.time) / span));
        }
    }

    /// One row a candidate.
    [[nodiscard]] funnel::Matrix<float> of(std::uint32_t user, const funnel::pipeline::Candidates& candidates) const {
        const auto ids = candidates.ids();
        const std::vector<float> ease = relative(sources_.ease.score(user, ids));
        const std::vector<float> knn = relative(sources_.item_knn.score(user, ids));
        const std::vector<float> als = relative(sources_.als.score(user, ids));
        const auto history = sources_.histories.row(user).columns;
        const float experience = std::log1p(static_cast<float>(history.size())) / 5.0F;

        std::vector<float> taste(genres_.cols());
        for (const std::uint32_t item : history) {
            for (std::size_t genre = 0; genre < taste.size(); ++genre) {
                taste[genre] += genres_(item, genre);
            }
        }

        const std::array popularity{bursts_.scores(), sources_.trending.scores(), lasting_.scores(),
                                    sources_.popular.scores()};
        funnel::Matrix<float> rows(ids.size(), count);
        for (std::size_t i = 0; i < ids.size(); ++i) {
            const auto row = rows.row(i);
            for (std::size_t t = 0; t < popularity.size(); ++t) {
                row[t] = std::log1p(popularity[t][ids[i]]);
            }
            row[4] = ease[i];
            row[5] = knn[i];
            row[6] = als[i];
            row[7] = funnel::kernels::cosine(taste, genres_.row(ids[i]));
            row[8] = age_[ids[i]];
            for (std::size_t j = 0; j < 3; ++j) {
                row[9 + j] = row[4 + j] * experience;  // scores of long histories can be trusted
                row[12 + j] = row[1 + j] * experience;
            }
        }
        return rows;
    }

private:
    // Scores of different users have different scales: in units of the best of these candidates.
    static std::vector<float> relative(std::vector<float> scores) {
        const float best = scores.empty() ? 0.0F : *std::max_element(scores.begin(), scores.end());
        for (float& score : scores) {
            score = best > 0.0F ? score / best : 0.0F;
        }
        return scores;
    }

    const Sources& sources_;
    const funnel::Matrix<float>& genres_;
    funnel::cf::Popularity bursts_;   // popularity with a shorter memory than trending
    funnel::cf::Popularity lasting_;  // ... and with a longer one
    std::vector<float> age_;
};

/// Learns to rank on an earlier window than the one it will be judged on: sources that know only the first part of the
/// training log propose candidates, and the rest of that log says which of them were taken.
funnel::ranking::LogisticRegression learn_ranker(const funnel::data::Interactions& train,
                                                 const funnel::Matrix<float>& genres, Pool& pool);

}  // namespace demo
