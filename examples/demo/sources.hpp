// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "progress_bar.hpp"

#include <funnel/ann/hnsw.hpp>
#include <funnel/cf/ease.hpp>
#include <funnel/cf/implicit_als.hpp>
#include <funnel/cf/item_knn.hpp>
#include <funnel/cf/popularity.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/sparse.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/embedding/two_tower.hpp>
#include <funnel/pipeline/funnel.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace demo {

/// The time from the first to the last row; 1 for an empty log.
inline double time_span(const funnel::data::Interactions& log) {
    const auto earlier = [](const auto& a, const auto& b) { return a.time < b.time; };
    const auto [first, last] = std::minmax_element(log.begin(), log.end(), earlier);
    return log.empty() || first->time == last->time ? 1.0 : last->time - first->time;
}

/// Refuses a log that no cut in time divides.
inline void require_times(const funnel::data::Interactions& log) {
    const auto is_other = [&](const auto& row) { return row.time != log[0].time; };
    if (std::none_of(log.begin(), log.end(), is_other)) {
        funnel::raise<funnel::InvalidArgument>(
            "the demo learns from earlier rows and judges by later ones: all rows of the log, or of its earlier part, "
            "have the same time, or none");
    }
}

/// At most so many of some users, evenly spread over them.
inline std::vector<std::uint32_t> evenly_spread(const std::vector<std::uint32_t>& users, std::size_t at_most) {
    std::vector<std::uint32_t> some;
    const std::size_t step = (users.size() + at_most - 1) / at_most;
    for (std::size_t i = 0; i < users.size(); i += step) {
        some.push_back(users[i]);
    }
    return some;
}

/// Everything that proposes candidates, learned from one training log: two that know what is popular, four that know
/// the user. The vectors of ALS and of the two towers are searched through an index, as one would with millions of items.
struct Sources {
    /// Genres that the item tower sees: as many as MovieLens has. Further ones share these columns.
    static constexpr std::size_t genre_columns = 19;

    funnel::cf::Popularity popular;
    funnel::cf::Popularity trending;  ///< popularity of late
    funnel::cf::ItemKNN item_knn;
    funnel::cf::EASE ease;
    funnel::cf::ImplicitALS als;
    funnel::ann::HNSW<funnel::ann::InnerProduct> als_index;
    funnel::embedding::TwoTower<genre_columns> two_towers;
    funnel::ann::HNSW<funnel::ann::Cosine> two_towers_index;
    funnel::CSRMatrix<float> histories;

    /// Shapes    genres: one row per item, 1 where it has the genre
    static Sources fit(const funnel::data::Interactions& train, const funnel::Matrix<float>& genres, Pool& pool);

    [[nodiscard]] bool knows(std::uint32_t user) const { return histories.row(user).size() > 0; }

    [[nodiscard]] std::vector<funnel::Scored<>> search_als(std::uint32_t user, std::size_t n) const {
        return knows(user) ? search(als_index, als.user_factors().row(user), user, n) : nothing();
    }

    [[nodiscard]] std::vector<funnel::Scored<>> search_two_towers(std::uint32_t user, std::size_t n) const {
        return knows(user) ? search(two_towers_index, two_towers.user_factors().row(user), user, n) : nothing();
    }

    /// Items near a vector of the user, without those the user has had: the index is asked for as many more. With a
    /// filter it would scan a catalogue as small as that of the demo instead of walking its graph.
    template <class Index>
    [[nodiscard]] std::vector<funnel::Scored<>> search(const Index& index, std::span<const float> vector,
                                                       std::uint32_t user, std::size_t n) const {
        const auto seen = histories.row(user).columns;
        auto items = index.search(vector, {.k = n + seen.size(), .ef = 2 * n});
        std::erase_if(items, [&](const auto& item) { return std::ranges::binary_search(seen, item.id); });
        items.erase(items.begin() + static_cast<std::ptrdiff_t>(std::min(n, items.size())), items.end());
        return items;
    }

    /// The first stage of the funnel. Users without a history get no candidates here: the ranker has learned from users
    /// with one, and has nothing to go by. They are served by the fallback.
    [[nodiscard]] auto retrieval() const {
        using namespace funnel::pipeline;
        const auto for_known_users = [this](const auto& model) {
            return [this, &model](const Request& request, std::size_t n) {
                return knows(request.user) ? model.recommend(request.user, {.k = n}) : nothing();
            };
        };
        return retrieve(
            named("popular", for_known_users(popular), {.at_most = 100}),
            named("trending", for_known_users(trending), {.at_most = 100}),
            named("item-knn", item_knn, {.at_most = 100}), named("ease", ease, {.at_most = 100}),
            named("als, by hnsw", [this](const Request& request, std::size_t n) { return search_als(request.user, n); },
                  {.at_most = 100}),
            named("two towers, by hnsw",
                  [this](const Request& request, std::size_t n) { return search_two_towers(request.user, n); },
                  {.at_most = 100}));
    }

    [[nodiscard]] static std::vector<funnel::Scored<>> nothing() { return {}; }
};

}  // namespace demo
