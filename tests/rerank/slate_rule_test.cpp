// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/rerank/slate_rule.hpp>

#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/rerank/assemble_page.hpp>
#include <funnel/rerank/calibrated.hpp>
#include <funnel/rerank/dpp.hpp>
#include <funnel/rerank/fill_slate.hpp>
#include <funnel/rerank/group_cap.hpp>
#include <funnel/rerank/group_quota.hpp>
#include <funnel/rerank/kernel_dpp.hpp>
#include <funnel/rerank/lexicographic.hpp>
#include <funnel/rerank/mmr.hpp>
#include <funnel/rerank/near_duplicates.hpp>
#include <funnel/rerank/pins.hpp>
#include <funnel/rerank/reserved_places.hpp>
#include <funnel/rerank/slate_rules.hpp>
#include <funnel/rerank/window_cap.hpp>
#include <funnel/rerank/window_dpp.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

using funnel::InvalidArgument;
using namespace funnel::rerank;

TEST_CASE("rules: groups of the catalogue are not taken for those of the candidates") {
    const Groups catalogue(100,
                           [](std::size_t i) { return std::vector<std::uint32_t>{static_cast<std::uint32_t>(i % 7)}; });
    const std::vector<float> scores(20, 1.0F);
    const funnel::Matrix<float> rows(20, 2);
    const auto about = [](const char* function) {
        return std::string(function) + ": number of candidates of the rule must be 20, got 100";
    };
    CHECK_THROWS_WITH_AS((SlateRules(SlateShape{.candidates = 20, .places = 5}, hard("cap", GroupCap(catalogue)))),
                         about("SlateRules: cap").c_str(), InvalidArgument);
    CHECK_THROWS_WITH_AS((void)fill_slate(scores, 5, GroupCap(catalogue)), about("fill_slate").c_str(),
                         InvalidArgument);
    CHECK_THROWS_AS((void)fill_slate(scores, 5, WindowCap(catalogue, 5)), InvalidArgument);
    CHECK_THROWS_AS((void)fill_slate(scores, 5, GroupQuota(catalogue, 5, {})), InvalidArgument);
    CHECK_THROWS_AS((void)fill_slate(scores, 5, ReservedPlaces(21, {}, {})), InvalidArgument);
    CHECK_THROWS_AS((void)fill_slate(scores, 5, Pins(21, 5, {})), InvalidArgument);
    const funnel::Matrix<float> more(21, 2);
    CHECK_THROWS_AS((void)fill_slate(scores, 5, NearDuplicates(more)), InvalidArgument);
    CHECK_THROWS_WITH_AS((void)mmr(scores, rows, {}, GroupCap(catalogue)), about("mmr").c_str(), InvalidArgument);
    CHECK_THROWS_WITH_AS((void)dpp(scores, rows, {}, GroupCap(catalogue)), about("dpp").c_str(), InvalidArgument);
    CHECK_THROWS_WITH_AS((void)window_dpp(scores, rows, {}, GroupCap(catalogue)), about("window_dpp").c_str(),
                         InvalidArgument);
    CHECK_THROWS_AS((void)calibrated(scores, rows, std::vector<float>{0.5F, 0.5F}, {}, GroupCap(catalogue)),
                    InvalidArgument);
    CHECK_THROWS_AS((void)explain_mmr(scores, rows, {}, GroupCap(catalogue)), InvalidArgument);
    CHECK_THROWS_AS((void)explain_dpp(scores, rows, {}, GroupCap(catalogue)), InvalidArgument);
    const auto alike = [](std::size_t, std::size_t) { return 0.0F; };
    CHECK_THROWS_AS((void)mmr(scores, alike, {}, GroupCap(catalogue)), InvalidArgument);
    const funnel::Matrix<float> square(20, 20);
    CHECK_THROWS_AS((void)kernel_dpp(scores, funnel::rerank::Similarities{square}, {}, GroupCap(catalogue)),
                    InvalidArgument);
    const std::vector<float> tolerances(2, 0.0F);
    CHECK_THROWS_AS((void)lexicographic(rows, tolerances, 5, GroupCap(catalogue)), InvalidArgument);
    const std::vector<PageRow> page(20, PageRow{.relevance = 1.0F, .items = {1, 2, 3}});
    CHECK_THROWS_AS((void)assemble_page(page, {}, GroupCap(catalogue)), InvalidArgument);
}
