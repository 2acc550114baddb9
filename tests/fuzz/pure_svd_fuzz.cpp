// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/model_target.hpp"

#include <funnel/cf/pure_svd.hpp>

namespace funnel::fuzz::pure_svd_target {
namespace {

const Registered pure_svd({
    .name = "pure_svd",
    .run = load_and_recommend<cf::PureSVD>,
    .seeds = [] { return model_seeds<cf::PureSVD>(); },
    .is_container = true,
});

}  // namespace
}  // namespace funnel::fuzz::pure_svd_target
