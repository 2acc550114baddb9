// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/metrics/auc.hpp>

#include <funnel/core/math.hpp>
#include <funnel/core/rng.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

using doctest::Approx;
using funnel::InvalidArgument;
using funnel::Random;
using funnel::metrics::auc;
using funnel::metrics::auc_of_list;
using funnel::metrics::grouped_auc;
using funnel::metrics::GroupWeight;

namespace {

using Floats = std::vector<float>;

double auc_by_definition(const Floats& scores, const Floats& labels) {
    double won = 0.0;
    double pairs = 0.0;
    for (std::size_t i = 0; i < scores.size(); ++i) {
        for (std::size_t j = 0; j < scores.size(); ++j) {
            if (labels[i] > 0.0F && labels[j] == 0.0F) {
                won += scores[i] > scores[j] ? 1.0 : scores[i] == scores[j] ? 0.5 : 0.0;
                pairs += 1.0;
            }
        }
    }
    return won / pairs;
}

}  // namespace

TEST_CASE("auc: worked by hand, a tie is worth one half") {
    // Relevant 0.9 and 0.5, others 0.5 and 0.1: of four pairs three are right and one is a tie.
    const Floats scores{0.9F, 0.5F, 0.5F, 0.1F};
    CHECK(auc(scores, Floats{1, 1, 0, 0}) == 0.875);  // ties as losses: 0.75; as wins: 1
    CHECK(auc(scores, Floats{0, 0, 1, 1}) == 0.125);
    CHECK(auc(scores, Floats{3, 0.5F, 0, 0}) == 0.875);  // the size of a label does not matter
}

TEST_CASE("auc: agrees with the definition on random scores with many ties") {
    Random random(3);
    for (const std::size_t n : {2U, 3U, 10U, 60U}) {
        for (int round = 0; round < 20; ++round) {
            Floats scores(n);
            Floats labels(n);
            for (std::size_t i = 0; i < n; ++i) {
                scores[i] = static_cast<float>(random.below(n)) - 5.0F;
                labels[i] = i == 0 ? 1.0F : i == 1 ? 0.0F : static_cast<float>(random.below(2));
            }
            CHECK(auc(scores, labels) == auc_by_definition(scores, labels));
        }
    }
}

TEST_CASE("auc: all equal is one half, and a list that counts from the top is (places below - rank + 1) / places") {
    CHECK(auc(Floats(5, 2.0F), Floats{0, 1, 0, 1, 1}) == 0.5);
    CHECK(auc(Floats{4, 3, 2, 1}, Floats{1, 1, 0, 0}) == 1.0);
    CHECK(auc(Floats{4, 3, 2, 1}, Floats{0, 0, 1, 1}) == 0.0);
    CHECK(auc(Floats{4, 3, 2, 1}, Floats{0, 1, 0, 0}) == Approx(2.0 / 3.0));
}

TEST_CASE("auc: what was not shown, tied below what was, gives the AUC@k of other toolkits") {
    // Ten items of which two are relevant, lists of two: a hit and a miss, no hit, two hits.
    CHECK(auc(Floats{2, 1, 0, 0, 0, 0, 0, 0, 0, 0}, Floats{1, 0, 1, 0, 0, 0, 0, 0, 0, 0}) == 0.71875);
    CHECK(auc(Floats{2, 1, 0, 0, 0, 0, 0, 0, 0, 0}, Floats{0, 0, 1, 1, 0, 0, 0, 0, 0, 0}) == 0.375);
    CHECK(auc(Floats{2, 1, 0, 0, 0, 0, 0, 0, 0, 0}, Floats{1, 1, 0, 0, 0, 0, 0, 0, 0, 0}) == 1.0);
}

TEST_CASE("auc: depends on the order of scores only, infinities included") {
    constexpr float infinity = std::numeric_limits<float>::infinity();
    const Floats labels{1, 0, 1, 0};
    const double value = auc(Floats{1, 2, 3, 4}, labels);
    CHECK(auc(Floats{-infinity, -1, 1e30F, infinity}, labels) == value);
    CHECK(auc(Floats{4, 3, 2, 1}, Floats{0, 1, 0, 1}) == value);  // the same examples, turned around
    CHECK(auc(Floats{-0.0F, 0.0F}, Floats{1, 0}) == 0.5);
}

TEST_CASE("auc: large enough that products of counts need 64 bits") {
    constexpr std::size_t n = 200'000;  // 10^10 pairs
    Floats scores(n);
    Floats labels(n);
    for (std::size_t i = 0; i < n; ++i) {
        scores[i] = static_cast<float>(i / 2);
        labels[i] = static_cast<float>(i % 2);
    }
    CHECK(auc(scores, labels) == 0.5);  // each relevant item ties with one other and beats those of lower score
}

TEST_CASE("auc: NaN if there is no pair") {
    CHECK(funnel::math::is_nan(auc({}, {})));
    CHECK(funnel::math::is_nan(auc(Floats{1, 2}, Floats{1, 1})));
    CHECK(funnel::math::is_nan(auc(Floats{1, 2}, Floats{0, 0})));
}

TEST_CASE("auc: rejects what cannot be ordered") {
    constexpr float nan = std::numeric_limits<float>::quiet_NaN();
    CHECK_THROWS_AS((void)auc(Floats{1, 2}, Floats{1}), InvalidArgument);
    CHECK_THROWS_AS((void)auc(Floats{1, nan}, Floats{1, 0}), InvalidArgument);
    CHECK_THROWS_AS((void)auc(Floats{1, 2}, Floats{1, -1}), InvalidArgument);
    CHECK_THROWS_AS((void)auc(Floats{1, 2}, Floats{1, nan}), InvalidArgument);
}

TEST_CASE("auc: ties count one half, not nothing as in Cornac") {
    // Pairs: .9 beats .5 and .1; .5 ties with .5 and beats .1.
    CHECK(auc(std::vector<float>{.9F, .5F, .5F, .1F}, std::vector<float>{1, 1, 0, 0}) == 0.875);
}

TEST_CASE("grouped_auc: worked by hand") {
    // User 3: 3 examples, AUC 1/2 (one of two pairs); user 1: 2 examples, AUC 1; user 2 has no pair.
    const std::vector<float> scores{.5F, .9F, .1F, .7F, .3F, .9F};
    const std::vector<float> labels{1, 0, 0, 1, 0, 1};
    const std::vector<std::uint32_t> users{3, 3, 3, 1, 1, 2};
    CHECK(grouped_auc(scores, labels, users) == doctest::Approx((3 * 0.5 + 2) / 5));
    CHECK(grouped_auc(scores, labels, users, GroupWeight::Positives) == doctest::Approx(0.75));
    CHECK(grouped_auc(scores, labels, users, GroupWeight::Uniform) == doctest::Approx(0.75));
    const std::vector<float> more{1, 1, 0, 1, 0, 1};  // user 3: AUC 1, two positives
    CHECK(grouped_auc(std::vector<float>{.5F, .9F, .1F, .3F, .7F, .9F}, more, users, GroupWeight::Positives) ==
          doctest::Approx(2.0 / 3));
    CHECK(funnel::math::is_nan(grouped_auc({}, {}, {})));
}

TEST_CASE("grouped_auc: a score of the user alone ranks nothing, although its auc is high") {
    const std::vector<float> scores{.9F, .9F, .9F, .1F, .1F, .1F};
    const std::vector<float> labels{1, 1, 0, 1, 0, 0};
    CHECK(grouped_auc(scores, labels, std::vector<std::uint32_t>{0, 0, 0, 1, 1, 1}) == 0.5);
    CHECK(auc(scores, labels) > 0.6);
}

TEST_CASE("auc_of_list: values of implicit, with ten items and two relevant ones") {
    CHECK(auc_of_list(std::vector<float>{1, 0}, 2, 10) == 0.71875);
    CHECK(auc_of_list(std::vector<float>{0, 0}, 2, 10) == 0.375);
    CHECK(auc_of_list(std::vector<float>{1, 1}, 2, 10) == 1.0);
    CHECK(auc_of_list({}, 2, 10) == 0.5);
    CHECK(funnel::math::is_nan(auc_of_list({}, 0, 10)));
}

TEST_CASE("grouped_auc, auc_of_list: reject bad input") {
    const std::vector<float> one{1};
    CHECK_THROWS_AS(static_cast<void>(grouped_auc(one, one, {})), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(grouped_auc(one, {}, std::vector<std::uint32_t>{1})), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(auc_of_list(one, 0, 10)), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(auc_of_list(std::vector<float>{0, 0}, 1, 2)), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(auc_of_list(one, 3, 2)), InvalidArgument);
}
