// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/rerank/calibrated.hpp>

#include <funnel/core/matrix.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/rerank/group_cap.hpp>

#include "rerank/orders.hpp"
#include "support/reranker_contract.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

using funnel::InvalidArgument;
using funnel::Matrix;
using funnel::MatrixView;
using funnel::Random;
using funnel::rerank::calibrated;
using funnel::rerank::CalibratedOptions;
using funnel::rerank::GroupCap;
using funnel::rerank::Groups;
using namespace funnel::testing;

namespace {

// KL(target || (1 - a) q + a target), with a slate of which only the first places are filled.
double divergence(const Slate& slate, MatrixView<const float> shares, std::span<const float> target, std::size_t places,
                  double smoothing) {
    double sum = 0.0;
    for (std::size_t g = 0; g < target.size(); ++g) {
        double q = 0.0;
        for (const std::size_t i : slate) {
            q += static_cast<double>(shares(i, g));
        }
        const double p = target[g];
        if (p > 0.0) {
            sum += p * std::log(p / ((1.0 - smoothing) * q / static_cast<double>(places) + smoothing * p));
        }
    }
    return sum;
}

double objective(const Slate& slate, std::span<const float> relevance, MatrixView<const float> shares,
                 std::span<const float> target, std::size_t places, const CalibratedOptions& options) {
    return (1.0 - options.weight) * sum_over(slate, relevance) -
           options.weight * divergence(slate, shares, target, places, options.smoothing);
}

Matrix<float> one_genre_each(const std::vector<std::size_t>& genres, std::size_t count) {
    Matrix<float> shares(genres.size(), count);
    for (std::size_t i = 0; i < genres.size(); ++i) {
        shares(i, genres[i]) = 1.0F;
    }
    return shares;
}

// n rows of whole sixteenths: their sums are exact.
Matrix<float> random_shares(Random& random, std::size_t n, std::size_t genres) {
    Matrix<float> shares(n, genres);
    for (std::size_t i = 0; i < n; ++i) {
        for (int unit = 0; unit < 16; ++unit) {
            shares(i, random.below(genres)) += 1.0F / 16.0F;
        }
    }
    return shares;
}

}  // namespace

TEST_CASE("calibrated: published values of the divergence") {
    const std::vector<float> target{0.7F, 0.3F};
    const Matrix<float> all_first = one_genre_each(std::vector<std::size_t>(10, 0), 2);
    const Slate ten{0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    CHECK(divergence(ten, all_first, target, 10, 0.01) == doctest::Approx(1.133982).epsilon(1e-6));
    const Matrix<float> six_and_four = one_genre_each({0, 0, 0, 0, 0, 0, 1, 1, 1, 1}, 2);
    CHECK(divergence(ten, six_and_four, target, 10, 0.01) == doctest::Approx(0.021186).epsilon(1e-4));
}

TEST_CASE("calibrated: seven films of one genre and three of the other, as the user likes them") {
    // The most relevant films are all of genre 0.
    std::vector<std::size_t> genres(20, 0);
    std::fill(genres.begin() + 10, genres.end(), std::size_t{1});
    std::vector<float> relevance(20);
    for (std::size_t i = 0; i < 20; ++i) {
        relevance[i] = 1.0F - 0.01F * static_cast<float>(i);
    }
    const Matrix<float> shares = one_genre_each(genres, 2);
    const std::vector<float> target{0.7F, 0.3F};
    Slate slate = calibrated(relevance, shares, target, {.k = 10, .weight = 0.99});
    std::sort(slate.begin(), slate.end());
    CHECK(slate == Slate{0, 1, 2, 3, 4, 5, 6, 10, 11, 12});
    CHECK(calibrated(relevance, shares, target, {.k = 10, .weight = 0.0}) == Slate{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
}

TEST_CASE("calibrated: each pick has the largest gain, and the slate is near the best one") {
    Random random(12);
    double worst = 1.0;
    for (int round = 0; round < 300; ++round) {
        CAPTURE(round);
        const std::size_t n = random.below(8);
        const std::size_t genres = 1 + random.below(4);
        const Matrix<float> shares = random_shares(random, n, genres);
        const Matrix<float> target = random_shares(random, 1, genres);
        const std::vector<float> relevance = random_relevance(random, n);
        const CalibratedOptions options{
            .k = random.below(5), .weight = static_cast<double>(random.below(11)) / 10.0, .smoothing = 0.01};
        const std::size_t k = std::min(n, options.k);
        const Slate slate = calibrated(relevance, shares, target.row(0), options);
        check_slate(slate, n, options.k);
        REQUIRE(slate.size() == k);
        const auto value = [&](const Slate& some) {
            return objective(some, relevance, shares, target.row(0), k, options);
        };
        Slate prefix;
        for (const std::size_t pick : slate) {
            Slate with_pick = prefix;
            with_pick.push_back(pick);
            for (std::size_t i = 0; i < n; ++i) {
                if (std::find(with_pick.begin(), with_pick.end(), i) == with_pick.end()) {
                    Slate with_other = prefix;
                    with_other.push_back(i);
                    CHECK(value(with_other) <= value(with_pick) + 1e-12);
                }
            }
            prefix = with_pick;
        }
        double best = value(slate);
        (void)any_order(n, k, [&](const Slate& other) {
            best = std::max(best, value(other));
            return false;
        });
        if (k > 0 && best > value({})) {
            worst = std::min(worst, (value(slate) - value({})) / (best - value({})));
        }
    }
    CHECK(worst >= 1.0 - std::exp(-1.0));
    CHECK(worst < 1.0);  // it is greedy
}

TEST_CASE("calibrated: gains that are not computed again change nothing") {
    Random random(13);
    const std::size_t n = 300;
    const Matrix<float> shares = random_shares(random, n, 8);
    const Matrix<float> target = random_shares(random, 1, 8);
    std::vector<float> relevance(n);
    for (float& value : relevance) {
        value = static_cast<float>(random.below(1000)) / 500.0F;
    }
    const CalibratedOptions options{.k = 40, .weight = 0.9};
    const Slate slate = calibrated(relevance, shares, target.row(0), options);
    Slate expected;
    while (expected.size() < 40) {
        Slate best;
        double best_value = -1e300;
        for (std::size_t i = 0; i < n; ++i) {
            if (std::find(expected.begin(), expected.end(), i) == expected.end()) {
                Slate next = expected;
                next.push_back(i);
                const double value = objective(next, relevance, shares, target.row(0), 40, options);
                if (value > best_value) {
                    best = next;
                    best_value = value;
                }
            }
        }
        expected = best;
    }
    CHECK(slate == expected);
}

TEST_CASE("calibrated: under a rule, forbidden candidates come back when they are allowed") {
    const Names names{0, 0, 0, 1, 1};
    const Groups groups(names);
    const std::vector<float> relevance{5, 4, 3, 2, 1};
    const Matrix<float> shares = one_genre_each({0, 0, 0, 1, 1}, 2);
    const std::vector<float> target{1.0F, 0.0F};
    CHECK(calibrated(relevance, shares, target, {.k = 4}, GroupCap(groups, {.at_most = 2})) == Slate{0, 1, 3, 4});
    CHECK(calibrated(relevance, shares, target, {.k = 5}, GroupCap(groups, {.at_most = 1})) == Slate{0, 3});
    struct ZeroLast {
        std::size_t placed = 0;
        [[nodiscard]] bool allows(std::size_t i) const { return i != 0 || placed == 2; }
        void place(std::size_t) { ++placed; }
    };
    CHECK(calibrated(relevance, shares, target, {.k = 4}, ZeroLast{}) == Slate{1, 2, 0, 3});
}

TEST_CASE("calibrated: ties, edges and candidates that are alike") {
    check_reranker([](std::span<const float> relevance, std::size_t k) {
        Matrix<float> shares(relevance.size(), 2);
        for (std::size_t i = 0; i < relevance.size(); ++i) {
            shares(i, 1) = 1.0F;
        }
        return calibrated(relevance, shares, std::vector<float>{0.5F, 0.5F}, {.k = k});
    });
    // Only calibration counts: ties go to the higher relevance. The third film has no genre.
    const std::vector<float> relevance{1, 2, 9, 2};
    Matrix<float> shares = one_genre_each({0, 0, 0, 0}, 1);
    shares(2, 0) = 0.0F;
    CHECK(calibrated(relevance, shares, std::vector<float>{1.0F}, {.k = 4, .weight = 1.0}) == Slate{1, 3, 0, 2});
    CHECK(calibrated(relevance, Matrix<float>(4, 0), {}, {.k = 2}) == Slate{2, 1});
}

TEST_CASE("calibrated: rejects shapes, sums and options that are wrong") {
    const std::vector<float> relevance{1, 2};
    Matrix<float> shares = one_genre_each({0, 1}, 2);
    const std::vector<float> target{0.5F, 0.5F};
    const auto fails = [&](const std::vector<float>& wanted, const CalibratedOptions& options) {
        CHECK_THROWS_AS((void)calibrated(relevance, shares, wanted, options), InvalidArgument);
    };
    fails({1.0F}, {});
    fails({0.5F, 0.4F}, {});
    fails({1.5F, -0.5F}, {});
    fails(target, {.weight = -0.1});
    fails(target, {.weight = 1.1});
    fails(target, {.weight = std::numeric_limits<double>::quiet_NaN()});
    fails(target, {.smoothing = 0.0});
    CHECK_THROWS_AS((void)calibrated(std::vector<float>{1}, shares, target), InvalidArgument);
    shares(0, 1) = 1.0F;
    fails(target, {});
    shares(0, 0) = std::numeric_limits<float>::quiet_NaN();
    fails(target, {});
}

TEST_CASE("calibrated: worked by hand") {
    // Three films of genre A and one of B; the user likes both alike. The gain of a genre that the slate lacks is
    // 0.5 log(1 + 0.99 * 0.5 / 0.005) = 2.3026, that of a second film of a genre 0.5 log(1 + 0.495 / 0.5) = 0.3441.
    const std::vector<float> relevance{1.0F, 0.9F, 0.8F, 0.5F};
    const Matrix<float> shares = one_genre_each({0, 0, 0, 1}, 2);
    const std::vector<float> target{0.5F, 0.5F};

    // weight 0.5, second place: film 1 scores 0.5 * 0.9 + 0.5 * 0.3441 = 0.622, film 3 0.5 * 0.5 + 0.5 * 2.3026 = 1.401.
    CHECK(calibrated(relevance, shares, target, {.k = 2}) == Slate{0, 3});
    CHECK(calibrated(relevance, shares, target, {.k = 2, .weight = 0.0}) == Slate{0, 1});

    // Both score the same at the weight 0.4 / (0.4 + 2.3026 - 0.3441) = 0.1696.
    CHECK(calibrated(relevance, shares, target, {.k = 2, .weight = 0.169}) == Slate{0, 1});
    CHECK(calibrated(relevance, shares, target, {.k = 2, .weight = 0.170}) == Slate{0, 3});
}
