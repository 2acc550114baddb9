// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/content/cohort_popularity.hpp>

#include "cf/random_log.hpp"
#include "support/forgery.hpp"
#include "support/saved_contract.hpp"
#include "support/temp_dir.hpp"

#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/pipeline/hybrid.hpp>
#include <funnel/pipeline/named.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

using funnel::CorruptData;
using funnel::InvalidArgument;
using funnel::Matrix;
using funnel::Scored;
using funnel::content::CohortPopularity;
using funnel::data::Interactions;
namespace testing = funnel::testing;

namespace {

using Ids = std::vector<std::uint32_t>;
using List = std::vector<Scored<>>;

Matrix<std::uint32_t> attributes_of(const std::vector<Ids>& rows, std::size_t columns) {
    Matrix<std::uint32_t> matrix(rows.size(), columns);
    for (std::size_t i = 0; i < rows.size(); ++i) {
        std::ranges::copy(rows[i], matrix.row(i).begin());
    }
    return matrix;
}

// p(item | attributes), by the formula.
double share(const Interactions& log, const Matrix<std::uint32_t>& attributes, Ids wanted, std::uint32_t item,
             double prior) {
    double own = 0.0;
    double total = 0.0;
    for (const auto& row : log) {
        if (row.value > 0.0F && std::ranges::equal(attributes.row(row.user).first(wanted.size()), wanted)) {
            total += 1.0;
            own += row.item == item ? 1.0 : 0.0;
        }
    }
    if (wanted.empty()) {
        return total > 0.0 ? own / total : 0.0;
    }
    const bool has_users = [&] {
        for (std::size_t user = 0; user < log.users(); ++user) {
            if (std::ranges::equal(attributes.row(user).first(wanted.size()), wanted)) {
                return true;
            }
        }
        return false;
    }();
    wanted.pop_back();
    const double broader = share(log, attributes, wanted, item, prior);
    return has_users && total + prior > 0.0 ? (own + prior * broader) / (total + prior) : broader;
}

}  // namespace

// Region 7 has users 0 and 1, of bands 0 and 1; region 8 has user 2. Rows: items 0, 1 | 1 | 2. All: 1/4, 1/2, 1/4.
// Region 7, with a prior of 1 row: (1 + 1/4) / 4, (2 + 1/2) / 4, (0 + 1/4) / 4 = 5/16, 10/16, 1/16.
// Region 7, band 0: (1 + 5/16) / 3, (1 + 10/16) / 3, (1/16) / 3 = 21/48, 26/48, 1/48.
TEST_CASE("CohortPopularity: worked by hand") {
    const auto log = testing::log_of({{0, 1}, {1}, {2}}, 3);
    const auto popular = CohortPopularity::fit(log, attributes_of({{7, 0}, {7, 1}, {8, 0}}, 2), {.prior = 1.0F});
    CHECK(popular.cohorts() == 5);  // 7, 8, (7, 0), (7, 1), (8, 0)
    CHECK(popular.scores({}) == std::vector<float>{0.25F, 0.5F, 0.25F});
    CHECK(popular.scores(std::array{7U}) == std::vector<float>{5.0F / 16, 10.0F / 16, 1.0F / 16});
    CHECK(popular.top(std::array{7U, 0U}, 9) == List{{1, 26.0F / 48}, {0, 21.0F / 48}, {2, 1.0F / 48}});
    CHECK(popular.top(std::array{7U, 0U}, 1) == List{{1, 26.0F / 48}});
    CHECK(popular.top(std::array{8U}, 1)[0].id == 2);
    // An unknown value, and one too many, are those of the broader cohort.
    CHECK(popular.scores(std::array{7U, 5U}) == popular.scores(std::array{7U}));
    CHECK(popular.scores(std::array{9U, 0U}) == popular.scores({}));
    CHECK(popular.scores(std::array{CohortPopularity::unknown, 0U}) == popular.scores({}));
    CHECK(popular.scores(std::array{8U, 0U, 3U}) == popular.scores(std::array{8U, 0U}));
    // Filters and seen items.
    const auto is_even = [](std::uint32_t item) { return item % 2 == 0; };
    CHECK(popular.top(std::array{8U}, 9, is_even, Ids{0}).size() == 1);
}

TEST_CASE("CohortPopularity: agrees with its definition on random logs") {
    funnel::Random random(5);
    for (const float prior : {0.0F, 3.0F}) {
        const auto log = testing::random_log(40, 12, 0.2, 11);
        std::vector<Ids> rows;
        for (std::size_t user = 0; user < 40; ++user) {
            rows.push_back({static_cast<std::uint32_t>(random.below(3)), static_cast<std::uint32_t>(random.below(4)),
                            static_cast<std::uint32_t>(random.below(2))});
        }
        const auto attributes = attributes_of(rows, 3);
        const auto popular = CohortPopularity::fit(log, attributes, {.prior = prior});
        for (std::uint32_t a = 0; a < 4; ++a) {
            for (std::uint32_t b = 0; b < 5; ++b) {
                for (const Ids& wanted : {Ids{a}, Ids{a, b}, Ids{a, b, 0}, Ids{a, b, 1}}) {
                    const auto scores = popular.scores(wanted);
                    CHECK(std::accumulate(scores.begin(), scores.end(), 0.0) == doctest::Approx(1.0));
                    for (std::uint32_t item = 0; item < 12; ++item) {
                        CHECK(double{scores[item]} ==
                              doctest::Approx(share(log, attributes, wanted, item, double{prior})));
                    }
                }
            }
        }
    }
}

TEST_CASE("CohortPopularity: a user without an attribute counts in the broader cohorts only") {
    const auto log = testing::log_of({{0}, {1}}, 2);
    const std::uint32_t unknown = CohortPopularity::unknown;
    const auto popular = CohortPopularity::fit(log, attributes_of({{1, unknown}, {unknown, 2}}, 2), {.prior = 0.0F});
    CHECK(popular.cohorts() == 1);
    CHECK(popular.scores(std::array{1U}) == std::vector<float>{1.0F, 0.0F});
    CHECK(popular.scores({}) == std::vector<float>{0.5F, 0.5F});
}

TEST_CASE("CohortPopularity: dislikes do not count; age does; nothing liked is nothing popular") {
    const auto log = Interactions::from_ids({{0, 0, -1.0F, 0.0}, {0, 1, 1.0F, 0.0}, {1, 2, 1.0F, 10.0}}, 2, 3);
    const auto attributes = attributes_of({{0}, {0}}, 1);
    const auto aged = CohortPopularity::fit(log, attributes, {.age = {.half_life = 10.0}, .prior = 0.0F});
    CHECK(aged.scores(std::array{0U})[1] == doctest::Approx(1.0 / 3));
    CHECK(aged.scores(std::array{0U})[2] == doctest::Approx(2.0 / 3));
    CHECK(aged.top(std::array{0U}, 9).size() == 2);
    const auto silent = CohortPopularity::fit(Interactions::from_ids({}, 2, 3), attributes, {.prior = 0.0F});
    CHECK(silent.top(std::array{0U}, 9).empty());
    const auto empty = CohortPopularity::fit(Interactions::from_ids({}, 0, 0), Matrix<std::uint32_t>(0, 0));
    CHECK(empty.top({}, 9).empty());
}

TEST_CASE("CohortPopularity: a source of a hybrid, with the weight of popularity") {
    const auto log = testing::log_of({{0}, {1}}, 3);
    const auto attributes = attributes_of({{0}, {1}}, 1);
    const auto popular = CohortPopularity::fit(log, attributes, {.prior = 1.0F});
    struct Request {
        std::uint32_t user = 0;
        std::size_t k = 10;
        std::uint32_t region = 0;
    };
    const auto cohort = funnel::pipeline::named(
        "cohort", [&](const Request& request, std::size_t n) { return popular.top(std::span(&request.region, 1), n); });
    const auto other = funnel::pipeline::named("other", [](const Request&, std::size_t) { return List{{2, 1.0F}}; });
    const auto blend = funnel::pipeline::weighted([](const Request&) { return std::array{0.9, 0.1}; }, cohort, other);
    CHECK(blend(Request{.region = 0}, 3)[0].id == 0);
    CHECK(blend(Request{.region = 1}, 3)[0].id == 1);
}

TEST_CASE("CohortPopularity: comes back from a file, and only from an undamaged one") {
    const auto answers = [](const CohortPopularity& popular) {
        return std::pair(popular.scores(std::array{1U, 2U}), popular.top(std::array{0U}, 5));
    };
    const auto log = testing::random_log(20, 12, 0.3, 3);
    std::vector<Ids> rows;
    for (std::uint32_t user = 0; user < 20; ++user) {
        rows.push_back({user % 2, user % 3});
    }
    const auto one = CohortPopularity::fit(log, attributes_of(rows, 2));
    const auto other = CohortPopularity::fit(log, attributes_of(rows, 2), {.prior = 3.0F});
    testing::check_saved(one, other, answers, answers);

    const testing::TempDir dir;
    one.save(dir / "a.fnl");
    const auto bytes = testing::bytes_of(dir / "a.fnl");
    const auto is_rejected = [&](const std::string& section, std::size_t at, auto number) {
        testing::put_bytes(dir / "b.fnl", testing::with_section_number(bytes, section, at, number));
        CHECK_THROWS_AS(static_cast<void>(CohortPopularity::load(dir / "b.fnl")), CorruptData);
    };
    for (const float bad : {-1.0F, std::numeric_limits<float>::infinity()}) {
        is_rejected("prior", 0, bad);
        is_rejected("overall", 4, bad);
        is_rejected("counts", 4, bad);
    }
    is_rejected("parents", 0, 1U);   // cohort 1 cannot be within cohort 1
    is_rejected("parents", 28, 0U);  // does not ascend
    is_rejected("values", 4, 0U);    // region 0 twice
    is_rejected("values", 28, CohortPopularity::unknown);
}

TEST_CASE("CohortPopularity: rejects a log of another program with unknown ids, and writes nowhere") {
    const auto attributes = attributes_of({{0}, {0}}, 1);
    CHECK_THROWS_WITH_AS(
        static_cast<void>(CohortPopularity::fit(testing::UncheckedLog{{{0, 0}, {2, 0}}, 2, 3}, attributes)),
        "CohortPopularity: every user in the log must be below 2, got 2", InvalidArgument);
    CHECK_THROWS_WITH_AS(static_cast<void>(CohortPopularity::fit(testing::UncheckedLog{{{0, 3}}, 2, 3}, attributes)),
                         "CohortPopularity: every item in the log must be below 3, got 3", InvalidArgument);
}

TEST_CASE("CohortPopularity: rejects what cannot work") {
    const auto log = testing::log_of({{0}, {0}}, 1);
    const auto attributes = attributes_of({{0}, {0}}, 1);
    CHECK_THROWS_WITH_AS(static_cast<void>(CohortPopularity::fit(log, attributes_of({{0}}, 1))),
                         "CohortPopularity: number of rows of attributes must be 2, got 1", InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(CohortPopularity::fit(log, attributes, {.prior = -1.0F})), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(CohortPopularity::fit(log, attributes, {.age = {.half_life = 0.0}})),
                    InvalidArgument);
}
