// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/pipeline/merge.hpp>

#include <funnel/core/hash.hpp>
#include <funnel/core/rng.hpp>

#include "support/allocations.hpp"
#include "support/ids_of.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <set>
#include <vector>

using doctest::Approx;
using funnel::InvalidArgument;
using funnel::Random;
using funnel::Scored;
using funnel::pipeline::Candidate;
using funnel::pipeline::Candidates;
using funnel::pipeline::Found;
using funnel::pipeline::merge;
using funnel::pipeline::SourceList;
using funnel::testing::Ids;
using funnel::testing::ids_of;

namespace {

using List = std::vector<Scored<>>;
using Lists = std::vector<SourceList>;

}  // namespace

TEST_CASE("merge: worked by hand") {
    const List a{{7, 0.9F}, {3, 0.8F}, {5, 0.1F}};
    const List b{{3, 40.0F}, {8, 30.0F}};
    // With offset 60:  3 is second and first, 1/62 + 1/61;  7 is first, 1/61;  8 is second, 1/62;  5 is third, 1/63.
    const Candidates merged = merge(Lists{{.items = a}, {.items = b}});
    CHECK(ids_of(merged) == Ids{3, 7, 8, 5});
    CHECK(merged[0].score == Approx(1.0 / 62.0 + 1.0 / 61.0).epsilon(1e-6));
    CHECK(merged[1].score == Approx(1.0 / 61.0).epsilon(1e-6));
    CHECK(merged[0].sources == 0b11);
    CHECK(merged[1].sources == 0b01);
    CHECK(merged[2].sources == 0b10);
    CHECK(merged.found(0, 0) == Found{0.8F, 1});
    CHECK(merged.found(0, 1) == Found{40.0F, 0});
    CHECK(merged.found(2, 1) == Found{30.0F, 1});
    CHECK_FALSE(merged.found(2, 0).has_value());
}

TEST_CASE("merge: a single source keeps its scores") {
    const List a{{7, 0.9F}, {3, -2.0F}};
    const Candidates merged = merge(Lists{{.items = a}});
    CHECK(merged[0] == Candidate{7, 0.9F, 1});
    CHECK(merged[1] == Candidate{3, -2.0F, 1});
}

TEST_CASE("merge: sources take turns, and at_most counts the items that a source added") {
    const List a{{1, 9.0F}, {2, 8.0F}, {3, 7.0F}};
    const List b{{1, 9.0F}, {2, 8.0F}, {4, 7.0F}, {5, 6.0F}};
    // a brings 1, b finds 1 taken and brings 2, a finds 2 taken and brings 3, b brings 4.
    CHECK(merge(Lists{{.items = a}, {.items = b}}, {.at_most = 2}).ids().size() == 2);
    const auto set_of = [](const Candidates& c) { return std::set<std::uint32_t>(c.ids().begin(), c.ids().end()); };
    using Set = std::set<std::uint32_t>;
    CHECK(set_of(merge(Lists{{.items = a}, {.items = b}}, {.at_most = 3})) == Set{1, 2, 3});
    CHECK(set_of(merge(Lists{{.items = a}, {.items = b, .at_most = 1}})) == Set{1, 2, 3});
    CHECK(set_of(merge(Lists{{.items = a, .at_most = 1}, {.items = b, .at_most = 2}})) == Set{1, 2, 4});
    CHECK(set_of(merge(Lists{{.items = a, .at_most = 0}, {.items = b}})) == Set{1, 2, 4, 5});
    // With at_most = 0, source a adds nothing, but still counts as a source of items 1 and 2.
    const Candidates merged = merge(Lists{{.items = a, .at_most = 0}, {.items = b}});
    CHECK(merged[0] == Candidate{1, merged[0].score, 0b11});
}

TEST_CASE("merge: keeps every item once, with all of its sources, on random input") {
    Random random(9);
    for (int round = 0; round < 100; ++round) {
        std::vector<List> lists(1 + random.below(4));
        std::map<std::uint32_t, std::uint32_t> sources;  // by definition
        std::map<std::uint32_t, double> fused;
        Ids exclude(random.below(5));
        std::generate(exclude.begin(), exclude.end(), [&] { return static_cast<std::uint32_t>(random.below(30)); });
        for (std::size_t s = 0; s < lists.size(); ++s) {
            lists[s].resize(random.below(25));
            std::set<std::uint32_t> seen;
            for (std::size_t rank = 0; rank < lists[s].size(); ++rank) {
                const auto id = static_cast<std::uint32_t>(random.below(30));
                lists[s][rank] = {id, 100.0F - static_cast<float>(rank)};
                if (std::find(exclude.begin(), exclude.end(), id) == exclude.end() && seen.insert(id).second) {
                    sources[id] |= 1U << s;
                    fused[id] += lists.size() == 1 ? 100.0 - static_cast<double>(rank)
                                                   : 1.0 / (61.0 + static_cast<double>(rank));
                }
            }
        }
        Lists views;
        for (const List& list : lists) {
            views.push_back({.items = list});
        }
        const Candidates merged = merge(views, {.exclude = exclude});
        CAPTURE(round);
        REQUIRE(merged.size() == sources.size());
        for (std::size_t i = 0; i < merged.size(); ++i) {
            CHECK(sources.at(merged[i].id) == merged[i].sources);
            CHECK(merged[i].score == Approx(fused.at(merged[i].id)).epsilon(1e-6));
            if (i > 0) {
                CHECK((merged[i - 1].score > merged[i].score ||
                       (merged[i - 1].score == merged[i].score && merged[i - 1].id < merged[i].id)));
            }
        }
    }
}

TEST_CASE("merge: edges of the input") {
    CHECK(merge({}).empty());
    CHECK(merge(Lists{{}, {}}).empty());
    const List a{{1, 1.0F}, {2, 0.5F}};
    CHECK(merge(Lists{{.items = a}}, {.at_most = 0}).empty());
    CHECK(merge(Lists{{.items = a}}, {.exclude = Ids{2, 1, 1}}).empty());
    // Twice in one list: the better place counts.
    const List twice{{4, 9.0F}, {4, 8.0F}, {5, 7.0F}};
    const Candidates merged = merge(Lists{{.items = twice}});
    CHECK(ids_of(merged) == Ids{4, 5});
    CHECK(merged.found(0, 0) == Found{9.0F, 0});
    // Ids that are far apart.
    const List far_apart{{0, 3.0F}, {4294967295U, 2.0F}, {2147483648U, 1.0F}};
    CHECK(ids_of(merge(Lists{{.items = far_apart}})) == Ids{0, 4294967295U, 2147483648U});
}

TEST_CASE("merge: a rank offset of 0 is allowed") {
    const List a{{7, 0.9F}, {3, 0.8F}};
    const List b{{7, 40.0F}};
    const Candidates merged = merge(Lists{{.items = a}, {.items = b}}, {.rank_constant = 0.0});
    CHECK(ids_of(merged) == Ids{7, 3});
    CHECK(merged[0].score == 2.0F);  // first in both
    CHECK(merged[1].score == 0.5F);
}

TEST_CASE("merge: rejects scores and options without a meaning") {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const List broken{{4, 9.0F}, {5, nan}};
    CHECK_THROWS_WITH_AS((void)merge(Lists{{.items = broken, .name = "ease"}}),
                         "merge: ease gave item 5 a score that is NaN", InvalidArgument);
    CHECK_THROWS_WITH_AS((void)merge(Lists(33)), "merge: at most 32 sources, got 33", InvalidArgument);
    CHECK_THROWS_AS((void)merge({}, {.rank_constant = -1.0}), InvalidArgument);
    CHECK_THROWS_AS((void)merge({}, {.rank_constant = std::numeric_limits<double>::infinity()}), InvalidArgument);
    CHECK_THROWS_AS((void)merge({}, {.rank_constant = std::numeric_limits<double>::quiet_NaN()}), InvalidArgument);
}

TEST_CASE("merge: at_most may be the maximum of std::size_t") {
    constexpr std::size_t endless = std::numeric_limits<std::size_t>::max();
    const List a{{1, 1.0F}, {2, 0.5F}};
    const List b{{2, 1.0F}, {3, 0.5F}};
    const Lists lists{{.items = a, .at_most = endless}, {.items = b, .at_most = endless}};
    CHECK(ids_of(merge(lists, {.at_most = endless, .exclude = Ids{1}})) == Ids{2, 3});
    // Memory goes with the items there are.
    CHECK(funnel::testing::allocated_bytes_of([&] { (void)merge(lists, {.at_most = endless}); }) < 10'000);
    CHECK(merge(Lists(32)).empty());
}

TEST_CASE("merge: a merge that runs out of memory leaves the target as it was") {
    const List a{{1, 1.0F}, {2, 0.5F}};
    const List b{{2, 1.0F}, {3, 0.5F}};
    const Lists lists{{.items = a}, {.items = b}};
    const auto failures = funnel::testing::check_strong_guarantee(
        [&] { return merge(Lists{{.items = a}}); }, [&](Candidates& target) { target = merge(lists); },
        [](const Candidates& target) {
            List items;
            for (std::size_t i = 0; i < target.size(); ++i) {
                items.push_back({target[i].id, target[i].score});
            }
            return items;
        });
    CHECK(failures > 0);
}

TEST_CASE("merge: an infinite score of a single source stays, NaN is rejected in every place") {
    const float infinity = std::numeric_limits<float>::infinity();
    const List ends{{1, infinity}, {2, 0.0F}, {3, -infinity}};
    CHECK(ids_of(merge(Lists{{.items = ends}})) == Ids{1, 2, 3});
    for (std::size_t place = 0; place < 3; ++place) {
        List broken{{1, 3.0F}, {2, 2.0F}, {3, 1.0F}};
        broken[place].score = std::numeric_limits<float>::quiet_NaN();
        CHECK_THROWS_AS((void)merge(Lists{{.items = broken}}), InvalidArgument);
        CHECK_THROWS_AS((void)merge(Lists{{.items = ends}, {.items = broken}}), InvalidArgument);
        CHECK_THROWS_AS((void)merge(Lists{{.items = broken}}, {.at_most = 0, .exclude = Ids{1, 2, 3}}),
                        InvalidArgument);
    }
}

TEST_CASE(
    "merge: ids chosen to fall together keep their numbers, and the table is built anew a few times, not per id") {
    // In a table of 2,048 slots, these fall into one, until the table takes another seed.
    Ids ids;
    for (std::uint32_t id = 0; ids.size() < 600; ++id) {
        if (funnel::detail::hash_word(0, id) % 2048 == 5) {
            ids.push_back(id);
        }
    }
    funnel::pipeline::detail::IdNumbers number_of(ids.size());
    std::size_t wrong = 0;
    const std::size_t allocations = funnel::testing::allocations_of([&] {
        for (int round = 0; round < 2; ++round) {
            for (std::size_t i = 0; i < ids.size(); ++i) {
                wrong += number_of(ids[i]) == i ? 0U : 1U;
            }
        }
    });
    CHECK(wrong == 0);
    CHECK(number_of.size() == ids.size());
    if (funnel::testing::allocations_are_counted) {
        CHECK(allocations >= 1);
        CHECK(allocations <= 3);
    }
}
