// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/ann/hnsw_query.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

using funnel::ann::detail::HNSWGraph;
using funnel::ann::detail::largest_pool;
using funnel::ann::detail::passing_share;
using funnel::ann::detail::prefers_scan;

TEST_CASE("passing_share: asks for ids below n, and is near the share") {
    for (const std::size_t n : {1U, 2U, 127U, 128U, 1000U, 1'000'000U}) {
        CAPTURE(n);
        const auto share_of = [&](std::uint32_t divisor) {
            return passing_share(n, [&](std::uint32_t id) {
                REQUIRE(id < n);
                return id % divisor == 0;
            });
        };
        CHECK(share_of(1) == 1.0);
        if (n > 100) {
            CHECK(share_of(2) == doctest::Approx(0.5).epsilon(0.15));
            CHECK(share_of(10) == doctest::Approx(0.1).epsilon(0.4));
        }
    }
}

// What a scratch is made for: no share that leads to a walk needs more.
TEST_CASE("largest_pool: no walk that is preferred to a scan keeps more nodes") {
    for (const std::size_t M : {2U, 16U, 100U}) {
        for (const std::size_t n : {1U, 2U, 50U, 3000U}) {
            const HNSWGraph graph(M, std::vector<std::uint8_t>(n));
            for (const std::size_t ef : {std::size_t{1}, std::size_t{10}, n}) {
                const std::size_t largest = largest_pool(graph, ef);
                CHECK(largest <= n);
                for (std::size_t passed = 0; passed <= 128; ++passed) {
                    const double share = static_cast<double>(passed) / 128.0;
                    const double pool = static_cast<double>(ef < n ? ef : n) / (share > 1e-9 ? share : 1e-9);
                    const std::size_t needed = static_cast<std::size_t>(pool) + 1;
                    CHECK((prefers_scan(graph, share, pool) || needed <= largest || largest == n));
                }
            }
            CHECK(largest_pool(graph, std::numeric_limits<std::size_t>::max()) == n);
        }
    }
}
