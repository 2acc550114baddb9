// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/ranker_target.hpp"

#include <funnel/ranking/ffm.hpp>

namespace funnel::fuzz::ffm_target {
namespace {

const Registered ffm({
    .name = "ffm",
    .run = load_and_score<ranking::FFM>,
    .seeds = ranker_seeds<ranking::FFM>,
    .is_container = true,
});

}  // namespace
}  // namespace funnel::fuzz::ffm_target
