// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/index_target.hpp"

#include <funnel/ann/flat.hpp>

#include <span>

namespace funnel::fuzz::flat_target {
namespace {

const Registered flat({
    .name = "flat",
    .run =
        [](const Input& input) {
            load_and_search<ann::Flat<ann::L2>>(input);
            load_and_search<ann::Flat<ann::Cosine>>(input);
            load_and_search<ann::Flat<ann::InnerProduct>>(input);
            load_and_search<ann::Flat<ann::L2, std::dynamic_extent, ann::Int8>>(input);
            load_and_search<ann::Flat<ann::InnerProduct, std::dynamic_extent, ann::Int8>>(input);
        },
    .seeds =
        [] {
            return std::vector{index_seed<ann::Flat<ann::L2>>(4), index_seed<ann::Flat<ann::Cosine>>(20),
                               index_seed<ann::Flat<ann::InnerProduct>>(20)};
        },
    .is_container = true,
});

}  // namespace
}  // namespace funnel::fuzz::flat_target
