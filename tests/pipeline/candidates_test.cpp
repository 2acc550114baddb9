// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/pipeline/candidates.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

using funnel::InvalidArgument;
using funnel::pipeline::Candidate;
using funnel::pipeline::Candidates;
using funnel::pipeline::Found;

namespace {

using Ids = std::vector<std::uint32_t>;
using Scores = std::vector<float>;
using Positions = std::vector<std::size_t>;

Ids ids_of(const Candidates& candidates) {
    return {candidates.ids().begin(), candidates.ids().end()};
}

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
