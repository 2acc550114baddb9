// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/ranking/isotonic_regression.hpp>

#include "support/saved_contract.hpp"

#include <funnel/core/rng.hpp>
#include <funnel/metrics/reliability.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>
#include <vector>

using doctest::Approx;
using funnel::InvalidArgument;
using funnel::Random;
using funnel::metrics::calibration_error;
using funnel::ranking::IsotonicRegression;

namespace {

std::vector<double> copy_of(std::span<const double> x) {
    return {x.begin(), x.end()};
}

// The min-max formula of isotonic regression, on distinct scores in ascending order:
// f_i = max over a <= i of min over b >= i of the weighted mean of y_a .. y_b.
std::vector<double> by_definition(const std::vector<float>& labels, const std::vector<float>& weights) {
    std::vector<double> values(labels.size());
    for (std::size_t i = 0; i < labels.size(); ++i) {
        double best = -std::numeric_limits<double>::infinity();
        for (std::size_t a = 0; a <= i; ++a) {
            double least = std::numeric_limits<double>::infinity();
            double sum = 0.0;
            double weight = 0.0;
            for (std::size_t b = a; b < labels.size(); ++b) {
                sum += static_cast<double>(labels[b]) * static_cast<double>(weights[b]);
                weight += static_cast<double>(weights[b]);
                least = b >= i ? std::min(least, sum / weight) : least;
            }
            best = std::max(best, least);
        }
        values[i] = best;
    }
    return values;
}

struct ScoredClicks {
    std::vector<double> scores;
    std::vector<float> clicks;
};

// A score s from 0 to 1 means a click with probability s^3.
ScoredClicks draw_clicks(std::size_t n, std::uint64_t seed) {
    Random random(seed);
    ScoredClicks rows;
    for (std::size_t i = 0; i < n; ++i) {
        const double s = random.uniform();
        rows.scores.push_back(s);
        rows.clicks.push_back(random.uniform() < s * s * s ? 1.0F : 0.0F);
    }
    return rows;
}

}  // namespace

TEST_CASE("IsotonicRegression: worked by hand") {
    // By score: labels 0 | 1 0 | 1 0 1 at scores 1 | 2 3 | 4 4 6. The labels at 2 and 3 fall: their mean is 1/2. The two
    // rows at score 4 are pooled, to 1/2: not above the block before, so the block 2 .. 4 has (1 + 0 + 1 + 0) / 4.
    const std::vector<float> scores{4, 1, 3, 6, 2, 4};
    const std::vector<float> labels{1, 0, 0, 1, 1, 0};
    const auto model = IsotonicRegression::fit(scores, labels);
    CHECK(copy_of(model.values()) == std::vector{0.0, 0.5, 1.0});
    CHECK(copy_of(model.firsts()) == std::vector{1.0, 2.0, 6.0});
    CHECK(copy_of(model.lasts()) == std::vector{1.0, 4.0, 6.0});
    // Clamped outside; on a line between 1 and 2, and between 4 and 6.
    const std::vector<double> asked{-5.0, 1.0, 1.25, 2.0, 3.9, 5.0, 6.0, 100.0};
    CHECK(model.predict(asked) == std::vector{0.0, 0.0, 0.125, 0.5, 0.5, 0.75, 1.0, 1.0});
    const auto steps = IsotonicRegression::fit(scores, labels, {}, {.interpolate = false});
    CHECK(steps.predict(asked) == std::vector{0.0, 0.0, 0.0, 0.5, 0.5, 0.5, 1.0, 1.0});
}

TEST_CASE("IsotonicRegression: makes probabilities of the scores of a ranker") {
    const ScoredClicks held_out = draw_clicks(4000, 1);  // rows that the ranker has not learned from
    const ScoredClicks later = draw_clicks(4000, 2);

    const auto calibration = IsotonicRegression::fit(held_out.scores, held_out.clicks);
    const std::vector<double> probabilities = calibration.predict(later.scores);

    CHECK(calibration_error(later.scores, later.clicks) == Approx(0.25).epsilon(0.05));
    CHECK(calibration_error(probabilities, later.clicks) == Approx(0.02).epsilon(0.15));
    CHECK(calibration.predict(std::vector{0.5})[0] == Approx(0.125).epsilon(0.3));
}

TEST_CASE("IsotonicRegression: weights count like repeated rows") {
    const auto weighted =
        IsotonicRegression::fit(std::vector{1.0, 2.0, 3.0}, std::vector<float>{1, 0, 1}, std::vector<float>{3, 1, 2});
    const auto repeated =
        IsotonicRegression::fit(std::vector{1.0, 1.0, 1.0, 2.0, 3.0, 3.0}, std::vector<float>{1, 1, 1, 0, 1, 1});
    CHECK(copy_of(weighted.values()) == std::vector{0.75, 1.0});
    CHECK(copy_of(repeated.values()) == copy_of(weighted.values()));
}

TEST_CASE("IsotonicRegression: is the min-max formula, on random labels and weights") {
    Random random(5);
    for (const std::size_t n : {1U, 2U, 7U, 40U, 90U}) {
        std::vector<double> scores(n);
        std::vector<float> labels(n);
        std::vector<float> weights(n);
        for (std::size_t i = 0; i < n; ++i) {
            scores[i] = static_cast<double>(i) * 0.5 - 3.0;
            labels[i] = static_cast<float>(random.normal() + 0.05 * static_cast<double>(i));
            weights[i] = static_cast<float>(random.uniform() + 0.1);
        }
        const auto predicted = IsotonicRegression::fit(scores, labels, weights).predict(scores);
        const auto expected = by_definition(labels, weights);
        for (std::size_t i = 0; i < n; ++i) {
            CHECK(predicted[i] == Approx(expected[i]).epsilon(1e-9));
        }
        CHECK(std::is_sorted(predicted.begin(), predicted.end()));
    }
}

TEST_CASE("IsotonicRegression: scores of any size interpolate without overflow and underflow") {
    const double most = std::numeric_limits<double>::max();
    const auto model = IsotonicRegression::fit(std::vector{-most, most}, std::vector<float>{0, 1});
    CHECK(model.predict(std::vector{-most, 0.0, most}) == std::vector{0.0, 0.5, 1.0});
    const double least = std::numeric_limits<double>::denorm_min();
    const auto close = IsotonicRegression::fit(std::vector{-least, least}, std::vector<float>{0, 1});
    CHECK(close.predict(std::vector{-least, 0.0, least}) == std::vector{0.0, 0.5, 1.0});
    const auto one = IsotonicRegression::fit(std::vector{2.0}, std::vector{0.25F});
    CHECK(one.predict(std::vector{-1.0, 2.0, 3.0}) == std::vector{0.25, 0.25, 0.25});
}

TEST_CASE("IsotonicRegression: keeps what saved objects promise") {
    const auto model = IsotonicRegression::fit(std::vector{1.0, 2.0, 3.0}, std::vector<float>{0, 1, 2});
    const auto other =
        IsotonicRegression::fit(std::vector{1.0, 2.0}, std::vector<float>{0, 1}, {}, {.interpolate = false});
    const auto answers = [](const IsotonicRegression& any) { return any.predict(std::vector{0.0, 1.5, 2.0, 9.0}); };
    funnel::testing::check_saved(model, other, answers, [&](const IsotonicRegression& forged) {
        const auto values = answers(forged);
        REQUIRE(std::is_sorted(values.begin(), values.end()));
    });
    auto source = other;
    const auto taken = std::move(source);
    CHECK(answers(taken) == answers(other));
    CHECK_THROWS_AS((void)answers(source), funnel::InvalidArgument);  // NOLINT(bugprone-use-after-move)
}

TEST_CASE("IsotonicRegression: rejects NaN, weights of 0, and shapes that differ") {
    const std::vector<double> scores{0.0, 1.0};
    const std::vector<float> labels{0.0F, 1.0F};
    const float not_a_number = std::numeric_limits<float>::quiet_NaN();
    CHECK_THROWS_WITH_AS((void)IsotonicRegression::fit(std::vector{0.0F, not_a_number}, labels),
                         "IsotonicRegression::fit: the score at position 1 must be finite", InvalidArgument);
    CHECK_THROWS_AS((void)IsotonicRegression::fit(scores, std::vector{0.0F, not_a_number}), InvalidArgument);
    CHECK_THROWS_AS((void)IsotonicRegression::fit(scores, labels, std::vector{1.0F, 0.0F}), InvalidArgument);
    CHECK_THROWS_AS((void)IsotonicRegression::fit(scores, labels, std::vector{1.0F, not_a_number}), InvalidArgument);
    CHECK_THROWS_AS((void)IsotonicRegression::fit(scores, labels, std::vector{1.0F}), InvalidArgument);
    CHECK_THROWS_AS((void)IsotonicRegression::fit(scores, std::vector{1.0F}), InvalidArgument);
    CHECK_THROWS_AS((void)IsotonicRegression::fit(std::vector<double>(), std::vector<float>()), InvalidArgument);
    CHECK_THROWS_AS((void)IsotonicRegression::fit(scores, labels).predict(std::vector{not_a_number}), InvalidArgument);
}
