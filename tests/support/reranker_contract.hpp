// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

namespace funnel::testing {

/// What every rule that fills a slate by relevance must do, whatever its idea of a good one: min(k, n) positions, ties
/// to the smaller position, InvalidArgument if a relevance is not finite. Not for rules that take no relevance, such as
/// category_cap, or that may end early.
///
/// pick(relevance, k) -> positions, for any number of candidates; where it compares candidates, all are alike (the same
/// category, no similarity).
///
///     check_reranker_contract([](std::span<const float> relevance, std::size_t k) {
///         return mmr(relevance, [](std::size_t, std::size_t) { return 0.0F; }, {.k = k});
///     });
template <class Pick>
void check_reranker_contract(const Pick& pick) {
    constexpr std::size_t endless = std::numeric_limits<std::size_t>::max();
    for (const std::size_t n : {0U, 1U, 2U, 7U}) {
        const std::vector<float> ties(n, 0.5F);
        for (const std::size_t k : {std::size_t{0}, std::size_t{1}, n, n + 1, endless / 2 + 1, endless}) {
            CAPTURE(n);
            CAPTURE(k);
            const std::vector<std::size_t> slate = pick(ties, k);
            REQUIRE(slate.size() == std::min(n, k));
            for (std::size_t place = 0; place < slate.size(); ++place) {
                CHECK(slate[place] == place);  // ties go to the smaller position
            }
        }
    }
    constexpr float infinity = std::numeric_limits<float>::infinity();
    for (const float broken : {std::numeric_limits<float>::quiet_NaN(), infinity, -infinity}) {
        for (const std::size_t k : {std::size_t{0}, std::size_t{2}, endless}) {
            CHECK_THROWS_AS((void)pick(std::vector<float>{0.5F, broken, 0.25F}, k), InvalidArgument);
        }
    }
}

}  // namespace funnel::testing
