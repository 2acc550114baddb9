// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/cf/similar.hpp>

#include "cf/random_log.hpp"

#include <funnel/cf/ease.hpp>
#include <funnel/cf/implicit_als.hpp>
#include <funnel/cf/popularity.hpp>
#include <funnel/core/matrix.hpp>
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
            const auto a = als.item_factors().row(item);
            const auto b = als.item_factors().row(other.id);
            double ab = 0.0;
            double aa = 0.0;
            double bb = 0.0;
            for (std::size_t k = 0; k < 4; ++k) {
                ab += double{a[k]} * b[k];
                aa += double{a[k]} * a[k];
                bb += double{b[k]} * b[k];
            }
            CHECK(double{other.score} == doctest::Approx(ab / std::sqrt(aa * bb)).epsilon(1e-5));
        }
    }
}
