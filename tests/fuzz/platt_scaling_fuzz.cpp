// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/fuzz.hpp"

#include <funnel/ranking/platt_scaling.hpp>

namespace funnel::fuzz::platt_scaling_target {
namespace {

void use_platt_scaling(const Input& input) {
    load_and_use<ranking::PlattScaling>(input, [](const ranking::PlattScaling& model) {
        check_finite(model.predict(std::vector{-1e300, -1.0, 0.0, 0.5, 1e300}));
    });
}

std::vector<std::string> platt_scaling_seeds() {
    const std::vector<float> scores{0.0F, 1.0F, 2.0F};
    const std::vector<float> labels{0.0F, 0.0F, 1.0F};
    return {saved([&](const std::string& path) { ranking::PlattScaling::fit(scores, labels).save(path); })};
}

const Registered platt_scaling(
    {.name = "platt_scaling", .run = use_platt_scaling, .seeds = platt_scaling_seeds, .is_container = true});

}  // namespace
}  // namespace funnel::fuzz::platt_scaling_target
