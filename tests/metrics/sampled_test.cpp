// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/metrics/sampled.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <vector>

using doctest::Approx;
using funnel::InvalidArgument;
using namespace funnel::metrics;

namespace {

constexpr std::size_t items = 10'000;
constexpr std::size_t sample = 100;

double hit_at_10(std::size_t rank) {
    return rank <= 10 ? 1.0 : 0.0;
}
double ndcg_at_10(std::size_t rank) {
    return rank <= 10 ? discount(rank) : 0.0;
}
double reciprocal(std::size_t rank) {
    return 1.0 / static_cast<double>(rank);
}

}  // namespace

TEST_CASE("expected_sampled: among 100 of 10,000 items, rank 100 looks like a hit in the first ten") {
    struct Row {
        std::size_t rank;
        double hit;
        double ndcg;
    };
    // scipy.stats.hypergeom(9999, rank - 1, 100)
    constexpr std::array rows{Row{10, 1.0000, .9676},  Row{50, 1.0000, .8440}, Row{100, 1.0000, .7264},
                              Row{200, 1.0000, .5717}, Row{500, .9728, .3727}, Row{1000, .4519, .1420},
                              Row{2000, .0023, .0007}};
    for (const Row& row : rows) {
        CAPTURE(row.rank);
        CHECK(expected_sampled(row.rank, sample, items, hit_at_10) == Approx(row.hit).scale(1).epsilon(5e-5));
        CHECK(expected_sampled(row.rank, sample, items, ndcg_at_10) == Approx(row.ndcg).scale(1).epsilon(5e-5));
        const auto mean =
            expected_sampled(row.rank, sample, items, [](std::size_t r) { return static_cast<double>(r); });
        CHECK(mean == Approx(1.0 + static_cast<double>((row.rank - 1) * sample) / (items - 1)));
    }
}

TEST_CASE("expected_sampled: sampling reverses the order of three systems") {
    // A ranks at 100, B at 5 or 1000, C at 2 or 4000. By true ranks: A < B < C.
    const auto mean = [](std::size_t first, std::size_t second, auto metric) {
        return (expected_sampled(first, sample, items, metric) + expected_sampled(second, sample, items, metric)) / 2;
    };
    CHECK(mean(100, 100, ndcg_at_10) == Approx(.7264).epsilon(1e-4));
    CHECK(mean(5, 1000, ndcg_at_10) == Approx(.5637).epsilon(1e-4));
    CHECK(mean(2, 4000, ndcg_at_10) == Approx(.4982).epsilon(1e-4));
    CHECK(mean(100, 100, reciprocal) == Approx(.6332).epsilon(1e-4));
    CHECK(mean(5, 1000, reciprocal) == Approx(.5396).epsilon(1e-4));
    CHECK(mean(2, 4000, reciprocal) == Approx(.5099).epsilon(1e-4));
    const auto auc = [](std::size_t rank) { return sampled_auc({rank, sample, items}); };
    CHECK(mean(100, 100, auc) == Approx(.9901).epsilon(1e-4));  // as without sampling: 1 - 99 / 9999
    CHECK(mean(5, 1000, auc) == Approx(.9498).epsilon(1e-4));
    CHECK(mean(2, 4000, auc) == Approx(.8000).epsilon(1e-4));
}

TEST_CASE("estimated_rank: worked by hand") {
    CHECK(estimated_rank({1, sample, items}) == 1.0);
    CHECK(estimated_rank({2, sample, items}) == Approx(100.99));
    CHECK(estimated_rank({5, sample, items}) == Approx(400.96));
    CHECK(estimated_rank({10, sample, items}) == Approx(900.91));
    CHECK(estimated_rank({4, 9, 10}) == 4.0);  // the sample is everything
}

TEST_CASE("sampled_hit_rate, sampled_ndcg, sampled_reciprocal_rank, sampled_auc: of one rank") {
    const SampledRank second{2, sample, items};
    CHECK(sampled_hit_rate(second, 2) == 1.0);
    CHECK(sampled_hit_rate(second, 1) == 0.0);
    CHECK(sampled_ndcg(second, 10) == Approx(.630930).epsilon(1e-6));
    CHECK(sampled_ndcg(second, 1) == 0.0);
    CHECK(sampled_reciprocal_rank(second) == 0.5);
    CHECK(sampled_auc(second) == 0.99);
    CHECK(sampled_auc({101, sample, items}) == 0.0);
}

TEST_CASE("corrected_metric: puts three systems into their true order again") {
    const std::vector<double> values = corrected_metric(sample, items, ndcg_at_10);
    REQUIRE(values.size() == sample + 1);
    const auto corrected = [&](std::size_t rank) { return values[rank - 1]; };
    const auto mean = [&](std::size_t first, std::size_t second) {
        return (expected_sampled(first, sample, items, corrected) +
                expected_sampled(second, sample, items, corrected)) /
               2;
    };
    CHECK(mean(100, 100) < mean(5, 1000));
    CHECK(mean(5, 1000) < mean(2, 4000));
}

TEST_CASE("corrected_metric: with everything sampled, and hardly any weight on the variance, it is the metric") {
    const std::vector<double> values = corrected_metric(11, 12, ndcg_at_10, 1e-9);
    for (std::size_t rank = 1; rank <= 12; ++rank) {
        CHECK(values[rank - 1] == Approx(ndcg_at_10(rank)).scale(1).epsilon(1e-7));
    }
}

TEST_CASE("corrected_metric: weight 1 gives the mean of the metric over the true ranks behind a sampled rank") {
    // Three items, one sampled: sampled rank 1 has true rank 1 with weight 1, 2 with 1/2, 3 with 0.
    const std::vector<double> values = corrected_metric(1, 3, reciprocal, 1.0);
    CHECK(values[0] == Approx((1.0 + 0.5 * 0.5) / 1.5));
    CHECK(values[1] == Approx((0.5 * 0.5 + 1.0 / 3) / 1.5));
}

TEST_CASE("estimated_rank, expected_sampled, corrected_metric: reject ranks and samples that cannot be") {
    CHECK_THROWS_AS(static_cast<void>(estimated_rank({0, 10, 100})), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(estimated_rank({12, 10, 100})), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(estimated_rank({1, 0, 100})), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(estimated_rank({1, 100, 100})), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(sampled_auc({12, 10, 100})), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(sampled_ndcg({12, 10, 100}, 1)), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(expected_sampled(0, 10, 100, reciprocal)), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(expected_sampled(101, 10, 100, reciprocal)), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(corrected_metric(10, 100, reciprocal, 0.0)), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(corrected_metric(100, 100, reciprocal)), InvalidArgument);
}
