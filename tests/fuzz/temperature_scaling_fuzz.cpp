// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/fuzz.hpp"

#include <funnel/ranking/platt_scaling.hpp>

namespace funnel::fuzz::temperature_scaling_target {
namespace {

void use_temperature_scaling(const Input& input) {
    load_and_use<ranking::TemperatureScaling>(input, [](const ranking::TemperatureScaling& model) {
        check_finite(model.predict(std::vector{-1e300, -1.0, 0.0, 0.5, 1e300}));
    });
}

std::vector<std::string> temperature_scaling_seeds() {
    const std::vector<float> scores{0.0F, 1.0F, 2.0F};
    const std::vector<float> labels{0.0F, 0.0F, 1.0F};
    return {saved([&](const std::string& path) { ranking::TemperatureScaling::fit(scores, labels).save(path); })};
}

const Registered temperature_scaling({.name = "temperature_scaling",
                                      .run = use_temperature_scaling,
                                      .seeds = temperature_scaling_seeds,
                                      .is_container = true});

}  // namespace
}  // namespace funnel::fuzz::temperature_scaling_target
