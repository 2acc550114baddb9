// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/cf/similar.hpp>

#include "cf/random_log.hpp"

#include <funnel/cf/bpr.hpp>
#include <funnel/cf/ease.hpp>
#include <funnel/cf/implicit_als.hpp>
#include <funnel/cf/popularity.hpp>
#include <funnel/cf/warp.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/scored.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

using funnel::Scored;
using namespace funnel::cf;
namespace testing = funnel::testing;

namespace {

using List = std::vector<Scored<>>;
using Ids = std::vector<std::uint32_t>;

template <class M>
concept ComparesItems = requires(const M& model) { model.similar_items(0, 1); };
// Of the first columns of two rows.
double cosine(funnel::MatrixView<const float> rows, std::size_t x, std::size_t y, std::size_t columns) {
    double xy = 0.0;
    double xx = 0.0;
    double yy = 0.0;
    for (std::size_t k = 0; k < columns; ++k) {
        xy += double{rows(x, k)} * rows(y, k);
        xx += double{rows(x, k)} * rows(x, k);
        yy += double{rows(y, k)} * rows(y, k);
    }
    return xy / std::sqrt(xx * yy);
}

doctest::Approx near(double x) {
    return doctest::Approx(x).epsilon(1e-5);
}

static_assert(ComparesItems<EASE> && ComparesItems<ImplicitALS> && !ComparesItems<Popularity>);

}  // namespace

TEST_CASE("most_similar: above 0, without the one that was asked about, ties to the smaller id") {
    const std::vector<float> similarities{0.5F, -1.0F, 1.0F, 0.5F, 0.0F, 0.7F, 0.5F};
    CHECK(most_similar(similarities, 2, 9) == List{{5, 0.7F}, {0, 0.5F}, {3, 0.5F}, {6, 0.5F}});
    CHECK(most_similar(similarities, 2, 2) == List{{5, 0.7F}, {0, 0.5F}});
    CHECK(most_similar(similarities, 5, 1) == List{{2, 1.0F}});
    CHECK(most_similar(similarities, 2, 2, [](std::uint32_t id) { return id % 2 == 0; }) == List{{0, 0.5F}, {6, 0.5F}});
    CHECK(most_similar(similarities, 2, 0).empty());
    CHECK(most_similar({}, 0, 3).empty());
}

TEST_CASE("most_similar_rows: worked by hand") {
    // Cosines to (1, 0): 1, 0.6, -1, 0 and, of a row of zeros, 0.
    funnel::Matrix<float> rows(6, 2);
    rows(0, 0) = 1.0F;
    rows(1, 0) = 7.0F;
    rows(2, 0) = 3.0F;
    rows(2, 1) = -4.0F;
    rows(3, 0) = -2.0F;
    rows(4, 1) = 5.0F;
    const List list = most_similar_rows(rows.view(), 0, 9);
    REQUIRE(list.size() == 2);
    CHECK(list[0].id == 1);
    CHECK(list[0].score == doctest::Approx(1.0));
    CHECK(list[1].id == 2);
    CHECK(list[1].score == doctest::Approx(0.6));
    CHECK(most_similar_rows(rows.view(), 5, 9).empty());
}

TEST_CASE("users_with_similar_histories: agrees with the definition") {
    // User 0 has {0, 1, 2}: shares 1 of 1 with user 1, 2 of 4 with user 3 and nothing with 2 and 4.
    const auto log = testing::log_of({{0, 1, 2}, {1}, {5}, {1, 2, 3, 4}, {}}, 6);
    const auto model = Popularity::fit(log);
    const List list = model.similar_users(0, 9);
    REQUIRE(list.size() == 2);
    CHECK(list[0].id == 1);  // 1 / sqrt(3 * 1) and 2 / sqrt(3 * 4) are equal up to rounding
    CHECK(list[0].score == doctest::Approx(1 / std::sqrt(3.0)));
    CHECK(list[1].score == doctest::Approx(2 / std::sqrt(12.0)));
    CHECK(model.similar_users(4, 9).empty());

    const auto random = testing::random_log(30, 20, 0.2, 5);
    const auto x = testing::dense_matrix(random);
    const auto fitted = EASE::fit(random);
    for (std::size_t user = 0; user < 30; ++user) {
        std::size_t listed = 0;
        for (const Scored<>& other : fitted.similar_users(user, 30)) {
            double shared = 0.0;
            double own = 0.0;
            double others = 0.0;
            for (std::size_t item = 0; item < 20; ++item) {
                shared += x[user][item] * x[other.id][item];
                own += x[user][item];
                others += x[other.id][item];
            }
            CHECK(double{other.score} == doctest::Approx(shared / std::sqrt(own * others)));
            ++listed;
        }
        std::size_t sharing = 0;
        for (std::size_t other = 0; other < 30; ++other) {
            bool shares = false;
            for (std::size_t item = 0; item < 20; ++item) {
                shares = shares || x[user][item] * x[other][item] > 0.0;
            }
            sharing += shares && other != user ? 1 : 0;
        }
        CHECK(listed == sharing);
    }
}

TEST_CASE("similar_items: the weights of a linear model, the cosines of factors") {
    const auto log = testing::random_log(60, 15, 0.3, 8);
    const auto ease = EASE::fit(log, {.lambda = 5.0F});
    const auto als = ImplicitALS::fit(log, {.factors = 4, .iterations = 3});
    for (std::uint32_t item = 0; item < 15; ++item) {
        for (const Scored<>& other : ease.similar_items(item, 15)) {
            CHECK(other.score == ease.weights().weight(item, other.id));
        }
        for (const Scored<>& other : als.similar_items(item, 15)) {
            CHECK(double{other.score} == near(cosine(als.item_factors(), item, other.id, 4)));
        }
    }
}

// Items 0 and 1 are in every history, so their biases are large. Each user has items of one half, {2..5} or {6..9}.
TEST_CASE_TEMPLATE("similar_items, similar_users: a bias, and the 1 beside it, make nobody similar", M, BPR, WARP) {
    std::vector<Ids> histories(40);
    funnel::Random random(3);
    for (std::uint32_t user = 0; user < histories.size(); ++user) {
        histories[user] = {0, 1};
        const std::uint32_t own_half = user % 2 == 0 ? 2 : 6;
        for (std::uint32_t item = own_half; item < own_half + 4; ++item) {
            if (random.uniform() < 0.6) {
                histories[user].push_back(item);
            }
        }
    }
    const auto model = M::fit(testing::log_of(histories, 12), {.factors = 4, .epochs = 60, .learning_rate = 0.05F});
    REQUIRE(model.item_factors().row(0).back() > 1.0F);
    for (std::uint32_t item = 0; item < 10; ++item) {
        for (const Scored<>& other : model.similar_items(item, 12)) {
            CHECK(double{other.score} == near(cosine(model.item_factors(), item, other.id, 4)));
        }
    }
    REQUIRE(model.user_factors().row(0).back() == 1.0F);
    const List neighbours = model.similar_users(0, 40);
    for (const Scored<>& other : neighbours) {
        CHECK(double{other.score} == near(cosine(model.user_factors(), 0, other.id, 4)));
    }
    CHECK(neighbours.size() < 30);  // not the users of the other half
}
