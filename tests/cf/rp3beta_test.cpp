// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/cf/rp3beta.hpp>

#include "cf/random_log.hpp"
#include "support/model_contract.hpp"

#include <funnel/core/scored.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

using funnel::InvalidArgument;
using funnel::Scored;
using namespace funnel::cf;
namespace testing = funnel::testing;

namespace {

using Ids = std::vector<std::uint32_t>;
using Table = std::vector<std::vector<double>>;

// As a product of transition matrices: P_iu^alpha times P_ui^alpha, divided by popularity.
Table weights_by_definition(const funnel::data::Interactions& log, double alpha, double beta) {
    const Table x = testing::dense_matrix(log);
    const std::size_t n = log.items();
    std::vector<double> of_user(x.size(), 0.0);
    std::vector<double> of_item(n, 0.0);
    for (std::size_t user = 0; user < x.size(); ++user) {
        for (std::size_t item = 0; item < n; ++item) {
            of_user[user] += x[user][item];
            of_item[item] += x[user][item];
        }
    }
    Table weights(n, std::vector<double>(n, 0.0));
    for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t j = 0; j < n; ++j) {
            for (std::size_t user = 0; user < x.size() && i != j; ++user) {
                if (x[user][i] > 0.0 && x[user][j] > 0.0) {
                    weights[i][j] += std::pow(1 / of_item[i], alpha) * std::pow(1 / of_user[user], alpha);
                }
            }
            weights[i][j] /= std::pow(std::max(of_item[j], 1.0), beta);
        }
    }
    return weights;
}

}  // namespace

TEST_CASE("RP3Beta: keeps what every model promises") {
    testing::check_model<RP3Beta>({.neighbours = 5});
    testing::check_model<RP3Beta>({.neighbours = std::numeric_limits<std::size_t>::max(), .alpha = 0.5F});
}

TEST_CASE("RP3Beta: worked by hand") {
    // User 0: items 0 1;  user 1: items 0 1 2.  From item 0, half of the walks go to each user; user 0 goes to item 1
    // with 1/2, user 1 to items 1 and 2 with 1/3 each: 1/4 + 1/6 = 5/12 to item 1, and 1/6 to item 2.
    const auto log = testing::log_of({{0, 1}, {0, 1, 2}}, 3);
    const auto walks = RP3Beta::fit(log, {.beta = 0.0F});
    CHECK(walks.weights().weight(0, 1) == doctest::Approx(5.0 / 12));
    CHECK(walks.weights().weight(0, 2) == doctest::Approx(1.0 / 6));
    CHECK(walks.weights().weight(2, 0) == doctest::Approx(1.0 / 3));
    CHECK(walks.weights().weight(0, 0) == 0.0F);
    // With beta = 1, the weight to item 1, which has 2 users, is halved, and that to item 2 stays.
    const auto discounted = RP3Beta::fit(log, {.beta = 1.0F});
    CHECK(discounted.weights().weight(0, 1) == doctest::Approx(5.0 / 24));
    CHECK(discounted.weights().weight(0, 2) == doctest::Approx(1.0 / 6));
    CHECK(walks.recommend(0).front() == Scored<>{2, walks.weights().weight(0, 2) + walks.weights().weight(1, 2)});
}

TEST_CASE("RP3Beta: agrees with the definition on random input") {
    const auto log = testing::random_log(40, 30, 0.15, 3);
    for (const float alpha : {0.0F, 0.7F, 1.0F}) {
        for (const float beta : {0.0F, 0.6F}) {
            const Table expected = weights_by_definition(log, static_cast<double>(alpha), static_cast<double>(beta));
            const auto model = RP3Beta::fit(log, {.alpha = alpha, .beta = beta});
            const auto few = RP3Beta::fit(log, {.neighbours = 3, .alpha = alpha, .beta = beta});
            for (std::uint32_t i = 0; i < 30; ++i) {
                std::vector<float> row;
                for (std::uint32_t j = 0; j < 30; ++j) {
                    CHECK(model.weights().weight(i, j) == doctest::Approx(expected[i][j]));
                    row.push_back(model.weights().weight(i, j));
                }
                std::ranges::sort(row, std::ranges::greater{});
                std::vector<float> kept;
                for (std::uint32_t j = 0; j < 30; ++j) {
                    if (few.weights().weight(i, j) > 0.0F) {
                        kept.push_back(few.weights().weight(i, j));
                    }
                }
                std::ranges::sort(kept, std::ranges::greater{});
                row.resize(kept.size());
                CHECK(kept == row);
                CHECK(kept.size() <= 3);
            }
        }
    }
}

TEST_CASE("RP3Beta: with alpha = 1 and beta = 0, scores are |I_u| times the probabilities of walks") {
    const auto log = testing::random_log(20, 15, 0.3, 9);
    const auto model = RP3Beta::fit(log, {.beta = 0.0F});
    const Table x = testing::dense_matrix(log);
    for (std::size_t user = 0; user < 20; ++user) {
        double size = 0.0;
        double back = 0.0;  // to the item where a walk came from
        for (std::size_t item = 0; item < 15; ++item) {
            size += x[user][item];
            double users = 0.0;
            double through = 0.0;
            for (const auto& row : x) {
                users += row[item];
                double length = 0.0;
                for (const double taken : row) {
                    length += taken;
                }
                through += row[item] > 0.0 ? 1 / length : 0.0;
            }
            back += x[user][item] > 0.0 ? through / users : 0.0;
        }
        double sum = 0.0;
        for (const float score : model.score(user, Ids{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14})) {
            sum += static_cast<double>(score);
        }
        CHECK(sum + back == doctest::Approx(size));
    }
}

TEST_CASE("RP3Beta: rejects what cannot work") {
    const auto log = testing::log_of({{0}}, 1);
    CHECK_THROWS_AS((void)RP3Beta::fit(log, {.neighbours = 0}), InvalidArgument);
    for (const float bad : {-1.0F, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
        CHECK_THROWS_AS((void)RP3Beta::fit(log, {.alpha = bad}), InvalidArgument);
        CHECK_THROWS_AS((void)RP3Beta::fit(log, {.beta = bad}), InvalidArgument);
    }
}
