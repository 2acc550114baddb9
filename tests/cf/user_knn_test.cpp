// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/cf/user_knn.hpp>

#include "cf/random_log.hpp"
#include "support/model_contract.hpp"
#include "support/temp_dir.hpp"

#include <funnel/core/scored.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/io/container.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

using funnel::CorruptData;
using funnel::InvalidArgument;
using funnel::Scored;
using namespace funnel::cf;
namespace testing = funnel::testing;

namespace {

using List = std::vector<Scored<>>;
using Ids = std::vector<std::uint32_t>;
using Values = std::vector<float>;
using Table = std::vector<std::vector<double>>;

// Scores of a user by the definition with cosines of sets. `self` is left out of the neighbours.
std::vector<double> scores_by_definition(const Table& x, const std::vector<double>& own, std::size_t self,
                                         std::size_t neighbours) {
    std::vector<std::pair<double, std::size_t>> others;
    for (std::size_t user = 0; user < x.size(); ++user) {
        const double shared = std::inner_product(own.begin(), own.end(), x[user].begin(), 0.0);
        if (user != self && shared > 0.0) {
            const double sizes =
                std::accumulate(own.begin(), own.end(), 0.0) * std::accumulate(x[user].begin(), x[user].end(), 0.0);
            others.emplace_back(-static_cast<double>(static_cast<float>(shared / std::sqrt(sizes))), user);
        }
    }
    std::sort(others.begin(), others.end());
    others.resize(std::min(others.size(), neighbours));
    std::vector<double> scores(own.size(), 0.0);
    for (const auto& [similarity, user] : others) {
        for (std::size_t item = 0; item < own.size(); ++item) {
            scores[item] -= similarity * x[user][item];
        }
    }
    return scores;
}

Ids items_of(std::size_t count) {
    Ids items(count);
    std::iota(items.begin(), items.end(), 0U);
    return items;
}

void check_scores(const std::vector<float>& scores, const std::vector<double>& expected) {
    for (std::size_t item = 0; item < scores.size(); ++item) {
        CHECK(static_cast<double>(scores[item]) == doctest::Approx(expected[item]).epsilon(1e-5));
    }
}

}  // namespace

TEST_CASE("UserKNN: keeps what every model promises") {
    testing::check_model<UserKNN>({.neighbours = 5});
    testing::check_model<UserKNN>({.neighbours = std::numeric_limits<std::size_t>::max()});
    testing::check_model<UserKNN>({.neighbours = 7, .weighting = Weighting::TfIdf});
    testing::check_model<UserKNN>({.neighbours = 7, .similarity = Similarity::MSD});
}

TEST_CASE("UserKNN: worked by hand") {
    // User 0 shares item 0 with user 1 (1 / sqrt(2 * 2)), and both items with user 2 (2 / sqrt(2 * 4)).
    const auto log = testing::log_of({{0, 1}, {0, 2}, {0, 1, 2, 3}, {4}}, 5);
    const auto model = UserKNN::fit(log);
    CHECK(model.similar_users(0, 9) == List{{2, static_cast<float>(2 / std::sqrt(8.0))}, {1, 0.5F}});
    const List list = model.recommend(0);
    REQUIRE(list.size() == 2);
    CHECK(list[0].id == 2);  // both users took it
    CHECK(list[0].score == doctest::Approx(0.5 + 0.707107));
    CHECK(list[1].id == 3);
    CHECK(list[1].score == doctest::Approx(0.707107));
    CHECK(model.recommend(3).empty());  // nobody shares item 4

    const auto one = UserKNN::fit(log, {.neighbours = 1});
    CHECK(one.recommend(0).front().score == doctest::Approx(0.707107));
    CHECK(one.similar_users(0, 9).size() == 1);
}

TEST_CASE("UserKNN: agrees with the definition, for training users and for new ones") {
    const auto log = testing::random_log(40, 25, 0.2, 3);
    const Table x = testing::dense_matrix(log);
    for (const std::size_t neighbours : {1U, 5U, 100U}) {
        const auto model = UserKNN::fit(log, {.neighbours = neighbours});
        for (std::size_t user = 0; user < 40; ++user) {
            check_scores(model.score(user, items_of(25)), scores_by_definition(x, x[user], user, neighbours));
            // A new user with the history of a training user has that user as the nearest neighbour.
            Ids history;
            for (std::uint32_t item = 0; item < 25; ++item) {
                if (x[user][item] > 0.0) {
                    history.push_back(item);
                }
            }
            check_scores(model.fold_in(history).score(items_of(25)),
                         scores_by_definition(x, x[user], x.size(), neighbours));
        }
        std::vector<double> own(25, 0.0);
        own[3] = own[8] = own[20] = 1.0;
        check_scores(model.fold_in(Ids{20, 3, 8}).score(items_of(25)), scores_by_definition(x, own, 40, neighbours));
    }
}

TEST_CASE("UserKNN: values of a new user count as those of the log do") {
    // Ratings of users 0 and 1 rise together, those of user 2 fall: only user 0 correlates with the new user.
    const auto log = funnel::data::Interactions::from_ids(
        {{0, 0, 1}, {0, 1, 3}, {0, 2, 5}, {0, 3, 5}, {1, 0, 5}, {1, 1, 3}, {1, 2, 1}, {1, 4, 5}}, 2, 5);
    const auto model = UserKNN::fit(log, {.similarity = Similarity::Pearson});
    CHECK(model.fold_in(Ids{2, 0, 1}, Values{4.0F, 1.0F, 2.0F}).recommend().front().id == 3);
    CHECK(model.fold_in(Ids{2, 0, 1}, Values{1.0F, 4.0F, 2.0F}).recommend().front().id == 4);
    CHECK(model.fold_in(Ids{2, 0, 1}).recommend().empty());  // equal values have no correlation
    CHECK(model.fold_in(Ids{2, 0, 1, 3}, Values{4.0F, 1.0F, 2.0F, -1.0F}).recommend().empty());  // disliked
}

TEST_CASE("UserKNN: who is forgotten adds nothing to the scores of others") {
    const auto log = testing::random_log(30, 20, 0.25, 6);
    const Table x = testing::dense_matrix(log);
    auto model = UserKNN::fit(log);  // all users are neighbours, so that nobody moves up
    Ids history;
    for (const std::uint32_t item : items_of(20)) {
        if (x[7][item] > 0.0) {
            history.push_back(item);
        }
    }
    const auto before = model.fold_in(history).score(items_of(20));
    REQUIRE(!model.similar_users(7, 30).empty());
    model.forget_user(7);
    CHECK(model.similar_users(7, 30).empty());
    CHECK(model.neighbours().row(7).size() == 0);  // which a file would hold
    Table without = x;
    without[7].assign(20, 0.0);
    for (std::size_t user = 0; user < 30; ++user) {
        check_scores(model.score(user, items_of(20)), scores_by_definition(without, without[user], user, 200));
    }
    check_scores(model.fold_in(history).score(items_of(20)), scores_by_definition(without, x[7], 30, 200));
    CHECK(model.fold_in(history).score(items_of(20)) != before);
}

TEST_CASE("UserKNN: a loaded model folds users in as the saved one") {
    const testing::TempDir dir;
    const auto log = testing::random_log(30, 20, 0.25, 6);
    for (const KNNOptions& options :
         {KNNOptions{.neighbours = 4, .similarity = Similarity::Jaccard, .shrinkage = 2.0F},
          KNNOptions{.neighbours = 4, .significance = 3.0F, .weighting = Weighting::Values},
          KNNOptions{.neighbours = 4, .weighting = Weighting::BM25, .k1 = 1.2F, .b = 0.3F, .smooth_idf = false},
          KNNOptions{.similarity = Similarity::AdjustedCosine}}) {
        auto model = UserKNN::fit(log, options);
        model.forget_user(3);
        model.save(dir / "a.fnl");
        const auto loaded = UserKNN::load(dir / "a.fnl");
        for (const Ids& history : {Ids{1}, Ids{2, 5, 9}, Ids{0, 3, 4, 11, 19}}) {
            Values values(history.size(), 2.0F);
            values.back() = 5.0F;
            CHECK(loaded.fold_in(history, values).recommend({.k = 20}) ==
                  model.fold_in(history, values).recommend({.k = 20}));
        }
    }
}

TEST_CASE("UserKNN: files with options or neighbours that no model has are refused") {
    const testing::TempDir dir;
    struct Content {
        std::uint64_t neighbours = 1;
        std::uint32_t similarity = 0;
        std::uint32_t weighting = 1;
        float shrinkage = 0.0F;
        float b = 0.5F;
        std::vector<double> column_weights = {1.0, 1.0};
        double mean_length = 1.0;
        std::vector<float> history_weights = {1.0F, 2.0F};
        std::uint32_t neighbour = 1;
        float similarity_of_neighbour = 0.5F;
    };
    const auto save_with = [&](const Content& content) {
        funnel::io::ContainerWriter file("cf.UserKNN", 1);
        const std::vector<std::uint64_t> offsets{0, 1, 2};
        const Ids history{0, 0};
        const std::vector<std::uint64_t> neighbour_offsets{0, 1, 1};
        const Ids ids{content.neighbour};
        const Values similarities{content.similarity_of_neighbour};
        file.value("log_fingerprint", std::uint64_t{0});
        file.value("items", std::uint64_t{2});
        file.array("history_offsets", std::span(offsets));
        file.array("history_items", std::span(history));
        file.value("neighbours", content.neighbours);
        file.value("similarity", content.similarity);
        file.value("weighting", content.weighting);
        file.value("shrinkage", content.shrinkage);
        file.value("significance", 0.0F);
        file.value("k1", 1.0F);
        file.value("b", content.b);
        file.array("column_weights", std::span(content.column_weights));
        file.value("mean_length", content.mean_length);
        file.array("history_weights", std::span(content.history_weights));
        file.array("neighbour_offsets", std::span(neighbour_offsets));
        file.array("neighbour_ids", std::span(ids));
        file.array("neighbour_similarities", std::span(similarities));
        file.save(dir / "a.fnl");
    };
    save_with({});
    CHECK(UserKNN::load(dir / "a.fnl").items() == 2);
    const float infinity = std::numeric_limits<float>::infinity();
    for (const Content& bad :
         {Content{.neighbours = 0}, Content{.similarity = 5}, Content{.weighting = 4},
          Content{.similarity = 2, .weighting = 1}, Content{.shrinkage = -1.0F}, Content{.b = 1.5F},
          Content{.column_weights = {1.0, static_cast<double>(infinity)}}, Content{.column_weights = {1.0}},
          Content{.mean_length = 0.0}, Content{.history_weights = {1.0F}}, Content{.history_weights = {1.0F, infinity}},
          Content{.neighbour = 2}, Content{.similarity_of_neighbour = 0.0F},
          Content{.similarity_of_neighbour = 2.0F}}) {
        save_with(bad);
        CHECK_THROWS_AS((void)UserKNN::load(dir / "a.fnl"), CorruptData);
    }
}

// Such similarities were NaN, so the user had no neighbours and an empty list, without a word.
TEST_CASE("UserKNN: rejects a new user whose weights are not finite") {
    std::vector<funnel::data::Interaction> rows;
    for (std::uint32_t user = 0; user < 40; ++user) {
        for (std::uint32_t item = 0; item < 10; ++item) {
            rows.push_back({user, (item + user) % 40, 3e37F});
        }
    }
    const auto log = funnel::data::Interactions::from_ids(rows, 40, 40);
    const auto model = UserKNN::fit(log, {.weighting = Weighting::BM25, .k1 = 3e38F, .b = 1.0F});
    CHECK_THROWS_WITH_AS((void)model.fold_in(Ids{0}, Values{3e37F}),
                         "fold_in: values are too large: weights must be finite", InvalidArgument);
    CHECK_FALSE(model.recommend(0).empty());
}

TEST_CASE("UserKNN: rejects what cannot work, under its own name") {
    const auto log = testing::log_of({{0}}, 1);
    CHECK_THROWS_WITH((void)UserKNN::fit(log, {.neighbours = 0}), "UserKNN: neighbours must be at least 1, got 0");
    CHECK_THROWS_AS((void)UserKNN::fit(log).fold_in_neighbours({Ids{1}, Values{1.0F}}), InvalidArgument);
    CHECK_THROWS_AS(FoldedUser<UserKNNScorer>(UserKNN::fit(log),
                                              FoldedHistory{.items = {0}, .neighbours = {1}, .similarities = {1.0F}}),
                    InvalidArgument);
}
