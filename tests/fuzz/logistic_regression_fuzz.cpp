// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/ranker_target.hpp"

#include <funnel/ranking/logistic_regression.hpp>

namespace funnel::fuzz::logistic_regression_target {
namespace {

const Registered logistic_regression({
    .name = "logistic_regression",
    .run = load_and_score<ranking::LogisticRegression>,
    .seeds = ranker_seeds<ranking::LogisticRegression>,
    .is_container = true,
});

}  // namespace
}  // namespace funnel::fuzz::logistic_regression_target
