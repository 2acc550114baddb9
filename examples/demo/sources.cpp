// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "sources.hpp"

#include <funnel/data/user_item_matrix.hpp>

#include <utility>

namespace demo {

Sources Sources::fit(const funnel::data::Interactions& train, Pool& pool) {
    using namespace funnel;
    const double half_life = time_span(train) / 12.0;  // for MovieLens-100K, two weeks
    auto als = cf::ImplicitALS::fit(train, {.factors = 32, .lambda = 0.02F, .alpha0 = 0.3F}, pool);
    auto index = ann::HNSW<ann::InnerProduct>::build(als.item_factors(), {}, pool);
    return {cf::Popularity::fit(train),
            cf::Popularity::fit(train, {.half_life = half_life}),
            cf::ItemKNN::fit(train, {}, pool),
            cf::EASE::fit(train, {}, pool),
            std::move(als),
            std::move(index),
            data::user_item_matrix(train)};
}

}  // namespace demo
