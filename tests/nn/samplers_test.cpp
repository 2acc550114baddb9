// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/nn/samplers.hpp>

#include <funnel/core/error.hpp>
#include <funnel/core/rng.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

using funnel::InvalidArgument;
using funnel::Random;
using namespace funnel::nn;

namespace {

// The sum of (draws - expected)^2 / expected: above `limit` with probability 0.001 if the probabilities are right.
template <Sampler S>
void check_chi_square(const S& sampler, double limit) {
    constexpr std::size_t draws = 1'000'000;
    std::vector<std::size_t> counts(sampler.items());
    Random random(11);
    for (std::size_t i = 0; i < draws; ++i) {
        ++counts[sampler.draw(random)];
    }
    double sum = 0.0;
    double chi_square = 0.0;
    for (std::uint32_t id = 0; id < counts.size(); ++id) {
        const double p = sampler.probability(id);
        sum += p;
        const double expected = p * static_cast<double>(draws);
        if (p > 0.0) {
            chi_square += std::pow(static_cast<double>(counts[id]) - expected, 2.0) / expected;
        } else {
            CHECK(counts[id] == 0);
        }
    }
    CHECK(sum == doctest::Approx(1.0).epsilon(1e-12));
    CHECK(chi_square < limit);
}

using Lists = std::vector<std::vector<std::uint32_t>>;

void assign(PoolSampler& sampler, const Lists& lists) {
    sampler.assign(std::vector<std::span<const std::uint32_t>>(lists.begin(), lists.end()));
}

const std::vector<std::uint64_t> counts{1, 10, 100, 1000, 0, 50, 50};

}  // namespace

TEST_CASE("samplers: a million draws have the probabilities that the loss is corrected with (chi-square)") {
    check_chi_square(UniformSampler(7), 22.5);          // 6 degrees of freedom
    check_chi_square(PopularitySampler(counts), 20.5);  // 5
    check_chi_square(PopularitySampler(counts, 1.0), 20.5);
    check_chi_square(PopularitySampler(counts, 0.0), 20.5);
    check_chi_square(MixedSampler(counts, {.in_batch = 3, .uniform = 1}), 22.5);
    check_chi_square(MixedSampler(counts, {.in_batch = 3, .uniform = 1, .popular = 4, .alpha = 0.5}), 22.5);
    check_chi_square(MixedSampler(counts, {.popular = 4, .alpha = 0.5}), 20.5);
    const Lists lists{{0, 1, 2}, {}, {2}, {5, 0}};
    PoolSampler pools(7);
    assign(pools, lists);
    check_chi_square(pools, 16.3);  // 3
}

TEST_CASE("PoolSampler: worked by hand; pools replace those before") {
    PoolSampler sampler(4);
    CHECK(sampler.is_empty());
    const Lists two{{1, 3}, {3}, {}};
    assign(sampler, two);
    CHECK(sampler.probability(1) == 0.25);  // 1/2 of 1/2
    CHECK(sampler.probability(3) == 0.75);
    CHECK(sampler.probability(0) == 0.0);
    const Lists one{{3}};
    assign(sampler, one);
    CHECK(sampler.probability(1) == 0.0);
    CHECK(sampler.probability(3) == 1.0);
    Random random(1);
    CHECK(sampler.draw(random) == 3);
    const Lists unknown{{1, 3}, {1, 4}};
    CHECK_THROWS_AS(assign(sampler, unknown), InvalidArgument);
    CHECK(sampler.is_empty());
    CHECK(sampler.probability(3) == 0.0);
    assign(sampler, {{}, {}});
    CHECK(sampler.is_empty());
    const Lists twice{{2, 2, 1}};
    assign(sampler, twice);
    CHECK(sampler.probability(2) == doctest::Approx(2.0 / 3.0));
}

TEST_CASE("PopularitySampler: published probabilities of alpha 0.75") {
    const PopularitySampler sampler(std::vector<std::uint64_t>{1, 10, 100, 1000}, 0.75);
    const std::vector<double> expected{0.004628041, 0.02602539, 0.1463515, 0.8229951};
    for (std::uint32_t id = 0; id < 4; ++id) {
        CHECK(sampler.probability(id) == doctest::Approx(expected[id]).epsilon(1e-6));
    }
    CHECK(PopularitySampler(counts, 0.0).probability(4) == 0.0);  // an item that nobody took is never drawn
    const PopularitySampler extreme(std::vector<std::uint64_t>{1, std::numeric_limits<std::uint64_t>::max()}, 1000.0);
    CHECK(extreme.probability(1) == 1.0);
}

TEST_CASE("MixedSampler: the mean of popularity and uniform, by their numbers") {
    const MixedSampler sampler(std::vector<std::uint64_t>{3, 1, 0}, {.in_batch = 8, .uniform = 2});
    CHECK(sampler.probability(0) == doctest::Approx((8 * 0.75 + 2.0 / 3.0) / 10.0));
    CHECK(sampler.probability(2) == doctest::Approx(2.0 / 30.0));
    // 1/5 from the batch, 1/5 uniform, 3/5 by the roots of the counts: 2, 1 and 0.
    const MixedSampler three(std::vector<std::uint64_t>{4, 1, 0},
                             {.in_batch = 1, .uniform = 1, .popular = 3, .alpha = 0.5});
    CHECK(three.probability(0) == doctest::Approx((4.0 / 5.0 + 1.0 / 3.0 + 3.0 * 2.0 / 3.0) / 5.0));
    CHECK(three.probability(2) == doctest::Approx(1.0 / 15.0));
    CHECK(MixedSampler(counts, {.in_batch = 1}).probability(4) == 0.0);
    CHECK(MixedSampler(counts, {.uniform = 1}).probability(3) == doctest::Approx(1.0 / 7.0));
}

TEST_CASE("StreamingFrequency: an item of every tenth batch gets probability 0.1") {
    StreamingFrequency frequency(3, 0.05);
    for (std::uint64_t step = 1; step <= 5000; ++step) {
        std::vector<std::uint32_t> batch{0, 0};  // twice in a batch counts once
        if (step % 10 == 0) {
            batch.push_back(1);
        }
        frequency.update(step, batch);
    }
    CHECK(frequency.probability(0) == doctest::Approx(1.0).epsilon(1e-6));
    CHECK(frequency.probability(1) == doctest::Approx(0.1).epsilon(1e-6));
    CHECK(frequency.probability(2) == 0.01);  // never seen: the first interval
}

TEST_CASE("StreamingFrequency: worked by hand") {
    StreamingFrequency frequency(1, 0.5, 4.0);
    frequency.update(2, std::vector<std::uint32_t>{0});  // 0.5 * 4 + 0.5 * 2 = 3
    CHECK(frequency.probability(0) == doctest::Approx(1.0 / 3.0));
    frequency.update(3, std::vector<std::uint32_t>{0});  // 0.5 * 3 + 0.5 * 1 = 2
    CHECK(frequency.probability(0) == doctest::Approx(0.5));
}

TEST_CASE("samplers: bad arguments are rejected") {
    CHECK_THROWS_AS(UniformSampler(0), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(UniformSampler(std::numeric_limits<std::size_t>::max())), InvalidArgument);
    CHECK_THROWS_AS(PopularitySampler({}), InvalidArgument);
    CHECK_THROWS_AS(PopularitySampler(std::vector<std::uint64_t>{0, 0}), InvalidArgument);
    CHECK_THROWS_AS(PopularitySampler(counts, -0.5), InvalidArgument);
    CHECK_THROWS_AS(PopularitySampler(counts, std::numeric_limits<double>::quiet_NaN()), InvalidArgument);
    CHECK_THROWS_AS(MixedSampler(counts, {}), InvalidArgument);
    CHECK_THROWS_AS(MixedSampler(counts, {.in_batch = 1, .alpha = -1.0}), InvalidArgument);
    CHECK_THROWS_AS(StreamingFrequency(3, 0.0), InvalidArgument);
    CHECK_THROWS_AS(StreamingFrequency(3, 0.5, 0.5), InvalidArgument);
    StreamingFrequency frequency(3);
    const std::vector<std::uint32_t> unknown{0, 3};
    CHECK_THROWS_AS(frequency.update(0, {}), InvalidArgument);
    CHECK_THROWS_AS(frequency.update(1, unknown), InvalidArgument);
    CHECK(frequency.probability(0) == 0.01);  // nothing has changed
    CHECK_THROWS_AS(static_cast<void>(frequency.probability(3)), InvalidArgument);
}
