// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "sources.hpp"
#include "world.hpp"

#include <funnel/core/matrix.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/pipeline/candidates.hpp>
#include <funnel/pipeline/stage.hpp>
#include <funnel/pipeline/trace.hpp>
#include <funnel/rerank/dpp.hpp>
#include <funnel/rerank/freshness.hpp>
#include <funnel/rerank/group_cap.hpp>
#include <funnel/rerank/groups.hpp>
#include <funnel/rerank/mmr.hpp>
#include <funnel/rerank/pins.hpp>
#include <funnel/rerank/slate_rules.hpp>
#include <funnel/rerank/window_cap.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <numeric>
#include <span>
#include <string>
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

/// The title without what follows a colon, the article and the number of a part: "Star Trek VI: The Undiscovered
/// Country" and "Star Trek: First Contact" are films of the franchise "Star Trek".
inline std::string franchise_of(std::string title) {
    title = title.substr(0, title.find(':'));
    title = title.substr(0, title.find(", The"));
    const auto space = title.find_last_of(' ');
    if (space != std::string::npos && title.find_first_not_of("0123456789IVX", space + 1) == std::string::npos) {
        title.resize(space);
    }
    return title;
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

/// Weight of relevance in the slate of DPP that is compared with that of MMR.
inline constexpr float theta = 0.9F;

/// How a slate is selected.
enum class Selection { MMR, DPP };

/// What belongs together: the genres of each film, and its franchise if the log has another film of it.
struct FilmGroups {
    std::vector<std::vector<std::uint32_t>> genres;
    std::vector<std::vector<std::uint32_t>> franchise;
    funnel::Matrix<float> vectors;  ///< genres as vectors, one row per film

    explicit FilmGroups(const World& world) : vectors(world.genres()) {
        std::map<std::string, std::vector<std::uint32_t>> films;
        for (std::uint32_t film = 0; film < world.log.items(); ++film) {
            genres.emplace_back(world.items[film].genres.begin(), world.items[film].genres.end());
            const std::string name = franchise_of(world.items[film].title);
            if (!name.empty()) {
                films[name].push_back(film);
            }
        }
        franchise.resize(genres.size());
        std::uint32_t number = 0;
        for (const auto& [name, parts] : films) {
            for (const std::uint32_t film : parts) {
                if (parts.size() > 1) {
                    franchise[film].push_back(number);
                }
            }
            ++number;
        }
    }
};

/// Selects a slate that is relevant but not all of one genre. Under rules: at most three films of a genre, and at least
/// four others between two films of a franchise. If they leave a place empty, the genres, as the last rule, give way
/// first. Films that are explored are pinned to their places.
struct Slate {
    static constexpr std::size_t genre_cap = 3;
    static constexpr std::size_t apart = 4;

    const FilmGroups& groups;
    Selection by;
    float weight;  ///< of relevance: lambda of MMR, theta of DPP
    bool has_rules;

    funnel::rerank::RuledSlate operator()(const funnel::pipeline::Request& request,
                                          const funnel::pipeline::Candidates& candidates,
                                          const funnel::pipeline::Trace& trace) const {
        using namespace funnel::rerank;
        const auto ids = candidates.ids();
        const std::vector<float> relevance = from_worst_to_best(candidates.scores());
        const auto select = [&](auto& rule) {
            return by == Selection::MMR
                       ? mmr(relevance, vectors(ids, 0.0F), {.k = request.k, .lambda = weight}, rule)
                       : dpp(relevance, vectors(ids, own_part), {.k = request.k, .theta = weight}, rule);
        };
        const SlateShape shape{.candidates = ids.size(), .places = request.k, .pins = pins_of(ids, trace.explored)};
        if (!has_rules) {
            return under_rules(SlateRules<>(shape), select);
        }
        const Groups genres(ids.size(), [&](std::size_t i) -> const auto& { return groups.genres[ids[i]]; });
        const Groups franchises(ids.size(), [&](std::size_t i) -> const auto& { return groups.franchise[ids[i]]; });
        return under_rules(SlateRules(shape, soft("franchises apart", spacing(franchises, request.k, apart)),
                                      soft("films of a genre", GroupCap(genres, {.at_most = genre_cap}))),
                           select);
    }

private:
    static constexpr float own_part = 0.2F;

    // Unit vectors of genres. DPP never picks a film that is like another in all respects, so each film gets a part of
    // its own: films of the same genres then have cosine 1 - own.
    [[nodiscard]] funnel::Matrix<float> vectors(std::span<const std::uint32_t> ids, float own) const {
        const std::size_t d = groups.vectors.cols();
        funnel::Matrix<float> rows(ids.size(), d + (own > 0.0F ? ids.size() : 0));
        for (std::size_t i = 0; i < ids.size(); ++i) {
            const auto genres = groups.vectors.row(ids[i]);
            const float length = std::sqrt(std::accumulate(genres.begin(), genres.end(), 0.0F));  // of zeros and ones
            for (std::size_t j = 0; j < d; ++j) {
                rows(i, j) = length > 0.0F ? std::sqrt(1.0F - own) * genres[j] / length : 0.0F;
            }
            if (own > 0.0F) {
                rows(i, d + i) = std::sqrt(own);
            }
        }
        return rows;
    }
};

}  // namespace demo
