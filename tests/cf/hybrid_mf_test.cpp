// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/cf/hybrid_mf.hpp>

#include "cf/random_log.hpp"
#include "support/forgery.hpp"
#include "support/model_contract.hpp"
#include "support/temp_dir.hpp"

#include <funnel/core/parallel.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/sparse.hpp>
#include <funnel/data/user_item_matrix.hpp>

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
using funnel::CSRMatrix;
using funnel::InvalidArgument;
using funnel::Random;
using funnel::SparseRow;
using funnel::Threads;
using funnel::Triplet;
using namespace funnel::cf;
namespace testing = funnel::testing;

namespace {

using Ids = std::vector<std::uint32_t>;
using Numbers = std::vector<double>;

Ids all_of(std::size_t n) {
    Ids ids(n);
    std::iota(ids.begin(), ids.end(), 0U);
    return ids;
}

// rows x columns, `each` features per row at random, of the same length; the last `without` rows have none.
CSRMatrix<float> random_features(std::size_t rows, std::size_t columns, std::size_t each, std::size_t without = 0) {
    Random random(rows + columns);
    std::vector<Triplet<float>> entries;
    for (std::uint32_t i = 0; i + without < rows; ++i) {
        for (std::size_t at = 0; at < each; ++at) {
            entries.push_back(
                {i, static_cast<std::uint32_t>(random.below(columns)), static_cast<float>(1.0 / std::sqrt(each))});
        }
    }
    return {entries, rows, columns};
}

// A world whose tastes come from features: each item has 3 of 12, each user belongs to one of 4 segments. Every fifth
// item, and every fifth user, is cold: the log has none of their rows.
struct PlantedWorld {
    static constexpr std::size_t users = 300;
    static constexpr std::size_t items = 200;

    CSRMatrix<float> item_features = random_features(items, 12, 3);
    CSRMatrix<float> user_features;
    std::vector<Ids> likes = std::vector<Ids>(users);  // all of them
    funnel::data::Interactions log;                    // those of warm users and warm items

    PlantedWorld() {
        Random random(3);
        std::vector<Triplet<float>> segments;
        std::vector<std::vector<double>> taste(4, std::vector<double>(12));
        for (auto& row : taste) {
            for (double& x : row) {
                x = 2.0 * random.normal();
            }
        }
        std::vector<Ids> train(users);
        for (std::uint32_t user = 0; user < users; ++user) {
            const auto segment = static_cast<std::uint32_t>(random.below(4));
            segments.push_back({user, segment, 1.0F});
            for (std::uint32_t item = 0; item < items; ++item) {
                const auto features = item_features.row(item);
                double score = -3.5;
                for (std::size_t at = 0; at < features.size(); ++at) {
                    score += taste[segment][features.columns[at]] * double{features.values[at]};
                }
                if (random.uniform() < 1.0 / (1.0 + std::exp(-score))) {
                    likes[user].push_back(item);
                    if (!is_cold(user) && !is_cold(item)) {
                        train[user].push_back(item);
                    }
                }
            }
        }
        user_features = CSRMatrix<float>(segments, users, 4);
        log = testing::log_of(train, items);
    }

    static bool is_cold(std::size_t id) { return id % 5 == 4; }

    // The mean over users of the share of pairs of a like and another item in the right order, among the items of a kind.
    template <class Score>
    [[nodiscard]] double auc(bool cold_users, bool cold_items, const Score& score) const {
        double sum = 0.0;
        double count = 0.0;
        for (std::size_t user = 0; user < users; ++user) {
            if (is_cold(user) != cold_users) {
                continue;
            }
            const auto scores = score(user);
            double right = 0.0;
            double pairs = 0.0;
            for (const std::uint32_t i : likes[user]) {
                for (std::uint32_t j = 0; j < items; ++j) {
                    if (is_cold(i) == cold_items && is_cold(j) == cold_items &&
                        !std::ranges::binary_search(likes[user], j)) {
                        right += scores[i] > scores[j] ? 1.0 : scores[i] == scores[j] ? 0.5 : 0.0;
                        pairs += 1.0;
                    }
                }
            }
            if (pairs > 0.0) {
                sum += right / pairs;
                count += 1.0;
            }
        }
        return sum / count;
    }
};

// BPR on sums of embeddings, one like after the other, in double: each step changes all features of its three rows.
class SequentialHybrid {
public:
    SequentialHybrid(const PlantedWorld& world, std::size_t factors, std::size_t epochs, double rate,
                     double regularisation)
        : world_(&world), n_(factors) {
        Random random(9);
        for (auto* table : {&users_, &items_, &of_users_, &of_items_}) {
            const std::size_t rows = table == &users_      ? PlantedWorld::users
                                     : table == &items_    ? PlantedWorld::items
                                     : table == &of_users_ ? world.user_features.cols()
                                                           : world.item_features.cols();
            table->assign(rows, Numbers(n_ + 1));
            for (std::size_t i = 0; i < rows; ++i) {
                const bool is_cold = (table == &users_ || table == &items_) && PlantedWorld::is_cold(i);
                for (std::size_t f = 0; f < n_; ++f) {
                    (*table)[i][f] = is_cold ? 0.0 : 0.1 / std::sqrt(static_cast<double>(n_)) * random.normal();
                }
            }
        }
        const auto user_item = funnel::data::user_item_matrix(world.log);
        std::vector<std::pair<std::uint32_t, std::uint32_t>> likes;
        for (const auto& row : world.log) {
            likes.emplace_back(row.user, row.item);
        }
        for (std::size_t epoch = 0; epoch < epochs; ++epoch) {
            random.shuffle(std::span(likes));
            for (const auto& [user, i] : likes) {
                std::uint32_t j = 0;
                do {
                    j = static_cast<std::uint32_t>(random.below(PlantedWorld::items));
                } while (PlantedWorld::is_cold(j) || std::ranges::binary_search(user_item.row(user).columns, j));
                const Numbers u = user_row(user);
                const Numbers a = item_row(i);
                const Numbers b = item_row(j);
                const double g = 1.0 / (1.0 + std::exp(product(u, a) - product(u, b)));
                Numbers du(n_ + 1);
                Numbers da(n_ + 1);
                Numbers db(n_ + 1);
                for (std::size_t f = 0; f < n_; ++f) {
                    du[f] = rate * (g * (a[f] - b[f]) - regularisation * u[f]);
                    da[f] = rate * (g * u[f] - regularisation * a[f]);
                    db[f] = rate * (-g * u[f] - regularisation * b[f]);
                }
                da[n_] = rate * (g - regularisation * a[n_]);
                db[n_] = rate * (-g - regularisation * b[n_]);
                add(users_[user], of_users_, world.user_features.row(user), du);
                add(items_[i], of_items_, world.item_features.row(i), da);
                add(items_[j], of_items_, world.item_features.row(j), db);
            }
        }
    }

    [[nodiscard]] Numbers scores(std::size_t user) const {
        Numbers scores;
        for (std::size_t item = 0; item < PlantedWorld::items; ++item) {
            scores.push_back(product(user_row(user), item_row(item)));
        }
        return scores;
    }

private:
    using Table = std::vector<Numbers>;

    static void add(Numbers& own, Table& features, const SparseRow<float>& weights, const Numbers& step) {
        for (std::size_t f = 0; f < step.size(); ++f) {
            own[f] += step[f];
            for (std::size_t at = 0; at < weights.size(); ++at) {
                features[weights.columns[at]][f] += double{weights.values[at]} * step[f];
            }
        }
    }
    [[nodiscard]] static Numbers sum(Numbers row, const Table& features, const SparseRow<float>& weights) {
        for (std::size_t at = 0; at < weights.size(); ++at) {
            for (std::size_t f = 0; f < row.size(); ++f) {
                row[f] += double{weights.values[at]} * features[weights.columns[at]][f];
            }
        }
        return row;
    }
    [[nodiscard]] Numbers user_row(std::size_t user) const {
        return sum(users_[user], of_users_, world_->user_features.row(user));
    }
    [[nodiscard]] Numbers item_row(std::size_t item) const {
        return sum(items_[item], of_items_, world_->item_features.row(item));
    }
    [[nodiscard]] double product(const Numbers& u, const Numbers& item) const {
        double score = item[n_];
        for (std::size_t f = 0; f < n_; ++f) {
            score += u[f] * item[f];
        }
        return score;
    }

    const PlantedWorld* world_;
    std::size_t n_;
    Table users_;
    Table items_;
    Table of_users_;
    Table of_items_;
};

template <class M>
bool have_the_same_rows(const M& a, const auto& b) {
    bool same = true;
    for (std::size_t user = 0; user < a.users(); ++user) {
        same = same && std::ranges::equal(a.user_factors().row(user), b.user_factors().row(user));
    }
    for (std::size_t item = 0; item < a.items(); ++item) {
        same = same && std::ranges::equal(a.item_factors().row(item), b.item_factors().row(item));
    }
    return same;
}

}  // namespace

TEST_CASE("HybridMF: keeps what every model promises") {
    testing::check_model<HybridBPR>({.descent = {.factors = 5, .epochs = 3}});
    testing::check_model<HybridWARP>([](std::size_t items) {
        HybridWARP::Options options{.item_features = random_features(items, 7, 2, std::min<std::size_t>(items, 4))};
        options.descent = {.factors = 4, .epochs = 2};
        return options;
    });
}

TEST_CASE("HybridMF: without features, it is BPR and WARP, to the bit") {
    const auto log = testing::random_log(90, 150, 0.1, 5);
    CHECK(have_the_same_rows(HybridBPR::fit(log, {.descent = {.factors = 7, .epochs = 3}}),
                             BPR::fit(log, {.factors = 7, .epochs = 3})));
    CHECK(have_the_same_rows(HybridWARP::fit(log, {.descent = {.factors = 7, .epochs = 3}}),
                             WARP::fit(log, {.factors = 7, .epochs = 3})));
}

TEST_CASE("HybridMF: without features, update is that of BPR, to the bit, also for forgotten and silent users") {
    const auto log = testing::random_log(90, 150, 0.1, 5);
    const auto without = funnel::data::where(log, [&](std::size_t row) { return log[row].user != 7; });
    const BPROptions descent{.factors = 7, .epochs = 3};
    auto bpr = BPR::fit(without, descent);
    auto hybrid = HybridBPR::fit(without, {.descent = descent});
    bpr.forget_user(3);
    hybrid.forget_user(3);
    bpr.update(log, descent);
    hybrid.update(log, {.descent = descent});
    CHECK(have_the_same_rows(hybrid, bpr));
}

TEST_CASE("HybridMF: an update starts a forgotten user as one who is new, with features") {
    const auto log = testing::random_log(61, 50, 0.2, 5);
    const auto without = funnel::data::where(log, [&](std::size_t row) { return log[row].user != 60; });
    const auto with_users = [&](std::size_t users) {
        std::vector<Triplet<float>> segments;
        for (std::uint32_t user = 0; user < users; ++user) {
            segments.push_back({user, user % 4, 1.0F});
        }
        return HybridBPR::Options{.user_features = CSRMatrix<float>(segments, users, 4), .descent = {.factors = 5}};
    };
    auto forgetful = HybridBPR::fit(without, with_users(61));
    forgetful.forget_user(60);
    const std::vector<funnel::data::Interaction> rows(without.begin(), without.end());
    auto unaware = HybridBPR::fit(funnel::data::Interactions::from_ids(rows, 60, 50), with_users(60));
    forgetful.update(log, with_users(61));
    unaware.update(log, with_users(61));
    CHECK(have_the_same_rows(forgetful, unaware));
}

TEST_CASE("HybridMF: ids as the only features learn as well as the rows of BPR") {
    const PlantedWorld world;
    std::vector<Triplet<float>> ids;
    for (std::uint32_t item = 0; item < PlantedWorld::items; ++item) {
        ids.push_back({item, item, 1.0F});
    }
    const BPROptions descent{.factors = 8, .epochs = 20};
    const auto bpr = BPR::fit(world.log, descent);
    const auto hybrid =
        HybridBPR::fit(world.log, {.item_features = CSRMatrix<float>(ids, PlantedWorld::items, PlantedWorld::items),
                                   .descent = descent,
                                   .item_ids = false});
    const Ids all = all_of(PlantedWorld::items);
    const double expected = world.auc(false, false, [&](std::size_t user) { return bpr.score(user, all); });
    const double got = world.auc(false, false, [&](std::size_t user) { return hybrid.score(user, all); });
    CHECK(expected > 0.85);
    CHECK(got == doctest::Approx(expected).epsilon(0.01));
}

TEST_CASE("HybridMF: finds cold items and cold users by their features, as well as sequential descent does") {
    const PlantedWorld world;
    const BPROptions descent{.factors = 8, .epochs = 20};
    const auto model = HybridBPR::fit(
        world.log, {.item_features = world.item_features, .user_features = world.user_features, .descent = descent});
    const SequentialHybrid sequential(world, 8, 20, double{descent.learning_rate}, double{descent.regularisation});
    const Ids all = all_of(PlantedWorld::items);
    for (const bool cold_users : {false, true}) {
        for (const bool cold_items : {false, true}) {
            CAPTURE(cold_users);
            CAPTURE(cold_items);
            const double ours =
                world.auc(cold_users, cold_items, [&](std::size_t user) { return model.score(user, all); });
            const double theirs =
                world.auc(cold_users, cold_items, [&](std::size_t user) { return sequential.scores(user); });
            CHECK(ours > 0.8);
            CHECK(ours > theirs - 0.02);
        }
    }
    // BPR knows nothing of either, and items that nobody took are in its lists as well.
    const auto bpr = BPR::fit(world.log, descent);
    CHECK(world.auc(false, true, [&](std::size_t user) { return bpr.score(user, all); }) == 0.5);
    CHECK(bpr.recommend(4).empty());
    CHECK(std::ranges::any_of(model.recommend(4, {.k = 50}), [](const auto& item) { return item.id % 5 == 4; }));
    const auto warp = HybridWARP::fit(world.log, {.item_features = world.item_features,
                                                  .user_features = world.user_features,
                                                  .descent = {.factors = 8, .learning_rate = 0.01F}});
    CHECK(world.auc(true, true, [&](std::size_t user) { return warp.score(user, all); }) > 0.8);
}

TEST_CASE("HybridMF: update keeps what users, items and features have learned") {
    const PlantedWorld world;
    HybridBPR::Options options{.item_features = world.item_features,
                               .user_features = world.user_features,
                               .descent = {.factors = 8, .epochs = 20}};
    const auto model = HybridBPR::fit(world.log, options);
    const Ids all = all_of(PlantedWorld::items);
    const auto auc = [&](const HybridBPR& of) {
        return world.auc(false, true, [&](std::size_t user) { return of.score(user, all); });
    };
    // One epoch with hardly any steps: from drawn rows it finds nothing, from known ones it keeps what they say.
    options.descent.epochs = 1;
    options.descent.learning_rate = 1e-4F;
    auto updated = model;
    updated.update(world.log, options);
    CHECK(auc(model) > 0.8);
    CHECK(auc(HybridBPR::fit(world.log, options)) < 0.65);
    CHECK(auc(updated) == doctest::Approx(auc(model)).epsilon(0.02));
    for (const std::uint32_t item : {0U, 1U, 7U}) {
        for (std::size_t f = 0; f < 9; ++f) {
            CHECK(updated.item_factors().row(item)[f] ==
                  doctest::Approx(model.item_factors().row(item)[f]).epsilon(0.01).scale(1.0));
        }
    }
    // Features may be added, but known ones must not be lost, and the number of factors stays.
    HybridBPR::Options fewer = options;
    fewer.item_features = {};
    CHECK_THROWS_WITH_AS(updated.update(world.log, fewer),
                         doctest::Contains("HybridMF: number of item features of an update must be at least"),
                         InvalidArgument);
    fewer = options;
    fewer.user_features = {};
    CHECK_THROWS_AS(updated.update(world.log, fewer), InvalidArgument);
    HybridBPR::Options other = options;
    other.descent.factors = 7;
    CHECK_THROWS_WITH_AS(updated.update(world.log, other), "HybridMF: factors of an update must be 8, got 7",
                         InvalidArgument);
}

TEST_CASE("HybridMF: an update with other features starts from the rows of before, or without ids from features") {
    const PlantedWorld world;
    HybridBPR::Options options{.item_features = world.item_features, .descent = {.factors = 6, .epochs = 5}};
    const auto model = HybridBPR::fit(world.log, options);
    const auto users_of = funnel::data::user_item_matrix(world.log).transposed();
    options.descent.epochs = 0;  // the items stay as they begin
    for (const auto& other : {random_features(PlantedWorld::items, 12, 2),
                              CSRMatrix<float>(std::vector<Triplet<float>>{}, PlantedWorld::items, 12)}) {
        options.item_features = other;
        options.item_ids = true;
        auto with_ids = model;
        with_ids.update(world.log, options);
        options.item_ids = false;
        auto without_ids = model;
        if (other.nonzeros() > 0) {
            without_ids.update(world.log, options);
            CHECK(std::ranges::equal(without_ids.item_feature_factors().row(3), model.item_feature_factors().row(3)));
        }
        for (std::uint32_t item = 0; item < PlantedWorld::items; ++item) {
            if (users_of.row(item).size() > 0) {
                for (std::size_t f = 0; f < 7; ++f) {
                    CHECK(with_ids.item_factors().row(item)[f] ==
                          doctest::Approx(model.item_factors().row(item)[f]).epsilon(1e-5).scale(1.0));
                }
            }
            if (other.nonzeros() > 0) {
                CHECK(
                    std::ranges::equal(without_ids.item_factors().row(item), without_ids.item_vector(other.row(item))));
            }
        }
    }
}

TEST_CASE("HybridMF: the same bits for 1, 2, 3 and 4 threads, with several groups") {
    const auto log = testing::random_log(150, 300, 0.1, 5);
    const HybridBPR::Options options{.item_features = random_features(300, 40, 3),
                                     .user_features = random_features(150, 9, 2),
                                     .descent = {.factors = 7, .epochs = 3}};
    const auto expected = HybridBPR::fit(log, options);
    for (const std::size_t count : {1U, 2U, 3U, 4U}) {
        Threads pool(count);
        const auto model = HybridBPR::fit(log, options, pool);
        CHECK(have_the_same_rows(model, expected));
        for (std::size_t feature = 0; feature < 40; ++feature) {
            CHECK(std::ranges::equal(model.item_feature_factors().row(feature),
                                     expected.item_feature_factors().row(feature)));
        }
        auto updated = model;
        updated.update(log, options, pool);
        auto expected_update = expected;
        expected_update.update(log, options);
        CHECK(have_the_same_rows(updated, expected_update));
    }
}

TEST_CASE("HybridMF: a user of the log folded in by history and features has the same row, to the bit") {
    const PlantedWorld world;
    const auto model = HybridBPR::fit(world.log, {.item_features = world.item_features,
                                                  .user_features = world.user_features,
                                                  .descent = {.factors = 6, .epochs = 4}});
    const auto user_item = funnel::data::user_item_matrix(world.log);
    for (std::size_t user = 0; user < 40; ++user) {
        const auto features = world.user_features.row(user);
        Ids history(user_item.row(user).columns.begin(), user_item.row(user).columns.end());
        CHECK(std::ranges::equal(model.fold_in_factors(history, features), model.user_factors().row(user)));
        std::ranges::reverse(history);
        CHECK(model.fold_in_features(features, history).recommend() == model.recommend(user));
    }
    // Without a history: the sum of the features, and nothing else.
    const auto segment = model.fold_in_factors({}, world.user_features.row(4));
    CHECK(segment.back() == 1.0F);
    CHECK(std::equal(segment.begin(), segment.end() - 1,
                     model.user_feature_factors().row(world.user_features.row(4).columns[0]).begin()));
    // Without anything: the biases of items.
    CHECK(model.fold_in({}).score(Ids{3})[0] == model.item_factors().row(3).back());
    CHECK(model.score(PlantedWorld::users, Ids{3})[0] == model.item_factors().row(3).back());
}

TEST_CASE("HybridMF: item_vector is the row of an item that nobody took") {
    const PlantedWorld world;
    const auto users_of = funnel::data::user_item_matrix(world.log).transposed();
    for (const bool item_ids : {true, false}) {
        const auto model = HybridBPR::fit(
            world.log,
            {.item_features = world.item_features, .descent = {.factors = 6, .epochs = 4}, .item_ids = item_ids});
        for (std::uint32_t item = 0; item < PlantedWorld::items; ++item) {
            const std::vector<float> row = model.item_vector(world.item_features.row(item));
            double difference = 0.0;
            for (std::size_t f = 0; f < row.size(); ++f) {
                difference = std::max(difference, std::abs(double{row[f]} - double{model.item_factors()(item, f)}));
            }
            CHECK((difference < 1e-5) == (!item_ids || users_of.row(item).size() == 0));
        }
    }
}

TEST_CASE("HybridMF: a click on an item that nobody took yet counts by its features") {
    const PlantedWorld world;
    const auto model = HybridBPR::fit(world.log, {.item_features = world.item_features, .descent = {.epochs = 20}});
    const Ids cold{4, 9, 14, 19, 24};
    for (const std::uint32_t item : cold) {
        const auto before = model.fold_in({}).score(Ids{item})[0];
        CHECK(model.fold_in(Ids{item}).score(Ids{item})[0] > before);
    }
    CHECK(model.fold_in(cold).recommend({.k = 10}) != model.fold_in({}).recommend({.k = 10}));
}

TEST_CASE("HybridMF: features that no trained item has are no evidence") {
    // Item 3 and feature 1 occur together only; item 4 has no features.
    const CSRMatrix<float> features(std::vector<Triplet<float>>{{0, 0, 1.0F}, {1, 0, 1.0F}, {2, 0, 1.0F}, {3, 1, 1.0F}},
                                    5, 2);
    const auto model = HybridBPR::fit(testing::log_of({{0}, {1}}, 5), {.item_features = features});
    CHECK(std::ranges::count(model.item_feature_factors().row(1), 0.0F) == 65);
    for (const auto& item : model.recommend(0, {.keep_seen = true})) {
        CHECK(item.id < 3);
    }
    CHECK(model.recommend(0, {.keep_seen = true}).size() == 3);
}

TEST_CASE("HybridMF: a feature of all items and all users does not make it diverge") {
    const auto log = testing::random_log(200, 150, 0.2, 7);
    std::vector<Triplet<float>> entries;
    for (std::uint32_t i = 0; i < 200; ++i) {
        entries.push_back({i, 0, 1.0F});
        entries.push_back({i, 1, 5.0F});  // and one on another scale
    }
    const CSRMatrix<float> of_users(entries, 200, 2);
    std::erase_if(entries, [](const auto& entry) { return entry.row >= 150; });
    const CSRMatrix<float> of_items(entries, 150, 2);
    const auto model =
        HybridBPR::fit(log, {.item_features = of_items, .user_features = of_users, .descent = {.factors = 4}});
    for (const auto& item : model.recommend(0)) {
        CHECK(std::abs(item.score) < 20.0F);
    }
}

TEST_CASE("HybridMF: a forgotten user has lost the features, too") {
    const PlantedWorld world;
    auto model =
        HybridBPR::fit(world.log, {.user_features = world.user_features, .descent = {.factors = 3, .epochs = 2}});
    CHECK_FALSE(model.recommend(4) == model.fold_in({}).recommend());
    model.forget_user(4);
    CHECK(model.recommend(4) == model.fold_in({}).recommend());
    const testing::TempDir dir;
    model.save(dir / "a.fnl");
    CHECK(HybridBPR::load(dir / "a.fnl").recommend(4) == model.recommend(4));
}

TEST_CASE("HybridMF: a file keeps the features, and damaged ones are rejected") {
    const PlantedWorld world;
    const auto model = HybridBPR::fit(world.log, {.item_features = world.item_features,
                                                  .user_features = world.user_features,
                                                  .descent = {.factors = 3, .epochs = 2}});
    const testing::TempDir dir;
    model.save(dir / "a.fnl");
    const auto loaded = HybridBPR::load(dir / "a.fnl", world.log);
    CHECK(loaded.item_vector(world.item_features.row(1)) == model.item_vector(world.item_features.row(1)));
    const Ids history{1, 4, 7};
    CHECK(loaded.fold_in_factors(history, world.user_features.row(1)) ==
          model.fold_in_factors(history, world.user_features.row(1)));

    const auto bytes = testing::bytes_of(dir / "a.fnl");
    const auto is_rejected = [&](const std::string& section, std::size_t at, auto number) {
        testing::put_bytes(dir / "b.fnl", testing::with_section_number(bytes, section, at, number));
        CHECK_THROWS_AS(static_cast<void>(HybridBPR::load(dir / "b.fnl")), CorruptData);
    };
    constexpr float infinity = std::numeric_limits<float>::infinity();
    is_rejected("trained_items", 4, 0U);     // 0 twice
    is_rejected("trained_items", 0, 1000U);  // does not ascend
    is_rejected("trained_items", testing::section_of(bytes, "trained_items").size() - 4, 200U);
    is_rejected("item_feature_factors", 8, infinity);
    is_rejected("user_feature_factors", 8, infinity);
    is_rejected("user_feature_factors", 12, 1.0F);  // the last column
    is_rejected("loss", 24, std::uint8_t{'X'});     // the first letter
}

TEST_CASE("HybridMF: rejects a file of another loss") {
    const auto log = testing::random_log(20, 12, 0.3, 1);
    const testing::TempDir dir;
    HybridWARP::fit(log, {.descent = {.factors = 2, .epochs = 1}}).save(dir / "warp.fnl");
    CHECK_THROWS_WITH_AS(static_cast<void>(HybridBPR::load(dir / "warp.fnl")), doctest::Contains("loss"), CorruptData);
}

TEST_CASE("HybridMF: rejects features and options that cannot work") {
    const auto log = testing::random_log(10, 12, 0.3, 1);
    const auto of_items = random_features(12, 4, 2);
    const auto of_users = random_features(10, 3, 2);
    const auto rejects = [&](const HybridBPR::Options& options, const char* message) {
        CHECK_THROWS_WITH_AS(static_cast<void>(HybridBPR::fit(log, options)), message, InvalidArgument);
    };
    const char* diverged =
        "HybridMF: factors must be finite: learning_rate, stddev, feature_steps or a feature is too large";
    rejects({.item_features = of_users}, "HybridMF: number of rows of item_features must be 12, got 10");
    rejects({.user_features = of_items}, "HybridMF: number of rows of user_features must be 10, got 12");
    rejects({.item_ids = false}, "HybridMF: item_ids must be true without item_features");
    rejects({.item_features = CSRMatrix<float>({}, 12, 0), .item_ids = false},  // items kept rows of their own
            "HybridMF: item_ids must be true without item_features");
    rejects({.feature_steps = 0.0F}, "HybridMF: feature_steps must be finite and > 0, got 0");
    rejects({.descent = {.learning_rate = 0.0F}}, "HybridMF: learning_rate must be finite and > 0, got 0");
    rejects({.descent = {.learning_rate = 0.5F, .regularisation = 2.0F}},
            "HybridMF: learning_rate * regularisation must be below 1, got 1");
    rejects({.descent = {.stddev = 3e38F}}, diverged);
    rejects({.item_features = of_items.with_values(std::vector<float>(of_items.nonzeros(), 1e30F))}, diverged);
    constexpr float infinity = std::numeric_limits<float>::infinity();
    auto values = std::vector<float>(of_items.nonzeros(), 1.0F);
    values[3] = infinity;
    rejects({.item_features = of_items.with_values(values)}, "HybridMF: item_features must be finite");
    values.assign(of_users.nonzeros(), -infinity);
    rejects({.user_features = of_users.with_values(values)}, "HybridMF: user_features must be finite");

    const auto model = HybridBPR::fit(log, {.item_features = of_items, .user_features = of_users});
    const auto unknown = random_features(20, 40, 4);
    CHECK_THROWS_AS(static_cast<void>(model.item_vector(unknown.row(0))), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(model.fold_in_features(unknown.row(0))), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(model.fold_in_features(of_users.row(0), Ids{12})), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(model.fold_in_features(of_users.row(0), Ids{1, 1})), InvalidArgument);
    const Ids one{0};
    for (const float bad : {infinity, -infinity}) {
        const std::vector<float> value{bad};
        CHECK_THROWS_AS(static_cast<void>(model.item_vector({one, value})), InvalidArgument);
        CHECK_THROWS_AS(static_cast<void>(model.fold_in_factors({}, {one, value})), InvalidArgument);
    }
    const auto wild = HybridBPR::fit(log, {.user_features = of_users, .descent = {.epochs = 0, .stddev = 100.0F}});
    for (const float large : {std::numeric_limits<float>::max(), 1e36F}) {  // no row, or no scores
        const std::vector<float> value{large};
        CHECK_THROWS_WITH_AS(static_cast<void>(wild.fold_in_factors({}, {one, value})),
                             "HybridMF::fold_in_factors: values of features are too large", InvalidArgument);
    }
    CHECK_THROWS_AS(static_cast<void>(model.item_vector({one, {}})), InvalidArgument);  // no value
}
