// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/model_target.hpp"

#include <funnel/cf/biased_mf.hpp>

namespace funnel::fuzz::biased_mf_target {
namespace {

const Registered biased_mf({
    .name = "biased_mf",
    .run = load_and_recommend<cf::BiasedMF>,
    .seeds = [] { return model_seeds<cf::BiasedMF>({.factors = 3}); },
    .is_container = true,
});

}  // namespace
}  // namespace funnel::fuzz::biased_mf_target
