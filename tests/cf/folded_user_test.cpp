// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/cf/folded_user.hpp>

#include "support/allocations.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

using funnel::InvalidArgument;
using funnel::Scored;
using namespace funnel::cf;

namespace {

using List = std::vector<Scored<>>;
using Ids = std::vector<std::uint32_t>;

// Scores by table, whoever the user is.
struct Table {
    static constexpr bool needs_history = true;
    std::vector<float> scores;

    [[nodiscard]] std::size_t items() const noexcept { return scores.size(); }
    void score_all(const Profile&, std::span<float> out) const noexcept {
        std::copy(scores.begin(), scores.end(), out.begin());
    }
    [[nodiscard]] float score_one(const Profile&, std::uint32_t item) const noexcept { return scores[item]; }
};

}  // namespace

TEST_CASE("FoldedUser: keeps its own copy of the history") {
    const Table model{{0.3F, 0.2F, 0.9F}};
    const FoldedUser<Table> user(model, Ids{2});
    const FoldedUser<Table> copy = user;  // NOLINT(performance-unnecessary-copy-initialization)
    CHECK(copy.recommend({.k = 1}) == List{{0, 0.3F}});
    CHECK(copy.recommend({.k = 1}, [](std::uint32_t item) { return item == 1; }) == List{{1, 0.2F}});
    CHECK(copy.score(Ids{1}) == std::vector<float>{0.2F});
    CHECK_THROWS_AS((void)copy.score(Ids{3}), InvalidArgument);
}

TEST_CASE("FoldedUser: the form without allocation agrees") {
    const Table model{{0.3F, 0.2F, 0.9F, 0.4F}};
    const FoldedUser<Table> user(model, Ids{2});
    std::vector<float> scratch(4);
    List out(9, Scored<>{77, 7.0F});
    std::span<Scored<>> list;
    CHECK(funnel::testing::allocations_of([&] { list = user.recommend({.k = 2}, scratch, out); }) == 0);
    CHECK(List(list.begin(), list.end()) == user.recommend({.k = 2}));
    CHECK(out[2] == Scored<>{77, 7.0F});
    CHECK(user.recommend({}, std::span(scratch).first(3), out).empty());
    const auto is_first = [](std::uint32_t item) { return item == 0; };
    CHECK(user.recommend({}, scratch, out, is_first).size() == 1);
    static_assert(noexcept(user.recommend({}, scratch, out)));
    static_assert(!noexcept(user.recommend({}, scratch, out, is_first)));
}

TEST_CASE("FoldedUser: of a temporary model keeps the model, in all of its copies") {
    FoldedUser<Table> user(Table{{0.3F, 0.2F, 0.9F}}, Ids{2});
    const List expected{{0, 0.3F}, {1, 0.2F}};
    CHECK(user.recommend() == expected);
    {
        const FoldedUser<Table> moved = std::move(user);
        CHECK(moved.recommend() == expected);
    }
    CHECK(user.recommend() == expected);  // NOLINT(bugprone-use-after-move): a move is a copy
    const Table other{{0.1F, 0.2F}};
    user = FoldedUser<Table>(other, Ids{0});
    CHECK(user.recommend() == List{{1, 0.2F}});
    const FoldedUser<Table>& itself = user;
    user = itself;
    CHECK(user.recommend() == List{{1, 0.2F}});
}

TEST_CASE("FoldedUser: an assignment takes over the model that is kept, the history and the factors") {
    struct Watched : Table {
        std::shared_ptr<int> alive;
    };
    const Watched other{{{0.1F, 0.2F}}, {}};
    FoldedUser<Watched> user(other, Ids{0});
    auto alive = std::make_shared<int>(0);
    const std::weak_ptr<int> model = alive;
    {
        const FoldedUser<Watched> keeps(Watched{{{0.3F, 0.2F, 0.9F}}, std::move(alive)}, Ids{2}, {1.5F, 2.5F});
        user = keeps;
    }
    REQUIRE_FALSE(model.expired());
    CHECK(user.recommend() == List{{0, 0.3F}, {1, 0.2F}});
    const Profile profile = user.profile();
    CHECK(Ids(profile.history.begin(), profile.history.end()) == Ids{2});
    CHECK(std::vector<float>(profile.factors.begin(), profile.factors.end()) == std::vector<float>{1.5F, 2.5F});
    user = FoldedUser<Watched>(other, Ids{0});
    CHECK(model.expired());
}
