// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/model_target.hpp"

#include <funnel/cf/popularity.hpp>

namespace funnel::fuzz::popularity_target {
namespace {

const Registered popularity({
    .name = "popularity",
    .run = load_and_recommend<cf::Popularity>,
    .seeds = [] { return model_seeds<cf::Popularity>(); },
    .is_container = true,
});

}  // namespace
}  // namespace funnel::fuzz::popularity_target
