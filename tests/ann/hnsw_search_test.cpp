// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/ann/hnsw_search.hpp>

#include <funnel/core/rng.hpp>
#include <funnel/core/top_k.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <vector>

using funnel::Scored;
using funnel::ann::detail::CandidatePool;
using funnel::ann::detail::no_node;
using funnel::ann::detail::VisitedSet;

namespace {

std::vector<Scored<>> contents(const CandidatePool& pool) {
    std::vector<Scored<>> all;
    for (std::size_t i = 0; i < pool.size(); ++i) {
        all.push_back(pool[i]);
    }
    return all;
}

}  // namespace

TEST_CASE("CandidatePool: best first, ties by id, the worst falls out") {
    CandidatePool pool;
    pool.reset(3);
    pool.insert(5, 1.0F);
    pool.insert(7, 2.0F);
    pool.insert(3, 1.0F);
    CHECK(contents(pool) == std::vector<Scored<>>{{7, 2.0F}, {3, 1.0F}, {5, 1.0F}});
    pool.insert(4, 1.0F);
    CHECK(contents(pool) == std::vector<Scored<>>{{7, 2.0F}, {3, 1.0F}, {4, 1.0F}});
    pool.insert(6, 1.0F);
    CHECK(pool[2].id == 4);
}

TEST_CASE("CandidatePool: expands each once, a better newcomer next") {
    CandidatePool pool;
    pool.reset(3);
    CHECK(pool.expand_next() == no_node);
    pool.insert(1, 1.0F);
    pool.insert(2, 0.5F);
    CHECK(pool.expand_next() == 1);
    pool.insert(3, 2.0F);
    CHECK(pool.expand_next() == 3);
    CHECK(pool.expand_next() == 2);
    CHECK(pool.expand_next() == no_node);
    CHECK(contents(pool) == std::vector<Scored<>>{{3, 2.0F}, {1, 1.0F}, {2, 0.5F}});
    pool.reset(1);
    CHECK(pool.size() == 0);
}

TEST_CASE("CandidatePool: holds what TopK of the same stream does") {
    funnel::Random random(1);
    for (const std::size_t capacity : {1U, 2U, 7U, 64U}) {
        CandidatePool pool;
        pool.reset(capacity);
        std::vector<Scored<>> storage(capacity);
        funnel::TopK<> top(storage);
        for (std::uint32_t id = 0; id < 500; ++id) {
            const auto score = static_cast<float>(random.below(40));
            pool.insert(id, score);
            top.push(id, score);
            if (id % 5 == 0) {
                (void)pool.expand_next();
            }
        }
        const auto best = top.finish();
        CHECK(contents(pool) == std::vector<Scored<>>(best.begin(), best.end()));
    }
}

TEST_CASE("VisitedSet: true the first time only") {
    VisitedSet visited;
    visited.reset(130);
    for (const std::uint32_t node : {0U, 63U, 64U, 129U}) {
        CHECK(visited.insert(node));
        CHECK_FALSE(visited.insert(node));
    }
    visited.reset(130);
    CHECK(visited.insert(64));
}
