// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/nn/listwise_losses.hpp>

#include "nn/loss_checks.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <vector>

using doctest::Approx;
using funnel::nn::ApproxNDCG;
using funnel::nn::ListMLE;
using funnel::nn::ListNet;
using funnel::nn::loss;
using funnel::nn::XENDCG;
using funnel::testing::are_close;
using funnel::testing::check_loss;
using funnel::testing::check_loss_errors;
using funnel::testing::LossSample;

TEST_CASE("ListNet: worked by hand") {
    // Labels log 3, 0: targets 3/4, 1/4. Scores 0, 0: probabilities 1/2 each, loss log 2.
    const std::vector<double> scores{0.0, 0.0};
    const auto [value, gradient] = loss(ListNet{}, scores, std::vector{std::log(3.0F), 0.0F});
    CHECK(value == Approx(std::log(2.0)).epsilon(1e-7));
    CHECK(are_close(gradient, std::vector{-0.25, 0.25}, 1e-7));
}

TEST_CASE("ListMLE: worked by hand") {
    // Order by label: items 1, 2, 0 with exp(s) = 1, 2, 3. The choices are 1 of 6, 2 of 5, 3 of 3.
    const std::vector<double> scores{std::log(3.0), 0.0, std::log(2.0)};
    const auto [value, gradient] = loss(ListMLE{}, scores, std::vector{-1.0F, 5.0F, 0.5F});
    CHECK(value == Approx(std::log(6.0) + std::log(5.0 / 2.0)).epsilon(1e-14));
    CHECK(are_close(gradient, std::vector{3.0 / 6 + 3.0 / 5, 1.0 / 6 - 1, 2.0 / 6 + 2.0 / 5 - 1}, 1e-14));
}

TEST_CASE("ListMLE: ties are put into an order that depends on seed, epoch and list alone") {
    const std::vector<double> scores{0.0, 1.0, 2.0};
    const std::vector<float> labels{1.0F, 1.0F, 1.0F};
    std::set<double> values;
    for (std::uint64_t epoch = 0; epoch < 60; ++epoch) {
        const ListMLE kind{.epoch = epoch};
        values.insert(loss(kind, scores, labels).value);
        CHECK(loss(kind, scores, labels).value == loss(kind, scores, labels).value);
    }
    CHECK(values.size() == 6);  // all orders
    const ListMLE other{.seed = 2};
    CHECK(loss(other, scores, std::vector{3.0F, 2.0F, 1.0F}).value ==
          loss(ListMLE{}, scores, std::vector{3.0F, 2.0F, 1.0F}).value);  // no ties, nothing random
}

TEST_CASE("XENDCG: worked by hand, with the perturbations recomputed") {
    const std::vector<double> scores{0.0, std::log(3.0)};
    const std::vector<float> labels{2.0F, 0.0F};
    const XENDCG kind{.seed = 5, .epoch = 3};
    funnel::Random random(5, funnel::stream("xe_ndcg.noise").substream(3), 0);
    const double first = 4.0 - random.uniform();
    const double second = 1.0 - random.uniform();
    const double q = first / (first + second);
    const auto [value, gradient] = loss(kind, scores, labels);
    CHECK(value == Approx(-q * std::log(0.25) - (1.0 - q) * std::log(0.75)).epsilon(1e-14));
    CHECK(are_close(gradient, std::vector{0.25 - q, q - 0.25}, 1e-14));
    CHECK(loss(XENDCG{.seed = 5, .epoch = 4}, scores, labels).value != value);
    // The same list once more has other perturbations.
    const auto twice = loss(kind, std::vector{0.0, std::log(3.0), 0.0, std::log(3.0)},
                            std::vector{2.0F, 0.0F, 2.0F, 0.0F}, std::vector<std::size_t>{2, 2});
    CHECK(twice.gradient[0] == gradient[0]);
    CHECK(twice.gradient[2] != gradient[0]);
}

TEST_CASE("XENDCG: the corrected gradient, worked by hand") {
    // Two items with probabilities 1/4 and 3/4 and first term -t, t: over 1 - probability -4/3 t and 4 t, so the second
    // terms are t and -t. Those over 1 - probability are 4/3 t and -4 t, so the third terms are -t and t. Sum: -t, t.
    const std::vector<double> two{0.0, std::log(3.0)};
    const std::vector<float> labels{2.0F, 0.0F};
    const auto plain = loss(XENDCG{}, two, labels);
    const auto corrected = loss(XENDCG{.corrects = true}, two, labels);
    CHECK(corrected.value == plain.value);
    CHECK(are_close(corrected.gradient, plain.gradient, 1e-14));
    // Probabilities 1/2, 1/4, 1/4 and first terms a, b, c.
    const std::vector<double> three{std::log(2.0), 0.0, 0.0};
    const std::vector<float> graded{0.0F, 3.0F, 1.0F};
    const auto first = loss(XENDCG{}, three, graded).gradient;
    const std::vector terms{2.0 * first[0], 4.0 / 3.0 * first[1], 4.0 / 3.0 * first[2]};
    const std::vector second{(terms[1] + terms[2]) / 2.0, (terms[0] + terms[2]) / 4.0, (terms[0] + terms[1]) / 4.0};
    const std::vector next{2.0 * second[0], 4.0 / 3.0 * second[1], 4.0 / 3.0 * second[2]};
    CHECK(are_close(
        loss(XENDCG{.corrects = true}, three, graded).gradient,
        std::vector{first[0] + second[0] + (next[1] + next[2]) / 2.0, first[1] + second[1] + (next[0] + next[2]) / 4.0,
                    first[2] + second[2] + (next[0] + next[1]) / 4.0},
        1e-14));
    CHECK(loss(XENDCG{.corrects = true}, std::vector{5.0}, std::vector{1.0F}).gradient == std::vector{0.0});
}

TEST_CASE("ApproxNDCG: worked by hand") {
    // Equal scores: both smooth ranks are 1.5. Labels 1 and 0: loss 1 - 1 / log2(2.5).
    const auto [value, gradient] = loss(ApproxNDCG{}, std::vector{0.5, 0.5}, std::vector{1.0F, 0.0F});
    CHECK(value == Approx(1.0 - 1.0 / std::log2(2.5)).epsilon(1e-14));
    CHECK(gradient[0] == Approx(-gradient[1]));
    CHECK(gradient[0] < 0.0);
}

TEST_CASE("ApproxNDCG: is 1 - NDCG if the temperature is low") {
    // Ranks 2, 1, 3 by score: DCG = 3 / log2 3 + 0 + 1 / 2; the best order has 3 + 1 / log2 3.
    const auto value =
        loss(ApproxNDCG{.temperature = 1e-3}, std::vector{0.5, 0.9, 0.1}, std::vector{2.0F, 0.0F, 1.0F}).value;
    CHECK(value == Approx(1.0 - (3.0 / std::log2(3.0) + 0.5) / (3.0 + 1.0 / std::log2(3.0))).epsilon(1e-12));
    CHECK(loss(ApproxNDCG{}, std::vector{0.5, 0.9}, std::vector{0.0F, 0.0F}).value == 0.0);
}

TEST_CASE("ListNet, XENDCG, ListMLE, ApproxNDCG: keep what every loss promises") {
    check_loss(ListNet{}, 3);
    check_loss(XENDCG{.seed = 3, .epoch = 2}, 3);
    check_loss(XENDCG{.corrects = true}, 3, false);
    check_loss(ListMLE{.seed = 3, .epoch = 2}, 3);
    check_loss(ApproxNDCG{.temperature = 0.5}, 3);
}

TEST_CASE("ListNet, XENDCG, ListMLE, ApproxNDCG: reject invalid arguments, and say why") {
    check_loss_errors(ListNet{}, LossSample(3));
    check_loss_errors(XENDCG{}, LossSample(3));
    check_loss_errors(ListMLE{}, LossSample(3));
    check_loss_errors(ApproxNDCG{}, LossSample(3));
    CHECK_THROWS_AS((void)loss(ApproxNDCG{.temperature = 0.0}, std::vector{1.0}, std::vector{1.0F}),
                    funnel::InvalidArgument);
    CHECK_THROWS_AS((void)loss(XENDCG{}, std::vector{1.0}, std::vector{600.0F}), funnel::InvalidArgument);
}
