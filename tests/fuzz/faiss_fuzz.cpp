// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/fuzz.hpp"
#include "io/foreign_index.hpp"

#include <funnel/io/faiss.hpp>

namespace funnel::fuzz {
namespace {

const Registered faiss({
    .name = "faiss",
    .run =
        [](const Input& input) {
            attempt([&] { static_cast<void>(io::read_faiss_flat(input.path)); });
            attempt([&] {
                const io::FaissIVF ivf = io::read_faiss_ivf(input.path);
                for (const io::FaissList& list : ivf.lists) {
                    check(list.codes.size() == list.ids.size() * ivf.code_bytes, "each id has a code");
                }
            });
            attempt([&] {
                const io::FaissHNSW hnsw = io::read_faiss_hnsw(input.path);
                for (const std::uint32_t link : hnsw.graph.links) {
                    check(link < hnsw.graph.size(), "links are ids");
                }
            });
        },
    .seeds =
        [] {
            std::vector<std::string> files;
            for (const char* name : {"flat_l2", "ivf_flat_ip", "ivf_pq4_l2", "hnsw_l2"}) {
                files.push_back(contents_of(testing::foreign_index("faiss_" + std::string(name) + ".bin")));
            }
            return files;
        },
    .words = {"ilar", "sprs", "full", "IxF2", "IxFI", "IwFl", "IwPQ", "IHNf", "\xff\xff\xff\xff"},
});

}  // namespace
}  // namespace funnel::fuzz
