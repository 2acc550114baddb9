// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/cf/bought_together.hpp>

#include "cf/random_log.hpp"
#include "support/model_contract.hpp"

#include <funnel/cf/association.hpp>
#include <funnel/core/scored.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

using funnel::InvalidArgument;
using funnel::Scored;
using namespace funnel::cf;
namespace testing = funnel::testing;

namespace {

using List = std::vector<Scored<>>;
using Ids = std::vector<std::uint32_t>;

// Dunning's form with entropies, where the other one sums observed ln(observed / expected).
double by_entropies(double both, double first, double second, double all) {
    const auto unnormalised = [](const std::vector<double>& counts) {
        double sum = 0.0;
        double result = 0.0;
        for (const double count : counts) {
            sum += count;
            result -= count > 0.0 ? count * std::log(count) : 0.0;
        }
        return result + (sum > 0.0 ? sum * std::log(sum) : 0.0);
    };
    return 2 * (unnormalised({first, all - first}) + unnormalised({second, all - second}) -
                unnormalised({both, first - both, second - both, all - first - second + both}));
}

}  // namespace

TEST_CASE("association: worked by hand") {
    // 100 baskets, 20 with the first item, 10 with the second, 8 with both; by chance 2.
    const PairCounts counts{8, 20, 10, 100};
    CHECK(lift(counts) == doctest::Approx(4.0));
    CHECK(confidence(counts) == doctest::Approx(0.4));
    // Cells 8, 12, 2, 78 where 2, 18, 8, 72 are expected.
    const double expected =
        2 * (8 * std::log(4.0) + 12 * std::log(12.0 / 18) + 2 * std::log(0.25) + 78 * std::log(78.0 / 72));
    CHECK(log_likelihood_ratio(counts) == doctest::Approx(expected));
}

TEST_CASE("association: published values") {
    // Dunning 1993, table 2: "the swiss", 110 together, 2442 and 111 others before and after, 29114 neither.
    CHECK(log_likelihood_ratio({110, 110 + 2442, 110 + 111, 110 + 2442 + 111 + 29114}) ==
          doctest::Approx(270.72).epsilon(1e-4));
    CHECK(log_likelihood_ratio({29, 29 + 13, 29 + 123, 29 + 13 + 123 + 31612}) ==
          doctest::Approx(263.90).epsilon(1e-4));
}

TEST_CASE("association: agrees with the form by entropies; independent items have 0") {
    for (const double all : {10.0, 50.0}) {
        for (double first = 0; first <= all; first += 5) {
            for (double second = 0; second <= all; second += 5) {
                for (double both = std::max(0.0, first + second - all); both <= std::min(first, second); ++both) {
                    CHECK(log_likelihood_ratio({both, first, second, all}) ==
                          doctest::Approx(by_entropies(both, first, second, all)).epsilon(1e-9).scale(1));
                }
            }
        }
    }
    CHECK(log_likelihood_ratio({10, 20, 50, 100}) == doctest::Approx(0.0));
    CHECK(lift({10, 20, 50, 100}) == doctest::Approx(1.0));
    CHECK(log_likelihood_ratio({0, 0, 0, 0}) == 0.0);
    CHECK(lift({0, 0, 3, 9}) == 0.0);
    CHECK(confidence({0, 0, 3, 9}) == 0.0);
}

TEST_CASE("BoughtTogether: keeps what every model promises") {
    testing::check_model<BoughtTogether>({.neighbours = 5, .min_support = 1});
    testing::check_model<BoughtTogether>({.association = Association::Lift});
    testing::check_model<BoughtTogether>({.association = Association::Confidence});
}

TEST_CASE("BoughtTogether: worked by hand") {
    // Items 0 and 1 share three of eight baskets with items, items 0 and 2 two, and items 0 and 3 one; the last is empty.
    const auto log = testing::log_of({{0, 1}, {0, 1}, {0, 1, 2}, {0, 2, 3}, {4}, {4}, {4, 5}, {5}, {}}, 6);
    const auto lifts = BoughtTogether::fit(log, {.association = Association::Lift});
    CHECK(lifts.similar_items(0, 9) == List{{1, 2.0F}, {2, 2.0F}});  // 3 * 8 / (4 * 3), 2 * 8 / (4 * 2)
    CHECK(lifts.similar_items(4, 9).empty());                        // items 4 and 5 share a single basket
    const auto shares = BoughtTogether::fit(log, {.association = Association::Confidence});
    CHECK(shares.similar_items(0, 9) == List{{1, 0.75F}, {2, 0.5F}});
    CHECK(shares.similar_items(1, 9) == List{{0, 1.0F}});
    const auto sure = BoughtTogether::fit(log);
    CHECK(sure.similar_items(0, 9).front().score == doctest::Approx(static_cast<float>(by_entropies(3, 4, 3, 8))));
    // For a cart, the companions of all its items count.
    const List list = shares.fold_in(Ids{1, 2}).recommend();
    REQUIRE(list.size() == 1);
    CHECK(list[0] == Scored<>{0, 2.0F});
}

TEST_CASE("BoughtTogether: agrees with the definition on random input") {
    const auto log = testing::random_log(60, 20, 0.25, 3);
    const auto x = testing::dense_matrix(log);
    double baskets = 0.0;
    for (const auto& row : x) {
        baskets += std::ranges::count(row, 1.0) > 0 ? 1.0 : 0.0;
    }
    for (const Association association :
         {Association::LogLikelihoodRatio, Association::Lift, Association::Confidence}) {
        for (const std::size_t support : {1U, 4U}) {
            const auto model =
                BoughtTogether::fit(log, {.neighbours = 100, .min_support = support, .association = association});
            for (std::uint32_t i = 0; i < 20; ++i) {
                for (std::uint32_t j = 0; j < 20; ++j) {
                    double both = 0.0;
                    double first = 0.0;
                    double second = 0.0;
                    for (const auto& row : x) {
                        both += row[i] * row[j];
                        first += row[i];
                        second += row[j];
                    }
                    double expected = association == Association::Lift ? both * baskets / (first * second)
                                      : association == Association::Confidence
                                          ? both / first
                                          : by_entropies(both, first, second, baskets);
                    if (i == j || both < static_cast<double>(support) || both * baskets <= first * second) {
                        expected = 0.0;
                    }
                    CHECK(static_cast<double>(model.weights().weight(i, j)) ==
                          doctest::Approx(expected).epsilon(1e-5).scale(1));
                }
            }
        }
    }
}

TEST_CASE("BoughtTogether: what everybody buys is nobody's companion") {
    // A count of pairs alone would put the bag (item 0) next to everything.
    const auto log = testing::log_of({{0, 1, 2}, {0, 1, 2}, {0, 1}, {0, 3}, {0, 3, 4}, {0, 4}, {0}}, 5);
    const auto model = BoughtTogether::fit(log);
    for (std::uint32_t item = 1; item < 5; ++item) {
        CHECK(model.weights().weight(item, 0) == 0.0F);
    }
    CHECK(model.similar_items(2, 1).front().id == 1);
}

TEST_CASE("BoughtTogether: rejects what cannot work") {
    const auto log = testing::log_of({{0}}, 1);
    CHECK_THROWS_AS((void)BoughtTogether::fit(log, {.neighbours = 0}), InvalidArgument);
    CHECK_THROWS_AS((void)BoughtTogether::fit(log, {.min_support = 0}), InvalidArgument);
    CHECK_THROWS_AS((void)BoughtTogether::fit(log, {.association = static_cast<Association>(3)}), InvalidArgument);
}
