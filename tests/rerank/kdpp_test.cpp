// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/rerank/kdpp.hpp>

#include "support/allocations.hpp"

#include <funnel/core/error.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/rng.hpp>

#include "support/exact_cosine.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <map>
#include <numeric>
#include <set>
#include <span>
#include <vector>

using namespace funnel;
using funnel::rerank::KDPP;

namespace {

using Set = std::vector<std::size_t>;

const std::vector<double> chain{2.0, 1.0, 0.5, 0.0,  //
                                1.0, 2.0, 1.0, 0.5,  //
                                0.5, 1.0, 2.0, 1.0,  //
                                0.0, 0.5, 1.0, 2.0};

// The determinant by Gauss's method with pivots, in long double.
double determinant(std::vector<long double> a, std::size_t n) {
    long double product = 1.0L;
    for (std::size_t c = 0; c < n; ++c) {
        std::size_t pivot = c;
        for (std::size_t r = c; r < n; ++r) {
            pivot = std::abs(a[r * n + c]) > std::abs(a[pivot * n + c]) ? r : pivot;
        }
        if (a[pivot * n + c] == 0.0L) {
            return 0.0;
        }
        if (pivot != c) {
            std::swap_ranges(&a[c * n], &a[c * n] + n, &a[pivot * n]);
            product = -product;
        }
        product *= a[c * n + c];
        for (std::size_t r = c + 1; r < n; ++r) {
            const long double factor = a[r * n + c] / a[c * n + c];
            for (std::size_t j = c; j < n; ++j) {
                a[r * n + j] -= factor * a[c * n + j];
            }
        }
    }
    return static_cast<double>(product);
}

double minor_of(const std::vector<double>& kernel, std::size_t n, const Set& set) {
    std::vector<long double> part;
    for (const std::size_t i : set) {
        for (const std::size_t j : set) {
            part.push_back(static_cast<long double>(kernel[i * n + j]));
        }
    }
    return determinant(part, set.size());
}

std::vector<Set> subsets(std::size_t n, std::size_t k) {
    std::vector<Set> all;
    for (std::size_t bits = 0; bits < std::size_t{1} << n; ++bits) {
        Set set;
        for (std::size_t i = 0; i < n; ++i) {
            if ((bits >> i & 1) != 0) {
                set.push_back(i);
            }
        }
        if (set.size() == k) {
            all.push_back(set);
        }
    }
    return all;
}

// The probability of each set by the definition.
std::map<Set, double> by_definition(const std::vector<double>& kernel, std::size_t n, std::size_t k) {
    std::map<Set, double> probabilities;
    double sum = 0.0;
    for (const Set& set : subsets(n, k)) {
        sum += probabilities[set] = minor_of(kernel, n, set);
    }
    for (auto& [set, probability] : probabilities) {
        probability /= sum;
    }
    return probabilities;
}

// Pearson's statistic of that many draws; sets of probability 0 must not be drawn.
double chi_square(KDPP& sampler, const std::map<Set, double>& probabilities, std::size_t draws) {
    std::map<Set, double> counts;
    for (std::size_t draw = 0; draw < draws; ++draw) {
        ++counts[sampler.sample()];
    }
    double sum = 0.0;
    double seen = 0.0;
    for (const auto& [set, probability] : probabilities) {
        const double expected = probability * static_cast<double>(draws);
        if (probability > 1e-12) {
            sum += (counts[set] - expected) * (counts[set] - expected) / expected;
            seen += counts[set];
        }
    }
    CHECK(seen == static_cast<double>(draws));
    return sum;
}

struct Items {
    std::vector<float> embeddings;
    std::vector<float> quality;
    std::size_t n;
    std::size_t d;

    [[nodiscard]] MatrixView<const float> view() const { return {embeddings, n, d}; }

    [[nodiscard]] std::vector<double> kernel() const {
        std::vector<double> values(n * n);
        for (std::size_t i = 0; i < n; ++i) {
            for (std::size_t j = 0; j < n; ++j) {
                const double cosine = funnel::testing::exact_cosine(view().row(i), view().row(j));
                values[i * n + j] = static_cast<double>(quality[i]) * static_cast<double>(quality[j]) * cosine;
            }
        }
        return values;
    }
};

Items random_items(std::size_t n, std::size_t d, std::uint64_t seed) {
    Random random(seed);
    Items items{{}, {}, n, d};
    for (std::size_t i = 0; i < n * d; ++i) {
        items.embeddings.push_back(static_cast<float>(random.normal()));
    }
    for (std::size_t i = 0; i < n; ++i) {
        items.quality.push_back(static_cast<float>(std::exp(random.normal())));
    }
    return items;
}

}  // namespace

TEST_CASE("KDPP: the sets of a chain of four, worked out by hand") {
    // e_2 = 20.5 is the sum of the minors 4 - a^2: three of a = 1, two of a = .5, one of a = 0.
    KDPP sampler = KDPP::from_kernel({chain, 4, 4}, {.k = 2});
    CHECK(sampler.rank() == 4);
    CHECK(sampler.candidates() == 4);
    CHECK(std::exp(sampler.log_normalizer()) == doctest::Approx(20.5).epsilon(1e-14));
    const auto probability = [&](std::size_t i, std::size_t j) {
        return std::exp(sampler.log_probability(std::vector{i, j}));
    };
    for (const auto& [i, j] : {std::pair(0U, 1U), std::pair(1U, 2U), std::pair(2U, 3U), std::pair(1U, 0U)}) {
        CHECK(probability(i, j) == doctest::Approx(0.1463414634).epsilon(1e-9));
    }
    CHECK(probability(0, 2) == doctest::Approx(0.1829268293).epsilon(1e-9));
    CHECK(probability(1, 3) == doctest::Approx(0.1829268293).epsilon(1e-9));
    CHECK(probability(0, 3) == doctest::Approx(0.1951219512).epsilon(1e-9));

    const std::vector<double> marginals = sampler.inclusion_probabilities();
    CHECK(marginals[0] == doctest::Approx(0.5243902439).epsilon(1e-9));
    CHECK(marginals[1] == doctest::Approx(0.4756097561).epsilon(1e-9));
    CHECK(marginals[2] == doctest::Approx(0.4756097561).epsilon(1e-9));
    CHECK(marginals[3] == doctest::Approx(0.5243902439).epsilon(1e-9));

    const std::vector<double> e{1.0, 8.0, 20.5, 20.0, 6.5625};
    for (std::size_t k = 0; k <= 4; ++k) {
        CHECK(std::exp(KDPP::from_kernel({chain, 4, 4}, {.k = k}).log_normalizer()) ==
              doctest::Approx(e[k]).epsilon(1e-14));
    }
}

TEST_CASE("KDPP: 40,000 draws pass a chi-square test, for kernels and for features") {
    // The 99.9 % quantiles of chi-square with 5, 3, 55, 19 degrees of freedom. The seeds are fixed.
    for (const std::uint64_t seed : {1U, 2U, 3U}) {
        KDPP pairs = KDPP::from_kernel({chain, 4, 4}, {.k = 2, .seed = seed});
        CHECK(chi_square(pairs, by_definition(chain, 4, 2), 40'000) < 20.5);
        KDPP triples = KDPP::from_kernel({chain, 4, 4}, {.k = 3, .seed = seed});
        CHECK(chi_square(triples, by_definition(chain, 4, 3), 40'000) < 16.3);

        const Items items = random_items(8, 5, seed);
        KDPP from_features(items.view(), items.quality, {.k = 3, .seed = seed});
        CHECK(chi_square(from_features, by_definition(items.kernel(), 8, 3), 40'000) < 93.2);
        const Items few = random_items(6, 9, seed);  // fewer candidates than features
        KDPP from_few(few.view(), few.quality, {.k = 3, .seed = seed});
        CHECK(chi_square(from_few, by_definition(few.kernel(), 6, 3), 40'000) < 43.9);
    }
}

TEST_CASE("KDPP: 200,000 draws of sets as large as the rank pass a chi-square test") {
    // Every pick but the first depends on the basis of the picks before. A part of 3 % that is left in it shows here.
    for (const std::uint64_t seed : {1U, 2U}) {
        const Items items = random_items(8, 3, seed);
        KDPP sampler(items.view(), items.quality, {.k = 3, .seed = seed});
        CHECK(chi_square(sampler, by_definition(items.kernel(), 8, 3), 200'000) < 93.2);  // 55 degrees
        const Items narrow = random_items(5, 4, seed);
        KDPP all_but_one(narrow.view(), narrow.quality, {.k = 4, .seed = seed});
        CHECK(chi_square(all_but_one, by_definition(narrow.kernel(), 5, 4), 200'000) < 18.5);  // 4 degrees
    }
}

TEST_CASE("KDPP: single candidates are drawn in proportion to the diagonal of the kernel") {
    const Items items{{1, 0, 1, 0, 1, 1, 0, 3}, {1.0F, 2.0F, 0.0F, 3.0F}, 4, 2};  // L_ii = 1, 4, 0, 9
    KDPP sampler(items.view(), items.quality, {.k = 1});
    CHECK(chi_square(sampler, {{{0}, 1.0 / 14}, {{1}, 4.0 / 14}, {{3}, 9.0 / 14}}, 40'000) < 13.9);  // 2 degrees
}

TEST_CASE("KDPP: probabilities and marginals are those of the definition") {
    for (std::uint64_t trial = 0; trial < 30; ++trial) {
        const std::size_t n = 3 + trial % 7;
        const std::size_t d = 2 + trial % 5;
        const Items items = random_items(n, d, trial);
        const std::vector<double> kernel = items.kernel();
        for (std::size_t k = 1; k <= std::min(n, d); ++k) {
            const std::map<Set, double> expected = by_definition(kernel, n, k);
            const KDPP dual(items.view(), items.quality, {.k = k});
            const KDPP dense = KDPP::from_kernel({kernel, n, n}, {.k = k});
            std::vector<double> marginals(n, 0.0);
            double sum = 0.0;
            for (const auto& [set, probability] : expected) {
                CHECK(std::exp(dual.log_probability(set)) == doctest::Approx(probability).epsilon(1e-8));
                CHECK(std::exp(dense.log_probability(set)) == doctest::Approx(probability).epsilon(1e-8));
                sum += std::exp(dual.log_probability(set));
                for (const std::size_t i : set) {
                    marginals[i] += probability;
                }
            }
            CHECK(sum == doctest::Approx(1.0).epsilon(1e-10));
            for (std::size_t i = 0; i < n; ++i) {
                CHECK(dual.inclusion_probabilities()[i] == doctest::Approx(marginals[i]).epsilon(1e-9));
                CHECK(dense.inclusion_probabilities()[i] == doctest::Approx(marginals[i]).epsilon(1e-9));
            }
        }
    }
}

TEST_CASE("KDPP: marginals of many candidates sum to k and match the draws") {
    const Items items = random_items(300, 24, 5);
    KDPP sampler(items.view(), items.quality, {.k = 16});
    const std::vector<double> marginals = sampler.inclusion_probabilities();
    CHECK(std::accumulate(marginals.begin(), marginals.end(), 0.0) == doctest::Approx(16.0).epsilon(1e-12));
    constexpr std::size_t draws = 20'000;
    std::vector<double> counts(300, 0.0);
    for (std::size_t draw = 0; draw < draws; ++draw) {
        const Set set = sampler.sample();
        REQUIRE(set.size() == 16);
        REQUIRE(std::is_sorted(set.begin(), set.end()));
        REQUIRE(std::adjacent_find(set.begin(), set.end()) == set.end());
        for (const std::size_t i : set) {
            ++counts[i];
        }
    }
    for (std::size_t i = 0; i < 300; ++i) {  // 4.5 standard deviations: one of 300 is farther once in 500 seeds
        const double deviation = std::sqrt(draws * marginals[i] * (1.0 - marginals[i]));
        CHECK(std::abs(counts[i] - draws * marginals[i]) < 4.5 * deviation + 1.0);
    }
}

TEST_CASE("KDPP: duplicates are never both drawn in sets of 40, whose basis takes more than one block") {
    Items items = random_items(100, 48, 6);
    std::copy_n(items.embeddings.begin(), 50 * 48, items.embeddings.begin() + 50 * 48);  // 50 + i repeats i
    KDPP sampler(items.view(), items.quality, {.k = 40});
    for (int draw = 0; draw < 200; ++draw) {
        std::vector<int> counts(50, 0);
        for (const std::size_t i : sampler.sample()) {
            ++counts[i % 50];
        }
        CHECK(*std::max_element(counts.begin(), counts.end()) == 1);
    }
}

TEST_CASE("KDPP: duplicates are never both drawn") {
    Items items = random_items(12, 6, 9);
    for (std::size_t c = 0; c < 6; ++c) {
        items.embeddings[6 * 7 + c] = items.embeddings[c];          // 7 repeats 0
        items.embeddings[6 * 9 + c] = -3.0F * items.embeddings[c];  // 9 points the other way, which is as redundant
    }
    KDPP sampler(items.view(), items.quality, {.k = 6});
    std::size_t drawn = 0;
    for (int draw = 0; draw < 20'000; ++draw) {
        const Set set = sampler.sample();
        const auto copies =
            std::count_if(set.begin(), set.end(), [](std::size_t i) { return i == 0 || i == 7 || i == 9; });
        CHECK(copies <= 1);
        drawn += static_cast<std::size_t>(copies);
    }
    CHECK(drawn > 1'000);
    CHECK(sampler.log_probability(Set{0, 1, 2, 3, 4, 7}) == -std::numeric_limits<double>::infinity());
}

TEST_CASE("KDPP: 'probabilities do not sum to 1': sets as large as the rank, of eigenvalues that are far apart") {
    for (const std::size_t k : {30U, 31U, 32U}) {
        Items items = random_items(200, 32, 11);
        for (std::size_t i = 0; i < 200; ++i) {
            for (std::size_t c = 0; c < 32; ++c) {
                items.embeddings[32 * i + c] *= std::pow(0.65F, static_cast<float>(c));  // eigenvalues down to 1e-12
            }
        }
        KDPP sampler(items.view(), items.quality, {.k = k});
        REQUIRE(sampler.rank() == 32);
        const std::vector<double> marginals = sampler.inclusion_probabilities();
        CHECK(std::accumulate(marginals.begin(), marginals.end(), 0.0) ==
              doctest::Approx(static_cast<double>(k)).epsilon(1e-9));
        for (int draw = 0; draw < 500; ++draw) {
            const Set set = sampler.sample();
            CHECK(std::adjacent_find(set.begin(), set.end()) == set.end());
            CHECK(set.back() < 200);
            CHECK(std::isfinite(sampler.log_probability(set)));
        }
    }
}

TEST_CASE("KDPP: the scale of the kernel changes nothing but the normalizer") {
    const Items items = random_items(60, 12, 3);
    KDPP sampler(items.view(), items.quality, {.k = 8});
    for (const float scale : {1e-15F, 1e15F}) {
        std::vector<float> quality = items.quality;
        for (float& q : quality) {
            q *= scale;
        }
        KDPP scaled(items.view(), quality, {.k = 8});
        CHECK(scaled.log_normalizer() ==
              doctest::Approx(sampler.log_normalizer() + 16.0 * std::log(static_cast<double>(scale))).epsilon(1e-6));
        const Set set{1, 5, 8, 13, 21, 34, 40, 55};
        CHECK(scaled.log_probability(set) == doctest::Approx(sampler.log_probability(set)).epsilon(1e-5));
    }
}

TEST_CASE("KDPP: the same seed draws the same sets; each call draws anew") {
    const Items items = random_items(50, 10, 4);
    KDPP a(items.view(), items.quality, {.k = 5, .seed = 7});
    KDPP b(items.view(), items.quality, {.k = 5, .seed = 7});
    KDPP other(items.view(), items.quality, {.k = 5, .seed = 8});
    std::size_t repeats = 0;
    std::size_t same_as_other = 0;
    Set last;
    for (int draw = 0; draw < 50; ++draw) {
        const Set set = a.sample();
        Set filled(5);
        b.sample(filled);
        CHECK(set == filled);
        repeats += set == last ? 1 : 0;
        same_as_other += set == other.sample() ? 1 : 0;
        last = set;
    }
    CHECK(repeats <= 1);
    CHECK(same_as_other <= 1);
    KDPP copy = a;  // with the number of draws so far
    CHECK(copy.sample() == a.sample());
}

TEST_CASE("KDPP: a warm draw allocates nothing") {
    const Items items = random_items(50, 10, 4);
    KDPP sampler(items.view(), items.quality, {.k = 5});
    Set set(5);
    CHECK(funnel::testing::allocations_of([&] { sampler.sample(set); }) == 0);
}

TEST_CASE("KDPP: edges: k = 0, no candidates, k = rank, k = n") {
    const Items items = random_items(5, 3, 1);
    KDPP none(items.view(), items.quality, {.k = 0});
    CHECK(none.sample().empty());
    CHECK(none.log_normalizer() == 0.0);
    CHECK(none.log_probability({}) == 0.0);
    CHECK(none.inclusion_probabilities() == std::vector<double>(5, 0.0));
    KDPP empty(MatrixView<const float>{}, {}, {.k = 0});
    CHECK(empty.sample().empty());
    KDPP no_kernel = KDPP::from_kernel({}, {.k = 0});
    CHECK(no_kernel.sample().empty());
    const std::vector<float> zeros(6, 0.0F);
    KDPP nothing({zeros, 3, 2}, std::vector<float>(3, 1.0F), {.k = 0});
    CHECK(nothing.rank() == 0);
    CHECK(nothing.sample().empty());

    KDPP all = KDPP::from_kernel({chain, 4, 4}, {.k = 4});
    for (int draw = 0; draw < 10; ++draw) {
        CHECK(all.sample() == Set{0, 1, 2, 3});
    }
    CHECK(all.log_probability(Set{3, 1, 0, 2}) == doctest::Approx(0.0).epsilon(1e-12));
    KDPP full(items.view(), items.quality, {.k = 3});
    CHECK(chi_square(full, by_definition(items.kernel(), 5, 3), 40'000) < 27.9);  // 9 degrees
}

TEST_CASE("KDPP: rejects a k above the rank") {
    // Rank 3, as the features say, whatever the number of candidates.
    const std::vector<float> rows{1, 0, 0, .8F, .6F, 0, .8F, 0, .6F, 0, 1, 0, 0, .6F, .8F};
    const std::vector<float> ones(5, 1.0F);
    CHECK(KDPP({rows, 5, 3}, ones, {.k = 3}).sample().size() == 3);
    CHECK_THROWS_WITH_AS(KDPP({rows, 5, 3}, ones, {.k = 4}),
                         "KDPP: k must be at most the rank of the kernel, 3, got 4; larger sets have probability 0",
                         InvalidArgument);
    const std::vector<float> line{1, 2, 2, 4, -1, -2};
    CHECK_THROWS_AS(KDPP({line, 3, 2}, std::vector<float>(3, 1.0F), {.k = 2}), InvalidArgument);
    CHECK_THROWS_AS(KDPP({rows, 5, 3}, std::vector<float>(5, 0.0F), {.k = 1}), InvalidArgument);
    CHECK_THROWS_AS((void)KDPP::from_kernel({std::vector<double>(9, 1.0), 3, 3}, {.k = 2}), InvalidArgument);
    CHECK_THROWS_AS((void)KDPP::from_kernel({std::vector<double>(9, 0.0), 3, 3}, {.k = 1}), InvalidArgument);
}

TEST_CASE("KDPP: rejects kernels that are not positive semi-definite") {
    // 1 - cosine of (1, 0), (.999, .0447), (0, 1), (-.6, .8): eigenvalues -2.543, -.180, 0, 2.723.
    const double v[4][2] = {{1, 0}, {.999, .0447}, {0, 1}, {-.6, .8}};
    for (const double diagonal : {0.0, 1.0}) {
        std::vector<double> kernel(16);
        for (std::size_t i = 0; i < 4; ++i) {
            for (std::size_t j = 0; j < 4; ++j) {
                kernel[4 * i + j] = i == j ? diagonal : 1.0 - v[i][0] * v[j][0] - v[i][1] * v[j][1];
            }
        }
        CHECK_THROWS_WITH_AS((void)KDPP::from_kernel({kernel, 4, 4}, {.k = 2}),
                             doctest::Contains("kernel must be positive semi-definite"), InvalidArgument);
    }
    const std::vector<double> negative{-1.0};
    CHECK_THROWS_WITH_AS((void)KDPP::from_kernel({negative, 1, 1}, {.k = 0}),
                         "KDPP: kernel must be positive semi-definite, but its smallest eigenvalue is -1",
                         InvalidArgument);
}

TEST_CASE("KDPP: rejects shapes that do not match, and numbers that are not finite") {
    const std::vector<float> rows(6, 1.0F);
    const std::vector<float> two(2, 1.0F);
    const std::vector<float> three(3, 1.0F);
    CHECK_THROWS_AS(KDPP({rows, 3, 2}, two, {.k = 1}), InvalidArgument);
    CHECK_THROWS_AS(KDPP({rows, 3, 2}, std::vector<float>{1, -1, 1}, {.k = 1}), InvalidArgument);
    for (const float broken : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
        std::vector<float> with = rows;
        with[3] = broken;
        CHECK_THROWS_WITH_AS(KDPP({with, 3, 2}, three, {.k = 1}), doctest::Contains("of embeddings must be finite"),
                             InvalidArgument);
        CHECK_THROWS_AS(KDPP({rows, 3, 2}, std::vector<float>{1, 1, broken}, {.k = 1}), InvalidArgument);
        std::vector<double> kernel = chain;
        kernel[6] = static_cast<double>(broken);
        CHECK_THROWS_AS((void)KDPP::from_kernel({kernel, 4, 4}), InvalidArgument);
    }
    CHECK_THROWS_AS((void)KDPP::from_kernel({chain, 2, 8}), InvalidArgument);
    std::vector<double> skew = chain;
    skew[1] = 1.001;
    CHECK_THROWS_WITH_AS((void)KDPP::from_kernel({skew, 4, 4}),
                         "KDPP: kernel must be symmetric, but elements (1, 0) and (0, 1) differ", InvalidArgument);

    const KDPP sampler = KDPP::from_kernel({chain, 4, 4}, {.k = 2});
    CHECK_THROWS_AS((void)sampler.log_probability(Set{1}), InvalidArgument);
    CHECK_THROWS_AS((void)sampler.log_probability(Set{1, 4}), InvalidArgument);
    CHECK_THROWS_AS((void)sampler.log_probability(Set{1, 1}), InvalidArgument);
}

TEST_CASE("KDPP: another slate at each visit, and its propensities") {
    // Five items in space.
    const std::vector<float> relevance{0.9F, 0.85F, 0.8F, 0.5F, 0.4F};
    const std::vector<float> rows{1.0F, 0.0F, 0.0F, 0.8F, 0.6F, 0.0F, 0.8F, 0.0F,
                                  0.6F, 0.0F, 1.0F, 0.0F, 0.0F, 0.6F, 0.8F};
    std::vector<float> quality;
    for (const float r : relevance) {
        quality.push_back(std::exp(2.0F * r));
    }
    KDPP sampler(MatrixView<const float>(rows, 5, 3), quality, {.k = 2, .seed = 7});

    std::set<Set> slates;
    for (int visit = 0; visit < 100; ++visit) {
        slates.insert(sampler.sample());
    }
    CHECK(slates.size() > 5);

    const std::vector<double> shown = sampler.inclusion_probabilities();  // to log with the decision
    CHECK(std::accumulate(shown.begin(), shown.end(), 0.0) == doctest::Approx(2.0));
    CHECK(shown[0] > shown[4]);
}
