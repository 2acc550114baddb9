// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/cf/rating_factors.hpp>

#include "cf/random_log.hpp"
#include "support/temp_dir.hpp"

#include <funnel/cf/biased_mf.hpp>
#include <funnel/cf/svdpp.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/parallel.hpp>
#include <funnel/data/user_item_matrix.hpp>
#include <funnel/io/container.hpp>
#include <funnel/kernels/dot.hpp>
#include <funnel/metrics/rating.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

using funnel::CorruptData;
using funnel::InvalidArgument;
using funnel::Random;
using funnel::Scored;
using funnel::Threads;
using funnel::data::Interaction;
using funnel::data::Interactions;
using namespace funnel::cf;
namespace testing = funnel::testing;

namespace {

using Ids = std::vector<std::uint32_t>;

Ids all_items(std::size_t n) {
    Ids items(n);
    std::iota(items.begin(), items.end(), 0U);
    return items;
}

// Ratings of a planted model: 3.5 + b_u + b_i + p . q with three factors, and noise of 0.3. Every fifth row is held out.
struct Planted {
    Interactions train;
    std::vector<Interaction> test;

    Planted() {
        constexpr std::size_t users = 150;
        constexpr std::size_t items = 120;
        const auto number = [](std::size_t row, std::size_t at) { return Random(11 + at, row).normal(); };
        Random random(5);
        std::vector<Interaction> rows;
        for (std::uint32_t user = 0; user < users; ++user) {
            for (std::uint32_t item = 0; item < items; ++item) {
                if (random.uniform() < 0.4) {
                    double rating = 3.5 + 0.4 * number(user, 0) + 0.4 * number(users + item, 0) + 0.3 * random.normal();
                    for (std::size_t f = 1; f <= 3; ++f) {
                        rating += 0.6 * number(user, f) * number(users + item, f);
                    }
                    const Interaction row{user, item, static_cast<float>(rating)};
                    if (random.below(5) == 0) {
                        test.push_back(row);
                    } else {
                        rows.push_back(row);
                    }
                }
            }
        }
        train = Interactions::from_ids(rows, users, items);
    }
};

template <class M>
double rmse(const M& model, std::span<const Interaction> rows) {
    std::vector<float> predicted;
    std::vector<float> rated;
    for (const Interaction& row : rows) {
        predicted.push_back(model.predict(row.user, row.item));
        rated.push_back(row.value);
    }
    return funnel::metrics::rating_errors(predicted, rated).rmse;
}

}  // namespace

TEST_CASE_TEMPLATE("RatingFactors: finds planted factors", M, BiasedMF, SVDpp) {
    const Planted planted;
    const double biases = rmse(M::fit(planted.train, {.factors = 1, .stddev = 1e-6F}), planted.test);
    const double found =
        rmse(M::fit(planted.train, {.factors = 8, .epochs = 60, .learning_rate = 0.03F, .regularisation = 0.03F}),
             planted.test);
    CHECK(biases > 0.9);  // three factors of 0.6 leave about 1
    CHECK(found < 0.45);  // the noise is 0.3
}

TEST_CASE_TEMPLATE("RatingFactors: more epochs do not raise the error in training", M, BiasedMF, SVDpp) {
    const Planted planted;
    double last = std::numeric_limits<double>::infinity();
    for (const std::size_t epochs : {1U, 5U, 20U, 60U}) {
        const double now =
            rmse(M::fit(planted.train, {.factors = 8, .epochs = epochs, .fold_in_epochs = 60}), planted.train.rows());
        CHECK(now < last);
        last = now;
    }
}

TEST_CASE_TEMPLATE("RatingFactors: the same bits for 1, 2, 3 and 4 threads, with several groups", M, BiasedMF, SVDpp) {
    const auto log = testing::random_log(150, 300, 0.1, 5);
    const RatingFactorsOptions options{.factors = 7, .epochs = 3};
    const M expected = M::fit(log, options);
    for (const std::size_t count : {1U, 2U, 3U, 4U}) {
        Threads pool(count);
        const M model = M::fit(log, options, pool);
        for (std::size_t item = 0; item < 300; ++item) {
            CHECK(std::ranges::equal(model.item_factors().row(item), expected.item_factors().row(item)));
        }
        for (std::size_t user = 0; user < 150; ++user) {
            CHECK(std::ranges::equal(model.user_factors().row(user), expected.user_factors().row(user)));
        }
    }
    CHECK_FALSE(M::fit(log, {.factors = 7, .epochs = 3, .seed = 2}).recommend(0) == expected.recommend(0));
}

TEST_CASE_TEMPLATE("RatingFactors: fold_in with the ratings of a training user gives the row of that user, to the bit",
                   M, BiasedMF, SVDpp) {
    const auto log = testing::random_log(40, 90, 0.2, 5);
    const M model = M::fit(log, {.factors = 6, .epochs = 5});
    const auto user_item = funnel::data::user_item_matrix(log);
    for (std::size_t user = 0; user < 40; ++user) {
        const auto row = user_item.row(user);
        CHECK(std::ranges::equal(model.fold_in_factors(row.columns, row.values), model.user_factors().row(user)));
        CHECK(model.fold_in(row.columns, row.values).recommend() == model.recommend(user));
    }
    CHECK_THROWS_AS((void)model.fold_in_factors(Ids{90}, std::vector<float>{3.0F}), InvalidArgument);
    CHECK_THROWS_AS((void)model.fold_in_factors(Ids{1}, std::vector<float>{3.0F, 2.0F}), InvalidArgument);
}

TEST_CASE_TEMPLATE("RatingFactors: a new user gets what similar training users rated high", M, BiasedMF, SVDpp) {
    // Even users rate even items 5 and odd items 1, odd users the other way round.
    std::vector<Interaction> rows;
    Random random(3);
    for (std::uint32_t user = 0; user < 60; ++user) {
        for (std::uint32_t item = 0; item < 40; ++item) {
            if (random.uniform() < 0.5) {
                rows.push_back({user, item, user % 2 == item % 2 ? 5.0F : 1.0F});
            }
        }
    }
    const M model = M::fit(Interactions::from_ids(rows, 60, 40),
                           {.factors = 4, .epochs = 100, .learning_rate = 0.03F, .regularisation = 0.02F});
    const auto user = model.fold_in(Ids{0, 1, 2, 3}, std::vector<float>{5.0F, 1.0F, 5.0F, 1.0F});
    const auto list = user.recommend({.k = 18});
    CHECK(std::ranges::all_of(list, [](const auto& item) { return item.id % 2 == 0; }));
    CHECK(user.score(Ids{10})[0] > 4.0F);
    CHECK(user.score(Ids{11})[0] < 2.0F);
    const auto similar = model.similar_items(4, 19);
    CHECK(std::ranges::all_of(similar, [](const auto& item) { return item.id % 2 == 0; }));
    for (const auto& other : similar) {  // without the biases
        const auto a = model.item_factors().row(4).first(4);
        const auto b = model.item_factors().row(other.id).first(4);
        const auto product = [](auto x, auto y) { return std::inner_product(x.begin(), x.end(), y.begin(), 0.0); };
        CHECK(double{other.score} == doctest::Approx(product(a, b) / std::sqrt(product(a, a) * product(b, b))));
    }
}

TEST_CASE_TEMPLATE("RatingFactors: predictions are mean, biases and an inner product, within the ratings seen", M,
                   BiasedMF, SVDpp) {
    std::vector<Interaction> rows;
    for (const Interaction& row : testing::random_log(30, 20, 0.3, 2)) {
        rows.push_back(row);
    }
    const auto log = Interactions::from_ids(rows, 32, 22);  // two users and items without ratings
    const M model = M::fit(log, {.factors = 5, .epochs = 60, .learning_rate = 0.1F, .regularisation = 0.0F});
    double sum = 0.0;
    for (const Interaction& row : rows) {
        sum += double{row.value};
    }
    CHECK(double{model.mean()} == doctest::Approx(sum / static_cast<double>(rows.size())));
    CHECK(model.lowest() == 1.0F);
    CHECK(model.highest() == 5.0F);
    bool is_clipped = false;
    for (std::size_t user = 0; user < 32; ++user) {
        const auto p = model.user_factors().row(user);
        const std::vector<float> scores = model.score(user, all_items(22));
        for (std::uint32_t item = 0; item < 22; ++item) {
            const auto q = model.item_factors().row(item);
            double expected = double{model.mean()} + double{p[5]} + double{q[5]};
            for (std::size_t f = 0; f < 5; ++f) {
                expected += double{p[f]} * double{q[f]};
            }
            is_clipped = is_clipped || expected > 5.01 || expected < 0.99;
            CHECK(double{model.predict(user, item)} == doctest::Approx(std::clamp(expected, 1.0, 5.0)).epsilon(1e-5));
            CHECK(double{scores[item]} == doctest::Approx(item < 20 ? expected : 0.0).epsilon(1e-5));
        }
    }
    CHECK(is_clipped);
    for (const std::size_t unknown : {std::size_t{30}, std::size_t{32}, std::numeric_limits<std::size_t>::max()}) {
        CHECK(model.predict(unknown, 3) == std::clamp(model.mean() + model.item_factors().row(3)[5], 1.0F, 5.0F));
        CHECK(model.predict(unknown, 21) == model.mean());
    }
    CHECK(double{model.predict(4, 21)} ==
          doctest::Approx(double{std::clamp(model.mean() + model.user_factors().row(4)[5], 1.0F, 5.0F)}));
    CHECK_THROWS_AS((void)model.predict(0, 22), InvalidArgument);
    CHECK(M::fit(Interactions::from_ids({}, 2, 3)).predict(1, 2) == 0.0F);
}

TEST_CASE_TEMPLATE("RatingFactors: an inner product with the items gives the order of the list", M, BiasedMF, SVDpp) {
    const auto log = testing::random_log(20, 50, 0.2, 9);
    const M model = M::fit(log, {.factors = 3});
    for (std::size_t user = 0; user < 20; ++user) {
        std::vector<float> query(model.user_factors().row(user).begin(), model.user_factors().row(user).end());
        query.back() = 1.0F;
        const auto list = model.recommend(user, {.k = 50});
        REQUIRE(list.size() > 30);
        for (std::size_t i = 0; i + 1 < list.size(); ++i) {
            const float here = funnel::kernels::dot(query, model.item_factors().row(list[i].id));
            const float next = funnel::kernels::dot(query, model.item_factors().row(list[i + 1].id));
            CHECK(here > next - 1e-5F);
        }
    }
}

TEST_CASE_TEMPLATE("RatingFactors: a user without ratings gets the items with the highest biases", M, BiasedMF, SVDpp) {
    const auto log = Interactions::from_ids(
        {{0, 0, 5.0F}, {1, 0, 5.0F}, {0, 1, 1.0F}, {2, 1, 1.0F}, {1, 2, 3.0F}, {2, 2, 3.0F}}, 4, 4);
    const M model = M::fit(log, {.factors = 2});
    const auto list = model.recommend(3);
    REQUIRE(list.size() == 3);  // nobody rated item 3
    CHECK(list[0].id == 0);
    CHECK(list[1].id == 2);
    CHECK(list[2].id == 1);
    CHECK(model.recommend(100) == list);
    CHECK(model.fold_in({}).recommend() == list);
    CHECK(model.recommend(0).size() == 1);  // without what the user rated
}

// A value <= 0 was a dislike, of which models of likes learn nothing.
TEST_CASE_TEMPLATE("RatingFactors: ratings of 0 and below are ratings: a shift of all shifts all predictions", M,
                   BiasedMF, SVDpp) {
    const auto log = testing::random_log(30, 40, 0.3, 6);
    std::vector<Interaction> rows(log.begin(), log.end());
    for (Interaction& row : rows) {
        row.value -= 3.0F;
    }
    const M model = M::fit(log, {.factors = 4});
    const M shifted = M::fit(Interactions::from_ids(rows, 30, 40), {.factors = 4});
    for (std::size_t user = 0; user < 31; ++user) {
        for (std::uint32_t item = 0; item < 40; ++item) {
            CHECK(shifted.predict(user, item) + 3.0F ==
                  doctest::Approx(double{model.predict(user, item)}).epsilon(1e-4));
        }
    }
    CHECK(shifted.lowest() == -2.0F);
}

TEST_CASE_TEMPLATE("RatingFactors: the last of several ratings of an item by a user counts", M, BiasedMF, SVDpp) {
    const M once = M::fit(Interactions::from_ids({{0, 0, 2.0F}, {1, 1, 4.0F}, {1, 0, 3.0F}}, 2, 2), {.factors = 2});
    const M twice =
        M::fit(Interactions::from_ids({{0, 0, 9.0F}, {1, 1, 4.0F}, {1, 0, 3.0F}, {0, 0, 2.0F}}, 2, 2), {.factors = 2});
    CHECK(once.score(0, Ids{0, 1}) == twice.score(0, Ids{0, 1}));
    CHECK(twice.highest() == 4.0F);
}

TEST_CASE_TEMPLATE("RatingFactors: update starts from the rows at hand, and learns new users and items", M, BiasedMF,
                   SVDpp) {
    const Planted planted;
    const RatingFactorsOptions more{.factors = 8, .epochs = 10, .learning_rate = 0.02F, .regularisation = 0.03F};
    M model = M::fit(planted.train, {.factors = 8, .epochs = 40, .learning_rate = 0.02F, .regularisation = 0.03F});
    const double before = rmse(model, planted.test);
    M unchanged = model;
    unchanged.update(planted.train, {.factors = 8, .epochs = 0, .learning_rate = 0.02F, .regularisation = 0.03F});
    CHECK(rmse(unchanged, planted.test) == doctest::Approx(before));  // no epochs: the same rows
    const double fresh = rmse(M::fit(planted.train, more), planted.test);
    model.update(planted.train, more);
    CHECK(rmse(model, planted.test) < fresh);
    CHECK(rmse(model, planted.train.rows()) < rmse(unchanged, planted.train.rows()));

    std::vector<Interaction> rows(planted.train.begin(), planted.train.end());
    for (std::uint32_t user = 0; user < 20; ++user) {
        rows.push_back({user, 121, 6.0F});
        rows.push_back({151, user, 1.0F});
    }
    const auto grown = Interactions::from_ids(rows, 152, 122);
    M serial = model;
    serial.update(grown, more);
    CHECK(serial.users() == 152);
    CHECK(serial.items() == 122);
    CHECK(serial.predict(140, 121) > serial.mean());
    CHECK(serial.predict(151, 100) < serial.mean());
    CHECK(serial.predict(150, 120) == serial.mean());
    Threads pool(4);
    M parallel = model;
    parallel.update(grown, more, pool);
    CHECK(parallel.recommend(151) == serial.recommend(151));

    const auto list = serial.recommend(3);
    CHECK_THROWS_AS(serial.update(planted.train, more), InvalidArgument);    // fewer users
    CHECK_THROWS_AS(serial.update(grown, {.factors = 7}), InvalidArgument);  // another number of factors
    CHECK_THROWS_AS(serial.update(grown, {.factors = 8, .stddev = -1.0F}), InvalidArgument);
    CHECK(serial.recommend(3) == list);

    serial.forget_user(5);  // and is learned anew, as others are
    serial.update(grown, more);
    CHECK(serial.recommend(5).front().score > 0.0F);
}

// An update of BiasedMF asked for 18446744073709551615 factors, that of the others for 0.
TEST_CASE_TEMPLATE("RatingFactors: a moved-from model knows nobody, so an update learns as fit does", M, BiasedMF,
                   SVDpp) {
    const auto log = testing::random_log(20, 30, 0.3, 4);
    const RatingFactorsOptions options{.factors = 3, .epochs = 2};
    M model = M::fit(log, options);
    const M taken = std::move(model);
    model.update(log, options);  // NOLINT(bugprone-use-after-move): what is left of it is what is tested
    CHECK(model.recommend(4) == taken.recommend(4));
}

TEST_CASE_TEMPLATE("RatingFactors: what a forgotten user gets is what everybody gets", M, BiasedMF, SVDpp) {
    M model = M::fit(testing::random_log(20, 30, 0.3, 4), {.factors = 3});
    model.forget_user(2);
    for (const float x : model.user_factors().row(2)) {
        CHECK(x == 0.0F);
    }
    CHECK(model.predict(2, 7) == model.predict(1000, 7));
}

// All rows became zeros, as those of items that nobody rated: predict() said 1, score() 0, and lists were empty.
TEST_CASE_TEMPLATE("RatingFactors: rated items stay in the lists if ratings are equal and the penalty is strong", M,
                   BiasedMF, SVDpp) {
    std::vector<Interaction> rows;
    for (std::uint32_t user = 0; user < 100; ++user) {
        for (std::uint32_t item = user % 2; item < 20; item += 2) {
            rows.push_back({user, item});
        }
    }
    const M model = M::fit(Interactions::from_ids(rows, 100, 21), {.factors = 4, .regularisation = 60.0F});
    CHECK(model.predict(0, 1) == 1.0F);
    CHECK(model.score(0, Ids{0, 1, 20}) == std::vector<float>{1.0F, 1.0F, 0.0F});
    CHECK(model.recommend(0, {.k = 30}).size() == 10);
}

TEST_CASE_TEMPLATE("RatingFactors: rejects options that cannot work, and steps that diverge", M, BiasedMF, SVDpp) {
    const auto log = testing::random_log(10, 12, 0.3, 1);
    constexpr float infinity = std::numeric_limits<float>::infinity();
    for (const float bad : {-1.0F, infinity}) {
        CHECK_THROWS_AS((void)M::fit(log, {.learning_rate = bad}), InvalidArgument);
        CHECK_THROWS_AS((void)M::fit(log, {.regularisation = bad}), InvalidArgument);
        CHECK_THROWS_AS((void)M::fit(log, {.stddev = bad}), InvalidArgument);
    }
    CHECK_THROWS_AS((void)M::fit(log, {.learning_rate = 0.0F}), InvalidArgument);
    CHECK_THROWS_AS((void)M::fit(log, {.stddev = 0.0F}), InvalidArgument);
    CHECK_NOTHROW((void)M::fit(log, {.regularisation = 0.0F}));
    CHECK_THROWS_AS((void)M::fit(log, {.learning_rate = 0.5F, .regularisation = 2.0F}), InvalidArgument);
    CHECK_THROWS_AS((void)M::fit(log, {.learning_rate = 3e38F, .regularisation = 3e38F}), InvalidArgument);
    CHECK_NOTHROW((void)M::fit(log, {.learning_rate = 0.01F, .regularisation = 99.0F}));
    CHECK_THROWS_AS((void)M::fit(log, {.factors = 0}), InvalidArgument);
    CHECK_THROWS_AS((void)M::fit(log, {.factors = std::numeric_limits<std::size_t>::max()}), InvalidArgument);
    CHECK_THROWS_AS((void)M::fit(log, {.fold_in_epochs = 0}), InvalidArgument);
    CHECK_THROWS_AS((void)M::fit(log, {.fold_in_epochs = 1001}), InvalidArgument);
    CHECK_THROWS_AS((void)M::fit(log, {.learning_rate = 1e20F}), InvalidArgument);
    CHECK_THROWS_AS((void)M::fit(log, {.stddev = 3e38F}), InvalidArgument);
    CHECK_THROWS_AS((void)M::fit(Interactions::from_ids({{0, 0, 3e38F}, {0, 1, -3e38F}, {1, 0, -3e38F}}, 2, 2)),
                    InvalidArgument);
    // The error of the bias doubles in each pass. That of the ratings in training is 0.
    const M model =
        M::fit(testing::log_of({{0, 1}, {1}}, 2),
               {.factors = 2, .epochs = 0, .learning_rate = 3.0F, .stddev = 1e-30F, .fold_in_epochs = 1000});
    CHECK_THROWS_WITH_AS((void)model.fold_in(Ids{1}, std::vector<float>{2.0F}),
                         "fold_in: scores must be finite: learning_rate or a value is too large", InvalidArgument);
}

TEST_CASE("RatingFactors: messages name the model") {
    const auto log = testing::random_log(10, 12, 0.3, 1);
    CHECK_THROWS_WITH_AS((void)BiasedMF::fit(log, {.learning_rate = 0.0F}),
                         "BiasedMF: learning_rate must be finite and > 0, got 0", InvalidArgument);
    CHECK_THROWS_WITH_AS((void)SVDpp::fit(log, {.stddev = -1.0F}), "SVDpp: stddev must be finite and > 0, got -1",
                         InvalidArgument);
    CHECK_THROWS_WITH_AS((void)SVDpp::fit(log, {.learning_rate = 1e20F, .regularisation = 0.0F}),
                         "SVDpp: factors must be finite: learning_rate, stddev or a rating is too large",
                         InvalidArgument);
}

namespace {

struct Content {
    float learning_rate = 0.01F;
    float regularisation = 0.1F;
    std::uint64_t fold_in_epochs = 20;
    float mean = 3.0F;
    float lowest = 1.0F;
    float highest = 5.0F;
    std::vector<float> user{0.5F, 0.25F};
    std::vector<float> items{0.5F, 1.0F, -1.0F, -0.5F};
    std::vector<float> implicit{0.5F, -0.5F};
};

}  // namespace

TEST_CASE_TEMPLATE("RatingFactors: whole files with contents that cannot be are rejected", M, BiasedMF, SVDpp) {
    const testing::TempDir dir;
    constexpr float infinity = std::numeric_limits<float>::infinity();
    constexpr float largest = std::numeric_limits<float>::max();
    constexpr bool has_implicit = std::is_same_v<M, SVDpp>;
    const auto load_with = [&](const Content& content) {
        funnel::io::ContainerWriter file(M::kind, 1);
        const std::vector<std::uint64_t> offsets{0, 1};
        const Ids history{1};
        const std::vector<float> values{2.0F};
        file.value("log_fingerprint", std::uint64_t{0});
        file.value("items", std::uint64_t{2});
        file.array("history_offsets", std::span(offsets));
        file.array("history_items", std::span(history));
        file.array("history_values", std::span(values));
        file.value("learning_rate", content.learning_rate);
        file.value("regularisation", content.regularisation);
        file.value("fold_in_epochs", content.fold_in_epochs);
        file.value("mean", content.mean);
        file.value("lowest", content.lowest);
        file.value("highest", content.highest);
        file.matrix("user_factors", funnel::MatrixView<const float>(content.user, 1, content.user.size()));
        file.matrix("item_factors", funnel::MatrixView<const float>(content.items, 2, content.items.size() / 2));
        if constexpr (has_implicit) {
            file.matrix("implicit_factors",
                        funnel::MatrixView<const float>(content.implicit, 2, content.implicit.size() / 2));
        }
        file.save(dir / "x.fnl");
        return M::load(dir / "x.fnl").recommend(0, {.k = 5});
    };
    CHECK(load_with({}) == std::vector<Scored<>>{{0, 3.0F + 0.25F + 1.0F + 0.25F}});
    for (const float bad : {-1.0F, infinity}) {
        CHECK_THROWS_AS((void)load_with({.learning_rate = bad}), CorruptData);
        CHECK_THROWS_AS((void)load_with({.regularisation = bad}), CorruptData);
    }
    CHECK_THROWS_AS((void)load_with({.learning_rate = 0.0F}), CorruptData);
    CHECK_NOTHROW((void)load_with({.regularisation = 0.0F}));
    CHECK_THROWS_AS((void)load_with({.learning_rate = 0.5F, .regularisation = 2.0F}), CorruptData);
    CHECK_THROWS_AS((void)load_with({.fold_in_epochs = 0}), CorruptData);
    CHECK_NOTHROW((void)load_with({.fold_in_epochs = 1000}));
    CHECK_THROWS_AS((void)load_with({.fold_in_epochs = 1001}), CorruptData);
    CHECK_THROWS_AS((void)load_with({.mean = 0.5F}), CorruptData);
    CHECK_THROWS_AS((void)load_with({.mean = 5.5F}), CorruptData);
#ifndef __FAST_MATH__
    CHECK_THROWS_AS((void)load_with({.mean = std::numeric_limits<float>::quiet_NaN()}), CorruptData);
    CHECK_THROWS_AS((void)load_with({.lowest = std::numeric_limits<float>::quiet_NaN()}), CorruptData);
#endif
    CHECK_THROWS_AS((void)load_with({.lowest = -infinity}), CorruptData);
    CHECK_THROWS_AS((void)load_with({.highest = infinity}), CorruptData);
    CHECK_THROWS_AS((void)load_with({.mean = 3.0F, .lowest = 4.0F, .highest = 2.0F}), CorruptData);
    CHECK_THROWS_AS((void)load_with({.user = {0.5F}, .items = {0.5F, 1.0F}}), CorruptData);  // no factor
    CHECK_THROWS_AS((void)load_with({.user = {0.5F, 1.0F, 2.0F}}), CorruptData);             // another number of them
    CHECK_THROWS_AS((void)load_with({.user = std::vector<float>(1026), .items = std::vector<float>(2052)}),
                    CorruptData);
    CHECK_THROWS_AS((void)load_with({.user = {infinity, 0.0F}}), CorruptData);
    CHECK_THROWS_AS((void)load_with({.items = {1.0F, 0.0F, 0.0F, infinity}}), CorruptData);
    CHECK_THROWS_AS((void)load_with({.user = {1e20F, 0.0F}, .items = {0.0F, 0.0F, 1e20F, 0.0F}}), CorruptData);
    CHECK_THROWS_AS((void)load_with({.mean = largest, .highest = largest, .user = {0.0F, 1e37F}}), CorruptData);
    if constexpr (has_implicit) {
        CHECK_THROWS_AS((void)load_with({.implicit = {0.0F, infinity}}), CorruptData);
        CHECK_THROWS_AS((void)load_with({.implicit = {0.0F, 1.0F, 2.0F, 3.0F}}), CorruptData);
    }
}
