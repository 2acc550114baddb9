// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/metrics/auc.hpp>

#include <funnel/core/math.hpp>
#include <funnel/core/rng.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <limits>
#include <span>
#include <vector>

using doctest::Approx;
using funnel::InvalidArgument;
using funnel::Random;
using funnel::metrics::auc;

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
