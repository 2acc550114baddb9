// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/ranking/platt_scaling.hpp>

#include "support/saved_contract.hpp"

#include <funnel/core/rng.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

using doctest::Approx;
using funnel::InvalidArgument;
using funnel::Random;
using funnel::ranking::PlattScaling;
using funnel::ranking::TemperatureScaling;

namespace {

struct Clicks {
    std::vector<double> scores;
    std::vector<float> labels;
};

// Labels drawn from sigmoid(slope s + intercept).
Clicks clicks(std::size_t n, double slope, double intercept, double spread = 1.0) {
    Random random(11);
    Clicks made;
    for (std::size_t i = 0; i < n; ++i) {
        const double s = random.normal();
        made.scores.push_back(s * spread);
        made.labels.push_back(random.uniform() < 1.0 / (1.0 + std::exp(-slope * s - intercept)) ? 1.0F : 0.0F);
    }
    return made;
}

// The derivatives of the logloss by slope and intercept, with Platt's targets.
std::pair<double, double> slopes_at(const Clicks& data, double slope, double intercept) {
    double positives = 0.0;
    for (const float y : data.labels) {
        positives += static_cast<double>(y);
    }
    const double negatives = static_cast<double>(data.labels.size()) - positives;
    std::pair<double, double> sum{0.0, 0.0};
    for (std::size_t i = 0; i < data.scores.size(); ++i) {
        const double target = data.labels[i] > 0.0F ? (positives + 1.0) / (positives + 2.0) : 1.0 / (negatives + 2.0);
        const double error = 1.0 / (1.0 + std::exp(-slope * data.scores[i] - intercept)) - target;
        sum.first += error * data.scores[i];
        sum.second += error;
    }
    return sum;
}

}  // namespace

TEST_CASE("PlattScaling: worked by hand") {
    // At score 1: two of three are positive, at score 0: one of three. P = N = 3: targets 4/5 and 1/5. Two parameters
    // meet both means: (2 * 4/5 + 1/5) / 3 = 3/5 at 1, and 2/5 at 0. The logits are log(3/2) and log(2/3).
    const std::vector<float> scores{1, 1, 1, 0, 0, 0};
    const std::vector<float> labels{1, 1, 0, 1, 0, 0};
    const auto model = PlattScaling::fit(scores, labels);
    CHECK(model.intercept() == Approx(std::log(2.0 / 3.0)).epsilon(1e-9));
    CHECK(model.slope() == Approx(2.0 * std::log(3.0 / 2.0)).epsilon(1e-9));
    const auto p = model.predict(std::vector{0.0, 1.0, 0.5, -1e6, 1e6});
    CHECK(p[0] == Approx(0.4).epsilon(1e-9));
    CHECK(p[1] == Approx(0.6).epsilon(1e-9));
    CHECK(p[2] == Approx(0.5).epsilon(1e-9));
    CHECK(p[3] == 0.0);
    CHECK(p[4] == 1.0);
}

TEST_CASE("PlattScaling: the logloss is smallest there, at any scale of the scores") {
    for (const double spread : {1e-100, 1.0, 1e100}) {
        const Clicks data = clicks(2000, 1.5, -2.0, spread);
        const auto model = PlattScaling::fit(data.scores, data.labels);
        const auto [by_slope, by_intercept] = slopes_at(data, model.slope(), model.intercept());
        CHECK(std::abs(by_slope / spread) < 1e-5);
        CHECK(std::abs(by_intercept) < 1e-5);
        CHECK(model.slope() * spread == Approx(1.5).epsilon(0.1));
        CHECK(model.intercept() == Approx(-2.0).epsilon(0.1));
    }
}

TEST_CASE("PlattScaling: separable, equal and far-off scores give finite parameters") {
    const std::vector<float> labels{0, 0, 1, 1};
    const auto separable = PlattScaling::fit(std::vector{-2.0, -1.0, 1.0, 2.0}, labels);
    CHECK(separable.predict(std::vector{2.0})[0] > 0.7);
    CHECK(separable.predict(std::vector{2.0})[0] < 1.0);
    const auto equal = PlattScaling::fit(std::vector{5.0, 5.0, 5.0, 5.0}, std::vector<float>{0, 0, 0, 1});
    CHECK(equal.slope() == 0.0);
    CHECK(equal.predict(std::vector{5.0})[0] == Approx((2.0 / 3.0 + 3.0 / 5.0) / 4.0).epsilon(1e-9));
    const auto positive = PlattScaling::fit(std::vector{1.0}, std::vector{1.0F});
    CHECK(positive.predict(std::vector{1.0})[0] == Approx(2.0 / 3.0).epsilon(1e-9));
    const auto far = PlattScaling::fit(std::vector{1000.0, 1001.0, 1000.0, 1001.0}, std::vector<float>{0, 1, 1, 1});
    CHECK(far.predict(std::vector{1001.0})[0] > far.predict(std::vector{1000.0})[0]);
}

TEST_CASE("TemperatureScaling: worked by hand") {
    // Scores 1, labels 1, 1, 0, 1: P = 3, N = 1: targets 4/5 (three times) and 1/3, mean 41/60.
    // sigmoid(1 / T) = 41/60 at 1 / T = log(41 / 19).
    const auto model = TemperatureScaling::fit(std::vector{1.0, 1.0, 1.0, 1.0}, std::vector<float>{1, 1, 0, 1});
    CHECK(model.temperature() == Approx(1.0 / std::log(41.0 / 19.0)).epsilon(1e-9));
    CHECK(model.predict(std::vector{0.0F, 1.0F})[0] == 0.5);
    CHECK(model.predict(std::vector{0.0F, 1.0F})[1] == Approx(41.0 / 60.0).epsilon(1e-9));
}

TEST_CASE("TemperatureScaling: finds how much too large logits are") {
    Clicks data = clicks(20000, 1.0, 0.0);
    for (double& s : data.scores) {
        s *= 3.0;
    }
    CHECK(TemperatureScaling::fit(data.scores, data.labels).temperature() == Approx(3.0).epsilon(0.05));
}

TEST_CASE("PlattScaling, TemperatureScaling: keep what saved objects promise") {
    const Clicks data = clicks(50, 1.0, 0.5);
    const std::vector<double> asked{-1.0, 0.0, 2.5};
    const auto answers = [&](const auto& model) { return model.predict(asked); };
    const auto platt = PlattScaling::fit(data.scores, data.labels);
    funnel::testing::check_saved(platt, PlattScaling::fit(asked, std::vector<float>{0, 1, 1}), answers, answers);
    const auto temperature = TemperatureScaling::fit(data.scores, data.labels);
    funnel::testing::check_saved(temperature, TemperatureScaling::fit(asked, std::vector<float>{0, 1, 1}), answers,
                                 answers);
}

TEST_CASE("PlattScaling, TemperatureScaling: reject NaN, other labels, and shapes that differ") {
    const std::vector<double> scores{0.0, 1.0};
    const std::vector<float> labels{0.0F, 1.0F};
    for (const double wrong : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
        CHECK_THROWS_WITH_AS((void)PlattScaling::fit(std::vector{0.0, wrong}, labels),
                             "PlattScaling::fit: the score at position 1 must be finite", InvalidArgument);
        CHECK_THROWS_AS((void)TemperatureScaling::fit(std::vector{0.0, wrong}, labels), InvalidArgument);
        CHECK_THROWS_AS((void)PlattScaling::fit(scores, labels).predict(std::vector{wrong}), InvalidArgument);
        CHECK_THROWS_AS((void)TemperatureScaling::fit(scores, labels).predict(std::vector{wrong}), InvalidArgument);
    }
    CHECK_THROWS_AS((void)PlattScaling::fit(scores, std::vector{0.0F, 0.5F}), InvalidArgument);
    CHECK_THROWS_AS((void)PlattScaling::fit(scores, std::vector{0.0F}), InvalidArgument);
    CHECK_THROWS_WITH_AS((void)PlattScaling::fit(std::vector<double>(), std::vector<float>()),
                         "PlattScaling::fit: scores must not be empty", InvalidArgument);
    // The lower score is the positive one.
    CHECK_THROWS_WITH_AS((void)TemperatureScaling::fit(std::vector{-1.0, 1.0}, std::vector{1.0F, 0.0F}),
                         "TemperatureScaling::fit: scores must rise with the labels, so that a temperature > 0 fits",
                         InvalidArgument);
}
