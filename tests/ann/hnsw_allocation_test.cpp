// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "ann/sample_vectors.hpp"
#include "support/allocations.hpp"

#include <funnel/ann/flat.hpp>
#include <funnel/ann/hnsw.hpp>
#include <funnel/core/matrix.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

TEST_CASE("search: the form for hot paths allocates nothing once its scratch is warm") {
    const auto vectors = funnel::testing::tastes(2000, 8, 1);
    auto hnsw = funnel::ann::HNSW<funnel::ann::Cosine>::build(vectors, {.M = 8, .ef_construction = 40});
    const auto flat = funnel::ann::Flat<funnel::ann::Cosine>::build(vectors);
    decltype(hnsw)::Scratch hnsw_scratch;
    std::remove_const_t<decltype(flat)>::Scratch flat_scratch;
    std::array<funnel::Scored<>, 10> out{};
    const auto half = [](std::uint32_t id) { return id % 2 == 0; };
    const auto few = [](std::uint32_t id) { return id % 97 == 0; };
    const auto search_all = [&] {
        for (std::size_t i = 0; i < 50; ++i) {
            hnsw.search(vectors.row(i), {.k = 10, .ef = 64}, hnsw_scratch, out);
            hnsw.search(vectors.row(i), {.k = 10, .ef = 16}, half, hnsw_scratch, out);
            hnsw.search(vectors.row(i), {.k = 10, .ef = 16}, few, hnsw_scratch, out);
            flat.search(vectors.row(i), {.k = 10}, flat_scratch, out);
            flat.search(vectors.row(i), {.k = 10}, few, flat_scratch, out);
        }
    };
    CHECK(funnel::testing::allocations_of(search_all) > 0);  // the first searches make the scratch
    CHECK(funnel::testing::allocations_of(search_all) == 0);
}
