// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/nn/sampled_losses.hpp>

#include "nn/gradient_check.hpp"
#include "nn/loss_checks.hpp"

#include <funnel/core/error.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/rng.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

using funnel::InvalidArgument;
using funnel::MatrixView;
using namespace funnel::nn;
using namespace funnel::testing;

namespace {

struct Sample {
    std::size_t k;
    std::vector<double> positives;
    std::vector<double> negatives;
    std::vector<double> d_positives = std::vector<double>(positives.size());
    std::vector<double> d_negatives = std::vector<double>(negatives.size());

    SampledScores<double> scores() {
        const std::size_t n = positives.size();
        return {.positives = positives,
                .negatives = {negatives, n, k},
                .d_positives = d_positives,
                .d_negatives = {d_negatives, n, k}};
    }

    template <class Loss>
    void check_gradient(const Loss& loss) {
        const auto value = [&] { return loss(scores()); };
        static_cast<void>(value());
        const std::vector<double> up = d_positives;
        const std::vector<double> down = d_negatives;
        CHECK(are_close(up, central_differences(positives, value), 1e-8));
        CHECK(are_close(down, central_differences(negatives, value), 1e-8));
    }
};

Sample several() {
    return {.k = 3, .positives = sines(4, 1.0, 2.0), .negatives = sines(12, 2.5, 2.0)};
}

}  // namespace

TEST_CASE("bpr_loss: published values, gradients, finite for any score") {
    Sample sample{.k = 1, .positives = sines(3, 0.0, 2.0), .negatives = sines(3, 1.0, 2.0)};
    CHECK(bpr_loss(sample.scores()) == doctest::Approx(0.9371777).epsilon(1e-6));
    CHECK(are_close(sample.d_positives, std::vector<double>{-0.2810979, -0.1779538, -0.05902193}, 1e-6));
    several().check_gradient([](const auto& scores) { return bpr_loss(scores); });
    Sample extreme{.k = 1, .positives = {-1e4, 1e4}, .negatives = {1e4, -1e4}};
    CHECK(bpr_loss(extreme.scores()) == 1e4);  // (20,000 + 0) / 2
    CHECK(extreme.d_positives == std::vector<double>{-0.5, 0.0});
}

TEST_CASE("sampled_softmax_loss: published values with log Q, gradients") {
    Sample sample{.k = 3, .positives = sines(1, 0.0, 2.0), .negatives = sines(3, 1.0, 2.0)};
    const std::vector<double> q{std::log(0.01)};
    const std::vector<double> negatives_q{std::log(0.02), std::log(0.05), std::log(0.01)};
    CHECK(sampled_softmax_loss(sample.scores(), q, MatrixView<const double>(negatives_q, 1, 3)) ==
          doctest::Approx(1.832488).epsilon(1e-6));
    CHECK(are_close(sample.d_positives, std::vector<double>{-0.8399851}, 1e-6));
    CHECK(are_close(sample.d_negatives, std::vector<double>{0.4305493, 0.1972405, 0.2121953}, 1e-6));
    several().check_gradient([](const auto& scores) { return sampled_softmax_loss(scores); });
}

TEST_CASE("sampled_softmax_loss: with all items as negatives of equal probability it is the full softmax") {
    Sample sample{.k = 2, .positives = {0.3}, .negatives = {-1.0, 2.0}};
    const double expected = std::log(std::exp(0.3) + std::exp(-1.0) + std::exp(2.0)) - 0.3;
    CHECK(sampled_softmax_loss(sample.scores()) == doctest::Approx(expected).epsilon(1e-12));
    const std::vector<double> q{-5.0};
    const std::vector<double> negatives_q{-5.0, -5.0};
    CHECK(sampled_softmax_loss(sample.scores(), q, MatrixView<const double>(negatives_q, 1, 2)) ==
          doctest::Approx(expected).epsilon(1e-12));
}

TEST_CASE("gbce_loss: published values; calibration 0 is plain BCE") {
    Sample sample{.k = 3, .positives = sines(1, 0.0, 2.0), .negatives = sines(3, 1.0, 2.0)};
    CHECK(gbce_loss(sample.scores(), {.items = 100, .calibration = 0.75}) == doctest::Approx(4.85557).epsilon(1e-6));
    CHECK(are_close(sample.d_positives, std::vector<double>{-0.1363636}, 1e-6));
    CHECK(are_close(sample.d_negatives, std::vector<double>{0.8432937, 0.8603974, 0.5700953}, 1e-6));
    double bce = std::log1p(std::exp(-sample.positives[0]));
    for (const double s : sample.negatives) {
        bce += std::log1p(std::exp(s));
    }
    CHECK(gbce_loss(sample.scores(), {.items = 100, .calibration = 0.0}) == doctest::Approx(bce).epsilon(1e-12));
    several().check_gradient([](const auto& scores) { return gbce_loss(scores, {.items = 50}); });
}

TEST_CASE("distillation_loss: published values, 0 for equal scores") {
    const std::vector<double> teacher = sines(4, 0.0, 3.0);
    std::vector<double> student = sines(4, 1.0, 3.0);
    std::vector<double> gradient(4);
    const auto value = [&] { return distillation_loss<double>(teacher, student, 2.0, gradient); };
    CHECK(value() == doctest::Approx(1.589304).epsilon(1e-6));
    const std::vector<double> slopes = gradient;
    CHECK(are_close(slopes, std::vector<double>{0.5783907, 0.1390995, -0.5335816, -0.1839086}, 1e-6));
    CHECK(are_close(slopes, central_differences(student, value), 1e-8));
    CHECK(distillation_loss<double>(teacher, teacher, 2.0, gradient) == doctest::Approx(0.0));
    CHECK(distillation_loss<double>({}, {}, 2.0, {}) == 0.0);
}

TEST_CASE("sampled losses: empty input, and shapes that do not match") {
    Sample none{.k = 3, .positives = {}, .negatives = {}};
    CHECK(bpr_loss(none.scores()) == 0.0);
    CHECK(sampled_softmax_loss(none.scores()) == 0.0);
    CHECK(gbce_loss(none.scores(), {.items = 10}) == 0.0);
    Sample without_negatives{.k = 0, .positives = {1.0}, .negatives = {}};
    CHECK(bpr_loss(without_negatives.scores()) == 0.0);
    CHECK(without_negatives.d_positives == std::vector<double>{0.0});
    CHECK(sampled_softmax_loss(without_negatives.scores()) == 0.0);
    CHECK_THROWS_AS(gbce_loss(without_negatives.scores(), {.items = 10}), InvalidArgument);

    Sample sample = several();
    CHECK_THROWS_AS(gbce_loss(sample.scores(), {.items = 3}), InvalidArgument);
    CHECK_THROWS_AS(gbce_loss(sample.scores(), {.items = 30, .calibration = 1.5}), InvalidArgument);
    const std::vector<double> short_q(3);
    CHECK_THROWS_AS(sampled_softmax_loss(sample.scores(), short_q), InvalidArgument);
    SampledScores<double> wrong = sample.scores();
    wrong.d_positives = wrong.d_positives.first(3);
    CHECK_THROWS_WITH_AS(bpr_loss(wrong), "bpr_loss: size of d_positives must be 4, got 3", InvalidArgument);
    wrong = sample.scores();
    wrong.negatives = wrong.negatives.rows_from(0, 3);
    CHECK_THROWS_AS(sampled_softmax_loss(wrong), InvalidArgument);
    std::vector<double> gradient(2);
    CHECK_THROWS_AS(distillation_loss<double>(short_q, short_q, 1.0, gradient), InvalidArgument);
    gradient.resize(3);
    CHECK_THROWS_AS(distillation_loss<double>(short_q, short_q, 0.0, gradient), InvalidArgument);
}
