// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/math.hpp>
#include <funnel/core/options.hpp>
#include <funnel/data/interactions.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <tuple>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace data {

struct LogReportOptions {
    std::optional<double> earliest{};  ///< rows before it have an impossible time; not set: no limit
    std::optional<double> latest{};    ///< rows after it have an impossible time, for example now; not set: no limit
    double burst_duration = 60.0;      ///< in the unit of the log's times, > 0
    std::size_t burst_rows = 100;      ///< a user with more rows within burst_duration may be a bot; > 0
};

/// Numbers about a log, and what may be wrong with it. Nothing is removed: data::where() does that.
struct LogReport {
    std::size_t rows = 0;
    std::size_t users = 0;       ///< with at least one row
    std::size_t items = 0;       ///< with at least one row
    double density = 0.0;        ///< distinct pairs of user and item / (users * items); 0 for an empty log
    double median_rows = 0.0;    ///< rows of the median user with rows
    std::size_t most_rows = 0;   ///< rows of the busiest user
    double top_items_share = 0;  ///< share of the rows that the most frequent 1 % of the items have, at least one item
    double first_time = std::numeric_limits<double>::quiet_NaN();  ///< NaN for an empty log
    double last_time = std::numeric_limits<double>::quiet_NaN();   ///< NaN for an empty log
    bool has_times = false;  ///< false if all times are equal: the log cannot be split by time

    std::size_t duplicate_rows = 0;    ///< rows that equal another one in user, item, value and time, beyond the first
    std::size_t repeated_pairs = 0;    ///< rows whose pair occurs before, with another value or time
    std::size_t impossible_times = 0;  ///< rows before `earliest` or after `latest`
    std::size_t single_row_users = 0;  ///< users with one row: no split per user can test them
    std::vector<std::uint32_t> bursts{};  ///< users with more than burst_rows rows within burst_duration, ascending
};

/// Describes a log, and finds what often spoils an evaluation: copies, bots, and times that cannot be.
///
/// Cost      O(n log n) time and O(n) memory for n rows
/// Errors    InvalidArgument if a limit is NaN, burst_duration is not finite and > 0, or burst_rows is 0
[[nodiscard]] inline LogReport describe_log(const Interactions& log, const LogReportOptions& options = {}) {
    require_positive(options.burst_duration, "describe_log: burst_duration");
    require_at_least(options.burst_rows, 1, "describe_log: burst_rows");
    require(
        !(options.earliest && math::is_nan(*options.earliest)) && !(options.latest && math::is_nan(*options.latest)),
        "describe_log: earliest and latest must not be NaN");
    LogReport report;
    report.rows = log.size();
    if (log.empty()) {
        return report;
    }
    std::vector<std::size_t> of_item(log.items(), 0);
    report.first_time = log[0].time;
    report.last_time = log[0].time;
    for (const Interaction& row : log) {
        ++of_item[row.item];
        report.first_time = std::min(report.first_time, row.time);
        report.last_time = std::max(report.last_time, row.time);
        const bool is_early = options.earliest && row.time < *options.earliest;
        const bool is_late = options.latest && row.time > *options.latest;
        report.impossible_times += is_early || is_late ? 1U : 0U;
    }
    report.has_times = report.first_time < report.last_time;

    std::vector<Interaction> sorted(log.begin(), log.end());
    const auto pair_of = [](const Interaction& row) { return std::tie(row.user, row.item); };
    std::sort(sorted.begin(), sorted.end(), [](const Interaction& a, const Interaction& b) {
        return std::tie(a.user, a.item, a.time, a.value) < std::tie(b.user, b.item, b.time, b.value);
    });
    std::size_t pairs = 1;
    for (std::size_t i = 1; i < sorted.size(); ++i) {
        const bool is_same_pair = pair_of(sorted[i]) == pair_of(sorted[i - 1]);
        const bool is_copy = sorted[i] == sorted[i - 1];
        pairs += is_same_pair ? 0U : 1U;
        report.duplicate_rows += is_copy ? 1U : 0U;
        report.repeated_pairs += is_same_pair && !is_copy ? 1U : 0U;
    }

    std::sort(sorted.begin(), sorted.end(), [](const Interaction& a, const Interaction& b) {
        return std::tie(a.user, a.time) < std::tie(b.user, b.time);
    });
    std::vector<std::size_t> of_user;  // rows of each user with rows
    for (std::size_t begin = 0, end = 0; begin < sorted.size(); begin = end) {
        bool is_burst = false;
        for (std::size_t first = begin; end < sorted.size() && sorted[end].user == sorted[begin].user; ++end) {
            while (sorted[end].time - sorted[first].time > options.burst_duration) {
                ++first;
            }
            is_burst = is_burst || end - first + 1 > options.burst_rows;
        }
        of_user.push_back(end - begin);
        if (is_burst && report.has_times) {
            report.bursts.push_back(sorted[begin].user);
        }
    }
    std::sort(of_user.begin(), of_user.end());
    report.users = of_user.size();
    report.most_rows = of_user.back();
    report.median_rows =
        (static_cast<double>(of_user[(of_user.size() - 1) / 2]) + static_cast<double>(of_user[of_user.size() / 2])) /
        2.0;
    report.single_row_users =
        static_cast<std::size_t>(std::upper_bound(of_user.begin(), of_user.end(), std::size_t{1}) - of_user.begin());

    std::erase(of_item, std::size_t{0});
    std::sort(of_item.begin(), of_item.end(), [](std::size_t a, std::size_t b) { return a > b; });
    report.items = of_item.size();
    std::size_t top = 0;
    for (std::size_t i = 0; i < std::max<std::size_t>(1, of_item.size() / 100); ++i) {
        top += of_item[i];
    }
    report.top_items_share = static_cast<double>(top) / static_cast<double>(log.size());
    report.density =
        static_cast<double>(pairs) / (static_cast<double>(report.users) * static_cast<double>(report.items));
    return report;
}

}  // namespace data
}  // namespace FUNNEL_ABI
}  // namespace funnel
