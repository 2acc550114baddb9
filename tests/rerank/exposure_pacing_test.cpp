// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/rerank/exposure_pacing.hpp>

#include <funnel/core/error.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/rerank/constrained_greedy.hpp>
#include <funnel/rerank/fill_slate.hpp>
#include <funnel/rerank/groups.hpp>

#include "rerank/orders.hpp"
#include "support/saved_contract.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

using doctest::Approx;
using funnel::InvalidArgument;
using funnel::Random;
using funnel::rerank::ExposurePacing;
using funnel::rerank::ExposureTarget;
using funnel::rerank::fill_slate;
using funnel::rerank::Groups;
using namespace funnel::testing;

namespace {

using Uses = std::vector<double>;

Uses prices_of(const ExposurePacing& pacing) {
    return {pacing.prices().begin(), pacing.prices().end()};
}

// A request: 20 candidates of group 0 and 20 of group 1, whose scores lie in [0, 1]. Group 1 is ahead by 0.2 on average.
struct Request {
    std::vector<float> scores;
    std::vector<std::uint32_t> names;
};

Request next_request(Random& random) {
    Request request;
    for (std::uint32_t i = 0; i < 40; ++i) {
        request.names.push_back(i % 2);
        request.scores.push_back(static_cast<float>(0.8 * random.uniform() + 0.2 * static_cast<double>(i % 2)));
    }
    return request;
}

}  // namespace

TEST_CASE("ExposurePacing: worked by hand") {
    // One item per slate of group 7, prices move by 0.5 per item: 3 items cost 0.5 * (3 - 1) = 1.
    ExposurePacing pacing({{.group = 7, .at_most = 1.0}}, {.rate = 0.5});
    const Groups groups(Names{7, 7, 2, 7});
    const std::vector<float> scores{0.9F, 0.8F, 0.4F, 0.7F};
    CHECK(fill_slate(pacing.score(scores, groups), 3) == Slate{0, 1, 3});
    pacing.update(Slate{0, 1, 3}, groups);
    CHECK(prices_of(pacing) == Uses{1.0});
    CHECK(pacing.score(scores, groups)[0] == Approx(-0.1));
    CHECK(pacing.score(scores, groups)[2] == 0.4F);
    CHECK(fill_slate(pacing.score(scores, groups), 1) == Slate{2});
    pacing.update(Slate{2}, groups);
    CHECK(prices_of(pacing) == Uses{0.5});
    pacing.update(Slate{}, groups);
    CHECK(prices_of(pacing) == Uses{0.0});
    pacing.update(Slate{}, groups);  // prices are never negative: there is no reward for rare groups
    CHECK(prices_of(pacing) == Uses{0.0});
}

TEST_CASE("ExposurePacing: is the formula, for several groups per candidate and groups without a target") {
    Random random(15);
    for (int round = 0; round < 200; ++round) {
        const std::size_t n = random.below(10);
        const auto names = random_groups(random, n, 4, 3);
        const Groups groups(n, [&](std::size_t i) -> const auto& { return names[i]; });
        const std::vector<ExposureTarget> targets{
            {.group = 2, .at_most = 0.5}, {.group = 0, .at_most = 1.25}, {9, 0.0}};
        ExposurePacing pacing(targets, {.rate = 0.125});
        Uses expected(3, 0.0);
        for (int update = 0; update < 5; ++update) {
            const auto scores = random_relevance(random, n);
            const auto paced = pacing.score(scores, groups);
            for (std::size_t i = 0; i < n; ++i) {
                double score = static_cast<double>(scores[i]);
                for (std::size_t t = 0; t < 3; ++t) {
                    score -= count_of({i}, names, static_cast<std::uint32_t>(targets[t].group), 0, 1) > 0 ? expected[t]
                                                                                                          : 0.0;
                }
                REQUIRE(static_cast<double>(paced[i]) == score);  // eighths: exact
            }
            const Slate slate = fill_slate(paced, 3);
            pacing.update(slate, groups);
            for (std::size_t t = 0; t < 3; ++t) {
                const auto use = static_cast<double>(
                    count_of(slate, names, static_cast<std::uint32_t>(targets[t].group), 0, slate.size()));
                expected[t] = std::max(0.0, expected[t] + 0.125 * (use - targets[t].at_most));
            }
            REQUIRE(prices_of(pacing) == expected);
        }
    }
}

TEST_CASE("ExposurePacing: the price bounds the mean use, whatever is shown") {
    Random random(16);
    ExposurePacing pacing({{.group = 0, .at_most = 2.0}, {.group = 1, .at_most = 0.5}}, {.rate = 0.03});
    Uses sums(2, 0.0);
    for (int t = 1; t <= 2000; ++t) {
        const Uses uses{4.0 * random.uniform(), static_cast<double>(random.below(2))};
        pacing.update(uses);
        for (std::size_t g = 0; g < 2; ++g) {
            sums[g] += uses[g];
            REQUIRE(sums[g] / t <= pacing.targets()[g].at_most + pacing.prices()[g] / (0.03 * t) + 1e-9);
        }
    }
}

TEST_CASE("ExposurePacing: exposure reaches its targets in the long run") {
    // Group 1 may have 6 of 10 places, and group 0 the other 4. Without prices, group 1 has more than 7.
    // Where the price of a group is more than 1, its items lose against all of the other group, and 10 of those are there.
    // So a price never exceeds 1 + rate * 10, and mean use - target <= (1 + rate * 10) / (rate T) = 0.022 for both groups.
    // As both have 10 places together, neither falls below its target by more, either.
    constexpr double rate = 0.01;
    constexpr std::size_t slates = 5000;
    ExposurePacing pacing({{.group = 0, .at_most = 4.0}, {.group = 1, .at_most = 6.0}}, {.rate = rate});
    Random random(17);
    double free = 0.0;
    double paced = 0.0;
    for (std::size_t t = 0; t < slates; ++t) {
        const Request request = next_request(random);
        const Groups groups(request.names);
        const auto share_of = [&](const Slate& slate) {
            return static_cast<double>(
                std::count_if(slate.begin(), slate.end(), [&](std::size_t i) { return request.names[i] == 1; }));
        };
        free += share_of(fill_slate(request.scores, 10));
        const Slate slate = fill_slate(pacing.score(request.scores, groups), 10);
        paced += share_of(slate);
        pacing.update(slate, groups);
        REQUIRE(pacing.prices()[1] <= 1.0 + rate * 10.0);
    }
    const double bound = (1.0 + rate * 10.0) / (rate * static_cast<double>(slates));
    CHECK(free / slates > 7.0);
    CHECK(paced / slates <= 6.0 + bound);
    CHECK(paced / slates >= 6.0 - bound);
}

TEST_CASE("ExposurePacing: costs less relevance than the same share in every slate") {
    ExposurePacing pacing({{.group = 1, .at_most = 6.0}}, {.rate = 0.01});
    Random random(18);
    double paced = 0.0;
    double capped = 0.0;
    double uses = 0.0;
    for (int t = 0; t < 3000; ++t) {
        const Request request = next_request(random);
        const Groups groups(request.names);
        const Slate slate = fill_slate(pacing.score(request.scores, groups), 10);
        pacing.update(slate, groups);
        const std::vector<funnel::rerank::GroupBounds> bounds{{.group = 1, .at_most = 6}};
        if (t >= 1000) {  // at first, the price is too low
            paced += sum_over(slate, request.scores);
            capped +=
                sum_over(funnel::rerank::constrained_greedy(request.scores, groups, bounds, 10).slate, request.scores);
            uses += static_cast<double>(
                std::count_if(slate.begin(), slate.end(), [&](std::size_t i) { return request.names[i] == 1; }));
        }
    }
    CHECK(uses / 2000 < 6.1);
    CHECK(paced > capped);
}

TEST_CASE("ExposurePacing: a price without alternatives rises, and falls again") {
    ExposurePacing pacing({{.group = 0, .at_most = 0.5}}, {.rate = 0.25});
    const Groups only(Names{0, 0});
    for (int t = 0; t < 8; ++t) {
        pacing.update(fill_slate(pacing.score(std::vector<float>{1, 2}, only), 1), only);
    }
    CHECK(prices_of(pacing) == Uses{8 * 0.25 * 0.5});
    for (int t = 0; t < 7; ++t) {
        pacing.update(Uses{0.0});
    }
    CHECK(prices_of(pacing) == Uses{0.125});
}

TEST_CASE("ExposurePacing: no candidates, and a slate without the group") {
    ExposurePacing pacing({{.group = 3, .at_most = 1.0}});
    const Groups nobody(Names{});
    CHECK(pacing.score(std::vector<float>{}, nobody).empty());
    pacing.update(Slate{}, nobody);
    pacing.update(Slate{0}, Groups(Names{4}));
    CHECK(prices_of(pacing) == Uses{0.0});
}

TEST_CASE("ExposurePacing: rejects wrong targets, options, scores and uses, and stays as it was") {
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    constexpr double infinity = std::numeric_limits<double>::infinity();
    using Targets = std::vector<ExposureTarget>;
    CHECK_THROWS_AS(ExposurePacing(Targets{}), InvalidArgument);
    CHECK_THROWS_AS(ExposurePacing(Targets{{1, 1.0}, {2, 1.0}, {1, 2.0}}), InvalidArgument);
    for (const double wrong : {-1.0, nan, infinity}) {
        CHECK_THROWS_AS(ExposurePacing(Targets{{1, wrong}}), InvalidArgument);
        CHECK_THROWS_AS(ExposurePacing(Targets{{1, 1.0}}, {.rate = wrong}), InvalidArgument);
    }
    CHECK_THROWS_AS(ExposurePacing(Targets{{1, 1.0}}, {.rate = 0.0}), InvalidArgument);

    ExposurePacing pacing({{.group = 1, .at_most = 1.0}, {.group = 2, .at_most = 1.0}}, {.rate = 1.0});
    pacing.update(Uses{3.0, 0.0});
    const Groups groups(Names{1, 2});
    for (const double wrong : {-1.0, nan, infinity}) {
        CHECK_THROWS_AS(pacing.update(Uses{5.0, wrong}), InvalidArgument);
    }
    CHECK_THROWS_AS(pacing.update(Uses{1.0}), InvalidArgument);
    CHECK_THROWS_AS(pacing.update(Slate{0, 2}, groups), InvalidArgument);
    CHECK(prices_of(pacing) == Uses{2.0, 0.0});
    CHECK_THROWS_AS((void)pacing.score(std::vector<float>{1.0F}, groups), InvalidArgument);
    CHECK_THROWS_AS((void)pacing.score(std::vector<float>{1.0F, std::numeric_limits<float>::quiet_NaN()}, groups),
                    InvalidArgument);
    pacing.update(Uses{1e200, 0.0});
    CHECK_THROWS_AS((void)pacing.score(std::vector<float>{1.0F, 1.0F}, groups), InvalidArgument);
    ExposurePacing steep({{.group = 1, .at_most = 1.0}}, {.rate = 1e200});
    CHECK_THROWS_AS(steep.update(Uses{1e200}), InvalidArgument);
    CHECK(prices_of(steep) == Uses{0.0});
    CHECK_THROWS_WITH(ExposurePacing(Targets{{1, -1.0}}), "ExposurePacing: at_most must be finite and >= 0, got -1");
}

TEST_CASE("ExposurePacing: survives a round trip, and damaged files are rejected") {
    ExposurePacing pacing({{.group = 5, .at_most = 2.5}, {.group = ~std::uint64_t{0}, .at_most = 0.0}}, {.rate = 0.3});
    pacing.update(Uses{4.0, 1.0});
    const auto answers = [](const ExposurePacing& saved) {
        ExposurePacing next = saved;
        next.update(Uses(saved.targets().size(), 3.0));
        Uses all = prices_of(saved);
        const Uses later = prices_of(next);
        all.insert(all.end(), later.begin(), later.end());
        for (const ExposureTarget& target : saved.targets()) {
            all.push_back(static_cast<double>(target.group));
            all.push_back(target.at_most);
        }
        return all;
    };
    check_saved(pacing, ExposurePacing({{.group = 1, .at_most = 1.0}}), answers, [](ExposurePacing saved) {
        saved.update(Uses(saved.targets().size(), 1.0));
        (void)saved.score(std::vector<float>{1.0F, 2.0F}, Groups(Names{5, 1}));
    });

    const TempDir dir;
    const auto save_with = [&](double rate, const std::vector<std::uint64_t>& groups, const Uses& at_most,
                               const Uses& prices) {
        funnel::io::ContainerWriter file("rerank.ExposurePacing", 1);
        file.value("rate", rate);
        file.array("groups", groups);
        file.array("at_most", at_most);
        file.array("prices", prices);
        file.save(dir / "a.fnl");
        return std::string(dir / "a.fnl");
    };
    const auto is_rejected = [](const std::string& path) {
        return detail::is_rejected_as_corrupt<ExposurePacing>(path);
    };
    CHECK(prices_of(ExposurePacing::load(save_with(0.1, {1, 2}, {1.0, 0.0}, {0.0, 2.0}))) == Uses{0.0, 2.0});
    for (const double wrong :
         {-1.0, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
        CHECK(is_rejected(save_with(wrong, {1, 2}, {1.0, 0.0}, {0.0, 2.0})));
        CHECK(is_rejected(save_with(0.1, {1, 2}, {1.0, wrong}, {0.0, 2.0})));
        CHECK(is_rejected(save_with(0.1, {1, 2}, {1.0, 0.0}, {wrong, 2.0})));
    }
    CHECK(is_rejected(save_with(0.0, {1, 2}, {1.0, 0.0}, {0.0, 2.0})));
    CHECK(is_rejected(save_with(0.1, {1, 1}, {1.0, 0.0}, {0.0, 2.0})));
    CHECK(is_rejected(save_with(0.1, {1, 2}, {1.0}, {0.0, 2.0})));
    CHECK(is_rejected(save_with(0.1, {1, 2}, {1.0, 0.0}, {0.0})));
    CHECK(is_rejected(save_with(0.1, {}, {}, {})));
}
