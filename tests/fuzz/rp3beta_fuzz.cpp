// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/model_target.hpp"

#include <funnel/cf/rp3beta.hpp>

namespace funnel::fuzz::rp3beta_target {
namespace {

const Registered rp3beta({
    .name = "rp3beta",
    .run = load_and_recommend<cf::RP3Beta>,
    .seeds = [] { return model_seeds<cf::RP3Beta>(); },
    .is_container = true,
});

}  // namespace
}  // namespace funnel::fuzz::rp3beta_target
