// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/index_target.hpp"

#include <funnel/ann/hnsw.hpp>

#include <span>

namespace funnel::fuzz::hnsw_target {
namespace {

const Registered hnsw({
    .name = "hnsw",
    .run =
        [](const Input& input) {
            load_and_search<ann::HNSW<ann::L2>>(input);
            load_and_search<ann::HNSW<ann::Cosine>>(input);
            load_and_search<ann::HNSW<ann::InnerProduct>>(input);
            load_and_search<ann::HNSW<ann::L2, std::dynamic_extent, ann::Int8>>(input);
            load_and_search<ann::HNSW<ann::L2, std::dynamic_extent, ann::F16>>(input);
        },
    .seeds =
        [] {
            return std::vector{index_seed<ann::HNSW<ann::L2>>(4), index_seed<ann::HNSW<ann::Cosine>>(20),
                               index_seed<ann::HNSW<ann::InnerProduct>>(20),
                               index_seed<ann::HNSW<ann::L2, std::dynamic_extent, ann::Int8>>(20),
                               index_seed<ann::HNSW<ann::L2, std::dynamic_extent, ann::F16>>(20)};
        },
    .is_container = true,
});

}  // namespace
}  // namespace funnel::fuzz::hnsw_target
