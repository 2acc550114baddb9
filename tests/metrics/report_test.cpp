// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/metrics/report.hpp>

#include "support/allocations.hpp"

#include <funnel/core/math.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

using doctest::Approx;
using funnel::InvalidArgument;
using funnel::metrics::Report;
using funnel::metrics::Summary;

namespace {

constexpr double none = std::numeric_limits<double>::quiet_NaN();

Report three_users() {
    const auto figures = [](double ndcg) {
        return std::vector<funnel::metrics::Figure>{{"ndcg@2", ndcg, 0.1}, {"coverage@2", 0.5, none}};
    };
    return {
        Summary(3, figures(0.5)), Summary(2, figures(0.75)), Summary(1, figures(0.0)), {2, 5, 7}, {{1, 0, 0.5}, {}}, 4};
}

// All that a caller can see of a report.
auto state_of(const Report& report) {
    std::vector<std::string> names;
    std::vector<double> values;
    for (const auto& figure : report.figures()) {
        names.push_back(figure.name);
        values.push_back(figure.value);
        values.push_back(report.warm().at(figure.name));
        values.push_back(report.cold().at(figure.name));
        if (figure.name.starts_with("ndcg")) {
            const auto column = report.per_user(figure.name);
            values.insert(values.end(), column.begin(), column.end());
        }
    }
    return std::tuple(names, values, std::vector(report.user_ids().begin(), report.user_ids().end()), report.users(),
                      report.warm_users(), report.cold_users(), report.skipped_users());
}

}  // namespace

TEST_CASE("report: gives figures by name, for all users and for the two groups") {
    const Report report = three_users();
    CHECK(report.at("ndcg@2") == 0.5);
    CHECK(report.at("coverage@2") == 0.5);
    CHECK(report.standard_error("ndcg@2") == 0.1);
    CHECK(funnel::math::is_nan(report.standard_error("coverage@2")));
    CHECK(report.warm().at("ndcg@2") == 0.75);
    CHECK(report.cold().at("ndcg@2") == 0.0);
    CHECK(report.users() == 3);
    CHECK(report.warm_users() == 2);
    CHECK(report.cold_users() == 1);
    CHECK(report.cold().users() == 1);
    CHECK(report.skipped_users() == 4);
    CHECK(report.figures().size() == 2);
    CHECK(report.figures()[1].name == "coverage@2");
}

TEST_CASE("report: gives one value for each user") {
    const Report report = three_users();
    REQUIRE(report.user_ids().size() == 3);
    CHECK(report.user_ids()[1] == 5);
    REQUIRE(report.per_user("ndcg@2").size() == 3);
    CHECK(report.per_user("ndcg@2")[2] == 0.5);
}

TEST_CASE("mean_of: mean and standard error of the members that have a value, worked by hand") {
    const std::vector<double> values{1, none, 2, 6, 100};
    const auto not_last = [](std::size_t i) { return i != 4; };
    const auto mean = funnel::metrics::detail::mean_of(values, not_last);
    CHECK(mean.value == 3.0);
    // Squared distances 4 1 9, variance 14 / 2 = 7, standard error sqrt(7 / 3).
    CHECK(mean.standard_error == Approx(std::sqrt(7.0 / 3.0)));

    const auto first = funnel::metrics::detail::mean_of(values, [](std::size_t i) { return i < 2; });
    CHECK(first.value == 1.0);
    CHECK(funnel::math::is_nan(first.standard_error));
    CHECK(funnel::math::is_nan(funnel::metrics::detail::mean_of(values, [](std::size_t i) { return i == 1; }).value));
    CHECK(funnel::math::is_nan(funnel::metrics::detail::mean_of({}, not_last).value));
}

TEST_CASE("report: an unknown name is an error that lists the known ones") {
    const Report report = three_users();
    CHECK_THROWS_WITH_AS((void)report.at("ndcg@20"), "Report: there is no \"ndcg@20\"; there are ndcg@2 coverage@2",
                         InvalidArgument);
    CHECK_THROWS_AS((void)report.at("ndcg"), InvalidArgument);
    CHECK_THROWS_AS((void)report.at("NDCG@2"), InvalidArgument);
    CHECK_THROWS_AS((void)report.warm().at(""), InvalidArgument);
    CHECK_THROWS_AS((void)report.standard_error("map@2"), InvalidArgument);
    CHECK_THROWS_AS((void)report.per_user("map@2"), InvalidArgument);
    CHECK_THROWS_WITH_AS((void)report.per_user("coverage@2"), "Report: \"coverage@2\" has no value for a single user",
                         InvalidArgument);
    CHECK_THROWS_AS((void)Report{}.at("ndcg@10"), InvalidArgument);
}

TEST_CASE("report: one that was moved from has no users, no figures, and can be assigned again") {
    Report report = three_users();
    const Report taken = std::move(report);
    CHECK(state_of(taken) == state_of(three_users()));
    CHECK(state_of(report) == state_of(Report{}));  // NOLINT(bugprone-use-after-move): that is the question
    CHECK_THROWS_AS((void)report.at("ndcg@2"), InvalidArgument);
    CHECK_THROWS_AS((void)report.per_user("ndcg@2"), InvalidArgument);
    report = taken;
    CHECK(state_of(report) == state_of(taken));
    Summary summary(3, {});
    const Summary other = std::move(summary);
    CHECK(summary.users() == 0);  // NOLINT(bugprone-use-after-move)
    CHECK(other.users() == 3);
    static_assert(std::is_nothrow_move_constructible_v<Report> && std::is_nothrow_move_assignable_v<Report>);
}

TEST_CASE("report: an assignment that runs out of memory leaves it as it was") {
    const Report other(Summary(1, {{"ndcg@1", 0.25, 0.0}}), Summary(1, {{"ndcg@1", 0.25, 0.0}}),
                       Summary(0, {{"ndcg@1", 0.25, 0.0}}), {9}, {{0.25}}, 1);
    CHECK(funnel::testing::check_strong_guarantee([] { return three_users(); }, [&](Report& report) { report = other; },
                                                  state_of) > 0);
}

TEST_CASE("report: the groups of a temporary report outlive it") {
    const Summary& warm = three_users().warm();
    const Summary& cold = three_users().cold();
    CHECK(warm.at("ndcg@2") == 0.75);
    CHECK(cold.at("ndcg@2") == 0.0);
}

TEST_CASE("report: rejects columns that do not fit the figures or the users") {
    const auto with = [](std::vector<std::vector<double>> columns) {
        const auto figures = [] { return std::vector<funnel::metrics::Figure>{{"ndcg@2", 0.5, 0.1}}; };
        return Report(Summary(2, figures()), Summary(2, figures()), Summary(0, figures()), {2, 5}, std::move(columns),
                      0);
    };
    CHECK(with({{1, 0}}).per_user("ndcg@2").size() == 2);
    CHECK_THROWS_WITH_AS((void)with({}), "Report: columns must have one element per figure", InvalidArgument);
    CHECK_THROWS_AS((void)with({{1, 0}, {}}), InvalidArgument);
    CHECK_THROWS_WITH_AS((void)with({{1}}),
                         "Report: each column must be empty or have one value per element of user_ids",
                         InvalidArgument);
}
