// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/core/top_k.hpp>

#include <funnel/core/rng.hpp>

#include "support/dies.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

using funnel::Random;
using funnel::ranks_before;
using funnel::Scored;
using funnel::top_k;
using funnel::TopK;

namespace {

using Hits = std::vector<Scored<>>;
constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

}  // namespace

TEST_CASE("top_k: worked by hand, ties go to the smaller position") {
    const std::vector<float> scores{0.2F, 0.9F, 0.9F, 0.1F, 0.5F};
    CHECK(top_k(scores, 3) == Hits{{1, 0.9F}, {2, 0.9F}, {4, 0.5F}});
    CHECK(top_k(scores, 1) == Hits{{1, 0.9F}});
}

TEST_CASE("top_k: agrees with sorting everything, whatever the number of ties") {
    for (std::uint64_t trial = 0; trial < 300; ++trial) {
        Random random(21, trial);
        const std::size_t n = random.below(200);
        const std::uint64_t different = 1 + random.below(30);
        std::vector<float> scores(n);
        for (float& score : scores) {
            score = static_cast<float>(random.below(different)) - 5.0F;
        }
        Hits sorted;
        for (std::uint32_t i = 0; i < n; ++i) {
            sorted.push_back({i, scores[i]});
        }
        std::sort(sorted.begin(), sorted.end(),
                  [](auto a, auto b) { return a.score > b.score || (a.score == b.score && a.id < b.id); });
        for (const std::size_t k : {std::size_t{0}, std::size_t{1}, std::size_t{5}, n, n + 3}) {
            Hits expected = sorted;
            expected.resize(std::min(k, n));
            CHECK(top_k(scores, k) == expected);
        }
    }
}

TEST_CASE("TopK: the order of arrival does not matter, also among ties") {
    Random random(22);
    Hits candidates;
    for (std::uint32_t id = 0; id < 200; ++id) {
        candidates.push_back({id, static_cast<float>(random.below(10))});
    }
    Hits expected = candidates;
    std::sort(expected.begin(), expected.end(), ranks_before);
    expected.resize(25);

    for (int trial = 0; trial < 50; ++trial) {
        random.shuffle(std::span(candidates));
        Hits storage(25);
        TopK<> best{std::span(storage)};
        for (const auto& [id, score] : candidates) {
            best.push(id, score);
        }
        const auto found = best.finish();
        CHECK(Hits(found.begin(), found.end()) == expected);
    }
}

TEST_CASE("TopK: the threshold is what a newcomer must reach") {
    Hits storage(2);
    TopK<> best{std::span(storage)};
    CHECK(best.threshold() == -infinity);
    best.push(1, 3.0F);
    CHECK(best.threshold() == -infinity);
    best.push(2, 5.0F);
    CHECK(best.is_full());
    CHECK(best.threshold() == 3.0F);
    best.push(3, 4.0F);
    CHECK(best.threshold() == 4.0F);
    best.push(0, 4.0F);  // a tie that a smaller id wins
    CHECK(best.finish()[1] == Scored<>{0, 4.0F});
}

TEST_CASE("TopK: room for nobody lets nobody in") {
    TopK<> none{std::span<Scored<>>{}};
    CHECK(none.threshold() == infinity);
    none.push(1, infinity);
    CHECK(none.finish().empty());
}

TEST_CASE("top_k: a NaN is never taken, infinities are") {
    const std::vector<float> scores{not_a_number, 1.0F, -infinity, not_a_number, infinity};
    CHECK(top_k(scores, 5) == Hits{{4, infinity}, {1, 1.0F}, {2, -infinity}});
    CHECK(top_k(scores, 1) == Hits{{4, infinity}});
    CHECK(top_k(std::vector<float>(3, not_a_number), 2).empty());
    CHECK(top_k(std::vector<float>(100, not_a_number), 2).empty());
    std::vector<float> many(100, -infinity);
    many[40] = not_a_number;
    many[70] = 1.0F;
    many[99] = infinity;
    CHECK(top_k(many, 3) == Hits{{99, infinity}, {70, 1.0F}, {0, -infinity}});
}

TEST_CASE("top_k: k = 0, nothing to choose from, and more asked for than there is") {
    CHECK(top_k(std::vector<float>{1.0F}, 0).empty());
    CHECK(top_k(std::vector<float>{}, 3).empty());
    CHECK(top_k(std::vector<float>{1.0F}, std::numeric_limits<std::size_t>::max()) == Hits{{0, 1.0F}});
}

TEST_CASE("TopK: works with any id type") {
    std::vector<Scored<std::int64_t>> storage(2);
    TopK<std::int64_t> best{std::span(storage)};
    best.push(-7, 1.0F);
    best.push(5'000'000'000, 1.0F);
    best.push(3, 0.5F);
    const auto found = best.finish();
    CHECK(found[0].id == -7);
    CHECK(found[1].id == 5'000'000'000);
}

TEST_CASE("top_k: more scores than the type of ids can number are an error, not positions that wrap around") {
    const std::vector<float> scores(256, 1.0F);
    CHECK(top_k<std::uint8_t>(scores, 300).size() == 256);
    CHECK_THROWS_AS((void)top_k<std::uint8_t>(std::vector<float>(257), 1), funnel::InvalidArgument);
    CHECK_THROWS_AS((void)top_k<std::int8_t>(std::vector<float>(129), 1), funnel::InvalidArgument);
    CHECK(top_k<std::int8_t>(std::vector<float>(128), 200).size() == 128);
    CHECK(top_k<std::uint64_t>(scores, 3).size() == 3);
    CHECK(top_k<std::int64_t>(std::vector<float>(), 3).empty());
}

TEST_CASE("TopK: a NaN of either sign is never taken, whether there is room or not") {
    for (const float bad : {not_a_number, -not_a_number}) {
        for (const std::size_t room : {0U, 1U, 2U, 5U}) {
            Hits storage(room);
            TopK<> best{std::span(storage)};
            best.push(0, bad);
            best.push(1, -infinity);
            best.push(2, bad);
            best.push(3, 1.0F);
            best.push(4, bad);
            const auto found = best.finish();
            CHECK(Hits(found.begin(), found.end()) == top_k(std::vector{bad, -infinity, bad, 1.0F, bad}, room));
            CHECK(found.size() == std::min<std::size_t>(room, 2));
            if (room > 0) {
                CHECK(found[0] == Scored<>{3, 1.0F});
            }
        }
    }
}

TEST_CASE("TopK: finish called again gives the same list, ties and doubled ids included") {
    const std::vector<Hits> inputs{{},
                                   {{1, 1.0F}},
                                   {{1, 1.0F}, {2, 2.0F}, {3, 3.0F}},
                                   {{5, 1.0F}, {4, 1.0F}, {3, 1.0F}, {2, 1.0F}},
                                   {{7, 2.0F}, {7, 2.0F}, {1, 1.0F}},
                                   {{7, 2.0F}, {7, 2.0F}, {7, 2.0F}}};
    for (const Hits& input : inputs) {
        for (const std::size_t k : {0U, 1U, 2U, 3U, 9U}) {
            CAPTURE(k);
            Hits storage(k);
            TopK<> best{std::span(storage)};
            for (const Scored<>& hit : input) {
                best.push(hit.id, hit.score);
            }
            const auto first = best.finish();
            const Hits list(first.begin(), first.end());
            CHECK(std::is_sorted(list.begin(), list.end(), ranks_before));
            const auto second = best.finish();
            CHECK(Hits(second.begin(), second.end()) == list);
        }
    }
}

#if FUNNEL_CHECKS
TEST_CASE("FUNNEL_CHECKS: TopK::push after finish, and positions that wrap around, are found out") {
    using funnel::testing::dies;
    CHECK(dies(
        [] {
            Hits storage(3);
            TopK<> best{std::span(storage)};
            best.push(1, 1.0F);
            best.push(2, 2.0F);
            (void)best.finish();
            best.push(3, 3.0F);
        },
        "core/top_k.hpp:"));
    CHECK(dies(
        [] {
            Hits storage(3);
            TopK<> best{std::span(storage)};
            best.push(7, 2.0F);
            best.push(7, 2.0F);
            best.push(1, 1.0F);
            (void)best.finish();
            best.push(3, 3.0F);
        },
        "!is_finished()"));
    const std::vector<float> scores(257);
    std::vector<Scored<std::uint8_t>> out(3);
    CHECK(dies([&] { (void)top_k<std::uint8_t>(scores, std::span(out)); }, "holds_positions"));
    CHECK(dies(
        [] {
            Hits list;
            funnel::detail::keep_first(list, 1);
        },
        "count <= list.size()"));
}
#endif
