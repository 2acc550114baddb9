// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/model_target.hpp"

#include <funnel/cf/implicit_als.hpp>

namespace funnel::fuzz::implicit_als_target {
namespace {

const Registered implicit_als({
    .name = "implicit_als",
    .run = load_and_recommend<cf::ImplicitALS>,
    .seeds = [] { return model_seeds<cf::ImplicitALS>({.factors = 3}); },
    .is_container = true,
});

}  // namespace
}  // namespace funnel::fuzz::implicit_als_target
