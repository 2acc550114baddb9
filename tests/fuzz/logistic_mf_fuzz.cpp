// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/model_target.hpp"

#include <funnel/cf/logistic_mf.hpp>

namespace funnel::fuzz::logistic_mf_target {
namespace {

const Registered logistic_mf({
    .name = "logistic_mf",
    .run = load_and_recommend<cf::LogisticMF>,
    .seeds = [] { return model_seeds<cf::LogisticMF>({.factors = 3}); },
    .is_container = true,
});

}  // namespace
}  // namespace funnel::fuzz::logistic_mf_target
