// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/data/synthetic_oracle.hpp>
#include <funnel/data/user_item_matrix.hpp>

#include <funnel/data/splits.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

using funnel::InvalidArgument;
using funnel::Scored;
using funnel::top_k;
using funnel::data::Interaction;
using funnel::data::Interactions;
using funnel::data::split_by_time;
using funnel::data::split_random;
using funnel::data::SyntheticOracle;
using funnel::data::SyntheticWorld;
using funnel::data::user_item_matrix;
using funnel::data::where;

namespace {

// The share of the test rows that lie in their user's list.
template <class Recommend>
double hit_share(const Interactions& test, const Recommend& recommend) {
    const auto relevant = user_item_matrix(test);
    double hits = 0.0;
    for (std::size_t user = 0; user < test.users(); ++user) {
        const auto items = relevant.row(user).columns;
        for (const Scored<>& entry : recommend(user)) {
            hits += std::binary_search(items.begin(), items.end(), entry.id) ? 1.0 : 0.0;
        }
    }
    return hits / static_cast<double>(test.size());
}

}  // namespace

TEST_CASE("SyntheticOracle: scores are mean chances over the times of the test rows, from the definition") {
    const SyntheticWorld world({.users = 20, .items = 30, .rows = 200});
    const auto [train, test] = split_random(world.log(), {.test_fraction = 0.4, .seed = 2});
    const SyntheticOracle oracle(world, train, test);
    const auto history = user_item_matrix(train);
    for (std::size_t user = 0; user < world.users(); ++user) {
        std::vector<double> expected(world.items(), 0.0);
        double rows = 0.0;
        for (const Interaction& row : test) {
            if (row.user != user) {
                continue;
            }
            std::vector<double> weights(world.items());
            for (std::size_t item = 0; item < world.items(); ++item) {
                weights[item] = std::exp(world.affinity(user, item, row.time));
            }
            for (const std::uint32_t item : history.row(user).columns) {
                weights[item] = 0.0;
            }
            const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
            for (std::size_t item = 0; item < world.items(); ++item) {
                expected[item] += weights[item] / total;
            }
            rows += 1.0;
        }
        const auto list = oracle.recommend(user, {.k = 1000});
        CHECK(list.size() == world.items() - history.row(user).size());
        double sum = 0.0;
        for (const Scored<>& entry : list) {
            sum += entry.score;
            CHECK((rows == 0.0 || std::abs(entry.score - expected[entry.id] / rows) < 1e-6));
        }
        CHECK(sum == doctest::Approx(1.0).epsilon(1e-5));
        CHECK(std::is_sorted(list.begin(), list.end(), funnel::ranks_before));
    }
}

TEST_CASE("SyntheticOracle: does better than popularity, in both kinds of splits") {
    const SyntheticWorld world({.users = 300, .items = 300, .rows = 12'000});
    for (const auto& [train, test] : {split_random(world.log()), split_by_time(world.log())}) {
        const SyntheticOracle oracle(world, train, test);
        std::vector<float> counts(world.items(), 0.0F);
        for (const Interaction& row : train) {
            counts[row.item] += 1.0F;
        }
        const auto history = user_item_matrix(train);
        const double popular = hit_share(test, [&](std::size_t user) {
            auto scores = counts;
            for (const std::uint32_t item : history.row(user).columns) {
                scores[item] = -1.0F;
            }
            return top_k(scores, 10);
        });
        const double best = hit_share(test, [&](std::size_t user) { return oracle.recommend(user, {.k = 10}); });
        CHECK(best > 1.3 * popular);
    }
}

TEST_CASE("SyntheticOracle: edges") {
    const SyntheticWorld world({.users = 5, .items = 12, .rows = 30});
    const Interactions none = where(world.log(), [](std::size_t) { return false; });
    const SyntheticOracle oracle(world, world.log(), none);
    const auto history = user_item_matrix(world.log());

    CHECK(oracle.recommend(0, {.k = 0}).empty());
    CHECK(oracle.recommend(0).size() == std::min<std::size_t>(10, 12 - history.row(0).size()));
    CHECK(oracle.recommend(0, {.k = 99, .keep_seen = true}).size() == 12);
    // Without a test row, the last era counts.
    const auto affinities = world.affinities(0, 15);
    const auto best = std::max_element(affinities.begin(), affinities.end()) - affinities.begin();
    CHECK(oracle.recommend(0, {.keep_seen = true})[0].id == static_cast<std::uint32_t>(best));

    CHECK_THROWS_AS(static_cast<void>(oracle.recommend(5)), InvalidArgument);
    CHECK_THROWS_AS(SyntheticOracle(world, Interactions::from_ids({}, 4, 12), none), InvalidArgument);
    CHECK_THROWS_AS(SyntheticOracle(world, Interactions::from_ids({}, 5, 11), none), InvalidArgument);
    CHECK_THROWS_AS(SyntheticOracle(world, none, Interactions::from_ids({}, 4, 12)), InvalidArgument);
    CHECK_THROWS_AS(SyntheticOracle(world, none, Interactions::from_ids({}, 5, 11)), InvalidArgument);
}

TEST_CASE("SyntheticOracle: one that was moved from knows no user") {
    const SyntheticWorld world({.users = 3, .items = 6, .rows = 4});
    SyntheticOracle oracle(world, world.log(), world.log());
    const SyntheticOracle other = std::move(oracle);
    CHECK_THROWS_AS(static_cast<void>(oracle.recommend(0)), InvalidArgument);  // NOLINT(bugprone-use-after-move)
    CHECK(other.recommend(0, {.keep_seen = true}).size() == 6);
}
