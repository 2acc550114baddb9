// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/fuzz.hpp"

#include <funnel/content/cohort_popularity.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/data/interactions.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace funnel::fuzz::cohort_popularity_target {
namespace {

void use_cohort_popularity(const Input& input) {
    load_and_use<content::CohortPopularity>(input, [](const content::CohortPopularity& popular) {
        constexpr std::array<std::uint32_t, 2> attributes{1, 0};
        for (const std::size_t known : {0U, 1U, 2U}) {
            const auto some = std::span(attributes).first(known);
            check_list(popular.top(some, 10), popular.items());
            check_finite(popular.scores(some));
        }
    });
}

std::vector<std::string> cohort_popularity_seeds() {
    const auto log = data::Interactions::from_ids({{0, 0}, {0, 1}, {1, 1}, {1, 2}, {2, 0}}, 3, 4);
    const std::vector<std::uint32_t> attributes{0, 0, 1, 0, 1, 1};
    return {saved([&](const std::string& path) {
        content::CohortPopularity::fit(log, MatrixView<const std::uint32_t>(attributes, 3, 2)).save(path);
    })};
}

const Registered cohort_popularity({.name = "cohort_popularity",
                                    .run = use_cohort_popularity,
                                    .seeds = cohort_popularity_seeds,
                                    .is_container = true});

}  // namespace
}  // namespace funnel::fuzz::cohort_popularity_target
