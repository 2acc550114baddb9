// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/rerank/fill_slate.hpp>

#include "support/reranker_contract.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <limits>
#include <span>
#include <vector>

using funnel::rerank::fill_slate;

namespace {

// Candidate 0 must wait until two others have been placed.
struct ZeroWaits {
    std::size_t placed = 0;
    [[nodiscard]] bool allows(std::size_t candidate) const { return candidate != 0 || placed >= 2; }
    void place(std::size_t) { ++placed; }
};

}  // namespace

TEST_CASE("fill_slate: without a rule, by relevance") {
    funnel::testing::check_reranker(
        [](std::span<const float> relevance, std::size_t k) { return fill_slate(relevance, k); });
}

TEST_CASE("fill_slate: a candidate that is forbidden at one place is considered again at the next") {
    const std::vector<float> relevance{9, 1, 2, 3};
    ZeroWaits rule;
    CHECK(fill_slate(relevance, 4, rule) == std::vector<std::size_t>{3, 2, 0, 1});
    CHECK(rule.placed == 4);
    CHECK(fill_slate(relevance, std::numeric_limits<std::size_t>::max(), ZeroWaits{}).size() == 4);
    CHECK(fill_slate(std::vector<float>{1}, 4, ZeroWaits{}).empty());
    CHECK(fill_slate({}, 4, ZeroWaits{}).empty());
}
