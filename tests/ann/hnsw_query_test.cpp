// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/ann/hnsw_query.hpp>

#include "ann/sample_vectors.hpp"

#include <funnel/ann/hnsw.hpp>
#include <funnel/core/matrix.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

using funnel::ann::detail::HNSWGraph;
using funnel::ann::detail::largest_pool;
using funnel::ann::detail::probe_pool;
using funnel::ann::detail::walk_cost;
using funnel::ann::detail::wanted_pool;

// What a scratch is made for: no share that leads to a walk needs more.
TEST_CASE("largest_pool: no walk that is preferred to a scan keeps more nodes") {
    for (const std::size_t M : {2U, 16U, 100U}) {
        for (const std::size_t n : {1U, 2U, 50U, 3000U}) {
            const HNSWGraph graph(M, std::vector<std::uint8_t>(n));
            const double dearest = 1.125 * static_cast<double>(n);  // a scan that asks about all, and scores all
            for (std::size_t ef = 1; ef <= n; ef += 1 + n / 100) {
                const std::size_t largest = largest_pool(graph, ef);
                CHECK(largest <= n);
                for (std::size_t passed = 0; passed <= 128; ++passed) {
                    const double pool = wanted_pool(ef, static_cast<double>(passed) / 128.0);
                    const std::size_t needed = static_cast<std::size_t>(pool) + 1;
                    REQUIRE((dearest < walk_cost(graph, pool) || needed <= largest || largest == n));
                }
            }
            CHECK(probe_pool(graph, dearest) <= largest_pool(graph, 1));
            CHECK(largest_pool(graph, std::numeric_limits<std::size_t>::max()) == n);
        }
    }
}

// With ef = k, about every second walk ends with fewer than k hits that pass; many of them miss just one.
TEST_CASE("HNSW: a filtered walk that misses one hit finds it all the same") {
    const funnel::Matrix<float> rows = funnel::testing::tastes(2000, 8, 1);
    const auto index = funnel::ann::HNSW<funnel::ann::L2>::build(rows, {.M = 4, .ef_construction = 20});
    const auto is_even = [](std::uint32_t id) { return id % 2 == 0; };
    for (std::size_t i = 0; i < 300; ++i) {
        CHECK(index.search(rows.row(i), {.k = 10, .ef = 10}, is_even).size() == 10);
    }
}
