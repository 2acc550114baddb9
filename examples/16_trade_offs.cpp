// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Several objectives: what relevance costs in margin, why a weighted sum misses good candidates, a slate within bounds,
// and a share of exposure that holds over many requests.
//
//     g++ -std=c++20 -O2 -I include examples/16_trade_offs.cpp -o /tmp/example && /tmp/example
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
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <span>
#include <vector>

using namespace funnel::rerank;

namespace {

constexpr std::size_t k = 10;

enum Seller : std::uint32_t { Large, Small };

// Items of one request, with relevance and margin from 0 to 1. What is relevant tends to have a low margin. A third of the
// items is from small sellers, and those are a little less relevant.
struct Candidates {
    funnel::Matrix<float> objectives;  // n x 2
    std::vector<std::uint32_t> sellers;

    Candidates(std::size_t n, std::uint64_t request) : objectives(n, 2) {
        funnel::Random random(16, request);
        for (std::size_t i = 0; i < n; ++i) {
            sellers.push_back(i % 3 == 0 ? Small : Large);
            const double relevance = random.uniform() * (sellers[i] == Small ? 0.9 : 1.0);
            objectives(i, 0) = static_cast<float>(relevance);
            objectives(i, 1) = static_cast<float>(0.5 * random.uniform() + 0.5 * (1.0 - relevance));
        }
    }
};

std::vector<std::size_t> ten_best(std::span<const float> scores) {
    return fill_slate(scores, k);
}

double mean_of(const std::vector<std::size_t>& slate, const Candidates& candidates, std::size_t objective) {
    double sum = 0.0;
    for (const std::size_t i : slate) {
        sum += static_cast<double>(candidates.objectives(i, objective));
    }
    return sum / static_cast<double>(slate.size());
}

std::size_t small_in(const std::vector<std::size_t>& slate, const Candidates& candidates) {
    return static_cast<std::size_t>(
        std::count_if(slate.begin(), slate.end(), [&](std::size_t i) { return candidates.sellers[i] == Small; }));
}

void print(const char* name, const std::vector<std::size_t>& slate, const Candidates& candidates) {
    std::printf("%-34s %9.3f %9.3f %14zu\n", name, mean_of(slate, candidates, 0), mean_of(slate, candidates, 1),
                small_in(slate, candidates));
}

void print_header(const char* name) {
    std::printf("\n%-34s %9s %9s %14s\n", name, "relevance", "margin", "small sellers");
}

// Three items. The third is good at both, but below the line between the others: no weight selects it.
void what_weights_miss() {
    funnel::Matrix<float> three(3, 2);
    three(0, 0) = three(1, 1) = 1.0F;
    three(2, 0) = three(2, 1) = 0.4F;
    const auto best = [](std::span<const float> scores) { return fill_slate(scores, 1); };
    std::printf("(1, 0), (0, 1) and (0.4, 0.4): %zu are on the Pareto front, %zu are the best for some weight.\n",
                pareto_front(three).size(), trade_off_curve(three, best).size());
    std::printf("Chebyshev with equal weights selects number %zu.\n",
                best(chebyshev(three, std::vector{0.5, 0.5}))[0] + 1);
}

// All that weights can buy, for slates of ten items. Seven of the points are printed.
void curve_of_weights(const Candidates& candidates) {
    const auto curve = trade_off_curve(candidates.objectives, ten_best);
    std::printf("\n200 items, %zu of them on the Pareto front; %zu slates of ten on the trade-off curve:\n",
                pareto_front(candidates.objectives).size(), curve.size());
    print_header("weight of relevance");
    for (std::size_t row = 0; row < 7; ++row) {
        const TradeOff& point = curve[row * (curve.size() - 1) / 6];
        std::array<char, 32> weight{};
        std::snprintf(weight.data(), weight.size(), "%.3f", point.weight);
        print(weight.data(), point.slate, candidates);
    }
}

// Other ways to say what is wanted.
void other_rules(const Candidates& candidates) {
    const std::vector<double> weights{0.7, 0.3};
    const auto scores = weighted_sum(candidates.objectives, weights);
    print_header("rule");
    print("weights 0.7 and 0.3", ten_best(scores), candidates);
    print("Chebyshev, the same weights", ten_best(chebyshev(candidates.objectives, weights)), candidates);
    const std::vector<std::optional<float>> at_least{{}, 0.5F};  // no bound on the relevance, one on the margin
    auto feasible = epsilon_constraint(candidates.objectives, at_least).positions;
    feasible.resize(std::min(k, feasible.size()));
    print("each margin at least 0.5", feasible, candidates);
    const std::vector<GroupBounds> bounds{{.group = Small, .at_least = 4}};
    print("weights, at least 4 small sellers", constrained_greedy(scores, Groups(candidates.sellers), bounds, k).slate,
          candidates);
}

// Small sellers get 4 of 10 places on average over many requests, not in each: the others may have 6.
void exposure_over_requests(std::size_t requests) {
    ExposurePacing pacing({{.group = Large, .at_most = 6.0}}, {.rate = 0.002});
    const std::vector<GroupBounds> bounds{{.group = Small, .at_least = 4}};
    struct Sums {
        const char* name;
        std::size_t small = 0;
        double score = 0.0;
    };
    std::array<Sums, 3> sums{Sums{"by score"}, Sums{"at least 4 in every slate"}, Sums{"4 on average, by a price"}};
    for (std::size_t request = 1; request <= requests; ++request) {
        const Candidates candidates(200, request);
        const Groups sellers(candidates.sellers);
        const auto scores = weighted_sum(candidates.objectives, std::vector{0.7, 0.3});
        const auto paced = ten_best(pacing.score(scores, sellers));
        pacing.update(paced, sellers);
        const auto add = [&](Sums& sum, const std::vector<std::size_t>& slate) {
            sum.small += small_in(slate, candidates);
            for (const std::size_t i : slate) {
                sum.score += static_cast<double>(scores[i]) / static_cast<double>(k);
            }
        };
        add(sums[0], ten_best(scores));
        add(sums[1], constrained_greedy(scores, sellers, bounds, k).slate);
        add(sums[2], paced);
    }
    std::printf("\n%zu requests of 200 items%33s %14s\n", requests, "score", "small sellers");
    for (const Sums& sum : sums) {
        std::printf("%-34s %19.4f %14.2f\n", sum.name, sum.score / static_cast<double>(requests),
                    static_cast<double>(sum.small) / static_cast<double>(requests));
    }
    std::printf("The price of a large seller is %.3f.\n", pacing.prices()[0]);
}

}  // namespace

int main() {
    what_weights_miss();
    const Candidates candidates(200, 0);
    curve_of_weights(candidates);
    other_rules(candidates);
    exposure_over_requests(5000);
}
