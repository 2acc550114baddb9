// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/ann/reservoir.hpp>
#include <funnel/ann/select_best.hpp>

#include <funnel/core/rng.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/kernels/backend.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

using funnel::Random;
using funnel::ranks_before;
using funnel::Scored;
using funnel::stream;
using funnel::ann::detail::key_of;
using funnel::ann::detail::order_best;
using funnel::ann::detail::Reservoir;
using funnel::ann::detail::select_best;
using funnel::ann::detail::value_of;

namespace {

// `count` candidates in random order, with `values` different scores.
[[nodiscard]] std::vector<Scored<>> candidates_of(std::size_t count, std::size_t values, std::uint64_t seed) {
    Random random(seed, stream("test.candidates"));
    std::vector<Scored<>> candidates(count);
    for (std::size_t i = 0; i < count; ++i) {
        candidates[i] = {static_cast<std::uint32_t>(i), static_cast<float>(random.below(values)) - 3.0F};
    }
    random.shuffle(std::span(candidates));
    return candidates;
}

[[nodiscard]] std::vector<Scored<>> sorted(std::span<const Scored<>> candidates) {
    std::vector<Scored<>> all(candidates.begin(), candidates.end());
    std::sort(all.begin(), all.end(), ranks_before);
    return all;
}

}  // namespace

TEST_CASE("select_best: the best in front, whatever ties there are") {
    for (const std::size_t n : {1U, 2U, 7U, 64U, 500U}) {
        for (const std::size_t values : {1U, 2U, 10U, 1000000U}) {
            for (const std::size_t count : {std::size_t{1}, (n + 2) / 3, n}) {
                CAPTURE(n);
                CAPTURE(values);
                CAPTURE(count);
                auto candidates = candidates_of(n, values, n + values);
                const auto all = sorted(candidates);
                const float reached = select_best(candidates, count);
                CHECK(sorted(std::span(candidates).first(count)) ==
                      std::vector<Scored<>>(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(count)));
                CHECK(reached <= all[count - 1].score);
                CHECK((count == n || reached >= all[count].score));
            }
        }
    }
}

TEST_CASE("order_best: the best positions in order, whatever ties and infinities there are") {
    constexpr float infinity = std::numeric_limits<float>::infinity();
    for (const std::size_t n : {1U, 2U, 15U, 16U, 17U, 100U, 900U}) {
        for (const std::size_t values : {1U, 2U, 10U, 1000000U}) {
            auto candidates = candidates_of(n, values, n + values);
            for (std::size_t i = 0; i < n; ++i) {  // ids are positions
                candidates[i].id = static_cast<std::uint32_t>(i);
            }
            candidates[n / 2].score = infinity;
            candidates[n / 3].score = -infinity;
            candidates[n / 4].score = -0.0F;
            std::vector<float> scores;
            for (const Scored<>& candidate : candidates) {
                scores.push_back(candidate.score);
            }
            const auto all = sorted(candidates);
            for (const std::size_t count : {std::size_t{1}, (n + 9) / 10, (n + 1) / 2, n}) {
                CAPTURE(n);
                CAPTURE(values);
                CAPTURE(count);
                std::vector<Scored<>> out(n);
                order_best<funnel::kernels::DefaultBackend>(scores, count, out);
                out.resize(count);
                CHECK(out == std::vector<Scored<>>(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(count)));
            }
        }
    }
}

TEST_CASE("key_of: whole numbers in the order of floats, and back") {
    constexpr float infinity = std::numeric_limits<float>::infinity();
    const std::vector<float> ascending{-infinity, -1e30F, -1.0F, -1e-45F, 0.0F, 1e-45F, 1e-30F, 1.0F, 2.0F, infinity};
    for (std::size_t i = 0; i < ascending.size(); ++i) {
        CHECK(value_of(key_of(ascending[i])) == ascending[i]);
        CHECK((i == 0 || key_of(ascending[i - 1]) < key_of(ascending[i])));
    }
    CHECK(key_of(-0.0F) == key_of(0.0F));
}

TEST_CASE("select_best: scores of very different size, and infinities") {
    constexpr float infinity = std::numeric_limits<float>::infinity();
    constexpr float most = std::numeric_limits<float>::max();
    const std::vector<Scored<>> all{{0, infinity}, {1, most},  {2, 1.0F},  {3, 1e-30F},   {4, 1e-38F},
                                    {5, 0.0F},     {6, -1.0F}, {7, -most}, {8, -infinity}};
    for (std::size_t count = 1; count <= all.size(); ++count) {
        std::vector<Scored<>> candidates(all.rbegin(), all.rend());
        (void)select_best(candidates, count);
        CHECK(sorted(std::span(candidates).first(count)) ==
              std::vector<Scored<>>(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(count)));
    }
}

TEST_CASE("Reservoir: keeps the best of a stream in any order") {
    for (const std::size_t keep : {1U, 2U, 30U, 700U}) {
        for (const std::size_t values : {1U, 5U, 1000000U}) {
            for (const std::uint64_t seed : {1U, 2U}) {
                const auto stream_of_candidates = candidates_of(3000, values, seed);
                const auto all = sorted(stream_of_candidates);
                std::vector<Scored<>> memory(Reservoir::room(keep));
                Reservoir reservoir(memory);
                for (std::size_t i = 0; i < stream_of_candidates.size(); ++i) {
                    reservoir.push(stream_of_candidates[i]);
                    if (i % 100 == 0) {
                        reservoir.raise_threshold();
                    }
                }
                CHECK(sorted(reservoir.best()) ==
                      std::vector<Scored<>>(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(keep)));
                CHECK(reservoir.threshold() <= all[keep - 1].score);
            }
        }
    }
}

TEST_CASE("Reservoir: with a margin it keeps what is that near to the k-th best, and not more than `keep`") {
    // Scores are 3000 whole numbers or fewer: 20 are best, and a margin of 7.5 reaches 7 more if all differ.
    for (const std::size_t values : {5U, 40U, 100000U}) {
        for (const float margin : {0.0F, 7.5F, 1000.0F, 1e9F}) {
            const auto stream_of_candidates = candidates_of(3000, values, 7);
            const auto all = sorted(stream_of_candidates);
            std::vector<Scored<>> memory(Reservoir::room(60));
            Reservoir reservoir(memory, 20, margin);
            for (std::size_t i = 0; i < stream_of_candidates.size(); ++i) {
                reservoir.push(stream_of_candidates[i]);
                if (i % 64 == 0) {
                    reservoir.raise_threshold();
                }
            }
            std::vector<Scored<>> expected;
            for (std::size_t i = 0; i < 60; ++i) {
                if (all[i].score >= all[19].score - margin) {
                    expected.push_back(all[i]);
                }
            }
            CHECK(sorted(reservoir.best()) == expected);
        }
    }
}

TEST_CASE("Reservoir: the threshold rises as soon as twice k candidates have entered") {
    std::vector<Scored<>> memory(Reservoir::room(30));
    Reservoir reservoir(memory, 10, 2.0F);
    for (std::uint32_t id = 0; id < 20; ++id) {
        CHECK(reservoir.threshold() == -std::numeric_limits<float>::infinity());
        reservoir.push({id, static_cast<float>(id)});
    }
    reservoir.raise_threshold();
    CHECK(reservoir.threshold() == 8.0F);  // the 10th best is 10
    CHECK(reservoir.best().size() == 12);
}
