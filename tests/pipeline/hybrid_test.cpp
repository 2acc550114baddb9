// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/pipeline/hybrid.hpp>

#include <funnel/core/error.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/metrics/recommender.hpp>
#include <funnel/pipeline/funnel.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

using funnel::InvalidArgument;
using funnel::Scored;
using namespace funnel::pipeline;

namespace {

using List = std::vector<Scored<>>;
using Ids = std::vector<std::uint32_t>;

// A model with a score per item, the same for all users; items without a score are not recommended.
struct TableModel {
    std::map<std::uint32_t, float> scores;
    mutable std::size_t asked = 0;

    struct Options {
        std::size_t k = 10;
    };
    [[nodiscard]] List recommend(std::uint32_t, const Options& options) const {
        ++asked;
        List list;
        for (const auto& [id, score] : scores) {
            list.push_back({id, score});
        }
        std::sort(list.begin(), list.end(), funnel::ranks_before);
        list.resize(std::min(options.k, list.size()));
        return list;
    }
    [[nodiscard]] std::vector<float> score(std::uint32_t, std::span<const std::uint32_t> ids) const {
        std::vector<float> result;
        for (const std::uint32_t id : ids) {
            result.push_back(scores.contains(id) ? scores.at(id) : 0.0F);
        }
        return result;
    }
};

const TableModel a{{{1, 4.0F}, {2, 3.0F}, {3, 2.0F}}};
const TableModel b{{{2, 10.0F}, {5, 30.0F}, {6, 10.0F}}};

Ids ids_of(const List& list) {
    Ids ids;
    for (const Scored<>& item : list) {
        ids.push_back(item.id);
    }
    return ids;
}

constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

}  // namespace

TEST_CASE("weighted: sums of scaled scores, ties by id") {
    // a scaled: 1, .5, 0;  b scaled: 5 -> 1, 2 -> 0, 6 -> 0.
    const auto hybrid = weighted(std::array{0.5, 0.25}, a, b);
    CHECK(hybrid.recommend(0) == List{{1, 0.5F}, {2, 0.25F}, {5, 0.25F}, {3, 0.0F}, {6, 0.0F}});
    CHECK(hybrid.recommend(0, {.k = 2}) == List{{1, 0.5F}, {2, 0.25F}});
    CHECK(hybrid.recommend(0, {.k = 0}).empty());
    CHECK(hybrid.recommend(0, {.k = std::numeric_limits<std::size_t>::max()}).size() == 5);
    const auto ranks = weighted(std::array{1.0, 2.0}, HybridOptions{.scale = ListScale::ReciprocalRank}, a, b);
    const List list = ranks.recommend(0);
    CHECK(ids_of(list) == Ids{2, 5, 6, 1, 3});
    CHECK(list[0].score == doctest::Approx(1.0 / 62.0 + 2.0 / 62.0));  // rank 2 in both
    CHECK(list[1].score == doctest::Approx(2.0 / 61.0));
}

TEST_CASE("weighted: equal scores of a list count in full, and an empty list adds nothing") {
    const TableModel flat{{{4, 7.0F}, {9, 7.0F}}};
    CHECK(weighted(std::array{0.5, 0.5}, flat, TableModel{}).recommend(3) == List{{4, 0.5F}, {9, 0.5F}});
    CHECK(weighted(std::array{1.0}, TableModel{}).recommend(3).empty());
}

TEST_CASE("weighted: weights may depend on the request, and a source of weight 0 is not asked") {
    const auto first = std::make_shared<const TableModel>(TableModel{a.scores});
    const auto second = std::make_shared<const TableModel>(TableModel{b.scores});
    const auto hybrid =
        weighted([](const Request& request) { return request.user == 0 ? std::array{1.0, 0.0} : std::array{0.0, 1.0}; },
                 first, second);
    CHECK(ids_of(hybrid.recommend(0)) == Ids{1, 2, 3});
    CHECK(second->asked == 0);
    CHECK(ids_of(hybrid.recommend(1)) == Ids{5, 2, 6});
    CHECK(first->asked == 1);
}

TEST_CASE("weighted: each source is asked for depth items, so that scores do not depend on the length of the answer") {
    const auto shallow = weighted(std::array{1.0, 1.0}, HybridOptions{.depth = 1}, a, b);
    CHECK(ids_of(shallow.recommend(0, {.k = 1})) == Ids{1});
    CHECK(shallow.recommend(0, {.k = 3}).size() == 3);
    const auto deep = weighted(std::array{1.0, 1.0}, a, b);
    CHECK(deep.recommend(0, {.k = 1})[0] == deep.recommend(0, {.k = 5})[0]);
}

TEST_CASE("switching: the chosen source answers, and no other is asked") {
    const auto first = std::make_shared<const TableModel>(TableModel{a.scores});
    const auto second = std::make_shared<const TableModel>(TableModel{b.scores});
    const auto hybrid = switching([](const Request& request) { return request.user % 3; }, first, second);
    CHECK(hybrid.recommend(0) == a.recommend(0, {}));
    CHECK(hybrid.recommend(1) == b.recommend(1, {}));
    CHECK(first->asked == 1);
    CHECK(second->asked == 1);
    CHECK_THROWS_WITH_AS(static_cast<void>(hybrid.recommend(2)), "switching: the choice must be below 2, got 2",
                         InvalidArgument);
}

TEST_CASE("cascade: the second model orders what the first one found") {
    const TableModel by_id{{{1, 1.0F}, {2, 2.0F}, {3, 3.0F}, {4, 100.0F}}};
    CHECK(cascade(a, by_id).recommend(0) == List{{3, 3.0F}, {2, 2.0F}, {1, 1.0F}});
    CHECK(cascade(a, by_id, {.depth = 2}).recommend(0, {.k = 1}) == List{{2, 2.0F}});
    CHECK(cascade(a, TableModel{}).recommend(0) == List{{1, 0.0F}, {2, 0.0F}, {3, 0.0F}});
    CHECK(cascade(TableModel{}, a).recommend(0).empty());
}

TEST_CASE("source_scores: a column per model, also for items that it does not list") {
    const auto scores = source_scores(Request{}, Ids{5, 2, 77}, named("a", a), named("b", b));
    REQUIRE(scores.rows() == 3);
    REQUIRE(scores.cols() == 2);
    CHECK(scores(0, 0) == 0.0F);
    CHECK(scores(0, 1) == 30.0F);
    CHECK(scores(1, 0) == 3.0F);
    CHECK(scores(1, 1) == 10.0F);
    CHECK(scores(2, 1) == 0.0F);
    CHECK(source_scores(Request{}, Ids{}, named("a", a)).rows() == 0);
}

TEST_CASE("stacked: a function of all scores, for each item that a source lists") {
    const auto hybrid = stacked([](std::span<const float> scores) { return 10.0F * scores[0] - scores[1]; }, {}, a, b);
    CHECK(hybrid.recommend(0) == List{{1, 40.0F}, {2, 20.0F}, {3, 20.0F}, {6, -10.0F}, {5, -30.0F}});
    CHECK(hybrid.recommend(0, {.k = 1}) == List{{1, 40.0F}});
}

TEST_CASE("hybrids: scores that are not finite, and weights and counts that are wrong, are errors with the source") {
    const auto broken = [](const Request&, std::size_t) { return List{{1, 1.0F}, {2, not_a_number}}; };
    const auto broken_scores = [](const Request&, const Candidates&) { return std::vector{1.0F, not_a_number, 1.0F}; };
    const auto fails = [](const auto& hybrid, const std::string& message) {
        CHECK_THROWS_WITH_AS(static_cast<void>(hybrid.recommend(0)), message.c_str(), InvalidArgument);
    };
    fails(weighted(std::array{1.0, 1.0}, a, named("bad", broken)), "bad gave item 2 a score that is not finite");
    fails(switching([](const Request&) { return 0; }, broken), "source 0 gave item 2 a score that is not finite");
    fails(cascade(a, named("bad", broken_scores)), "bad gave item 2 a score that is not finite");
    fails(stacked([](std::span<const float>) { return not_a_number; }, {}, a),
          "stacked: the combined score of item 1 is not finite");
    fails(weighted(std::array{1.0, -0.5}, a, named("b", b)),
          "weighted: the weight of b must be finite and >= 0, got -0.500000");
    fails(weighted(std::array{std::nan("")}, a), "weighted: the weight of source 0 must be finite and >= 0, got nan");
    const auto too_few = [](const Request&, const Candidates&) { return std::vector<float>{1.0F}; };
    fails(cascade(a, named("short", too_few)), "short must give a score per item, 3, got 1");
    CHECK_THROWS_AS(static_cast<void>(weighted(std::array{1.0}, HybridOptions{.scale = static_cast<ListScale>(5)}, a)),
                    InvalidArgument);
}

TEST_CASE("hybrids: they are sources of a funnel, of evaluate() and of each other") {
    const auto blend = weighted(std::array{0.5, 0.5}, a, b);
    const auto nested = switching([](const Request&) { return 1; }, a, cascade(blend, b));
    static_assert(funnel::metrics::Recommender<decltype(blend)>);
    static_assert(funnel::metrics::Recommender<decltype(nested)>);
    static_assert(Retriever<const decltype(nested), Request>);
    CHECK(ids_of(nested.recommend(0)) == Ids{5, 2, 6, 1, 3});
    const Funnel funnel(retrieve(named("nested", nested)));
    const auto answer = funnel.recommend(Request{.user = 0, .k = 2});
    REQUIRE(answer.items.size() == 2);
    CHECK(answer.items[0].id == 5);
}
