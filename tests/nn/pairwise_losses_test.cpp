// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/nn/pairwise_losses.hpp>

#include "nn/loss_checks.hpp"

#include <funnel/core/rng.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <vector>

using doctest::Approx;
using funnel::nn::LambdaRank;
using funnel::nn::loss;
using funnel::nn::LossScratch;
using funnel::nn::RankNet;
using funnel::testing::are_close;
using funnel::testing::check_loss;
using funnel::testing::check_loss_errors;
using funnel::testing::LossSample;

TEST_CASE("RankNet: worked by hand") {
    // Labels 2, 1, 1: the pairs (0, 1) and (0, 2), with leads log 3 and 0: losses log(4/3) and log 2, pulls 1/4 and 1/2.
    const std::vector<double> scores{std::log(3.0), 0.0, std::log(3.0)};
    const std::vector<float> labels{2.0F, 1.0F, 1.0F};
    const auto [value, gradient] = loss(RankNet{}, scores, labels);
    CHECK(value == Approx(std::log(4.0 / 3.0) + std::log(2.0)).epsilon(1e-14));
    CHECK(are_close(gradient, std::vector{-0.75, 0.25, 0.5}, 1e-14));
}

TEST_CASE("LambdaRank: worked by hand") {
    // Scores 0 and 0, labels 0 and 1: ranks 1 and 2, best DCG 1, delta = 1 (1 - 1 / log2 3) = 0.36907, p = 1/2.
    const std::vector<double> scores{0.0, 0.0};
    const std::vector<float> labels{0.0F, 1.0F};
    const double delta = 1.0 - 1.0 / std::log2(3.0);
    const auto plain = loss(LambdaRank{.normalize = false}, scores, labels);
    CHECK(plain.value == Approx(delta * std::log(2.0)).epsilon(1e-14));
    CHECK(are_close(plain.gradient, std::vector{delta / 2.0, -delta / 2.0}, 1e-14));

    // Normalized: scores are equal, so delta stays; S = 2 (delta / 2), factor log2(1 + S) / S.
    const auto scaled = loss(LambdaRank{}, scores, labels);
    CHECK(scaled.gradient[0] == Approx(std::log2(1.0 + delta) / 2.0).epsilon(1e-14));
}

TEST_CASE("LambdaRank: the gradients and second derivatives of LightGBM") {
    // Computed with LightGBM's algorithm and an exact sigmoid; LightGBM itself reads the sigmoid from a table.
    const std::vector<double> scores{0.1, 0.4, -0.2, 0.3};
    const std::vector<float> labels{2.0F, 0.0F, 1.0F, 0.0F};
    LossScratch scratch;
    std::vector<double> gradient(4);
    std::vector<double> hessian(4);
    (void)loss(LambdaRank{}, scores, labels, {}, scratch, gradient, hessian);
    CHECK(are_close(gradient,
                    std::vector{-0.7737616603363834, 0.654522895638525, -0.12708262413553367, 0.24632138883339214},
                    1e-14));
    CHECK(are_close(hessian,
                    std::vector{0.33966159603225266, 0.27023239454940484, 0.08033809234280916, 0.1074504199520797},
                    1e-14));
}

TEST_CASE("LambdaRank: delta is the change of NDCG when two items change places") {
    const std::vector<double> scores{0.9, 0.5, 0.2, -0.4, -0.6};
    const std::vector<float> labels{0.0F, 3.0F, 1.0F, 0.0F, 2.0F};
    const std::size_t truncation = 3;
    const auto dcg = [&](const std::vector<std::size_t>& order) {
        double sum = 0.0;
        for (std::size_t r = 0; r < order.size(); ++r) {
            sum += (std::exp2(static_cast<double>(labels[order[r]])) - 1.0) / std::log2(2.0 + static_cast<double>(r));
        }
        return sum;
    };
    const double best = 7.0 + 3.0 / std::log2(3.0) + 0.5;  // labels 3, 2, 1 at the first three ranks
    std::vector<double> expected(5, 0.0);
    const double sigma = 1.7;
    for (std::size_t i = 0; i < truncation; ++i) {
        for (std::size_t j = i + 1; j < 5; ++j) {
            std::vector<std::size_t> order(5);
            std::iota(order.begin(), order.end(), std::size_t{0});
            const double before = dcg(order);
            std::swap(order[i], order[j]);
            const double delta = std::abs(dcg(order) - before) / best;
            const std::size_t hi = labels[i] > labels[j] ? i : j;
            const std::size_t lo = i + j - hi;
            const double pull = sigma * delta / (1.0 + std::exp(sigma * (scores[hi] - scores[lo])));
            expected[hi] -= pull;
            expected[lo] += pull;
        }
    }
    const LambdaRank kind{.truncation = truncation, .sigma = sigma, .normalize = false};
    CHECK(are_close(loss(kind, scores, labels).gradient, expected, 1e-14));
}

TEST_CASE("LambdaRank: long lists against the definition, pair by pair") {
    funnel::Random random(4);
    for (const std::size_t n : {2U, 16U, 17U, 18U, 33U, 120U}) {
        for (const std::size_t truncation : {1U, 5U, 30U, 200U}) {
            for (const double spread : {1.0, 40.0}) {  // with the large one, some exponents are beyond -700
                std::vector<double> scores(n);
                std::vector<float> labels(n);
                for (std::size_t i = 0; i < n; ++i) {
                    scores[i] = i % 7 == 3 ? scores[i - 1] : spread * spread * random.normal();
                    labels[i] = static_cast<float>(random.below(4)) / 2.0F;
                }
                const double sigma = 1.3;
                std::vector<std::size_t> order(n);
                std::iota(order.begin(), order.end(), std::size_t{0});
                std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
                    return scores[a] != scores[b] ? scores[a] > scores[b] : a < b;
                });
                std::vector<float> sorted = labels;
                std::sort(sorted.rbegin(), sorted.rend());
                const auto discount = [](std::size_t r) { return 1.0 / std::log2(2.0 + static_cast<double>(r)); };
                const auto gain = [](float y) { return std::exp2(static_cast<double>(y)) - 1.0; };
                double best = 0.0;
                for (std::size_t r = 0; r < std::min(n, truncation); ++r) {
                    best += gain(sorted[r]) * discount(r);
                }
                if (best == 0.0) {
                    continue;
                }
                double value = 0.0;
                double sum = 0.0;
                std::vector<double> expected(n);
                std::vector<double> curvature(n);
                for (std::size_t i = 0; i < std::min(n, truncation); ++i) {
                    for (std::size_t j = i + 1; j < n; ++j) {
                        const bool is_first = labels[order[i]] > labels[order[j]];
                        const std::size_t hi = order[is_first ? i : j];
                        const std::size_t lo = order[is_first ? j : i];
                        const double lead = scores[hi] - scores[lo];
                        const double delta = (gain(labels[hi]) - gain(labels[lo])) * (discount(i) - discount(j)) /
                                             best / (0.01 + std::abs(lead));
                        const double x = -sigma * lead;
                        const double p = 1.0 / (1.0 + std::exp(-x));
                        value += delta * (x > 0.0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)));
                        sum += 2.0 * sigma * delta * p;
                        expected[hi] -= sigma * delta * p;
                        expected[lo] += sigma * delta * p;
                        curvature[hi] += sigma * sigma * delta * p / (1.0 + std::exp(x));
                        curvature[lo] += sigma * sigma * delta * p / (1.0 + std::exp(x));
                    }
                }
                const double factor = sum > 0.0 ? std::log2(1.0 + sum) / sum : 1.0;
                for (std::size_t i = 0; i < n; ++i) {
                    expected[i] *= factor;
                    curvature[i] *= factor;
                }
                LossScratch scratch;
                std::vector<double> gradient(n);
                std::vector<double> hessian(n);
                const LambdaRank kind{.truncation = truncation, .sigma = sigma};
                CHECK(loss(kind, scores, labels, {}, scratch, gradient, hessian) ==
                      Approx(value * factor).epsilon(1e-12));
                CHECK(are_close(gradient, expected, 1e-13));
                CHECK(are_close(hessian, curvature, 1e-13));
            }
        }
    }
}

TEST_CASE("exp_of_negative, log1p_of_share: as accurate as those of the C library") {
    for (int i = 0; i <= 7000; ++i) {
        const double x = -0.1 * i;
        CHECK(funnel::nn::detail::exp_of_negative(x) == Approx(std::exp(x)).epsilon(4e-16).scale(0.0));
        const double share = std::exp(x);
        CHECK(funnel::nn::detail::log1p_of_share(share) == Approx(std::log1p(share)).epsilon(8e-16).scale(0.0));
    }
}

TEST_CASE("LambdaRank: lists without a preference have no gradient") {
    const std::vector<double> scores{0.3, 0.1, 0.2};
    for (const float label : {0.0F, 2.0F}) {
        const auto [value, gradient] = loss(LambdaRank{}, scores, std::vector<float>(3, label));
        CHECK(value == 0.0);
        CHECK(gradient == std::vector<double>(3, 0.0));
    }
}

TEST_CASE("RankNet, LambdaRank: keep what every loss promises") {
    check_loss(RankNet{}, 3);
    check_loss(LambdaRank{.truncation = 4, .sigma = 0.7, .normalize = false}, 3);
    check_loss(LambdaRank{}, 3, false);  // normalized by factors that are taken as constants
}

TEST_CASE("RankNet, LambdaRank: reject invalid arguments, and say why") {
    check_loss_errors(RankNet{}, LossSample(3));
    check_loss_errors(LambdaRank{}, LossSample(3));
    const std::vector scores{0.0};
    const std::vector labels{1.0F};
    CHECK_THROWS_AS((void)loss(LambdaRank{}, scores, std::vector{-1.0F}), funnel::InvalidArgument);
    CHECK_THROWS_AS((void)loss(LambdaRank{.truncation = 0}, scores, labels), funnel::InvalidArgument);
    CHECK_THROWS_AS((void)loss(LambdaRank{.sigma = 0.0}, scores, labels), funnel::InvalidArgument);
}
