// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/rerank/near_duplicates.hpp>

#include <funnel/core/matrix.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/rerank/fill_slate.hpp>

#include "support/backends.hpp"
#include "support/reranker_contract.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

using funnel::InvalidArgument;
using funnel::Matrix;
using funnel::Random;
using funnel::rerank::fill_slate;
using funnel::rerank::NearDuplicates;
using funnel::rerank::remove_duplicates;
using Slate = std::vector<std::size_t>;

namespace {

std::vector<float> falling(std::size_t n) {
    std::vector<float> relevance(n);
    for (std::size_t i = 0; i < n; ++i) {
        relevance[i] = static_cast<float>(n - i);
    }
    return relevance;
}

double cosine(std::span<const float> a, std::span<const float> b) {
    double ab = 0.0;
    double aa = 0.0;
    double bb = 0.0;
    for (std::size_t t = 0; t < a.size(); ++t) {
        ab += static_cast<double>(a[t]) * static_cast<double>(b[t]);
        aa += static_cast<double>(a[t]) * static_cast<double>(a[t]);
        bb += static_cast<double>(b[t]) * static_cast<double>(b[t]);
    }
    return aa > 0.0 && bb > 0.0 ? ab / std::sqrt(aa * bb) : 0.0;
}

}  // namespace

TEST_CASE("remove_duplicates: the first item of each key stays") {
    CHECK(remove_duplicates(std::vector<std::uint32_t>{7, 3, 7, 7, 0, 3}) == Slate{0, 1, 4});
    CHECK(remove_duplicates<std::int64_t>(std::vector<std::int64_t>{-1, -1}) == Slate{0});
    CHECK(remove_duplicates({}).empty());
}

TEST_CASE("NearDuplicates: worked by hand") {
    // Cosines with (1, 0): 0.8 for (4, 3), 0.6 for (3, 4); cosine of the last two: 24 / 25 = 0.96.
    Matrix<float> embeddings(4, 2);
    embeddings(0, 0) = 2.0F;
    embeddings(1, 0) = 4.0F;
    embeddings(1, 1) = 3.0F;
    embeddings(2, 0) = 3.0F;
    embeddings(2, 1) = 4.0F;  // row 3 is zero: like no other
    const std::vector<float> scores = falling(4);
    CHECK(fill_slate(scores, 4, NearDuplicates(embeddings, {.similarity = 0.95F})) == Slate{0, 1, 3});
    CHECK(fill_slate(scores, 4, NearDuplicates(embeddings, {.similarity = 0.7F})) == Slate{0, 2, 3});
    CHECK(fill_slate(scores, 4, NearDuplicates(embeddings, {.similarity = 0.5F})) == Slate{0, 3});
    CHECK(fill_slate(scores, 4, NearDuplicates(embeddings, {.similarity = 0.99F})) == Slate{0, 1, 2, 3});
    Matrix<float> copies(2, 2);
    copies(0, 0) = 1.0F;
    copies(1, 0) = 1.0F;
    CHECK(fill_slate(falling(2), 2, NearDuplicates(copies, {.similarity = 1.0F})) == Slate{0});  // the limit counts
}

TEST_CASE_TEMPLATE_DEFINE("NearDuplicates: agrees with the definition", Backend, near_duplicates_definition) {
    Random random(10);
    for (int round = 0; round < 50; ++round) {
        const std::size_t n = random.below(30);
        Matrix<float> embeddings(n, 1 + random.below(20));
        for (std::size_t i = 0; i < n; ++i) {
            for (float& x : embeddings.row(i)) {
                x = static_cast<float>(random.below(3)) - 1.0F;
            }
        }
        const float similarity = 0.5503F;  // no cosine of such rows is that close
        Slate expected;
        for (std::size_t i = 0; i < n; ++i) {
            bool is_new = true;
            for (const std::size_t kept : expected) {
                is_new = is_new && cosine(embeddings.row(i), embeddings.row(kept)) < static_cast<double>(similarity);
            }
            if (is_new) {
                expected.push_back(i);
            }
        }
        CAPTURE(round);
        CHECK(fill_slate(falling(n), n, NearDuplicates<Backend>(embeddings, {.similarity = similarity})) == expected);
    }
}
TEST_CASE_TEMPLATE_APPLY(near_duplicates_definition, funnel::testing::HostBackends);

TEST_CASE("NearDuplicates: copies of a pinned candidate do not come before it") {
    Matrix<float> embeddings(3, 2);
    embeddings(0, 0) = 1.0F;
    embeddings(1, 1) = 1.0F;
    embeddings(2, 0) = 5.0F;
    NearDuplicates rule(embeddings);
    rule.pin(2, 1);
    CHECK(!rule.allows(0));
    CHECK(rule.allows(1));
    CHECK(rule.allows(2));
    rule.place(1);
    rule.place(2);
    CHECK(!rule.allows(0));
}

TEST_CASE("NearDuplicates: rejects similarities out of range and rows that are not finite") {
    Matrix<float> embeddings(2, 2);
    CHECK_THROWS_AS((void)NearDuplicates(embeddings, {.similarity = 0.0F}), InvalidArgument);
    CHECK_THROWS_AS((void)NearDuplicates(embeddings, {.similarity = 1.5F}), InvalidArgument);
    for (const float broken :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(), 1e20F}) {
        embeddings(1, 1) = broken;
        CHECK_THROWS_AS((void)NearDuplicates(embeddings), InvalidArgument);
    }
    CHECK(fill_slate({}, 3, NearDuplicates(Matrix<float>(0, 4).view())).empty());
}

TEST_CASE("NearDuplicates: with similarity 1, all copies are found, whatever rounding makes of their cosine") {
    funnel::Random random(5);
    for (int round = 0; round < 1000; ++round) {
        funnel::Matrix<float> rows(2, 37);
        for (std::size_t j = 0; j < 37; ++j) {
            rows(0, j) = static_cast<float>(random.normal());
            rows(1, j) = 3.0F * rows(0, j);
        }
        funnel::rerank::NearDuplicates rule(rows, {.similarity = 1.0F});
        rule.place(0);
        REQUIRE(!rule.allows(1));
    }
}
