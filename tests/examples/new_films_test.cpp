// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// The films that the demo explores, and what it takes for a trial of one.
#include "../../examples/demo/new_films.hpp"

#include <funnel/core/sparse.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/data/user_item_matrix.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <utility>
#include <vector>

TEST_CASE("demo: a new film is tried by users who were active after it appeared") {
    // The last twelfth of the times 0 to 120 begins after 110. Film 0 is old, film 1 appears at 112 and film 2 at 118.
    const funnel::data::Interactions log = [] {
        std::vector<funnel::data::Interaction> rows;
        const auto add = [&](std::uint32_t user, std::uint32_t item, double time) {
            rows.push_back({.user = user, .item = item, .value = 1.0F, .time = time});
        };
        add(0, 0, 0.0);
        add(5, 0, 110.0);  // before the last twelfth: no trial
        add(1, 0, 111.0);  // no trial of films 1 and 2
        add(2, 1, 112.0);  // chose film 1 when it appeared; no trial of film 2
        add(3, 1, 114.0);
        add(4, 1, 115.0);
        add(4, 0, 116.0);
        add(2, 0, 117.0);
        add(3, 2, 118.0);
        add(4, 2, 119.0);
        add(6, 2, 120.0);
        return funnel::data::Interactions::from_ids(std::move(rows), 7, 3);
    }();
    const funnel::CSRMatrix<float> histories = funnel::data::user_item_matrix(log);
    const demo::NewFilms films(log, histories);
    const demo::Arms arms = films.arms(5, {}, 1);         // user 5 has seen film 0
    CHECK(arms.ids == std::vector<std::uint32_t>{2, 1});  // newest first
    // Film 2: users 3, 4 and 6 were active from 118 on, and all chose it. Film 1: users 2, 3, 4 and 6, the first three.
    CHECK(arms.alphas == std::vector<double>{1.0 + 3.0, 1.0 + 3.0});
    CHECK(arms.betas == std::vector<double>{1.0 + 0.0, 1.0 + 1.0});
}
