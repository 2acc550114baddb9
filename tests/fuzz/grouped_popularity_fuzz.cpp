// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/fuzz.hpp"

#include <funnel/cf/grouped_popularity.hpp>
#include <funnel/data/interactions.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace funnel::fuzz::grouped_popularity_target {
namespace {

void use_grouped_popularity(const Input& input) {
    load_and_use<cf::GroupedPopularity>(input, [](const cf::GroupedPopularity& popular) {
        for (const std::size_t group : {std::size_t{0}, popular.groups() - 1}) {
            check_list(popular.top(group, 10), popular.items());
            check_finite(std::vector<float>(popular.scores(group).begin(), popular.scores(group).end()));
        }
    });
}

std::vector<std::string> grouped_popularity_seeds() {
    const auto log = data::Interactions::from_ids({{0, 0}, {0, 1}, {1, 1}, {1, 2}, {2, 0}}, 3, 4);
    const std::vector<std::uint32_t> groups{0, 1, 1};
    return {saved([&](const std::string& path) { cf::GroupedPopularity::fit(log, groups, 3).save(path); })};
}

const Registered grouped_popularity({.name = "grouped_popularity",
                                     .run = use_grouped_popularity,
                                     .seeds = grouped_popularity_seeds,
                                     .is_container = true});

}  // namespace
}  // namespace funnel::fuzz::grouped_popularity_target
