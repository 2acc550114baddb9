// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// The figures of the pages about several objectives, from the candidates of examples/16_trade_offs.cpp.
//
//   objectives_bench [JSON]
#include "support/bench.hpp"

#include <funnel/core/matrix.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/rerank/chebyshev.hpp>
#include <funnel/rerank/constrained_greedy.hpp>
#include <funnel/rerank/epsilon_constraint.hpp>
#include <funnel/rerank/exposure_pacing.hpp>
#include <funnel/rerank/fill_slate.hpp>
#include <funnel/rerank/groups.hpp>
#include <funnel/rerank/pareto_front.hpp>
#include <funnel/rerank/trade_off_curve.hpp>
#include <funnel/rerank/weighted_sum.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

using namespace funnel;
using namespace funnel::rerank;

namespace {

using Slate = std::vector<std::size_t>;

constexpr std::size_t items = 200;
constexpr std::size_t places = 10;
constexpr std::size_t requests = 5000;
constexpr std::uint32_t large = 0;
constexpr std::uint32_t small = 1;

// As in the example: what is relevant tends to have a low margin, and a third of the items is from small sellers.
struct Candidates {
    Matrix<float> objectives{items, 2};
    std::vector<std::uint32_t> sellers;

    explicit Candidates(std::uint64_t request) {
        Random random(16, request);
        for (std::size_t i = 0; i < items; ++i) {
            sellers.push_back(i % 3 == 0 ? small : large);
            const double relevance = random.uniform() * (sellers[i] == small ? 0.9 : 1.0);
            objectives(i, 0) = static_cast<float>(relevance);
            objectives(i, 1) = static_cast<float>(0.5 * random.uniform() + 0.5 * (1.0 - relevance));
        }
    }
};

Slate ten_best(std::span<const float> scores) {
    return fill_slate(scores, places);
}

double small_in(const Slate& slate, const Candidates& candidates) {
    return static_cast<double>(
        std::count_if(slate.begin(), slate.end(), [&](std::size_t i) { return candidates.sellers[i] == small; }));
}

void add(bench::Report& report, const std::string& name, double value) {
    report.add({.name = name,
                .ours = bench::single(value),
                .unit = "1",
                .setup = "200 items per request, drawn at random; slates of ten; 5,000 requests for exposure"});
}

void add_slate(bench::Report& report, const std::string& name, const Slate& slate, const Candidates& candidates) {
    double sums[2] = {0.0, 0.0};
    for (const std::size_t i : slate) {
        sums[0] += static_cast<double>(candidates.objectives(i, 0));
        sums[1] += static_cast<double>(candidates.objectives(i, 1));
    }
    add(report, name + " relevance", sums[0] / static_cast<double>(slate.size()));
    add(report, name + " margin", sums[1] / static_cast<double>(slate.size()));
    add(report, name + " small sellers", small_in(slate, candidates));
}

void one_request(bench::Report& report) {
    const Candidates candidates(0);
    const auto& objectives = candidates.objectives;
    const auto curve = trade_off_curve(objectives, ten_best);
    add(report, "items on the Pareto front", static_cast<double>(pareto_front(objectives).size()));
    add(report, "slates on the curve", static_cast<double>(curve.size()));
    for (std::size_t row = 0; row < 7; ++row) {
        const TradeOff& point = curve[row * (curve.size() - 1) / 6];
        const std::string name = "point " + std::to_string(row);
        add(report, name + " weight", point.weight);
        add_slate(report, name, point.slate, candidates);
    }
    const std::vector<double> weights{0.7, 0.3};
    const auto scores = weighted_sum(objectives, weights);
    add_slate(report, "weights", ten_best(scores), candidates);
    add_slate(report, "Chebyshev", ten_best(chebyshev(objectives, weights)), candidates);
    auto feasible = epsilon_constraint(objectives, std::vector<std::optional<float>>{{}, 0.5F}).positions;
    feasible.resize(std::min(places, feasible.size()));
    add_slate(report, "bound on the margin", feasible, candidates);
    const std::vector<GroupBounds> bounds{{.group = small, .at_least = 4}};
    add_slate(report, "bound on sellers", constrained_greedy(scores, Groups(candidates.sellers), bounds, places).slate,
              candidates);
}

void exposure(bench::Report& report) {
    ExposurePacing pacing({{.group = large, .at_most = 6.0}}, {.rate = 0.002});
    const std::vector<GroupBounds> bounds{{.group = small, .at_least = 4}};
    struct Sums {
        const char* name;
        double small = 0.0;
        double score = 0.0;
    };
    std::vector<Sums> sums{{"by score"}, {"in every slate"}, {"on average"}};
    for (std::size_t request = 1; request <= requests; ++request) {
        const Candidates candidates(request);
        const Groups sellers(candidates.sellers);
        const auto scores = weighted_sum(candidates.objectives, std::vector{0.7, 0.3});
        const Slate paced = ten_best(pacing.score(scores, sellers));
        pacing.update(paced, sellers);
        const Slate slates[3] = {ten_best(scores), constrained_greedy(scores, sellers, bounds, places).slate, paced};
        for (std::size_t rule = 0; rule < 3; ++rule) {
            sums[rule].small += small_in(slates[rule], candidates) / requests;
            for (const std::size_t i : slates[rule]) {
                sums[rule].score += static_cast<double>(scores[i]) / (places * requests);
            }
        }
    }
    for (const Sums& sum : sums) {
        add(report, std::string(sum.name) + " score", sum.score);
        add(report, std::string(sum.name) + " small sellers", sum.small);
    }
    add(report, "price of a large seller", pacing.prices()[0]);
    add(report, "loss in every slate", sums[0].score - sums[1].score);
    add(report, "loss on average", sums[0].score - sums[2].score);
}

}  // namespace

int main(int argc, char** argv) {
    bench::Report report("objectives", argc, argv);
    one_request(report);
    exposure(report);
    return report.finish();
}
