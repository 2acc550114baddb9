// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/metrics/mean_ndcg.hpp>

#include <funnel/core/error.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/threads.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

using doctest::Approx;
using funnel::InvalidArgument;
using funnel::Random;
using funnel::Threads;
using funnel::metrics::ExponentialGain;
using funnel::metrics::mean_ndcg;

namespace {

// From the definition: the rank of an item is the number of items before it, plus 1.
double slow_ndcg(const std::vector<double>& scores, const std::vector<float>& labels, std::size_t begin,
                 std::size_t end, std::size_t k) {
    double dcg = 0.0;
    double best = 0.0;
    for (std::size_t i = begin; i < end; ++i) {
        std::size_t rank = 1;
        std::size_t best_rank = 1;
        for (std::size_t j = begin; j < end; ++j) {
            rank += scores[j] > scores[i] || (scores[j] == scores[i] && j < i) ? 1 : 0;
            best_rank += labels[j] > labels[i] || (labels[j] == labels[i] && j < i) ? 1 : 0;
        }
        const double gain = std::pow(2.0, static_cast<double>(labels[i])) - 1.0;
        dcg += rank <= k ? gain / std::log2(static_cast<double>(rank) + 1.0) : 0.0;
        best += best_rank <= k ? gain / std::log2(static_cast<double>(best_rank) + 1.0) : 0.0;
    }
    return best > 0.0 ? dcg / best : -1.0;
}

}  // namespace

TEST_CASE("mean_ndcg: two lists worked by hand, and one without a label above 0 that is left out") {
    const std::vector<double> scores{0.1, 0.9, 5.0, 4.0, 3.0, -1.0};
    const std::vector<float> labels{1, 0, 0, 0, 2, 1};
    const std::vector<std::size_t> sizes{2, 2, 2};
    // list 0: the relevant item is second: 1 / log2(3);  list 1: nothing;  list 2: in the best order: 1
    const double expected = (1.0 / std::log2(3.0) + 1.0) / 2.0;
    CHECK(mean_ndcg(scores, labels, sizes, 10) == Approx(expected));
    CHECK(mean_ndcg(scores, labels, sizes, 1) == Approx(0.5));
    // All as one list: 0 0 2 1 0 1 is shown, since the tie goes to position 1, and 2 1 1 0 0 0 is best. The gains are 3, 1, 0.
    const std::vector<double> all{2.0, 1.0, 5.0, 4.0, 3.0, 1.0};
    const double shown = 3.0 / std::log2(4.0) + 1.0 / std::log2(5.0) + 1.0 / std::log2(7.0);
    const double best = 3.0 + 1.0 / std::log2(3.0) + 1.0 / std::log2(4.0);
    CHECK(mean_ndcg(all, labels, {}, 10, ExponentialGain{}) == Approx(shown / best));
}

TEST_CASE("mean_ndcg: agrees with the definition, also with ties, for any number of threads") {
    Random random(1);
    std::vector<double> scores;
    std::vector<float> labels;
    std::vector<std::size_t> sizes;
    for (std::size_t list = 0; list < 200; ++list) {
        sizes.push_back(random.below(12));
        for (std::size_t i = 0; i < sizes.back(); ++i) {
            scores.push_back(static_cast<double>(random.below(5)));
            labels.push_back(random.below(3) == 0 ? static_cast<float>(random.below(4)) : 0.0F);
        }
    }
    for (const std::size_t k : {1U, 3U, 20U}) {
        double sum = 0.0;
        double lists = 0.0;
        std::size_t begin = 0;
        for (const std::size_t size : sizes) {
            const double value = slow_ndcg(scores, labels, begin, begin + size, k);
            sum += value >= 0.0 ? value : 0.0;
            lists += value >= 0.0 ? 1.0 : 0.0;
            begin += size;
        }
        const double found = mean_ndcg(scores, labels, sizes, k, ExponentialGain{});
        CHECK(found == Approx(sum / lists).epsilon(1e-12));
        for (const std::size_t threads : {1U, 2U, 4U}) {
            CHECK(mean_ndcg(scores, labels, sizes, k, ExponentialGain{}, Threads(threads)) == found);
        }
    }
}

TEST_CASE("mean_ndcg: NaN if no list has a label above 0") {
#ifndef __FAST_MATH__
    CHECK(std::isnan(mean_ndcg({}, {}, {}, 10)));
    CHECK(std::isnan(mean_ndcg(std::vector<double>{1.0}, std::vector<float>{0.0F}, {}, 10)));
#endif
    const std::vector<std::size_t> sizes{0, 1};
    CHECK(mean_ndcg(std::vector<double>{1.0}, std::vector<float>{1.0F}, sizes, 10) == 1.0);
}

TEST_CASE("mean_ndcg: rejects sizes that do not match, NaN scores and wrong labels") {
    const std::vector<double> scores{1.0, 2.0};
    const std::vector<float> labels{0.0F, 1.0F};
    const auto value = [](const std::vector<double>& s, const std::vector<float>& l,
                          const std::vector<std::size_t>& g) { return mean_ndcg(s, l, g, 10); };
    CHECK_THROWS_AS((void)value(scores, {1.0F}, {}), InvalidArgument);
    CHECK_THROWS_AS((void)value(scores, labels, {1}), InvalidArgument);
    CHECK_THROWS_AS((void)value(scores, labels, {3}), InvalidArgument);
    CHECK_THROWS_AS((void)value(scores, labels, {3, std::numeric_limits<std::size_t>::max()}), InvalidArgument);
    CHECK_THROWS_AS((void)value({1.0, std::numeric_limits<double>::quiet_NaN()}, labels, {}), InvalidArgument);
    for (const float bad : {-1.0F, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
        CHECK_THROWS_AS((void)value(scores, {bad, 1.0F}, {}), InvalidArgument);
    }
}
