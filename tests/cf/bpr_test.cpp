// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/cf/bpr.hpp>

#include "cf/random_log.hpp"
#include "support/backends.hpp"
#include "support/model_contract.hpp"
#include "support/temp_dir.hpp"

#include <funnel/core/parallel.hpp>
#include <funnel/data/user_item_matrix.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <set>
#include <span>
#include <string>
#include <vector>

using funnel::InvalidArgument;
using funnel::Random;
using funnel::Threads;
using namespace funnel::cf;
namespace testing = funnel::testing;

namespace {

using Ids = std::vector<std::uint32_t>;

// -log sigmoid(s_i - s_j) of a user and two items, and its regularisation, in double.
double pair_loss(const std::vector<double>& x, std::size_t n, double regularisation) {
    double lead = x[2 * n] - x[3 * n + 1];  // biases stand behind the factors of each item
    double squares = 0.0;
    for (std::size_t f = 0; f < n; ++f) {
        lead += x[f] * (x[n + f] - x[2 * n + 1 + f]);
    }
    for (const double number : x) {
        squares += number * number;
    }
    return std::log1p(std::exp(-lead)) + 0.5 * regularisation * squares;
}

// The mean over likes and all items that a user did not take of -log sigmoid(s_i - s_j).
double mean_loss(const BPR& model, const std::vector<Ids>& histories) {
    Ids all(model.items());
    std::iota(all.begin(), all.end(), 0U);
    double sum = 0.0;
    double pairs = 0.0;
    for (std::size_t user = 0; user < histories.size(); ++user) {
        const std::vector<float> scores = model.score(user, all);
        for (const std::uint32_t i : histories[user]) {
            for (const std::uint32_t j : all) {
                if (!std::ranges::binary_search(histories[user], j)) {
                    sum += std::log1p(std::exp(double{scores[j]} - scores[i]));
                    pairs += 1.0;
                }
            }
        }
    }
    return sum / pairs;
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

TEST_CASE("BPR: keeps what every model promises") {
    testing::check_model<BPR>({.factors = 5, .epochs = 3});
    testing::check_model<BasicBPR<funnel::kernels::Scalar>>({.factors = 1, .epochs = 0, .fold_in_epochs = 1});
}

// u = (.1, .2), i = (.3, -.1), j = (-.2, .4), rate .05, regularisation .01: x = u . (i - j) = .05 - .1 = -.05,
// sigmoid(.05) = .512497; u' = .9995 u + .05 .512497 (i - j), i' = .9995 i + .05 .512497 u, j' likewise.
TEST_CASE_TEMPLATE_DEFINE("BPR: one step worked by hand, all three rows from the old values", Backend, bpr_by_hand) {
    funnel::Matrix<float> items(2, 3);
    items.row(0)[0] = 0.3F;
    items.row(0)[1] = -0.1F;
    items.row(1)[0] = -0.2F;
    items.row(1)[1] = 0.4F;
    std::vector<float> user{0.1F, 0.2F, 1.0F};
    const Ids group{0, 1};
    const std::vector<std::uint8_t> is_positive{1, 0};
    Random random(1);
    detail::TrainedRow<Backend> row(items, group, is_positive, 0.05F, 0.01F, random);
    row.start(user, 1);
    BPRLoss({}, 2).learn(row, 0);
    const auto near = [](double x) { return doctest::Approx(x).epsilon(1e-5); };
    CHECK(user[0] == near(0.112762));
    CHECK(user[1] == near(0.187088));
    CHECK(items.row(0)[0] == near(0.302412));
    CHECK(items.row(0)[1] == near(-0.094825));
    CHECK(items.row(1)[0] == near(-0.202462));
    CHECK(items.row(1)[1] == near(0.394675));
    CHECK(items.row(0)[2] == near(0.05 * 0.512497));
    CHECK(items.row(1)[2] == near(-0.05 * 0.512497));
    CHECK(user[2] == 1.0F);
}
TEST_CASE_TEMPLATE_APPLY(bpr_by_hand, testing::HostBackends);

TEST_CASE_TEMPLATE_DEFINE("BPR: a step goes down the gradient of the loss, by central differences", Backend,
                          bpr_gradient) {
    for (const std::size_t n : {1U, 3U, 16U, 37U}) {
        Random random(n);
        std::vector<double> x(3 * n + 2);
        for (double& number : x) {
            number = 0.3 * random.normal();
        }
        funnel::Matrix<float> items(2, n + 1);
        std::vector<float> user(n + 1, 1.0F);
        for (std::size_t f = 0; f < n; ++f) {
            user[f] = static_cast<float>(x[f]);
        }
        for (std::size_t f = 0; f <= n; ++f) {
            items.row(0)[f] = static_cast<float>(x[n + f]);
            items.row(1)[f] = static_cast<float>(x[2 * n + 1 + f]);
        }
        const Ids group{0, 1};
        const std::vector<std::uint8_t> is_positive{1, 0};
        constexpr float rate = 0.1F;
        detail::TrainedRow<Backend> row(items, group, is_positive, rate, 0.05F, random);
        row.start(user, 1);
        BPRLoss({}, 2).learn(row, 0);
        for (std::size_t at = 0; at < x.size(); ++at) {
            std::vector<double> more = x;
            std::vector<double> less = x;
            more[at] += 1e-5;
            less[at] -= 1e-5;
            const double gradient = (pair_loss(more, n, 0.05) - pair_loss(less, n, 0.05)) / 2e-5;
            const float after = at < n           ? user[at]
                                : at < 2 * n + 1 ? items.row(0)[at - n]
                                                 : items.row(1)[at - 2 * n - 1];
            CHECK(after == doctest::Approx(x[at] - double{rate} * gradient).epsilon(1e-5));
        }
    }
}
TEST_CASE_TEMPLATE_APPLY(bpr_gradient, testing::HostBackends);

TEST_CASE("BPR: more epochs do not raise the loss over all pairs") {
    const auto histories = two_tastes(60, 80, 3);
    const auto log = testing::log_of(histories, 80);
    double last = std::log(2.0);
    for (const std::size_t epochs : {2U, 6U, 20U, 60U}) {
        const double loss = mean_loss(BPR::fit(log, {.factors = 8, .epochs = epochs}), histories);
        CHECK(loss < last);
        last = loss;
    }
    CHECK(last < 0.35);
}

TEST_CASE("BPR: finds two tastes") {
    const auto histories = two_tastes(100, 120, 7);
    const auto model = BPR::fit(testing::log_of(histories, 120), {.factors = 8, .epochs = 30});
    std::size_t hits = 0;
    for (std::size_t user = 0; user < 100; ++user) {
        for (const auto& item : model.recommend(user, {.k = 10})) {
            hits += item.id % 2 == user % 2 ? 1 : 0;
        }
    }
    CHECK(hits > 950);  // of 1,000; chance is about 610, because a user's own half has the likes removed
}

TEST_CASE("BPR: the same bits for 1, 2, 3 and 4 threads, with several groups") {
    const auto log = testing::random_log(150, 300, 0.1, 5);
    const BPROptions options{.factors = 7, .epochs = 3};
    const auto expected = BPR::fit(log, options);
    for (const std::size_t count : {1U, 2U, 3U, 4U}) {
        Threads pool(count);
        const auto model = BPR::fit(log, options, pool);
        for (std::size_t item = 0; item < 300; ++item) {
            CHECK(std::ranges::equal(model.item_factors().row(item), expected.item_factors().row(item)));
        }
        for (std::size_t user = 0; user < 150; ++user) {
            CHECK(std::ranges::equal(model.user_factors().row(user), expected.user_factors().row(user)));
        }
    }
    CHECK_FALSE(BPR::fit(log, {.factors = 7, .epochs = 3, .seed = 2}).recommend(0) == expected.recommend(0));
}

TEST_CASE("BPR: update goes on from the rows at hand") {
    const auto log = testing::random_log(60, 40, 0.2, 5);
    const auto model = BPR::fit(log, {.factors = 6, .epochs = 30});
    auto updated = model;
    updated.update(log, {.factors = 6, .epochs = 1, .learning_rate = 1e-6F});
    for (std::size_t item = 0; item < 40; ++item) {
        for (std::size_t f = 0; f < 7; ++f) {
            CHECK(updated.item_factors().row(item)[f] ==
                  doctest::Approx(model.item_factors().row(item)[f]).epsilon(1e-3).scale(0.1));
        }
    }
    CHECK_THROWS_WITH_AS(updated.update(log, {.factors = 5}), "BPR: factors of an update must be 6, got 5",
                         InvalidArgument);
    CHECK_THROWS_AS(updated.update(log, {.factors = 6, .learning_rate = -1.0F}), InvalidArgument);
}

TEST_CASE("BPR: update draws other negatives than the epochs before it") {
    // With tiny rows and steps, each like adds rate / 2 to the bias of its item, and takes rate / 2 from the bias of
    // the item that is drawn: a bias counts the draws.
    const auto log = testing::random_log(60, 40, 0.2, 5);
    const auto biases = [](const BPR& model) {
        std::vector<double> result;
        for (std::size_t item = 0; item < model.items(); ++item) {
            result.push_back(double{model.item_factors().row(item).back()} / 0.5e-4);
        }
        return result;
    };
    const BPROptions options{.factors = 2, .epochs = 1, .learning_rate = 1e-4F, .stddev = 1e-3F};
    BPROptions twice = options;
    twice.epochs = 2;
    auto model = BPR::fit(log, options);
    const auto first = biases(model);
    const testing::TempDir dir;
    model.save(dir / "bpr.fnl");
    model = BPR::load(dir / "bpr.fnl");
    model.update(log, options);
    const auto both = biases(model);
    const auto expected = biases(BPR::fit(log, twice));
    double changed = 0.0;
    for (std::size_t item = 0; item < 40; ++item) {
        CHECK(both[item] == doctest::Approx(expected[item]).epsilon(0.01).scale(1.0));
        changed += std::abs(both[item] - 2.0 * first[item]);
    }
    CHECK(changed > 40.0);  // more than one draw per item
}

TEST_CASE("BPR: fold_in with the history of a training user gives the row of that user, to the bit") {
    const auto log = testing::random_log(40, 90, 0.2, 5);
    const auto model = BPR::fit(log, {.factors = 6, .epochs = 5});
    const auto user_item = funnel::data::user_item_matrix(log);
    for (std::size_t user = 0; user < 40; ++user) {
        CHECK(std::ranges::equal(model.fold_in_factors(user_item.row(user).columns), model.user_factors().row(user)));
    }
}

// In another library, the constant column of 1 that lets an item's bias into the inner product was trained as well.
TEST_CASE("BPR: the constant 1 of users, which multiplies the bias of items, does not drift") {
    const auto model = BPR::fit(testing::random_log(40, 90, 0.2, 5), {.factors = 6, .epochs = 50});
    for (std::size_t user = 0; user < 40; ++user) {
        CHECK(model.user_factors().row(user).back() == 1.0F);
    }
    CHECK(std::ranges::any_of(Ids{0, 1, 2}, [&](auto item) { return model.item_factors().row(item).back() != 0.0F; }));
}

// In another library, positives of the user were drawn as negatives, and the last item never was.
TEST_CASE("BPR: a negative is never a like of the user, and the last item is one, too") {
    const std::vector<std::uint8_t> is_positive{1, 0, 1, 0};
    const Ids group{0, 1, 2, 3};
    funnel::Matrix<float> items(4, 3);
    Random random(5);
    detail::TrainedRow<funnel::kernels::DefaultBackend> row(items, group, is_positive, 0.1F, 0.0F, random);
    std::vector<int> drawn(4);
    for (int i = 0; i < 4000; ++i) {
        ++drawn[row.draw().value()];
    }
    CHECK(drawn[0] == 0);
    CHECK(drawn[2] == 0);
    CHECK(drawn[1] == doctest::Approx(2000).epsilon(0.08));  // 5 standard deviations
    CHECK(drawn[3] == doctest::Approx(2000).epsilon(0.08));
}

// In implicit on a GPU, the 1 is trained, so that the biases of items mean another thing to each user.
TEST_CASE("BPR: the 1 beside the factors of a user does not drift") {
    const auto model = BPR::fit(testing::random_log(20, 15, 0.3, 4), {.factors = 3, .epochs = 40});
    for (std::size_t user = 0; user < 20; ++user) {
        CHECK(model.user_factors().row(user).back() == 1.0F);
    }
    CHECK(model.fold_in(Ids{1, 2}).recommend({.k = 1}).size() == 1);
}

// LIBMF never draws the last item. Users like one item of 0 to 3, nobody likes 4 but user 0: it falls below all others.
TEST_CASE("BPR: the last item is a negative, too") {
    std::vector<Ids> histories{{0, 4}};
    for (std::uint32_t user = 1; user < 40; ++user) {
        histories.push_back({user % 4});
    }
    const auto model = BPR::fit(testing::log_of(histories, 5), {.factors = 2, .epochs = 50});
    CHECK(model.item_factors().row(4).back() < 0.0F);
    for (std::size_t item = 0; item < 4; ++item) {
        CHECK(model.item_factors().row(item).back() > model.item_factors().row(4).back());
    }
}

TEST_CASE("BPR: users who took everything, and items that nobody took, change nothing") {
    const auto everything = BPR::fit(testing::log_of({{0, 1, 2}, {0, 1, 2}}, 5), {.factors = 2, .epochs = 4});
    CHECK(everything.recommend(0).empty());
    CHECK(std::ranges::count(everything.user_factors().row(0), 0.0F) == 2);
    for (const float x : everything.item_factors().row(4)) {
        CHECK(x == 0.0F);
    }
    CHECK(everything.fold_in(Ids{4}).recommend({.keep_seen = true}).size() == 3);
}

TEST_CASE("BPR: rejects options that cannot work, and steps that diverge") {
    const auto log = testing::random_log(10, 12, 0.3, 1);
    constexpr float infinity = std::numeric_limits<float>::infinity();
    for (const float bad : {-1.0F, infinity}) {
        CHECK_THROWS_AS((void)BPR::fit(log, {.learning_rate = bad}), InvalidArgument);
        CHECK_THROWS_AS((void)BPR::fit(log, {.regularisation = bad}), InvalidArgument);
        CHECK_THROWS_AS((void)BPR::fit(log, {.stddev = bad}), InvalidArgument);
    }
    CHECK_THROWS_WITH_AS((void)BPR::fit(log, {.learning_rate = 0.0F}),
                         "BPR: learning_rate must be finite and > 0, got 0", InvalidArgument);
    // From here on, a step turns the sign of what it should shrink.
    CHECK_THROWS_WITH_AS((void)BPR::fit(log, {.learning_rate = 0.5F, .regularisation = 3.0F}),
                         "BPR: learning_rate * regularisation must be below 1, got 1.5", InvalidArgument);
    CHECK_THROWS_AS((void)BPR::fit(log, {.learning_rate = 0.5F, .regularisation = 2.0F}), InvalidArgument);
    CHECK_NOTHROW((void)BPR::fit(log, {.epochs = 2, .learning_rate = 0.5F, .regularisation = 1.5F}));
    CHECK_THROWS_AS((void)BPR::fit(log, {.factors = 0}), InvalidArgument);
    CHECK_THROWS_AS((void)BPR::fit(log, {.factors = std::numeric_limits<std::size_t>::max()}), InvalidArgument);
    CHECK_THROWS_AS((void)BPR::fit(log, {.fold_in_epochs = 0}), InvalidArgument);
    CHECK_THROWS_AS((void)BPR::fit(log, {.fold_in_epochs = 1001}), InvalidArgument);
    CHECK_THROWS_AS((void)BPR::fit(log, {.learning_rate = 1e20F}), InvalidArgument);
    CHECK_THROWS_AS((void)BPR::fit(log, {.stddev = 3e38F}), InvalidArgument);
}
