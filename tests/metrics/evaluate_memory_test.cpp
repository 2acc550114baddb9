// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/metrics/evaluate.hpp>

#include <funnel/core/scored.hpp>
#include <funnel/data/interactions.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <vector>

using funnel::Scored;
using funnel::data::Interaction;
using funnel::data::Interactions;
using funnel::metrics::evaluate;

namespace {

std::atomic<std::size_t> bytes_asked_for{0};

}  // namespace

// Out of line, or g++ takes malloc and delete for a mismatched pair.
[[gnu::noinline]] void* operator new(std::size_t size) {
    bytes_asked_for += size;
    if (void* memory = std::malloc(size)) {
        return memory;
    }
    throw std::bad_alloc();
}

[[gnu::noinline]] void operator delete(void* memory) noexcept {
    std::free(memory);
}

[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}

TEST_CASE("evaluate: takes memory for users plus items, never for users times items") {
    struct Options {
        std::size_t k = 10;
    };
    struct Model {
        std::vector<Scored<>> recommend(std::uint32_t, const Options&) const { return {}; }
    };
    constexpr std::uint32_t n = 20'000;  // users and items: a byte for each pair would be 400 MB
    std::vector<Interaction> rows;
    for (std::uint32_t i = 0; i < n; ++i) {
        rows.push_back({i, i});
    }
    const Interactions test = Interactions::from_ids(rows, n, n);
    const Interactions train({}, test.user_keys(), test.item_keys());

    const std::size_t before = bytes_asked_for;
    CHECK(evaluate(Model{}, train, test, {.cutoffs = {5, 10}}).users() == n);
    // A user: 8 values at each of two cut-offs, and some ids and offsets; an item: some counts at each cut-off.
    CHECK(bytes_asked_for - before < n * std::size_t{600});
}
