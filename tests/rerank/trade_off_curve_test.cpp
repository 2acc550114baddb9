// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/rerank/trade_off_curve.hpp>

#include <funnel/core/error.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/rerank/fill_slate.hpp>
#include <funnel/rerank/group_cap.hpp>
#include <funnel/rerank/groups.hpp>

#include "rerank/objectives.hpp"
#include "rerank/orders.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <set>
#include <span>
#include <utility>
#include <vector>

using funnel::InvalidArgument;
using funnel::Matrix;
using funnel::Random;
using funnel::rerank::fill_slate;
using funnel::rerank::trade_off_curve;
using funnel::rerank::TradeOff;
using namespace funnel::testing;

namespace {

using Point = std::pair<double, double>;
using Points = std::vector<Point>;

auto best_k(std::size_t k) {
    return [k](std::span<const float> scores) { return fill_slate(scores, k); };
}

Points points_of(const std::vector<TradeOff>& curve) {
    Points points;
    for (const TradeOff& point : curve) {
        points.emplace_back(point.first, point.second);
    }
    return points;
}

// The corners of the upper right part of the convex hull: Pareto-optimal points that lie on no line, and below none,
// between two others. Exact for small whole numbers.
Points corners_by_definition(const std::set<Point>& all) {
    Points corners;
    for (const Point& p : all) {
        bool is_corner = true;
        for (const Point& a : all) {
            is_corner = is_corner && (a == p || a.first < p.first || a.second < p.second);
            for (const Point& b : all) {
                const double cross = (b.first - a.first) * (p.second - a.second) -  // >= 0: p is not above a - b
                                     (b.second - a.second) * (p.first - a.first);
                is_corner = is_corner && !(a != p && b != p && a.first > p.first && b.first < p.first && cross >= 0.0);
            }
        }
        if (is_corner) {
            corners.push_back(p);
        }
    }
    std::sort(corners.rbegin(), corners.rend());
    return corners;
}

}  // namespace

TEST_CASE("trade_off_curve: worked by hand") {
    // Four candidates, slates of one: (10, 0), (8, 6), (5, 7), (0, 8).
    // (10, 0) and (0, 8) are worth the same at weight 8 / 18. There, (8, 6) is worth 124 / 18, more than their 80 / 18.
    // Between (8, 6) and (0, 8), at weight 2 / 10, (5, 7) is worth 6.6, more than 6.4. So all four are on the curve.
    const auto f = matrix_of({{10, 0}, {8, 6}, {5, 7}, {0, 8}});
    const auto curve = trade_off_curve(f, best_k(1));
    CHECK(points_of(curve) == Points{{10, 0}, {8, 6}, {5, 7}, {0, 8}});
    CHECK(curve[0].weight == 1.0);
    CHECK(curve[1].weight == doctest::Approx(8.0 / 18.0));
    CHECK(curve[2].weight == doctest::Approx(2.0 / 10.0));
    CHECK(curve[3].weight == 0.0);
    CHECK(curve[1].slate == Slate{1});
    // (5, 6.5) lies below the line from (8, 6) to (0, 8), at 6.75: no weight selects it.
    CHECK(points_of(trade_off_curve(matrix_of({{10, 0}, {8, 6}, {5, 6.5F}, {0, 8}}), best_k(1))) ==
          Points{{10, 0}, {8, 6}, {0, 8}});
}

TEST_CASE("trade_off_curve: has all corners of the hull of all slates") {
    Random random(11);
    std::size_t corners = 0;
    for (int round = 0; round < 200; ++round) {
        const std::size_t n = 1 + random.below(8);
        const std::size_t k = 1 + random.below(std::min<std::size_t>(n, 3));
        const auto f = random_objectives(random, n, 2, 20);
        std::set<Point> all;
        any_order(n, k, [&](const Slate& slate) {
            Point sum{0.0, 0.0};
            for (const std::size_t i : slate) {
                sum.first += static_cast<double>(f(i, 0));
                sum.second += static_cast<double>(f(i, 1));
            }
            all.insert(sum);
            return false;
        });
        const auto curve = trade_off_curve(f, best_k(k));
        REQUIRE(points_of(curve) == corners_by_definition(all));
        corners += curve.size();
        for (const TradeOff& point : curve) {  // the weight selects the slate again
            const std::vector<double> weights{point.weight, 1.0 - point.weight};
            REQUIRE(fill_slate(funnel::rerank::weighted_sum(f, weights), k).size() == k);
            REQUIRE((point.weight == 0.0 || point.weight == 1.0 ||
                     fill_slate(funnel::rerank::weighted_sum(f, weights), k) == point.slate));
        }
    }
    CHECK(corners > 300);
}

TEST_CASE("trade_off_curve: under a rule") {
    // At most one of each group: the slates are {0 or 1} with {2 or 3}.
    const auto f = matrix_of({{9, 0}, {5, 5}, {8, 1}, {0, 6}});
    const funnel::rerank::Groups groups(Names{0, 0, 1, 1});
    const auto select = [&](std::span<const float> scores) {
        return fill_slate(scores, 2, funnel::rerank::GroupCap(groups, {.at_most = 1}));
    };
    CHECK(points_of(trade_off_curve(f, select)) == Points{{17, 1}, {13, 6}, {5, 11}});
}

TEST_CASE("trade_off_curve: one point if nothing is traded, and ends that tie with better ones") {
    CHECK(points_of(trade_off_curve(matrix_of({{1, 1}, {3, 4}, {2, 2}}), best_k(1))) == Points{{3, 4}});
    CHECK(points_of(trade_off_curve(Matrix<float>(0, 2), best_k(1))) == Points{{0, 0}});
    CHECK(points_of(trade_off_curve(matrix_of({{1, 2}, {1, 2}}), best_k(5))) == Points{{2, 4}});
    // By the first objective alone, the first of (4, 0) and (4, 2) is selected, and it is not Pareto-optimal.
    CHECK(points_of(trade_off_curve(matrix_of({{4, 0}, {4, 2}, {0, 5}, {1, 5}}), best_k(1))) == Points{{4, 2}, {1, 5}});
    CHECK(points_of(trade_off_curve(matrix_of({{4, 0}, {4, 2}}), best_k(1))) == Points{{4, 2}});
    CHECK(points_of(trade_off_curve(matrix_of({{0, 2}, {4, 2}}), best_k(1))) == Points{{4, 2}});
    // Scales may differ by far.
    CHECK(points_of(trade_off_curve(matrix_of({{10e6F, 0}, {8e6F, 6e-3F}, {0, 8e-3F}}), best_k(1))).size() == 3);
}

TEST_CASE("trade_off_curve: ends where sums are 0 or rounded") {
    Random random(13);
    for (int round = 0; round < 200; ++round) {
        // Between (0, 0) and (-a, b) there is nothing, whatever the rounding of their values at the weight between them.
        Matrix<float> f(2, 2);
        f(1, 0) = -static_cast<float>(random.uniform());
        f(1, 1) = static_cast<float>(random.uniform());
        REQUIRE(trade_off_curve(f, best_k(1)).size() == 2);
        // Far from 0, the same slate in another order may have another sum.
        Matrix<float> g(12, 2);
        for (std::size_t i = 0; i < g.rows(); ++i) {
            g(i, 0) = 1e7F * static_cast<float>(random.uniform());
            g(i, 1) = 1e-3F * static_cast<float>(random.uniform());
        }
        const auto curve = trade_off_curve(g, best_k(6));
        REQUIRE(curve.size() < 40);
        for (std::size_t at = 1; at < curve.size(); ++at) {
            REQUIRE(curve[at - 1].first > curve[at].first);
            REQUIRE(curve[at - 1].second < curve[at].second);
        }
    }
}

TEST_CASE("trade_off_curve: ends for selections that do not maximize the sum") {
    Random random(12);
    for (int round = 0; round < 200; ++round) {
        const auto f = random_objectives(random, 2 + random.below(10), 2, 10);
        const auto odd = [&](std::span<const float> scores) {
            Slate slate = fill_slate(scores, 1);
            slate[0] = (slate[0] * 7 + 3) % scores.size();
            return slate;
        };
        const auto curve = trade_off_curve(f, odd);
        for (std::size_t at = 1; at < curve.size(); ++at) {
            REQUIRE(curve[at - 1].first > curve[at].first);
            REQUIRE(curve[at - 1].second < curve[at].second);
        }
    }
}

TEST_CASE("trade_off_curve: rejects three objectives, NaN and positions that do not exist") {
    constexpr float nan = std::numeric_limits<float>::quiet_NaN();
    CHECK_THROWS_AS((void)trade_off_curve(matrix_of({{1, 2, 3}}), best_k(1)), InvalidArgument);
    CHECK_THROWS_AS((void)trade_off_curve(matrix_of({{1, nan}}), best_k(1)), InvalidArgument);
    const auto wrong = [](std::span<const float> scores) { return Slate{scores.size()}; };
    CHECK_THROWS_AS((void)trade_off_curve(matrix_of({{1, 2}}), wrong), InvalidArgument);
}
