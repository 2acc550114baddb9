// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/cf/ease.hpp>

#include "cf/random_log.hpp"
#include "support/damage.hpp"
#include "support/model_contract.hpp"
#include "support/temp_dir.hpp"

#include <funnel/core/parallel.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/data/user_item_matrix.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
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

// Gauss-Jordan with row exchanges.
Table inverse(Table a) {
    const std::size_t n = a.size();
    Table result(n, std::vector<double>(n, 0.0));
    for (std::size_t i = 0; i < n; ++i) {
        result[i][i] = 1.0;
    }
    for (std::size_t column = 0; column < n; ++column) {
        std::size_t pivot = column;
        for (std::size_t i = column; i < n; ++i) {
            pivot = std::abs(a[i][column]) > std::abs(a[pivot][column]) ? i : pivot;
        }
        std::swap(a[column], a[pivot]);
        std::swap(result[column], result[pivot]);
        const double scale = a[column][column];
        for (std::size_t j = 0; j < n; ++j) {
            a[column][j] /= scale;
            result[column][j] /= scale;
        }
        for (std::size_t i = 0; i < n; ++i) {
            const double factor = a[i][column];
            for (std::size_t j = 0; i != column && j < n; ++j) {
                a[i][j] -= factor * a[column][j];
                result[i][j] -= factor * result[column][j];
            }
        }
    }
    return result;
}

Table weights_by_definition(const funnel::data::Interactions& log, double lambda) {
    const Table x = testing::dense_matrix(log);
    const std::size_t n = log.items();
    Table gram(n, std::vector<double>(n, 0.0));
    for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t j = 0; j < n; ++j) {
            for (const auto& row : x) {
                gram[i][j] += row[i] * row[j];
            }
        }
        gram[i][i] += lambda;
    }
    Table p = inverse(gram);
    Table b(n, std::vector<double>(n, 0.0));
    for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t j = 0; j < n; ++j) {
            b[i][j] = i == j ? 0.0 : -p[i][j] / p[j][j];
        }
    }
    return b;
}

}  // namespace

TEST_CASE("EASE: keeps what every model promises") {
    testing::check_model<EASE>({.lambda = 5.0F});
}

TEST_CASE("EASE: worked by hand") {
    // One user with both items, lambda = 1: X^T X + I = [2 1; 1 2], P = [2 -1; -1 2] / 3, B_01 = 1 / 2.
    const auto model = EASE::fit(testing::log_of({{0, 1}}, 2), {.lambda = 1.0F});
    CHECK(model.weights().weight(0, 1) == doctest::Approx(0.5));
    CHECK(model.weights().weight(0, 0) == 0.0F);
}

TEST_CASE("EASE: published values") {
    // X = 1100 / 1010 / 0111 / 1110 / 0011, lambda = 1.
    const auto model = EASE::fit(testing::log_of({{0, 1}, {0, 2}, {1, 2, 3}, {0, 1, 2}, {2, 3}}, 4), {.lambda = 1.0F});
    const Table expected{
        {0, .4375, .4375, -.318182}, {.4, 0, .125, .181818}, {.4, .125, 0, .454545}, {-.4, .25, .625, 0}};
    for (std::uint32_t i = 0; i < 4; ++i) {
        for (std::uint32_t j = 0; j < 4; ++j) {
            CHECK(model.weights().weight(i, j) == doctest::Approx(expected[i][j]).epsilon(1e-6));
        }
    }
    const std::vector<float> scores = model.score(0, Ids{0, 1, 2, 3});
    CHECK(scores[0] == doctest::Approx(.4));
    CHECK(scores[1] == doctest::Approx(.4375));
    CHECK(scores[2] == doctest::Approx(.5625));
    CHECK(scores[3] == doctest::Approx(-.136364).epsilon(1e-5));
    // Seen items are removed, also where all that is left has a negative score.
    const List list = model.recommend(0);
    REQUIRE(list.size() == 2);
    CHECK(list[0].id == 2);
    CHECK(list[1].id == 3);
}

TEST_CASE("EASE: agrees with the definition on random input") {
    for (const float lambda : {0.5F, 20.0F}) {
        const auto log = testing::random_log(50, 70, 0.15, 21);
        const auto model = EASE::fit(log, {.lambda = lambda});
        const Table expected = weights_by_definition(log, static_cast<double>(lambda));
        for (std::uint32_t i = 0; i < 70; ++i) {
            for (std::uint32_t j = 0; j < 70; ++j) {
                // Rounded to float at the end; learned in double.
                CHECK(model.weights().weight(i, j) == doctest::Approx(expected[i][j]).epsilon(1e-6));
            }
        }
    }
}

TEST_CASE("EASE: folding in a training user's history gives the training user's list; shares add up") {
    const auto log = testing::random_log(25, 30, 0.2, 8);
    const auto model = EASE::fit(log, {.lambda = 5.0F});
    const Histories histories(funnel::data::user_item_matrix(log));
    for (std::size_t user = 0; user < log.users(); ++user) {
        CHECK(model.fold_in(histories.of(user)).recommend({.k = 30}) == model.recommend(user, {.k = 30}));
        for (const Scored<>& item : model.recommend(user, {.k = 30})) {
            double sum = 0.0;
            for (const Scored<>& share : model.explain(user, item.id, 30)) {
                sum += static_cast<double>(share.score);
            }
            CHECK(item.score == doctest::Approx(sum).epsilon(1e-5));  // float sums of up to 15 terms
            CHECK(model.score(user, Ids{item.id}).front() == item.score);
        }
    }
}

TEST_CASE("EASE: any number of threads gives the same file, which comes back, if undamaged") {
    const testing::TempDir dir;
    const auto log = testing::random_log(60, 70, 0.1, 5);
    const auto model = EASE::fit(log, {.lambda = 5.0F});
    model.save(dir / "a.fnl");
    const auto bytes = testing::bytes_of(dir / "a.fnl");
    for (const std::size_t count : {1U, 2U, 4U}) {
        Threads pool(count);
        EASE::fit(log, {.lambda = 5.0F}, pool).save(dir / "b.fnl");
        CHECK(testing::bytes_of(dir / "b.fnl") == bytes);
    }
    const auto loaded = EASE::load(dir / "a.fnl");
    for (std::size_t user = 0; user < log.users(); ++user) {
        CHECK(loaded.recommend(user) == model.recommend(user));
    }
    loaded.save(dir / "b.fnl");
    CHECK(testing::bytes_of(dir / "b.fnl") == bytes);
    testing::check_damage(bytes, [](const auto& path) { return EASE::load(path).recommend(3); });
}

TEST_CASE("EASE: values and repetitions in the log do not matter") {
    const auto once = testing::log_of({{0, 1}, {1, 2}, {0, 2}}, 3);
    const auto often = funnel::data::Interactions::from_ids(
        {{0, 0, 5.0F}, {0, 1, 0.5F}, {0, 0, 2.0F}, {1, 1}, {1, 2, 1e-30F}, {2, 0}, {2, 2}, {2, 2}}, 3, 3);
    CHECK(EASE::fit(once).recommend(0) == EASE::fit(often).recommend(0));
}

TEST_CASE("EASE: edges of the log") {
    CHECK(EASE::fit({}).items() == 0);
    const auto silent = EASE::fit(funnel::data::Interactions::from_ids({}, 2, 3));
    CHECK(silent.recommend(1).empty());
    CHECK(silent.weights().weight(0, 1) == 0.0F);
    const auto model = EASE::fit(testing::log_of({{0, 1}, {0, 1, 2}, {}}, 4));
    CHECK(model.recommend(1).empty());  // nobody took item 3
    CHECK(model.recommend(2).empty());
}

TEST_CASE("EASE: users are not shown items that have nothing to do with theirs") {
    // Two worlds apart; user 0 has one item of the first.
    const auto model = EASE::fit(testing::log_of({{0}, {0, 1}, {0, 1}, {2, 3}, {2, 3}}, 5), {.lambda = 1.0F});
    const List list = model.recommend(0);
    REQUIRE(list.size() == 1);
    CHECK(list[0].id == 1);
    CHECK(model.recommend(0, {.k = 9, .keep_seen = true}) == list);  // nothing else speaks for item 0
}

TEST_CASE("EASE: a catalogue that memory cannot hold is refused, with the size that it needs") {
    // No rows, and 2^20 items: 12 * 2^40 bytes.
    struct ManyItems {
        [[nodiscard]] std::size_t users() const { return 1; }
        [[nodiscard]] std::size_t items() const { return std::size_t{1} << 20; }
        [[nodiscard]] std::size_t size() const { return 0; }
        funnel::data::Interaction operator[](std::size_t) const { return {}; }
    };
    std::string message;
    try {
        (void)EASE::fit(ManyItems{});
    } catch (const InvalidArgument& error) {
        message = error.what();
    }
    CHECK(message.find("EASE: 1048576 items need 13194139 MB of memory, but this machine or process has ") == 0);
}

TEST_CASE("EASE: rejects what cannot work") {
    const auto log = testing::log_of({{0, 1}}, 2);
    for (const float bad :
         {0.0F, -1.0F, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
        CHECK_THROWS_AS((void)EASE::fit(log, {.lambda = bad}), InvalidArgument);
    }
    const auto apart = testing::log_of({{0}, {1}}, 2);  // X^T X has an inverse of its own
    CHECK_THROWS_AS((void)EASE::fit(apart, {.lambda = 0.0F}), InvalidArgument);
    CHECK_THROWS_AS((void)EASE::fit(apart, {.lambda = -0.5F}), InvalidArgument);
    CHECK_THROWS_AS((void)EASE::fit(log, {.lambda = 1e-30F}), InvalidArgument);  // 1 + lambda rounds to 1
}
