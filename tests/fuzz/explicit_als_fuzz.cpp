// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/model_target.hpp"

#include <funnel/cf/explicit_als.hpp>

namespace funnel::fuzz::explicit_als_target {
namespace {

const Registered explicit_als({
    .name = "explicit_als",
    .run = load_and_recommend<cf::ExplicitALS>,
    .seeds = [] { return model_seeds<cf::ExplicitALS>({.factors = 3}); },
    .is_container = true,
});

}  // namespace
}  // namespace funnel::fuzz::explicit_als_target
