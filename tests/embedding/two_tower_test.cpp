// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/embedding/two_tower.hpp>

#include "support/damage.hpp"
#include "support/forgery.hpp"
#include "support/model_contract.hpp"
#include "support/temp_dir.hpp"

#include <funnel/core/error.hpp>
#include <funnel/core/hash.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/threads.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/io/little_endian.hpp>
#include <funnel/nn/activations.hpp>
#include <funnel/nn/batch_norm.hpp>
#include <funnel/nn/dense.hpp>
#include <funnel/nn/l2_normalize.hpp>
#include <funnel/nn/parallel_layers.hpp>
#include <funnel/nn/sequential.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

using funnel::InvalidArgument;
using funnel::Matrix;
using funnel::Random;
using funnel::Threads;
using funnel::data::Interaction;
using funnel::data::Interactions;
using funnel::embedding::BasicTwoTower;
using funnel::embedding::TwoTowerOptions;
using funnel::embedding::TwoTowerTrainer;
using namespace funnel::nn;

namespace {

template <std::size_t Features = 0, std::size_t UserFeatures = 0>
using UserNet = Sequential<Dense<8 + UserFeatures, 16>, ReLU, Dense<16, 8>, L2Normalize<8>>;
template <std::size_t Features = 0>
using ItemNet = Sequential<Dense<8 + Features, 16>, ReLU, Dense<16, 8>, L2Normalize<8>>;
using Small = BasicTwoTower<UserNet<>, ItemNet<>, 8>;
using WithFeatures = BasicTwoTower<UserNet<>, ItemNet<2>, 8>;
using WithUsers = BasicTwoTower<UserNet<0, 2>, ItemNet<>, 8>;

// Users of two tastes: even users take the items 0 - 9, odd users the items 10 - 19, in a random order.
Interactions two_tastes() {
    std::vector<Interaction> rows;
    for (std::uint32_t user = 0; user < 60; ++user) {
        Random random(3, user);
        auto items = random.permutation<std::uint32_t>(10);
        for (std::size_t t = 0; t < 7; ++t) {
            rows.push_back({.user = user,
                            .item = items[t] + (user % 2 == 0 ? 0U : 10U),
                            .value = 1.0F,
                            .time = static_cast<double>(t)});
        }
    }
    return Interactions::from_ids(rows, 60, 22);
}

// 1 for the items of the second taste; items 20 and 21, which nobody took, have features like those of one taste each.
Matrix<float> tastes() {
    Matrix<float> features(22, 2);
    for (std::size_t item = 0; item < 22; ++item) {
        features(item, (item >= 10 && item < 20) || item == 21 ? 1 : 0) = 1.0F;
    }
    return features;
}

TwoTowerOptions quick() {
    return {.epochs = 30, .batch = 64, .history = 5, .learning_rate = 0.01F, .temperature = 0.2};
}

}  // namespace

TEST_CASE("TwoTower: holds the contract of all models") {
    funnel::testing::check_model<Small>({.epochs = 2, .batch = 32});
}

TEST_CASE("TwoTower: learns the tastes of users, and folds in new ones by their history") {
    const Small model = Small::fit(two_tastes(), quick());
    for (std::size_t user = 0; user < 60; ++user) {
        for (const auto& item : model.recommend(user, {.k = 3})) {
            CHECK((item.id < 10) == (user % 2 == 0));
        }
    }
    for (const auto& item : model.fold_in(std::vector<std::uint32_t>{12, 17}).recommend({.k = 5})) {
        CHECK(item.id >= 10);
        CHECK(item.id < 20);
    }
    CHECK(model.recommend(60).empty());  // an unknown user has no history
}

TEST_CASE("TwoTower: the score is the inner product of the vectors, which are cosines") {
    const Small model = Small::fit(two_tastes(), quick());
    const auto items = model.item_factors();
    const auto users = model.user_factors();
    REQUIRE(items.rows() == 22);
    for (const auto& item : model.recommend(5, {.k = 22, .keep_seen = true})) {
        double product = 0.0;
        double length = 0.0;
        for (std::size_t j = 0; j < 8; ++j) {
            product += static_cast<double>(items(item.id, j)) * static_cast<double>(users(5, j));
            length += static_cast<double>(items(item.id, j)) * static_cast<double>(items(item.id, j));
        }
        CHECK(static_cast<double>(item.score) == doctest::Approx(product).epsilon(1e-5));
        CHECK(length == doctest::Approx(1.0).epsilon(1e-5));
    }
}

TEST_CASE("TwoTower: a history is its last items in the order of time") {
    const Small model = Small::fit(two_tastes(), quick());
    const std::vector<std::uint32_t> last{1, 2, 3, 4, 5};
    const std::vector<std::uint32_t> longer{19, 18, 1, 2, 3, 4, 5};
    const std::vector<std::uint32_t> reversed{5, 4, 3, 2, 1, 18, 19};
    CHECK(model.user_vector(longer) == model.user_vector(last));
    CHECK(model.user_vector(reversed) != model.user_vector(last));
    const auto folded = model.fold_in(longer);
    const auto expected = model.user_vector(last);
    CHECK(std::equal(expected.begin(), expected.end(), folded.profile().factors.begin()));
    // A training user is described by the same rule.
    const Interactions log = two_tastes();
    std::vector<std::uint32_t> history;
    for (std::size_t row = 7; row < 14; ++row) {
        history.push_back(log[row].item);  // user 1, by time
    }
    const auto user = model.user_vector(history);
    CHECK(std::equal(user.begin(), user.end(), model.user_factors().row(1).begin()));
}

TEST_CASE("TwoTower: the target of a pair is never in its history") {
    // Every user takes the same two items in the same order: the first has no history, so there is one pair per user.
    std::vector<Interaction> rows;
    for (std::uint32_t user = 0; user < 10; ++user) {
        rows.push_back({.user = user, .item = 1, .time = 2.0});
        rows.push_back({.user = user, .item = 0, .time = 1.0});
    }
    const auto log = Interactions::from_ids(rows, 10, 2);
    CHECK(TwoTowerTrainer<UserNet<>, ItemNet<>, 8>(log, {}).pairs() == 10);
    const Matrix<float> features(10, 2);
    CHECK(TwoTowerTrainer<UserNet<0, 2>, ItemNet<>, 8>(log, {.user_features = features}).pairs() == 20);
}

TEST_CASE("TwoTower: the same bits for any number of threads, other bits for another seed") {
    const Matrix<float> features = tastes();
    TwoTowerOptions options = quick();
    options.epochs = 3;
    options.batch = 300;  // several chunks of rows
    options.negatives.uniform = 10;
    options.id_dropout = 0.2F;
    options.item_features = features;
    const auto vectors = [&](auto&& executor) {
        const WithFeatures model = WithFeatures::fit(two_tastes(), options, executor);
        std::vector<float> all;
        for (std::size_t i = 0; i < model.items(); ++i) {
            all.insert(all.end(), model.item_factors().row(i).begin(), model.item_factors().row(i).end());
        }
        for (std::size_t i = 0; i < model.users(); ++i) {
            all.insert(all.end(), model.user_factors().row(i).begin(), model.user_factors().row(i).end());
        }
        return all;
    };
    const std::vector<float> expected = vectors(funnel::Serial{});
    CHECK(vectors(Threads(2)) == expected);
    CHECK(vectors(Threads(4)) == expected);
    options.seed = 2;
    CHECK(vectors(funnel::Serial{}) != expected);
}

TEST_CASE("TwoTower: items that nobody took are recommended by their features") {
    const Matrix<float> features = tastes();
    TwoTowerOptions options = quick();
    options.id_dropout = 0.3F;
    options.item_features = features;
    const WithFeatures model = WithFeatures::fit(two_tastes(), options);
    for (std::size_t user = 0; user < 10; ++user) {
        const std::vector<std::uint32_t> cold{20, 21};
        const auto scores = model.score(user, cold);
        CHECK((scores[0] > scores[1]) == (user % 2 == 0));
    }
    // An item that is not in the catalogue has the vector of one with these features.
    const auto added = model.item_vector(std::vector<float>{0.0F, 1.0F});
    CHECK(std::equal(added.begin(), added.end(), model.item_factors().row(21).begin()));
}

TEST_CASE("TwoTower: user features describe users without a history") {
    Matrix<float> features(60, 2);
    for (std::size_t user = 0; user < 60; ++user) {
        features(user, user % 2) = 1.0F;
    }
    TwoTowerOptions options = quick();
    options.user_features = features;
    const WithUsers model = WithUsers::fit(two_tastes(), options);
    const auto scores = [&](const std::vector<float>& user) {
        std::vector<float> all(model.items());
        model.score_all({{}, user}, all);
        return all;
    };
    const auto even = scores(model.user_vector({}, std::vector<float>{1.0F, 0.0F}));
    const auto odd = scores(model.user_vector({}, std::vector<float>{0.0F, 1.0F}));
    for (std::size_t item = 0; item < 10; ++item) {
        CHECK(even[item] > even[item + 10]);
        CHECK(odd[item] < odd[item + 10]);
    }
    CHECK(model.recommend(60, {.k = 2}).size() == 2);  // unknown: as a user without history and features
    CHECK_THROWS_AS(static_cast<void>(model.user_vector({}, std::vector<float>{1.0F})), InvalidArgument);
}

TEST_CASE("TwoTower: without log Q correction, popular items score lower") {
    // Every second user takes one item last, all other items are taken by few: as a negative it is everywhere.
    std::vector<Interaction> rows;
    for (std::uint32_t user = 0; user < 200; ++user) {
        Random random(5, user);
        for (std::uint32_t t = 0; t < 4; ++t) {
            rows.push_back({.user = user,
                            .item = t == 3 && user % 2 == 0 ? 0U : 1 + static_cast<std::uint32_t>(random.below(100)),
                            .time = static_cast<double>(t)});
        }
    }
    const auto log = Interactions::from_ids(rows, 200, 101);
    TwoTowerOptions options = quick();
    options.epochs = 5;
    // The mean score of the popular item, above the mean of all items.
    const auto lead_of_popular = [&](bool corrected) {
        options.log_q_correction = corrected;
        const Small model = Small::fit(log, options);
        std::vector<std::uint32_t> items(101);
        std::iota(items.begin(), items.end(), 0U);
        double lead = 0.0;
        for (std::size_t user = 1; user < 200; user += 2) {  // those who did not take it
            const auto scores = model.score(user, items);
            double sum = 0.0;
            for (const float score : scores) {
                sum += static_cast<double>(score);
            }
            lead += (static_cast<double>(scores[0]) - sum / 101.0) / 100.0;
        }
        return lead;
    };
    const double with = lead_of_popular(true);
    const double without = lead_of_popular(false);
    CHECK(with > 0.2);
    CHECK(with > without + 0.2);
}

TEST_CASE("TwoTower: bad options and features are rejected") {
    const Interactions log = two_tastes();
    const auto fails = [&](TwoTowerOptions options) {
        CHECK_THROWS_AS(static_cast<void>(Small::fit(log, options)), InvalidArgument);
    };
    fails({.batch = 0});
    fails({.history = 0});
    fails({.learning_rate = 0.0F});
    fails({.learning_rate = std::numeric_limits<float>::quiet_NaN()});
    fails({.temperature = -1.0});
    fails({.id_dropout = 1.0F});
    fails({.init_scale = 0.0F});
    const Matrix<float> features(22, 2);
    fails({.item_features = features});
    CHECK_THROWS_WITH_AS(static_cast<void>(WithFeatures::fit(log)), "TwoTower: item_features must be 22 x 2, got 0 x 0",
                         InvalidArgument);
    Matrix<float> wrong(22, 2);
    wrong(21, 1) = std::numeric_limits<float>::infinity();
    CHECK_THROWS_AS(static_cast<void>(WithFeatures::fit(log, {.item_features = wrong})), InvalidArgument);
    const Small model = Small::fit(log, {.epochs = 0});
    CHECK_THROWS_AS(static_cast<void>(model.user_vector(std::vector<std::uint32_t>{22})), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(model.fold_in(std::vector<std::uint32_t>{22})), InvalidArgument);
}

namespace {

using Trained = TwoTowerTrainer<UserNet<>, ItemNet<2>, 8>;

// A hash of all weights.
std::uint64_t hash_of(const Trained& trainer) {
    std::uint64_t hash = trainer.epochs();
    const auto add = [&](std::span<const float> numbers) {
        for (const float x : numbers) {
            hash = funnel::detail::hash_word(hash, std::bit_cast<std::uint32_t>(x));
        }
    };
    const auto& weights = trainer.weights();
    add(weights.user.parameters());
    add(weights.item.parameters());
    for (const auto* rows : {&weights.histories, &weights.ids, &weights.item_words, &weights.user_words}) {
        for (std::size_t i = 0; i < rows->rows(); ++i) {
            add(rows->row(i));
        }
    }
    return hash;
}

// All that a trainer may keep: features, words, and negatives of every kind.
struct Course {
    Interactions log = two_tastes();
    Matrix<float> features = tastes();
    std::vector<std::uint32_t> words;
    std::vector<std::size_t> starts{0};
    TwoTowerOptions options = quick();

    Course() {
        for (std::uint32_t item = 0; item < 22; ++item) {
            words.push_back(item % 4);
            starts.push_back(words.size());
        }
        options.id_dropout = 0.2F;
        options.negatives = {.uniform = 5, .popular = 5, .hard = 5, .hard_pool = {.size = 6}};
        options.item_features = features;
        options.item_text = {.bags = {.ids = words, .starts = starts}, .rows = 4};
    }
};

}  // namespace

TEST_CASE("TwoTower: a training that is saved and restored gives the hash of one without interruption") {
    const Course course;
    Trained whole(course.log, course.options);
    for (int epoch = 0; epoch < 6; ++epoch) {
        static_cast<void>(whole.epoch());
    }
    const funnel::testing::TempDir dir;
    Trained first(course.log, course.options);
    static_cast<void>(first.epoch());
    static_cast<void>(first.epoch());
    first.save(dir / "run.fnl");
    Trained resumed(course.log, course.options);
    for (int epoch = 0; epoch < 3; ++epoch) {  // it stood somewhere else
        static_cast<void>(resumed.epoch());
    }
    resumed.restore(dir / "run.fnl");
    CHECK(hash_of(resumed) == hash_of(first));
    CHECK(resumed.epochs() == 2);
    for (int epoch = 0; epoch < 4; ++epoch) {
        static_cast<void>(resumed.epoch(Threads(2)));
    }
    CHECK(hash_of(resumed) == hash_of(whole));
}

TEST_CASE("TwoTower: a training restores only what a trainer of its kind saved; else nothing changes") {
    const Course course;
    const funnel::testing::TempDir dir;
    const std::string path = dir / "run.fnl";
    Trained trainer(course.log, course.options);
    static_cast<void>(trainer.epoch());
    trainer.save(path);
    const auto good = funnel::testing::bytes_of(path);
    Trained target(course.log, course.options);
    const std::uint64_t before = hash_of(target);
    const auto restored = [&](const std::string& from) {
        Trained copy = target;
        try {
            copy.restore(from);
        } catch (...) {
            CHECK(hash_of(copy) == before);
            throw;
        }
        return hash_of(copy);
    };
    CHECK(restored(path) == hash_of(trainer));
    funnel::testing::check_damage(good, restored, {.head = 64, .bit_flips = 500});
    const auto says = [&]<class T>(const std::string& section, std::size_t at, T number, const char* message) {
        funnel::testing::put_bytes(path, funnel::testing::with_section_number(good, section, at, number));
        CHECK(funnel::testing::error_of(path, restored).find(message) != std::string::npos);
    };
    says("course", 0, std::uint64_t{2}, "must have the steps of whole epochs");
    says("course", 16, std::uint64_t{7}, "must have the seed");
    says("course", 24, std::uint64_t{7}, "must have the seed");
    says("order", 0, std::uint64_t{1} << 60, "must be positions of the pairs");
    const auto first = funnel::io::load_number<std::uint64_t>(funnel::testing::section_of(good, "order"));
    says("order", 8, first, "must have each pair once");
    constexpr float nan = std::numeric_limits<float>::quiet_NaN();
    for (const char* section : {"ids", "histories", "item_words", "item.parameters", "item.adam.state0",
                                "ids.adam.state0", "item.words_adam.state0"}) {
        says(section, 4, nan, "must be finite");
    }
    TwoTowerOptions other = course.options;
    other.seed = 2;
    Trained of_other(course.log, other);
    funnel::testing::put_bytes(path, good);
    CHECK_THROWS_AS(of_other.restore(path), funnel::CorruptData);
}

TEST_CASE("TwoTower: a file of a model with other layers of the same sizes is rejected, with both lists") {
    using TanhNet = Sequential<Dense<8, 16>, Tanh, Dense<16, 8>, L2Normalize<8>>;
    const funnel::testing::TempDir dir;
    Small::fit(two_tastes(), {.epochs = 0}).save(dir / "model.fnl");
    const auto says = [&](auto type) {
        using Other = typename decltype(type)::type;
        CHECK_THROWS_WITH_AS(
            static_cast<void>(Other::load(dir / "model.fnl")),
            doctest::Contains(
                "expected [Sequential 8 -> 8 [Dense 8 -> 16, Tanh 16 -> 16, Dense 16 -> 8, L2Normalize 8 -> "
                "8]], found [Sequential 8 -> 8 [Dense 8 -> 16, ReLU 16 -> 16, Dense"),
            funnel::CorruptData);
    };
    says(std::type_identity<BasicTwoTower<TanhNet, ItemNet<>, 8>>{});
    says(std::type_identity<BasicTwoTower<UserNet<>, TanhNet, 8>>{});
}

TEST_CASE("TwoTower: a file with a negative variance is rejected, in every layer that holds layers") {
    using Normalized = Sequential<Parallel<Sequential<Dense<8, 4>, BatchNorm<4>>, Dense<8, 4>>, L2Normalize<8>>;
    using Model = BasicTwoTower<Normalized, ItemNet<>, 8>;
    const funnel::testing::TempDir dir;
    const std::string path = dir / "model.fnl";
    Model::fit(two_tastes(), {.epochs = 1}).save(path);
    const auto good = funnel::testing::bytes_of(path);
    const auto forged = [&](std::size_t at) {
        funnel::testing::put_bytes(dir / "forged.fnl",
                                   funnel::testing::with_section_number(good, "user.statistics", at, -1.0F));
        return Model::load(dir / "forged.fnl").users();
    };
    CHECK(forged(0) == 60);  // a mean may be negative
    CHECK_THROWS_WITH_AS(static_cast<void>(forged(16)), doctest::Contains("variances must be >= 0"),
                         funnel::CorruptData);
    CHECK_THROWS_AS(static_cast<void>(forged(28)), funnel::CorruptData);
}

TEST_CASE("TwoTower: a damaged file is rejected") {
    const funnel::testing::TempDir dir;
    Small::fit(two_tastes(), {.epochs = 1}).save(dir / "model.fnl");
    funnel::testing::check_damage(funnel::testing::bytes_of(dir / "model.fnl"),
                                  [](const std::string& path) { return Small::load(path).recommend(0); });
}
