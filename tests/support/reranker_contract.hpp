// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "support/allocations.hpp"

#include <funnel/core/error.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

namespace funnel::testing {

/// What every rule that returns positions must do, with or without relevance: at most k of n positions, each once.
///
///     check_slate(category_cap(genres, {.k = 5}), genres.size(), 5);
inline void check_slate(const std::vector<std::size_t>& slate, std::size_t n, std::size_t k) {
    REQUIRE(slate.size() <= std::min(n, k));
    std::vector<bool> is_taken(n, false);
    for (const std::size_t position : slate) {
        REQUIRE(position < n);
        REQUIRE(!is_taken[position]);
        is_taken[position] = true;
    }
}

namespace detail {

// calls body(relevance, k) for relevance that is equal, rises, falls and is mixed, with and without ties, and for any k.
template <class Body>
void for_each_relevance(const Body& body) {
    constexpr std::size_t endless = std::numeric_limits<std::size_t>::max();
    for (const std::size_t n : {0U, 1U, 2U, 7U, 20U}) {
        for (const std::size_t step : {0U, 1U, 5U, 19U}) {
            for (const std::size_t levels : {4U, 20U}) {
                std::vector<float> relevance(n);
                for (std::size_t i = 0; i < n; ++i) {
                    relevance[i] = static_cast<float>(i * step % 20 % levels) / 32.0F;
                }
                for (const std::size_t k :
                     {std::size_t{0}, std::size_t{1}, n / 2, n, n + 1, endless / 2 + 1, endless}) {
                    body(relevance, k);
                }
            }
        }
    }
}

}  // namespace detail

/// What every rule that fills a slate by relevance must do, whatever its idea of a good one: min(k, n) distinct
/// positions, the same ones each time; the most relevant first, ties to the smaller position, where all candidates are
/// alike; InvalidArgument if a relevance is not finite.
///
/// For rules of the kind of mmr. Not for those that may end early or take no relevance, such as category_cap and
/// remove_seen, whose tests call check_slate. freshness returns scores instead of positions: its own test is enough.
///
/// pick(relevance, k) -> positions, for any number of candidates; where it compares candidates, all are alike (the same
/// category, no similarity). Each relevance is finite and in [0, 1), or the call must fail.
///
///     check_reranker([](std::span<const float> relevance, std::size_t k) {
///         return mmr(relevance, [](std::size_t, std::size_t) { return 0.0F; }, {.k = k});
///     });
template <class Pick>
void check_reranker(const Pick& pick) {
    detail::for_each_relevance([&](const std::vector<float>& relevance, std::size_t k) {
        CAPTURE(relevance);
        CAPTURE(k);
        const std::vector<std::size_t> slate = pick(relevance, k);
        check_slate(slate, relevance.size(), k);
        std::vector<std::size_t> expected(relevance.size());
        std::iota(expected.begin(), expected.end(), std::size_t{0});
        std::sort(expected.begin(), expected.end(), [&](std::size_t a, std::size_t b) {
            return relevance[a] != relevance[b] ? relevance[a] > relevance[b] : a < b;
        });
        expected.resize(std::min(k, expected.size()));
        CHECK(slate == expected);
        CHECK(pick(relevance, k) == slate);
    });
    constexpr float infinity = std::numeric_limits<float>::infinity();
    for (const float broken : {std::numeric_limits<float>::quiet_NaN(), infinity, -infinity}) {
        for (const std::size_t k : {std::size_t{0}, std::size_t{2}, std::numeric_limits<std::size_t>::max()}) {
            CHECK_THROWS_AS((void)pick(std::vector<float>{0.5F, broken, 0.25F}, k), InvalidArgument);
        }
    }
}

/// As above, for a rule that also has a form in the caller's memory: the same slate, as far as there is room; nothing
/// behind it is written; no allocation by the second of two equal calls, which finds its scratch large enough.
///
/// fill(relevance, k, out) -> number of positions written to out
///
///     check_reranker(pick, [&scratch](std::span<const float> relevance, std::size_t k, std::span<std::size_t> out) {
///         return some_rule(relevance, {.k = k}, scratch, out);
///     });
template <class Pick, class Fill>
void check_reranker(const Pick& pick, const Fill& fill) {
    check_reranker(pick);
    detail::for_each_relevance([&](const std::vector<float>& relevance, std::size_t k) {
        CAPTURE(relevance);
        CAPTURE(k);
        const std::vector<std::size_t> slate = pick(relevance, k);
        for (const std::size_t room : {std::size_t{0}, slate.size() / 2, slate.size(), slate.size() + 3}) {
            std::vector<std::size_t> out(room, 77);
            (void)fill(relevance, k, std::span(out));
            std::fill(out.begin(), out.end(), 77);
            std::size_t found = 0;
            CHECK(allocations_of([&] { found = fill(relevance, k, std::span(out)); }) == 0);
            std::vector<std::size_t> expected = slate;
            expected.resize(std::min(room, slate.size()));
            CHECK(found == expected.size());
            expected.resize(room, 77);
            CHECK(out == expected);
        }
    });
}

}  // namespace funnel::testing
