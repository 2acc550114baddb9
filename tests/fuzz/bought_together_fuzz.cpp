// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/model_target.hpp"

#include <funnel/cf/bought_together.hpp>

namespace funnel::fuzz::bought_together_target {
namespace {

const Registered bought_together({
    .name = "bought_together",
    .run = load_and_recommend<cf::BoughtTogether>,
    .seeds = [] { return model_seeds<cf::BoughtTogether>(); },
    .is_container = true,
});

}  // namespace
}  // namespace funnel::fuzz::bought_together_target
