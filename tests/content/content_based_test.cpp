// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/content/content_based.hpp>

#include "support/model_contract.hpp"

#include <funnel/core/error.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/sparse.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/features/term_vectors.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

using funnel::CSRMatrix;
using funnel::InvalidArgument;
using funnel::Scored;
using funnel::Triplet;
using funnel::content::ContentBased;
using funnel::content::ContentOptions;
using funnel::data::Interactions;

namespace {

using Ids = std::vector<std::uint32_t>;

// items x features, about a third of the entries; item 3 and the last `without` ones have none.
CSRMatrix<float> random_features(std::size_t items, std::size_t features, std::size_t without = 0) {
    funnel::Random random(5);
    std::vector<Triplet<float>> entries;
    for (std::uint32_t i = 0; i + without < items; ++i) {
        for (std::uint32_t j = 0; j < features; ++j) {
            if (i != 3 && random.uniform() < 0.35) {
                entries.push_back({i, j, static_cast<float>(0.1 + 3.0 * random.uniform())});
            }
        }
    }
    return {entries, items, features};
}

std::vector<double> dense_row(const CSRMatrix<float>& matrix, std::size_t i) {
    std::vector<double> row(matrix.cols());
    double squares = 0.0;
    for (std::size_t at = 0; at < matrix.row(i).size(); ++at) {
        row[matrix.row(i).columns[at]] = static_cast<double>(matrix.row(i).values[at]);
        squares += std::pow(row[matrix.row(i).columns[at]], 2.0);
    }
    for (double& x : row) {
        x /= squares > 0.0 ? std::sqrt(squares) : 1.0;
    }
    return row;
}

// The cosine, in double.
double cosine(const CSRMatrix<float>& matrix, std::size_t a, std::size_t b) {
    const std::vector<double> x = dense_row(matrix, a);
    const std::vector<double> y = dense_row(matrix, b);
    double sum = 0.0;
    for (std::size_t j = 0; j < x.size(); ++j) {
        sum += x[j] * y[j];
    }
    return sum;
}

Interactions some_log(std::size_t items) {
    return Interactions::from_ids({{0, 0}, {0, 5}, {0, 7}, {1, 2}, {2, 3}, {2, 1}}, 4, items);
}

}  // namespace

TEST_CASE("ContentBased: fulfils the contract of models") {
    funnel::testing::check_model<ContentBased>(
        [](std::size_t items) { return ContentOptions{random_features(items, 10, std::min<std::size_t>(items, 4))}; });
}

TEST_CASE("ContentBased: scores are mean cosines with the items of the history") {
    const CSRMatrix<float> features = random_features(12, 6);
    const auto model = ContentBased::fit(some_log(12), {.features = features});
    const std::vector<Ids> histories{{0, 5, 7}, {2}, {1, 3}, {}};
    for (std::uint32_t user = 0; user < 4; ++user) {
        for (std::uint32_t item = 0; item < 12; ++item) {
            double expected = 0.0;
            for (const std::uint32_t from : histories[user]) {
                expected += cosine(features, from, item) / static_cast<double>(histories[user].size());
            }
            CHECK(static_cast<double>(model.score(user, Ids{item})[0]) == doctest::Approx(expected).epsilon(1e-5));
        }
    }
    CHECK(model.recommend(3).empty());
    CHECK(model.fold_in(Ids{3}).recommend().empty());  // no features, no evidence
}

TEST_CASE("ContentBased: shares of explain sum to the score") {
    const auto model = ContentBased::fit(some_log(12), {.features = random_features(12, 6)});
    for (std::uint32_t item = 0; item < 12; ++item) {
        float sum = 0.0F;
        for (const Scored<>& share : model.explain(0, item, 10)) {
            sum += share.score;
        }
        CHECK(sum == doctest::Approx(model.score(0, Ids{item})[0]).epsilon(1e-5));
    }
}

TEST_CASE("ContentBased: similar items have the largest cosines") {
    const CSRMatrix<float> features = random_features(12, 6);
    const auto model = ContentBased::fit(some_log(12), {.features = features});
    constexpr std::size_t all = std::numeric_limits<std::size_t>::max();
    for (std::uint32_t item = 0; item < 12; ++item) {
        const std::vector<Scored<>> similar = model.similar_items(item, all);
        std::size_t expected = 0;
        for (std::uint32_t other = 0; other < 12; ++other) {
            expected += other != item && cosine(features, item, other) > 0.0 ? 1U : 0U;
        }
        CHECK(similar.size() == expected);
        for (std::size_t i = 0; i < similar.size(); ++i) {
            CHECK(similar[i].id != item);
            CHECK(static_cast<double>(similar[i].score) ==
                  doctest::Approx(cosine(features, item, similar[i].id)).epsilon(1e-5));
            CHECK((i == 0 || similar[i - 1].score >= similar[i].score));
        }
        const std::vector<Scored<>> two = model.similar_items(item, 2);
        CHECK(std::equal(two.begin(), two.end(), similar.begin()));
    }
    CHECK(model.similar_items(0, 0).empty());
    CHECK_THROWS_AS(static_cast<void>(model.similar_items(12, 1)), InvalidArgument);
}

TEST_CASE("ContentBased: an item that nobody took is recommended by its text") {
    const std::vector<std::string> titles{"space station war", "war and space", "love in paris", "summer love",
                                          "space war returns"};
    const auto terms = funnel::features::TermVectors::fit(titles);
    const auto log = Interactions::from_ids({{0, 0}, {1, 2}}, 2, 5);
    const auto model = ContentBased::fit(log, {.features = terms.transform(titles)});
    const auto of_war = model.recommend(0, {.k = 2});
    REQUIRE(of_war.size() == 2);
    CHECK(std::min(of_war[0].id, of_war[1].id) == 1);
    CHECK(std::max(of_war[0].id, of_war[1].id) == 4);
    CHECK(model.recommend(1, {.k = 1})[0].id == 3);
}

TEST_CASE("ContentBased: equal vectors tie, and ids order them; huge and tiny features have cosines of 1") {
    const CSRMatrix<float> features(
        std::vector<Triplet<float>>{
            {0, 0, 3e38F}, {0, 1, 3e38F}, {1, 0, 1e-30F}, {1, 1, 1e-30F}, {2, 0, 1.0F}, {2, 1, 1.0F}},
        3, 2);
    const auto model = ContentBased::fit(Interactions::from_ids({{0, 0}}, 1, 3), {.features = features});
    const auto list = model.recommend(0);
    REQUIRE(list.size() == 2);
    CHECK(list[0].id == 1);
    CHECK(list[0].score == doctest::Approx(1.0F).epsilon(1e-3));
    CHECK(list[1].score == doctest::Approx(1.0F).epsilon(1e-6));
}

TEST_CASE("ContentBased: features of another number of items, and numbers that are not finite, are errors") {
    CHECK_THROWS_WITH_AS(static_cast<void>(ContentBased::fit(some_log(12))),
                         "ContentBased: number of rows of features must be 12, got 0", InvalidArgument);
    const CSRMatrix<float> broken(std::vector<Triplet<float>>{{7, 0, std::numeric_limits<float>::quiet_NaN()}}, 12, 1);
    CHECK_THROWS_WITH_AS(static_cast<void>(ContentBased::fit(some_log(12), {.features = broken})),
                         "ContentBased: features of item 7 must be finite", InvalidArgument);
}
