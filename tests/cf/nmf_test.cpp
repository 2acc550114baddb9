// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/cf/nmf.hpp>

#include "cf/random_log.hpp"
#include "support/model_contract.hpp"
#include "support/temp_dir.hpp"

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
#include <numeric>
#include <span>
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
using List = std::vector<Scored<>>;
using Dense = std::vector<std::vector<double>>;

// The matrix that is factorized, from the definition.
Dense dense(const Interactions& log, bool use_values) {
    Dense x(log.users(), std::vector<double>(log.items()));
    for (const Interaction& row : log) {
        x[row.user][row.item] = row.value > 0.0F ? (use_values ? double{row.value} : 1.0) : 0.0;
    }
    return x;
}

double score(const NMF& model, std::size_t user, std::size_t item) {
    double sum = 0.0;
    for (std::size_t f = 0; f < model.item_factors().cols(); ++f) {
        sum += double{model.user_factors()(user, f)} * double{model.item_factors()(item, f)};
    }
    return sum;
}

double objective(const NMF& model, const Dense& x, double lambda) {
    double sum = 0.0;
    for (std::size_t user = 0; user < x.size(); ++user) {
        for (std::size_t item = 0; item < x[user].size(); ++item) {
            const double miss = x[user][item] - score(model, user, item);
            sum += miss * miss;
        }
    }
    for (const auto rows : {model.user_factors(), model.item_factors()}) {
        for (std::size_t i = 0; i < rows.rows(); ++i) {
            for (const float number : rows.row(i)) {
                sum += lambda * double{number} * double{number};
            }
        }
    }
    return sum;
}

// Half of the derivative of the objective by factor f of a user or an item.
double slope(const NMF& model, const Dense& x, double lambda, bool of_user, std::size_t id, std::size_t f) {
    const auto own = of_user ? model.user_factors() : model.item_factors();
    const auto others = of_user ? model.item_factors() : model.user_factors();
    double sum = lambda * double{own(id, f)};
    for (std::size_t other = 0; other < others.rows(); ++other) {
        const std::size_t user = of_user ? id : other;
        const std::size_t item = of_user ? other : id;
        sum += (score(model, user, item) - x[user][item]) * double{others(other, f)};
    }
    return sum;
}

}  // namespace

TEST_CASE("NMF: keeps what every model promises") {
    testing::check_model<NMF>({.factors = 5, .lambda = 0.1F, .iterations = 5});
    testing::check_model<BasicNMF<funnel::kernels::Scalar>>(
        {.factors = 1, .lambda = 0.0F, .iterations = 0, .use_values = true});
}

// One user, one item, one factor, penalty 1/4: w = h / (h^2 + 1/4) and h = w / (w^2 + 1/4), so w = h and w^2 = 3/4.
TEST_CASE("NMF: worked by hand") {
    const auto log = testing::log_of({{0}}, 1);
    const auto model = NMF::fit(log, {.factors = 1, .lambda = 0.25F, .iterations = 200});
    CHECK(model.score(0, Ids{0})[0] == doctest::Approx(0.75).epsilon(1e-5));
    CHECK(model.user_factors()(0, 0) == doctest::Approx(std::sqrt(0.75)).epsilon(1e-3));
    // Without a penalty, the product is the value.
    const auto five = Interactions::from_ids({{0, 0, 5.0F}}, 1, 1);
    CHECK(NMF::fit(five, {.factors = 1, .lambda = 0.0F}).score(0, Ids{0})[0] == doctest::Approx(1.0));
    CHECK(NMF::fit(five, {.factors = 1, .lambda = 0.0F, .use_values = true}).score(0, Ids{0})[0] ==
          doctest::Approx(5.0));
}

TEST_CASE("NMF: no iteration raises the objective, and no factor is negative") {
    auto rows = std::vector<Interaction>();
    for (Interaction row : testing::random_log(40, 30, 0.2, 9)) {
        row.value -= 1.0F;  // 0 to 4: a 0 counts as nothing
        rows.push_back(row);
    }
    const auto log = Interactions::from_ids(rows, 40, 30);
    for (const bool use_values : {false, true}) {
        const Dense x = dense(log, use_values);
        for (const float lambda : {0.0F, 0.5F}) {
            double last = std::numeric_limits<double>::infinity();
            for (const std::size_t iterations : {0U, 1U, 2U, 3U, 5U, 10U, 20U, 40U, 80U}) {
                const auto model =
                    NMF::fit(log, {.factors = 6, .lambda = lambda, .iterations = iterations, .use_values = use_values});
                const double reached = objective(model, x, double{lambda});
                CHECK(reached < last * (1.0 + 1e-6));  // rounding to float
                last = reached;
                for (const auto factors : {model.user_factors(), model.item_factors()}) {
                    for (std::size_t i = 0; i < factors.rows(); ++i) {
                        CHECK(std::ranges::all_of(factors.row(i), [](const float& f) { return f >= 0.0F; }));
                    }
                }
            }
        }
    }
}

TEST_CASE("NMF: after many iterations, the conditions of Karush, Kuhn and Tucker hold") {
    const auto log = testing::random_log(30, 25, 0.25, 4);
    const Dense x = dense(log, true);
    const auto model = NMF::fit(log, {.factors = 4, .lambda = 1.0F, .iterations = 3000, .use_values = true});
    std::size_t zeros = 0;
    for (const bool of_user : {true, false}) {
        for (std::size_t id = 0; id < (of_user ? x.size() : x[0].size()); ++id) {
            for (std::size_t f = 0; f < 4; ++f) {
                const double number = (of_user ? model.user_factors() : model.item_factors())(id, f);
                const double at = slope(model, x, 1.0, of_user, id, f);
                CHECK(at > -1e-3);          // none could be larger
                CHECK(number * at < 1e-3);  // and none that is not 0 could be smaller
                zeros += number == 0.0 ? 1 : 0;
            }
        }
    }
    CHECK(zeros > 10);
}

// Four disjoint groups of users and items: the matrix has the non-negative rank 4.
TEST_CASE("NMF: finds the parts of which a matrix is made") {
    std::vector<Ids> histories(40);
    for (std::uint32_t user = 0; user < 40; ++user) {
        for (std::uint32_t item = 0; item < 32; ++item) {
            if (item % 4 == user % 4) {
                histories[user].push_back(item);
            }
        }
    }
    const auto log = testing::log_of(histories, 32);
    const auto model = NMF::fit(log, {.factors = 4, .lambda = 0.0F, .iterations = 200});
    CHECK(objective(model, dense(log, false), 0.0) < 1e-6);
    for (std::size_t item = 0; item < 32; ++item) {  // one factor for each group
        CHECK(std::ranges::count_if(model.item_factors().row(item), [](float f) { return f > 1e-3F; }) == 1);
    }
    for (const Scored<>& item : model.similar_items(5, 100)) {
        CHECK((item.id % 4 == 1) == (item.score > 0.99F));
    }
}

TEST_CASE("NMF: update goes on from the factors at hand") {
    const auto log = testing::random_log(60, 40, 0.2, 5);
    auto model = NMF::fit(log, {.factors = 5, .iterations = 3});
    const auto longer = NMF::fit(log, {.factors = 5, .iterations = 6});
    model.update(log, {.factors = 5, .iterations = 3});
    const Ids all = [] {
        Ids ids(40);
        std::iota(ids.begin(), ids.end(), 0U);
        return ids;
    }();
    double miss = 0.0;
    double of_fit = 0.0;
    const auto few = NMF::fit(log, {.factors = 5, .iterations = 3});
    for (std::size_t user = 0; user < 60; ++user) {
        for (std::size_t item = 0; item < 40; ++item) {
            const float expected = longer.score(user, all)[item];
            miss += std::abs(double{model.score(user, all)[item] - expected});
            of_fit += std::abs(double{few.score(user, all)[item] - expected});
        }
    }
    CHECK(miss < 0.5 * of_fit);  // users were solved to the end between the sweeps
    CHECK_THROWS_WITH_AS(model.update(log, {.factors = 4}), "NMF: factors of an update must be 5, got 4",
                         InvalidArgument);
}

TEST_CASE("NMF: fold_in with the history of a training user gives the row of that user, to the bit") {
    const auto log = testing::random_log(40, 50, 0.2, 5);
    for (const bool use_values : {false, true}) {
        const auto model = NMF::fit(log, {.factors = 6, .lambda = 1.0F, .iterations = 5, .use_values = use_values});
        const auto user_item = funnel::data::user_item_matrix(log);
        for (std::size_t user = 0; user < 40; ++user) {
            const auto row = user_item.row(user);
            CHECK(std::ranges::equal(model.fold_in_factors(row.columns, row.values), model.user_factors().row(user)));
        }
    }
}

TEST_CASE("NMF: the shares of an explanation sum up to the score") {
    const auto log = testing::random_log(30, 40, 0.2, 4);
    const auto model = NMF::fit(log, {.factors = 5, .lambda = 0.5F, .iterations = 20, .use_values = true});
    const auto user_item = funnel::data::user_item_matrix(log);
    for (std::uint32_t user = 0; user < 30; ++user) {
        for (const std::uint32_t item : {0U, 17U, 39U}) {
            const List shares = model.explain(user, item, 40);
            CHECK(std::is_sorted(shares.begin(), shares.end(), funnel::ranks_before));
            double sum = 0.0;
            for (const Scored<>& share : shares) {
                CHECK(std::ranges::binary_search(user_item.row(user).columns, share.id));
                sum += double{share.score};
            }
            CHECK(sum == doctest::Approx(model.score(user, Ids{item})[0]).epsilon(1e-3).scale(0.1));
            const List best(shares.begin(), shares.begin() + std::min<std::ptrdiff_t>(2, std::ssize(shares)));
            CHECK(model.explain(user, item, 2) == best);
        }
    }
    CHECK(model.explain(0, 1, 0).empty());
    const auto copies = testing::log_of({{0, 1}, {0, 1}}, 2);  // of rank 1: more factors depend on each other
    const auto singular = NMF::fit(copies, {.factors = 3, .lambda = 0.0F, .iterations = 0});
    CHECK(singular.score(0, Ids{0})[0] == doctest::Approx(1.0).epsilon(0.01));
}

TEST_CASE("NMF: the same bits for 1, 2, 3 and 4 threads; the seed decides") {
    const auto log = testing::random_log(150, 300, 0.1, 5);
    const NMFOptions options{.factors = 7, .iterations = 3};
    const auto expected = NMF::fit(log, options);
    for (const std::size_t count : {1U, 2U, 3U, 4U}) {
        Threads pool(count);
        const auto model = NMF::fit(log, options, pool);
        for (std::size_t item = 0; item < 300; ++item) {
            CHECK(std::ranges::equal(model.item_factors().row(item), expected.item_factors().row(item)));
        }
        for (std::size_t user = 0; user < 150; ++user) {
            CHECK(std::ranges::equal(model.user_factors().row(user), expected.user_factors().row(user)));
        }
    }
    const auto other = NMF::fit(log, {.factors = 7, .iterations = 3, .seed = 2});
    CHECK_FALSE(std::ranges::equal(other.item_factors().row(0), expected.item_factors().row(0)));
}

TEST_CASE("NMF: without use_values, values and repetitions do not matter; dislikes never do") {
    const auto once = testing::log_of({{0, 1}, {1, 2}, {0, 2}}, 4);
    const auto often = Interactions::from_ids(
        {{0, 0, 5.0F}, {0, 1, 0.5F}, {0, 0, 2.0F}, {1, 1}, {1, 2, 1e-30F}, {2, 0}, {2, 2}, {2, 3, -2.0F}}, 3, 4);
    const NMFOptions options{.factors = 2, .lambda = 0.1F};
    for (const bool use_values : {false, true}) {
        NMFOptions with = options;
        with.use_values = use_values;
        const auto model = NMF::fit(often, with);
        CHECK((model.score(0, Ids{0, 1, 2}) == NMF::fit(once, options).score(0, Ids{0, 1, 2})) == !use_values);
        CHECK(model.recommend(2, {.k = 9}).size() == 1);  // item 1: the disliked item 3 is seen
        CHECK(model.explain(2, 0, 9).size() <= 2);
    }
}

TEST_CASE("NMF: rejects options that cannot work, and values that are too large") {
    const auto log = testing::random_log(10, 12, 0.3, 1);
    constexpr float infinity = std::numeric_limits<float>::infinity();
    CHECK_THROWS_AS((void)NMF::fit(log, {.factors = 0}), InvalidArgument);
    CHECK_THROWS_AS((void)NMF::fit(log, {.factors = std::numeric_limits<std::size_t>::max()}), InvalidArgument);
    CHECK_THROWS_WITH_AS((void)NMF::fit(log, {.lambda = -1.0F}), "NMF: lambda must be finite and >= 0, got -1",
                         InvalidArgument);
    CHECK_THROWS_AS((void)NMF::fit(log, {.lambda = infinity}), InvalidArgument);
    std::vector<Interaction> rows;
    for (std::uint32_t i = 0; i < 100; ++i) {
        rows.push_back({i / 10, i % 10, 3e38F});
    }
    CHECK_THROWS_AS((void)NMF::fit(Interactions::from_ids(rows, 10, 10), {.factors = 1, .use_values = true}),
                    InvalidArgument);
    const auto model = NMF::fit(log, {.factors = 2, .lambda = 0.1F, .use_values = true});
    CHECK_THROWS_AS((void)model.fold_in(Ids{0, 1, 2, 3}, std::vector<float>(4, 3e38F)), InvalidArgument);
    CHECK_THROWS_AS((void)model.fold_in_factors(Ids{0}, std::vector<float>{}), InvalidArgument);
}

TEST_CASE("NMF: whole files with contents that cannot be are rejected") {
    const testing::TempDir dir;
    constexpr float infinity = std::numeric_limits<float>::infinity();
    struct Settings {
        float lambda = 1.0F;
        std::uint32_t use_values = 0;
        std::vector<float> user = {1.0F, 2.0F};
        std::vector<float> items = {1.0F, 0.0F, 0.0F, 1.0F};
    };
    const auto load_with = [&](const Settings& settings) {
        funnel::io::ContainerWriter file("cf.NMF", 1);
        const std::vector<std::uint64_t> offsets{0, 1};
        const Ids history{1};
        const std::vector<float> values{1.0F};
        file.value("log_fingerprint", std::uint64_t{0});
        file.value("lambda", settings.lambda);
        file.value("use_values", settings.use_values);
        file.value("items", std::uint64_t{2});
        file.array("history_offsets", std::span(offsets));
        file.array("history_items", std::span(history));
        file.array("history_values", std::span(values));
        file.matrix("user_factors", funnel::MatrixView<const float>(settings.user, 1, settings.user.size()));
        file.matrix("item_factors", funnel::MatrixView<const float>(settings.items, 2, settings.items.size() / 2));
        file.save(dir / "x.fnl");
        return NMF::load(dir / "x.fnl").recommend(0);
    };
    CHECK(load_with({}) == List{{0, 1.0F}});
    CHECK(load_with({.lambda = 0.0F, .use_values = 1}) == List{{0, 1.0F}});
    CHECK_THROWS_AS((void)load_with({.lambda = -1.0F}), CorruptData);
    CHECK_THROWS_AS((void)load_with({.lambda = infinity}), CorruptData);
    CHECK_THROWS_AS((void)load_with({.use_values = 2}), CorruptData);
    CHECK_THROWS_AS((void)load_with({.user = {1.0F, -2.0F}}), CorruptData);
    CHECK_THROWS_AS((void)load_with({.user = {1.0F, infinity}}), CorruptData);
    CHECK_THROWS_AS((void)load_with({.user = {1.0F, 2.0F, 3.0F}}), CorruptData);
    CHECK_THROWS_AS((void)load_with({.items = {1.0F, 0.0F, -1.0F, 1.0F}}), CorruptData);
    CHECK_THROWS_AS((void)load_with({.items = {1.0F, 0.0F, 0.0F, 1e30F}}), CorruptData);  // sums of fold_in overflow
}
