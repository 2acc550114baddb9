// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// The figures of the section about several domains: one tower of users for two domains, against a model per domain. All
// figures are the same in every run, with any number of threads.
//
//   cross_domain_bench [JSON]
//
// Protocol: 500 users take 20 items of a rich domain and a few of a poor one. Items have one of four tastes; two of three
// interactions follow the user's taste, the others are random. Precision@10: the share of the 10 items of the poor domain
// with the highest scores that have the user's taste there (chance is 0.25). Both models train for the same 20 epochs.
#include "support/bench.hpp"

#include <funnel/core/matrix_view.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/embedding/cross_domain.hpp>
#include <funnel/embedding/two_tower.hpp>
#include <funnel/kernels/gemv.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <numeric>
#include <string>
#include <vector>

using namespace funnel;

namespace {

constexpr std::size_t users = 500;
constexpr std::size_t tastes = 4;
constexpr std::size_t items_of_taste = 25;
constexpr std::size_t items = tastes * items_of_taste;

struct World {
    std::vector<std::size_t> taste;  // of each user in the poor domain
    std::array<data::Interactions, 2> logs;

    World(bool shares_tastes, std::size_t few, std::uint64_t seed) : logs(draw(shares_tastes, few, seed)) {}

private:
    std::array<data::Interactions, 2> draw(bool shares_tastes, std::size_t few, std::uint64_t seed) {
        std::array<std::vector<data::Interaction>, 2> rows;
        for (std::uint32_t user = 0; user < users; ++user) {
            Random random(seed, user);
            const std::size_t rich = random.below(tastes);
            const std::size_t other = random.below(tastes);
            taste.push_back(shares_tastes ? rich : other);
            const auto take = [&](std::size_t domain, std::size_t of, double time) {
                const std::size_t item =
                    random.below(3) < 2 ? of * items_of_taste + random.below(items_of_taste) : random.below(items);
                rows[domain].push_back(
                    {.user = user, .item = static_cast<std::uint32_t>(item), .value = 1.0F, .time = time});
            };
            for (std::size_t t = 0; t < 20; ++t) {
                take(0, rich, static_cast<double>(t));
            }
            for (std::size_t t = 0; t < few; ++t) {
                take(1, taste.back(), 20.0 * static_cast<double>(t) / static_cast<double>(few) + 0.5);
            }
        }
        return {data::Interactions::from_ids(rows[0], users, items),
                data::Interactions::from_ids(rows[1], users, items)};
    }
};

double precision(MatrixView<const float> user_vectors, MatrixView<const float> item_vectors, const World& world) {
    double hits = 0.0;
    std::vector<float> scores(items);
    std::vector<std::size_t> order(items);
    for (std::size_t user = 0; user < users; ++user) {
        kernels::gemv(item_vectors, user_vectors.row(user), scores);
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::sort(order.begin(), order.end(),
                  [&](std::size_t a, std::size_t b) { return scores[a] != scores[b] ? scores[a] > scores[b] : a < b; });
        for (std::size_t i = 0; i < 10; ++i) {
            hits += order[i] / items_of_taste == world.taste[user] ? 0.1 : 0.0;
        }
    }
    return hits / static_cast<double>(users);
}

void compare(bench::Report& report, bool shares_tastes, std::size_t few) {
    constexpr std::size_t seeds = 3;
    std::array<std::vector<double>, 2> figures;  // together, alone
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        const World world(shares_tastes, few, seed);
        embedding::TwoTowerOptions options{.epochs = 20, .batch = 256, .temperature = 0.2, .seed = seed};
        const auto both = embedding::CrossDomain<0, 0>::fit(world.logs, {.training = options});
        const auto alone = embedding::TwoTower<>::fit(world.logs[1], options);
        figures[0].push_back(precision(both.user_factors(), both.item_factors(1), world));
        figures[1].push_back(precision(alone.user_factors(), alone.item_factors(), world));
    }
    for (std::size_t f = 0; f < 2; ++f) {
        const auto [low, high] = std::minmax_element(figures[f].begin(), figures[f].end());
        char setup[120];
        std::snprintf(setup, sizeof setup, "500 users, precision@10 in the poor domain; mean of 3 seeds, %.3f - %.3f",
                      *low, *high);
        const std::string name = std::string(shares_tastes ? "same tastes" : "other tastes") + ", " +
                                 std::to_string(few) + " interactions, " + (f == 0 ? "together" : "alone");
        report.add({.name = name,
                    .ours = bench::single(std::accumulate(figures[f].begin(), figures[f].end(), 0.0) / seeds),
                    .unit = "precision@10",
                    .setup = setup});
    }
}

}  // namespace

int main(int argc, char** argv) {
    bench::Report report("cross_domain", argc, argv);
    for (const bool shares_tastes : {true, false}) {
        for (const std::size_t few : {2U, 4U, 8U, 20U}) {
            compare(report, shares_tastes, few);
        }
    }
    return report.finish();
}
