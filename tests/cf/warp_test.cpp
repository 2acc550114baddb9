// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/cf/warp.hpp>

#include "cf/random_log.hpp"
#include "support/allocations.hpp"
#include "support/backends.hpp"
#include "support/model_contract.hpp"
#include "support/temp_dir.hpp"

#include <funnel/core/matrix.hpp>
#include <funnel/core/parallel.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/data/interactions.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

using funnel::InvalidArgument;
using funnel::Random;
using funnel::Threads;
using funnel::data::Interaction;
using funnel::data::Interactions;
using namespace funnel::cf;
namespace testing = funnel::testing;

namespace {

// Scores and draws as given; keeps the steps.
struct ScriptedRow {
    std::vector<float> scores;
    std::vector<std::uint32_t> draws;
    std::size_t unseen;
    std::size_t drawn = 0;
    std::vector<std::pair<std::uint32_t, float>> steps = {};

    [[nodiscard]] std::size_t negatives() const { return unseen; }
    std::optional<std::uint32_t> draw() { return drawn < draws.size() ? std::optional(draws[drawn++]) : std::nullopt; }
    [[nodiscard]] float score(std::uint32_t item) const { return scores[item]; }
    void pair_step(std::uint32_t, std::uint32_t negative, float gradient) { steps.emplace_back(negative, gradient); }
};

using Steps = std::vector<std::pair<std::uint32_t, float>>;

}  // namespace

TEST_CASE("WARP: keeps what every model promises") {
    testing::check_model<WARP>({.factors = 5, .epochs = 3});
    testing::check_model<BasicWARP<funnel::kernels::Scalar>>({.factors = 2, .epochs = 2, .most_tries = 1});
}

// Negatives 1, 2, 3 at scores .1, 0, .5 beside a like at 1: only 3 is within the margin of 1, and so is none at 0.
TEST_CASE("WARP: steps on the first item within the margin of 1, with the weight of the number of draws") {
    const WARPLoss loss({.most_tries = 5}, 100);
    ScriptedRow first{{1.0F, 0.1F, 0.0F, 0.5F}, {3, 1}, 61};
    loss.learn(first, 0);
    CHECK(first.steps == Steps{{3, loss.weight(61, 1)}});
    ScriptedRow third{{1.0F, -0.1F, 0.0F, 0.5F}, {1, 2, 3}, 61};
    loss.learn(third, 0);
    CHECK(third.steps == Steps{{3, loss.weight(61, 3)}});
    CHECK(third.drawn == 3);
    ScriptedRow nothing_left{{1.0F, -0.1F, 0.0F, 0.5F}, {1, 2}, 61};
    loss.learn(nothing_left, 0);
    CHECK(nothing_left.steps.empty());
}

// In another library, each draw counted twice, so estimated ranks were half as large, and a violation that the last
// allowed draw found was dropped.
TEST_CASE("WARP: draws count once, and a violation on the last draw counts") {
    const WARPLoss loss({.most_tries = 3}, 100);
    ScriptedRow last{{1.0F, -1.0F, 0.5F}, {1, 1, 2, 2}, 61};
    loss.learn(last, 0);
    CHECK(last.steps == Steps{{2, loss.weight(61, 3)}});
    ScriptedRow late{{1.0F, -1.0F, 0.5F}, {1, 1, 1, 2}, 61};
    loss.learn(late, 0);
    CHECK(late.steps.empty());
    CHECK(late.drawn == 3);
}

TEST_CASE("WARP: the weight is the harmonic number of floor((negatives - 1) / tries), at least that of rank 1") {
    const WARPLoss loss({}, 1000);
    CHECK(loss.weight(61, 20) == doctest::Approx(1.0 + 1.0 / 2 + 1.0 / 3));
    CHECK(loss.weight(61, 21) == doctest::Approx(1.0 + 1.0 / 2));
    CHECK(loss.weight(61, 60) == 1.0F);
    CHECK(loss.weight(61, 61) == 1.0F);
    CHECK(loss.weight(1, 1) == 1.0F);
    double harmonic = 0.0;
    for (int rank = 1; rank <= 999; ++rank) {
        harmonic += 1.0 / rank;
    }
    CHECK(loss.weight(1000, 1) == doctest::Approx(harmonic).epsilon(1e-7));
}

TEST_CASE("WARP: one step worked by hand, all three rows from the old values") {
    // u = (1, 2), like (.5, 0), negative (0, .5), biases 0: scores .5 and 1. One negative: weight 1. rate .1, decay 1.
    funnel::Matrix<float> items(2, 3);
    items.row(0)[0] = 0.5F;
    items.row(1)[1] = 0.5F;
    std::vector<float> user{1.0F, 2.0F, 1.0F};
    const std::vector<std::uint32_t> group{0, 1};
    const std::vector<std::uint8_t> is_positive{1, 0};
    Random random(1);
    detail::TrainedRow<funnel::kernels::Scalar> row(items, group, is_positive, 0.1F, 0.0F, random);
    row.start(user, 1);
    WARPLoss({}, 2).learn(row, 0);
    CHECK(user == std::vector<float>{1.0F + 0.1F * 0.5F, 2.0F - 0.1F * 0.5F, 1.0F});
    CHECK(items.row(0)[0] == 0.5F + 0.1F * 1.0F);
    CHECK(items.row(0)[1] == 0.1F * 2.0F);
    CHECK(items.row(1)[0] == -0.1F);
    CHECK(items.row(1)[1] == doctest::Approx(0.3));
    CHECK(items.row(0)[2] == 0.1F);
    CHECK(items.row(1)[2] == -0.1F);
}

TEST_CASE("WARP: finds two tastes, with the same bits for 1, 2 and 4 threads") {
    std::vector<std::vector<std::uint32_t>> histories(100);
    Random random(7);
    for (std::size_t user = 0; user < 100; ++user) {
        for (std::uint32_t item = 0; item < 120; ++item) {
            if (item % 2 == user % 2 && random.uniform() < 0.4) {
                histories[user].push_back(item);
            }
        }
    }
    const auto log = testing::log_of(histories, 120);
    const WARPOptions options{.factors = 8, .epochs = 30};
    const auto model = WARP::fit(log, options);
    std::size_t hits = 0;
    for (std::size_t user = 0; user < 100; ++user) {
        for (const auto& item : model.recommend(user, {.k = 10})) {
            hits += item.id % 2 == user % 2 ? 1 : 0;
        }
    }
    CHECK(hits > 950);
    for (const std::size_t count : {2U, 4U}) {
        Threads pool(count);
        const auto same = WARP::fit(log, options, pool);
        for (std::size_t user = 0; user < 100; ++user) {
            CHECK(std::ranges::equal(same.user_factors().row(user), model.user_factors().row(user)));
        }
    }
}

// Items whose initial rows were zeros did not count as negatives, so weights were read far outside the table of them.
TEST_CASE("WARP: fits with initial rows so small that they are zeros, and reads no memory but its own") {
    const auto log = testing::random_log(20, 12, 0.6, 1);
    for (const float stddev : {1e-44F, std::numeric_limits<float>::denorm_min()}) {
        const auto model = WARP::fit(log, {.factors = 16, .epochs = 2, .stddev = stddev});
        CHECK(model.recommend(0).size() > 0);  // by the biases
    }
}

// Each fold-in computed the weights of all ranks.
TEST_CASE("WARP: a fold-in takes memory for a history, not for the catalogue" *
          doctest::skip(!testing::allocations_are_counted)) {
    constexpr std::uint32_t items = 20000;
    std::vector<Interaction> rows;
    for (std::uint32_t item = 0; item < items; ++item) {
        rows.push_back({item % 100, item});
    }
    const auto log = Interactions::from_ids(rows, 100, items);
    const WARP model = WARP::fit(log, {.factors = 2, .epochs = 1});
    const auto bytes = [](const WARP& any) {
        return testing::allocated_bytes_of([&] { (void)any.fold_in_factors(std::vector<std::uint32_t>{1, 2}); });
    };
    CHECK(bytes(model) < items);
    const testing::TempDir dir;
    model.save(dir / "warp.fnl");
    CHECK(bytes(WARP::load(dir / "warp.fnl")) < items);
}

TEST_CASE("WARP: rejects options that cannot work") {
    const auto log = testing::random_log(10, 12, 0.3, 1);
    CHECK_THROWS_AS((void)WARP::fit(log, {.most_tries = 0}), InvalidArgument);
    CHECK_THROWS_WITH_AS((void)WARP::fit(log, {.most_tries = 1001}), "WARP: most_tries must lie in [1, 1000], got 1001",
                         InvalidArgument);
    CHECK_THROWS_AS((void)WARP::fit(log, {.learning_rate = 0.0F}), InvalidArgument);
    CHECK_THROWS_AS((void)WARP::fit(log, {.regularisation = -1.0F}), InvalidArgument);
    CHECK_THROWS_AS((void)WARP::fit(log, {.learning_rate = 0.5F, .regularisation = 2.0F}), InvalidArgument);
}
