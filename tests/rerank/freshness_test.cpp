// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/rerank/freshness.hpp>

#include <funnel/core/rng.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

using doctest::Approx;
using funnel::InvalidArgument;
using funnel::Random;
using funnel::rerank::Boost;
using funnel::rerank::freshness;

namespace {

using Scores = std::vector<float>;
using Ages = std::vector<double>;

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

}  // namespace

TEST_CASE("freshness: worked by hand") {
    // Half-life 10: freshness is 1 at age 0, 1/2 at 10, 1/4 at 20, 0 at infinity. Every figure is exact in binary.
    const Ages ages{0.0, 10.0, 20.0, infinity};
    CHECK(freshness(Scores{1, 1, 2, -3}, ages, {.weight = 0.5F, .half_life = 10.0}) ==
          Scores{1.5F, 1.25F, 2.125F, -3.0F});
    CHECK(freshness(Scores{1, 1, 2, 3}, ages, {.weight = 0.5F, .half_life = 10.0, .boost = Boost::Multiplicative}) ==
          Scores{1.5F, 1.25F, 2.25F, 3.0F});
}

TEST_CASE("freshness: the gain is weight times the half of itself a half-life ago") {
    Random random(11);
    for (int round = 0; round < 50; ++round) {
        const double age = 100.0 * random.uniform();
        const double half_life = 1.0 + 20.0 * random.uniform();
        const float weight = static_cast<float>(random.uniform());
        const Scores gained =
            freshness(Scores{0, 0}, Ages{age, age + half_life}, {.weight = weight, .half_life = half_life});
        CHECK(gained[0] ==
              Approx(static_cast<double>(weight) * std::exp(-age * std::log(2.0) / half_life)).epsilon(1e-6));
        CHECK(gained[1] == Approx(static_cast<double>(gained[0]) / 2.0).epsilon(1e-6));
    }
}

TEST_CASE("freshness: the multiplicative form does not depend on the scale of the scores") {
    const Ages ages{3.0, 1.0, 0.5};
    const Scores once =
        freshness(Scores{1, 2, 3}, ages, {.weight = 0.7F, .half_life = 2.0, .boost = Boost::Multiplicative});
    const Scores eightfold =
        freshness(Scores{8, 16, 24}, ages, {.weight = 0.7F, .half_life = 2.0, .boost = Boost::Multiplicative});
    for (std::size_t i = 0; i < once.size(); ++i) {
        CHECK(eightfold[i] == 8.0F * once[i]);
    }
}

TEST_CASE("freshness: edges of the input") {
    CHECK(freshness({}, {}).empty());
    CHECK(freshness(Scores{0.3F, -2.0F}, Ages{0.0, 5.0}, {.weight = 0.0F}) == Scores{0.3F, -2.0F});
    // From the future: as new as can be, not newer.
    CHECK(freshness(Scores{0}, Ages{-1e9}, {.weight = 2.0F}) == Scores{2.0F});
    CHECK(freshness(Scores{0}, Ages{-infinity}, {.weight = 2.0F}) == Scores{2.0F});
}

TEST_CASE("freshness: rejects what has no meaning") {
    const float endless = std::numeric_limits<float>::infinity();
    CHECK_THROWS_AS((void)freshness(Scores{1}, Ages{}), InvalidArgument);
    CHECK_THROWS_AS((void)freshness(Scores{1}, Ages{1}, {.weight = -1.0F}), InvalidArgument);
    CHECK_THROWS_AS((void)freshness(Scores{1}, Ages{1}, {.weight = endless}), InvalidArgument);
    CHECK_THROWS_AS((void)freshness(Scores{1}, Ages{1}, {.half_life = 0.0}), InvalidArgument);
    CHECK_THROWS_AS((void)freshness(Scores{1}, Ages{1}, {.half_life = not_a_number}), InvalidArgument);
    CHECK_THROWS_AS((void)freshness(Scores{1}, Ages{1}, {.half_life = infinity}), InvalidArgument);
    CHECK_THROWS_AS((void)freshness(Scores{1}, Ages{not_a_number}), InvalidArgument);
    CHECK_THROWS_AS((void)freshness(Scores{endless}, Ages{1}), InvalidArgument);
    CHECK_THROWS_AS((void)freshness(Scores{-0.1F}, Ages{1}, {.boost = Boost::Multiplicative}), InvalidArgument);
}

TEST_CASE("freshness: a boosted score past the largest float is an error, not infinity") {
    const float largest = std::numeric_limits<float>::max();
    CHECK_THROWS_WITH_AS((void)freshness(Scores{largest}, Ages{0}, {.weight = largest}),
                         "freshness: results must be finite: a score or the weight is too large", InvalidArgument);
    CHECK_THROWS_AS((void)freshness(Scores{1e30F}, Ages{0}, {.weight = 1e30F, .boost = Boost::Multiplicative}),
                    InvalidArgument);
    CHECK(freshness(Scores{largest, -largest}, Ages{0, 0}) == Scores{largest, -largest});  // too small a gain to count
    CHECK(freshness(Scores{largest}, Ages{infinity}, {.weight = largest}) == Scores{largest});
}
