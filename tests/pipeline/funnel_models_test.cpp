// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The funnel with the models of this library as its stages.
#include <funnel/cf/item_knn.hpp>
#include <funnel/cf/popularity.hpp>
#include <funnel/data/interactions_builder.hpp>
#include <funnel/pipeline/funnel.hpp>

#include "support/ids_of.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

using funnel::testing::Ids;
using funnel::testing::ids_of;
using namespace funnel::pipeline;

namespace {

// Users 0 .. 4; items 0 and 1 were taken together, 2 by most; 3 and 4 by one user each, who took nothing else.
funnel::data::Interactions small_log() {
    funnel::data::InteractionsBuilder builder;
    for (const auto& [user, item] : std::vector<std::pair<const char*, const char*>>{{"0", "0"},
                                                                                     {"0", "1"},
                                                                                     {"1", "0"},
                                                                                     {"1", "2"},
                                                                                     {"2", "2"},
                                                                                     {"2", "1"},
                                                                                     {"3", "3"},
                                                                                     {"4", "4"},
                                                                                     {"4", "2"}}) {
        builder.add(user, item, 1.0F, 0.0);
    }
    return std::move(builder).build();
}

}  // namespace

TEST_CASE("Funnel of models: a user who registered after training gets what is popular") {
    const auto log = small_log();
    const auto knn = funnel::cf::ItemKNN::fit(log);
    const auto popular = funnel::cf::Popularity::fit(log);
    const Funnel funnel(retrieve(knn), rank(knn), fallback(popular));
    for (const std::uint32_t user : {5U, 99U, 4294967295U}) {
        const Result result = funnel.recommend(user, {.k = 2});
        CHECK(ids_of(result) == Ids{2, 0});
        CHECK(result.trace.fallback_level == 0U);
    }
    CHECK(funnel.recommend({.user = 99, .k = std::numeric_limits<std::size_t>::max(), .exclude = {2}}).size() == 4);
}

TEST_CASE("Funnel of models: items that nothing speaks for do not come before what is popular") {
    const auto log = small_log();
    const auto knn = funnel::cf::ItemKNN::fit(log);
    const auto popular = funnel::cf::Popularity::fit(log);
    // User 3 has had item 3 only, which has no neighbours.
    CHECK(ids_of(Funnel(retrieve(knn), fallback(popular)).recommend(3, {.k = 2})) == Ids{2, 0});
    CHECK(ids_of(Funnel(retrieve(knn, popular)).recommend(3, {.k = 2})) == Ids{2, 0});
}

TEST_CASE("Funnel of models: owns models by shared pointer") {
    const auto make = [] {
        const auto log = small_log();
        const auto knn = std::make_shared<const funnel::cf::ItemKNN>(funnel::cf::ItemKNN::fit(log));
        const auto popular = std::make_shared<const funnel::cf::Popularity>(funnel::cf::Popularity::fit(log));
        return Funnel(retrieve(named("knn", knn), popular), rank(knn), fallback(popular));
    };
    CHECK(make().recommend(1, {.k = 3}).size() == 3);
}
