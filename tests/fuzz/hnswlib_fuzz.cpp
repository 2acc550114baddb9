// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/fuzz.hpp"
#include "io/foreign_index.hpp"

#include <funnel/io/hnswlib.hpp>

#include <algorithm>

namespace funnel::fuzz::hnswlib_target {
namespace {

bool has_distinct_labels(const io::GraphFile& graph) {
    auto labels = graph.labels;
    std::sort(labels.begin(), labels.end());
    return std::adjacent_find(labels.begin(), labels.end()) == labels.end();
}

const Registered hnswlib({
    .name = "hnswlib",
    .run =
        [](const Input& input) {
            attempt([&] {
                const io::GraphFile graph = io::read_hnswlib(input.path);
                if (has_distinct_labels(graph)) {
                    check_round_trip(graph, io::read_hnswlib, io::write_hnswlib);
                }
            });
        },
    .seeds = [] { return std::vector{contents_of(testing::foreign_index("hnswlib_l2.bin"))}; },
    .words = {std::string("\0\0\1\0", 4), "\xff\xff\xff\xff"},
});

}  // namespace
}  // namespace funnel::fuzz::hnswlib_target
