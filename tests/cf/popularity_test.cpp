// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/cf/popularity.hpp>

#include "cf/random_log.hpp"
#include "support/damage.hpp"
#include "support/model_contract.hpp"
#include "support/temp_dir.hpp"

#include <funnel/data/interactions.hpp>
#include <funnel/io/container.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

using funnel::CorruptData;
using funnel::InvalidArgument;
using funnel::Scored;
using funnel::cf::Popularity;
using funnel::data::Interaction;
using funnel::data::Interactions;
namespace testing = funnel::testing;

namespace {

using List = std::vector<Scored<>>;
using Ids = std::vector<std::uint32_t>;

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

std::vector<float> scores(const Popularity& model) {
    return {model.scores().begin(), model.scores().end()};
}

}  // namespace

TEST_CASE("Popularity: keeps what every model promises") {
    testing::check_model<Popularity>();
    testing::check_model<Popularity>({.half_life = 3.0, .now = 10.0});
}

TEST_CASE("Popularity: worked by hand") {
    // Item 0: 3 rows, two of them by one user; item 1: 1; item 2: 2; item 3: none. User 2 has no row.
    const auto log = testing::log_of({{0, 0, 2}, {0, 1, 2}, {}}, 4);
    const auto model = Popularity::fit(log);
    CHECK(scores(model) == std::vector<float>{3, 1, 2, 0});
    CHECK(model.recommend(0) == List{{1, 1}});  // nobody took item 3
    CHECK(model.recommend(2, {.k = 2}) == List{{0, 3}, {2, 2}});
    CHECK(model.recommend(0, {.k = 1, .keep_seen = true}) == List{{0, 3}});
    CHECK(model.score(1, Ids{3, 0}) == std::vector<float>{0, 3});
}

TEST_CASE("Popularity: with a half-life, rows lose weight with age") {
    // Ages 30, 20, 10 and 0 at half-life 10: 1/8 + 1/4 + 1/2 + 1 = 1.875. Item 1, at age 5: sqrt(1/2).
    const auto log =
        Interactions::from_ids({{0, 0, 5, 70}, {1, 0, 1, 80}, {0, 1, 1, 95}, {2, 0, 2, 90}, {3, 0, 3, 100}}, 4, 2);
    const auto model = Popularity::fit(log, {.half_life = 10.0});
    CHECK(model.scores()[0] == 1.875F);
    CHECK(model.scores()[1] == doctest::Approx(std::sqrt(0.5)));
    CHECK(scores(Popularity::fit(log, {.half_life = 10.0, .now = 110.0}))[0] == 0.9375F);
    CHECK(scores(Popularity::fit(log, {.now = 3.0}))[0] == 4.0F);  // no half-life: age does not matter
}

TEST_CASE("Popularity: with a window, older rows do not count") {
    const auto log =
        Interactions::from_ids({{0, 0, 5, 70}, {1, 0, 1, 80}, {0, 1, 1, 95}, {2, 0, 2, 90}, {3, 0, 3, 100}}, 4, 2);
    CHECK(scores(Popularity::fit(log, {.window = 20.0})) == std::vector<float>{3, 1});  // an age of 20 still counts
    CHECK(scores(Popularity::fit(log, {.window = 19.0})) == std::vector<float>{2, 1});
    CHECK(scores(Popularity::fit(log, {.window = 20.0, .now = 111.0})) == std::vector<float>{1, 1});
    CHECK(scores(Popularity::fit(log, {.window = 0.0})) == std::vector<float>{1, 0});
    CHECK(scores(Popularity::fit(log, {.half_life = 10.0, .window = 15.0}))[0] == 1.5F);
    CHECK(Popularity::fit(log, {.window = 0.0}).recommend(3).empty());  // item 1 has no row that counts
}

TEST_CASE("Popularity: agrees with a count on random input") {
    const auto log = testing::random_log(40, 30, 0.2, 11);
    const auto model = Popularity::fit(log);
    std::vector<float> count(30, 0.0F);
    for (const Interaction& row : log) {
        ++count[row.item];
    }
    CHECK(scores(model) == count);
}

// RecBole counts an item once per batch of rows.
TEST_CASE("Popularity: counts every row, in whatever order or portions the rows come") {
    const auto log = testing::random_log(30, 12, 0.4, 9);
    const std::vector<Interaction> forward(log.begin(), log.end());
    std::vector<Interaction> twice = forward;
    twice.insert(twice.end(), forward.rbegin(), forward.rend());
    const auto once = Popularity::fit(log);
    const auto doubled = Popularity::fit(Interactions::from_ids(twice, 30, 12));
    const std::vector<Interaction> backward(forward.rbegin(), forward.rend());
    const auto reversed = Popularity::fit(Interactions::from_ids(backward, 30, 12));
    for (std::size_t item = 0; item < 12; ++item) {
        CHECK(doubled.scores()[item] == 2.0F * once.scores()[item]);
        CHECK(reversed.scores()[item] == once.scores()[item]);
    }
}

TEST_CASE("Popularity: fold_in takes the history out of the list") {
    const auto model = Popularity::fit(testing::log_of({{0, 0, 2}, {0, 1, 2}}, 4));
    CHECK(model.fold_in(Ids{2, 0}).recommend() == List{{1, 1}});
    CHECK(model.fold_in({}).recommend({.k = 1}) == List{{0, 3}});
    CHECK_THROWS_AS((void)model.fold_in(Ids{4}), InvalidArgument);
    CHECK_THROWS_AS((void)model.fold_in(Ids{1, 1}), InvalidArgument);
}

TEST_CASE("Popularity: the form without allocation agrees") {
    const auto log = testing::random_log(20, 30, 0.2, 5);
    const auto model = Popularity::fit(log);
    std::vector<float> scratch(model.items());
    List out(7);
    for (std::size_t user = 0; user < model.users(); ++user) {
        const auto list = model.recommend(user, {.k = 7}, scratch, out);
        CHECK(List(list.begin(), list.end()) == model.recommend(user, {.k = 7}));
    }
}

TEST_CASE("Popularity: an empty log") {
    const auto model = Popularity::fit({}, {.half_life = 1.0});
    CHECK(model.users() == 0);
    CHECK(model.items() == 0);
    CHECK(model.fold_in({}).recommend().empty());
    const auto silent = Popularity::fit(Interactions::from_ids({}, 2, 2), {.half_life = 1.0});
    CHECK(silent.recommend(1).empty());
}

TEST_CASE("Popularity: comes back from a file, and only from an undamaged one") {
    const testing::TempDir dir;
    const auto log = testing::random_log(15, 12, 0.3, 3);
    const auto model = Popularity::fit(log, {.half_life = 100.0});
    model.save(dir / "a.fnl");
    const auto loaded = Popularity::load(dir / "a.fnl");
    CHECK(scores(loaded) == scores(model));
    CHECK(loaded.recommend(3) == model.recommend(3));
    loaded.save(dir / "b.fnl");
    const auto bytes = testing::bytes_of(dir / "a.fnl");
    CHECK(bytes == testing::bytes_of(dir / "b.fnl"));
    testing::check_damage(bytes, [](const auto& path) { return Popularity::load(path).recommend(3); });

    const auto save_with = [&](const std::vector<float>& values) {
        funnel::io::ContainerWriter file("cf.Popularity", 1);
        const std::vector<std::uint64_t> offsets{0};
        const Ids history;
        file.value("log_fingerprint", std::uint64_t{0});
        file.value("items", std::uint64_t{2});
        file.array("history_offsets", std::span(offsets));
        file.array("history_items", std::span(history));
        file.array("scores", std::span(values));
        file.save(dir / "b.fnl");
    };
    save_with({0.0F, 2.0F});
    CHECK(Popularity::load(dir / "b.fnl").items() == 2);
    save_with({1.0F});
    CHECK_THROWS_AS((void)Popularity::load(dir / "b.fnl"), CorruptData);
    save_with({1.0F, static_cast<float>(not_a_number)});
    CHECK_THROWS_AS((void)Popularity::load(dir / "b.fnl"), CorruptData);
    save_with({1.0F, static_cast<float>(infinity)});
    CHECK_THROWS_AS((void)Popularity::load(dir / "b.fnl"), CorruptData);
    save_with({1.0F, -1.0F});
    CHECK_THROWS_AS((void)Popularity::load(dir / "b.fnl"), CorruptData);
}

TEST_CASE("Popularity: an item whose rows are all too old to count is not listed") {
    const auto log = Interactions::from_ids({{0, 0, 1, 0}, {0, 1, 1, 1e6}}, 1, 2);
    const auto model = Popularity::fit(log, {.half_life = 1.0});
    CHECK(scores(model) == std::vector<float>{0, 1});
    CHECK(model.recommend(7) == List{{1, 1}});
}

TEST_CASE("Popularity: rejects what cannot work") {
    const auto log = Interactions::from_ids({{0, 0, 1, 50}}, 1, 1);
    for (const double bad : {0.0, -1.0, not_a_number, infinity}) {
        CHECK_THROWS_AS((void)Popularity::fit(log, {.half_life = bad}), InvalidArgument);
    }
    for (const double bad : {-1.0, not_a_number, infinity}) {
        CHECK_THROWS_AS((void)Popularity::fit(log, {.window = bad}), InvalidArgument);
    }
    CHECK_THROWS_AS((void)Popularity::fit(log, {.window = 1.0, .now = 49.0}), InvalidArgument);
    CHECK_THROWS_AS((void)Popularity::fit(log, {.now = infinity}), InvalidArgument);
    CHECK_THROWS_AS((void)Popularity::fit(log, {.half_life = 1.0, .now = 49.0}), InvalidArgument);
    CHECK_THROWS_AS((void)Popularity::fit(log).score(0, Ids{1}), InvalidArgument);
}

TEST_CASE("Popularity: a log of one's own may hold times that are none") {
    struct OwnLog {
        double time;
        [[nodiscard]] std::size_t users() const { return 1; }
        [[nodiscard]] std::size_t items() const { return 1; }
        [[nodiscard]] std::size_t size() const { return 2; }
        Interaction operator[](std::size_t row) const { return {0, 0, 1.0F, row == 0 ? 1.0 : time}; }
    };
    CHECK(scores(Popularity::fit(OwnLog{0.0}, {.half_life = 1.0}))[0] == 1.5F);
    CHECK_THROWS_AS((void)Popularity::fit(OwnLog{not_a_number}, {.half_life = 1.0}), InvalidArgument);
    CHECK_THROWS_AS((void)Popularity::fit(OwnLog{-infinity}, {.half_life = 1.0}), InvalidArgument);
    CHECK(scores(Popularity::fit(OwnLog{not_a_number}))[0] == 2.0F);
}
