// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/model_target.hpp"

#include <funnel/cf/nmf.hpp>

namespace funnel::fuzz::nmf_target {
namespace {

const Registered nmf({
    .name = "nmf",
    .run = load_and_recommend<cf::NMF>,
    .seeds = [] { return model_seeds<cf::NMF>({.factors = 3}); },
    .is_container = true,
});

}  // namespace
}  // namespace funnel::fuzz::nmf_target
