// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/core/rng.hpp>

#include "support/dies.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <numeric>
#include <random>
#include <set>
#include <span>
#include <type_traits>
#include <vector>

using doctest::Approx;
using funnel::InvalidArgument;
using funnel::philox4x32;
using funnel::Random;
using funnel::Stream;
using funnel::stream;

using Block = std::array<std::uint32_t, 4>;

static_assert(std::uniform_random_bit_generator<Random>);

TEST_CASE("philox4x32: known answers of the authors' library (Random123)") {
    static_assert(philox4x32({0, 0, 0, 0}, {0, 0}) == Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
    constexpr std::uint32_t ones = 0xffffffff;
    CHECK(philox4x32({ones, ones, ones, ones}, {ones, ones}) == Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
    CHECK(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
          Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
    CHECK(philox4x32({7, 42, 0, 0}, {123, 0}) == Block{0xe3c832e7, 0xe05acb16, 0xd5e815b9, 0xdd78a925});
}

TEST_CASE("Random: draws the blocks of its index, one after the other") {
    const std::uint64_t seed = 0x0123456789abcdef;
    const std::uint64_t index = 0xfedcba9876543210;
    Random random(seed, index);
    for (std::uint32_t position = 0; position < 3; ++position) {
        for (const std::uint32_t expected :
             philox4x32({position, 0, 0x76543210, 0xfedcba98}, {0x89abcdef, 0x01234567})) {
            CHECK(random() == expected);
        }
    }
}

TEST_CASE("Random: seeds and indices differ from each other, the same ones repeat") {
    CHECK(Random(1, 2)() == Random(1, 2)());
    CHECK(Random(1, 2)() != Random(1, 3)());
    CHECK(Random(1, 2)() != Random(2, 2)());
    CHECK(Random(std::uint64_t{1} << 32)() != Random(0)());
    CHECK(Random(0, std::uint64_t{1} << 32)() != Random(0)());
}

// The names that the library used when this was written.
constexpr std::array<const char*, 16> library_names{"fm.order",
                                                    "fm.vectors",
                                                    "hnsw.levels",
                                                    "hnsw.order",
                                                    "implicit_als.items",
                                                    "implicit_als.users",
                                                    "logistic_regression.order",
                                                    "negatives.draws",
                                                    "splits.random",
                                                    "synthetic.activity",
                                                    "synthetic.genres",
                                                    "synthetic.items",
                                                    "synthetic.picks",
                                                    "synthetic.places",
                                                    "synthetic.tastes",
                                                    "synthetic_items.items"};

static_assert(!std::is_convertible_v<std::uint64_t, Stream>);
static_assert(!std::is_constructible_v<Random, std::uint64_t, const char*>);

TEST_CASE("stream: the name decides, at compile time") {
    constexpr Stream order = stream("fm.order");
    static_assert(order == stream("fm.order"));
    static_assert(order != stream("fm.orders") && order != stream("fm.Order") && order != stream(""));
    static_assert(order.id == 0x993383e9d3c00a2e);  // FNV-1a, computed independently
    static_assert(order.substream(1) == order.substream(1));
    static_assert(order.substream(1) != order.substream(2) && order.substream(0) != order);
    static_assert(order.substream(1) != stream("fm.vectors").substream(1));
}

TEST_CASE("stream: the names of the library do not collide") {
    std::set<std::uint64_t> ids;
    for (const char* name : library_names) {
        ids.insert(stream(name).id);
    }
    CHECK(ids.size() == library_names.size());
}

TEST_CASE("Random: a stream of a seed draws the blocks of its key") {
    // SplitMix64 applied twice: key = mix(mix(seed) ^ id); computed independently.
    Random random(2024, stream("fm.order"), std::uint64_t{5} << 32 | 7);
    for (std::uint32_t position = 0; position < 2; ++position) {
        for (const std::uint32_t expected : philox4x32({position, 0, 7, 5}, {0xb1dbd0e9, 0x8a40c3cd})) {
            CHECK(random() == expected);
        }
    }
}

TEST_CASE("Random: no two of seed, stream and index draw the same numbers") {
    std::set<std::uint64_t> starts;
    std::size_t sequences = 0;
    const auto start = [&](Random random) {
        starts.insert(std::uint64_t{random()} << 32 | random());
        ++sequences;
    };
    for (std::uint64_t seed = 0; seed < 64; ++seed) {
        for (std::uint64_t index = 0; index < 4; ++index) {
            start(Random(seed, index));
            for (const char* name : library_names) {
                start(Random(seed, stream(name), index));
                start(Random(seed, stream(name).substream(seed), index));
            }
        }
    }
    CHECK(starts.size() == sequences);  // 8,448 draws of 64 bits: two are equal with probability 1.9e-12
}

TEST_CASE("Random: neighbouring indices, streams, substreams and seeds are not correlated") {
    constexpr int n = 20000;
    constexpr Stream here = stream("test.here");
    const auto correlation = [&](auto&& first, auto&& second) {
        double sum = 0.0;
        for (std::uint64_t i = 0; i < n; ++i) {
            sum += (first(i).uniform() - 0.5) * (second(i).uniform() - 0.5);
        }
        return sum / n * 12.0;
    };
    const auto by_index = [&](std::uint64_t i) { return Random(1, here, i); };
    const auto by_substream = [&](std::uint64_t i) { return Random(1, here.substream(i)); };
    const auto by_seed = [&](std::uint64_t i) { return Random(i, here); };
    const double bound = 5.0 / std::sqrt(n);  // five standard errors: the variance of a product is 1 / 144
    CHECK(std::abs(correlation(by_index, [&](std::uint64_t i) { return by_index(i + 1); })) < bound);
    CHECK(std::abs(correlation(by_index, [&](std::uint64_t i) { return Random(1, stream("test.herf"), i); })) < bound);
    CHECK(std::abs(correlation(by_substream, [&](std::uint64_t i) { return by_substream(i + 1); })) < bound);
    CHECK(std::abs(correlation(by_seed, [&](std::uint64_t i) { return by_seed(i + 1); })) < bound);
    CHECK(std::abs(correlation(by_seed, by_index)) < bound);
    CHECK(std::abs(correlation(by_seed, [](std::uint64_t i) { return Random(i); })) < bound);
}

TEST_CASE("uniform: has the moments and the bins of the uniform distribution") {
    Random random(11);
    constexpr int n = 200'000;
    double sum = 0.0;
    double squares = 0.0;
    std::array<int, 20> bins{};
    for (int i = 0; i < n; ++i) {
        const double u = random.uniform();
        REQUIRE(u > 0.0);
        REQUIRE(u < 1.0);
        sum += u;
        squares += u * u;
        ++bins[static_cast<std::size_t>(u * 20.0)];
    }
    // Five standard errors: 1 / sqrt(12 n) for the mean, 0.298 / sqrt(n) for the mean of squares.
    CHECK(std::abs(sum / n - 0.5) < 5.0 / std::sqrt(12.0 * n));
    CHECK(std::abs(squares / n - 1.0 / 3.0) < 5.0 * 0.298 / std::sqrt(n));
    double chi_squared = 0.0;
    for (const int count : bins) {
        chi_squared += (count - n / 20.0) * (count - n / 20.0) / (n / 20.0);
    }
    CHECK(chi_squared < 50.0);  // 19 degrees of freedom: exceeded once in 8,000 seeds
}

TEST_CASE("normal: quantiles of the tables, to their last digit") {
    CHECK(funnel::detail::normal_quantile(0.5) == 0.0);
    CHECK(funnel::detail::normal_quantile(0.975) == Approx(1.959963984540054).epsilon(1e-14));
    CHECK(funnel::detail::normal_quantile(0.9) == Approx(1.2815515655446004).epsilon(1e-14));
    CHECK(funnel::detail::normal_quantile(1e-20) == Approx(-9.262340089798408).epsilon(1e-14));  // Wichura's own check
    CHECK(funnel::detail::normal_quantile(0.25) == Approx(-0.6744897501960817).epsilon(1e-14));  // Wichura's own check
    CHECK(funnel::detail::normal_quantile(0.001) == Approx(-3.090232306167814).epsilon(1e-14));  // Wichura's own check
}

TEST_CASE("normal: quantiles invert the distribution function everywhere") {
    for (double p = 0x1p-53; p < 0.5; p *= 1.37) {
        const double x = funnel::detail::normal_quantile(p);
        CHECK(0.5 * std::erfc(-x / std::sqrt(2.0)) == Approx(p).epsilon(1e-12));
        if (p > 1e-10) {  // below, 1 - p keeps too few digits of p
            CHECK(funnel::detail::normal_quantile(1.0 - p) == Approx(-x).epsilon(1e-5));
        }
    }
}

TEST_CASE("normal: the logarithm in it agrees with the C library's") {
    for (double x = 1e-300; x < 1e300; x *= 3.7) {
        CHECK(funnel::detail::portable_log(x) == Approx(std::log(x)).epsilon(1e-15));
    }
    CHECK(funnel::detail::portable_log(1.0) == 0.0);
}

TEST_CASE("normal: mean 0, variance 1, no skew, the tails of a normal distribution") {
    Random random(12);
    constexpr int n = 200'000;
    std::array<double, 5> moments{};
    for (int i = 0; i < n; ++i) {
        const double x = random.normal();
        double power = 1.0;
        for (double& moment : moments) {
            moment += power / n;
            power *= x;
        }
    }
    // Five standard errors; the variance of x^k is E x^2k - (E x^k)^2: 1, 2, 15, 96.
    CHECK(std::abs(moments[1]) < 5.0 * std::sqrt(1.0 / n));
    CHECK(std::abs(moments[2] - 1.0) < 5.0 * std::sqrt(2.0 / n));
    CHECK(std::abs(moments[3]) < 5.0 * std::sqrt(15.0 / n));
    CHECK(std::abs(moments[4] - 3.0) < 5.0 * std::sqrt(96.0 / n));
}

TEST_CASE("Random: the same bits on every machine") {
    // Written down on x86-64 (g++ 12, clang 14, clang 19; with and without FMA instructions): any other machine must
    // agree.
    Random random(2024, 7);
    std::uint64_t hash = 0;
    for (int i = 0; i < 1000; ++i) {
        hash = hash * 31 + std::bit_cast<std::uint64_t>(random.uniform());
        hash = hash * 31 + std::bit_cast<std::uint64_t>(random.normal());
        hash = hash * 31 + random.below(1000 + static_cast<std::uint64_t>(i));
    }
    CHECK(hash == 438869212856138892U);
}

TEST_CASE("below: each number is equally likely, also when 2^32 is no multiple of n") {
    // For n = 3 * 2^30 a draw without the repair of the bias would hit the numbers 0 mod 3 twice as often as the
    // others.
    Random random(13);
    constexpr std::uint64_t n = std::uint64_t{3} << 30;
    std::array<int, 3> counts{};
    constexpr int draws = 30'000;
    for (int i = 0; i < draws; ++i) {
        const std::uint64_t draw = random.below(n);
        REQUIRE(draw < n);
        ++counts[draw % 3];
    }
    for (const int count : counts) {
        CHECK(std::abs(count - draws / 3) < 5.0 * std::sqrt(draws * 2.0 / 9.0));
    }
}

TEST_CASE("below: small, large and largest bounds") {
    Random random(14);
    std::map<std::uint64_t, int> counts;
    for (int i = 0; i < 6000; ++i) {
        ++counts[random.below(6)];
    }
    CHECK(counts.size() == 6);
    for (const auto& [face, count] : counts) {
        CHECK(face < 6);
        CHECK(std::abs(count - 1000) < 5.0 * std::sqrt(6000.0 * 5.0 / 36.0));
    }
    CHECK(random.below(1) == 0);
    CHECK(random.below(std::uint64_t{1} << 32) < (std::uint64_t{1} << 32));
    constexpr std::uint64_t large = (std::uint64_t{1} << 40) + 12345;
    std::uint64_t highest = 0;
    for (int i = 0; i < 1000; ++i) {
        const std::uint64_t draw = random.below(large);
        REQUIRE(draw < large);
        highest = std::max(highest, draw);
    }
    CHECK(highest > large / 100 * 98);
    CHECK_THROWS_AS((void)random.below(0), InvalidArgument);
}

TEST_CASE("shuffle: every order of four is equally likely, and nothing gets lost") {
    std::map<std::vector<int>, int> counts;
    constexpr int n = 24'000;
    for (int i = 0; i < n; ++i) {
        std::vector<int> cards{1, 2, 3, 4};
        Random(15, static_cast<std::uint64_t>(i)).shuffle(std::span(cards));
        ++counts[cards];
    }
    CHECK(counts.size() == 24);
    for (const auto& [order, count] : counts) {
        CHECK(std::accumulate(order.begin(), order.end(), 0) == 10);
        CHECK(std::abs(count - 1000) < 5.0 * std::sqrt(1000.0));
    }
    std::vector<int> nothing;
    Random(1).shuffle(std::span(nothing));
    std::vector<int> one{7};
    Random(1).shuffle(std::span(one));

    std::vector<int> ascending{0, 1, 2, 3, 4, 5, 6};
    Random(3, 4).shuffle(std::span(ascending));
    CHECK(Random(3, 4).permutation<int>(7) == ascending);
    CHECK(Random(3).permutation<int>(0).empty());
    CHECK(one.front() == 7);
}

TEST_CASE("discard: the same as that many draws") {
    for (std::uint64_t drawn = 0; drawn < 6; ++drawn) {
        for (std::uint64_t skipped = 0; skipped < 14; ++skipped) {
            Random random(5, 6);
            Random expected(5, 6);
            for (std::uint64_t i = 0; i < drawn; ++i) {
                (void)random();
            }
            random.discard(skipped);
            for (std::uint64_t i = 0; i < drawn + skipped; ++i) {
                (void)expected();
            }
            for (int i = 0; i < 9; ++i) {
                CHECK(random() == expected());
            }
        }
    }
}

TEST_CASE("Random: a sequence does not repeat after 2^32 blocks") {
    constexpr std::uint64_t blocks = std::uint64_t{1} << 32;
    Random random(8, 9);
    random.discard(4 * (blocks - 1));
    for (const Block counter : {Block{0xffffffff, 0, 9, 0}, Block{0, 1, 9, 0}, Block{1, 1, 9, 0}}) {
        for (const std::uint32_t expected : philox4x32(counter, {8, 0})) {
            CHECK(random() == expected);
        }
    }
    Random far(8, 9);
    far.discard(4 * (7 * blocks) + 1);
    CHECK(far() == philox4x32({0, 7, 9, 0}, {8, 0})[1]);
}

TEST_CASE("below: 2^32 is the last bound that takes one draw") {
    constexpr std::uint64_t bound = std::uint64_t{1} << 32;
    Random random(16);
    Random bits(16);
    CHECK(random.below(bound) == bits());
    CHECK(random() == bits());
    for (int i = 0; i < 20; ++i) {  // 33 bits, the first of two draws, until they are below the bound
        std::uint64_t expected = 0;
        do {
            const std::uint64_t first = bits();
            expected = (first << 32 | bits()) >> 31;
        } while (expected > bound);
        CHECK(random.below(bound + 1) == expected);
    }
}

TEST_CASE("permutation: a type too small for its numbers is an error, not numbers that occur twice") {
    CHECK(Random(1).permutation<std::uint8_t>(256).size() == 256);
    CHECK_THROWS_AS((void)Random(1).permutation<std::uint8_t>(257), InvalidArgument);
    CHECK_THROWS_AS((void)Random(1).permutation<std::int8_t>(129), InvalidArgument);
    CHECK_THROWS_AS((void)Random(1).permutation<int>(std::numeric_limits<std::size_t>::max()), InvalidArgument);
}

#if FUNNEL_CHECKS
TEST_CASE("FUNNEL_CHECKS: quantiles outside of (0, 1) and logarithms of nothing are found out") {
    using funnel::testing::dies;
    for (const double p : {0.0, 1.0, -0.5, std::numeric_limits<double>::quiet_NaN()}) {
        CHECK(dies([p] { (void)funnel::detail::normal_quantile(p); }, "p > 0.0 && p < 1.0"));
    }
    for (const double x : {0.0, -1.0, 1e-310, std::numeric_limits<double>::infinity()}) {
        CHECK(dies([x] { (void)funnel::detail::portable_log(x); }, "core/portable_math.hpp:"));
    }
}
#endif
