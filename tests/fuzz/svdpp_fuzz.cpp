// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/model_target.hpp"

#include <funnel/cf/svdpp.hpp>

namespace funnel::fuzz::svdpp_target {
namespace {

const Registered svdpp({
    .name = "svdpp",
    .run = load_and_recommend<cf::SVDpp>,
    .seeds = [] { return model_seeds<cf::SVDpp>({.factors = 3}); },
    .is_container = true,
});

}  // namespace
}  // namespace funnel::fuzz::svdpp_target
