// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/sparse.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/data/user_item_matrix.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace data {

/// Result of check_leakage. If all counts are 0, the parts share nothing that makes a model look better than it is, and
/// no user or item is cold.
struct LeakageReport {
    std::size_t shared_pairs = 0;       ///< test rows whose (user, item) pair also occurs in training
    std::size_t train_from_future = 0;  ///< training rows that are not before the first test row: fine after a random
                                        ///< split, a leak after a split by time
    std::size_t cold_users = 0;         ///< users with a test row, but without a training row
    std::size_t cold_items = 0;         ///< items with a test row, but without a training row
};

/// Finds properties of a split that make the measured quality better or worse than it will be in production.
///
/// Errors    InvalidArgument if the parts do not belong to one log (different users or items)
[[nodiscard]] inline LeakageReport check_leakage(const Interactions& train, const Interactions& test) {
    require(train.user_keys() == test.user_keys() && train.item_keys() == test.item_keys(),
            "check_leakage: train and test must be parts of one log");

    const CSRMatrix<float> trained = user_item_matrix(train);
    std::vector<bool> is_trained_item(train.items(), false);
    for (const Interaction& row : train) {
        is_trained_item[row.item] = true;
    }
    LeakageReport report;
    std::vector<bool> is_cold_user(train.users(), false);
    std::vector<bool> is_cold_item(train.items(), false);
    double test_start = test.empty() ? 0.0 : test[0].time;
    for (const Interaction& row : test) {
        const std::span<const std::uint32_t> history = trained.row(row.user).columns;
        report.shared_pairs += std::binary_search(history.begin(), history.end(), row.item) ? 1U : 0U;
        is_cold_user[row.user] = history.empty();
        is_cold_item[row.item] = !is_trained_item[row.item];
        test_start = std::min(test_start, row.time);
    }
    const auto count = [](const std::vector<bool>& flags) {
        return static_cast<std::size_t>(std::count(flags.begin(), flags.end(), true));
    };
    report.cold_users = count(is_cold_user);
    report.cold_items = count(is_cold_item);
    report.train_from_future = static_cast<std::size_t>(std::count_if(
        train.begin(), train.end(), [&](const Interaction& row) { return !test.empty() && row.time >= test_start; }));
    return report;
}

}  // namespace data
}  // namespace FUNNEL_ABI
}  // namespace funnel
