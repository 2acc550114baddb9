// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/content/rocchio.hpp>

#include <funnel/core/error.hpp>
#include <funnel/core/sparse.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

using funnel::CSRMatrix;
using funnel::InvalidArgument;
using funnel::Triplet;
using funnel::content::rocchio;

namespace {

using Ids = std::vector<std::uint32_t>;
using Floats = std::vector<float>;

// Rows (1, 0, 2), (0, 4, 0), (3, 0, 0).
const CSRMatrix<float> rows(std::vector<Triplet<float>>{{0, 0, 1.0F}, {0, 2, 2.0F}, {1, 1, 4.0F}, {2, 0, 3.0F}}, 3, 3);

}  // namespace

TEST_CASE("rocchio: the weighted means of liked and disliked rows, and the query") {
    CHECK(rocchio(rows, Ids{0, 2}, {}, {.beta = 1.0}) == Floats{2.0F, 0.0F, 1.0F});
    CHECK(rocchio(rows, Ids{0}, Ids{1, 2}, {.beta = 1.0, .gamma = 0.5, .keep_negative = true}) ==
          Floats{0.25F, -1.0F, 2.0F});
    CHECK(rocchio(rows, Ids{0}, Ids{1, 2}, {.beta = 1.0, .gamma = 0.5}) == Floats{0.25F, 0.0F, 2.0F});
    const Floats query{0.0F, 1.0F, -1.0F};
    CHECK(rocchio(rows, Ids{0}, {}, {.alpha = 2.0, .beta = 0.5, .query = query}) == Floats{0.5F, 2.0F, 0.0F});
    CHECK(rocchio(rows, Ids{0, 0, 2}, {}, {.beta = 3.0}) == Floats{5.0F, 0.0F, 4.0F});  // an item may repeat
    CHECK(rocchio(rows, {}) == Floats(3, 0.0F));
    CHECK(rocchio(CSRMatrix<float>(), {}).empty());
}

// NaN became 0 in the profile, and a sum that was too large infinity.
TEST_CASE("rocchio: rejects features that are not finite, and a profile that would not be finite") {
    constexpr float infinity = std::numeric_limits<float>::infinity();
    for (const float bad : {std::nanf(""), infinity, -infinity}) {
        const auto features = rows.with_values({1.0F, bad, 4.0F, 3.0F});
        CHECK_THROWS_WITH_AS(static_cast<void>(rocchio(features, Ids{0})), "rocchio: features must be finite",
                             InvalidArgument);
        CHECK_THROWS_AS(static_cast<void>(rocchio(features, {}, Ids{0})), InvalidArgument);
        CHECK(rocchio(features, Ids{1}, {}, {.beta = 1.0}) == Floats{0.0F, 4.0F, 0.0F});
    }
    CHECK_THROWS_WITH_AS(static_cast<void>(rocchio(rows, Ids{0}, {}, {.beta = 1e39})),
                         "rocchio: the profile must be finite: a weight or a feature is too large", InvalidArgument);
}

TEST_CASE("rocchio: unknown items, wrong queries and negative weights are errors") {
    CHECK_THROWS_WITH_AS(static_cast<void>(rocchio(rows, Ids{3})), "rocchio: every liked item must be below 3, got 3",
                         InvalidArgument);
    CHECK_THROWS_WITH_AS(static_cast<void>(rocchio(rows, {}, Ids{9})),
                         "rocchio: every disliked item must be below 3, got 9", InvalidArgument);
    const Floats query{1.0F, std::nanf(""), 0.0F};
    CHECK_THROWS_AS(static_cast<void>(rocchio(rows, {}, {}, {.query = query})), InvalidArgument);
    const Floats narrow{1.0F};
    CHECK_THROWS_AS(static_cast<void>(rocchio(rows, {}, {}, {.query = narrow})), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(rocchio(rows, {}, {}, {.alpha = -1.0})), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(rocchio(rows, {}, {}, {.beta = -1.0})), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(rocchio(rows, {}, {}, {.gamma = std::nan("")})), InvalidArgument);
}
