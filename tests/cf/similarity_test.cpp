// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/cf/similarity.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstddef>

using namespace funnel::cf;

namespace {

// Ratings of four users (rows) and three items; 0 is missing. The values that follow were published to 6 digits.
constexpr std::array<std::array<double, 3>, 4> ratings{{{5, 3, 0}, {4, 0, 2}, {1, 1, 5}, {0, 4, 4}}};

// Of two items, with the mean of each user subtracted or not.
CoRatedSums co_rated(std::size_t i, std::size_t j, bool centred) {
    CoRatedSums sums;
    for (const auto& row : ratings) {
        double total = 0.0;
        double count = 0.0;
        for (const double r : row) {
            total += r;
            count += r > 0.0 ? 1.0 : 0.0;
        }
        const double mean = centred ? total / count : 0.0;
        if (row[i] > 0.0 && row[j] > 0.0) {
            sums.add(row[i] - mean, row[j] - mean);
        }
    }
    return sums;
}

double cosine(std::size_t i, std::size_t j, double shrinkage) {
    double product = 0.0;
    double a = 0.0;
    double b = 0.0;
    for (const auto& row : ratings) {
        product += row[i] * row[j];
        a += row[i] * row[i];
        b += row[j] * row[j];
    }
    return cosine_similarity(product, std::sqrt(a), std::sqrt(b), shrinkage);
}

}  // namespace

TEST_CASE("similarity: worked by hand") {
    // Two users shared; 4 and 9 users in all: 2 / 6, 2 / 11, and with 4 more in the denominator 2 / 10, 2 / 15.
    CHECK(cosine_similarity(2, 2, 3, 0) == doctest::Approx(2.0 / 6));
    CHECK(jaccard_similarity(2, 4, 9, 0) == doctest::Approx(2.0 / 11));
    CHECK(cosine_similarity(2, 2, 3, 4) == doctest::Approx(2.0 / 10));
    CHECK(jaccard_similarity(2, 4, 9, 4) == doctest::Approx(2.0 / 15));
    // Co-rated pairs (1, 2), (2, 3), (3, 7): differences 1, 1, 4, so MSD = 3 / (18 + 3), and 3 / (18 + 3 + 9) shrunk.
    CoRatedSums sums;
    sums.add(1, 2);
    sums.add(2, 3);
    sums.add(3, 7);
    CHECK(co_rated_similarity(Similarity::MSD, sums, 0) == doctest::Approx(3.0 / 21));
    CHECK(co_rated_similarity(Similarity::MSD, sums, 9) == doctest::Approx(3.0 / 30));
    // Means 2 and 4: products 2 + 0 + 3 = 5, squares 2 and 14.
    CHECK(co_rated_similarity(Similarity::Pearson, sums, 0) == doctest::Approx(5 / std::sqrt(28.0)));
    CHECK(co_rated_similarity(Similarity::Pearson, sums, 2) == doctest::Approx(5 / (std::sqrt(28.0) + 2)));
    // As they are: products 2 + 6 + 21 = 29, squares 14 and 62.
    CHECK(co_rated_similarity(Similarity::AdjustedCosine, sums, 0) == doctest::Approx(29 / std::sqrt(14.0 * 62)));
}

TEST_CASE("similarity: published values") {
    constexpr double six = 3e-6;
    CHECK(cosine(0, 1, 0) == doctest::Approx(0.484182).epsilon(six));
    CHECK(cosine(0, 2, 0) == doctest::Approx(0.299028).epsilon(six));
    CHECK(cosine(1, 2, 0) == doctest::Approx(0.613941).epsilon(six));
    CHECK(cosine(0, 1, 10) == doctest::Approx(0.371700).epsilon(six));
    CHECK(cosine(0, 2, 10) == doctest::Approx(0.243108).epsilon(six));
    CHECK(cosine(1, 2, 10) == doctest::Approx(0.475057).epsilon(six));
    CHECK(cosine(0, 1, 0) * significance_factor(2, 10) == doctest::Approx(0.080697).epsilon(six));
    CHECK(cosine(0, 2, 0) * significance_factor(2, 10) == doctest::Approx(0.049838).epsilon(six));
    CHECK(cosine(1, 2, 0) * significance_factor(2, 10) == doctest::Approx(0.102323).epsilon(six));
    CHECK(jaccard_similarity(2, 3, 3, 0) == 0.5);  // each pair shares 2 of 4 users
    const auto pearson = [](std::size_t i, std::size_t j) {
        return co_rated_similarity(Similarity::Pearson, co_rated(i, j, false), 0);
    };
    CHECK(pearson(0, 1) == doctest::Approx(1.0));
    CHECK(pearson(0, 2) == doctest::Approx(-1.0));
    CHECK(pearson(1, 2) == doctest::Approx(-1.0));
    const auto adjusted = [](std::size_t i, std::size_t j) {
        return co_rated_similarity(Similarity::AdjustedCosine, co_rated(i, j, true), 0);
    };
    CHECK(adjusted(0, 1) == doctest::Approx(0.28).epsilon(six));
    CHECK(adjusted(0, 2) == doctest::Approx(-0.959737).epsilon(six));
    CHECK(adjusted(1, 2) == doctest::Approx(-1.0).epsilon(six));
    CHECK(co_rated_similarity(Similarity::MSD, co_rated(0, 1, false), 0) == doctest::Approx(1.0 / 3));
}

TEST_CASE("similarity: vectors that share nothing or do not vary are not similar, and never NaN") {
    CHECK(cosine_similarity(0, 0, 3, 0) == 0.0);
    CHECK(jaccard_similarity(0, 0, 0, 0) == 0.0);
    CHECK(cosine_similarity(5, std::sqrt(5.0), std::sqrt(5.0), 0) == doctest::Approx(1.0));
    CHECK(jaccard_similarity(5, 5, 5, 0) == 1.0);
    CHECK(significance_factor(0, 0) == 1.0);
    CHECK(significance_factor(0, 2) == 0.0);
    for (const Similarity kind : {Similarity::Pearson, Similarity::AdjustedCosine, Similarity::MSD}) {
        CHECK(co_rated_similarity(kind, {}, 0) == 0.0);
        CHECK(co_rated_similarity(kind, {}, 7) == 0.0);
    }
    CoRatedSums one;
    one.add(3.3, 4.1);
    CHECK(co_rated_similarity(Similarity::Pearson, one, 0) == 0.0);
    CoRatedSums constant;  // 0.1 + 0.2 is not 0.3: rounding must not become a correlation
    for (const double y : {1.0, 2.0, 5.0, 3.0, 3.0, 1.0, 4.0}) {
        constant.add(0.1, y);
    }
    CHECK(co_rated_similarity(Similarity::Pearson, constant, 0) == 0.0);
    CHECK(co_rated_similarity(Similarity::MSD, one, 0) == doctest::Approx(1 / (1 + 0.64)));
}

// Two of three values differ by 1, so the squared differences sum up to 2. In double, the squares of values this large are
// multiples of 128, and xx - 2 xy + yy is -512.
TEST_CASE("similarity: large values do not make MSD negative or larger than 1") {
    CoRatedSums sums;
    sums.add(956'034'271.0, 956'034'270.0);
    sums.add(947'827'487.0, 947'827'487.0);
    sums.add(56'551'367.0, 56'551'366.0);
    const double similarity = co_rated_similarity(Similarity::MSD, sums, 0);
    CHECK(similarity > 0.0);
    CHECK(similarity <= 1.0);
}
