// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/pipeline/stage.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

using funnel::InvalidArgument;
using funnel::Scored;
using funnel::pipeline::Candidates;
using funnel::pipeline::Filter;
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

TEST_CASE("Request: whatever says who asks and for how many will do") {
    CHECK(funnel::pipeline::detail::k_of(PageRequest{.user = "anna", .page = "home"}) == 5);
    CHECK(funnel::pipeline::detail::excluded_of(Request{.exclude = {1, 2}}).size() == 2);
    CHECK(funnel::pipeline::detail::excluded_of(PageRequest{.user = "anna", .page = "home"}).empty());
}

TEST_CASE("a source: gives n items at most, whatever it finds") {
    const std::vector<Scored<>> found{{4, 3.0F}, {2, 2.0F}, {9, 1.0F}};
    const auto source = named("all", [&](const Request&, std::size_t) { return found; });
    for (const std::size_t n :
         {std::size_t{0}, std::size_t{1}, std::size_t{3}, std::numeric_limits<std::size_t>::max()}) {
        CHECK(funnel::pipeline::detail::ask(source, Request{}, n) ==
              std::vector<Scored<>>(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(n < 3 ? n : 3)));
    }
}

TEST_CASE("a source: ids of a wider type must be item ids, and do not wrap around") {
    struct Wide {
        std::int64_t id;
        double score;
    };
    for (const std::int64_t id : {std::int64_t{-1}, std::int64_t{1} << 32, std::numeric_limits<std::int64_t>::min()}) {
        const auto source = named("wide", [&](const Request&, std::size_t) { return std::vector<Wide>{{id, 0.5}}; });
        CHECK_THROWS_WITH_AS((void)funnel::pipeline::detail::ask(source, Request{}, 5),
                             ("wide: " + std::to_string(id) + " is not an item id, 0 to 4294967295").c_str(),
                             InvalidArgument);
    }
    const auto source =
        named("wide", [](const Request&, std::size_t) { return std::vector<Wide>{{0, 0.5}, {4294967295, 0.25}}; });
    CHECK(funnel::pipeline::detail::ask(source, Request{}, 5) ==
          std::vector<Scored<>>{{0, 0.5F}, {4294967295U, 0.25F}});
}

TEST_CASE("scores: a double that a float cannot hold is an error, an infinite one stays infinite") {
    const auto plain = [](double score) { return funnel::pipeline::detail::plain_score(score, "forest"); };
    constexpr double infinity = std::numeric_limits<double>::infinity();
    constexpr double largest = std::numeric_limits<float>::max();
    CHECK_THROWS_AS((void)plain(1e39), InvalidArgument);
    CHECK_THROWS_AS((void)plain(-1e39), InvalidArgument);
    CHECK(plain(largest) == std::numeric_limits<float>::max());
    CHECK(plain(-largest) == -std::numeric_limits<float>::max());
    CHECK(plain(infinity) == std::numeric_limits<float>::infinity());
    CHECK(plain(-infinity) == -std::numeric_limits<float>::infinity());
}
