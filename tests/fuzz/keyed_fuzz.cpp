// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/fuzz.hpp"

#include <funnel/ann/flat.hpp>
#include <funnel/ann/keyed.hpp>
#include <funnel/core/matrix.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

namespace funnel::fuzz::keyed_target {
namespace {

template <class Key>
using Index = ann::Keyed<ann::Flat<ann::L2>, Key>;

template <class Key>
Key key_of(std::size_t i) {
    if constexpr (std::is_same_v<Key, std::string>) {
        return "key " + std::to_string(i);
    } else {
        return static_cast<Key>(i * 7);
    }
}

template <class Key>
void load_and_change(const Input& input) {
    load_and_use<Index<Key>>(input, [](Index<Key>& index) {
        if (index.size() == 0) {
            return;  // such a file may state any dimension
        }
        const std::vector<float> query(index.dimension(), 1.0F);
        const auto hits = index.search(query, {.k = 3});
        for (const auto& hit : hits) {
            check(index.contains(hit.key), "a key that was found is in the index");
            index.replace(hit.key, query);
            check(index.vector(hit.key)[0] == 1.0F, "a key has its last vector");
        }
        const std::size_t size = index.size();
        for (const auto& hit : hits) {
            index.remove(hit.key);
            check(!index.contains(hit.key), "a key that was removed is not in the index");
        }
        check(index.size() + hits.size() == size, "the keys that were found differ");
    });
}

template <class Key>
std::string seed(std::size_t rows) {
    Matrix<float> vectors(rows, 2);
    std::vector<Key> keys;
    for (std::size_t i = 0; i < rows; ++i) {
        vectors(i, 0) = static_cast<float>(i % 5) + 1.0F;
        keys.push_back(key_of<Key>(i));
    }
    auto index = Index<Key>::build(keys, vectors);
    index.remove(keys[1]);
    index.replace(keys[2], vectors.row(0));
    return saved([&](const std::string& path) { index.save(path); });
}

const Registered keyed({
    .name = "keyed",
    .run =
        [](const Input& input) {
            load_and_change<std::string>(input);
            load_and_change<std::int32_t>(input);
        },
    .seeds = [] { return std::vector{seed<std::string>(6), seed<std::int32_t>(9)}; },
    .is_container = true,
});

}  // namespace
}  // namespace funnel::fuzz::keyed_target
