// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/data/interactions.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <optional>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace data {

/// Two parts of one log, each in the order of the log. Both have all users and items of the log, with the same ids.
struct Split {
    Interactions train;
    Interactions test;
};

/// Rows for which is_test(row) is true form the test part, the others the training part.
template <std::predicate<std::size_t> IsTest>
[[nodiscard]] Split split_where(const Interactions& log, IsTest&& is_test) {
    std::vector<Interaction> train;
    std::vector<Interaction> test;
    for (std::size_t row = 0; row < log.size(); ++row) {
        (is_test(row) ? test : train).push_back(log[row]);
    }
    return {{std::move(train), log.user_keys(), log.item_keys()}, {std::move(test), log.user_keys(), log.item_keys()}};
}

struct RandomSplitOptions {
    double test_fraction = 0.2;  ///< share of the rows, in (0, 1)
    std::uint64_t seed = 1;
};

/// Random split: the test part has exactly round(test_fraction * rows) rows, and each set of that size is equally
/// likely. Later rows leak into the training part. To estimate quality for future users, prefer split_by_time.
///
/// Returns   the same parts on every machine
/// Errors    InvalidArgument if test_fraction is not in (0, 1)
[[nodiscard]] inline Split split_random(const Interactions& log, const RandomSplitOptions& options = {}) {
    require_inside(options.test_fraction, 0.0, 1.0, "split_random: test_fraction");
    const auto order = Random(options.seed, stream("splits.random")).permutation<std::size_t>(log.size());

    const double test_rows = math::round(options.test_fraction * static_cast<double>(log.size()));
    std::vector<bool> is_test(log.size(), false);
    for (std::size_t i = 0; i < static_cast<std::size_t>(test_rows); ++i) {
        is_test[order[i]] = true;
    }
    return split_where(log, [&](std::size_t row) { return is_test[row]; });
}

struct TimeSplitOptions {
    std::optional<double> test_fraction{};  ///< minimum share of the rows, in (0, 1); 0.2 if neither is set
    std::optional<double> cut{};            ///< first time of the test part; set this or test_fraction, not both
};

/// Splits all users at one time: rows before the cut are for training, rows at or after it for the test.
///
/// With a fraction, the cut is the time of the row such that round(test_fraction * rows) rows, sorted by time, are at
/// or after this row. Rows with the same time are not separated, so the test part may be larger. It is smaller if it
/// would be the whole log: rows with the earliest time are always for training.
///
/// Errors    InvalidArgument if both options are set, the fraction is outside (0, 1), the cut is NaN, or a fraction is
///           used and all rows have the same time
[[nodiscard]] inline Split split_by_time(const Interactions& log, const TimeSplitOptions& options = {}) {
    require(!options.test_fraction || !options.cut, "split_by_time: set test_fraction or cut, not both");
    const double fraction = options.test_fraction.value_or(0.2);
    require_inside(fraction, 0.0, 1.0, "split_by_time: test_fraction");
    require(!options.cut || !math::is_nan(*options.cut), "split_by_time: cut must not be NaN");
    if (options.cut) {
        return split_where(log, [&](std::size_t row) { return log[row].time >= *options.cut; });
    }

    const auto test_rows = static_cast<std::size_t>(math::round(fraction * static_cast<double>(log.size())));
    if (test_rows == 0) {
        return split_where(log, [](std::size_t) { return false; });
    }
    std::vector<double> times;
    times.reserve(log.size());
    for (const Interaction& row : log) {
        times.push_back(row.time);
    }
    const auto [first, last] = std::minmax_element(times.begin(), times.end());
    const double first_time = *first;
    const double last_time = *last;
    require(first_time < last_time, "split_by_time: log must have rows with different times");
    const auto cut = times.end() - static_cast<std::ptrdiff_t>(test_rows);
    std::nth_element(times.begin(), cut, times.end());
    double first_test_time = *cut;
    if (first_test_time == first_time) {
        first_test_time = last_time;
        for (const double time : times) {
            first_test_time = time > first_time ? std::min(first_test_time, time) : first_test_time;
        }
    }
    return split_where(log, [&](std::size_t row) { return log[row].time >= first_test_time; });
}

struct LastOutSplitOptions {
    std::size_t holdout = 1;  ///< number of rows per user in the test part
};

/// Leave-last-out: the last rows of each user are the test part. Rows are ordered by time, then item, then position in
/// the log. If a user has at most holdout rows, all of them stay in the training part.
///
/// Cost      O(n log n) time for n rows
[[nodiscard]] inline Split split_last_out(const Interactions& log, const LastOutSplitOptions& options = {}) {
    std::vector<std::size_t> order(log.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    const auto key = [&](std::size_t row) { return std::tuple(log[row].user, log[row].time, log[row].item, row); };
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return key(a) < key(b); });

    std::vector<bool> is_test(log.size(), false);
    for (std::size_t begin = 0; begin < order.size();) {
        std::size_t end = begin;
        while (end < order.size() && log[order[end]].user == log[order[begin]].user) {
            ++end;
        }
        if (end - begin > options.holdout) {
            for (std::size_t i = end - options.holdout; i < end; ++i) {
                is_test[order[i]] = true;
            }
        }
        begin = end;
    }
    return split_where(log, [&](std::size_t row) { return is_test[row]; });
}

}  // namespace data
}  // namespace FUNNEL_ABI
}  // namespace funnel
