// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/pipeline/stage.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

using funnel::Scored;
using funnel::pipeline::Candidates;
using funnel::pipeline::Filter;
using funnel::pipeline::Named;
using funnel::pipeline::named;
using funnel::pipeline::Ranker;
using funnel::pipeline::RecommendationRequest;
using funnel::pipeline::Request;
using funnel::pipeline::Reranker;
using funnel::pipeline::Retriever;

namespace {

struct Options {
    std::size_t k = 10;
    bool keep_seen = false;
};

struct Model {
    std::vector<Scored<>> recommend(std::uint32_t, const Options& = {}) const { return {{1, 1.0F}}; }
    std::vector<double> score(std::uint32_t, std::span<const std::uint32_t> items) const {
        return std::vector<double>(items.size(), 0.5);
    }
};

struct PageRequest {
    std::string user;
    int k = 5;
    std::string page;
};

using Find = std::vector<Scored<>> (*)(const Request&, std::size_t);
using Score = std::vector<float> (*)(const Request&, const Candidates&);
using Order = std::vector<std::size_t> (*)(const Request&, const Candidates&);
using Keep = bool (*)(const Request&, std::uint32_t);

}  // namespace

static_assert(RecommendationRequest<Request>);
static_assert(RecommendationRequest<PageRequest>);
static_assert(!RecommendationRequest<Options>);  // no user

static_assert(Retriever<const Model, Request>);
static_assert(Retriever<Find, Request>);
static_assert(!Retriever<Find, PageRequest>);  // asks for another request
static_assert(!Retriever<Score, Request>);
static_assert(!Retriever<const Model, PageRequest>);  // its users are numbers

static_assert(Ranker<const Model, Request>);
static_assert(Ranker<Score, Request>);
static_assert(!Ranker<Find, Request>);

static_assert(Reranker<Order, Request>);
static_assert(!Reranker<Score, Request>);  // positions are whole numbers
static_assert(!Reranker<Model, Request>);

static_assert(Filter<Keep, Request>);
static_assert(!Filter<Find, Request>);

TEST_CASE("named: refers to an lvalue, and takes over an rvalue") {
    Model model;
    const auto refers = named("model", model);
    static_assert(std::is_same_v<decltype(refers), const Named<Model&>>);
    CHECK(&refers.work == &model);
    CHECK(refers.name == "model");
    CHECK_FALSE(refers.options.at_most.has_value());

    const auto owns = named("model", Model{}, {.at_most = 3});
    static_assert(std::is_same_v<decltype(owns), const Named<Model>>);
    CHECK(owns.options.at_most == 3U);
}
