// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/index_target.hpp"

#include <funnel/ann/flat.hpp>
#include <funnel/ann/hnsw.hpp>
#include <funnel/ann/sharded.hpp>
#include <funnel/core/matrix.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace funnel::fuzz::sharded_target {
namespace {

using Flats = ann::Sharded<ann::Flat<ann::L2>>;
using Graphs = ann::Sharded<ann::HNSW<ann::L2>>;

template <class Index>
std::string sharded_seed(std::size_t rows, std::size_t shards) {
    Matrix<float> vectors(rows, 2);
    for (std::size_t i = 0; i < rows; ++i) {
        vectors(i, 0) = static_cast<float>(i % 5) + 1.0F;
        vectors(i, 1) = static_cast<float>(i % 3);
    }
    auto index = Index::build(vectors, shards);
    index.remove(1);
    return saved([&](const std::string& path) { index.save(path); });
}

const Registered sharded({
    .name = "sharded",
    .run =
        [](const Input& input) {
            load_and_search<Flats>(input);
            load_and_search<Graphs>(input);
        },
    .seeds = [] { return std::vector{sharded_seed<Flats>(7, 2), sharded_seed<Graphs>(9, 3)}; },
    .is_container = true,
});

}  // namespace
}  // namespace funnel::fuzz::sharded_target
