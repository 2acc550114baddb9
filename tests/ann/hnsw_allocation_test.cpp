// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "ann/sample_vectors.hpp"

#include <funnel/ann/flat.hpp>
#include <funnel/ann/hnsw.hpp>
#include <funnel/core/matrix.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <type_traits>

namespace {

std::size_t allocations = 0;

}  // namespace

// Every allocation of this program is counted. The forms with an alignment stay the library's: no search uses them. Not
// inlined, or g++ takes malloc and delete, or new and free, for a mismatch.
[[gnu::noinline]] void* operator new(std::size_t size) {
    ++allocations;
    if (void* memory = std::malloc(size == 0 ? 1 : size)) {
        return memory;
    }
    std::abort();
}
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    return operator new(size);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
    std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}

[[gnu::noinline]] void operator delete(void* memory, const std::nothrow_t&) noexcept {
    std::free(memory);
}

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
    const std::size_t before = allocations;
    search_all();
    CHECK(allocations > before);  // the first searches make the scratch
    const std::size_t warm = allocations;
    search_all();
    const std::size_t after = allocations;
    CHECK(after == warm);
}
