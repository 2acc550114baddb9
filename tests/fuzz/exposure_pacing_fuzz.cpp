// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/fuzz.hpp"

#include <funnel/rerank/exposure_pacing.hpp>
#include <funnel/rerank/groups.hpp>

#include <cstdint>
#include <vector>

namespace funnel::fuzz::exposure_pacing_target {
namespace {

void use_exposure_pacing(const Input& input) {
    load_and_use<rerank::ExposurePacing>(input, [](rerank::ExposurePacing pacing) {
        const std::vector<std::uint32_t> names{0, 1, 2};
        const rerank::Groups groups(names);
        pacing.update(std::vector<std::size_t>{0, 2}, groups);
        pacing.update(std::vector<double>(pacing.targets().size(), 1.0));
        check_finite(pacing.score(std::vector{1.0F, 2.0F, 3.0F}, groups));
        for (const double price : pacing.prices()) {
            check(math::is_finite(price) && price >= 0.0, "prices are finite and >= 0");
        }
    });
}

std::vector<std::string> exposure_pacing_seeds() {
    return {saved([](const std::string& path) {
        rerank::ExposurePacing pacing({{.group = 1, .at_most = 0.5}, {.group = 2, .at_most = 3.0}});
        pacing.update(std::vector{2.0, 1.0});
        pacing.save(path);
    })};
}

const Registered exposure_pacing(
    {.name = "exposure_pacing", .run = use_exposure_pacing, .seeds = exposure_pacing_seeds, .is_container = true});

}  // namespace
}  // namespace funnel::fuzz::exposure_pacing_target
