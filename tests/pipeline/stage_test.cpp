// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/pipeline/stage.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

using funnel::Scored;
using funnel::pipeline::Candidates;
using funnel::pipeline::Filter;
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

TEST_CASE("Request: whatever says who asks and for how many will do") {
    CHECK(funnel::pipeline::detail::k_of(PageRequest{.user = "anna", .page = "home"}) == 5);
    CHECK(funnel::pipeline::detail::excluded_of(Request{.exclude = {1, 2}}).size() == 2);
    CHECK(funnel::pipeline::detail::excluded_of(PageRequest{.user = "anna", .page = "home"}).empty());
}
