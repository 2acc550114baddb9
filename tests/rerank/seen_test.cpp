// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/rerank/seen.hpp>

#include <funnel/core/rng.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

using funnel::InvalidArgument;
using funnel::Random;
using funnel::rerank::remove_seen;

namespace {

using Ids = std::vector<std::uint32_t>;
using Positions = std::vector<std::size_t>;

}  // namespace

TEST_CASE("remove_seen: worked by hand") {
    CHECK(remove_seen(Ids{7, 3, 9, 5}, Ids{3, 5, 100}) == Positions{0, 2});
    // 7 was shown three times, 3 twice, 9 once: with at most two showings, only 7 goes.
    CHECK(remove_seen(Ids{7, 3, 9, 5}, Ids{7, 3, 7, 9, 3, 7}, {.times = 3}) == Positions{1, 2, 3});
    CHECK(remove_seen(Ids{7, 3, 9, 5}, Ids{7, 3, 7, 9, 3, 7}, {.times = 2}) == Positions{2, 3});
}

TEST_CASE("remove_seen: agrees with counting on random input") {
    Random random(3);
    for (int round = 0; round < 50; ++round) {
        Ids items(random.below(30));
        Ids history(random.below(60));
        for (auto* ids : {&items, &history}) {
            std::generate(ids->begin(), ids->end(), [&] { return static_cast<std::uint32_t>(random.below(20)); });
        }
        const std::size_t times = 1 + random.below(4);
        Positions expected;
        for (std::size_t i = 0; i < items.size(); ++i) {
            if (static_cast<std::size_t>(std::count(history.begin(), history.end(), items[i])) < times) {
                expected.push_back(i);
            }
        }
        CHECK(remove_seen(items, history, {.times = times}) == expected);
    }
}

TEST_CASE("remove_seen: edges of the input") {
    CHECK(remove_seen(Ids{}, Ids{}).empty());
    CHECK(remove_seen(Ids{}, Ids{1}).empty());
    CHECK(remove_seen(Ids{2, 2}, Ids{}) == Positions{0, 1});
    CHECK(remove_seen(Ids{2, 2}, Ids{2}).empty());
    CHECK(remove_seen(Ids{2}, Ids{2, 2}, {.times = std::numeric_limits<std::size_t>::max()}) == Positions{0});
    CHECK(remove_seen<std::int64_t>(std::vector<std::int64_t>{-1, 5}, std::vector<std::int64_t>{5}) == Positions{0});
}

TEST_CASE("remove_seen: rejects a limit that nothing could meet") {
    CHECK_THROWS_AS((void)remove_seen(Ids{1}, Ids{1}, {.times = 0}), InvalidArgument);
}
