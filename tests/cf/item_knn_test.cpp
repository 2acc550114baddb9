// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/cf/item_knn.hpp>

#include "cf/random_log.hpp"
#include "support/damage.hpp"
#include "support/model_contract.hpp"
#include "support/temp_dir.hpp"

#include <funnel/core/parallel.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/data/user_item_matrix.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>
#include <vector>

using funnel::InvalidArgument;
using funnel::Scored;
using funnel::Threads;
using namespace funnel::cf;
namespace testing = funnel::testing;

namespace {

using List = std::vector<Scored<>>;
using Ids = std::vector<std::uint32_t>;
using Table = std::vector<std::vector<double>>;

// O(n^3), from the definition: weight[j][i] = similarity of i and j if j is among the neighbours of i.
Table weights_by_definition(const funnel::data::Interactions& log, const KNNOptions& options) {
    const Table x = testing::dense_matrix(log);
    const std::size_t n = log.items();
    Table weights(n, std::vector<double>(n, 0.0));
    for (std::size_t i = 0; i < n; ++i) {
        std::vector<std::pair<double, std::size_t>> others;  // minus the similarity, id: in the order of the neighbours
        for (std::size_t j = 0; j < n; ++j) {
            double both = 0.0;
            double in_i = 0.0;
            double in_j = 0.0;
            for (const auto& row : x) {
                both += row[i] * row[j];
                in_i += row[i];
                in_j += row[j];
            }
            if (j != i && both > 0.0) {
                const double size =
                    options.similarity == Similarity::Cosine ? std::sqrt(in_i) * std::sqrt(in_j) : in_i + in_j - both;
                // In float, as neighbours are ranked, so that ties are ties here as well.
                others.emplace_back(-static_cast<float>(both / (size + static_cast<double>(options.shrinkage))), j);
            }
        }
        std::sort(others.begin(), others.end());
        for (std::size_t rank = 0; rank < std::min(options.neighbours, others.size()); ++rank) {
            weights[others[rank].second][i] = -others[rank].first;
        }
    }
    return weights;
}

}  // namespace

TEST_CASE("ItemKNN: keeps what every model promises") {
    testing::check_model<ItemKNN>({.neighbours = 5});
    testing::check_model<ItemKNN>({.neighbours = std::numeric_limits<std::size_t>::max()});
}

TEST_CASE("ItemKNN: worked by hand") {
    // Item 0: users 0 1 2;  item 1: users 0 1;  item 2: users 1 2 3 4;  item 3: user 4.
    const auto log = testing::log_of({{0, 1}, {0, 1, 2}, {0, 2}, {2}, {2, 3}}, 4);
    const auto model = ItemKNN::fit(log);
    CHECK(model.weights().weight(0, 1) == doctest::Approx(2 / std::sqrt(6.0)));
    CHECK(model.weights().weight(0, 2) == doctest::Approx(2 / std::sqrt(12.0)));
    CHECK(model.weights().weight(1, 2) == doctest::Approx(1 / std::sqrt(8.0)));
    CHECK(model.weights().weight(2, 3) == doctest::Approx(1 / 2.0));
    CHECK(model.weights().weight(3, 0) == 0.0F);
    CHECK(model.weights().weight(2, 2) == 0.0F);

    // User 0 has items 0 and 1: item 2 scores 2 / sqrt(12) + 1 / sqrt(8); item 3 shares no user with them.
    const List list = model.recommend(0);
    REQUIRE(list.size() == 1);
    CHECK(list[0].id == 2);
    CHECK(list[0].score == doctest::Approx(0.577350 + 0.353553));

    const auto jaccard = ItemKNN::fit(log, {.similarity = Similarity::Jaccard});
    CHECK(jaccard.weights().weight(1, 2) == doctest::Approx(1 / 5.0));
    const auto shrunk = ItemKNN::fit(log, {.shrinkage = 2.0F});
    CHECK(shrunk.weights().weight(2, 3) == doctest::Approx(1 / 4.0));
}

TEST_CASE("ItemKNN: the neighbourhood is that of the item to be scored") {
    // Item 3 is like item 2 alone, but item 2 is more like item 0: with one neighbour, 2 speaks for 3, not 3 for 2.
    const auto log = testing::log_of({{0, 1}, {0, 1, 2}, {0, 2}, {2}, {2, 3}}, 4);
    const auto model = ItemKNN::fit(log, {.neighbours = 1});
    CHECK(model.weights().weight(2, 3) == doctest::Approx(1 / 2.0));
    CHECK(model.weights().weight(3, 2) == 0.0F);
    CHECK(model.weights().weight(0, 2) > 0.0F);
    CHECK(model.weights().matrix().nonzeros() == 4);
}

TEST_CASE("ItemKNN: ties among neighbours go to the smaller id") {
    const auto model = ItemKNN::fit(testing::log_of({{0, 1, 2, 3}}, 4), {.neighbours = 2});
    CHECK(model.weights().weight(1, 0) == 1.0F);
    CHECK(model.weights().weight(2, 0) == 1.0F);
    CHECK(model.weights().weight(3, 0) == 0.0F);
    CHECK(model.weights().weight(0, 3) == 1.0F);
    CHECK(model.weights().weight(2, 3) == 0.0F);
}

TEST_CASE("ItemKNN: agrees with the definition on random input") {
    const auto log = testing::random_log(40, 30, 0.15, 3);
    for (const Similarity kind : {Similarity::Cosine, Similarity::Jaccard}) {
        for (const std::size_t neighbours : {1U, 4U, 100U}) {
            for (const float shrinkage : {0.0F, 2.5F}) {
                const KNNOptions options{.neighbours = neighbours, .similarity = kind, .shrinkage = shrinkage};
                const auto model = ItemKNN::fit(log, options);
                const Table expected = weights_by_definition(log, options);
                CAPTURE(neighbours);
                CAPTURE(shrinkage);
                for (std::uint32_t j = 0; j < 30; ++j) {
                    for (std::uint32_t i = 0; i < 30; ++i) {
                        CHECK(model.weights().weight(j, i) == doctest::Approx(expected[j][i]));
                    }
                }
            }
        }
    }
}

TEST_CASE("ItemKNN: values and repetitions in the log do not matter") {
    const auto once = testing::log_of({{0, 1}, {1, 2}, {0, 2}}, 3);
    const auto often = funnel::data::Interactions::from_ids(
        {{0, 0, 5.0F}, {0, 1, 0.5F}, {0, 0, 2.0F}, {1, 1}, {1, 2, 1e-30F}, {2, 0}, {2, 2}, {2, 2}}, 3, 3);
    CHECK(ItemKNN::fit(once).recommend(0) == ItemKNN::fit(often).recommend(0));
}

TEST_CASE("ItemKNN: folding in a training user's history gives the training user's list; shares add up") {
    const auto log = testing::random_log(25, 30, 0.2, 8);
    const auto model = ItemKNN::fit(log, {.neighbours = 7});
    const Histories histories(funnel::data::user_item_matrix(log));
    for (std::size_t user = 0; user < log.users(); ++user) {
        CHECK(model.fold_in(histories.of(user)).recommend({.k = 30}) == model.recommend(user, {.k = 30}));
        for (const Scored<>& item : model.recommend(user, {.k = 30})) {
            double sum = 0.0;
            for (const Scored<>& share : model.explain(user, item.id, 30)) {
                sum += static_cast<double>(share.score);
            }
            CHECK(item.score == doctest::Approx(sum));
            CHECK(model.score(user, Ids{item.id}).front() == item.score);
        }
    }
}

TEST_CASE("ItemKNN: any number of threads gives the same file, which comes back, if undamaged") {
    const testing::TempDir dir;
    const auto log = testing::random_log(60, 70, 0.1, 5);
    const auto model = ItemKNN::fit(log, {.neighbours = 9});
    model.save(dir / "a.fnl");
    const auto bytes = testing::bytes_of(dir / "a.fnl");
    for (const std::size_t count : {1U, 2U, 4U}) {
        Threads pool(count);
        ItemKNN::fit(log, {.neighbours = 9}, pool).save(dir / "b.fnl");
        CHECK(testing::bytes_of(dir / "b.fnl") == bytes);
    }
    const auto loaded = ItemKNN::load(dir / "a.fnl");
    for (std::size_t user = 0; user < log.users(); ++user) {
        CHECK(loaded.recommend(user) == model.recommend(user));
    }
    loaded.save(dir / "b.fnl");
    CHECK(testing::bytes_of(dir / "b.fnl") == bytes);
    testing::check_damage(bytes, [](const auto& path) { return ItemKNN::load(path).recommend(3); });
}

TEST_CASE("ItemKNN: edges of the log") {
    CHECK(ItemKNN::fit({}).items() == 0);
    const auto silent = ItemKNN::fit(funnel::data::Interactions::from_ids({}, 2, 3));
    CHECK(silent.users() == 2);
    CHECK(silent.recommend(1).empty());
    // One user with everything has nothing left.
    const auto model = ItemKNN::fit(testing::log_of({{0, 1}, {0, 1, 2}, {}}, 3), {.neighbours = 50});
    CHECK(model.recommend(0).size() == 1);
    CHECK(model.recommend(1).empty());
    CHECK(model.recommend(2).empty());
}

TEST_CASE("ItemKNN: rejects what cannot work") {
    const auto log = testing::log_of({{0}}, 1);
    CHECK_THROWS_AS((void)ItemKNN::fit(log, {.neighbours = 0}), InvalidArgument);
    for (const float bad : {-1.0F, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
        CHECK_THROWS_AS((void)ItemKNN::fit(log, {.shrinkage = bad}), InvalidArgument);
    }
    CHECK_THROWS_AS((void)ItemKNN::fit(log, {.similarity = static_cast<Similarity>(9)}), InvalidArgument);
}
