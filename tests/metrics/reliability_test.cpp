// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/metrics/reliability.hpp>

#include <funnel/core/rng.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

using doctest::Approx;
using funnel::InvalidArgument;
using funnel::metrics::calibration_error;
using funnel::metrics::reliability;

TEST_CASE("reliability, calibration_error: worked by hand") {
    // Two bins. [0, 1/2): predictions 0.1 and 0.3, one positive: 0.2 against 0.5. [1/2, 1]: 0.5, 1, 0.9, two positives:
    // 0.8 against 2/3. ECE = (2 * 0.3 + 3 * (0.8 - 2/3)) / 5 = 0.2.
    const std::vector<double> p{0.1, 0.5, 1.0, 0.3, 0.9};
    const std::vector<float> labels{0, 0, 1, 1, 1};
    const auto bins = reliability(p, labels, {.bins = 2});
    REQUIRE(bins.size() == 2);
    CHECK(bins[0].low == 0.0);
    CHECK(bins[0].high == 0.5);
    CHECK(bins[0].rows == 2);
    CHECK(bins[0].predicted == Approx(0.2));
    CHECK(bins[0].observed == Approx(0.5));
    CHECK(bins[1].rows == 3);
    CHECK(bins[1].predicted == Approx(0.8));
    CHECK(bins[1].observed == Approx(2.0 / 3.0));
    CHECK(calibration_error(p, labels, {.bins = 2}) == Approx(0.2).epsilon(1e-14));
}

TEST_CASE("reliability: every prediction is in the bin whose limits enclose it") {
    for (const std::size_t count : {1U, 3U, 7U, 10U, 49U}) {
        std::vector<double> p;
        for (std::size_t b = 0; b <= count; ++b) {  // the limits, and their neighbors
            const double limit = static_cast<double>(b) / static_cast<double>(count);
            p.push_back(limit);
            if (b > 0) {
                p.push_back(std::nextafter(limit, 0.0));
            }
        }
        for (const double x : p) {
            for (const auto& bin : reliability(std::vector{x}, std::vector{1.0F}, {.bins = count})) {
                CHECK((bin.rows == 1) == (bin.low <= x && (x < bin.high || bin.high == 1.0)));
            }
        }
    }
}

TEST_CASE("calibration_error: small for true probabilities, large for others") {
    funnel::Random random(2);
    std::vector<float> p(20000);
    std::vector<float> labels(p.size());
    for (std::size_t i = 0; i < p.size(); ++i) {
        p[i] = static_cast<float>(random.uniform());
        labels[i] = random.uniform() < static_cast<double>(p[i] * p[i]) ? 1.0F : 0.0F;
    }
    std::vector<float> squares(p);
    for (float& x : squares) {
        x *= x;
    }
    CHECK(calibration_error(squares, labels) < 0.02);
    CHECK(calibration_error(p, labels) == Approx(1.0 / 6.0).epsilon(0.05));  // the integral of p - p^2
    CHECK(calibration_error(std::vector<double>(), std::vector<float>()) == 0.0);
}

TEST_CASE("reliability: rejects NaN and numbers out of range") {
    const std::vector<float> label{1.0F};
    CHECK_THROWS_AS((void)reliability(std::vector{1.5}, label), InvalidArgument);
    CHECK_THROWS_AS((void)reliability(std::vector{std::numeric_limits<double>::quiet_NaN()}, label), InvalidArgument);
    CHECK_THROWS_AS((void)reliability(std::vector{0.5}, std::vector{2.0F}), InvalidArgument);
    CHECK_THROWS_AS((void)reliability(std::vector{0.5}, std::vector<float>()), InvalidArgument);
    CHECK_THROWS_AS((void)reliability(std::vector{0.5}, label, {.bins = 0}), InvalidArgument);
}
