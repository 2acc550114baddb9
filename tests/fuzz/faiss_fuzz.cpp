// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/fuzz.hpp"
#include "fuzz/index_target.hpp"
#include "io/foreign_index.hpp"

#include <funnel/ann/import_ivfpq.hpp>
#include <funnel/io/faiss.hpp>

namespace funnel::fuzz::faiss_target {
namespace {

// Uses what was read, as an index that was loaded.
template <class Index>
void import_and_search(const Input& input) {
    attempt([&] {
        auto [index, labels] = ann::import_faiss_ivfpq<Index>(input.path);
        check(labels.size() == index.size(), "each vector has a label");
        search_and_change(index);
    });
}

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
            import_and_search<ann::IVFPQIndex<6, 3, ann::L2, 4>>(input);
            import_and_search<ann::IVFPQIndex<6, 3, ann::InnerProduct>>(input);
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
            for (const char* name :
                 {"flat_l2", "ivf_flat_ip", "ivf_pq4_l2", "opq_ivf_pq4_whole_l2", "ivf_pq8_ip", "hnsw_l2"}) {
                files.push_back(contents_of(testing::foreign_index("faiss_" + std::string(name) + ".bin")));
            }
            return files;
        },
    .words = {"ilar", "sprs", "full", "IxF2", "IxFI", "IwFl", "IwPQ", "IHNf", "IxPT", "LTra", "rrot",
              "\xff\xff\xff\xff"},
});

}  // namespace
}  // namespace funnel::fuzz::faiss_target
