// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/index_target.hpp"

#include <funnel/ann/ivf.hpp>

#include <span>

namespace funnel::fuzz::ivf_target {
namespace {

using Floats = ann::IVFFlat<ann::L2>;
using Bytes = ann::IVFFlat<ann::InnerProduct, std::dynamic_extent, ann::Int8>;
using Halves = ann::IVFFlat<ann::L2, std::dynamic_extent, ann::F16>;

const Registered ivf({
    .name = "ivf",
    .run =
        [](const Input& input) {
            load_and_search<Floats>(input);
            load_and_search<Bytes>(input);
            load_and_search<Halves>(input);
        },
    .seeds = [] { return std::vector{index_seed<Floats>(4), index_seed<Bytes>(20), index_seed<Halves>(20)}; },
    .is_container = true,
});

}  // namespace
}  // namespace funnel::fuzz::ivf_target
