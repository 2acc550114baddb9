// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/cf/folded_user.hpp>

#include "cf/table_scorer.hpp"
#include "support/allocations.hpp"

#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>

#include <doctest/doctest.h>

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
using Table = funnel::testing::TableScorer;

}  // namespace

TEST_CASE("FoldedUser: keeps its own copy of the history") {
    const Table model{{0.3F, 0.2F, 0.9F}};
    const FoldedUser<Table> user(model, {Ids{2}});
    const FoldedUser<Table> copy = user;  // NOLINT(performance-unnecessary-copy-initialization)
    CHECK(copy.recommend({.k = 1}) == List{{0, 0.3F}});
    CHECK(copy.recommend({.k = 1}, [](std::uint32_t item) { return item == 1; }) == List{{1, 0.2F}});
    CHECK(copy.score(Ids{1}) == std::vector<float>{0.2F});
    CHECK_THROWS_AS((void)copy.score(Ids{3}), InvalidArgument);
}

TEST_CASE("FoldedUser: the form without allocation agrees") {
    const Table model{{0.3F, 0.2F, 0.9F, 0.4F}};
    const FoldedUser<Table> user(model, {Ids{2}});
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
    FoldedUser<Table> user(Table{{0.3F, 0.2F, 0.9F}}, {Ids{2}});
    const List expected{{0, 0.3F}, {1, 0.2F}};
    CHECK(user.recommend() == expected);
    {
        const FoldedUser<Table> moved = std::move(user);
        CHECK(moved.recommend() == expected);
    }
    CHECK(user.recommend() == expected);  // NOLINT(bugprone-use-after-move): a move is a copy
    const Table other{{0.1F, 0.2F}};
    user = FoldedUser<Table>(other, {Ids{0}});
    CHECK(user.recommend() == List{{1, 0.2F}});
    const FoldedUser<Table>& itself = user;
    user = itself;
    CHECK(user.recommend() == List{{1, 0.2F}});
}

// Scorers read rows of weights by these ids, without a check.
TEST_CASE("FoldedUser: refuses a history that the model cannot read") {
    const Table model{{0.3F, 0.2F, 0.9F}};
    for (const Ids& history : {Ids{3}, Ids{0, 0xFFFFFFFF}, Ids{1, 0}, Ids{1, 1}}) {
        CHECK_THROWS_AS((void)FoldedUser<Table>(model, {history}), InvalidArgument);
        CHECK_THROWS_AS((void)FoldedUser<Table>(Table(model), {history}), InvalidArgument);
    }
    CHECK_THROWS_AS((void)FoldedUser<Table>(Table{}, {Ids{0}}), InvalidArgument);
    CHECK_THROWS_AS((void)FoldedUser<Table>(model, {Ids{0}}, {1.0F}), InvalidArgument);
    CHECK(FoldedUser<Table>(Table{}, {Ids{}}).recommend().empty());
}

TEST_CASE("FoldedUser: an assignment takes over the model that is kept, the history and the factors") {
    struct Watched : Table {
        std::shared_ptr<int> alive;
        funnel::Matrix<float> factors = funnel::Matrix<float>(1, 2);
        [[nodiscard]] funnel::MatrixView<const float> user_factors() const { return factors; }
    };
    const Watched other{{{0.1F, 0.2F}}, {}};
    FoldedUser<Watched> user(other, {Ids{0}}, {0.5F, 0.5F});
    auto alive = std::make_shared<int>(0);
    const std::weak_ptr<int> model = alive;
    {
        const FoldedUser<Watched> keeps(Watched{{{0.3F, 0.2F, 0.9F}}, std::move(alive)}, {Ids{2}}, {1.5F, 2.5F});
        user = keeps;
    }
    REQUIRE_FALSE(model.expired());
    CHECK(user.recommend() == List{{0, 0.3F}, {1, 0.2F}});
    const Profile profile = user.profile();
    CHECK(Ids(profile.history.begin(), profile.history.end()) == Ids{2});
    CHECK(std::vector<float>(profile.factors.begin(), profile.factors.end()) == std::vector<float>{1.5F, 2.5F});
    user = FoldedUser<Watched>(other, {Ids{0}}, {0.5F, 0.5F});
    CHECK(model.expired());
}
