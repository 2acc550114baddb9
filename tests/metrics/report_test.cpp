// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/metrics/report.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
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

}  // namespace

TEST_CASE("report: gives figures by name, for all users and for the two groups") {
    const Report report = three_users();
    CHECK(report.at("ndcg@2") == 0.5);
    CHECK(report.at("coverage@2") == 0.5);
    CHECK(report.standard_error("ndcg@2") == 0.1);
    CHECK(std::isnan(report.standard_error("coverage@2")));
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
    CHECK(std::isnan(first.standard_error));
    CHECK(std::isnan(funnel::metrics::detail::mean_of(values, [](std::size_t i) { return i == 1; }).value));
    CHECK(std::isnan(funnel::metrics::detail::mean_of({}, not_last).value));
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
