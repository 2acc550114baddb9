// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/pipeline/explore.hpp>

#include <funnel/core/error.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/pipeline/funnel.hpp>
#include <funnel/rerank/groups.hpp>
#include <funnel/rerank/mmr.hpp>
#include <funnel/rerank/slate_rules.hpp>
#include <funnel/rerank/window_cap.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

using funnel::InvalidArgument;
using namespace funnel::pipeline;
using Ids = std::vector<std::uint32_t>;

namespace {

struct Drawn {
    std::uint32_t id;
    double propensity;
};

/// Items 0 .. 4, best first.
std::vector<funnel::Scored<>> five(const Request&, std::size_t) {
    return {{0, 5.0F}, {1, 4.0F}, {2, 3.0F}, {3, 2.0F}, {4, 1.0F}};
}

/// Items 70, 71, ..., as many as are asked for.
std::vector<Drawn> draw(const Request&, const Candidates&, std::size_t n) {
    std::vector<Drawn> drawn;
    for (std::uint32_t i = 0; i < n; ++i) {
        drawn.push_back({70 + i, 0.25 / (1.0 + i)});
    }
    return drawn;
}

Ids ids_of(const Result& result) {
    Ids ids;
    for (const Candidate& item : result) {
        ids.push_back(item.id);
    }
    return ids;
}

}  // namespace

TEST_CASE("explore: drawn items take their places, and the trace has their propensities") {
    const Funnel funnel(retrieve(five), explore(named("new films", draw), {1, 3}));
    const Result result = funnel.recommend(1, {.k = 5});
    CHECK(ids_of(result) == Ids{0, 70, 1, 71, 2});
    CHECK(result.trace.explored == std::vector<Explored>{{"new films", 70, 1, 0.25}, {"new films", 71, 3, 0.125}});
    CHECK(result.trace.stages.back().name == "new films");
    CHECK(result.trace.stages.back().in == 5);
    CHECK(result.trace.stages.back().out == 7);
    CHECK(result[1].score == 1.0F);  // the lowest of the list
    CHECK(result[1].sources == 0);
}

TEST_CASE("explore: uses the places below k, and comes last in a short list") {
    const Funnel funnel(retrieve(five), explore(draw, {1, 3}));
    CHECK(funnel.recommend(1, {.k = 1}).trace.explored.empty());
    CHECK(ids_of(funnel.recommend(1, {.k = 3})) == Ids{0, 70, 1});

    const Result last = Funnel(retrieve(five), explore(draw, {8})).recommend(1, {.k = 10});
    CHECK(ids_of(last) == Ids{0, 1, 2, 3, 4, 70});
    CHECK(last.trace.explored == std::vector<Explored>{{"explore 0", 70, 5, 0.25}});

    const auto nothing = [](const Request&, std::size_t) { return std::vector<funnel::Scored<>>{}; };
    const Result fell_back = Funnel(retrieve(nothing), explore(draw, {0}), fallback(five)).recommend(1, {.k = 2});
    CHECK(ids_of(fell_back) == Ids{0, 1});
    CHECK(fell_back.trace.explored.empty());
}

TEST_CASE("explore: the trace has the place in the answer, and nothing that a later stage removed") {
    const auto backwards = [](const Request&, const Candidates& candidates) {
        std::vector<std::size_t> order;
        for (std::size_t i = candidates.size(); i-- > 0;) {
            if (candidates.ids()[i] < 71) {
                order.push_back(i);
            }
        }
        return order;
    };
    const Funnel funnel(retrieve(five), explore(draw, {1, 3}), rerank(backwards));
    CHECK(funnel.recommend(1, {.k = 6}).trace.explored == std::vector<Explored>{{"explore 0", 70, 4, 0.25}});
    CHECK(funnel.recommend(1, {.k = 4}).trace.explored.empty());
}

TEST_CASE("explore: a rule pins drawn items, and the trace has what it set aside") {
    // Items of a franchise lie apart: 0 and 1 are one, 70 and 2 another.
    const auto franchise_of = [](std::uint32_t id) { return id < 2 ? 0U : id == 2 || id == 70 ? 1U : id; };
    const auto slate = [&](const Request& request, const Candidates& candidates, const Trace& trace) {
        namespace rr = funnel::rerank;
        std::vector<std::uint32_t> franchises;
        std::vector<rr::Pin> pins;
        for (std::size_t i = 0; i < candidates.size(); ++i) {
            franchises.push_back(franchise_of(candidates.ids()[i]));
            for (const Explored& drawn : trace.explored) {
                if (drawn.item == candidates.ids()[i]) {
                    pins.push_back({i, drawn.place});
                }
            }
        }
        const rr::Groups groups(franchises);
        return rr::under_rules(
            rr::SlateRules({candidates.size(), request.k, pins}, rr::hard("apart", rr::spacing(groups, request.k, 1))),
            [&](auto& rules) {
                const auto unlike = [](std::size_t, std::size_t) { return 0.0F; };
                return rr::mmr(candidates.scores(), unlike, {.k = request.k}, rules);
            });
    };
    const Funnel funnel(retrieve(five), explore(draw, {2, 3}), rerank(named("slate", slate)));
    // 1 may not follow 0, and 2 may not stand beside 70.
    const Result result = funnel.recommend(1, {.k = 6});
    CHECK(ids_of(result) == Ids{0, 3, 70, 71, 1, 2});
    CHECK(result.trace.explored.size() == 2);
    CHECK(result.trace.set_aside.empty());

    // A pin is never moved by a rule: 70 at place 0, 0 .. 4, and again an item of its franchise is pinned beside it.
    const auto both = [](const Request&, const Candidates&, std::size_t) {
        return std::vector<Drawn>{{70, 0.5}, {170, 0.5}};
    };
    const auto same = [&](const Request& request, const Candidates& candidates, const Trace& trace) {
        funnel::rerank::RuledSlate kept = slate(request, candidates, trace);
        kept.set_aside.push_back({"my own rule", 1, 0, true});
        return kept;
    };
    const Result other = Funnel(retrieve(five), explore(both, {0, 1}), rerank(named("slate", same))).recommend(1);
    CHECK(other.trace.set_aside == std::vector<SetAside>{{"slate", "my own rule", 1, 70}});
    CHECK(to_string(other.trace)
              .ends_with("explored by explore 0: item 70 at place 0, propensity 0.500000\n"
                         "explored by explore 0: item 170 at place 1, propensity 0.500000\n"
                         "set aside by slate: my own rule at place 1 for item 70\n"));
}

TEST_CASE("explore: rejects what an explorer must not return") {
    const auto with = [](std::vector<Drawn> drawn) {
        const auto explorer = [drawn](const Request&, const Candidates&, std::size_t) { return drawn; };
        return Funnel(retrieve(five), explore(named("bandit", explorer), {1, 3})).recommend(1);
    };
    CHECK(with({}).trace.explored.empty());
    CHECK_THROWS_WITH_AS((void)with({{3, 0.5}}),
                         "bandit: must return at most 2 items that are not candidates, each once; got item 3",
                         InvalidArgument);
    CHECK_THROWS_AS((void)with({{70, 0.5}, {70, 0.5}}), InvalidArgument);
    CHECK_THROWS_AS((void)with({{70, 0.5}, {71, 0.5}, {72, 0.5}}), InvalidArgument);
    CHECK_THROWS_WITH_AS((void)with({{70, 0.0}}), "bandit: the propensity of item 70 must lie in (0, 1], got 0.000000",
                         InvalidArgument);
    CHECK_THROWS_AS((void)with({{70, 1.5}}), InvalidArgument);
    CHECK_THROWS_AS((void)with({{70, std::numeric_limits<double>::quiet_NaN()}}), InvalidArgument);
    // A drawn item must not pass by what every other item of the answer meets.
    const auto below_71 = [](const Request&, std::uint32_t id) { return id < 71; };
    const char* const ruled_out = "explore 0: must not return item 71, which request.exclude or a filter rules out";
    CHECK_THROWS_WITH_AS((void)Funnel(retrieve(five), filter(below_71), explore(draw, {1, 3})).recommend(1), ruled_out,
                         InvalidArgument);
    CHECK_THROWS_WITH_AS((void)Funnel(retrieve(five), explore(draw, {1, 3}), filter(below_71)).recommend(1), ruled_out,
                         InvalidArgument);
    CHECK_THROWS_WITH_AS(
        (void)Funnel(retrieve(five), explore(draw, {1, 3})).recommend(Request{.user = 1, .k = 10, .exclude = {71}}),
        ruled_out, InvalidArgument);
    CHECK(Funnel(retrieve(five), filter(below_71), explore(draw, {1})).recommend(1).trace.explored.size() == 1);

    CHECK_THROWS_WITH_AS((void)explore(draw, {3, 3}), "explore: places must ascend", InvalidArgument);

    struct Wrong {
        std::vector<std::size_t> positions;
        std::vector<funnel::rerank::Relaxation> set_aside;
        [[nodiscard]] auto begin() const { return positions.begin(); }
        [[nodiscard]] auto end() const { return positions.end(); }
    };
    const auto rule = [](const Request&, const Candidates&) { return Wrong{{0}, {{"r", 0, 9, false}}}; };
    CHECK_THROWS_WITH_AS((void)Funnel(retrieve(five), rerank(named("slate", rule))).recommend(1),
                         "slate: set_aside must have positions below 5, got 9", InvalidArgument);
}
