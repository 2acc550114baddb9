// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/forest_target.hpp"

#include <funnel/ranking/hist_gradient_boosting.hpp>

namespace funnel::fuzz::forest_hist_gradient_boosting_target {
namespace {

const Registered forest_hist_gradient_boosting({
    .name = "forest_hist_gradient_boosting",
    .run = [](const Input& input) { load_and_score(input, ranking::load_hist_gradient_boosting); },
    .seeds = [] { return model_seeds("hist_gradient_boosting"); },
    .words = {"sigmoid", "softmax", "exponential", "(1, 2)", "(1,)", "left_categories", "PK\1\2", "\xff\xff\xff\xff"},
});

}  // namespace
}  // namespace funnel::fuzz::forest_hist_gradient_boosting_target
