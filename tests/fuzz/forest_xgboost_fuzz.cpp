// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/forest_target.hpp"

#include <funnel/ranking/xgboost.hpp>

namespace funnel::fuzz::forest_xgboost_target {
namespace {

const Registered forest_xgboost({
    .name = "forest_xgboost",
    .run = [](const Input& input) { load_and_score(input, ranking::load_xgboost); },
    .seeds = [] { return model_seeds("xgboost"); },
    .words = {"-1", "2147483647", "NaN", "Infinity", "\"num_deleted\":\"1\"", "\"size_leaf_vector\":\"2\"",
              "\"leaf_weights\":[", "\"weight_drop\":[1]", "\"split_type\":[1,", "\"categories\":[", "true", "[$l#L",
              "multi:softprob", "count:poisson", "\"dart\"", "\"num_class\":\"3\""},
});

}  // namespace
}  // namespace funnel::fuzz::forest_xgboost_target
