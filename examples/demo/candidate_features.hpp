// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "sources.hpp"

#include <funnel/cf/popularity.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/pipeline/candidates.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace demo {

/// What the rankers know of a candidate, computed from one training log and from nothing that is later: how popular it
/// is over several times, what each source thinks of it, how well it fits the genres and the last items of the user,
/// and how much of that can be trusted, which depends on how long the history is.
class CandidateFeatures {
public:
    static constexpr std::array<std::string_view, 30> names{
        "popularity in bursts",
        "popularity of late",
        "popularity of the later half",
        "popularity",
        "ease score",
        "item-knn score",
        "als score",
        "two-tower score",
        "retrieval score",
        "rank by popular",
        "rank by trending",
        "rank by item-knn",
        "rank by ease",
        "rank by als",
        "rank by two towers",
        "genres against the history",
        "genres against the last items",
        "likeness to the nearest of the last items",
        "likeness to the last items",
        "time since the item was new",
        "time since the item was last chosen",
        "time since the user last chose",
        "length of the history",
        "ease score x length",
        "item-knn score x length",
        "als score x length",
        "two-tower score x length",
        "popularity of late x length",
        "popularity of the later half x length",
        "popularity x length",
    };
    static constexpr std::size_t count = names.size();
    static constexpr std::size_t fields = 3;

    /// The sources must be fitted on the same log. Sources and genres must outlive this object.
    CandidateFeatures(const Sources& sources, const funnel::data::Interactions& train,
                      const funnel::Matrix<float>& genres);

    /// One row per candidate, one column per name.
    [[nodiscard]] funnel::Matrix<float> of(std::uint32_t user, const funnel::pipeline::Candidates& candidates) const;

    /// What a ranker with embeddings sees beside the features, as small numbers: how long the user's history is, as a
    /// power of two; the item; the first of its genres, counted from 1.
    [[nodiscard]] funnel::Matrix<std::uint32_t> fields_of(std::uint32_t user,
                                                          const funnel::pipeline::Candidates& candidates) const;

private:
    const Sources& sources_;
    const funnel::Matrix<float>& genres_;
    std::array<std::vector<float>, 4> popularity_;  // logarithms, of the shares of all rows
    std::vector<float> item_age_;                   // since the first row; shares of the time of the log
    std::vector<float> item_rest_;                  // since the last row
    std::vector<float> user_rest_;
    std::vector<std::uint32_t> main_genre_;
    std::vector<std::vector<std::uint32_t>> last_items_;  // by user, latest first
};

}  // namespace demo
