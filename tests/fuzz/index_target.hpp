// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "fuzz/fuzz.hpp"

#include <funnel/core/matrix.hpp>

namespace funnel::fuzz {

/// Searches an index, and adds and removes a vector.
template <class Index>
void search_and_change(Index& index) {
    if (index.size() == 0) {
        return;  // such a file may state any dimension
    }
    const std::vector<float> query(index.dimension(), 1.0F);
    constexpr std::size_t most = std::size_t{1} << 32;
    check_list(index.search(query, {.k = 3}), most);
    check_list(index.search(query, {.k = 1000}, [](std::uint32_t id) { return id % 2 == 0; }), most);
    const std::uint32_t added = index.add(query);
    check_list(index.search(query, {.k = 3}), std::size_t{added} + 1);
    check(index.remove(added), "a new vector can be removed");
    check_list(index.search(query, {.k = 1000}), added);
}

/// Uses a loaded index, and one whose file is mapped.
template <class Index>
void load_and_search(const Input& input) {
    load_and_use<Index>(input, [](Index& index) { search_and_change(index); });
    attempt([&] {
        Index mapped = Index::map(input.path);
        try {
            search_and_change(mapped);
        } catch (const InvalidArgument&) {
        }
    });
}

template <class Index>
std::string index_seed(std::size_t rows) {
    Matrix<float> vectors(rows, 2);
    for (std::size_t i = 0; i < rows; ++i) {
        vectors(i, 0) = static_cast<float>(i % 5) + 1.0F;
        vectors(i, 1) = static_cast<float>(i % 3);
    }
    auto index = Index::build(vectors);
    index.remove(1);
    return saved([&](const std::string& path) { index.save(path); });
}

}  // namespace funnel::fuzz
