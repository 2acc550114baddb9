// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/rerank/dpp.hpp>

#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/rerank/group_cap.hpp>
#include <funnel/rerank/groups.hpp>
#include <funnel/rerank/kernel_dpp.hpp>
#include <funnel/rerank/mmr.hpp>

#include "support/allocations.hpp"
#include "support/backends.hpp"
#include "support/reranker_contract.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

using funnel::InvalidArgument;
using funnel::Matrix;
using funnel::MatrixView;
using funnel::Random;
using namespace funnel::rerank;

namespace {

using Positions = std::vector<std::size_t>;

// The definition, in double: each pick by a full scan, distances by Gram-Schmidt.
Positions dpp_by_definition(std::span<const float> relevance, MatrixView<const float> rows, std::size_t k,
                            double alpha) {
    const std::size_t n = rows.rows();
    const std::size_t d = rows.cols();
    std::vector<std::vector<double>> left(n, std::vector<double>(d));
    for (std::size_t i = 0; i < n; ++i) {
        double squared = 0.0;
        for (std::size_t j = 0; j < d; ++j) {
            squared += static_cast<double>(rows(i, j)) * static_cast<double>(rows(i, j));
        }
        for (std::size_t j = 0; j < d; ++j) {
            left[i][j] = squared > 0.0 ? static_cast<double>(rows(i, j)) / std::sqrt(squared) : 0.0;
        }
    }
    Positions slate;
    while (slate.size() < std::min(k, n)) {
        std::vector<double> scores(n, -1e300);
        double best = -1e300;
        for (std::size_t i = 0; i < n; ++i) {
            double squared = 0.0;
            for (const double x : left[i]) {
                squared += x * x;
            }
            if (squared > 4.0 * static_cast<double>(d) * 0x1p-23 &&
                std::find(slate.begin(), slate.end(), i) == slate.end()) {
                scores[i] = 2.0 * alpha * static_cast<double>(relevance[i]) + std::log(squared);
                best = std::max(best, scores[i]);
            }
        }
        if (best == -1e300) {
            break;
        }
        std::size_t pick = 0;
        while (scores[pick] < best - 1e-9) {
            ++pick;
        }
        slate.push_back(pick);
        std::vector<double> unit = left[pick];
        double length = 0.0;
        for (const double x : unit) {
            length += x * x;
        }
        for (double& x : unit) {
            x /= std::sqrt(length);
        }
        for (int pass = 0; pass < 2; ++pass) {
            for (auto& row : left) {
                double dot = 0.0;
                for (std::size_t j = 0; j < d; ++j) {
                    dot += row[j] * unit[j];
                }
                for (std::size_t j = 0; j < d; ++j) {
                    row[j] -= dot * unit[j];
                }
            }
        }
    }
    return slate;
}

const std::vector<float> five_rows{1.0F, 0.0F, 0.0F, 0.8F, 0.6F, 0.0F, 0.8F, 0.0F,
                                   0.6F, 0.0F, 1.0F, 0.0F, 0.0F, 0.6F, 0.8F};
const std::vector<float> five_relevances{0.9F, 0.85F, 0.8F, 0.5F, 0.4F};

}  // namespace

TEST_CASE_TEMPLATE_DEFINE("dpp: five items in space, picks worked out by enumeration", Backend, dpp_five_items) {
    const MatrixView<const float> items(five_rows, 5, 3);
    const auto picks = [&](float alpha, std::size_t k) {
        return dpp<Backend>(five_relevances, items, {.k = k, .alpha = alpha});
    };
    CHECK(picks(0.0F, 2) == Positions{0, 3});
    CHECK(picks(0.0F, 3) == Positions{0, 3, 4});
    CHECK(picks(0.5F, 3) == Positions{0, 3, 4});
    CHECK(picks(1.0F, 2) == Positions{0, 3});
    CHECK(picks(1.0F, 3) == Positions{0, 3, 2});
    CHECK(picks(1.0F, 4) == Positions{0, 3, 2});  // three dimensions
    CHECK(dpp<Backend>(five_relevances, items, {.k = 3, .theta = 2.0F / 3.0F}) == Positions{0, 3, 2});  // alpha = 1
}
TEST_CASE_TEMPLATE_APPLY(dpp_five_items, funnel::testing::HostBackends);

TEST_CASE_TEMPLATE_DEFINE("dpp: picks equal those of a full scan in double, with ties and duplicates", Backend,
                          dpp_full_scan) {
    Random random(2718);
    for (int trial = 0; trial < 3500; ++trial) {
        const std::size_t n = 1 + random.below(40);
        const std::size_t d = 1 + random.below(trial % 10 == 0 ? 40 : 9);
        const bool is_coarse = trial % 2 == 0;  // few values: ties and duplicates
        Matrix<float> rows(n, d);
        std::vector<float> relevance(n);
        for (std::size_t i = 0; i < n; ++i) {
            const std::size_t twin = random.below(n);
            for (std::size_t j = 0; j < d; ++j) {
                rows(i, j) =
                    is_coarse ? static_cast<float>(random.below(3)) - 1.0F : static_cast<float>(random.normal());
                if (trial % 3 == 0 && twin < i) {  // clusters
                    rows(i, j) = rows(twin, j) + (is_coarse ? 0.0F : 0.05F * rows(i, j));
                }
            }
            relevance[i] = static_cast<float>(random.below(is_coarse ? 4 : 1000)) / 1000.0F;
        }
        const std::size_t k = 1 + random.below(n + 2);
        for (const float alpha : {0.0F, 1.0F, 3.0F}) {
            CAPTURE(trial);
            CAPTURE(alpha);
            REQUIRE(dpp<Backend>(relevance, rows, {.k = k, .alpha = alpha}) ==
                    dpp_by_definition(relevance, rows, k, static_cast<double>(alpha)));
        }
    }
}
TEST_CASE_TEMPLATE_APPLY(dpp_full_scan, funnel::testing::HostBackends);

TEST_CASE_TEMPLATE_DEFINE("mmr: picks equal those of a full scan in double, with ties and duplicates", Backend,
                          mmr_full_scan) {
    Random random(314);
    for (int trial = 0; trial < 3500; ++trial) {
        const std::size_t n = 1 + random.below(trial % 20 == 0 ? 60 : 20);
        const std::size_t d = 1 + random.below(9);
        const bool is_coarse = trial % 2 == 0;
        Matrix<float> rows(n, d);
        std::vector<float> relevance(n);
        for (std::size_t i = 0; i < n; ++i) {
            for (std::size_t j = 0; j < d; ++j) {
                rows(i, j) =
                    is_coarse ? static_cast<float>(random.below(3)) - 1.0F : static_cast<float>(random.normal());
            }
            relevance[i] = static_cast<float>(random.below(is_coarse ? 4 : 1000)) / 1000.0F;
        }
        const std::size_t k = std::min<std::size_t>(n, 8);
        Positions expected;
        while (expected.size() < k) {
            std::vector<double> scores(n, -1e300);
            for (std::size_t i = 0; i < n; ++i) {
                if (std::find(expected.begin(), expected.end(), i) != expected.end()) {
                    continue;
                }
                double redundancy = -2.0;
                for (const std::size_t p : expected) {
                    double ip = 0.0;
                    double ii = 0.0;
                    double pp = 0.0;
                    for (std::size_t j = 0; j < d; ++j) {
                        ip += static_cast<double>(rows(i, j)) * static_cast<double>(rows(p, j));
                        ii += static_cast<double>(rows(i, j)) * static_cast<double>(rows(i, j));
                        pp += static_cast<double>(rows(p, j)) * static_cast<double>(rows(p, j));
                    }
                    redundancy = std::max(redundancy, ii * pp > 0.0 ? ip / std::sqrt(ii * pp) : 0.0);
                }
                const double lambda = expected.empty() ? 1.0 : static_cast<double>(0.6F);
                scores[i] = lambda * static_cast<double>(relevance[i]) - (1.0 - lambda) * redundancy;
            }
            const double best = *std::max_element(scores.begin(), scores.end());
            std::size_t pick = 0;
            while (scores[pick] < best - 1e-12) {
                ++pick;
            }
            expected.push_back(pick);
        }
        CAPTURE(trial);
        REQUIRE(mmr<Backend>(relevance, rows, {.k = k, .lambda = 0.6F}) == expected);
    }
}
TEST_CASE_TEMPLATE_APPLY(mmr_full_scan, funnel::testing::HostBackends);

TEST_CASE("dpp: the slate ends at the rank, whatever the scale, and no duplicate is picked") {
    Random random(5);
    Matrix<float> rows(100, 48);
    for (std::size_t i = 0; i < 100; ++i) {
        std::vector<double> mix(16);
        for (double& x : mix) {
            x = random.normal();
        }
        Random basis(6);
        for (std::size_t j = 0; j < 48; ++j) {
            double sum = 0.0;
            for (const double x : mix) {
                sum += x * basis.normal();
            }
            rows(i, j) = static_cast<float>(sum);
        }
    }
    std::vector<float> relevance(100);
    for (std::size_t i = 0; i < 100; ++i) {
        relevance[i] = static_cast<float>(i % 17) / 17.0F;
    }
    for (const float alpha : {0.0F, 10.0F, 1000.0F, 1e6F}) {  // exp(alpha) would overflow
        CHECK(dpp(relevance, rows, {.k = 50, .alpha = alpha}).size() == 16);
    }
    CHECK(dpp(relevance, Matrix<float>(100, 4)).empty());  // rows of zeros
    const std::vector<float> line{1.0F, 2.0F, 3.0F};
    CHECK(dpp(line, MatrixView<const float>(line, 3, 1)) == Positions{2});
}

TEST_CASE("dpp: a quality that overflows float or double still ranks by relevance first") {
    const std::vector<float> relevance{1.0F, 1000.0F, 999.0F};
    const std::vector<float> rows{1.0F, 0.0F, 0.0F, 1.0F, 0.1F, 1.0F};
    CHECK(dpp(relevance, MatrixView<const float>(rows, 3, 2), {.alpha = 100.0F}) == Positions{1, 2});
}

TEST_CASE("dpp: only_gains ends where the determinant would fall") {
    // q = exp(rel): gains of three orthogonal vectors are exp(2 rel): > 1, 1, < 1.
    const std::vector<float> relevance{0.5F, 0.1F, -0.5F};
    const std::vector<float> rows{1, 0, 0, 0, 1, 0, 0, 0, 1};
    const MatrixView<const float> items(rows, 3, 3);
    CHECK(dpp(relevance, items, {.alpha = 1.0F, .only_gains = true}) == Positions{0, 1});
    CHECK(dpp(relevance, items, {.alpha = 1.0F}) == Positions{0, 1, 2});
}

namespace {

struct OddOnly {  // and nothing after two places
    std::size_t placed = 0;
    [[nodiscard]] bool allows(std::size_t candidate) const { return candidate % 2 == 1 && placed < 2; }
    void place(std::size_t) { ++placed; }
};

}  // namespace

TEST_CASE("dpp and mmr: a rule decides who may take a place") {
    const MatrixView<const float> items(five_rows, 5, 3);
    OddOnly rule;
    CHECK(dpp(five_relevances, items, {.alpha = 1.0F}, rule) == Positions{1, 3});
    CHECK(rule.placed == 2);
    CHECK(mmr(five_relevances, items, {}, OddOnly{}) == Positions{1, 3});
    CHECK(dpp(five_relevances, items, {}, OddOnly{7}).empty());  // forbids everything
    CHECK(mmr(five_relevances, items, {}, OddOnly{7}).empty());

    const SlateCandidates<> candidates(items);
    SlateScratch scratch(5, 3, 5);
    std::vector<std::size_t> out(5);
    CHECK(dpp(five_relevances, candidates, scratch, out, {.alpha = 1.0F}, OddOnly{}).end ==
          SlateEnd::NoCandidateAllowed);
    CHECK(explain_mmr(five_relevances, candidates, {}, OddOnly{}).end == SlateEnd::NoCandidateAllowed);
}

TEST_CASE("dpp and mmr: a spent time budget ends the slate and says so") {
    const SlateCandidates<> candidates(MatrixView<const float>(five_rows, 5, 3));
    SlateScratch scratch(5, 3, 5);
    std::vector<std::size_t> out(5);
    const auto count = dpp(five_relevances, candidates, scratch, out, {.time_budget_ms = 0.0});
    CHECK(count.picks == 0);
    CHECK(count.end == SlateEnd::OutOfTime);
    CHECK(mmr(five_relevances, candidates, scratch, out, {.time_budget_ms = 0.0}).end == SlateEnd::OutOfTime);
    CHECK(mmr(five_relevances, candidates, scratch, out, {.time_budget_ms = 1e9}).end == SlateEnd::Complete);
}

TEST_CASE("dpp: explains each pick: squared quality, remaining volume, nearest pick") {
    const MatrixView<const float> items(five_rows, 5, 3);
    const Slate slate = explain_dpp(five_relevances, items, {.k = 3, .alpha = 1.0F});
    CHECK(slate.positions() == Positions{0, 3, 2});
    CHECK(slate.end == SlateEnd::Complete);
    double log_determinant = 0.0;
    for (const SlatePick& pick : slate.picks) {
        CHECK(pick.score == doctest::Approx(pick.relevance + pick.diversity));
        log_determinant += pick.score;
    }
    CHECK(log_determinant == doctest::Approx(3.37834875247).epsilon(1e-7));
    CHECK(slate.picks[0].diversity == 0.0);
    CHECK(!slate.picks[0].nearest);
    // Item 2 = (.8, 0, .6) keeps .36 beside items 0 = (1, 0, 0) and 3 = (0, 1, 0).
    CHECK(slate.picks[2].relevance == doctest::Approx(1.6));
    CHECK(slate.picks[2].diversity == doctest::Approx(std::log(0.36)));
    CHECK(slate.picks[2].nearest == std::size_t{0});
    CHECK(slate.picks[2].similarity == doctest::Approx(0.8));
    CHECK(explain_dpp(five_relevances, items, {.k = 4, .alpha = 1.0F}).end == SlateEnd::NothingNew);
    // An opposite vector is as near as a copy.
    const std::vector<float> rows{1.0F, 0.0F, 0.0F, 1.0F, -1.0F, 0.1F};
    const Slate opposite = explain_dpp(std::vector<float>{0.9F, 0.1F, 0.8F}, MatrixView<const float>(rows, 3, 2),
                                       {.k = 3, .alpha = 10.0F});
    CHECK(opposite.positions() == Positions{0, 2});
    CHECK(opposite.picks[1].similarity < -0.99);
}

TEST_CASE("dpp: log determinants of five items in space") {
    const MatrixView<const float> items(five_rows, 5, 3);
    const auto determinant = [&](float alpha, std::size_t k) {
        double sum = 0.0;
        for (const SlatePick& pick : explain_dpp(five_relevances, items, {.k = k, .alpha = alpha}).picks) {
            sum += pick.score;
        }
        return std::exp(sum);
    };
    CHECK(determinant(0.0F, 2) == doctest::Approx(1.0).epsilon(1e-6));
    CHECK(determinant(0.0F, 3) == doctest::Approx(0.64).epsilon(1e-6));
    CHECK(determinant(0.5F, 3) == doctest::Approx(3.87177437722).epsilon(1e-6));
    CHECK(determinant(1.0F, 2) == doctest::Approx(16.4446467711).epsilon(1e-6));
    CHECK(determinant(1.0F, 3) == doctest::Approx(29.3223127194).epsilon(1e-6));
}

TEST_CASE("dpp: memory for 10,000 candidates is that of their embeddings, not of 10^8 similarities") {
    if (!funnel::testing::allocations_are_counted) {
        return;
    }
    Random random(12);
    Matrix<float> rows(10'000, 8);
    std::vector<float> relevance(10'000);
    for (std::size_t i = 0; i < 10'000; ++i) {
        relevance[i] = static_cast<float>(random.uniform());
        for (float& x : rows.row(i)) {
            x = static_cast<float>(random.normal());
        }
    }
    const std::size_t bytes =
        funnel::testing::allocated_bytes_of([&] { CHECK(explain_dpp(relevance, rows, {.k = 8}).picks.size() == 8); });
    CHECK(bytes < 10'000 * 250);
}

TEST_CASE_TEMPLATE_DEFINE("dpp: 2,000 candidates of 256 features, as a full scan in double", Backend, dpp_large) {
    Random random(21);
    Matrix<float> rows(2000, 256);
    std::vector<float> relevance(2000);
    for (std::size_t i = 0; i < 2000; ++i) {
        relevance[i] = static_cast<float>(random.below(i % 2 == 0 ? 64 : 4096)) / (i % 2 == 0 ? 64.0F : 4096.0F);
        for (std::size_t j = 0; j < 256; ++j) {
            const float noise = static_cast<float>(random.normal());
            rows(i, j) = i % 5 == 4 ? rows(i - 4, j) : i % 5 == 3 ? rows(i - 3, j) + 0.1F * noise : noise;
        }
    }
    CHECK(dpp<Backend>(relevance, rows, {.k = 60, .alpha = 2.0F}) == dpp_by_definition(relevance, rows, 60, 2.0));
}
TEST_CASE_TEMPLATE_APPLY(dpp_large, funnel::testing::HostBackends);

TEST_CASE("mmr: explains each pick") {
    // lambda 0.7 after {0}: item 1 scores 0.7 * 0.85 - 0.3 * 0.8 = 0.355; its nearest pick is 0.
    const auto slate = explain_mmr(five_relevances, MatrixView<const float>(five_rows, 5, 3));
    CHECK(slate.positions() == Positions{0, 1, 2, 3, 4});
    CHECK(!slate.picks[0].nearest);
    CHECK(slate.picks[1].nearest == std::size_t{0});
    CHECK(slate.picks[1].score == doctest::Approx(0.355));
    CHECK(slate.picks[2].score == doctest::Approx(0.320));
}

TEST_CASE("dpp: the form in the caller's memory allocates nothing") {
    const SlateCandidates<> candidates(MatrixView<const float>(five_rows, 5, 3));
    SlateScratch scratch(5, 3, 5);
    std::vector<std::size_t> out(5);
    SlateCount count;
    CHECK(funnel::testing::allocations_of(
              [&] { count = dpp(five_relevances, candidates, scratch, out, {.k = 5, .alpha = 1.0F}); }) == 0);
    CHECK(count.picks == 3);
    CHECK(count.end == SlateEnd::NothingNew);
    CHECK(out[2] == 2);
}

TEST_CASE("dpp: edges, and rejects what it cannot compare") {
    const std::vector<float> one{1.0F};
    constexpr std::size_t endless = std::numeric_limits<std::size_t>::max();
    CHECK(dpp({}, Matrix<float>(0, 3)).empty());
    CHECK(dpp(one, Matrix<float>(1, 0)).empty());
    CHECK(dpp(five_relevances, MatrixView<const float>(five_rows, 5, 3), {.k = 0}).empty());
    CHECK(dpp(five_relevances, MatrixView<const float>(five_rows, 5, 3), {.k = endless}).size() == 3);
    CHECK_THROWS_AS((void)dpp(one, Matrix<float>(2, 3)), InvalidArgument);
    CHECK_THROWS_AS((void)dpp(one, Matrix<float>(1, 3), {.theta = 1.0F}), InvalidArgument);
    CHECK_THROWS_AS((void)dpp(one, Matrix<float>(1, 3), {.alpha = -1.0F}), InvalidArgument);
    const float not_a_number = std::numeric_limits<float>::quiet_NaN();
    const std::vector<float> broken{not_a_number};
    CHECK_THROWS_AS((void)dpp(broken, Matrix<float>(1, 3)), InvalidArgument);
    CHECK_THROWS_AS((void)dpp(one, MatrixView<const float>(broken, 1, 1)), InvalidArgument);
}

TEST_CASE("dpp: worked by hand") {
    // Scores 2 relevance + log(squared distance from the span of the picks), with alpha = 1:
    //   first       0: 1.8,  1: 1.7,  2: 1.6,  3: 1,  4: 0.8
    //   after 0     1: 1.7 + log 0.36 = 0.678,  2: 1.6 + log 0.36 = 0.578,  3: 1,  4: 0.8
    //   after 0, 3  1 lies in the span,  2: 0.578,  4: 0.8 + log 0.64 = 0.354
    const MatrixView<const float> items(five_rows, 5, 3);
    CHECK(dpp(five_relevances, items, {.k = 5, .alpha = 1.0F}) == Positions{0, 3, 2});

    // The same with the matrix of cosines, and with reasons. Scores are relative to the highest relevance.
    Matrix<float> cosines(5, 5);
    for (std::size_t i = 0; i < 5; ++i) {
        for (std::size_t j = 0; j < 5; ++j) {
            for (std::size_t c = 0; c < 3; ++c) {
                cosines(i, j) += items(i, c) * items(j, c);
            }
        }
    }
    const auto slate = kernel_dpp(five_relevances, Similarities{cosines}, {.k = 5, .alpha = 1.0F});
    REQUIRE(slate.positions() == Positions{0, 3, 2});
    CHECK(slate.end == SlateEnd::NothingNew);  // three dimensions
    CHECK(slate.picks[1].score == doctest::Approx(1.0));
    CHECK(slate.picks[2].score == doctest::Approx(1.6 + std::log(0.36)));
    CHECK(slate.picks[2].diversity == doctest::Approx(std::log(0.36)));
}

TEST_CASE("dpp: no more picks than dimensions") {
    // Ten films with three genres: rows of genres span three dimensions, so a fourth film adds nothing. A dimension of
    // its own for each film makes films of equal genres similar, but not equal.
    Matrix<float> genres(10, 3);
    Matrix<float> genres_and_films(10, 13);
    for (std::size_t i = 0; i < 10; ++i) {
        genres(i, i % 3) = 1.0F;
        genres_and_films(i, i % 3) = 1.0F;
        genres_and_films(i, 3 + i) = 0.3F;
    }
    const std::vector<float> relevance(10, 0.5F);
    CHECK(dpp(relevance, genres, {.k = 6}) == Positions{0, 1, 2});
    CHECK(dpp(relevance, genres_and_films, {.k = 6}) == Positions{0, 1, 2, 3, 4, 5});
}

TEST_CASE("dpp: candidates that are checked once, and a rule") {
    const SlateCandidates<> candidates(MatrixView<const float>(five_rows, 5, 3));
    CHECK(dpp(five_relevances, candidates, {.k = 3, .theta = 0.0F}) == Positions{0, 3, 4});  // only diversity
    CHECK(dpp(five_relevances, candidates, {.k = 3, .theta = 0.7F}) == Positions{0, 3, 2});

    const Groups genres(std::vector<std::uint32_t>{0, 1, 1, 0, 2});
    CHECK(dpp(five_relevances, candidates, {.k = 3}, GroupCap(genres, {.at_most = 1})) == Positions{0, 1, 4});
}
