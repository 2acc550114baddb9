// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/ann/refine.hpp>

#include "ann/sample_vectors.hpp"

#include <funnel/ann/vectors.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/kernels/backend.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

using funnel::Matrix;
using funnel::Random;
using funnel::Scored;
using funnel::ann::L2;
using funnel::ann::detail::LikelyScores;
using funnel::ann::detail::refine;
using funnel::ann::detail::refine_likely;
using funnel::kernels::DefaultBackend;
using funnel::testing::Hits;
using funnel::testing::squared_distance;

namespace {

constexpr std::size_t dimension = 8;

Matrix<float> uniform(std::size_t n, std::uint64_t seed) {
    Matrix<float> rows(n, dimension);
    for (std::size_t i = 0; i < n; ++i) {
        Random random(seed, i);
        for (float& x : rows.row(i)) {
            x = static_cast<float>(random.uniform());
        }
    }
    return rows;
}

// All rows as candidates, in random order. Their codes are wrong by offset plus up to `error`, up or down.
Hits candidates_of(const Matrix<float>& rows, std::span<const float> query, double offset, double error) {
    Hits candidates(rows.rows());
    Random random(5, 1);
    for (std::uint32_t i = 0; i < candidates.size(); ++i) {
        const double wrong = offset + error * (2.0 * random.uniform() - 1.0);
        candidates[i] = {i, static_cast<float>(wrong - squared_distance(query, rows.row(i)))};
    }
    random.shuffle(std::span(candidates));
    return candidates;
}

struct Refined {
    Hits hits;
    std::size_t scored = 0;
};

Refined refined(const Matrix<float>& rows, std::span<const float> query, Hits candidates, std::size_t k) {
    Refined result{Hits(k), 0};
    std::vector<float> exact(candidates.size());
    const auto best = refine_likely<L2, DefaultBackend>(query, rows, candidates, exact, result.hits, result.scored);
    result.hits = Hits(best.begin(), best.end());
    return result;
}

Hits all_refined(const Matrix<float>& rows, std::span<const float> query, const Hits& candidates, std::size_t k) {
    Hits out(k);
    const auto best = refine<L2, DefaultBackend>(query, rows, candidates, out);
    return {best.begin(), best.end()};
}

}  // namespace

TEST_CASE("LikelyScores: worked by hand, and the same in any order") {
    // Codes 0, 1, 2 and scores 0, 1, 0.5: slope 1/4, constant 1/4, errors of -1/4, 1/2, -1/4 with variance 1/8.
    const Hits codes{{0, 0.0F}, {1, 1.0F}, {2, 2.0F}};
    const LikelyScores line(codes, std::vector<float>{0.0F, 1.0F, 0.5F});
    CHECK(line.at(1.0F) == doctest::Approx(0.5 + 3.0 * 0.353553).epsilon(2e-3));
    CHECK(line.at(-3.0F) == doctest::Approx(-0.5 + 3.0 * 0.353553).epsilon(2e-3));

    const LikelyScores steep(codes, std::vector<float>{0.0F, 3.0F, 6.0F});  // not steeper than 1
    CHECK(steep.at(2.0F) - steep.at(1.0F) == doctest::Approx(1.0));
    const LikelyScores falling(codes, std::vector<float>{2.0F, 1.0F, 0.0F});
    CHECK(falling.at(2.0F) == falling.at(0.0F));
    CHECK(LikelyScores(Hits{{0, 7.0F}}, std::vector<float>{-2.0F}).at(3.0F) == -2.0);  // nothing else is known

    Hits many(300);
    std::vector<float> exact(many.size());
    Random random(1, 2);
    for (std::uint32_t i = 0; i < many.size(); ++i) {
        many[i] = {i, static_cast<float>(random.uniform()) * 1e-3F};
        exact[i] = many[i].score + static_cast<float>(random.uniform()) * 1e-3F;
    }
    const double expected = LikelyScores(many, exact).at(0.5F);
    for (int i = 0; i < 20; ++i) {
        random.shuffle(std::span(many));
        std::vector<float> shuffled(many.size());
        for (std::size_t j = 0; j < many.size(); ++j) {
            shuffled[j] = exact[many[j].id];
        }
        CHECK(LikelyScores(many, shuffled).at(0.5F) == expected);  // to the bit
    }
}

TEST_CASE("refine_likely: scores less than half if codes are good, nearly all if they say next to nothing") {
    const Matrix<float> rows = uniform(600, 1);  // squared distances are about 1.3
    const Matrix<float> queries = uniform(50, 2);
    const auto check = [&](double error, std::size_t fewest_found, std::size_t least_scored, std::size_t most_scored) {
        CAPTURE(error);
        std::size_t found = 0;
        std::size_t scored = 0;
        for (std::size_t q = 0; q < queries.rows(); ++q) {
            const Hits candidates = candidates_of(rows, queries.row(q), 0.0, error);
            const Refined some = refined(rows, queries.row(q), candidates, 20);
            const Hits expected = all_refined(rows, queries.row(q), candidates, 20);
            REQUIRE(some.hits.size() == 20);
            found += static_cast<std::size_t>(std::count_if(some.hits.begin(), some.hits.end(), [&](const auto& hit) {
                return std::find(expected.begin(), expected.end(), hit) != expected.end();
            }));
            scored += some.scored;
        }
        CHECK(found >= fewest_found);  // of 1,000
        CHECK(scored >= least_scored);
        CHECK(scored <= most_scored);
    };
    for (const double error : {0.0, 0.02, 0.1, 0.5}) {
        check(error, 1000, 50 * 150, 50 * 300);
    }
    check(5.0, 960, 50 * 500, 50 * 600);
}

TEST_CASE("refine_likely: an error that all codes share does no harm") {
    const Matrix<float> rows = uniform(400, 3);
    const Matrix<float> queries = uniform(1, 4);
    for (const double offset : {-30.0, 30.0}) {
        const Hits candidates = candidates_of(rows, queries.row(0), offset, 0.02);
        const Refined some = refined(rows, queries.row(0), candidates, 10);
        CHECK(some.hits == all_refined(rows, queries.row(0), candidates, 10));
        CHECK(some.scored < 300);
    }
}

TEST_CASE("refine_likely: does not depend on the order of candidates") {
    const Matrix<float> rows = uniform(300, 5);
    const Matrix<float> queries = uniform(1, 6);
    Hits candidates = candidates_of(rows, queries.row(0), 0.1, 0.1);
    const Refined expected = refined(rows, queries.row(0), candidates, 7);
    Random random(9, 9);
    for (int i = 0; i < 20; ++i) {
        random.shuffle(std::span(candidates));
        const Refined again = refined(rows, queries.row(0), candidates, 7);
        CHECK(again.hits == expected.hits);
        CHECK(again.scored == expected.scored);
    }
}

TEST_CASE("refine_likely: scores all of a few candidates, of copies, and of codes that say nothing") {
    const Matrix<float> rows = uniform(200, 7);
    const Matrix<float> queries = uniform(1, 8);
    const auto query = queries.row(0);
    const auto scores_all = [&](const Hits& candidates, std::size_t k) {
        const Refined all = refined(rows, query, candidates, k);
        CHECK(all.scored == candidates.size());
        CHECK(all.hits == all_refined(rows, query, candidates, k));
    };
    const Hits candidates = candidates_of(rows, query, 0.0, 0.0);
    for (const std::size_t n : {0U, 1U, 2U, 31U, 32U}) {
        scores_all(Hits(candidates.begin(), candidates.begin() + static_cast<std::ptrdiff_t>(n)), 3);
    }
    scores_all(candidates, 200);  // as many hits
    scores_all(candidates, 300);  // and more
    for (const float code : {0.0F, -1.5F, std::numeric_limits<float>::lowest(), std::numeric_limits<float>::infinity(),
                             -std::numeric_limits<float>::infinity()}) {
        Hits same = candidates;
        std::for_each(same.begin(), same.end(), [&](auto& candidate) { candidate.score = code; });
        scores_all(same, 5);
    }
    Hits wild = candidates;
    for (std::size_t i = 0; i < wild.size(); ++i) {
        wild[i].score = (i % 2 == 0 ? -1.0F : 1.0F) * std::numeric_limits<float>::max();
    }
    scores_all(wild, 5);
    CHECK(refined(rows, query, candidates, 0).hits.empty());
}

// Rows a little longer than 1, as rounding may leave them: all are as near as a copy.
TEST_CASE("refine_likely: under Cosine, scores that rounding takes above 1 are ties") {
    Matrix<float> query(1, dimension);
    query.row(0)[0] = 1.0F;
    Matrix<float> rows(100, dimension);
    Hits candidates(rows.rows());
    for (std::uint32_t i = 0; i < rows.rows(); ++i) {
        rows.row(i)[0] = 1.0F + 0x1p-23F * static_cast<float>(i);
        candidates[i] = {i, static_cast<float>(i)};
    }
    Hits out(7);
    std::vector<float> exact(candidates.size());
    std::size_t scored = 0;
    const auto best =
        refine_likely<funnel::ann::Cosine, DefaultBackend>(query.view().row(0), rows, candidates, exact, out, scored);
    REQUIRE(best.size() == 7);
    for (std::uint32_t i = 0; i < best.size(); ++i) {
        CHECK(best[i] == Scored<>{i, 1.0F});
    }
}
