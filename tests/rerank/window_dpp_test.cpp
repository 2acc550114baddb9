// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/rerank/window_dpp.hpp>

#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/rerank/dpp.hpp>

#include "support/allocations.hpp"
#include "support/backends.hpp"
#include "support/exact_cosine.hpp"
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
using funnel::testing::exact_cosine;
using namespace funnel::rerank;

namespace {

using Positions = std::vector<std::size_t>;

// det S(items) / det S(items without the last): the last pivot of an elimination.
double conditional_determinant(MatrixView<const float> rows, const Positions& items) {
    const std::size_t m = items.size();
    std::vector<std::vector<double>> s(m, std::vector<double>(m));
    for (std::size_t a = 0; a < m; ++a) {
        for (std::size_t b = 0; b < m; ++b) {
            s[a][b] = exact_cosine(rows.row(items[a]), rows.row(items[b]));
        }
    }
    for (std::size_t p = 0; p < m; ++p) {
        for (std::size_t a = p + 1; a < m; ++a) {
            const double factor = s[a][p] / s[p][p];
            for (std::size_t b = p; b < m; ++b) {
                s[a][b] -= factor * s[p][b];
            }
        }
    }
    return s[m - 1][m - 1];
}

Positions by_definition(std::span<const float> relevance, MatrixView<const float> rows, std::size_t k,
                        std::size_t window, double alpha) {
    const double tolerance = 4.0 * static_cast<double>(rows.cols()) * 0x1p-23;
    Positions slate;
    while (slate.size() < std::min(k, relevance.size())) {
        const std::size_t m = std::min(window - 1, slate.size());
        Positions items(slate.end() - static_cast<std::ptrdiff_t>(m), slate.end());
        items.push_back(0);
        std::vector<double> scores(relevance.size(), -1e300);
        for (std::size_t i = 0; i < relevance.size(); ++i) {
            items.back() = i;
            if (std::find(slate.begin(), slate.end(), i) != slate.end() ||
                exact_cosine(rows.row(i), rows.row(i)) == 0.0) {
                continue;
            }
            const double left = conditional_determinant(rows, items);
            if (left > tolerance) {
                scores[i] = 2.0 * alpha * static_cast<double>(relevance[i]) + std::log(left);
            }
        }
        const double best = *std::max_element(scores.begin(), scores.end());
        if (best == -1e300) {
            break;
        }
        std::size_t pick = 0;
        while (scores[pick] < best - 1e-9) {
            ++pick;
        }
        slate.push_back(pick);
    }
    return slate;
}

struct Shelf {
    Matrix<float> rows;
    std::vector<float> relevance;
};

// Coarse: few values, so that there are ties, copies and rows of zeros.
Shelf random_shelf(Random& random, std::size_t n, std::size_t d, bool is_coarse) {
    Shelf shelf{Matrix<float>(n, d), std::vector<float>(n)};
    for (std::size_t i = 0; i < n; ++i) {
        for (float& x : shelf.rows.row(i)) {
            x = is_coarse ? static_cast<float>(random.below(3)) - 1.0F : static_cast<float>(random.normal());
        }
        shelf.relevance[i] = static_cast<float>(random.below(is_coarse ? 4 : 1000)) / (is_coarse ? 4.0F : 1000.0F);
    }
    return shelf;
}

}  // namespace

TEST_CASE("window_dpp: a topic returns when its pick has left the window") {
    // Two directions, each twice; theta 0: only diversity. With window 2, each pick is compared with one pick before it.
    const std::vector<float> rows{1, 0, 1, 0, 0, 1, 0, 1};
    const std::vector<float> relevance{0.4F, 0.3F, 0.2F, 0.1F};
    const MatrixView<const float> items(rows, 4, 2);
    const Slate slate = window_dpp(relevance, items, {.k = 4, .window = 2, .theta = 0.0F});
    CHECK(slate.positions() == Positions{0, 2, 1, 3});
    CHECK(slate.end == SlateEnd::Complete);
    CHECK(slate.picks[2].nearest == std::size_t{2});  // and not 0, its copy, which is out of the window
    CHECK(slate.picks[2].similarity == 0.0);
    // A window that spans the space leaves nothing new: as dpp.
    const Slate two = window_dpp(relevance, items, {.k = 4, .window = 3, .theta = 0.0F});
    CHECK(two.positions() == Positions{0, 2});
    CHECK(two.end == SlateEnd::NothingNew);
}

TEST_CASE("window_dpp: scores are relevance plus the logarithm of the conditional determinant") {
    // cos = 0.8 between 0 and 1: 1 - 0.64 = 0.36 remains of 1 beside 0, and of 2 beside 1: 1 - 0.6^2 = 0.64.
    const std::vector<float> rows{1, 0, 0.8F, 0.6F, 0, 1};
    const std::vector<float> relevance{0.9F, 0.8F, 0.0F};
    const Slate slate =
        window_dpp(relevance, MatrixView<const float>(rows, 3, 2), {.k = 3, .window = 2, .alpha = 1.0F});
    // After 0: 1 scores 1.6 + log 0.36 = 0.578; 2 scores 0 + log 1 = 0.
    CHECK(slate.positions() == Positions{0, 1, 2});
    CHECK(slate.picks[0].score == doctest::Approx(1.8));
    CHECK(slate.picks[1].relevance == doctest::Approx(1.6));
    CHECK(slate.picks[1].diversity == doctest::Approx(std::log(0.36)));
    CHECK(slate.picks[2].score == doctest::Approx(std::log(0.64)));
    CHECK(slate.picks[2].nearest == std::size_t{1});
    CHECK(slate.picks[2].similarity == doctest::Approx(0.6));
}

TEST_CASE_TEMPLATE_DEFINE("window_dpp: picks equal those of conditional determinants in double, ties and copies too",
                          Backend, window_by_definition) {
    Random random(161);
    for (int trial = 0; trial < 1200; ++trial) {
        const bool is_coarse = trial % 2 == 0;
        const std::size_t n = 1 + random.below(24);
        const std::size_t d = 1 + random.below(7);
        const Shelf shelf = random_shelf(random, n, d, is_coarse);
        const std::size_t k = 1 + random.below(n + 2);
        const std::size_t window = 1 + random.below(6);
        for (const float alpha : {0.0F, 1.0F}) {
            CAPTURE(trial);
            CAPTURE(alpha);
            CAPTURE(window);
            REQUIRE(window_dpp<Backend>(shelf.relevance, shelf.rows, {.k = k, .window = window, .alpha = alpha})
                        .positions() ==
                    by_definition(shelf.relevance, shelf.rows, k, window, static_cast<double>(alpha)));
        }
    }
}
TEST_CASE_TEMPLATE_APPLY(window_by_definition, funnel::testing::HostBackends);

TEST_CASE_TEMPLATE_DEFINE("window_dpp: hundreds of picks, near copies, and a window of any size", Backend,
                          window_long_lists) {
    Random random(7);
    Shelf shelf = random_shelf(random, 300, 12, false);
    for (std::size_t i = 100; i < 200; ++i) {  // near copies: a squared distance of about 1e-4
        for (std::size_t j = 0; j < 12; ++j) {
            shelf.rows(i, j) = shelf.rows(i - 100, j) + 0.01F * static_cast<float>(random.normal());
        }
    }
    for (const std::size_t window : {2U, 3U, 8U, 12U}) {
        CAPTURE(window);
        const Slate slate = window_dpp<Backend>(shelf.relevance, shelf.rows, {.k = 300, .window = window});
        const auto expected = by_definition(shelf.relevance, shelf.rows, 300, window, 0.7 / 0.6);
        CHECK(slate.positions() == expected);
        double worst = 0.0;
        for (std::size_t t = window; t < slate.picks.size(); ++t) {
            const Positions items(expected.begin() + static_cast<std::ptrdiff_t>(t + 1 - window),
                                  expected.begin() + static_cast<std::ptrdiff_t>(t + 1));
            const double exact = std::log(conditional_determinant(shelf.rows, items));
            worst = std::max(worst, std::fabs(slate.picks[t].diversity - exact));
        }
        CHECK(worst < 1e-9);
    }
}
TEST_CASE_TEMPLATE_APPLY(window_long_lists, funnel::testing::HostBackends);

TEST_CASE("window_dpp: with a window of k the picks of dpp, with a window of 1 the order of relevance") {
    Random random(3);
    for (int trial = 0; trial < 50; ++trial) {
        const Shelf shelf = random_shelf(random, 60, 16, trial % 2 == 0);
        const Slate wide = window_dpp(shelf.relevance, shelf.rows, {.k = 20, .window = 20});
        const Slate all = explain_dpp(shelf.relevance, shelf.rows, {.k = 20});
        CHECK(wide.positions() == all.positions());
        CHECK(wide.end == all.end);
        CHECK(wide.picks.back().score == doctest::Approx(all.picks.back().score));
        CHECK(wide.picks.back().nearest == all.picks.back().nearest);
    }
    funnel::testing::check_reranker([](std::span<const float> relevance, std::size_t k) {
        const std::vector<float> ones(relevance.size(), 1.0F);
        const MatrixView<const float> alike(ones, ones.size(), 1);
        return window_dpp(relevance, alike, {.k = k, .window = 1}).positions();
    });
}

namespace {

struct NotTwiceTheSameParity {
    std::size_t last = 1;
    [[nodiscard]] bool allows(std::size_t candidate) const { return candidate % 2 != last % 2; }
    void place(std::size_t candidate) { last = candidate; }
};

struct Nobody {
    [[nodiscard]] bool allows(std::size_t) const { return false; }
    void place(std::size_t) {}
};

}  // namespace

TEST_CASE("window_dpp: a rule decides who may take a place") {
    const std::vector<float> relevance{0.9F, 0.8F, 0.7F, 0.6F, 0.5F};
    Matrix<float> rows(5, 5);
    for (std::size_t i = 0; i < 5; ++i) {
        rows(i, i) = 1.0F;
    }
    NotTwiceTheSameParity rule;
    CHECK(window_dpp(relevance, rows, {.k = 4, .window = 3}, rule).positions() == Positions{0, 1, 2, 3});
    const Slate swapped = window_dpp(std::vector<float>{0.9F, 0.1F, 0.8F, 0.7F, 0.6F}, rows, {.k = 5, .window = 3},
                                     NotTwiceTheSameParity{});
    CHECK(swapped.positions() == Positions{0, 3, 2, 1, 4});
    CHECK(rule.last == 3);
    const Slate none = window_dpp(relevance, rows, {}, Nobody{});
    CHECK(none.picks.empty());
    CHECK(none.end == SlateEnd::NoCandidateAllowed);
}

TEST_CASE("window_dpp: memory does not grow with k times n") {
    if (!funnel::testing::allocations_are_counted) {
        return;
    }
    Random random(9);
    const Shelf shelf = random_shelf(random, 4000, 8, false);
    const SlateCandidates<> candidates(shelf.rows);
    const std::size_t bytes = funnel::testing::allocated_bytes_of(
        [&] { CHECK(window_dpp(shelf.relevance, candidates, {.k = 500, .window = 5}).picks.size() == 500); });
    CHECK(bytes < 4000 * 100);  // k n doubles are 16 MB
}

TEST_CASE("window_dpp: a spent time budget ends the slate with what there is, and says so") {
    const std::vector<float> rows{1, 0, 0, 1};
    const MatrixView<const float> items(rows, 2, 2);
    const std::vector<float> relevance{0.2F, 0.1F};
    const Slate late = window_dpp(relevance, items, {.time_budget_ms = 0.0});
    CHECK(late.picks.empty());
    CHECK(late.end == SlateEnd::OutOfTime);
    CHECK(window_dpp(relevance, items, {.time_budget_ms = 1e9}).picks.size() == 2);
}

TEST_CASE("window_dpp: edges, and rejects what it cannot compare") {
    const std::vector<float> one{1.0F};
    constexpr std::size_t endless = std::numeric_limits<std::size_t>::max();
    CHECK(window_dpp({}, Matrix<float>(0, 3)).picks.empty());
    CHECK(window_dpp(one, Matrix<float>(1, 0)).picks.empty());
    CHECK(window_dpp(one, Matrix<float>(1, 2)).end == SlateEnd::NothingNew);  // a row of zeros
    CHECK(window_dpp(one, MatrixView<const float>(one, 1, 1), {.k = endless, .window = endless}).picks.size() == 1);
    CHECK(window_dpp(one, MatrixView<const float>(one, 1, 1), {.k = 0}).end == SlateEnd::Complete);
    CHECK_THROWS_AS((void)window_dpp(one, Matrix<float>(1, 2), {.window = 0}), InvalidArgument);
    CHECK_THROWS_AS((void)window_dpp(one, Matrix<float>(2, 2)), InvalidArgument);
    CHECK_THROWS_AS((void)window_dpp(one, Matrix<float>(1, 2), {.theta = 1.0F}), InvalidArgument);
    CHECK_THROWS_AS((void)window_dpp(one, Matrix<float>(1, 2), {.alpha = -1.0F}), InvalidArgument);
    CHECK_THROWS_AS((void)window_dpp(one, Matrix<float>(1, 2), {.time_budget_ms = -1.0}), InvalidArgument);
    const std::vector<float> broken{std::numeric_limits<float>::quiet_NaN()};
    CHECK_THROWS_AS((void)window_dpp(broken, Matrix<float>(1, 2)), InvalidArgument);
    CHECK_THROWS_AS((void)window_dpp(one, MatrixView<const float>(broken, 1, 1)), InvalidArgument);
}
