// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/ranking/watch_time.hpp>

#include "nn/gradient_check.hpp"
#include "nn/loss_checks.hpp"
#include "support/saved_contract.hpp"
#include "support/temp_dir.hpp"

#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/io/container.hpp>
#include <funnel/metrics/auc.hpp>
#include <funnel/nn/mlp.hpp>
#include <funnel/ranking/field_ranker.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

using doctest::Approx;
using funnel::InvalidArgument;
using funnel::Matrix;
using funnel::MatrixView;
using funnel::Random;
using namespace funnel::ranking;
using namespace funnel::testing;

namespace {

constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

// Impressions in three contexts: how many there are, how many are watched, and for how long on average.
struct Contexts {
    static constexpr std::size_t n = 3000;
    Matrix<std::uint32_t> ids{n, 1};
    Matrix<float> one_hot{n, 3};
    std::vector<float> times = std::vector<float>(n);
    std::vector<double> rows = std::vector<double>(3);
    std::vector<double> watched = std::vector<double>(3);
    std::vector<double> sum = std::vector<double>(3);

    Contexts() {
        Random random(3);
        const std::vector<double> p{0.02, 0.3, 0.7};
        const std::vector<double> mean{5.0, 0.5, 2.0};
        for (std::size_t i = 0; i < n; ++i) {
            const std::size_t c = i % 3;
            ids(i, 0) = static_cast<std::uint32_t>(c);
            one_hot(i, c) = 1.0F;
            if (random.uniform() < p[c]) {
                times[i] = static_cast<float>(-mean[c] * std::log(1.0 - random.uniform()));
                watched[c] += 1.0;
            }
            rows[c] += 1.0;
            sum[c] += static_cast<double>(times[i]);
        }
    }

    [[nodiscard]] double mean_time(std::size_t c) const { return sum[c] / rows[c]; }
    // What the paper's weights lead to.
    [[nodiscard]] double odds(std::size_t c) const { return sum[c] / (rows[c] - watched[c]); }
};

}  // namespace

TEST_CASE("WatchTimeLoss, ExactWatchTimeLoss: worked by hand; gradients are central differences") {
    // At logit 0, both softplus are log 2: (2 + 1) log 2 / 2, and (2 + 1 + 1) log 2 / 2.
    std::vector<double> logits(2);
    std::vector<float> times{2.0F, 0.0F};
    std::vector<double> gradient(2);
    const auto paper = [&] {
        return WatchTimeLoss{}.operator()<double>({logits, 2, 1}, {times, 2, 1}, {gradient, 2, 1});
    };
    const auto exact = [&] {
        return ExactWatchTimeLoss{}.operator()<double>({logits, 2, 1}, {times, 2, 1}, {gradient, 2, 1});
    };
    CHECK(paper() == Approx(1.5 * std::log(2.0)));
    CHECK(exact() == Approx(2.0 * std::log(2.0)));
    logits = {0.7, -1.3};
    static_cast<void>(paper());
    std::vector<double> slopes = gradient;
    CHECK(are_close(slopes, central_differences(logits, paper), 1e-8));
    static_cast<void>(exact());
    slopes = gradient;
    CHECK(are_close(slopes, central_differences(logits, exact), 1e-8));
    logits = {1e4, -1e4};
    CHECK(std::isfinite(paper()));
    logits = {-1e4, 1e4};
    CHECK(std::isfinite(exact()));
    CHECK(std::isfinite(gradient[0]));
}

TEST_CASE("LogisticRegression on watch times: exp(score) is the mean, too large by 1 / P(not watched) in the paper") {
    const Contexts world;
    const LogisticRegressionOptions options{
        .epochs = 400, .learning_rate = 0.5F, .l2 = 0.0F, .batch_size = Contexts::n};
    const auto score = [&](const WatchTimeLabels& labels) {
        return LogisticRegression::fit(world.one_hot, labels.view(), options).score(world.one_hot);
    };
    const auto paper = score(WatchTimeLabels::of<WatchTimeLoss>(world.times));
    const auto exact = score(WatchTimeLabels::of<ExactWatchTimeLoss>(world.times));
    for (std::size_t c = 0; c < 3; ++c) {
        CHECK(std::exp(static_cast<double>(exact[c])) == Approx(world.mean_time(c)).epsilon(0.02));
        CHECK(std::exp(static_cast<double>(paper[c])) == Approx(world.odds(c)).epsilon(0.02));
    }
    CHECK(world.odds(0) < 1.04 * world.mean_time(0));  // 2 % are watched
    CHECK(world.odds(2) > 3.0 * world.mean_time(2));   // 70 %
}

TEST_CASE("FieldRanker on watch times: exp(logit) is the mean, too large by 1 / P(not watched) in the paper") {
    using Schema = Fields<0, 1, 4>;
    const Contexts world;
    const FieldRankerOptions options{.epochs = 60, .batch = 300, .learning_rate = 0.02F};
    const auto check = [&]<class Loss>(std::type_identity<Loss>, auto expected) {
        using Ranker = FieldRanker<Schema, funnel::nn::MLP<4, 8, 1>, true, Loss>;
        const auto ranker = Ranker::fit({.ids = world.ids}, std::span<const float>(world.times), options);
        const Matrix<float> logits = ranker.score({.ids = world.ids});
        for (std::size_t c = 0; c < 3; ++c) {
            CHECK(std::exp(static_cast<double>(logits(c, 0))) == Approx(expected(c)).epsilon(0.15));
        }
        std::vector<float> wrong = world.times;
        for (const float time : {-1.0F, not_a_number, std::numeric_limits<float>::infinity()}) {
            wrong[5] = time;
            CHECK_THROWS_AS(static_cast<void>(Ranker::fit({.ids = world.ids}, std::span<const float>(wrong), options)),
                            InvalidArgument);
        }
    };
    check(std::type_identity<WatchTimeLoss>{}, [&](std::size_t c) { return world.odds(c); });
    check(std::type_identity<ExactWatchTimeLoss>{}, [&](std::size_t c) { return world.mean_time(c); });
}

TEST_CASE("WatchTimeLabels: worked by hand, and errors") {
    const std::vector<float> times{3.0F, 0.0F};
    const auto paper = WatchTimeLabels::of<WatchTimeLoss>(times);
    CHECK(paper.labels == std::vector<float>{1.0F, 0.0F});
    CHECK(paper.weights == std::vector<float>{3.0F, 1.0F});
    const auto exact = WatchTimeLabels::of<ExactWatchTimeLoss>(times);
    CHECK(exact.labels == std::vector<float>{0.75F, 0.0F});
    CHECK(exact.weights == std::vector<float>{4.0F, 1.0F});
    CHECK_THROWS_AS((void)WatchTimeLabels::of<WatchTimeLoss>(std::vector<float>{-1.0F}), InvalidArgument);
    CHECK_THROWS_AS((void)WatchTimeLabels::of<WatchTimeLoss>(std::vector<float>{not_a_number}), InvalidArgument);
}

TEST_CASE("LogisticRegression: rejects labels and weights that are out of range or too few") {
    const Matrix<float> rows(2, 1);
    const std::vector<float> good{0.5F, 1.0F};
    CHECK(LogisticRegression::fit(rows, WeightedLabels{good, good}).features() == 1);
    const auto rejects = [&](const std::vector<float>& labels, const std::vector<float>& weights) {
        CHECK_THROWS_AS((void)LogisticRegression::fit(rows, WeightedLabels{labels, weights}), InvalidArgument);
    };
    rejects({0.5F}, good);
    rejects(good, {0.5F});
    rejects(good, {});
    rejects({1.5F, 0.0F}, good);
    rejects({not_a_number, 0.0F}, good);
    rejects(good, {1.0F, -1.0F});
    rejects(good, {1.0F, std::numeric_limits<float>::infinity()});
}

TEST_CASE("LogisticRegression: a weight of 2 is the row twice") {
    Matrix<float> once(3, 1);
    Matrix<float> twice(4, 1);
    once(1, 0) = once(2, 0) = 1.0F;
    for (std::size_t i = 1; i < 4; ++i) {
        twice(i, 0) = i == 3 ? 0.0F : 1.0F;  // row 0 again
    }
    const LogisticRegressionOptions options{.epochs = 2000, .learning_rate = 0.5F, .l2 = 0.0F, .batch_size = 4};
    const std::vector<float> labels{0.25F, 0.0F, 1.0F};
    const std::vector<float> weights{2.0F, 1.0F, 1.0F};
    const std::vector<float> more{0.25F, 0.0F, 1.0F, 0.25F};
    const std::vector<float> ones(4, 1.0F);
    const auto a = LogisticRegression::fit(once, WeightedLabels{labels, weights}, options).score(once);
    const auto b = LogisticRegression::fit(twice, WeightedLabels{more, ones}, options).score(once);
    for (std::size_t i = 0; i < 3; ++i) {
        CHECK(a[i] == Approx(b[i]).epsilon(1e-3).scale(1.0));
    }
}

TEST_CASE("WatchTimeQuantiles: worked by hand") {
    // Two groups: durations 1 to 3, and 60. Times 1 2 2 in the first, 5 50 in the second.
    const std::vector<float> durations{1, 60, 2, 3, 60};
    const std::vector<float> times{2, 50, 1, 2, 5};
    const auto quantiles = WatchTimeQuantiles::fit(durations, times, {.groups = 2});
    CHECK(quantiles.groups() == 2);
    CHECK(quantiles.quantile(2, 1) == Approx(0.5 / 3));
    CHECK(quantiles.quantile(2, 2) == Approx(2.0 / 3));
    CHECK(quantiles.quantile(2, 0) == 0.0F);
    CHECK(quantiles.quantile(2, 3) == 1.0F);
    CHECK(quantiles.quantile(60, 5) == 0.25F);
    CHECK(quantiles.quantile(600, 50) == 0.75F);  // unseen durations fall into the nearest group
    CHECK(quantiles.quantile(0, 1) == Approx(0.5 / 3));
    for (std::size_t i = 0; i < 5; ++i) {
        CHECK(quantiles.watch_time(durations[i], quantiles.quantile(durations[i], times[i])) == times[i]);
    }
    CHECK(quantiles.watch_time(60, 0.0F) == 5.0F);
    CHECK(quantiles.watch_time(60, 1.0F) == 50.0F);
}

TEST_CASE("WatchTimeQuantiles: agree with counting; groups are about equal") {
    Random random(8);
    std::vector<float> durations(997);
    std::vector<float> times(997);
    for (std::size_t i = 0; i < 997; ++i) {
        durations[i] = static_cast<float>(random.below(5000));
        times[i] = static_cast<float>(random.below(300));
    }
    const std::size_t groups = 7;
    const auto quantiles = WatchTimeQuantiles::fit(durations, times, {.groups = groups});
    REQUIRE(quantiles.groups() == groups);
    std::vector<float> sorted = durations;
    std::sort(sorted.begin(), sorted.end());
    // Groups of 143, 143, 143, 142, 142, 142, 142 rows, if no two at a border are of equal duration.
    const auto group_of = [&](float duration) {
        std::size_t g = 0;
        for (std::size_t k = 1, first = 0; k < groups; ++k) {
            first += k <= 997 % groups ? 143U : 142U;
            g += duration >= sorted[first] ? 1U : 0U;
        }
        return g;
    };
    for (std::size_t i = 0; i < 997; i += 13) {
        double below = 0.0;
        double all = 0.0;
        for (std::size_t k = 0; k < 997; ++k) {
            if (group_of(durations[k]) == group_of(durations[i])) {
                all += 1.0;
                below += times[k] < times[i] ? 1.0 : times[k] == times[i] ? 0.5 : 0.0;
            }
        }
        CHECK(quantiles.quantile(durations[i], times[i]) == Approx(below / all));
    }
}

TEST_CASE("WatchTimeQuantiles: a ranker of quantiles orders by interest, a ranker of watch times by duration") {
    // A video is watched for a share of its duration, which depends on the interest, not on the duration.
    Random random(9);
    const std::size_t n = 4000;
    Matrix<float> rows(n, 2);  // log of the duration, interest
    std::vector<float> durations(n);
    std::vector<float> times(n);
    std::vector<float> is_liked(n);
    for (std::size_t i = 0; i < n; ++i) {
        rows(i, 0) = static_cast<float>(4.0 * random.uniform() - 2.0);  // 8 seconds to 7 minutes
        rows(i, 1) = static_cast<float>(random.normal());
        durations[i] = std::exp(rows(i, 0));
        const double share = 1.0 / (1.0 + std::exp(-static_cast<double>(rows(i, 1)) - 0.7 * random.normal()));
        times[i] = durations[i] * static_cast<float>(share);
        is_liked[i] = rows(i, 1) > 0.0F ? 1.0F : 0.0F;
    }
    const auto quantiles = WatchTimeQuantiles::fit(durations, times, {.groups = 20});
    std::vector<float> targets(n);
    for (std::size_t i = 0; i < n; ++i) {
        targets[i] = quantiles.quantile(durations[i], times[i]);
    }
    const std::vector<float> ones(n, 1.0F);
    const auto debiased = LogisticRegression::fit(rows, WeightedLabels{targets, ones});
    const auto of_times = WatchTimeLabels::of<ExactWatchTimeLoss>(times);
    const auto raw = LogisticRegression::fit(rows, of_times.view());
    CHECK(funnel::metrics::auc(debiased.score(rows), is_liked) > 0.97);
    CHECK(funnel::metrics::auc(raw.score(rows), is_liked) < 0.8);
    // Back in time: predictions of the quantile give times of the right length.
    const auto predicted = debiased.predict(rows);
    double error = 0.0;
    double plain = 0.0;
    for (std::size_t i = 0; i < n; ++i) {
        error += std::abs(static_cast<double>(quantiles.watch_time(durations[i], predicted[i]) - times[i]));
        plain += std::abs(static_cast<double>(quantiles.watch_time(durations[i], 0.5F) - times[i]));
    }
    CHECK(error < 0.75 * plain);
}

TEST_CASE("WatchTimeQuantiles: edges and errors") {
    const std::vector<float> one{1.0F};
    const auto single = WatchTimeQuantiles::fit(one, one, {.groups = std::numeric_limits<std::size_t>::max()});
    CHECK(single.groups() == 1);
    CHECK(single.quantile(1, 1) == 0.5F);
    const std::vector<float> same(10, 2.0F);
    CHECK(WatchTimeQuantiles::fit(same, same).groups() == 1);
    const std::vector<float> negative{-1.0F};
    const std::vector<float> nan{not_a_number};
    CHECK_THROWS_AS((void)WatchTimeQuantiles::fit({}, {}), InvalidArgument);
    CHECK_THROWS_AS((void)WatchTimeQuantiles::fit(one, same), InvalidArgument);
    CHECK_THROWS_AS((void)WatchTimeQuantiles::fit(one, one, {.groups = 0}), InvalidArgument);
    CHECK_THROWS_AS((void)WatchTimeQuantiles::fit(negative, one), InvalidArgument);
    CHECK_THROWS_AS((void)WatchTimeQuantiles::fit(one, nan), InvalidArgument);
    CHECK_THROWS_AS((void)single.quantile(not_a_number, 1.0F), InvalidArgument);
    CHECK_THROWS_AS((void)single.quantile(1.0F, -1.0F), InvalidArgument);
    CHECK_THROWS_AS((void)single.watch_time(1.0F, 1.5F), InvalidArgument);
    CHECK_THROWS_AS((void)single.watch_time(-1.0F, 0.5F), InvalidArgument);
}

TEST_CASE("WatchTimeQuantiles: keeps what saved objects promise") {
    const std::vector<float> durations{10, 10, 20, 30, 40, 0};
    const std::vector<float> times{1, 0, 5, 5, 39, 0.5F};
    const auto quantiles = WatchTimeQuantiles::fit(durations, times, {.groups = 3});
    const auto other = WatchTimeQuantiles::fit(durations, durations, {.groups = 1});
    const auto answers = [](const WatchTimeQuantiles& any) {
        std::vector<float> numbers;
        for (const float duration : {0.0F, 15.0F, 30.0F, 1e30F}) {
            for (const float share : {0.0F, 0.5F, 1.0F}) {
                numbers.push_back(any.watch_time(duration, share));
                numbers.push_back(any.quantile(duration, numbers.back()));
            }
        }
        return numbers;
    };
    check_saved(quantiles, other, answers, [&](const WatchTimeQuantiles& forged) {
        for (const float number : answers(forged)) {
            REQUIRE(number >= 0.0F);
        }
    });
    auto source = other;
    const auto taken = std::move(source);
    CHECK(answers(taken) == answers(other));
    // NOLINTBEGIN(bugprone-use-after-move)
    CHECK_THROWS_AS((void)source.quantile(1.0F, 1.0F), InvalidArgument);
    CHECK_THROWS_AS((void)source.watch_time(1.0F, 0.5F), InvalidArgument);
    // NOLINTEND(bugprone-use-after-move)
}

TEST_CASE("WatchTimeQuantiles: load rejects what fit cannot give") {
    const TempDir dir;
    const auto is_loaded = [&](const std::vector<float>& starts, const std::vector<std::uint64_t>& first_times,
                               const std::vector<float>& times) {
        funnel::io::ContainerWriter file("ranking.WatchTimes", 1);
        file.array("starts", starts);
        file.array("first_times", first_times);
        file.array("times", times);
        file.save(dir / "a.fnl");
        try {
            return WatchTimeQuantiles::load(dir / "a.fnl").groups() == starts.size() + 1;
        } catch (const funnel::CorruptData&) {
            return false;
        }
    };
    CHECK(is_loaded({1, 2}, {0, 1, 3, 4}, {5, 1, 1, 0}));
    CHECK(is_loaded({}, {0, 1}, {5}));
    CHECK(!is_loaded({2, 2}, {0, 1, 3, 4}, {5, 1, 1, 0}));  // the second group would be empty
    CHECK(!is_loaded({0, 2}, {0, 1, 3, 4}, {5, 1, 1, 0}));  // so would the first
    CHECK(!is_loaded({1, not_a_number}, {0, 1, 3, 4}, {5, 1, 1, 0}));
    CHECK(!is_loaded({1, 2}, {0, 3, 4}, {5, 1, 1, 0}));  // too few groups
    CHECK(!is_loaded({1, 2}, {1, 2, 3, 4}, {5, 1, 1, 0}));
    CHECK(!is_loaded({1, 2}, {0, 1, 2, 3}, {5, 1, 1, 0}));
    CHECK(!is_loaded({1, 2}, {0, 1, 1, 4}, {5, 1, 1, 0}));  // a group without times
    CHECK(!is_loaded({1, 2}, {0, 9, 3, 4}, {5, 1, 1, 0}));
    CHECK(!is_loaded({1, 2}, {0, 1, 3, 4}, {5, 2, 1, 0}));  // not ascending
    CHECK(!is_loaded({1, 2}, {0, 1, 3, 4}, {-5, 1, 1, 0}));
    CHECK(!is_loaded({1, 2}, {0, 1, 3, 4}, {5, 1, not_a_number, 0}));
    CHECK(!is_loaded({1, 2}, {0, 1, 3, 4}, {5, 1, 1, std::numeric_limits<float>::infinity()}));
}
