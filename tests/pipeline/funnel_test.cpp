// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/pipeline/funnel.hpp>

#include <funnel/core/rng.hpp>

#include "support/allocations.hpp"
#include "support/dies.hpp"
#include "support/ids_of.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using doctest::Approx;
using funnel::InvalidArgument;
using funnel::Random;
using funnel::Scored;
using funnel::pipeline::Candidate;
using funnel::pipeline::Candidates;
using funnel::pipeline::fallback;
using funnel::pipeline::filter;
using funnel::pipeline::Funnel;
using funnel::pipeline::named;
using funnel::pipeline::rank;
using funnel::pipeline::Request;
using funnel::pipeline::rerank;
using funnel::pipeline::Result;
using funnel::pipeline::retrieve;
using funnel::testing::Ids;
using funnel::testing::ids_of;

namespace {

using List = std::vector<Scored<>>;
using Positions = std::vector<std::size_t>;

struct Options {
    std::size_t k = 10;
    bool keep_seen = false;
};

// A model in the shape of those of this library: user u likes items u, u + 1, ... best; users from 100 on are unknown.
struct Model {
    std::size_t items = 50;

    List recommend(std::uint32_t user, const Options& options = {}) const {
        List list;
        for (std::uint32_t i = 0; user < 100 && list.size() < options.k && i < items; ++i) {
            list.push_back({user + i, 1.0F / static_cast<float>(i + 1)});
        }
        return list;
    }

    std::vector<float> score(std::uint32_t, std::span<const std::uint32_t> ids) const {
        std::vector<float> scores;
        for (const std::uint32_t id : ids) {
            scores.push_back(static_cast<float>(id % 10));
        }
        return scores;
    }
};

const auto popular = [](const auto&, std::size_t n) {
    List list;
    for (std::uint32_t i = 0; i < 8 && i < n; ++i) {
        list.push_back({200 + i, 8.0F - static_cast<float>(i)});
    }
    return list;
};

const auto backwards = [](const auto&, const Candidates& candidates) {
    Positions order;
    for (std::size_t i = candidates.size(); i-- > 0;) {
        order.push_back(i);
    }
    return order;
};

}  // namespace

TEST_CASE("Funnel: retrieve, rank, re-rank and fall back, worked by hand") {
    const Model model{.items = 4};
    const Funnel funnel(retrieve(model, popular), rank(model), rerank(backwards), fallback(popular));

    // User 3: the model finds 3 4 5 6, popular 200 .. 207; ranked by the last digit, then id:
    // 207, 6 206, 5 205, 4 204, 3 203, 202, 201, 200; then backwards.
    const Result result = funnel.recommend({.user = 3, .k = 4});
    CHECK(ids_of(result) == Ids{200, 201, 202, 203});
    CHECK(result.items[0] == Candidate{200, 0.0F, 0b10});
    CHECK(result.trace.sources == std::vector<std::string>{"source 0", "source 1", "level 0"});
    CHECK_FALSE(result.trace.fallback_level.has_value());

    const auto& stages = result.trace.stages;
    REQUIRE(stages.size() == 5);
    const auto is = [](const auto& stage, const char* name, std::size_t in, std::size_t out) {
        return stage.name == name && stage.in == in && stage.out == out;
    };
    CHECK(is(stages[0], "source 0", 0, 4));
    CHECK(is(stages[1], "source 1", 0, 8));
    CHECK(is(stages[2], "merge", 12, 12));
    CHECK(is(stages[3], "rank 0", 12, 12));
    CHECK(is(stages[4], "rule 0", 12, 12));
}

TEST_CASE("Funnel: whoever has no history gets what is popular") {
    const Model model;
    const Funnel funnel(retrieve(model), rank(model), rerank(backwards), fallback(named("popular", popular)));
    const Result result = funnel.recommend({.user = 100, .k = 3});
    CHECK(ids_of(result) == Ids{200, 201, 202});
    CHECK(result.items[0] == Candidate{200, 8.0F, 0b10});
    CHECK(result.trace.fallback_level == 0U);
    CHECK(result.trace.stages.back().name == "popular");
    CHECK(result.trace.stages.back().in == 0);
    CHECK(result.trace.stages.back().out == 3);
}

TEST_CASE("Funnel: a funnel of one source is that source") {
    const Model model;
    const Funnel funnel(retrieve(model));
    const Result result = funnel.recommend(7, {.k = 5});
    const List expected = model.recommend(7, {.k = 5});
    REQUIRE(result.size() == expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
        CHECK(result[i].id == expected[i].id);
        CHECK(result[i].score == expected[i].score);
    }
    CHECK(funnel.recommend(7).size() == 10);
    // The source is asked for k if that is more than the default, and its true end is the end.
    CHECK(Funnel(retrieve(Model{.items = 1000})).recommend(7, {.k = 900}).size() == 900);
    CHECK(funnel.recommend(7, {.k = 900}).size() == 50);
}

TEST_CASE("Funnel: any stage but the first can be missing, and a funnel can be a source") {
    const Model model{.items = 2};
    CHECK(ids_of(Funnel(retrieve(model), rank(model)).recommend(8)) == Ids{9, 8});
    CHECK(ids_of(Funnel(retrieve(model), rerank(backwards)).recommend(8)) == Ids{9, 8});
    CHECK(ids_of(Funnel(retrieve(model), fallback(popular)).recommend(8, {.k = 3})) == Ids{8, 9, 200});
    const Funnel inner(retrieve(model), rank(model));
    CHECK(ids_of(Funnel(retrieve(inner), rerank(backwards)).recommend(8)) == Ids{8, 9});
}

TEST_CASE("Funnel: rankers can follow one another, each on what the one before left") {
    const Model model{.items = 40};
    std::size_t seen_by_heavy = 0;
    const auto heavy = [&](const Request&, const Candidates& candidates) {
        seen_by_heavy = candidates.size();
        std::vector<double> scores;
        for (const std::uint32_t id : candidates.ids()) {
            scores.push_back(-static_cast<double>(id));
        }
        return scores;
    };
    const Funnel funnel(retrieve(model), rank(named("light", model, {.at_most = 6})), rank(named("heavy", heavy)));
    // Items 0 .. 39 by last digit: 9 19 29 39 8 18, then by id down the negatives.
    CHECK(ids_of(funnel.recommend(0)) == Ids{8, 9, 18, 19, 29, 39});
    CHECK(seen_by_heavy == 6);
}

TEST_CASE("Funnel: at_most limits sources and rules") {
    const Model model;
    const Funnel funnel(retrieve(named("model", model, {.at_most = 3}), named("popular", popular, {.at_most = 2})),
                        rerank(named("cut", backwards, {.at_most = 4})));
    const Result result = funnel.recommend({.user = 1, .k = 10});
    CHECK(result.size() == 4);
    CHECK(result.trace.stages[2].out == 5);
    // An excluded item does not use up the room of another.
    const Result other = funnel.recommend({.user = 1, .k = 10, .exclude = {1, 2}});
    CHECK(other.trace.stages[2].out == 5);
}

TEST_CASE("Funnel: exclusions and filters hold everywhere, in fallback levels too") {
    const Model model{.items = 5};
    const auto is_even = [](const auto&, std::uint32_t id) { return id % 2 == 0; };
    const Funnel funnel(retrieve(model), filter(named("even", is_even)), fallback(popular));
    const Result result = funnel.recommend({.user = 0, .k = 6, .exclude = {2, 202}});
    CHECK(ids_of(result) == Ids{0, 4, 200, 204, 206});
    CHECK(result.trace.stages[2].name == "even");
    CHECK(result.trace.stages[2].in == 4);
    CHECK(result.trace.stages[2].out == 2);
}

TEST_CASE("Funnel: takes the caller's own request, and hands it to every stage") {
    struct PageRequest {
        std::string user;
        int k;
        std::uint32_t shelf;
    };
    const auto shelf = [](const PageRequest& request, std::size_t) {
        return List{{request.shelf, 1.0F}, {request.shelf + 1, 0.5F}};
    };
    const auto by_user = [](const PageRequest& request, const Candidates& candidates) {
        std::vector<float> scores;
        for (const std::uint32_t id : candidates.ids()) {
            scores.push_back(static_cast<float>(request.user.size()) * static_cast<float>(id));
        }
        return scores;
    };
    const Funnel funnel(retrieve(shelf), rank(by_user));
    const Result result = funnel.recommend(PageRequest{.user = "anna", .k = 2, .shelf = 30});
    CHECK(ids_of(result) == Ids{31, 30});
    CHECK(result[0].score == 124.0F);
    CHECK_THROWS_AS((void)funnel.recommend(PageRequest{.user = "anna", .k = -1, .shelf = 30}), InvalidArgument);
}

TEST_CASE("Funnel: rankers and rules see what the sources said") {
    const Model model{.items = 3};
    const auto first_column = [](const Request&, const Candidates& candidates) {
        const auto features = candidates.source_features();
        std::vector<float> scores;
        for (std::size_t i = 0; i < candidates.size(); ++i) {
            scores.push_back(features(i, 0) + 100.0F * features(i, 3));
        }
        return scores;
    };
    // Source 1 put 200 first: 100 / 1; 201: 100 / 2; ...; source 0 gave item 5 the score 1, item 6 1/2, item 7 1/3.
    const Result result = Funnel(retrieve(model, popular), rank(first_column)).recommend(5, {.k = 20});
    REQUIRE(result.size() == 11);
    CHECK(result[0] == Candidate{200, 100.0F, 0b10});
    CHECK(result[8] == Candidate{5, 1.0F, 0b01});
    CHECK(result[10].score == Approx(1.0 / 3.0));
}

TEST_CASE("Funnel: never more than k, never an item twice, whatever the stages do") {
    Random random(17);
    for (int round = 0; round < 100; ++round) {
        const auto sloppy = [&](const Request&, std::size_t n) {  // repeats itself, ignores n
            List list(random.below(2 * n + 10));
            std::generate(list.begin(), list.end(), [&] {
                return Scored<>{static_cast<std::uint32_t>(random.below(40)), static_cast<float>(random.below(5))};
            });
            return list;
        };
        const auto picky = [&](const Request&, const Candidates& candidates) {
            Positions order;
            for (std::size_t i = 0; i < candidates.size(); ++i) {
                if (random.below(2) == 0) {
                    order.push_back(i);
                }
            }
            return order;
        };
        const Funnel funnel(retrieve(sloppy, sloppy), rerank(picky), fallback(sloppy, popular));
        const std::size_t k = random.below(30);
        const Result result = funnel.recommend({.user = 1, .k = k, .exclude = {3, 5}});
        const Ids ids = ids_of(result);
        std::set<std::uint32_t> distinct(ids.begin(), ids.end());
        CHECK(ids.size() <= k);
        CHECK(distinct.size() == ids.size());
        CHECK(distinct.count(3) + distinct.count(5) == 0);
    }
}

TEST_CASE("Funnel: edges") {
    const auto nothing = [](const auto&, std::size_t) { return List{}; };
    bool was_called = false;
    const auto spy = [&](const auto&, const Candidates&) {
        was_called = true;
        return std::vector<float>{};
    };
    const Funnel funnel(retrieve(nothing), rank(spy));
    CHECK(funnel.recommend(1).empty());
    CHECK_FALSE(was_called);  // nothing to rank, nobody asked
    CHECK(funnel.recommend(1).trace.stages.back().name == "rank 0");
    CHECK(Funnel(retrieve(popular), fallback(popular)).recommend(1, {.k = 0}).empty());
    CHECK(Funnel(retrieve(popular), rerank(), filter()).recommend(1, {.k = 2}).size() == 2);
}

TEST_CASE("Funnel: errors of a stage come out, those of contract with its name") {
    const auto fails = [](const Request&, std::size_t) -> List { throw std::runtime_error("index is down"); };
    CHECK_THROWS_WITH_AS((void)Funnel(retrieve(popular, fails)).recommend(1), "index is down", std::runtime_error);
    CHECK_THROWS_AS((void)Funnel(retrieve(popular), fallback(fails)).recommend(1), std::runtime_error);

    const auto nan = [](const Request&, const Candidates& candidates) {
        return std::vector<float>(candidates.size(), std::numeric_limits<float>::quiet_NaN());
    };
    CHECK_THROWS_WITH_AS((void)Funnel(retrieve(popular), rank(named("forest", nan))).recommend(1),
                         "forest: the score of item 200 is NaN", InvalidArgument);
    const auto short_list = [](const Request&, const Candidates&) { return std::vector<float>(1); };
    CHECK_THROWS_AS((void)Funnel(retrieve(popular), rank(short_list)).recommend(1), InvalidArgument);
    const auto outside = [](const Request&, const Candidates&) { return std::vector<int>{-1}; };
    CHECK_THROWS_AS((void)Funnel(retrieve(popular), rerank(outside)).recommend(1), InvalidArgument);
}

TEST_CASE("Funnel: the largest k there is gives all that exists, with exclusions and without") {
    constexpr std::size_t endless = std::numeric_limits<std::size_t>::max();
    const Model model{.items = 4};
    const Funnel alone(retrieve(model));
    const Funnel limited(retrieve(named("model", model, {.at_most = endless})));
    const Funnel whole(retrieve(model, named("popular", popular, {.at_most = endless})),
                       rank(named("rank", model, {.at_most = endless})), fallback(popular));
    for (const std::size_t k : {endless, endless - 1, endless / 2 + 1}) {
        CHECK(ids_of(alone.recommend({.user = 3, .k = k})) == Ids{3, 4, 5, 6});
        CHECK(ids_of(alone.recommend({.user = 3, .k = k, .exclude = {4, 99}})) == Ids{3, 5, 6});
        CHECK(ids_of(limited.recommend({.user = 3, .k = k, .exclude = {4, 99}})) == Ids{3, 5, 6});
        CHECK(whole.recommend({.user = 3, .k = k, .exclude = {4, 5, 6}}).size() == 1 + 8);
        CHECK(ids_of(Funnel(retrieve(alone)).recommend({.user = 3, .k = k, .exclude = {4}})) == Ids{3, 5, 6});
    }
    CHECK(ids_of(limited.recommend({.user = 3, .k = 2, .exclude = {3}})) == Ids{4, 5});
    // Memory goes with the items there are, not with those asked for.
    CHECK(funnel::testing::allocated_bytes_of([&] { (void)whole.recommend({.user = 3, .k = endless}); }) < 20'000);
    struct LongRequest {
        std::uint32_t user;
        std::int64_t k;
    };
    CHECK(alone.recommend(LongRequest{3, std::numeric_limits<std::int64_t>::max()}).size() == 4);
    CHECK_THROWS_AS((void)alone.recommend(LongRequest{3, std::numeric_limits<std::int64_t>::min()}), InvalidArgument);
}

TEST_CASE("Funnel: an unknown user is served by the fallback; a source that throws ends the request") {
    const auto strict = [](const Request& request, std::size_t n) {
        if (request.user >= 100) {
            throw std::out_of_range("no such user");
        }
        return Model{}.recommend(request.user, {.k = n});
    };
    const Model model;
    CHECK(ids_of(Funnel(retrieve(model), fallback(popular)).recommend(4294967295U, {.k = 2})) == Ids{200, 201});
    const Funnel funnel(retrieve(strict), fallback(popular));
    CHECK_THROWS_WITH_AS((void)funnel.recommend(100), "no such user", std::out_of_range);
    CHECK(funnel.recommend(1, {.k = 2}).size() == 2);  // as before
    // One that may fail is wrapped by whoever knows what its failure means.
    const auto lenient = [&](const Request& request, std::size_t n) {
        try {
            return strict(request, n);
        } catch (const std::out_of_range&) {
            return List{};
        }
    };
    CHECK(ids_of(Funnel(retrieve(lenient), fallback(popular)).recommend(100, {.k = 2})) == Ids{200, 201});
}

TEST_CASE("Funnel: sources that leave out what they have no evidence for do not bring in strangers") {
    // Item 5 has evidence, 0 .. 4 have none: a source that left them out has a short list, and popular fills it up.
    const auto honest = [](const Request&, std::size_t) { return List{{5, 0.5F}}; };
    CHECK(ids_of(Funnel(retrieve(honest), fallback(popular)).recommend(1, {.k = 3})) == Ids{5, 200, 201});
    CHECK(ids_of(Funnel(retrieve(honest, popular)).recommend(1, {.k = 3})) == Ids{5, 200, 201});
}

TEST_CASE("Funnel: 32 sources and levels have a bit each") {
    const auto one = [](std::uint32_t id) { return [id](const Request&, std::size_t) { return List{{id, 1.0F}}; }; };
    const auto funnel = [&]<std::size_t... I>(std::index_sequence<I...>) {
        return Funnel(retrieve(one(static_cast<std::uint32_t>(I))...), fallback(one(31)));
    }(std::make_index_sequence<31>{});
    const Result result = funnel.recommend(1, {.k = 99});
    REQUIRE(result.size() == 32);
    for (const Candidate& item : result) {
        CHECK(item.sources == std::uint32_t{1} << item.id);
    }
}

TEST_CASE("Funnel: recommend that runs out of memory leaves the funnel as it was") {
    const Model model{.items = 4};
    const auto failures = funnel::testing::check_strong_guarantee(
        [&] { return std::pair(Funnel(retrieve(model, popular), rerank(backwards), fallback(popular)), Ids{}); },
        [](auto& state) { state.second = ids_of(state.first.recommend({.user = 3, .k = 20, .exclude = {4}})); },
        [](const auto& state) { return state.second; });
    CHECK(failures > 0);
}

TEST_CASE("Funnel: scores and positions of a stage that do not fit are errors with its name") {
    const auto huge = [](const Request&, const Candidates& candidates) {
        return std::vector<double>(candidates.size(), 1e300);
    };
    CHECK_THROWS_AS((void)Funnel(retrieve(popular), rank(named("forest", huge))).recommend(1), InvalidArgument);
    const auto far_away = [](const Request&, const Candidates&) {
        return Positions{0, std::numeric_limits<std::size_t>::max()};
    };
    CHECK_THROWS_AS((void)Funnel(retrieve(popular), rerank(far_away)).recommend(1), InvalidArgument);
}

#if FUNNEL_CHECKS
TEST_CASE("Result: with checks on, a position past the last item is found") {
    const Result result = Funnel(retrieve(Model())).recommend(1, {.k = 2});
    CHECK(result[1].id == 2);
    CHECK(funnel::testing::dies([&] { (void)result[2]; }, "i < items.size()"));
    CHECK(funnel::testing::dies([] { (void)Result()[0]; }, "pipeline/funnel.hpp:"));
}
#endif
