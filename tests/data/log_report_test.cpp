// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/data/log_report.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

using doctest::Approx;
using funnel::InvalidArgument;
using namespace funnel::data;

TEST_CASE("describe_log: worked by hand") {
    const Interactions log = Interactions::from_ids(
        {{0, 0, 1, 10}, {0, 0, 1, 10}, {0, 0, 2, 10}, {0, 1, 1, 20}, {2, 1, 1, 90}, {3, 0, 1, -5}, {3, 2, 1, 30}}, 5,
        9);
    const LogReport report = describe_log(log, {.earliest = 0.0, .latest = 80.0});
    CHECK(report.rows == 7);
    CHECK(report.users == 3);
    CHECK(report.items == 3);
    CHECK(report.density == Approx(5.0 / 9));  // 00 01 21 30 32
    CHECK(report.median_rows == 2.0);
    CHECK(report.most_rows == 4);
    CHECK(report.top_items_share == Approx(4.0 / 7));
    CHECK(report.first_time == -5.0);
    CHECK(report.last_time == 90.0);
    CHECK(report.has_times);
    CHECK(report.duplicate_rows == 1);
    CHECK(report.repeated_pairs == 1);
    CHECK(report.impossible_times == 2);
    CHECK(report.single_row_users == 1);
    CHECK(report.bursts.empty());
    CHECK(describe_log(log).impossible_times == 0);
}

TEST_CASE("describe_log: a user with too many rows in a short time may be a bot") {
    std::vector<Interaction> rows;
    for (std::uint32_t i = 0; i < 8; ++i) {
        rows.push_back({0, i, 1, 10.0 * i});                         // 4 rows within any 30
        rows.push_back({1, i, 1, i < 4 ? 1000.0 * i : 3000.0 + i});  // 5 rows from 3000 to 3007
    }
    const Interactions log = Interactions::from_ids(rows, 2, 8);
    const auto bursts = [&](std::size_t most) {
        return describe_log(log, {.burst_duration = 30.0, .burst_rows = most}).bursts;
    };
    CHECK(bursts(5).empty());
    CHECK(bursts(4) == std::vector<std::uint32_t>{1});
    CHECK(bursts(3) == std::vector<std::uint32_t>{0, 1});
}

TEST_CASE("describe_log: a log without times has no bots") {
    std::vector<Interaction> rows(200, Interaction{0, 0});
    const LogReport report = describe_log(Interactions::from_ids(rows, 1, 1));
    CHECK(!report.has_times);
    CHECK(report.bursts.empty());
    CHECK(report.duplicate_rows == 199);
    CHECK(report.density == 1.0);
}

TEST_CASE("describe_log: an empty log") {
    const LogReport report = describe_log(Interactions{});
    CHECK(report.rows == 0);
    CHECK(report.density == 0.0);
    CHECK(funnel::math::is_nan(report.first_time));
}

TEST_CASE("describe_log: rejects bad options and NaN") {
    const double missing = std::numeric_limits<double>::quiet_NaN();
    CHECK_THROWS_AS(static_cast<void>(describe_log({}, {.earliest = missing})), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(describe_log({}, {.latest = missing})), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(describe_log({}, {.burst_duration = 0.0})), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(describe_log({}, {.burst_rows = 0})), InvalidArgument);
}
