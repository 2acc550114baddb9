// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/model_target.hpp"

#include <funnel/cf/ease.hpp>

namespace funnel::fuzz::ease_target {
namespace {

const Registered ease({
    .name = "ease",
    .run = load_and_recommend<cf::EASE>,
    .seeds = [] { return model_seeds<cf::EASE>(); },
    .is_container = true,
});

}  // namespace
}  // namespace funnel::fuzz::ease_target
