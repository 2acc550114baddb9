// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/cf/similarity.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cstddef>

using funnel::cf::similarity;
using funnel::cf::Similarity;

TEST_CASE("similarity: worked by hand") {
    // Two users shared; 4 and 9 users in all: 2 / 6, 2 / 11, and with 4 more in the denominator 2 / 10, 2 / 15.
    CHECK(similarity(Similarity::Cosine, 2, 4, 9, 0) == doctest::Approx(2.0 / 6));
    CHECK(similarity(Similarity::Jaccard, 2, 4, 9, 0) == doctest::Approx(2.0 / 11));
    CHECK(similarity(Similarity::Cosine, 2, 4, 9, 4) == doctest::Approx(2.0 / 10));
    CHECK(similarity(Similarity::Jaccard, 2, 4, 9, 4) == doctest::Approx(2.0 / 15));
}

TEST_CASE("similarity: published values") {
    // Ratings 5 3 0 / 4 0 2 / 1 1 5 / 0 4 4 (users x items), as full vectors; values to 6 digits.
    constexpr std::array<std::array<double, 3>, 4> ratings{{{5, 3, 0}, {4, 0, 2}, {1, 1, 5}, {0, 4, 4}}};
    const auto sum = [&](std::size_t i, std::size_t j) {
        double total = 0.0;
        for (const auto& row : ratings) {
            total += row[i] * row[j];
        }
        return total;
    };
    const auto cosine = [&](std::size_t i, std::size_t j, double shrinkage) {
        return similarity(Similarity::Cosine, sum(i, j), sum(i, i), sum(j, j), shrinkage);
    };
    CHECK(cosine(0, 1, 0) == doctest::Approx(0.484182).epsilon(1e-6));
    CHECK(cosine(0, 2, 0) == doctest::Approx(0.299028).epsilon(2e-6));
    CHECK(cosine(1, 2, 0) == doctest::Approx(0.613941).epsilon(1e-6));
    CHECK(cosine(0, 1, 10) == doctest::Approx(0.371700).epsilon(2e-6));
    CHECK(cosine(0, 2, 10) == doctest::Approx(0.243108).epsilon(2e-6));
    CHECK(cosine(1, 2, 10) == doctest::Approx(0.475057).epsilon(2e-6));
    CHECK(similarity(Similarity::Jaccard, 2, 3, 3, 0) == 0.5);  // each pair shares 2 of 4 users
}

TEST_CASE("similarity: items without users are like nothing, not NaN") {
    CHECK(similarity(Similarity::Cosine, 0, 0, 3, 0) == 0.0);
    CHECK(similarity(Similarity::Jaccard, 0, 0, 0, 0) == 0.0);
    CHECK(similarity(Similarity::Cosine, 5, 5, 5, 0) == 1.0);
    CHECK(similarity(Similarity::Jaccard, 5, 5, 5, 0) == 1.0);
}
