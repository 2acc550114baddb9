// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/cf/model.hpp>

#include "cf/random_log.hpp"
#include "support/model_contract.hpp"
#include "support/temp_dir.hpp"

#include <funnel/cf/item_knn.hpp>
#include <funnel/cf/popularity.hpp>
#include <funnel/core/sparse.hpp>
#include <funnel/data/interaction_log.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/io/container.hpp>
#include <funnel/pipeline/funnel.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <vector>

using funnel::InvalidArgument;
using funnel::Scored;
using namespace funnel::cf;
using funnel::data::Interactions;
namespace testing = funnel::testing;

namespace {

using Ids = std::vector<std::uint32_t>;
using List = std::vector<Scored<>>;

// Rows in columns of someone else's program.
struct OwnLog {
    struct Row {
        std::uint32_t user;
        std::uint32_t item;
        float value;
        double time;
    };
    Ids user_ids;
    Ids item_ids;
    std::size_t user_count = 3;
    std::size_t item_count = 4;

    [[nodiscard]] std::size_t users() const { return user_count; }
    [[nodiscard]] std::size_t items() const { return item_count; }
    [[nodiscard]] std::size_t size() const { return user_ids.size(); }
    Row operator[](std::size_t row) const { return {user_ids[row], item_ids[row], 1.0F, 0.0}; }
};
static_assert(funnel::data::InteractionLog<OwnLog>);
static_assert(funnel::data::InteractionLog<Interactions>);
static_assert(!funnel::data::InteractionLog<std::vector<OwnLog::Row>>);

// A row needs all of its four parts.
template <class R>
struct LogOf : OwnLog {
    R operator[](std::size_t row) const;
};
struct Userless {
    std::uint32_t item;
    float value;
    double time;
};
struct Itemless {
    std::uint32_t user;
    float value;
    double time;
};
struct Valueless {
    std::uint32_t user;
    std::uint32_t item;
    double time;
};
struct Timeless {
    std::uint32_t user;
    std::uint32_t item;
    float value;
};
static_assert(funnel::data::InteractionLog<LogOf<OwnLog::Row>>);
static_assert(!funnel::data::InteractionLog<LogOf<Userless>> && !funnel::data::InteractionLog<LogOf<Itemless>>);
static_assert(!funnel::data::InteractionLog<LogOf<Valueless>> && !funnel::data::InteractionLog<LogOf<Timeless>>);

// A scorer that wants values: score(user, item) = sum of the values of the user, times that of the values of the item.
class Mass {
public:
    struct Options {};
    static constexpr std::string_view kind = "tests.Mass";
    static constexpr std::uint32_t layout_version = 2;
    static constexpr bool needs_history = true;
    static constexpr bool reads_values = true;

    [[nodiscard]] std::size_t items() const noexcept { return sums_.size(); }
    void score_all(const Profile& profile, std::span<float> scores) const noexcept {
        for (std::uint32_t item = 0; item < items(); ++item) {
            scores[item] = score_one(profile, item);
        }
    }
    void keep_known_zeros(const Profile&, std::span<float> scores) const noexcept {
        std::fill(scores.begin(), scores.end(), 1.0F);
    }
    [[nodiscard]] float score_one(const Profile& profile, std::uint32_t item) const noexcept {
        return std::accumulate(profile.values.begin(), profile.values.end(), 0.0F) * sums_[item];
    }

    template <class Log, class E>
    static Mass learn(const Log&, const funnel::CSRMatrix<float>& user_item, const Options&, E&) {
        Mass mass;
        mass.sums_.resize(user_item.cols());
        for (std::size_t user = 0; user < user_item.rows(); ++user) {
            const auto row = user_item.row(user);
            for (std::size_t i = 0; i < row.size(); ++i) {
                mass.sums_[row.columns[i]] += row.values[i];
            }
        }
        return mass;
    }
    template <class Writer>
    void write(Writer& file) const {
        file.array("sums", sums_);
    }
    template <class Reader>
    static Mass read(const Reader& file, const Histories& histories) {
        Mass mass;
        mass.sums_ = file.template array<float>("sums", histories.items());
        file.check(std::all_of(mass.sums_.begin(), mass.sums_.end(), [](float sum) { return std::abs(sum) < 1e9F; }),
                   "sums", "must be below 10^9");
        for (std::size_t user = 0; user < histories.users(); ++user) {
            for (const float value : histories.values_of(user)) {
                file.check(std::abs(value) < 1e9F, "history_values", "must be below 10^9");
            }
        }
        return mass;
    }

private:
    std::vector<float> sums_;
};

std::string message_of(const auto& call) {
    try {
        call();
    } catch (const InvalidArgument& error) {
        return error.what();
    }
    return "";
}

}  // namespace

TEST_CASE_TEMPLATE("Model: learns from a log that is not ours", M, Popularity, ItemKNN) {
    const OwnLog own{{0, 0, 1, 1, 2}, {0, 1, 1, 2, 1}};
    const auto ours = testing::log_of({{0, 1}, {1, 2}, {1}}, 4);
    const auto model = M::fit(own);
    const auto expected = M::fit(ours);
    CHECK(funnel::data::fingerprint(own) == 0);  // it has none
    CHECK(model.users() == 3);
    CHECK(model.items() == 4);
    for (std::size_t user = 0; user < 3; ++user) {
        CHECK(model.recommend(user) == expected.recommend(user));
    }
    CHECK_THROWS_AS((void)M::fit(OwnLog{{0, 3}, {0, 1}}), InvalidArgument);  // no such user
    CHECK_THROWS_AS((void)M::fit(OwnLog{{0, 2}, {0, 4}}), InvalidArgument);  // no such item

    const testing::TempDir dir;
    model.save(dir / "own.fnl");
    CHECK(M::load(dir / "own.fnl", own).recommend(0) == expected.recommend(0));
    // Such a log has no fingerprint: only its sizes tell it from another.
    CHECK_THROWS_AS((void)M::load(dir / "own.fnl", OwnLog{{}, {}, 2, 4}), InvalidArgument);
    CHECK_THROWS_AS((void)M::load(dir / "own.fnl", OwnLog{{}, {}, 3, 5}), InvalidArgument);
}

TEST_CASE("Model: a scorer that reads values keeps what every model promises") {
    testing::check_model<Model<Mass>>();
}

TEST_CASE("Model: values reach a scorer that reads them, when it learns, scores, is loaded and folds in a user") {
    // Of the two rows of user 0 with item 1, the last counts. Sums of users: 3, -2; of items: 2, 0, -1.
    const auto log = Interactions::from_ids({{0, 1, 9}, {0, 0, 2}, {0, 1, 1}, {1, 1, -1}, {1, 2, -1}}, 2, 3);
    const auto model = Model<Mass>::fit(log);
    const Ids all{0, 1, 2};
    CHECK(model.score(0, all) == std::vector<float>{6, 0, -3});
    CHECK(model.score(1, all) == std::vector<float>{-4, 0, 2});
    CHECK(model.recommend(0) == List{{2, -3}});
    CHECK(model.recommend(1) == List{{0, -4}});  // what the user dislikes was seen, too
    CHECK(model.fold_in(Ids{2, 0}, std::vector<float>{0.5F, 1.0F}).score(all) == std::vector<float>{3, 0, -1.5F});
    CHECK(model.fold_in(Ids{2, 0}).score(all) == std::vector<float>{4, 0, -2});  // each value is 1
    CHECK(model.fold_in(Ids{2}, std::vector<float>{-1.0F}).recommend() == List{{0, -2}});
    const testing::TempDir dir;
    model.save(dir / "mass.fnl");
    CHECK(Model<Mass>::load(dir / "mass.fnl").score(1, all) == std::vector<float>{-4, 0, 2});
    CHECK_NOTHROW((void)funnel::io::ContainerReader(dir / "mass.fnl", Mass::kind, 2));  // the layout of the scorer
}

TEST_CASE("Model: rejects values that are not finite") {
    struct Values : OwnLog {
        float value = 1.0F;
        Row operator[](std::size_t row) const { return {user_ids[row], item_ids[row], value, 0.0}; }
    };
    for (const float value : {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()}) {
        CHECK_THROWS_AS((void)Popularity::fit(Values{{{0}, {0}}, value}), InvalidArgument);
        CHECK_THROWS_AS((void)Model<Mass>::fit(Values{{{0}, {0}}, value}), InvalidArgument);
    }
}

// A value of -1 counted as a like.
TEST_CASE("Model: what a user dislikes is not recommended again, and says nothing about the items the user likes") {
    // Users 1 and 2 have 0 and 1 together; user 0 has 0 and dislikes 1 and, by its last row, 2.
    const auto log = Interactions::from_ids(
        {{0, 0}, {0, 1, -1}, {0, 2, 5}, {0, 2, 0}, {1, 0}, {1, 1}, {1, 3}, {2, 0}, {2, 1}, {2, 2}}, 3, 4);
    const auto knn = ItemKNN::fit(log);
    CHECK(knn.recommend(0).size() == 1);
    CHECK(knn.recommend(0)[0].id == 3);
    CHECK(knn.recommend(0, {.keep_seen = true}).size() == 3);
    const auto likes = ItemKNN::fit(testing::log_of({{0}, {0, 1, 3}, {0, 1, 2}}, 4));
    CHECK(knn.score(0, Ids{0, 1, 2, 3}) == likes.score(0, Ids{0, 1, 2, 3}));
    const auto folded = knn.fold_in(Ids{3, 0, 1}, std::vector<float>{-1, 1, 0});
    CHECK(folded.recommend().size() == 1);
    CHECK(folded.recommend()[0].id == 2);
}

// A saved model beside a log that has grown: its ids would name other items, without any sign of it.
TEST_CASE_TEMPLATE("Model: is not loaded beside a log whose ids mean something else", M, Popularity, ItemKNN) {
    const testing::TempDir dir;
    const std::string path = dir / "model.fnl";
    const std::vector<funnel::data::Interaction> rows{{0, 0}, {0, 1}, {1, 1}};
    const auto log_with = [&](std::vector<std::string> users, std::vector<std::string> items) {
        return Interactions(rows, funnel::KeyMap(std::move(users)), funnel::KeyMap(std::move(items)));
    };
    const auto log = log_with({"ann", "bob"}, {"10", "20", "30"});
    const auto model = M::fit(log);
    model.save(path);
    CHECK(M::load(path, log).recommend(1) == model.recommend(1));
    CHECK(M::load(path).recommend(1) == model.recommend(1));

    // A model that was assigned belongs to the log of the other one.
    M assigned = M::fit(log_with({"x", "y"}, {"u", "v", "w"}));
    assigned = model;
    assigned.save(path);
    CHECK(M::load(path, log).recommend(1) == model.recommend(1));

    // Any part of the log, and a log that was read again, give the same ids.
    CHECK(M::load(path, funnel::data::where(log, [](std::size_t) { return false; })).items() == 3);
    CHECK(M::load(path, log_with({"bob", "ann"}, {"30", "20", "10"})).items() == 3);

    CHECK_THROWS_AS((void)M::load(path, log_with({"ann", "bob"}, {"10", "15", "20", "30"})), InvalidArgument);
    CHECK_THROWS_AS((void)M::load(path, log_with({"ann", "bea", "bob"}, {"10", "20", "30"})), InvalidArgument);
    CHECK_THROWS_AS((void)M::load(path, log_with({"ann", "bob"}, {"10", "20", "40"})), InvalidArgument);
    CHECK_THROWS_AS((void)M::load(path, log_with({"ann", "bo"}, {"10", "20", "30"})), InvalidArgument);
    CHECK(message_of([&] { (void)M::load(path, log_with({"ann", "bob"}, {"10", "15", "20", "30"})); }) ==
          path + ": the log must have 2 users and 3 items, as in training, got 2 and 4");
    CHECK(message_of([&] { (void)M::load(path, log_with({"ann", "bo"}, {"10", "20", "30"})); }) ==
          path + ": the log must have the same user and item keys as in training");
}

// It threw, so that the funnel failed for every new user.
TEST_CASE("Model: a user who registered after training is served by the fallback of a funnel") {
    const auto log = testing::log_of({{0, 1}, {1, 2}, {1}}, 4);
    const auto knn = ItemKNN::fit(log);
    const auto popular = Popularity::fit(log);
    using namespace funnel::pipeline;
    const Funnel funnel(retrieve(named("knn", knn)), fallback(named("popular", popular)));
    for (const std::uint32_t user : {3U, 99U, std::numeric_limits<std::uint32_t>::max()}) {
        const auto result = funnel.recommend({.user = user, .k = 3});
        REQUIRE(result.items.size() == 3);
        CHECK(result.items[0].id == 1);
        CHECK(result.trace.fallback_level == 0);
        CHECK(knn.recommend(user).empty());
        CHECK(popular.recommend(user) == List{{1, 3.0F}, {0, 1.0F}, {2, 1.0F}});
    }
    const Funnel ranked(retrieve(popular), rank(knn));  // score() of an unknown user
    CHECK(ranked.recommend({.user = 99, .k = 3}).items.size() == 3);
}

// Items that nobody took, with score 0, filled the list and stood before popular ones.
TEST_CASE("Model: where evidence ends, the fallback begins") {
    // User 0 has item 0, of which only item 1 is a neighbour; item 4 is popular elsewhere, nobody took 5 to 9.
    const auto log = testing::log_of({{0}, {0, 1}, {4}, {4}, {4, 3}}, 10);
    const auto knn = ItemKNN::fit(log);
    const auto popular = Popularity::fit(log);
    using namespace funnel::pipeline;
    const Funnel funnel(retrieve(knn), fallback(popular));
    Ids ids;
    for (const auto& item : funnel.recommend({.user = 0, .k = 10, .exclude = {0}}).items) {
        ids.push_back(item.id);
    }
    CHECK(ids == Ids{1, 4, 3});
}
