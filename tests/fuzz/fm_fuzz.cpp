// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/ranker_target.hpp"

#include <funnel/ranking/fm.hpp>

namespace funnel::fuzz::fm_target {
namespace {

const Registered fm({
    .name = "fm",
    .run = load_and_score<ranking::FM>,
    .seeds = ranker_seeds<ranking::FM>,
    .is_container = true,
});

}  // namespace
}  // namespace funnel::fuzz::fm_target
