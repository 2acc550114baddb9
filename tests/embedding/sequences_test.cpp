// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/embedding/sequences.hpp>

#include "cf/random_log.hpp"

#include <funnel/core/error.hpp>
#include <funnel/data/interactions.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

using funnel::InvalidArgument;
using funnel::data::Interaction;
using funnel::data::Interactions;
using funnel::embedding::Sequences;
using funnel::testing::UncheckedLog;

namespace {

using Ids = std::vector<std::uint32_t>;

Ids of(const Sequences& sequences, std::size_t user) {
    return {sequences.of(user).begin(), sequences.of(user).end()};
}

}  // namespace

TEST_CASE("Sequences: the items of each user by time, then by id, without dislikes") {
    const std::vector<Interaction> rows{{2, 0, 1.0F, 5.0}, {0, 3, 1.0F, 2.0}, {0, 1, 1.0F, 2.0},
                                        {0, 2, 1.0F, 1.0}, {2, 3, 0.0F, 1.0}, {2, 1, 1.0F, 4.0}};
    const Sequences sequences(Interactions::from_ids(rows, 4, 4));
    CHECK(sequences.users() == 4);
    CHECK(of(sequences, 0) == Ids{2, 1, 3});
    CHECK(of(sequences, 1).empty());
    CHECK(of(sequences, 2) == Ids{1, 0});
    CHECK(of(sequences, 3).empty());
    CHECK(sequences.items().size() == 5);
    CHECK(sequences.starts().size() == 5);
}

TEST_CASE("Sequences: rejects a log of another program with unknown ids, and writes nowhere") {
    CHECK_THROWS_WITH_AS(Sequences(UncheckedLog{{{0, 0}, {2, 0}}, 2, 3}),
                         "Sequences: every user in the log must be below 2, got 2", InvalidArgument);
    CHECK_THROWS_WITH_AS(Sequences(UncheckedLog{{{1, 3}}, 2, 3}),
                         "Sequences: every item in the log must be below 3, got 3", InvalidArgument);
}

TEST_CASE("Sequences: rejects times that are not finite, but not those of dislikes, which it does not read") {
    const double infinity = std::numeric_limits<double>::infinity();
    const double not_a_number = std::numeric_limits<double>::quiet_NaN();
    CHECK_THROWS_WITH_AS(Sequences(UncheckedLog{{{0, 0}, {0, 1, 1.0F, infinity}}, 1, 2}),
                         "Sequences: the time of row 1 must be finite, got inf", InvalidArgument);
    CHECK_THROWS_AS(Sequences(UncheckedLog{{{0, 0, 1.0F, not_a_number}, {0, 1}}, 1, 2}), InvalidArgument);
    CHECK(of(Sequences(UncheckedLog{{{0, 0, -1.0F, not_a_number}, {0, 1}}, 1, 2}), 0) == Ids{1});
}
