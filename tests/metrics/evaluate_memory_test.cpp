// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/metrics/evaluate.hpp>

#include "support/allocations.hpp"

#include <funnel/core/scored.hpp>
#include <funnel/data/interactions.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <vector>

using funnel::Scored;
using funnel::data::Interaction;
using funnel::data::Interactions;
using funnel::metrics::evaluate;

TEST_CASE("evaluate: takes memory for users plus items, never for users times items") {
    struct Options {
        std::size_t k = 10;
    };
    struct Model {
        std::vector<Scored<>> recommend(std::uint32_t, const Options&) const { return {}; }
    };
    constexpr std::uint32_t n = 20'000;  // users and items: a byte for each pair would be 400 MB
    std::vector<Interaction> rows;
    for (std::uint32_t i = 0; i < n; ++i) {
        rows.push_back({i, i});
    }
    const Interactions test = Interactions::from_ids(rows, n, n);
    const Interactions train({}, test.user_keys(), test.item_keys());

    const auto evaluate_all = [&] { CHECK(evaluate(Model{}, train, test, {.cutoffs = {5, 10}}).users() == n); };
    // A user: 8 values at each of two cut-offs, and some ids and offsets; an item: some counts at each cut-off.
    CHECK(funnel::testing::allocated_bytes_of(evaluate_all) < n * std::size_t{600});
}
