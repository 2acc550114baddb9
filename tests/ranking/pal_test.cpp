// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/ranking/pal.hpp>

#include "nn/gradient_check.hpp"
#include "support/temp_dir.hpp"

#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/threads.hpp>
#include <funnel/nn/dense.hpp>
#include <funnel/nn/mlp.hpp>
#include <funnel/ranking/frozen_field_ranker.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

using funnel::InvalidArgument;
using funnel::Matrix;
using funnel::MatrixView;
using funnel::Random;
using funnel::Threads;
using namespace funnel::ranking;
using namespace funnel::testing;
namespace nn = funnel::nn;

namespace {

constexpr std::size_t users = 2;
constexpr std::size_t items = 40;
constexpr std::size_t positions = 8;

using Schema = Fields<1, 2, 4>;  // the user; the position, and the item
using Ranker = PAL<Schema, nn::Dense<4, 1>, nn::MLP<8, 16, 1>>;
using WithoutPosition = FieldRanker<Fields<1, 1, 4>, nn::MLP<8, 16, 1>>;

// A click model that examines positions: P(click) = 1 / (1 + position) relevance. The lists were made by a ranker that
// prefers items with high ids, which the users do not: half of the places follow its order, the others are drawn.
struct World {
    Matrix<std::uint32_t> shown;             // user, position, item
    Matrix<std::uint32_t> without_position;  // user, item
    std::vector<float> clicks;

    [[nodiscard]] static double seen(std::size_t position) { return 1.0 / (1.0 + static_cast<double>(position)); }
    [[nodiscard]] static double relevance(std::size_t user, std::size_t item) {
        const std::size_t taste = (user == 0 ? 7 * item : 11 * item + 5) % items;
        return 0.1 + 0.8 * static_cast<double>(taste) / items;
    }

    explicit World(std::size_t lists)
        : shown(lists * positions, 3), without_position(lists * positions, 2), clicks(lists * positions) {
        Random random(5);
        for (std::size_t row = 0; row < clicks.size(); ++row) {
            const std::size_t user = random.below(users);
            const std::size_t item = random.below(items);
            const std::size_t usual = (items - 1 - item) * positions / items;
            const std::size_t position = random.uniform() < 0.5 ? usual : random.below(positions);
            shown(row, 0) = without_position(row, 0) = static_cast<std::uint32_t>(user);
            shown(row, 1) = static_cast<std::uint32_t>(position);
            shown(row, 2) = without_position(row, 1) = static_cast<std::uint32_t>(item);
            clicks[row] = random.uniform() < seen(position) * relevance(user, item) ? 1.0F : 0.0F;
        }
    }
};

FieldRankerOptions options() {
    return {.epochs = 4, .batch = 256, .learning_rate = 0.005F, .table_learning_rate = 0.02F, .init_scale = 0.1F};
}

// The share of pairs of items of a user that are in the order of the planted relevance. scores: users x items
double ordered_pairs(const std::vector<float>& scores) {
    std::size_t right = 0;
    std::size_t all = 0;
    for (std::size_t u = 0; u < users; ++u) {
        for (std::size_t i = 0; i < items; ++i) {
            for (std::size_t j = 0; j < items; ++j) {
                if (World::relevance(u, i) > World::relevance(u, j)) {
                    ++all;
                    right += scores[u * items + i] > scores[u * items + j] ? 1U : 0U;
                }
            }
        }
    }
    return static_cast<double>(right) / static_cast<double>(all);
}

// All items as candidates of a user, at a position.
Matrix<std::uint32_t> candidates(std::uint32_t position) {
    Matrix<std::uint32_t> ids(items, 2);
    for (std::size_t i = 0; i < items; ++i) {
        ids(i, 0) = position;
        ids(i, 1) = static_cast<std::uint32_t>(i);
    }
    return ids;
}

template <class R>
std::vector<float> relevances(const R& ranker, std::uint32_t position) {
    std::vector<float> scores;
    const Matrix<std::uint32_t> all = candidates(position);
    for (std::uint32_t user = 0; user < users; ++user) {
        const Matrix<float> logits =
            ranker.score(FieldRequest{.user_ids = std::span(&user, 1), .user_dense = {}, .item_ids = all});
        for (std::size_t i = 0; i < items; ++i) {
            scores.push_back(logits(i, 1));
        }
    }
    return scores;
}

}  // namespace

TEST_CASE("PAL: in a planted world with position bias, positions are recovered and items ranked as users like them") {
    const World world(12000);
    const auto ranker = Ranker::fit({.ids = world.shown}, std::span<const float>(world.clicks), options());

    // P(seen | position), relative to the first position.
    Matrix<std::uint32_t> each(positions, 3);
    for (std::size_t p = 0; p < positions; ++p) {
        each(p, 1) = static_cast<std::uint32_t>(p);
    }
    const Matrix<float> probabilities = ranker.predict({.ids = each});
    for (std::size_t p = 1; p < positions; ++p) {
        CAPTURE(p);
        const auto found = static_cast<double>(probabilities(p, 0) / probabilities(0, 0));
        CHECK(found == doctest::Approx(World::seen(p)).epsilon(0.15));
    }

    const auto naive =
        WithoutPosition::fit({.ids = world.without_position}, std::span<const float>(world.clicks), options());
    Matrix<std::uint32_t> pairs(users * items, 2);
    for (std::size_t i = 0; i < users * items; ++i) {
        pairs(i, 0) = static_cast<std::uint32_t>(i / items);
        pairs(i, 1) = static_cast<std::uint32_t>(i % items);
    }
    std::vector<float> of_naive;
    const Matrix<float> logits = naive.score({.ids = pairs});
    for (std::size_t i = 0; i < logits.rows(); ++i) {
        of_naive.push_back(logits(i, 0));
    }
    const double with_pal = ordered_pairs(relevances(ranker, 0));
    const double without = ordered_pairs(of_naive);
    CHECK(with_pal > 0.93);
    CHECK(with_pal > without + 0.1);

    // The position of a candidate does not matter, not even an unknown one; nor does a frozen ranker.
    CHECK(relevances(ranker, 3) == relevances(ranker, 0));
    CHECK(relevances(ranker, 4000000000U) == relevances(ranker, 0));
    const auto frozen = relevances(freeze(ranker), 3);
    const auto plain = relevances(ranker, 0);
    for (std::size_t i = 0; i < plain.size(); ++i) {
        CHECK(frozen[i] == doctest::Approx(plain[i]).epsilon(1e-5));
    }
}

TEST_CASE("PAL: whole rows and the candidates of a user get the same scores, before and after a file") {
    using Features = Fields<1, 2, 4, 2, 3>;  // with dense features of both sides
    using Deep = PAL<Features, nn::Dense<4, 1>, nn::MLP<Features::columns - 4, 8, 1>>;
    const Deep ranker(std::vector<std::size_t>{2, 8, 40}, {.init_scale = 0.5F});
    Random random(3);
    Matrix<std::uint32_t> rows(9, 3);
    Matrix<float> dense(9, 5);
    Matrix<std::uint32_t> item_ids(9, 2);
    Matrix<float> item_dense(9, 3);
    for (std::size_t i = 0; i < 9; ++i) {
        rows(i, 0) = 1;
        dense(i, 0) = 0.5F;
        dense(i, 1) = -1.0F;
        rows(i, 1) = item_ids(i, 0) = static_cast<std::uint32_t>(random.below(8));
        rows(i, 2) = item_ids(i, 1) = static_cast<std::uint32_t>(random.below(40));
        for (std::size_t k = 0; k < 3; ++k) {
            dense(i, 2 + k) = item_dense(i, k) = static_cast<float>(random.normal());
        }
    }
    const TempDir dir;
    ranker.save(dir / "pal");
    const FieldRequest request{.user_ids = rows.row(0).first(1),
                               .user_dense = dense.row(0).first(2),
                               .item_ids = item_ids,
                               .item_dense = item_dense};
    const Matrix<float> whole = ranker.score({.ids = rows, .dense = dense});
    const Matrix<float> split = Deep::load(dir / "pal").score(request);
    for (std::size_t i = 0; i < 9; ++i) {
        for (std::size_t t = 0; t < 2; ++t) {
            CHECK(split(i, t) == doctest::Approx(whole(i, t)).epsilon(1e-5));
        }
    }
}

TEST_CASE("PAL: gradients of its networks, with and without features of the user and after the position") {
    const auto check = [&]<class S>(std::type_identity<S>) {
        using Network = typename detail::PALNetwork<S, nn::Dense<2, 1>, nn::MLP<S::columns - 2, 3, 1>>::type;
        CHECK(gradient_error<Network>(3) < 1e-6);
    };
    check(std::type_identity<Fields<1, 2, 2, 1, 1>>{});
    check(std::type_identity<Fields<0, 2, 2>>{});
    check(std::type_identity<Fields<2, 1, 2>>{});
}

TEST_CASE("PAL: the same bits for any number of threads") {
    const World world(100);
    const auto fitted = [&](auto&& executor) {
        return relevances(Ranker::fit({.ids = world.shown}, std::span<const float>(world.clicks), options(), executor),
                          0);
    };
    CHECK(fitted(Threads(3)) == fitted(funnel::Serial{}));
}

TEST_CASE("PAL: labels of another shape or value are errors") {
    const World world(10);
    static_assert(Ranker::labels_per_row == 1);
    static_assert(Ranker::tasks == 2);
    const std::vector<float> two(2 * world.clicks.size());
    CHECK_THROWS_AS(static_cast<void>(Ranker::fit({.ids = world.shown},
                                                  MatrixView<const float>(two, world.clicks.size(), 2), options())),
                    InvalidArgument);
    std::vector<float> half(world.clicks.size(), 0.5F);
    CHECK_THROWS_AS(static_cast<void>(Ranker::fit({.ids = world.shown}, std::span<const float>(half), options())),
                    InvalidArgument);
    half.pop_back();
    CHECK_THROWS_AS(static_cast<void>(Ranker::fit({.ids = world.shown}, std::span<const float>(half), options())),
                    InvalidArgument);
}
