// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/pipeline/candidates.hpp>

#include "support/allocations.hpp"
#include "support/dies.hpp"
#include "support/ids_of.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

using funnel::InvalidArgument;
using funnel::pipeline::Candidate;
using funnel::pipeline::Candidates;
using funnel::pipeline::Found;
using funnel::testing::Ids;
using funnel::testing::ids_of;

namespace {

using Scores = std::vector<float>;
using Positions = std::vector<std::size_t>;

// Items 10, 20, 30; the two sources found {10, 20} and {20, 30}.
Candidates three_items() {
    Candidates candidates(2);
    candidates.append(10, 3.0F);
    candidates.append(20, 2.0F);
    candidates.append(30, 1.0F);
    candidates.found_at(0, 0, 0.5F, 0);
    candidates.found_at(1, 0, 0.25F, 1);
    candidates.found_at(1, 1, 8.0F, 0);
    candidates.found_at(2, 1, 7.0F, 3);
    return candidates;
}

// All that a caller can see.
auto state_of(const Candidates& candidates) {
    std::vector<std::vector<float>> features;
    const auto matrix = candidates.source_features();
    for (std::size_t i = 0; i < matrix.rows(); ++i) {
        features.emplace_back(matrix.row(i).begin(), matrix.row(i).end());
    }
    std::vector<Candidate> items;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
        items.push_back(candidates[i]);
    }
    return std::tuple(candidates.sources(), candidates.ids().size(), candidates.scores().size(), items, features);
}

}  // namespace

TEST_CASE("Candidates: an item remembers its sources and what each said") {
    const Candidates candidates = three_items();
    CHECK(candidates.size() == 3);
    CHECK(candidates.sources() == 2);
    CHECK(candidates[1] == Candidate{20, 2.0F, 0b11});
    CHECK(candidates[2].is_from(1));
    CHECK_FALSE(candidates[2].is_from(0));
    CHECK_FALSE(candidates[2].is_from(32 + 1));  // no such source, whatever a shift by 33 does
    CHECK(candidates.found(1, 0) == Found{0.25F, 1});
    CHECK(candidates.found(2, 1) == Found{7.0F, 3});
    CHECK_FALSE(candidates.found(2, 0).has_value());
}

TEST_CASE("Candidates: source_features are score and reciprocal rank, zeros where a source has nothing") {
    const auto features = three_items().source_features();
    CHECK(features.rows() == 3);
    CHECK(features.cols() == 4);
    const std::vector<Scores> expected{{0.5F, 1.0F, 0.0F, 0.0F}, {0.25F, 0.5F, 8.0F, 1.0F}, {0.0F, 0.0F, 7.0F, 0.25F}};
    for (std::size_t i = 0; i < 3; ++i) {
        CHECK(Scores(features.row(i).begin(), features.row(i).end()) == expected[i]);
    }
}

TEST_CASE("Candidates: rescore sorts by score down, then id up, and keeps what sources said") {
    Candidates candidates = three_items();
    candidates.rescore(Scores{1.0F, 5.0F, 5.0F}, "rank");
    CHECK(ids_of(candidates) == Ids{20, 30, 10});
    CHECK(candidates[0] == Candidate{20, 5.0F, 0b11});
    CHECK(candidates.found(0, 1) == Found{8.0F, 0});
    CHECK(candidates.found(1, 1) == Found{7.0F, 3});
    CHECK(candidates.found(2, 0) == Found{0.5F, 0});
}

TEST_CASE("Candidates: arrange and truncate keep what they are told to, with all that belongs to it") {
    Candidates candidates = three_items();
    candidates.arrange(Positions{2, 0}, "rule");
    CHECK(ids_of(candidates) == Ids{30, 10});
    CHECK(candidates.found(0, 1) == Found{7.0F, 3});
    CHECK(candidates[1].score == 3.0F);

    candidates.truncate(5);
    CHECK(candidates.size() == 2);
    candidates.truncate(1);
    CHECK(ids_of(candidates) == Ids{30});
    CHECK(candidates.source_features().rows() == 1);
    candidates.append(40, 0.0F);  // in the room that became free
    CHECK(candidates.found(0, 1) == Found{7.0F, 3});
    CHECK_FALSE(candidates.found(1, 1).has_value());
}

TEST_CASE("Candidates: edges") {
    Candidates nothing;
    CHECK(nothing.empty());
    nothing.rescore({}, "rank");
    nothing.arrange({}, "rule");
    nothing.truncate(0);
    CHECK(nothing.source_features().rows() == 0);

    Candidates crowd(32);
    crowd.append(1, 0.0F);
    crowd.found_at(0, 31, 1.0F, 0);
    CHECK(crowd[0].is_from(31));
    CHECK_FALSE(crowd[0].is_from(0));
}

TEST_CASE("Candidates: rejects answers of a stage that do not fit, by the name of the stage") {
    Candidates candidates = three_items();
    const float nan = std::numeric_limits<float>::quiet_NaN();
    CHECK_THROWS_WITH_AS(candidates.rescore(Scores{1, 2}, "forest"),
                         "forest: must return one score per candidate, 3, got 2", InvalidArgument);
    CHECK_THROWS_WITH_AS(candidates.rescore(Scores{1, nan, 2}, "forest"), "forest: the score of item 20 is NaN",
                         InvalidArgument);
    CHECK_THROWS_WITH_AS(candidates.arrange(Positions{3}, "mmr"),
                         "mmr: must return positions below 3, each at most once; 3 is not one", InvalidArgument);
    CHECK_THROWS_AS(candidates.arrange(Positions{0, 1, 0}, "mmr"), InvalidArgument);
    CHECK(ids_of(candidates) == Ids{10, 20, 30});  // as before
    CHECK(candidates[0].score == 3.0F);

    CHECK_THROWS_AS((void)candidates.found(3, 0), InvalidArgument);
    CHECK_THROWS_AS((void)candidates.found(0, 2), InvalidArgument);
    CHECK_THROWS_AS(Candidates(33), InvalidArgument);
}

TEST_CASE("Candidates: rejects NaN and places that do not exist, whoever adds an item") {
    Candidates candidates = three_items();
    const auto before = state_of(candidates);
    const float nan = std::numeric_limits<float>::quiet_NaN();
    CHECK_THROWS_WITH_AS(candidates.append(40, nan), "Candidates: the score of item 40 is NaN", InvalidArgument);
    CHECK_THROWS_AS(candidates.found_at(0, 0, nan, 0), InvalidArgument);
    CHECK_THROWS_WITH_AS(candidates.found_at(3, 0, 1.0F, 0),
                         "Candidates: found_at needs a position below 3 and a source below 2, got 3 and 0",
                         InvalidArgument);
    constexpr std::size_t endless = std::numeric_limits<std::size_t>::max();
    CHECK_THROWS_AS(candidates.found_at(endless, 0, 1.0F, 0), InvalidArgument);
    CHECK_THROWS_AS(candidates.found_at(0, 2, 1.0F, 0), InvalidArgument);
    CHECK_THROWS_AS(candidates.found_at(0, 32, 1.0F, 0), InvalidArgument);
    CHECK_THROWS_AS((void)candidates.found(endless, endless), InvalidArgument);
    CHECK_THROWS_WITH_AS((void)Candidates(endless), "Candidates: at most 32 sources, got 18446744073709551615",
                         InvalidArgument);
    CHECK(state_of(candidates) == before);
    candidates.truncate(endless);
    CHECK(state_of(candidates) == before);
    candidates.found_at(0, 1, 1.0F, endless);  // a rank that does not fit is the last that does
    CHECK(candidates.found(0, 1) == Found{1.0F, 4294967295U});
}

TEST_CASE("Candidates: infinite scores sort first and last") {
    Candidates candidates = three_items();
    const float infinity = std::numeric_limits<float>::infinity();
    candidates.rescore(Scores{-infinity, 0.0F, infinity}, "rank");
    CHECK(ids_of(candidates) == Ids{30, 20, 10});
}

TEST_CASE("Candidates: a call that runs out of memory leaves the list as it was") {
    using funnel::testing::check_strong_guarantee;
    const auto four_items = [] {  // no room left in the lists
        Candidates list = three_items();
        list.append(40, 0.5F);
        return list;
    };
    CHECK(check_strong_guarantee(four_items, [](Candidates& list) { list.append(50, 0.25F); }, state_of) == 4);
    CHECK(check_strong_guarantee([] { return Candidates(3); }, [](Candidates& list) { list.append(1, 1.0F); },
                                 state_of) == 4);
    const Scores scores{1.0F, 5.0F, 5.0F};
    CHECK(check_strong_guarantee(three_items, [&](Candidates& list) { list.rescore(scores, "rank"); }, state_of) > 0);
    const Positions order{2, 0};
    CHECK(check_strong_guarantee(three_items, [&](Candidates& list) { list.arrange(order, "rule"); }, state_of) > 0);
    check_strong_guarantee(three_items, [](Candidates& list) { list.truncate(1); }, state_of);
    check_strong_guarantee(three_items, [](Candidates& list) { list.found_at(0, 1, 4.0F, 4); }, state_of);
}

TEST_CASE("Candidates: appending one by one makes room for many at once") {
    Candidates candidates(2);
    const std::size_t allocations = funnel::testing::allocations_of([&] {
        for (std::uint32_t id = 0; id < 1000; ++id) {
            candidates.append(id, 0.0F);
        }
    });
    CHECK(allocations <= 4 * 11);  // 1, 2, 4, ..., 1024 items in four lists
}

TEST_CASE("Candidates: rescore with the scores of the list itself") {
    Candidates candidates = three_items();
    candidates.arrange(Positions{2, 0, 1}, "rule");
    candidates.rescore(candidates.scores(), "rank");
    CHECK(ids_of(candidates) == Ids{10, 20, 30});
    CHECK(candidates[2] == Candidate{30, 1.0F, 0b10});
}

TEST_CASE("Candidates: a list that was moved from is empty, and can be used again") {
    Candidates candidates = three_items();
    const Candidates taken = std::move(candidates);
    CHECK(taken.size() == 3);
    // NOLINTBEGIN(bugprone-use-after-move): what is left is what is tested
    CHECK(candidates.size() == 0);
    CHECK(candidates.ids().empty());
    CHECK(candidates.source_features().rows() == 0);
    CHECK_THROWS_AS((void)candidates.found(0, 0), InvalidArgument);
    candidates.truncate(0);
    candidates.rescore({}, "rank");
    candidates.append(1, 1.0F);
    CHECK(ids_of(candidates) == Ids{1});
    candidates = taken;
    CHECK(state_of(candidates) == state_of(taken));
    // NOLINTEND(bugprone-use-after-move)
}

#if FUNNEL_CHECKS
TEST_CASE("Candidates: with checks on, a position past the last item is found") {
    const Candidates list = three_items();
    CHECK(funnel::testing::dies([&] { (void)list[3]; }, "i < size()"));
    CHECK(funnel::testing::dies([] { (void)Candidates()[0]; }, "pipeline/candidates.hpp:"));
}
#endif
