// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/rng.hpp>
#include <funnel/data/interactions.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace funnel::testing {

/// About density * users * items rows, each pair at most once, in a mixed order.
inline data::Interactions random_log(std::size_t users, std::size_t items, double density, std::uint64_t seed) {
    Random random(seed);
    std::vector<data::Interaction> rows;
    for (std::uint32_t user = 0; user < users; ++user) {
        for (std::uint32_t item = 0; item < items; ++item) {
            if (random.uniform() < density) {
                rows.push_back(
                    {user, item, static_cast<float>(1 + random.below(5)), static_cast<double>(random.below(1000))});
            }
        }
    }
    random.shuffle(std::span(rows));
    return data::Interactions::from_ids(std::move(rows), users, items);
}

/// A log of sets: histories[u] are u's items.
inline data::Interactions log_of(const std::vector<std::vector<std::uint32_t>>& histories, std::size_t items) {
    std::vector<data::Interaction> rows;
    for (std::uint32_t user = 0; user < histories.size(); ++user) {
        for (const std::uint32_t item : histories[user]) {
            rows.push_back({user, item});
        }
    }
    return data::Interactions::from_ids(std::move(rows), histories.size(), items);
}

/// A log of another program, whose ids nobody has checked.
struct UncheckedLog {
    std::vector<data::Interaction> rows;
    std::size_t user_count;
    std::size_t item_count;

    [[nodiscard]] std::size_t users() const { return user_count; }
    [[nodiscard]] std::size_t items() const { return item_count; }
    [[nodiscard]] std::size_t size() const { return rows.size(); }
    const data::Interaction& operator[](std::size_t row) const { return rows[row]; }
};

/// 1 where a user has a row with an item, else 0; users x items.
inline std::vector<std::vector<double>> dense_matrix(const data::Interactions& log) {
    std::vector<std::vector<double>> x(log.users(), std::vector<double>(log.items(), 0.0));
    for (const data::Interaction& row : log) {
        x[row.user][row.item] = 1.0;
    }
    return x;
}

}  // namespace funnel::testing
