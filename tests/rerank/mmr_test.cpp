// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/rerank/mmr.hpp>

#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/rng.hpp>

#include "support/allocations.hpp"
#include "support/backends.hpp"
#include "support/reranker_contract.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <span>
#include <vector>

using funnel::InvalidArgument;
using funnel::Matrix;
using funnel::MatrixView;
using funnel::Random;
using funnel::rerank::explain_mmr;
using funnel::rerank::mmr;
using funnel::rerank::MMROptions;
using funnel::rerank::PairSimilarity;
using funnel::rerank::RelevanceScale;
using funnel::rerank::Similarities;
using funnel::rerank::SlateCandidates;
using funnel::rerank::SlateCount;
using funnel::rerank::SlateEnd;
using funnel::rerank::SlateScratch;

namespace {

using Slate = std::vector<std::size_t>;
using AnySimilarity = std::function<float(std::size_t, std::size_t)>;

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

// The definition, read word for word: O(n k^2), and nothing shared with the code under test but the formula.
Slate mmr_by_definition(std::span<const float> relevance, const AnySimilarity& similarity, MMROptions options) {
    Slate slate;
    while (slate.size() < std::min(options.k, relevance.size())) {
        std::size_t best = relevance.size();
        float best_score = 0.0F;
        for (std::size_t i = 0; i < relevance.size(); ++i) {
            if (std::find(slate.begin(), slate.end(), i) != slate.end()) {
                continue;
            }
            float redundancy = std::numeric_limits<float>::lowest();
            for (const std::size_t pick : slate) {
                redundancy = std::max(redundancy, similarity(i, pick));
            }
            const float score =
                slate.empty() ? relevance[i] : options.lambda * relevance[i] - (1.0F - options.lambda) * redundancy;
            if (best == relevance.size() || score > best_score) {
                best = i;
                best_score = score;
            }
        }
        slate.push_back(best);
    }
    return slate;
}

std::vector<float> uniform(Random& random, std::size_t n) {  // in [-1, 1)
    std::vector<float> values(n);
    for (float& value : values) {
        value = static_cast<float>(random.below(1000)) / 500.0F - 1.0F;
    }
    return values;
}

float unrelated(std::size_t, std::size_t) {
    return 0.0F;
}

}  // namespace

TEST_CASE("mmr: worked by hand") {
    // Candidates 0 and 1 are near twins; 2 is less relevant but different from both.
    const std::vector<float> relevance{0.9F, 0.8F, 0.6F};
    const std::vector<float> similarities{1.0F, 0.9F, 0.1F,  //
                                          0.9F, 1.0F, 0.2F,  //
                                          0.1F, 0.2F, 1.0F};
    const Similarities similarity{{similarities, 3, 3}};

    // After 0:  1 scores 0.5 * 0.8 - 0.5 * 0.9 = -0.05,  2 scores 0.5 * 0.6 - 0.5 * 0.1 = 0.25.
    CHECK(mmr(relevance, similarity, {.k = 2, .lambda = 0.5F}) == Slate{0, 2});
    CHECK(mmr(relevance, similarity, {.k = 2, .lambda = 1.0F}) == Slate{0, 1});
    CHECK(mmr(relevance, similarity) == Slate{0, 2, 1});
}

TEST_CASE("mmr: a candidate is charged for its closest pick, not for the newest") {
    // After 0 and 1: 2 is a twin of 0 and scores 0.5 * 0.8 - 0.5 * 0.9 = -0.05; 3 scores 0.5 * 0.1 - 0.5 * 0.0 = 0.05.
    const std::vector<float> relevance{1.0F, 0.9F, 0.8F, 0.1F};
    const std::vector<float> similarities{1.0F, 0.0F, 0.9F, 0.0F,  //
                                          0.0F, 1.0F, 0.0F, 0.0F,  //
                                          0.9F, 0.0F, 1.0F, 0.0F,  //
                                          0.0F, 0.0F, 0.0F, 1.0F};
    CHECK(mmr(relevance, Similarities{{similarities, 4, 4}}, {.lambda = 0.5F}) == Slate{0, 1, 3, 2});
}

TEST_CASE("mmr: agrees with the definition on random similarities") {
    Random random(20240607);
    for (const std::size_t n : {1U, 2U, 7U, 40U}) {
        const std::vector<float> relevance = uniform(random, n);
        const std::vector<float> similarities = uniform(random, n * n);
        const MatrixView<const float> similarity(similarities, n, n);
        for (const float lambda : {0.0F, 0.3F, 0.7F, 1.0F}) {
            const MMROptions options{.k = 12, .lambda = lambda};
            CAPTURE(n);
            CAPTURE(lambda);
            const Slate expected = mmr_by_definition(relevance, similarity, options);
            CHECK(mmr(relevance, Similarities{similarity}, options) == expected);
            CHECK(mmr(relevance, [&](std::size_t i, std::size_t j) { return similarity(i, j); }, options) == expected);
        }
    }
}

TEST_CASE_TEMPLATE_DEFINE("mmr: agrees with the definition on random embeddings", Backend, random_embeddings) {
    Random random(7);
    for (const std::size_t n : {1U, 3U, 20U, 60U}) {
        for (const std::size_t d : {1U, 2U, 5U, 33U}) {
            const std::vector<float> relevance = uniform(random, n);
            std::vector<float> rows = uniform(random, n * d);
            std::fill_n(rows.begin(), d, 0.0F);  // one row of zeros
            const MatrixView<const float> embeddings(rows, n, d);
            const auto cosine = [&](std::size_t i, std::size_t j) {
                double ij = 0.0;
                double ii = 0.0;
                double jj = 0.0;
                for (std::size_t c = 0; c < d; ++c) {
                    ij += static_cast<double>(embeddings(i, c)) * static_cast<double>(embeddings(j, c));
                    ii += static_cast<double>(embeddings(i, c)) * static_cast<double>(embeddings(i, c));
                    jj += static_cast<double>(embeddings(j, c)) * static_cast<double>(embeddings(j, c));
                }
                return ii > 0.0 && jj > 0.0 ? static_cast<float>(ij / std::sqrt(ii * jj)) : 0.0F;
            };
            for (const float lambda : {0.3F, 0.7F}) {
                CAPTURE(n);
                CAPTURE(d);
                CAPTURE(lambda);
                const MMROptions options{.k = 9, .lambda = lambda};
                const Slate slate = mmr<Backend>(relevance, embeddings, options);
                const Slate expected = mmr_by_definition(relevance, cosine, options);
                if (d == 1) {
                    // Every cosine is -1, 0 or 1: candidates tie but for the last bit, and either may win.
                    CHECK(slate.size() == expected.size());
                } else {
                    CHECK(slate == expected);
                }
            }
        }
    }
}
TEST_CASE_TEMPLATE_APPLY(random_embeddings, funnel::testing::HostBackends);

TEST_CASE("mmr: five items in space, picks worked out by hand for every lambda") {
    // Cosines to 0: .8 .8 0 0;  to 3: 0 .6 0 . .6;  2 and 4: .48;  1 and 2: .64;  1 and 4: .36.
    const std::vector<float> rows{1.0F, 0.0F, 0.0F,  //
                                  0.8F, 0.6F, 0.0F,  //
                                  0.8F, 0.0F, 0.6F,  //
                                  0.0F, 1.0F, 0.0F,  //
                                  0.0F, 0.6F, 0.8F};
    const std::vector<float> relevance{0.9F, 0.85F, 0.8F, 0.5F, 0.4F};
    std::vector<float> longer = rows;  // a cosine does not see lengths
    for (std::size_t c = 0; c < 3; ++c) {
        longer[3 + c] *= 100.0F;
        longer[9 + c] *= 0.01F;
    }
    for (const auto& data : {rows, longer}) {
        const MatrixView<const float> items(data, 5, 3);
        CHECK(mmr(relevance, items, {.lambda = 1.0F}) == Slate{0, 1, 2, 3, 4});
        CHECK(mmr(relevance, items, {.lambda = 0.9F}) == Slate{0, 1, 2, 3, 4});
        CHECK(mmr(relevance, items, {.lambda = 0.7F}) == Slate{0, 1, 2, 3, 4});
        CHECK(mmr(relevance, items, {.lambda = 0.5F}) == Slate{0, 3, 1, 2, 4});
        CHECK(mmr(relevance, items, {.lambda = 0.3F}) == Slate{0, 3, 4, 1, 2});
        CHECK(mmr(relevance, items, {.lambda = 0.0F}) == Slate{0, 3, 4, 1, 2});
    }
}

TEST_CASE("mmr: a square matrix is embeddings, whatever its values; similarities are named as such") {
    const std::vector<float> relevance{0.9F, 0.8F, 0.7F};
    const MMROptions options{.k = 3, .lambda = 0.5F};

    // As vectors, 0 and 1 are twins: 0, 2, 1. As similarities, 1 would be unlike 0 and 2 its twin: 0, 1, 2.
    for (const float length : {1.0F, 2.0F, 0.25F}) {           // unit vectors and others
        const std::vector<float> values{0.0F,   0.0F, length,  //
                                        0.0F,   0.0F, length,  //
                                        length, 0.0F, 0.0F};
        const MatrixView<const float> square(values, 3, 3);
        CHECK(mmr(relevance, square, options) == Slate{0, 2, 1});
        CHECK(mmr(relevance, Matrix<float>(square), options) == Slate{0, 2, 1});
        CHECK(mmr(relevance, Similarities{square}, options) == Slate{0, 1, 2});
    }
}

TEST_CASE("mmr: as many unnormalised embeddings as they are long give the slate of their cosines") {
    Random random(64);
    for (int trial = 0; trial < 20; ++trial) {
        const std::vector<float> relevance = uniform(random, 64);
        const std::vector<float> rows = uniform(random, 64 * 64);
        const MatrixView<const float> embeddings(rows, 64, 64);
        std::vector<float> cosines(64 * 64);
        for (std::size_t i = 0; i < 64; ++i) {
            for (std::size_t j = 0; j < 64; ++j) {
                double ij = 0.0;
                double ii = 0.0;
                double jj = 0.0;
                for (std::size_t c = 0; c < 64; ++c) {
                    ij += static_cast<double>(embeddings(i, c)) * static_cast<double>(embeddings(j, c));
                    ii += static_cast<double>(embeddings(i, c)) * static_cast<double>(embeddings(i, c));
                    jj += static_cast<double>(embeddings(j, c)) * static_cast<double>(embeddings(j, c));
                }
                cosines[64 * i + j] = static_cast<float>(ij / std::sqrt(ii * jj));
            }
        }
        CHECK(mmr(relevance, embeddings) == mmr(relevance, Similarities{{cosines, 64, 64}}));
    }
}

// Whatever else is a matrix would be read as similarities by its call operator: a column-major or double Eigen matrix.
struct ForeignMatrix {
    static long rows() { return 3; }
    static long cols() { return 3; }
    float operator()(long, long) const { return 0.0F; }
};
// As in libraries that do not call its sizes rows() and cols(): Armadillo, Kokkos, xtensor.
struct MatrixWithSize {
    static std::size_t size() { return 9; }
    float operator()(std::size_t, std::size_t) const { return 0.0F; }
};
struct MatrixWithData {
    static const float* data() { return nullptr; }
    float operator()(std::size_t, std::size_t) const { return 0.0F; }
};
static_assert(!PairSimilarity<ForeignMatrix> && !PairSimilarity<MatrixWithSize> && !PairSimilarity<MatrixWithData>);
static_assert(!PairSimilarity<Matrix<double>>);
static_assert(!PairSimilarity<MatrixView<float>>);
static_assert(!PairSimilarity<Similarities>);
static_assert(PairSimilarity<decltype(unrelated)> && PairSimilarity<AnySimilarity>);

// A row-major matrix in the shape of Eigen's.
struct RowMajorMatrix {
    static constexpr bool IsRowMajor = true;
    static constexpr int InnerStrideAtCompileTime = 1;
    std::vector<float> values;

    [[nodiscard]] const float* data() const { return values.data(); }
    [[nodiscard]] static std::ptrdiff_t rows() { return 3; }
    [[nodiscard]] static std::ptrdiff_t cols() { return 3; }
    [[nodiscard]] static std::ptrdiff_t outerStride() { return 3; }
    float operator()(std::ptrdiff_t i, std::ptrdiff_t j) const { return values[static_cast<std::size_t>(3 * i + j)]; }
};

TEST_CASE("mmr: a matrix of Eigen holds embeddings too, square or not") {
    const RowMajorMatrix items{{0, 0, 2, 0, 0, 3, 5, 0, 0}};  // 0 and 1 are twins
    const std::vector<float> relevance{0.9F, 0.8F, 0.7F};
    CHECK(mmr(relevance, items, {.lambda = 0.5F}) == Slate{0, 2, 1});
    CHECK(mmr(relevance, Similarities{items}, {.lambda = 0.5F}) == Slate{0, 1, 2});
}

TEST_CASE("mmr: a vector has a direction from a length of 1e-18 on, and is like nothing below") {
    // 1 is a twin of 0 unless it counts as zeros; 2 is at a right angle to both.
    const std::vector<float> relevance{0.9F, 0.8F, 0.7F};
    const auto slate_for = [&](float length) {
        const std::vector<float> rows{1.0F, 0.0F, length, 0.0F, 0.0F, 1.0F};
        return mmr(relevance, MatrixView<const float>(rows, 3, 2), {.lambda = 0.5F});
    };
    for (const float length : {1e18F, 1.0F, 1e-10F, 1.1e-18F}) {
        CHECK(slate_for(length) == Slate{0, 2, 1});
    }
    for (const float length : {0.9e-18F, 1e-30F, 0.0F}) {
        CHECK(slate_for(length) == Slate{0, 1, 2});
    }
}

TEST_CASE("mmr: takes an owning matrix, padded rows and all, as it takes a view") {
    Matrix<float> items(3, 2);  // 0 and 1 are twins
    items(0, 0) = 1.0F;
    items(1, 0) = 1.0F;
    items(2, 1) = 1.0F;
    const std::vector<float> relevance{0.9F, 0.8F, 0.7F};
    CHECK(mmr(relevance, items, {.lambda = 0.5F}) == Slate{0, 2, 1});
    CHECK(mmr(relevance, items.view(), {.lambda = 0.5F}) == Slate{0, 2, 1});
}

TEST_CASE("mmr: ties go to the smaller position") {
    const std::vector<float> relevance(4, 0.5F);
    CHECK(mmr(relevance, Similarities{Matrix<float>(4, 4)}) == Slate{0, 1, 2, 3});
    const auto all_alike = [](std::size_t, std::size_t) { return 1.0F; };
    CHECK(mmr(relevance, all_alike) == Slate{0, 1, 2, 3});
    CHECK(mmr(relevance, Matrix<float>(4, 2)) == Slate{0, 1, 2, 3});  // rows of zeros
}

TEST_CASE("mmr: asks for each pair of candidate and pick at most once") {
    const std::vector<float> relevance(10, 1.0F);
    std::size_t calls = 0;
    const auto counting = [&](std::size_t, std::size_t) {
        ++calls;
        return 0.0F;
    };
    CHECK(mmr(relevance, counting, {.k = 4}).size() == 4);
    CHECK(calls == 9 + 8 + 7);
}

TEST_CASE("mmr: any k, any relevance, ties, and relevance that is not finite") {
    funnel::testing::check_reranker(
        [](std::span<const float> relevance, std::size_t k) { return mmr(relevance, unrelated, {.k = k}); });
    funnel::testing::check_reranker([](std::span<const float> relevance, std::size_t k) {
        return mmr(relevance, Matrix<float>(relevance.size(), 3), {.k = k});
    });
    funnel::testing::check_reranker([](std::span<const float> relevance, std::size_t k) {
        return mmr(relevance, Similarities{Matrix<float>(relevance.size(), relevance.size())}, {.k = k});
    });
}

TEST_CASE("mmr: edges of the input") {
    const std::vector<float> relevance{0.1F, 0.2F};

    CHECK(mmr({}, unrelated).empty());
    CHECK(mmr({}, MatrixView<const float>{}).empty());
    CHECK(mmr(relevance, unrelated, {.k = 0}).empty());
    CHECK(mmr(relevance, unrelated, {.k = 99}) == Slate{1, 0});
    CHECK(mmr(relevance, Matrix<float>(2, 0)) == Slate{1, 0});
    CHECK(mmr(relevance, Matrix<float>(2, 3), {.k = 1}) == Slate{1});
}

TEST_CASE("mmr: rejects what it cannot compare") {
    const std::vector<float> relevance{1.0F};
    CHECK_THROWS_AS((void)mmr(relevance, unrelated, {.lambda = -0.1F}), InvalidArgument);
    CHECK_THROWS_AS((void)mmr(relevance, unrelated, {.lambda = 1.1F}), InvalidArgument);
    CHECK_THROWS_AS((void)mmr(relevance, unrelated, {.lambda = not_a_number}), InvalidArgument);

    CHECK_THROWS_AS((void)mmr(std::vector<float>{0.5F, not_a_number}, unrelated), InvalidArgument);
    CHECK_THROWS_AS((void)mmr(std::vector<float>{0.5F, -infinity}, unrelated), InvalidArgument);

    CHECK_THROWS_AS((void)mmr(relevance, Matrix<float>(2, 3)), InvalidArgument);
    const std::vector<float> broken{1.0F, not_a_number};
    CHECK_THROWS_AS((void)mmr(relevance, MatrixView<const float>(broken, 1, 2)), InvalidArgument);
    const std::vector<float> endless{1.0F, 1e30F};
    CHECK_THROWS_AS((void)mmr(relevance, MatrixView<const float>(endless, 1, 2)), InvalidArgument);

    CHECK_THROWS_WITH_AS((void)mmr(relevance, Similarities{Matrix<float>(1, 2)}),
                         "mmr: similarities must have one row and one column for each of 1 candidates, got 1 x 2",
                         InvalidArgument);
    CHECK_THROWS_AS((void)mmr(relevance, Similarities{Matrix<float>(2, 1)}), InvalidArgument);
    CHECK_THROWS_AS((void)mmr(relevance, Similarities{}), InvalidArgument);
    CHECK_THROWS_AS((void)mmr({}, Similarities{Matrix<float>(0, 1)}), InvalidArgument);
}

TEST_CASE("mmr: rejects a similarity that is no number, from a matrix and from a callable") {
    const std::vector<float> relevance{0.9F, 0.8F, 0.7F};
    for (const float broken : {not_a_number, infinity, -infinity}) {
        const auto similarity = [&](std::size_t i, std::size_t j) { return i + j == 2 ? broken : 0.0F; };
        Matrix<float> values(3, 3);
        values(2, 0) = broken;
        for (const float lambda : {0.0F, 0.5F, 1.0F}) {
            CHECK_THROWS_WITH_AS((void)mmr(relevance, similarity, {.lambda = lambda}),
                                 "mmr: similarities must be finite", InvalidArgument);
            CHECK_THROWS_AS((void)mmr(relevance, Similarities{values}, {.lambda = lambda}), InvalidArgument);
        }
        // Not asked for, not seen: one pick is compared with nothing.
        CHECK(mmr(relevance, Similarities{values}, {.k = 1}) == Slate{0});
    }
}

TEST_CASE("mmr: relevance is brought to the scale of similarity") {
    // Relevance in stars, 1 to 5, outweighs any cosine; scaled to [0, 1] the twin 1 of 0 loses:
    // after 0, item 1 scores 0.7 * 0.75 - 0.3 * 1 = 0.225, item 2 scores 0.7 * 0.5 - 0 = 0.35.
    const std::vector<float> stars{5.0F, 4.0F, 3.0F, 1.0F};
    const std::vector<float> rows{1, 0, 1, 0, 0, 1, 1, 1};
    const MatrixView<const float> items(rows, 4, 2);
    CHECK(mmr(stars, items, {.k = 2}) == std::vector<std::size_t>{0, 1});
    CHECK(mmr(stars, items, {.k = 2, .scale = RelevanceScale::MinMax}) == std::vector<std::size_t>{0, 2});
    const auto slate = explain_mmr(stars, items, {.k = 2, .scale = RelevanceScale::MinMax});
    CHECK(slate.positions() == std::vector<std::size_t>{0, 2});
    CHECK(slate.picks[0].relevance == doctest::Approx(1.0));
    CHECK(slate.picks[1].score == doctest::Approx(0.35));

    const auto alike = [&](std::size_t i, std::size_t j) { return i + j == 1 ? 1.0F : 0.0F; };
    CHECK(mmr(stars, alike, {.k = 2, .scale = RelevanceScale::Rank}) == std::vector<std::size_t>{0, 2});
    CHECK(explain_mmr(stars, alike, {.k = 1, .scale = RelevanceScale::Rank}).picks[0].score == doctest::Approx(1.0));

    const SlateCandidates<> candidates(items);
    SlateScratch scratch(4, 2, 2);
    std::vector<std::size_t> out(2);
    for (const RelevanceScale scale :
         {RelevanceScale::MinMax, RelevanceScale::ZScore, RelevanceScale::Rank, RelevanceScale::Softmax}) {
        SlateCount count;
        const MMROptions options{.k = 2, .scale = scale};
        CHECK(funnel::testing::allocations_of([&] { count = mmr(stars, candidates, scratch, out, options); }) == 0);
        CHECK(count.picks == 2);
        CHECK(out == mmr(stars, items, options));
        CHECK(out == mmr(
                         stars,
                         [&](std::size_t i, std::size_t j) {
                             return (rows[2 * i] * rows[2 * j] + rows[2 * i + 1] * rows[2 * j + 1]) /
                                    std::sqrt((rows[2 * i] + rows[2 * i + 1]) * (rows[2 * j] + rows[2 * j + 1]));
                         },
                         options));
    }
}

TEST_CASE("mmr: a tie is broken by position, whatever was picked before") {
    // Eight equal candidates beside better ones in the middle: a set that swaps its last element into a gap would
    // return them in another order.
    std::vector<float> relevance{0.5F, 0.9F, 0.5F, 0.5F, 0.8F, 0.5F, 0.7F, 0.5F, 0.5F, 0.5F, 0.5F};
    const std::vector<std::size_t> expected{1, 4, 6, 0, 2, 3, 5, 7, 8, 9, 10};
    CHECK(mmr(relevance, [](std::size_t, std::size_t) { return 0.25F; }, {.k = 11}) == expected);
    const std::vector<float> ones(11, 1.0F);
    CHECK(mmr(relevance, MatrixView<const float>(ones, 11, 1), {.k = 11}) == expected);
    CHECK(explain_mmr(relevance, MatrixView<const float>(ones, 11, 1), {.k = 11}).positions() == expected);
}

TEST_CASE("mmr: the first pick has no redundancy, and lambda is the weight of relevance, not of diversity") {
    const std::vector<float> relevance{-1.0F, -0.5F, -0.75F};
    const auto slate =
        explain_mmr(relevance, [](std::size_t, std::size_t) { return 0.25F; }, {.k = 2, .lambda = 0.75F});
    CHECK(slate.picks[0].position == 1);
    CHECK(slate.picks[0].diversity == 0.0);  // the maximum over no picks counts as 0
    CHECK(slate.picks[0].score == -0.5);
    CHECK(slate.picks[1].relevance == 0.75 * -0.75);
    CHECK(slate.picks[1].diversity == -0.25 * 0.25);
}

TEST_CASE("mmr: a budget that ends in the middle returns the prefix") {
    // The callable takes a millisecond per pick; the budget allows a few.
    std::vector<float> relevance(200);
    for (std::size_t i = 0; i < relevance.size(); ++i) {
        relevance[i] = static_cast<float>((i * 37) % 200);
    }
    volatile double sink = 0.0;
    const auto slow = [&](std::size_t i, std::size_t j) {
        for (int spin = 0; spin < 2000; ++spin) {
            sink = sink + 1.0;
        }
        return static_cast<float>(i == j);
    };
    const auto slate = explain_mmr(relevance, slow, {.k = 200, .time_budget_ms = 5.0});
    CHECK(slate.end == SlateEnd::OutOfTime);
    CHECK(slate.picks.size() < 200);
    auto whole = mmr(relevance, [](std::size_t i, std::size_t j) { return static_cast<float>(i == j); }, {.k = 200});
    whole.resize(slate.picks.size());
    CHECK(slate.positions() == whole);
}

TEST_CASE("mmr: a score only falls, worked by hand") {
    // lambda = 0.7. After {0}: 1 scores 0.355, 3 scores 0.350, 2 scores 0.320, 4 scores 0.280.
    // After {0, 1}: 3 falls to 0.35 - 0.3 * 0.6 = 0.170, because 3 is similar to 1. 2 still scores 0.320. The old score
    // of 4, 0.280, is an upper bound of its new one. It is below 0.320, so the new one need not be computed.
    const std::vector<float> relevance{0.9F, 0.85F, 0.8F, 0.5F, 0.4F};
    const std::vector<float> rows{1.0F, 0.0F, 0.0F, 0.8F, 0.6F, 0.0F, 0.8F, 0.0F,
                                  0.6F, 0.0F, 1.0F, 0.0F, 0.0F, 0.6F, 0.8F};
    const auto slate =
        funnel::rerank::explain_mmr(relevance, MatrixView<const float>(rows, 5, 3), {.k = 4, .lambda = 0.7F});
    REQUIRE(slate.picks.size() == 4);
    CHECK(slate.positions() == Slate{0, 1, 2, 3});
    CHECK(slate.picks[1].score == doctest::Approx(0.355));
    CHECK(slate.picks[2].score == doctest::Approx(0.320));
    CHECK(slate.picks[2].relevance == doctest::Approx(0.56));
    CHECK(slate.picks[2].diversity == doctest::Approx(-0.24));
    CHECK(slate.picks[2].nearest == std::size_t{0});
    CHECK(slate.picks[3].score == doctest::Approx(0.170));
    CHECK(slate.picks[3].nearest == std::size_t{1});
}

TEST_CASE("mmr: one huge relevance, positive or negative, does not make the others equal") {
    funnel::Matrix<float> rows(6, 6);
    for (std::size_t i = 0; i < 6; ++i) {
        rows(i, i) = 1.0F;
    }
    const std::vector<float> masked{0.1F, 0.2F, 0.9F, 0.3F, 0.8F, std::numeric_limits<float>::lowest()};
    CHECK(mmr(masked, rows, {.k = 6}) == Slate{2, 4, 3, 1, 0, 5});
    const std::vector<float> promoted{1e30F, 0.1F, 0.9F, 0.5F, 0.3F, 0.2F};
    CHECK(mmr(promoted, rows, {.k = 6}) == Slate{0, 2, 3, 4, 5, 1});
    const std::vector<float> small{1e9F, 1e-4F, 5e-4F, 9e-4F, 3e-4F, 2e-4F};
    CHECK(mmr(small, rows, {.k = 6, .lambda = 1.0F}) == Slate{0, 3, 2, 4, 5, 1});
}
