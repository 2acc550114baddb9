// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "candidate_features.hpp"

#include <funnel/kernels/distance.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>
#include <utility>

namespace demo {

namespace {

constexpr std::size_t last = 5;  // items of a user that count as the last ones

// Scores of different users have different scales: in units of the best of these candidates.
std::vector<float> relative(std::vector<float> scores) {
    const float best = scores.empty() ? 0.0F : *std::max_element(scores.begin(), scores.end());
    for (float& score : scores) {
        score = best > 0.0F ? score / best : 0.0F;
    }
    return scores;
}

// Counts of logs of different lengths have different scales: in thousandths of the sum.
std::vector<float> shares(const funnel::cf::Popularity& popularity) {
    const std::span<const float> counts = popularity.scores();
    const double sum = std::accumulate(counts.begin(), counts.end(), 0.0);
    std::vector<float> logarithms;
    for (const float count : counts) {
        logarithms.push_back(static_cast<float>(std::log1p(1000.0 * static_cast<double>(count) / std::max(sum, 1e-9))));
    }
    return logarithms;
}

std::vector<float> genres_of(std::span<const std::uint32_t> items, const funnel::Matrix<float>& genres) {
    std::vector<float> sums(genres.cols());
    for (const std::uint32_t item : items) {
        for (std::size_t genre = 0; genre < sums.size(); ++genre) {
            sums[genre] += genres(item, genre);
        }
    }
    return sums;
}

}  // namespace

CandidateFeatures::CandidateFeatures(const Sources& sources, const funnel::data::Interactions& train,
                                     const funnel::Matrix<float>& genres)
    : sources_(sources),
      genres_(genres),
      item_age_(train.items(), 0.0F),
      item_rest_(train.items(), 1.0F),
      user_rest_(train.users(), 1.0F),
      main_genre_(train.items(), 0),
      last_items_(train.users()) {
    using funnel::cf::Popularity;
    const double span = time_span(train);
    popularity_ = {shares(Popularity::fit(train, {.half_life = span / 50.0})), shares(sources.trending),
                   shares(Popularity::fit(train, {.half_life = span / 2.0})), shares(sources.popular)};
    std::vector<std::size_t> rows(train.size());
    std::iota(rows.begin(), rows.end(), std::size_t{0});
    std::sort(rows.begin(), rows.end(), [&](std::size_t a, std::size_t b) {
        return std::pair(-train[a].time, a) < std::pair(-train[b].time, b);  // latest first
    });
    for (const std::size_t row : rows) {
        const auto ago = static_cast<float>((train[rows.front()].time - train[row].time) / span);
        const auto [user, item] = std::pair(train[row].user, train[row].item);
        item_age_[item] = std::max(item_age_[item], ago);
        item_rest_[item] = std::min(item_rest_[item], ago);
        user_rest_[user] = std::min(user_rest_[user], ago);
        if (last_items_[user].size() < last) {
            last_items_[user].push_back(item);
        }
    }
    for (std::size_t item = 0; item < main_genre_.size(); ++item) {
        const auto row = genres.row(item);
        const auto first = std::find(row.begin(), row.end(), 1.0F);
        main_genre_[item] = first == row.end() ? 0 : static_cast<std::uint32_t>(first - row.begin()) + 1;
    }
}

funnel::Matrix<float> CandidateFeatures::of(std::uint32_t user, const funnel::pipeline::Candidates& candidates) const {
    const auto ids = candidates.ids();
    const std::array scores{relative(sources_.ease.score(user, ids)), relative(sources_.item_knn.score(user, ids)),
                            relative(sources_.als.score(user, ids)), relative(sources_.two_towers.score(user, ids))};
    const auto history = sources_.histories.row(user).columns;
    const float experience = std::log1p(static_cast<float>(history.size())) / 5.0F;
    const std::vector<float> taste = genres_of(history, genres_);
    const std::vector<float> recent_taste = genres_of(last_items_[user], genres_);
    const auto factors = sources_.als.item_factors();

    funnel::Matrix<float> rows(ids.size(), count);
    for (std::size_t i = 0; i < ids.size(); ++i) {
        const std::uint32_t item = ids[i];
        std::size_t column = 0;
        const auto add = [&](float value) { rows(i, column++) = value; };
        for (const auto& popularity : popularity_) {
            add(popularity[item]);
        }
        for (const auto& score : scores) {
            add(score[i]);
        }
        add(candidates[i].score);
        for (std::size_t source = 0; source < candidates.sources(); ++source) {
            const auto place = candidates.found(i, source);
            add(place ? 1.0F / (1.0F + static_cast<float>(place->rank)) : 0.0F);
        }
        add(funnel::kernels::cosine(taste, genres_.row(item)));
        add(funnel::kernels::cosine(recent_taste, genres_.row(item)));
        float nearest = 0.0F;
        float sum = 0.0F;
        for (const std::uint32_t other : last_items_[user]) {
            const float likeness = funnel::kernels::cosine(factors.row(item), factors.row(other));
            nearest = std::max(nearest, likeness);
            sum += likeness;
        }
        add(nearest);
        add(sum / static_cast<float>(std::max<std::size_t>(1, last_items_[user].size())));
        add(item_age_[item]);
        add(item_rest_[item]);
        add(user_rest_[user]);
        add(experience);
        for (const auto& score : scores) {
            add(score[i] * experience);  // scores of long histories can be trusted
        }
        for (std::size_t t = 1; t < popularity_.size(); ++t) {
            add(popularity_[t][item] * experience);
        }
    }
    return rows;
}

funnel::Matrix<std::uint32_t> CandidateFeatures::fields_of(std::uint32_t user,
                                                           const funnel::pipeline::Candidates& candidates) const {
    const auto ids = candidates.ids();
    const auto cohort = static_cast<std::uint32_t>(std::bit_width(sources_.histories.row(user).size()));
    funnel::Matrix<std::uint32_t> rows(ids.size(), fields);
    for (std::size_t i = 0; i < ids.size(); ++i) {
        rows(i, 0) = cohort;
        rows(i, 1) = ids[i];
        rows(i, 2) = main_genre_[ids[i]];
    }
    return rows;
}

}  // namespace demo
