// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/index_target.hpp"

#include <funnel/ann/ivfpq.hpp>

namespace funnel::fuzz::ivfpq_target {
namespace {

using Bytes = ann::IVFPQIndex<2, 1, ann::Cosine>;
using Nibbles = ann::IVFPQIndex<2, 2, ann::L2, 4>;

const Registered ivfpq({
    .name = "ivfpq",
    .run =
        [](const Input& input) {
            load_and_search<Bytes>(input);
            load_and_search<Nibbles>(input);
        },
    .seeds = [] { return std::vector{index_seed<Bytes>(20), index_seed<Nibbles>(20)}; },
    .is_container = true,
});

}  // namespace
}  // namespace funnel::fuzz::ivfpq_target
