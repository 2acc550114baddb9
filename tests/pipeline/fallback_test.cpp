// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/pipeline/fallback.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

using funnel::InvalidArgument;
using funnel::Scored;
using funnel::pipeline::Candidate;
using funnel::pipeline::fallback;
using funnel::pipeline::named;
using funnel::pipeline::Request;
using funnel::pipeline::Trace;

namespace {

using Ids = std::vector<std::uint32_t>;
using List = std::vector<Scored<>>;

constexpr auto anything = [](std::uint32_t) { return true; };

// A source with a fixed list, which counts how often it is asked.
struct Fixed {
    Ids ids;
    mutable std::size_t calls = 0;

    List operator()(const Request&, std::size_t n) const {
        ++calls;
        List list;
        for (std::size_t i = 0; i < std::min(n, ids.size()); ++i) {
            list.push_back({ids[i], 1.0F - static_cast<float>(i)});
        }
        return list;
    }
};

template <class Ladder, class Keep = decltype(anything)>
Ids fill(const Ladder& ladder, const Ids& here, const Request& request, Trace& trace, const Keep& keep = anything) {
    std::vector<Candidate> items;
    for (const std::uint32_t id : here) {
        items.push_back({id, 9.0F, 1});
    }
    ladder.fill(items, request, 1, keep, trace);
    Ids ids;
    for (const Candidate& item : items) {
        ids.push_back(item.id);
    }
    return ids;
}

}  // namespace

TEST_CASE("fallback: fills up what is missing, level by level, nothing twice") {
    const Fixed segment{{1, 2, 3}};
    const Fixed popular{{2, 4, 1, 5, 6, 7}};
    const auto ladder = fallback(named("segment", segment), named("popular", popular));

    Trace trace;
    CHECK(fill(ladder, {3}, {.k = 5}, trace) == Ids{3, 1, 2, 4, 5});
    CHECK(trace.fallback_level == 1U);
    CHECK(trace.sources == std::vector<std::string>{"segment", "popular"});
    REQUIRE(trace.stages.size() == 2);
    CHECK(trace.stages[0].name == "segment");
    CHECK(trace.stages[0].in == 1);
    CHECK(trace.stages[0].out == 3);
    CHECK(trace.stages[1].out == 5);
}

TEST_CASE("fallback: many exclusions and items, and a level with a short list") {
    Request request{.k = 200};
    Ids here;
    for (std::uint32_t id = 0; id < 100; ++id) {
        request.exclude.push_back(id);
        here.push_back(100 + id);
    }
    const Fixed popular{{7, 107, 1000}};
    Trace trace;
    Ids expected = here;
    expected.push_back(1000);
    CHECK(fill(fallback(popular), here, request, trace) == expected);
}

TEST_CASE("fallback: items carry the number of their level, and its score") {
    const Fixed a{{1}};
    const Fixed b{{2}};
    std::vector<Candidate> items{{9, 0.5F, 0b1}};
    Trace trace;
    fallback(a, b).fill(items, Request{.k = 3}, 1, anything, trace);
    CHECK(items == std::vector<Candidate>{{9, 0.5F, 0b001}, {1, 1.0F, 0b010}, {2, 1.0F, 0b100}});
}

TEST_CASE("fallback: a level that is not needed is not asked") {
    const Fixed a{{1, 2, 3}};
    const Fixed b{{4}};
    const auto ladder = fallback(a, b);
    Trace trace;
    CHECK(fill(ladder, {7, 8}, {.k = 2}, trace) == Ids{7, 8});
    CHECK(a.calls == 0);
    CHECK_FALSE(trace.fallback_level.has_value());

    Trace second;
    CHECK(fill(ladder, {7, 8}, {.k = 4}, second) == Ids{7, 8, 1, 2});
    CHECK(a.calls == 1);
    CHECK(b.calls == 0);
    CHECK(second.fallback_level == 0U);
    CHECK(second.stages.size() == 1);
    CHECK(second.sources.size() == 2);  // the names, whether asked or not
}

TEST_CASE("fallback: never gives what the request excludes, nor what a filter refuses") {
    const Fixed popular{{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}};
    const auto ladder = fallback(popular);
    Trace trace;
    CHECK(fill(ladder, {2}, {.k = 3, .exclude = {1, 3, 4, 99}}, trace) == Ids{2, 5, 6});
    CHECK(popular.calls == 1);  // asked for enough at once
    // The first k are all odd or here: asked again for more.
    const auto is_large = [](std::uint32_t id) { return id > 7; };
    CHECK(fill(ladder, {8}, {.k = 3}, trace, is_large) == Ids{8, 9, 10});
    CHECK(popular.calls == 1 + 3);  // 3, 6, then 12 items
}

TEST_CASE("fallback: at_most limits what a level gives") {
    const Fixed a{{1, 2, 3}};
    const Fixed b{{4, 5, 6}};
    Trace trace;
    CHECK(fill(fallback(named("few", a, {.at_most = 1}), b), {}, {.k = 3}, trace) == Ids{1, 4, 5});
}

TEST_CASE("fallback: edges") {
    const Fixed nothing{{}};
    const Fixed few{{1}};
    Trace trace;
    CHECK(fill(fallback(nothing), {}, {.k = 3}, trace).empty());
    CHECK_FALSE(trace.fallback_level.has_value());
    CHECK(fill(fallback(nothing, few), {}, {.k = 3}, trace) == Ids{1});
    CHECK(trace.fallback_level == 1U);
    CHECK(fill(fallback(few), {}, {.k = 0}, trace).empty());
    const Fixed twice{{1, 1, 2}};
    CHECK(fill(fallback(twice), {}, {.k = 3}, trace) == Ids{1, 2});
}

TEST_CASE("fallback: rejects NaN, by the name of the level") {
    const auto broken = [](const Request&, std::size_t) { return List{{3, std::numeric_limits<float>::quiet_NaN()}}; };
    Trace trace;
    CHECK_THROWS_WITH_AS((void)fill(fallback(named("popular", broken)), {}, {.k = 3}, trace),
                         "fallback: popular gave item 3 a score that is NaN", InvalidArgument);
}

TEST_CASE("fallback: the largest k there is returns, with exclusions and without") {
    constexpr std::size_t endless = std::numeric_limits<std::size_t>::max();
    const Fixed popular{{1, 2, 3, 4}};
    for (const std::size_t k : {endless, endless - 1, endless / 2 + 1}) {
        Trace trace;
        CHECK(fill(fallback(popular), {}, {.k = k}, trace) == Ids{1, 2, 3, 4});
        CHECK(fill(fallback(popular), {3}, {.k = k, .exclude = {1, 2}}, trace) == Ids{3, 4});
        CHECK(fill(fallback(named("p", popular, {.at_most = endless})), {3}, {.k = k, .exclude = {1, 2}}, trace) ==
              Ids{3, 4});
        const auto nothing = [](std::uint32_t) { return false; };
        CHECK(fill(fallback(popular), {}, {.k = k, .exclude = {1}}, trace, nothing).empty());
    }
    Trace trace;
    CHECK(fill(fallback(named("p", popular, {.at_most = endless})), {}, {.k = 2, .exclude = {1}}, trace) == Ids{2, 3});
    CHECK(fill(fallback(named("p", popular, {.at_most = 0})), {}, {.k = 2}, trace).empty());
}

TEST_CASE("fallback: a level that repeats itself for ever is not asked for ever") {
    std::size_t calls = 0;
    const auto same = [&](const Request&, std::size_t n) {
        ++calls;
        return List(n, {7, 1.0F});
    };
    Trace trace;
    CHECK(fill(fallback(same), {}, {.k = 3}, trace) == Ids{7});
    CHECK(calls == 2);
    CHECK(fill(fallback(same), {7}, {.k = 3, .exclude = {8}}, trace) == Ids{7});
    const auto nothing = [](std::uint32_t) { return false; };
    CHECK(fill(fallback(same), {}, {.k = 3}, trace, nothing).empty());
}

TEST_CASE("fallback: a level past the 32nd source is an error, not another bit") {
    const Fixed a{{1, 2}};
    const Fixed b{{3}};
    std::vector<Candidate> items;
    Trace trace;
    fallback(a, b).fill(items, Request{.k = 3}, 30, anything, trace);
    CHECK(items[0].sources == std::uint32_t{1} << 30);
    CHECK(items[2].sources == std::uint32_t{1} << 31);
    for (const std::size_t first : {std::size_t{31}, std::size_t{32}, std::numeric_limits<std::size_t>::max()}) {
        items.clear();
        CHECK_THROWS_AS(fallback(a, b).fill(items, Request{.k = 3}, first, anything, trace), InvalidArgument);
        CHECK(items.empty());
    }
}

TEST_CASE("fallback: rejects ids and scores that do not fit, by the name of the level") {
    struct Wide {
        std::int64_t id;
        double score;
    };
    Trace trace;
    const auto answer = [&](Wide item) {
        const auto source = [item](const Request&, std::size_t) { return std::vector<Wide>{item}; };
        return fill(fallback(named("shop", source)), {}, {.k = 3}, trace);
    };
    CHECK(answer({4294967295, -1e38}) == Ids{4294967295U});
    CHECK_THROWS_WITH_AS((void)answer({-1, 0.0}), "shop: -1 is not an item id, 0 to 4294967295", InvalidArgument);
    CHECK_THROWS_AS((void)answer({4294967296, 0.0}), InvalidArgument);
    CHECK_THROWS_AS((void)answer({1, 1e39}), InvalidArgument);
    CHECK_THROWS_AS((void)answer({1, -1e39}), InvalidArgument);
    CHECK_THROWS_AS((void)answer({1, std::numeric_limits<double>::quiet_NaN()}), InvalidArgument);
}

TEST_CASE("fallback: rejects ids that are fractions, and long scores that do not fit") {
    struct Long {
        double id;
        long double score;
    };
    Trace trace;
    const auto answer = [&](Long item) {
        const auto source = [item](const Request&, std::size_t) { return std::vector<Long>{item}; };
        return fill(fallback(named("shop", source)), {}, {.k = 3}, trace);
    };
    CHECK(answer({4294967295.0, -1e38L}) == Ids{4294967295U});
    CHECK_THROWS_WITH_AS((void)answer({1.5, 0.0L}), "shop: 1.500000 is not an item id, 0 to 4294967295",
                         InvalidArgument);
    for (const double id : {-1.0, 4294967296.0, 1e300, std::numeric_limits<double>::quiet_NaN(),
                            std::numeric_limits<double>::infinity()}) {
        CHECK_THROWS_AS((void)answer({id, 0.0L}), InvalidArgument);
    }
    CHECK_THROWS_AS((void)answer({1.0, 1e39L}), InvalidArgument);
    CHECK_THROWS_AS((void)answer({1.0, -1e300L}), InvalidArgument);
    CHECK_THROWS_AS((void)answer({1.0, std::numeric_limits<long double>::quiet_NaN()}), InvalidArgument);
}
