// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/cf/logistic_mf.hpp>

#include "cf/random_log.hpp"
#include "support/backends.hpp"
#include "support/model_contract.hpp"

#include <funnel/core/matrix.hpp>
#include <funnel/core/parallel.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/data/user_item_matrix.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <optional>
#include <span>
#include <utility>
#include <vector>

using funnel::InvalidArgument;
using funnel::Matrix;
using funnel::Random;
using funnel::Threads;
using namespace funnel::cf;
namespace testing = funnel::testing;

namespace {

using Ids = std::vector<std::uint32_t>;

// Scores and draws as given; keeps the steps.
struct ScriptedRow {
    std::vector<float> scores;
    Ids draws;
    std::size_t drawn = 0;
    std::vector<std::pair<std::uint32_t, float>> steps = {};

    std::optional<std::uint32_t> draw() { return drawn < draws.size() ? std::optional(draws[drawn++]) : std::nullopt; }
    [[nodiscard]] float score(std::uint32_t item) const { return scores[item]; }
    void step(std::uint32_t item, float gradient) { steps.emplace_back(item, gradient); }
};

// A row of training that keeps its steps, too.
class WatchedRow {
public:
    explicit WatchedRow(detail::TrainedRow<funnel::kernels::DefaultBackend>& row) : row_(&row) {}

    std::optional<std::uint32_t> draw() { return row_->draw(); }
    [[nodiscard]] float score(std::uint32_t item) const { return row_->score(item); }
    void step(std::uint32_t item, float gradient) {
        stepped.push_back(item);
        row_->step(item, gradient);
    }

    Ids stepped = {};

private:
    detail::TrainedRow<funnel::kernels::DefaultBackend>* row_;
};

double softplus(double x) {
    return x > 0.0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x));
}

// The loss of one pair of a user and an item (its bias stands last), with its regularisation, in double.
double pair_loss(const std::vector<double>& x, std::size_t n, double like_weight, double regularisation) {
    double score = x[2 * n];
    double squares = 0.0;
    for (std::size_t f = 0; f < n; ++f) {
        score += x[f] * x[n + f];
    }
    for (const double number : x) {
        squares += number * number;
    }
    return (like_weight > 0.0 ? like_weight * softplus(-score) : softplus(score)) + 0.5 * regularisation * squares;
}

// What fold_in_factors minimizes, in the mean over all draws: likes, and as many negatives as each pass draws.
double history_loss(const std::vector<double>& w, const LogisticMF& model, const Ids& history,
                    const LogisticMFOptions& options) {
    double likes = 0.0;
    double others = 0.0;
    double squares = 0.0;
    const std::size_t n = w.size();
    for (std::uint32_t item = 0; item < model.items(); ++item) {
        double score = model.item_factors()(item, n);
        for (std::size_t f = 0; f < n; ++f) {
            score += w[f] * model.item_factors()(item, f);
        }
        if (std::ranges::binary_search(history, item)) {
            likes += double{options.alpha} * softplus(-score);
        } else {
            others += softplus(score);
        }
    }
    for (const double x : w) {
        squares += x * x;
    }
    const auto count = static_cast<double>(history.size());
    const auto drawn = count * static_cast<double>(options.negatives);
    return likes + drawn * others / static_cast<double>(model.items() - history.size()) +
           0.5 * double{options.regularisation} * (count + drawn) * squares;
}

// Two groups of users, each of which likes its own half of the items at random.
std::vector<Ids> two_tastes(std::size_t users, std::size_t items, std::uint64_t seed) {
    std::vector<Ids> histories(users);
    Random random(seed);
    for (std::size_t user = 0; user < users; ++user) {
        for (std::uint32_t item = 0; item < items; ++item) {
            if (item % 2 == user % 2 && random.uniform() < 0.4) {
                histories[user].push_back(item);
            }
        }
    }
    return histories;
}

}  // namespace

TEST_CASE("LogisticMF: keeps what every model promises") {
    testing::check_model<LogisticMF>({.factors = 5, .epochs = 3});
    testing::check_model<BasicLogisticMF<funnel::kernels::Scalar>>(
        {.factors = 1, .epochs = 0, .negatives = 1, .alpha = 3.0F, .fold_in_epochs = 1});
}

// u = (1, 2), like (.5, 0) with bias .5, other (0, .5) with bias -.5, alpha 2, rate .1, decay 1. The like has the score
// 1: g = 2 sigmoid(-1) = .537883. Then u = (1.026894, 2), and the like (.553788, .107577), bias .553788. The other has the
// score .5: g = -sigmoid(.5) = -.622459. Then u_2 = 2 - .1 .622459 .5, and the other (-.063920, .375508), bias -.562246.
TEST_CASE_TEMPLATE_DEFINE("LogisticMF: a like and a negative worked by hand", Backend, logistic_by_hand) {
    Matrix<float> items(2, 3);
    items.row(0)[0] = 0.5F;
    items.row(0)[2] = 0.5F;
    items.row(1)[1] = 0.5F;
    items.row(1)[2] = -0.5F;
    std::vector<float> user{1.0F, 2.0F, 1.0F};
    const Ids group{0, 1};
    const std::vector<std::uint8_t> is_positive{1, 0};
    Random random(1);
    detail::TrainedRow<Backend> row(items, group, is_positive, 0.1F, 0.0F, random);
    row.start(user, 1);
    LogisticLoss({.negatives = 1, .alpha = 2.0F}, 2).learn(row, 0);
    const auto near = [](double x) { return doctest::Approx(x).epsilon(1e-5); };
    CHECK(user[0] == near(1.026894));
    CHECK(user[1] == near(1.968877));
    CHECK(user[2] == 1.0F);
    CHECK(items.row(0)[0] == near(0.553788));
    CHECK(items.row(0)[1] == near(0.107577));
    CHECK(items.row(0)[2] == near(0.553788));
    CHECK(items.row(1)[0] == near(-0.063920));
    CHECK(items.row(1)[1] == near(0.375508));
    CHECK(items.row(1)[2] == near(-0.562246));
}
TEST_CASE_TEMPLATE_APPLY(logistic_by_hand, testing::HostBackends);

TEST_CASE_TEMPLATE_DEFINE("LogisticMF: steps go down the gradient of the loss, by central differences", Backend,
                          logistic_gradient) {
    for (const std::size_t n : {1U, 3U, 16U, 37U}) {
        for (const float alpha : {0.0F, 1.0F, 4.0F}) {  // 0: as a negative
            Random random(n);
            std::vector<double> x(2 * n + 1);
            for (double& number : x) {
                number = 0.3 * random.normal();
            }
            Matrix<float> items(2, n + 1);
            std::vector<float> user(n + 1, 1.0F);
            std::copy_n(x.begin(), n, user.begin());
            std::copy(x.begin() + static_cast<std::ptrdiff_t>(n), x.end(), items.row(0).begin());
            const Ids group{0, 1};
            const std::vector<std::uint8_t> is_positive{1, 1};  // no negatives: one step
            constexpr float rate = 0.1F;
            detail::TrainedRow<Backend> row(items, group, is_positive, rate, 0.05F, random);
            row.start(user, 1);
            if (alpha > 0.0F) {
                LogisticLoss({.alpha = alpha}, 2).learn(row, 0);
            } else {  // item 0 is the one negative; item 1 has zeros, so its own step changes the user by the decay alone
                const std::vector<std::uint8_t> only_last{0, 1};
                detail::TrainedRow<Backend> other(items, group, only_last, rate, 0.05F, random);
                other.start(user, 1);
                LogisticLoss({.negatives = 1}, 2).learn(other, 1);
                for (std::size_t f = 0; f < n; ++f) {
                    x[f] *= 1.0 - 0.1 * 0.05;
                }
            }
            for (std::size_t at = 0; at < x.size(); ++at) {
                std::vector<double> more = x;
                std::vector<double> less = x;
                more[at] += 1e-5;
                less[at] -= 1e-5;
                const double gradient =
                    (pair_loss(more, n, double{alpha}, 0.05) - pair_loss(less, n, double{alpha}, 0.05)) / 2e-5;
                const float after = at < n ? user[at] : items.row(0)[at - n];
                CHECK(after == doctest::Approx(x[at] - double{rate} * gradient).epsilon(1e-5));
            }
        }
    }
}
TEST_CASE_TEMPLATE_APPLY(logistic_gradient, testing::HostBackends);

// In another library, the number of negatives per step was capped by the number of columns of the item matrix, factors +
// 2, which the code took for the number of items.
TEST_CASE("LogisticMF: each like has as many negatives as asked for, however few factors there are") {
    for (const std::size_t negatives : {1U, 5U, 100U, 1000U}) {
        ScriptedRow row{{0.0F, 0.0F}, Ids(2000, 1)};
        LogisticLoss({.factors = 2, .negatives = negatives}, 2).learn(row, 0);
        CHECK(row.drawn == negatives);
        REQUIRE(row.steps.size() == 1 + negatives);
        CHECK(row.steps[0] == std::pair{0U, 0.5F});
        for (std::size_t i = 1; i <= negatives; ++i) {
            CHECK(row.steps[i] == std::pair{1U, -0.5F});
        }
    }
    ScriptedRow none{{0.0F}, {}};  // nothing is left to draw
    LogisticLoss({.negatives = 4}, 2).learn(none, 0);
    CHECK(none.steps.size() == 1);
}

// In another library, negatives were drawn by popularity and not checked, so likes of the user were among them.
TEST_CASE("LogisticMF: no negative is a like of the user, and all others are drawn equally often") {
    constexpr std::size_t factors = 2;
    Matrix<float> items(6, factors + 1);
    std::vector<float> user(factors + 1, 1.0F);
    const Ids group{0, 1, 2, 3, 4, 5};
    const std::vector<std::uint8_t> is_positive{1, 0, 1, 0, 0, 0};
    Random random(5);
    detail::TrainedRow<funnel::kernels::DefaultBackend> row(items, group, is_positive, 0.01F, 0.0F, random);
    row.start(user, 4);
    WatchedRow watched(row);
    const LogisticLoss loss({.factors = factors, .negatives = 1000}, 6);
    for (int i = 0; i < 4; ++i) {
        loss.learn(watched, 0);
    }
    CHECK(watched.stepped.size() == 4 * 1001);
    CHECK(std::ranges::count(watched.stepped, 0U) == 4);
    CHECK(std::ranges::count(watched.stepped, 2U) == 0);
    for (const std::uint32_t item : {1U, 3U, 4U, 5U}) {
        CHECK(std::ranges::count(watched.stepped, item) == doctest::Approx(1000).epsilon(0.14));  // 5 deviations
    }
}

// The problem of one row is convex. The oracle descends in double, with all negatives instead of draws.
TEST_CASE("LogisticMF: fold_in finds the minimum of the loss of a history, up to the noise of its draws") {
    const auto histories = two_tastes(60, 80, 3);
    const LogisticMFOptions options{.factors = 4, .epochs = 20, .alpha = 2.0F, .regularisation = 0.05F};
    LogisticMFOptions slow = options;
    slow.learning_rate = 0.01F;
    slow.fold_in_epochs = 1000;
    slow.epochs = 60;
    const auto model = LogisticMF::fit(testing::log_of(histories, 80), slow);
    for (std::size_t user = 0; user < 4; ++user) {
        std::vector<double> best(slow.factors);
        double rate = 0.01;
        double loss = history_loss(best, model, histories[user], slow);
        const double start = loss;
        for (int step = 0; step < 3000; ++step) {
            std::vector<double> next = best;
            for (std::size_t f = 0; f < best.size(); ++f) {
                std::vector<double> more = best;
                std::vector<double> less = best;
                more[f] += 1e-5;
                less[f] -= 1e-5;
                next[f] -= rate *
                           (history_loss(more, model, histories[user], slow) -
                            history_loss(less, model, histories[user], slow)) /
                           2e-5;
            }
            if (const double reached = history_loss(next, model, histories[user], slow); reached <= loss) {
                best = next;
                loss = reached;
            } else {
                rate /= 2.0;
            }
        }
        const std::vector<float> folded = model.fold_in_factors(histories[user]);
        const double got = history_loss({folded.begin(), folded.end() - 1}, model, histories[user], slow);
        CHECK(got >= loss - 1e-6);
        CHECK(got - loss < 0.01 * (start - loss));
    }
}

TEST_CASE("LogisticMF: more epochs do not raise the loss over all pairs, and two tastes are found") {
    const auto histories = two_tastes(100, 120, 7);
    const auto log = testing::log_of(histories, 120);
    Ids all(120);
    std::iota(all.begin(), all.end(), 0U);
    double last = std::numeric_limits<double>::infinity();
    for (const std::size_t epochs : {0U, 2U, 8U, 30U}) {
        const auto model = LogisticMF::fit(log, {.factors = 8, .epochs = epochs, .negatives = 4});
        double likes = 0.0;
        double others = 0.0;
        double count = 0.0;
        std::size_t hits = 0;
        for (std::size_t user = 0; user < 100; ++user) {
            const std::vector<float> scores = model.score(user, all);
            for (const std::uint32_t item : all) {
                const bool is_like = std::ranges::binary_search(histories[user], item);
                (is_like ? likes : others) += softplus(is_like ? -double{scores[item]} : double{scores[item]});
                count += is_like ? 1.0 : 0.0;
            }
            for (const auto& item : model.recommend(user, {.k = 10})) {
                hits += item.id % 2 == user % 2 ? 1 : 0;
            }
        }
        const double loss = likes + 4.0 * count / (100.0 * 120.0 - count) * others;
        CHECK(loss < last);
        last = loss;
        CHECK((epochs < 30 || hits > 950));  // of 1,000
    }
}

TEST_CASE("LogisticMF: the same bits for 1, 2, 3 and 4 threads, and fold_in gives the row of a training user") {
    const auto log = testing::random_log(150, 300, 0.1, 5);
    const LogisticMFOptions options{.factors = 7, .epochs = 3};
    const auto expected = LogisticMF::fit(log, options);
    for (const std::size_t count : {1U, 2U, 3U, 4U}) {
        Threads pool(count);
        const auto model = LogisticMF::fit(log, options, pool);
        for (std::size_t item = 0; item < 300; ++item) {
            CHECK(std::ranges::equal(model.item_factors().row(item), expected.item_factors().row(item)));
        }
        for (std::size_t user = 0; user < 150; ++user) {
            CHECK(std::ranges::equal(model.user_factors().row(user), expected.user_factors().row(user)));
        }
    }
    const auto user_item = funnel::data::user_item_matrix(log);
    for (std::size_t user = 0; user < 150; ++user) {
        CHECK(std::ranges::equal(expected.fold_in_factors(user_item.row(user).columns),
                                 expected.user_factors().row(user)));
        CHECK(expected.user_factors().row(user).back() == 1.0F);
    }
}

TEST_CASE("LogisticMF: rejects options that cannot work, and steps that diverge") {
    const auto log = testing::random_log(10, 12, 0.3, 1);
    CHECK_THROWS_AS((void)LogisticMF::fit(log, {.negatives = 0}), InvalidArgument);
    CHECK_THROWS_WITH_AS((void)LogisticMF::fit(log, {.negatives = 1001}),
                         "LogisticMF: negatives must lie in [1, 1000], got 1001", InvalidArgument);
    for (const float bad : {0.0F, -1.0F, std::numeric_limits<float>::infinity()}) {
        CHECK_THROWS_AS((void)LogisticMF::fit(log, {.alpha = bad}), InvalidArgument);
        CHECK_THROWS_AS((void)LogisticMF::fit(log, {.learning_rate = bad}), InvalidArgument);
        CHECK_THROWS_AS((void)LogisticMF::fit(log, {.stddev = bad}), InvalidArgument);
    }
    CHECK_THROWS_AS((void)LogisticMF::fit(log, {.regularisation = -1.0F}), InvalidArgument);
    CHECK_THROWS_AS((void)LogisticMF::fit(log, {.learning_rate = 0.5F, .regularisation = 2.0F}), InvalidArgument);
    CHECK_THROWS_AS((void)LogisticMF::fit(log, {.factors = 0}), InvalidArgument);
    CHECK_THROWS_AS((void)LogisticMF::fit(log, {.alpha = 3e38F}), InvalidArgument);
}
