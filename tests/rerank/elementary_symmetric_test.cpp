// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/rerank/elementary_symmetric.hpp>

#include <funnel/core/error.hpp>
#include <funnel/core/rng.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <vector>

using namespace funnel;
using funnel::rerank::ElementarySymmetric;

namespace {

// log e_j of the first i numbers for all j <= k, by the recursion e_j += x e_(j-1) on logarithms.
std::vector<double> log_polynomials(const std::vector<double>& numbers, std::size_t k) {
    std::vector<double> logs(k + 1, -std::numeric_limits<double>::infinity());
    logs[0] = 0.0;
    for (const double x : numbers) {
        for (std::size_t j = k; j > 0; --j) {
            const double other = std::log(x) + logs[j - 1];
            const double larger = std::max(logs[j], other);
            if (larger > -std::numeric_limits<double>::infinity()) {
                logs[j] = larger + std::log(std::exp(logs[j] - larger) + std::exp(other - larger));
            }
        }
    }
    return logs;
}

// The probability of position i by the definition: x_i e_(k-1)(all others) / e_k.
double inclusion(const std::vector<double>& numbers, std::size_t k, std::size_t i) {
    std::vector<double> others = numbers;
    others.erase(others.begin() + static_cast<std::ptrdiff_t>(i));
    return std::exp(std::log(numbers[i]) + log_polynomials(others, k - 1)[k - 1] - log_polynomials(numbers, k)[k]);
}

std::vector<double> powers(double low, double high, std::size_t count) {
    std::vector<double> numbers(count);
    for (std::size_t i = 0; i < count; ++i) {
        const double share = static_cast<double>(i) / static_cast<double>(count - 1);
        numbers[i] = std::pow(10.0, low + (high - low) * share);
    }
    return numbers;
}

}  // namespace

TEST_CASE("ElementarySymmetric: e_k of 1, 2, 3, worked out by hand") {
    // e_1 = 6, e_2 = 2 + 3 + 6 = 11, e_3 = 6. Of the pairs, {1, 2} has probability 6/11.
    const std::vector<double> numbers{1.0, 2.0, 3.0};
    const std::vector<double> e{1.0, 6.0, 11.0, 6.0};
    for (std::size_t k = 0; k <= 3; ++k) {
        CHECK(std::exp(ElementarySymmetric(numbers, k).log_value()) == doctest::Approx(e[k]).epsilon(1e-14));
    }
    const std::vector<double> pairs = ElementarySymmetric(numbers, 2).inclusion_probabilities();
    CHECK(pairs[0] == doctest::Approx(5.0 / 11).epsilon(1e-14));
    CHECK(pairs[1] == doctest::Approx(8.0 / 11).epsilon(1e-14));
    CHECK(pairs[2] == doctest::Approx(9.0 / 11).epsilon(1e-14));
}

TEST_CASE("ElementarySymmetric: e_1 .. e_4 of the eigenvalues of a 4 x 4 kernel") {
    const std::vector<double> numbers{.792893218813, .918861169916, 2.20710678119, 4.08113883008};
    const std::vector<double> e{1.0, 8.0, 20.5, 20.0, 6.5625};
    for (std::size_t k = 0; k <= 4; ++k) {
        CHECK(std::exp(ElementarySymmetric(numbers, k).log_value()) == doctest::Approx(e[k]).epsilon(1e-11));
    }
}

TEST_CASE("ElementarySymmetric: neither overflow nor underflow, against a recursion on logarithms") {
    const auto check = [](const std::vector<double>& numbers, std::size_t k) {
        CAPTURE(k);
        const ElementarySymmetric polynomial(numbers, k);
        const double expected = log_polynomials(numbers, k)[k];
        CHECK(std::isfinite(expected));
        CHECK(std::abs(polynomial.log_value() - expected) < 1e-11 * std::max(1.0, std::abs(expected)));

        const std::vector<double> probabilities = polynomial.inclusion_probabilities();
        CHECK(std::accumulate(probabilities.begin(), probabilities.end(), 0.0) ==
              doctest::Approx(static_cast<double>(k)).epsilon(1e-12));
        for (std::size_t i = 0; i < numbers.size(); i += numbers.size() / 7 + 1) {
            CHECK(probabilities[i] == doctest::Approx(inclusion(numbers, k, i)).epsilon(1e-9));
        }
    };
    check(std::vector<double>(1000, 1e6), 60);   // e_60 is about 1e460
    check(std::vector<double>(1000, 1e-8), 50);  // and e_50 about 1e-315
    for (const std::size_t k : {1U, 5U, 12U, 13U, 24U, 48U, 49U}) {
        check(powers(-12.0, 12.0, 49), k);
        std::vector<double> falling = powers(-12.0, 12.0, 49);
        std::reverse(falling.begin(), falling.end());
        check(falling, k);
    }
    Random random(1);
    std::vector<double> gamma(240);
    for (double& x : gamma) {
        x = -std::log(random.uniform()) * 1e3;
    }
    for (const std::size_t k : {1U, 60U, 120U, 239U, 240U}) {
        check(gamma, k);
    }
    std::vector<double> two_scales(100, 1e12);  // k - 40 of the small ones
    std::fill(two_scales.begin() + 40, two_scales.end(), 1e-12);
    for (const std::size_t k : {1U, 39U, 40U, 41U, 70U, 99U, 100U}) {
        check(two_scales, k);
    }
}

TEST_CASE("ElementarySymmetric: a probability next to one cancels nothing") {
    // P(i) = x_i / (1e40 + 3). The scale c is about 1e20, so p_0 rounds to 1, and 1 - p_0 = 1e-20 must not round to 0.
    const std::vector<double> numbers{1e40, 1.0, 2.0, 0.5};
    const std::vector<double> probabilities = ElementarySymmetric(numbers, 1).inclusion_probabilities();
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        CHECK(probabilities[i] * (1e40 / numbers[i]) == doctest::Approx(1.0).epsilon(1e-12));
    }
}

TEST_CASE("ElementarySymmetric: draws match the products by a chi-square test") {
    const std::vector<double> numbers{1.0, 0.0, 2.0, 3.0, 1e-3, 0.5};
    for (std::size_t k = 1; k <= 4; ++k) {
        const ElementarySymmetric polynomial(numbers, k);
        std::vector<double> counts(64, 0.0);
        std::vector<std::size_t> positions(k);
        constexpr std::size_t draws = 40'000;
        for (std::size_t draw = 0; draw < draws; ++draw) {
            Random random(3, draw);
            polynomial.draw(random, positions);
            std::size_t bits = 0;
            for (std::size_t j = 0; j < k; ++j) {
                CHECK((j == 0 || positions[j - 1] < positions[j]));
                bits |= std::size_t{1} << positions[j];
            }
            ++counts[bits];
        }
        double statistic = 0.0;
        double degrees = -1.0;
        double rare = 0.0;  // subsets that are expected less than five times
        double rare_expected = 0.0;
        for (std::size_t bits = 0; bits < 64; ++bits) {
            double product = 1.0;
            std::size_t size = 0;
            for (std::size_t i = 0; i < 6; ++i) {
                if ((bits >> i & 1) != 0) {
                    product *= numbers[i];
                    ++size;
                }
            }
            const double expected = draws * product / std::exp(polynomial.log_value());
            if (size != k || product == 0.0) {
                CHECK(counts[bits] == 0.0);
            } else if (expected < 5.0) {
                rare += counts[bits];
                rare_expected += expected;
            } else {
                statistic += (counts[bits] - expected) * (counts[bits] - expected) / expected;
                degrees += 1.0;
            }
        }
        CHECK(rare <= rare_expected + 5.0 * std::sqrt(rare_expected + 1.0));
        CHECK(statistic < degrees + 4.0 * std::sqrt(2.0 * degrees) + 4.0);  // beyond the 99.9 % quantile
    }
}

TEST_CASE("ElementarySymmetric: edges: nothing to draw, everything to draw, zeros") {
    const ElementarySymmetric empty({}, 0);
    CHECK(empty.log_value() == 0.0);
    CHECK(empty.inclusion_probabilities().empty());
    Random random(1);
    empty.draw(random, {});

    const std::vector<double> numbers{0.0, 2.0, 0.0, 4.0};
    CHECK(ElementarySymmetric(numbers, 0).log_value() == 0.0);
    CHECK(ElementarySymmetric(numbers, 0).inclusion_probabilities() == std::vector<double>(4, 0.0));
    const ElementarySymmetric both(numbers, 2);
    CHECK(std::exp(both.log_value()) == doctest::Approx(8.0).epsilon(1e-14));
    CHECK(both.inclusion_probabilities() == std::vector<double>{0.0, 1.0, 0.0, 1.0});
    std::vector<std::size_t> positions(2);
    both.draw(random, positions);
    CHECK(positions == std::vector<std::size_t>{1, 3});
    CHECK(std::exp(ElementarySymmetric(numbers, 1).log_value()) == doctest::Approx(6.0).epsilon(1e-14));
}

TEST_CASE("ElementarySymmetric: rejects numbers that are negative or not finite, and a k that is too large") {
    const double infinity = std::numeric_limits<double>::infinity();
    for (const double broken : {-1.0, infinity, std::numeric_limits<double>::quiet_NaN()}) {
        CHECK_THROWS_AS(ElementarySymmetric(std::vector<double>{1.0, broken}, 1), InvalidArgument);
    }
    CHECK_THROWS_WITH_AS(ElementarySymmetric(std::vector<double>{1.0, 0.0, 2.0}, 3),
                         "ElementarySymmetric: k must be at most the count of positive numbers, 2, got 3",
                         InvalidArgument);
}
