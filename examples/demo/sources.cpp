// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "sources.hpp"

#include <funnel/data/user_item_matrix.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>

namespace demo {

namespace {

// A vector of genres for each item, as long as the item tower wants it.
funnel::Matrix<float> item_features(const funnel::Matrix<float>& genres) {
    funnel::Matrix<float> features(genres.rows(), Sources::genre_columns);
    for (std::size_t item = 0; item < genres.rows(); ++item) {
        for (std::size_t genre = 0; genre < genres.cols(); ++genre) {
            features(item, genre % Sources::genre_columns) += genres(item, genre);
        }
    }
    return features;
}

}  // namespace

Sources Sources::fit(const funnel::data::Interactions& train, const funnel::Matrix<float>& genres, Pool& pool) {
    using namespace funnel;
    const double half_life = time_span(train) / 12.0;  // for MovieLens-100K, two weeks
    auto als = cf::ImplicitALS::fit(train, {.factors = 32, .lambda = 0.02F, .alpha0 = 0.3F}, pool);
    auto index = ann::HNSW<ann::InnerProduct>::build(als.item_factors(), {}, pool);
    const Matrix<float> features = item_features(genres);
    auto two_towers = embedding::TwoTower<genre_columns>::fit(train, {.epochs = 10, .item_features = features}, pool);
    auto two_towers_index = ann::HNSW<ann::Cosine>::build(two_towers.item_factors(), {}, pool);
    auto popular = cf::Popularity::fit(train);
    // Nothing has trained the vectors of items that nobody had. In an index they would take places of others.
    for (std::uint32_t item = 0; item < popular.items(); ++item) {
        if (popular.scores()[item] == 0.0F) {
            index.remove(item);
            two_towers_index.remove(item);
        }
    }
    return {std::move(popular),
            cf::Popularity::fit(train, {.half_life = half_life}),
            cf::ItemKNN::fit(train, {}, pool),
            cf::EASE::fit(train, {}, pool),
            std::move(als),
            std::move(index),
            std::move(two_towers),
            std::move(two_towers_index),
            data::user_item_matrix(train)};
}

}  // namespace demo
