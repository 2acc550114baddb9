// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/metrics/coverage.hpp>

#include <funnel/core/math.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/scored.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <span>
#include <vector>

using doctest::Approx;
using funnel::InvalidArgument;
using funnel::Random;
using funnel::Scored;
using funnel::metrics::count_shown;
using funnel::metrics::coverage;
using funnel::metrics::entropy;
using funnel::metrics::gini;

namespace {

using Counts = std::vector<std::uint64_t>;
using Lists = std::vector<std::vector<std::uint32_t>>;

constexpr double six_digits = 1e-6;  // the published values are printed with six

// Half the relative mean absolute difference: the other definition of the same index.
double gini_by_pairs(const Counts& counts) {
    double differences = 0.0;
    double total = 0.0;
    for (const std::uint64_t a : counts) {
        total += static_cast<double>(a);
        for (const std::uint64_t b : counts) {
            differences += std::abs(static_cast<double>(a) - static_cast<double>(b));
        }
    }
    return differences / (2.0 * static_cast<double>(counts.size()) * total);
}

// By grouping equal counts: entropy of which count, plus entropy within the group.
double entropy_by_grouping(const Counts& counts) {
    std::map<std::uint64_t, double> items_with;
    double total = 0.0;
    for (const std::uint64_t count : counts) {
        items_with[count] += 1.0;
        total += static_cast<double>(count);
    }
    double bits = 0.0;
    for (const auto& [count, items] : items_with) {
        const double share = static_cast<double>(count) * items / total;
        bits += count > 0 ? share * (std::log(items) - std::log(share)) / std::log(2.0) : 0.0;
    }
    return bits;
}

}  // namespace

TEST_CASE("coverage, gini, entropy: worked by hand") {
    // Three lists of two from five items: 0 three times, 1 twice, 2 once, 3 and 4 never.
    const Counts counts = count_shown(Lists{{0, 1}, {0, 2}, {0, 1}}, 5);
    CHECK(counts == Counts{3, 2, 1, 0, 0});

    CHECK(coverage(counts) == 0.6);
    // Ascending 0 0 1 2 3 with weights -4 -2 0 2 4: (2 * 2 + 4 * 3) / (5 * 6) = 16 / 30
    CHECK(gini(counts) == Approx(0.533333).epsilon(six_digits));
    // 1/2 * 1 + 1/3 * log2(3) + 1/6 * log2(6)
    CHECK(entropy(counts) == Approx(1.459148).epsilon(six_digits));
}

TEST_CASE("entropy: normalised, it is a part of the most that the catalogue allows") {
    CHECK(entropy(Counts{3, 3, 3, 3}, {.normalised = true}) == 1.0);
    CHECK(entropy(Counts{5, 0, 0}, {.normalised = true}) == 0.0);
    CHECK(entropy(Counts{1, 1, 0, 0}, {.normalised = true}) == 0.5);
    CHECK(funnel::math::is_nan(entropy(Counts{7}, {.normalised = true})));
    CHECK(funnel::math::is_nan(entropy(Counts{0, 0}, {.normalised = true})));
}

TEST_CASE("coverage, gini, entropy: are none of the variants that go by the same name") {
    const Counts counts{3, 2, 1, 0, 0};
    // A place for padding that can never be shown: coverage 0.5, gini 0.611111. Shown items only: gini 0.222222.
    CHECK(coverage(Counts{3, 2, 1, 0, 0, 0}) == 0.5);
    CHECK(gini(Counts{3, 2, 1, 0, 0, 0}) == Approx(0.611111).epsilon(six_digits));
    CHECK(gini(Counts{3, 2, 1}) == Approx(0.222222).epsilon(six_digits));
    CHECK(gini(counts) == Approx(0.533333).epsilon(six_digits));
    // Nats, 1.011404, and nats by the number of distinct items, 0.337135.
    CHECK(entropy(counts) * std::log(2.0) == Approx(1.011404).epsilon(six_digits));
    CHECK(entropy(counts) * std::log(2.0) / 3.0 == Approx(0.337135).epsilon(1e-5));  // printed with six digits
}

TEST_CASE("gini, entropy: agree with other forms of their definitions on random counts, in any order") {
    Random random(5);
    for (const std::size_t n : {1U, 2U, 7U, 50U}) {
        Counts counts(n);
        for (std::uint64_t& count : counts) {
            count = random.below(20) * random.below(2);
        }
        counts[0] += 1;
        CHECK(gini(counts) == Approx(gini_by_pairs(counts)).epsilon(1e-12));
        CHECK(entropy(counts) == Approx(entropy_by_grouping(counts)).epsilon(1e-12));

        const double before = gini(counts);
        random.shuffle(std::span(counts));
        CHECK(gini(counts) == before);
        CHECK(entropy(counts) == Approx(entropy_by_grouping(counts)).epsilon(1e-12));
    }
}

TEST_CASE("coverage, gini, entropy: everything alike, and one item that takes all") {
    CHECK(coverage(Counts(8, 3)) == 1.0);
    CHECK(gini(Counts(8, 3)) == 0.0);
    CHECK(entropy(Counts(8, 3)) == 3.0);
    CHECK(coverage(Counts{0, 9, 0, 0}) == 0.25);
    CHECK(gini(Counts{0, 9, 0, 0}) == 0.75);  // (n - 1) / n
    CHECK(entropy(Counts{0, 9, 0, 0}) == 0.0);
}

TEST_CASE("gini: a place given from a frequent item to a rare one makes it smaller") {
    CHECK(gini(Counts{5, 3, 2}) < gini(Counts{6, 3, 1}));
    CHECK(entropy(Counts{5, 3, 2}) > entropy(Counts{6, 3, 1}));
}

TEST_CASE("coverage, gini, entropy: nothing shown, no catalogue") {
    CHECK(coverage(Counts(4, 0)) == 0.0);
    CHECK(funnel::math::is_nan(gini(Counts(4, 0))));
    CHECK(funnel::math::is_nan(entropy(Counts(4, 0))));
    CHECK(funnel::math::is_nan(coverage(Counts{})));
    CHECK(funnel::math::is_nan(gini(Counts{})));
    CHECK(funnel::math::is_nan(entropy(Counts{})));
}

TEST_CASE("count_shown: takes ids, or what recommend() returns") {
    CHECK(count_shown(Lists{}, 2) == Counts{0, 0});
    CHECK(count_shown(Lists{{}, {1}}, 2) == Counts{0, 1});
    CHECK(count_shown(std::vector<std::vector<Scored<>>>{{{1, 0.5F}, {0, 0.1F}}, {{1, 2.0F}}}, 3) == Counts{1, 2, 0});
}

TEST_CASE("count_shown: rejects ids outside the catalogue") {
    CHECK_THROWS_WITH_AS((void)count_shown(Lists{{0, 5}}, 5), "count_shown: item ids must lie inside the catalogue",
                         InvalidArgument);
    CHECK_THROWS_AS((void)count_shown(std::vector<std::vector<int>>{{-1}}, 5), InvalidArgument);
}

TEST_CASE("gini, entropy: counts whose sum is beyond 64 bits give numbers, never NaN or less than nothing") {
    constexpr std::uint64_t half = std::uint64_t{1} << 63;
    constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
    CHECK(entropy(Counts{half, half}) == 1.0);
    CHECK(gini(Counts{half, half}) == 0.0);
    CHECK(entropy(Counts{most, most, most, most}) == 2.0);
    CHECK(entropy(Counts{most, 1}) == Approx(0.0).scale(1.0));
    CHECK(gini(Counts{most, 1, most, 1}) == Approx(0.5));
    CHECK(gini(Counts(5, (std::uint64_t{1} << 53) + 2)) == 0.0);  // rounding alone would give -4e-17
    for (const Counts& counts : {Counts(3, most), Counts{most, most - 1, most - 2}, Counts{half, most, 1}}) {
        CHECK(entropy(counts) > 0.0);
        CHECK(entropy(counts) <= std::log2(3.0));
        CHECK(entropy(counts, {.normalised = true}) <= 1.0);
        CHECK(gini(counts) >= 0.0);
        CHECK(gini(counts) < 1.0);
    }
}

TEST_CASE("entropy: rounding takes it past neither end") {
    for (std::size_t n = 1; n < 200; ++n) {
        CHECK(entropy(Counts(n, 3)) <= std::log2(static_cast<double>(n)));
        CHECK((n == 1 || entropy(Counts(n, 3), {.normalised = true}) <= 1.0));
        CHECK(gini(Counts(n, 3)) == 0.0);
    }
}
