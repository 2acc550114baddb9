// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/model_target.hpp"

#include <funnel/cf/warp.hpp>

namespace funnel::fuzz::warp_target {
namespace {

const Registered warp({
    .name = "warp",
    .run = load_and_recommend<cf::WARP>,
    .seeds = [] { return model_seeds<cf::WARP>({.factors = 3}); },
    .is_container = true,
});

}  // namespace
}  // namespace funnel::fuzz::warp_target
