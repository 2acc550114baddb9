// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/model_target.hpp"

#include <funnel/cf/bpr.hpp>

namespace funnel::fuzz::bpr_target {
namespace {

const Registered bpr({
    .name = "bpr",
    .run = load_and_recommend<cf::BPR>,
    .seeds = [] { return model_seeds<cf::BPR>({.factors = 3}); },
    .is_container = true,
});

}  // namespace
}  // namespace funnel::fuzz::bpr_target
