// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/fuzz.hpp"

#include <funnel/ranking/isotonic_regression.hpp>

namespace funnel::fuzz::isotonic_regression_target {
namespace {

void use_isotonic_regression(const Input& input) {
    load_and_use<ranking::IsotonicRegression>(input, [](const ranking::IsotonicRegression& model) {
        check_finite(model.predict(std::vector{-1e300, -1.0, 0.0, 0.5, 1e300}));
    });
}

std::vector<std::string> isotonic_regression_seeds() {
    const std::vector<float> scores{0.0F, 1.0F, 2.0F};
    const std::vector<float> labels{0.0F, 0.0F, 1.0F};
    return {saved([&](const std::string& path) { ranking::IsotonicRegression::fit(scores, labels).save(path); })};
}

const Registered isotonic_regression({.name = "isotonic_regression",
                                      .run = use_isotonic_regression,
                                      .seeds = isotonic_regression_seeds,
                                      .is_container = true});

}  // namespace
}  // namespace funnel::fuzz::isotonic_regression_target
