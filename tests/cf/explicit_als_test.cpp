// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/cf/explicit_als.hpp>

#include "cf/random_log.hpp"
#include "support/model_contract.hpp"
#include "support/temp_dir.hpp"

#include <funnel/core/matrix.hpp>
#include <funnel/core/parallel.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/data/user_item_matrix.hpp>
#include <funnel/io/container.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>
#include <vector>

using funnel::CorruptData;
using funnel::InvalidArgument;
using funnel::Matrix;
using funnel::Random;
using funnel::Threads;
using funnel::data::Interaction;
using funnel::data::Interactions;
using namespace funnel::cf;
namespace testing = funnel::testing;

namespace {

using Ids = std::vector<std::uint32_t>;
using Vector = std::vector<double>;

// Solves a dense system by Gauss elimination with pivots.
Vector solved(std::vector<Vector> a, Vector b) {
    const std::size_t n = b.size();
    for (std::size_t k = 0; k < n; ++k) {
        std::size_t pivot = k;
        for (std::size_t i = k; i < n; ++i) {
            pivot = std::abs(a[i][k]) > std::abs(a[pivot][k]) ? i : pivot;
        }
        std::swap(a[k], a[pivot]);
        std::swap(b[k], b[pivot]);
        for (std::size_t i = k + 1; i < n; ++i) {
            const double factor = a[i][k] / a[k][k];
            for (std::size_t j = k; j < n; ++j) {
                a[i][j] -= factor * a[k][j];
            }
            b[i] -= factor * b[k];
        }
    }
    for (std::size_t k = n; k-- > 0;) {
        for (std::size_t j = k + 1; j < n; ++j) {
            b[k] -= a[k][j] * b[j];
        }
        b[k] /= a[k][k];
    }
    return b;
}

// The model in double: vectors, and the bias as the last element of each row.
struct Oracle {
    const Interactions* log;
    ExplicitALSOptions options;
    double mean = 0.0;
    std::vector<Vector> users = std::vector<Vector>(log->users(), Vector(options.factors + 1));
    std::vector<Vector> items = std::vector<Vector>(log->items(), Vector(options.factors + 1));

    [[nodiscard]] double predict(std::size_t user, std::size_t item) const {
        double sum = mean + users[user].back() + items[item].back();
        for (std::size_t f = 0; f < options.factors; ++f) {
            sum += users[user][f] * items[item][f];
        }
        return sum;
    }

    // The normal equations of one row, from the definition.
    [[nodiscard]] Vector best_row(std::size_t id, bool is_user) const {
        const std::size_t n = options.factors + 1;
        std::vector<Vector> a(n, Vector(n));
        Vector b(n);
        double count = 0.0;
        for (const Interaction& row : *log) {
            if ((is_user ? row.user : row.item) == id) {
                const Vector& other = is_user ? items[row.item] : users[row.user];
                Vector y = other;
                y.back() = 1.0;
                for (std::size_t i = 0; i < n; ++i) {
                    b[i] += (double{row.value} - mean - other.back()) * y[i];
                    for (std::size_t j = 0; j < n; ++j) {
                        a[i][j] += y[i] * y[j];
                    }
                }
                count += 1.0;
            }
        }
        if (count == 0.0) {
            return Vector(n);
        }
        for (std::size_t i = 0; i < n; ++i) {
            a[i][i] += double{options.lambda} * std::pow(count, double{options.nu});
        }
        return solved(a, b);
    }

    void sweep() {
        for (std::size_t item = 0; item < items.size(); ++item) {
            items[item] = best_row(item, false);
        }
        for (std::size_t user = 0; user < users.size(); ++user) {
            users[user] = best_row(user, true);
        }
    }

    [[nodiscard]] double objective() const {
        Vector user_counts(users.size());
        Vector item_counts(items.size());
        double sum = 0.0;
        for (const Interaction& row : *log) {
            const double miss = double{row.value} - predict(row.user, row.item);
            sum += miss * miss;
            user_counts[row.user] += 1.0;
            item_counts[row.item] += 1.0;
        }
        const auto add = [&](const std::vector<Vector>& rows, const Vector& counts) {
            for (std::size_t i = 0; i < rows.size(); ++i) {
                for (const double x : rows[i]) {
                    sum += counts[i] > 0.0 ? double{options.lambda} * std::pow(counts[i], double{options.nu}) * x * x
                                           : 0.0;
                }
            }
        };
        add(users, user_counts);
        add(items, item_counts);
        return sum;
    }

    static double mean_of(const Interactions& log) {
        double sum = 0.0;
        for (const Interaction& row : log) {
            sum += double{row.value};
        }
        return sum / static_cast<double>(log.size());
    }

    // The rows that a model has learned.
    static Oracle of(const ExplicitALS& model, const Interactions& log, const ExplicitALSOptions& options) {
        Oracle oracle{&log, options, mean_of(log)};
        const std::size_t n = options.factors;
        for (std::size_t user = 0; user < log.users(); ++user) {
            const auto row = model.user_factors().row(user);
            std::copy_n(row.begin(), n, oracle.users[user].begin());
            oracle.users[user].back() = double{row[n]} - oracle.mean;
        }
        for (std::size_t item = 0; item < log.items(); ++item) {
            const auto row = model.item_factors().row(item);
            std::copy_n(row.begin(), n, oracle.items[item].begin());
            oracle.items[item].back() = row.back();
        }
        return oracle;
    }
};

// Ratings of about half of the pairs: a mean, biases, and one hidden taste.
Interactions planted(std::size_t users, std::size_t items, double density, std::uint64_t seed, Interactions* rest) {
    Random random(seed);
    std::vector<Vector> rows(users + items, Vector(2));
    for (Vector& row : rows) {
        row = {0.5 * random.normal(), random.normal()};
    }
    std::vector<Interaction> train;
    std::vector<Interaction> test;
    for (std::uint32_t user = 0; user < users; ++user) {
        for (std::uint32_t item = 0; item < items; ++item) {
            const double rating = 3.5 + rows[user][0] + rows[users + item][0] + rows[user][1] * rows[users + item][1];
            (random.uniform() < density ? train : test).push_back({user, item, static_cast<float>(rating)});
        }
    }
    if (rest != nullptr) {
        *rest = Interactions::from_ids(test, users, items);
    }
    return Interactions::from_ids(train, users, items);
}

double rmse(const ExplicitALS& model, const Interactions& log) {
    double squares = 0.0;
    for (const Interaction& row : log) {
        const double miss = double{model.predict(row.user, row.item)} - double{row.value};
        squares += miss * miss;
    }
    return std::sqrt(squares / static_cast<double>(log.size()));
}

}  // namespace

TEST_CASE("ExplicitALS: keeps what every model promises") {
    testing::check_model<ExplicitALS>({.factors = 5, .iterations = 3});
    testing::check_model<BasicExplicitALS<funnel::kernels::Scalar>>({.factors = 1, .nu = 0.0F, .iterations = 1});
}

// One vector element: y = 2 with bias .5, one rating of 4, mean 3: x and b minimize (4 - 3 - .5 - b - 2x)^2 + x^2 + b^2,
// so (x, b) = .5 (2, 1) / (2^2 + 1^2 + 1) = (1/6, 1/12).
TEST_CASE("ExplicitALS: a row worked by hand") {
    const std::vector<float> numbers{2.0F, 1.0F, 0.5F};
    const Ids ids{0};
    const std::vector<float> ratings{4.0F};
    std::vector<float> row(3);
    detail::ExplicitRowSolver<funnel::kernels::DefaultBackend> solver({numbers, 1, 3}, 3.0F, 1.0F, 1.0F);
    solver.solve({ids, ratings}, std::span(row));
    CHECK(row[0] == doctest::Approx(1.0 / 6));
    CHECK(row[1] == 1.0F);
    CHECK(row[2] == doctest::Approx(1.0 / 12));
    solver.solve({}, std::span(row));
    CHECK(row == std::vector<float>(3));
}

TEST_CASE("ExplicitALS: iterations are those of dense normal equations in double") {
    const auto log = testing::random_log(25, 18, 0.3, 4);
    for (const float nu : {0.0F, 1.0F, 0.5F}) {
        for (const std::size_t iterations : {1U, 3U}) {
            const ExplicitALSOptions options{.factors = 3, .lambda = 0.3F, .nu = nu, .iterations = iterations};
            const auto model = ExplicitALS::fit(log, options);
            Oracle oracle{&log, options, Oracle::mean_of(log)};
            for (std::size_t user = 0; user < log.users(); ++user) {
                Random random(options.seed, funnel::stream("explicit_als.users"), user);
                for (std::size_t f = 0; f < 3; ++f) {
                    oracle.users[user][f] = 0.1 / std::sqrt(3.0) * random.normal();
                }
            }
            for (std::size_t i = 0; i < iterations; ++i) {
                oracle.sweep();
            }
            CHECK(model.mean() == doctest::Approx(oracle.mean).epsilon(1e-6));
            for (std::uint32_t user = 0; user < 25; ++user) {
                for (std::uint32_t item = 0; item < 18; ++item) {
                    CHECK(model.score(user, Ids{item})[0] == doctest::Approx(oracle.predict(user, item)).epsilon(1e-4));
                }
            }
        }
    }
}

TEST_CASE("ExplicitALS: no iteration raises the objective, and the last row of each user is the best one") {
    const auto log = testing::random_log(40, 30, 0.3, 9);
    for (const float nu : {0.0F, 1.0F}) {
        double last = std::numeric_limits<double>::infinity();
        for (const std::size_t iterations : {1U, 2U, 3U, 5U, 10U, 20U, 40U}) {
            const ExplicitALSOptions options{.factors = 4, .lambda = 0.2F, .nu = nu, .iterations = iterations};
            const Oracle oracle = Oracle::of(ExplicitALS::fit(log, options), log, options);
            CHECK(oracle.objective() < last * (1.0 + 1e-6));  // rounding to float
            last = oracle.objective();
            for (const std::size_t user : {0U, 17U, 39U}) {
                const Vector best = oracle.best_row(user, true);
                for (std::size_t f = 0; f < best.size(); ++f) {
                    CHECK(oracle.users[user][f] == doctest::Approx(best[f]).epsilon(1e-3).scale(0.1));
                }
            }
        }
    }
}

TEST_CASE("ExplicitALS: finds biases and a hidden taste, and predicts ratings that it has not seen") {
    Interactions rest;
    const auto log = planted(80, 60, 0.5, 3, &rest);
    const auto model = ExplicitALS::fit(log, {.factors = 2, .lambda = 0.01F, .nu = 0.0F, .iterations = 30});
    CHECK(rmse(model, log) < 0.01);
    CHECK(rmse(model, rest) < 0.05);
    double last = std::numeric_limits<double>::infinity();
    for (const float lambda : {10.0F, 1.0F, 0.1F, 0.001F}) {
        const double error = rmse(ExplicitALS::fit(log, {.factors = 2, .lambda = lambda, .iterations = 10}), log);
        CHECK(error < last);
        last = error;
    }
}

TEST_CASE("ExplicitALS: a score is the predicted rating; users and items without ratings count as average") {
    auto rows = std::vector<Interaction>{{0, 0, 5.0F}, {0, 1, 1.0F}, {1, 0, 4.0F}, {1, 2, 3.0F}, {2, 1, 2.0F}};
    const auto log = Interactions::from_ids(rows, 4, 4);  // user 3 has no rating, and item 3 none
    const auto model = ExplicitALS::fit(log, {.factors = 2, .lambda = 0.05F});
    const Oracle oracle = Oracle::of(model, log, {.factors = 2});
    const Ids all{0, 1, 2, 3};
    CHECK(model.mean() == 3.0F);
    CHECK(model.lowest() == 1.0F);
    CHECK(model.highest() == 5.0F);
    for (std::uint32_t user = 0; user < 3; ++user) {
        const std::vector<float> scores = model.score(user, all);
        for (std::uint32_t item = 0; item < 3; ++item) {
            CHECK(std::clamp(scores[item], 1.0F, 5.0F) == model.predict(user, item));
            CHECK(scores[item] == doctest::Approx(oracle.predict(user, item)).epsilon(1e-5));
        }
        CHECK(scores[3] == 0.0F);
        CHECK(model.predict(user, 3) == doctest::Approx(3.0 + oracle.users[user].back()).epsilon(1e-5));
        CHECK(model.recommend(user, {.k = 9, .keep_seen = true}).size() == 3);
    }
    for (const std::size_t user : {std::size_t{3}, std::size_t{4}, std::numeric_limits<std::size_t>::max()}) {
        CHECK(model.predict(user, 0) == doctest::Approx(3.0 + oracle.items[0].back()).epsilon(1e-5));
        CHECK(model.predict(user, 3) == 3.0F);
        CHECK(model.recommend(user, {.k = 1}).at(0).id == 0);  // the best bias
        CHECK(model.recommend(user, {.k = 9}).size() == 3);
        CHECK(model.score(user, Ids{2})[0] == model.predict(user, 2));
    }
    CHECK_THROWS_WITH_AS((void)model.predict(0, 4), "predict: item must be below 4, got 4", InvalidArgument);
    auto forgetful = model;
    forgetful.forget_user(0);
    CHECK(forgetful.predict(0, 1) == model.predict(4, 1));
    CHECK(forgetful.predict(1, 1) == model.predict(1, 1));
}

// A value <= 0 is a dislike for models of likes; a model of ratings must not drop it.
TEST_CASE("ExplicitALS: ratings of 0 and below are ratings") {
    std::vector<Interaction> rows;
    Random random(3);
    for (std::uint32_t user = 0; user < 30; ++user) {
        for (std::uint32_t item = 0; item < 20; ++item) {
            if (random.uniform() < 0.5) {
                rows.push_back({user, item, item % 2 == 0 ? 2.0F : -2.0F});
            }
        }
    }
    rows.push_back({30, 0, 0.0F});
    const auto model = ExplicitALS::fit(Interactions::from_ids(rows, 31, 20), {.factors = 2, .lambda = 0.01F});
    for (std::uint32_t item = 0; item < 20; ++item) {
        CHECK(model.predict(0, item) == doctest::Approx(item % 2 == 0 ? 2.0 : -2.0).epsilon(0.1));
    }
    CHECK(model.predict(30, 0) < 1.0F);
    CHECK(model.recommend(30, {.k = 100}).size() == 19);
}

TEST_CASE("ExplicitALS: predictions stay within the range of the ratings, scores do not") {
    std::vector<Interaction> rows;
    for (std::uint32_t id = 0; id < 20; ++id) {
        rows.push_back({id, 0, 5.0F});
        rows.push_back({id, 1, id < 10 ? 1.0F : 4.0F});
        rows.push_back({0, id + 2, 5.0F});
    }
    const auto log = Interactions::from_ids(rows, 20, 22);
    const auto model = ExplicitALS::fit(log, {.factors = 1, .lambda = 0.001F, .nu = 0.0F});
    std::size_t above = 0;
    for (std::uint32_t user = 0; user < 20; ++user) {
        for (std::uint32_t item = 0; item < 22; ++item) {
            const float score = model.score(user, Ids{item})[0];
            CHECK(model.predict(user, item) == std::clamp(score, 1.0F, 5.0F));
            above += score > 5.0F ? 1 : 0;
        }
    }
    CHECK(above > 0);
}

TEST_CASE("ExplicitALS: equal ratings are predicted exactly, whatever their number") {
    std::vector<Interaction> rows;
    for (std::uint32_t user = 0; user < 5; ++user) {
        rows.push_back({user, user % 3, 2.5F});
    }
    const auto model = ExplicitALS::fit(Interactions::from_ids(rows, 5, 3), {.factors = 40});
    CHECK(model.predict(0, 2) == 2.5F);
    CHECK(model.predict(9, 0) == 2.5F);
    CHECK(model.recommend(0, {.k = 9}).size() == 2);
    CHECK(ExplicitALS::fit({}).items() == 0);
    CHECK(ExplicitALS::fit(Interactions::from_ids({}, 2, 3)).predict(1, 2) == 0.0F);
}

TEST_CASE("ExplicitALS: fold_in with the ratings of a training user gives the row of that user, to the bit") {
    const auto log = testing::random_log(40, 90, 0.2, 5);
    const auto model = ExplicitALS::fit(log, {.factors = 6, .iterations = 3});
    const auto ratings = funnel::data::user_item_matrix(log);
    for (std::size_t user = 0; user < 40; ++user) {
        const auto row = ratings.row(user);
        CHECK(std::ranges::equal(model.fold_in_factors(row.columns, row.values), model.user_factors().row(user)));
        CHECK(model.fold_in(row.columns, row.values).recommend() == model.recommend(user));
    }
    const auto pleased = model.fold_in(Ids{3, 8}, std::vector<float>{5.0F, 5.0F}).score(Ids{1, 2});
    const auto cross = model.fold_in(Ids{3, 8}, std::vector<float>{1.0F, 1.0F}).score(Ids{1, 2});
    CHECK(pleased[0] > cross[0]);
    CHECK(pleased[1] > cross[1]);
}

// A row is linear in what is left of the ratings: share j is the change of the score if rating j alone is left of them.
TEST_CASE("ExplicitALS: explains a score by what each rating adds to that of a user without ratings") {
    const auto log = testing::random_log(30, 25, 0.3, 11);
    const ExplicitALSOptions options{.factors = 3, .lambda = 0.2F, .iterations = 4};
    const auto model = ExplicitALS::fit(log, options);
    const Oracle oracle = Oracle::of(model, log, options);
    const auto ratings = funnel::data::user_item_matrix(log);
    for (const std::uint32_t user : {0U, 7U, 29U}) {
        const auto row = ratings.row(user);
        REQUIRE(row.size() >= 3);
        for (const std::uint32_t item : {2U, 13U}) {
            const auto shares = model.explain(user, item, 100);
            CHECK(shares.size() == row.size());
            CHECK(std::ranges::is_sorted(shares, [](const auto& a, const auto& b) { return a.score > b.score; }));
            double sum = oracle.mean + oracle.items[item].back();
            for (const auto& share : shares) {
                // The same user whose other ratings are what mean and bias of their items predict.
                std::vector<Interaction> changed(log.begin(), log.end());
                for (Interaction& rating : changed) {
                    if (rating.user == user && rating.item != share.id) {
                        rating.value = static_cast<float>(oracle.mean + oracle.items[rating.item].back());
                    }
                }
                const auto altered = Interactions::from_ids(changed, 30, 25);
                Oracle alone = oracle;
                alone.log = &altered;
                alone.users[user] = alone.best_row(user, true);
                const double expected = alone.predict(user, item) - oracle.mean - oracle.items[item].back();
                CHECK(share.score == doctest::Approx(expected).epsilon(1e-3).scale(0.1));
                sum += static_cast<double>(share.score);
            }
            CHECK(model.score(user, Ids{item})[0] == doctest::Approx(sum).epsilon(1e-4));
            CHECK(model.explain(user, item, 2).size() == 2);
            CHECK(model.explain(user, item, 2)[0] == shares[0]);
            CHECK(model.explain(user, item, 0).empty());
            CHECK(model.fold_in(row.columns, row.values).explain(item, 100) == shares);
        }
    }
    CHECK(model.explain(30, 2, 5).empty());
    CHECK(model.explain(std::numeric_limits<std::size_t>::max(), 2, 5).empty());
    CHECK_THROWS_WITH_AS((void)model.explain(0, 25, 5), "explain: item must be below 25, got 25", InvalidArgument);
    const auto sparse = Interactions::from_ids({{0, 0, 5.0F}, {0, 1, 1.0F}, {1, 0, 4.0F}}, 2, 3);
    const auto small = ExplicitALS::fit(sparse, {.factors = 2});
    CHECK(small.explain(0, 2, 5).empty());  // nobody rated item 2
    CHECK(small.explain(0, 1, 5).back().score < 0.0F);
}

TEST_CASE("ExplicitALS: update starts from the rows at hand") {
    const auto log = testing::random_log(30, 20, 0.3, 3);
    const ExplicitALSOptions few{.factors = 4, .lambda = 0.2F, .iterations = 2};
    auto model = ExplicitALS::fit(log, {.factors = 4, .lambda = 0.2F, .iterations = 3});
    const auto longer = ExplicitALS::fit(log, {.factors = 4, .lambda = 0.2F, .iterations = 5});
    const auto cold = ExplicitALS::fit(log, few);
    model.update(log, few);
    double from_cold = 0.0;
    for (std::uint32_t user = 0; user < 30; ++user) {
        for (std::uint32_t item = 0; item < 20; ++item) {
            const float expected = longer.score(user, Ids{item})[0];  // the same iterations
            CHECK(model.score(user, Ids{item})[0] == doctest::Approx(expected).epsilon(1e-4));
            from_cold = std::max(from_cold, std::abs(double{expected - cold.score(user, Ids{item})[0]}));
        }
    }
    CHECK(from_cold > 0.01);

    std::vector<Interaction> rows(log.begin(), log.end());
    rows.push_back({31, 21, 9.0F});
    rows.push_back({31, 2, 8.0F});
    const auto grown = Interactions::from_ids(rows, 32, 22);
    ExplicitALS serial = model;
    serial.update(grown, few);
    CHECK(serial.users() == 32);
    CHECK(serial.items() == 22);
    CHECK(serial.highest() == 9.0F);
    CHECK(serial.score(31, Ids{21})[0] > serial.mean());
    CHECK(serial.predict(30, 2) == serial.predict(99, 2));
    Threads pool(4);
    model.update(grown, few, pool);
    CHECK(model.recommend(31) == serial.recommend(31));

    // A forgotten user starts anew, as a new one does.
    auto forgetful = serial;
    forgetful.forget_user(31);
    forgetful.update(grown, few);
    CHECK(forgetful.score(31, Ids{21})[0] > forgetful.mean());

    const auto before = model.recommend(3);
    CHECK_THROWS_AS(model.update(log, few), InvalidArgument);               // fewer users
    CHECK_THROWS_AS(model.update(grown, {.factors = 5}), InvalidArgument);  // another number of factors
    CHECK_THROWS_AS(model.update(grown, {.factors = 4, .lambda = -1.0F}), InvalidArgument);
    CHECK(model.recommend(3) == before);
    const ExplicitALS taken = std::move(model);
    model.update(log, few);  // NOLINT(bugprone-use-after-move): what is left is tested
    CHECK(model.recommend(4) == cold.recommend(4));
    CHECK(taken.recommend(3) == before);
}

TEST_CASE("ExplicitALS: the same bits for 1, 2, 3 and 4 threads; the seed decides") {
    const auto log = testing::random_log(150, 100, 0.1, 5);
    const auto expected = ExplicitALS::fit(log, {.factors = 7, .iterations = 3});
    for (const std::size_t count : {1U, 2U, 3U, 4U}) {
        Threads pool(count);
        const auto model = ExplicitALS::fit(log, {.factors = 7, .iterations = 3}, pool);
        for (std::size_t item = 0; item < 100; ++item) {
            CHECK(std::ranges::equal(model.item_factors().row(item), expected.item_factors().row(item)));
        }
        for (std::size_t user = 0; user < 150; ++user) {
            CHECK(std::ranges::equal(model.user_factors().row(user), expected.user_factors().row(user)));
        }
    }
    const auto other = ExplicitALS::fit(log, {.factors = 7, .iterations = 3, .seed = 2});
    CHECK_FALSE(std::ranges::equal(other.user_factors().row(0), expected.user_factors().row(0)));
}

// The constant columns and the mean would make all users and all items similar to each other.
TEST_CASE("ExplicitALS: similar items and users are compared by their vectors alone") {
    std::vector<Interaction> rows;
    Random random(1);
    for (std::uint32_t user = 0; user < 40; ++user) {
        for (std::uint32_t item = 0; item < 30; ++item) {
            if (random.uniform() < 0.6) {
                rows.push_back({user, item, user % 2 == item % 2 ? 5.0F : 1.0F});
            }
        }
    }
    const auto model = ExplicitALS::fit(Interactions::from_ids(rows, 40, 30), {.factors = 2, .lambda = 0.01F});
    const auto items = model.similar_items(4, 100);
    CHECK(items.size() == 14);  // the other half has negative cosines
    CHECK(std::ranges::all_of(items, [](const auto& item) { return item.id % 2 == 0 && item.score > 0.9F; }));
    const auto users = model.similar_users(5, 100);
    CHECK(users.size() == 19);
    CHECK(std::ranges::all_of(users, [](const auto& user) { return user.id % 2 == 1 && user.score > 0.9F; }));
}

TEST_CASE("ExplicitALS: rejects options that cannot work, and values that are too large") {
    const auto log = testing::random_log(10, 12, 0.3, 1);
    constexpr float infinity = std::numeric_limits<float>::infinity();
    for (const float bad : {0.0F, -1.0F, infinity}) {
        CHECK_THROWS_AS((void)ExplicitALS::fit(log, {.lambda = bad}), InvalidArgument);
        CHECK_THROWS_AS((void)ExplicitALS::fit(log, {.stddev = bad}), InvalidArgument);
    }
    CHECK_THROWS_WITH_AS((void)ExplicitALS::fit(log, {.lambda = -1.0F}),
                         "ExplicitALS: lambda must be finite and > 0, got -1", InvalidArgument);
    CHECK_THROWS_AS((void)ExplicitALS::fit(log, {.nu = infinity}), InvalidArgument);
    CHECK_THROWS_AS((void)ExplicitALS::fit(log, {.nu = 1e5F}), InvalidArgument);
    CHECK_THROWS_AS((void)ExplicitALS::fit(log, {.factors = 0}), InvalidArgument);
    CHECK_THROWS_AS((void)ExplicitALS::fit(log, {.factors = std::numeric_limits<std::size_t>::max()}), InvalidArgument);
    CHECK_THROWS_AS((void)ExplicitALS::fit(log, {.iterations = 0}), InvalidArgument);
    CHECK_THROWS_AS((void)ExplicitALS::fit(log, {.stddev = 3e38F}), InvalidArgument);
    const auto huge = Interactions::from_ids({{0, 0, 3e38F}, {0, 1, -3e38F}, {1, 0, -3e38F}}, 2, 2);
    CHECK_THROWS_AS((void)ExplicitALS::fit(huge), InvalidArgument);
    const auto model = ExplicitALS::fit(log);
    CHECK_THROWS_AS((void)model.fold_in(Ids{0}, std::vector<float>{3e38F}), InvalidArgument);
    CHECK_THROWS_AS((void)model.fold_in_factors(Ids{0}, std::vector<float>{}), InvalidArgument);
}

TEST_CASE("ExplicitALS: whole files with contents that cannot be are rejected") {
    const testing::TempDir dir;
    constexpr float infinity = std::numeric_limits<float>::infinity();
    struct Settings {
        float lambda = 1.0F;
        float nu = 1.0F;
        float mean = 3.0F;
        float lowest = 1.0F;
        float highest = 7.0F;
        std::vector<float> user = {2.0F, 3.5F, 1.0F};
        std::vector<float> items = {1.0F, 1.0F, 0.5F, 0.0F, 0.0F, 0.0F};
        float value = 4.0F;
    };
    const auto load_with = [&](const Settings& settings) {
        funnel::io::ContainerWriter file("cf.ExplicitALS", 1);
        const std::vector<std::uint64_t> offsets{0, 1};
        const Ids history{0};
        const std::vector<float> values{settings.value};
        file.value("log_fingerprint", std::uint64_t{0});
        file.value("lambda", settings.lambda);
        file.value("nu", settings.nu);
        file.value("mean", settings.mean);
        file.value("lowest", settings.lowest);
        file.value("highest", settings.highest);
        file.value("items", std::uint64_t{2});
        file.array("history_offsets", std::span(offsets));
        file.array("history_items", std::span(history));
        file.array("history_values", std::span(values));
        file.matrix("user_factors", funnel::MatrixView<const float>(settings.user, 1, settings.user.size()));
        file.matrix("item_factors", funnel::MatrixView<const float>(settings.items, 2, settings.items.size() / 2));
        file.save(dir / "x.fnl");
        return ExplicitALS::load(dir / "x.fnl").predict(0, 0);
    };
    CHECK(load_with({}) == 6.0F);
    // A rating in the history that is far outside the range: what is left of it is not finite.
    CHECK(load_with({.mean = -3e38F, .lowest = -3e38F, .value = 3e38F}) == 6.0F);
    CHECK_THROWS_AS((void)ExplicitALS::load(dir / "x.fnl").explain(0, 0, 5), InvalidArgument);
    CHECK(load_with({.user = {0.0F, 3.0F, 1.0F}}) == 3.5F);
    for (const float bad : {0.0F, -1.0F, infinity}) {
        CHECK_THROWS_AS((void)load_with({.lambda = bad}), CorruptData);
    }
    CHECK_THROWS_AS((void)load_with({.nu = infinity}), CorruptData);
    CHECK_THROWS_AS((void)load_with({.mean = -infinity}), CorruptData);
    CHECK_THROWS_AS((void)load_with({.mean = 0.5F}), CorruptData);
    CHECK_THROWS_AS((void)load_with({.mean = 7.5F}), CorruptData);
    CHECK_THROWS_AS((void)load_with({.lowest = -infinity}), CorruptData);
    CHECK_THROWS_AS((void)load_with({.highest = infinity}), CorruptData);
    CHECK_THROWS_AS((void)load_with({.user = {2.0F, 3.5F, 2.0F}}), CorruptData);
    CHECK_THROWS_AS((void)load_with({.user = {2.0F, 3.5F, 0.0F}}), CorruptData);
    CHECK_THROWS_AS((void)load_with({.user = {2.0F, infinity, 1.0F}}), CorruptData);
    CHECK_THROWS_AS((void)load_with({.user = {3.0F, 1.0F}, .items = {1.0F, 1.0F, 0.0F, 0.0F}}), CorruptData);
    CHECK_THROWS_AS((void)load_with({.items = {1.0F, 2.0F, 0.5F, 0.0F, 0.0F, 0.0F}}), CorruptData);
    CHECK_THROWS_AS((void)load_with({.items = {1.0F, 1.0F, 0.5F, 0.0F, 0.0F, 1.0F}}), CorruptData);
    CHECK_THROWS_AS((void)load_with({.items = {3e38F, 1.0F, 0.5F, 0.0F, 0.0F, 0.0F}}), CorruptData);
}
