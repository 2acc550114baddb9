// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/metrics/recommender.hpp>

#include <funnel/core/scored.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <list>
#include <span>
#include <string>
#include <vector>

using funnel::Scored;
using funnel::metrics::ItemList;
using funnel::metrics::Recommender;
using funnel::metrics::ScoredList;

namespace {

struct Options {
    std::size_t k = 10;
    bool keep_seen = false;
};

template <class List>
struct Returning {
    List recommend(std::uint32_t, const Options& = {}) const { return {}; }
};

struct NotConst {
    std::vector<Scored<>> recommend(std::uint32_t, const Options&) { return {}; }
};

struct PlainNumber {
    std::vector<Scored<>> recommend(std::uint32_t, std::size_t) const { return {}; }
};

struct OtherOptions {
    std::size_t n = 10;
};

struct NoK {
    std::vector<Scored<>> recommend(std::uint32_t, const OtherOptions&) const { return {}; }
};

struct OwnEntry {
    int id;
    double score;
    std::string reason;
};

}  // namespace

static_assert(Recommender<Returning<std::vector<Scored<>>>>);
static_assert(Recommender<Returning<std::vector<Scored<std::int64_t>>>>);
static_assert(Recommender<Returning<std::list<OwnEntry>>>);
static_assert(Recommender<Returning<std::span<const Scored<>>>>);
static_assert(!Recommender<Returning<std::vector<std::uint32_t>>>, "ids alone: a list has scores");
static_assert(!Recommender<Returning<int>>);
static_assert(!Recommender<NotConst>);
static_assert(!Recommender<PlainNumber>);
static_assert(!Recommender<NoK>);
static_assert(!Recommender<int>);

static_assert(ItemList<std::vector<std::uint32_t>> && ItemList<std::vector<Scored<>>>);
static_assert(!ItemList<std::vector<float>> && !ItemList<std::vector<std::string>> && !ItemList<std::uint32_t>);
static_assert(ScoredList<std::vector<Scored<>>> && !ScoredList<std::vector<int>>);

TEST_CASE("recommender: any type fits whose recommend(user, {.k = 10}) returns ids with scores") {
    const Returning<std::vector<Scored<>>> model;
    CHECK(model.recommend(0, {.k = 3}).empty());
}
