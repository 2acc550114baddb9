// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/data/leakage.hpp>

#include <doctest/doctest.h>

using funnel::InvalidArgument;
using funnel::data::check_leakage;
using funnel::data::Interactions;
using funnel::data::LeakageReport;

TEST_CASE("check_leakage: worked by hand") {
    // The first test row is at 5. Training rows at 5 and 8 are not before it.
    const Interactions train = Interactions::from_ids({{0, 0, 1, 1}, {0, 1, 1, 5}, {1, 0, 1, 8}, {1, 3, 1, 4}}, 4, 5);
    const Interactions test = Interactions::from_ids({{0, 1, 1, 9},   // pair known
                                                      {0, 1, 1, 10},  // and again
                                                      {1, 1, 1, 5},
                                                      {2, 2, 1, 6},  // a cold user, a cold item
                                                      {2, 4, 1, 6},  // the same user, another cold item
                                                      {2, 0, 1, 6}},
                                                     4, 5);
    const LeakageReport report = check_leakage(train, test);

    CHECK(report.shared_pairs == 2);
    CHECK(report.train_from_future == 2);
    CHECK(report.cold_users == 1);
    CHECK(report.cold_items == 2);
}

TEST_CASE("check_leakage: finds nothing in a clean split") {
    const Interactions train = Interactions::from_ids({{0, 0, 1, 1}, {1, 1, 1, 2}}, 3, 3);
    const Interactions test = Interactions::from_ids({{0, 1, 1, 3}, {1, 0, 1, 4}}, 3, 3);
    const LeakageReport report = check_leakage(train, test);

    CHECK(report.shared_pairs == 0);
    CHECK(report.train_from_future == 0);
    CHECK(report.cold_users == 0);
    CHECK(report.cold_items == 0);
}

TEST_CASE("check_leakage: empty parts have nothing in common") {
    const Interactions empty = Interactions::from_ids({}, 2, 2);
    const Interactions rows = Interactions::from_ids({{0, 0, 1, 1}}, 2, 2);

    CHECK(check_leakage(empty, rows).cold_users == 1);
    CHECK(check_leakage(rows, empty).train_from_future == 0);
    CHECK(check_leakage(empty, empty).cold_items == 0);
}

TEST_CASE("check_leakage: refuses parts of different logs") {
    const Interactions a = Interactions::from_ids({{0, 0, 1, 1}}, 2, 2);

    CHECK_THROWS_AS(static_cast<void>(check_leakage(a, Interactions::from_ids({}, 3, 2))), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(check_leakage(a, Interactions::from_ids({}, 2, 1))), InvalidArgument);
}
