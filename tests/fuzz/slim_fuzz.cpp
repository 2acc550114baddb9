// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/model_target.hpp"

#include <funnel/cf/slim.hpp>

namespace funnel::fuzz::slim_target {
namespace {

const Registered slim({
    .name = "slim",
    .run = load_and_recommend<cf::SLIM>,
    .seeds = [] { return model_seeds<cf::SLIM>(); },
    .is_container = true,
});

}  // namespace
}  // namespace funnel::fuzz::slim_target
