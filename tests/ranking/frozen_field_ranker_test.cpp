// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/ranking/frozen_field_ranker.hpp>

#include "support/allocations.hpp"

#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/kernels/half_floats.hpp>
#include <funnel/nn/mlp.hpp>
#include <funnel/ranking/deep_rankers.hpp>
#include <funnel/ranking/multi_task.hpp>
#include <funnel/ranking/pre_ranker.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

using funnel::InvalidArgument;
using funnel::Matrix;
using funnel::Random;
using funnel::kernels::BFloat16;
using funnel::kernels::Float16;
using namespace funnel::ranking;
using funnel::testing::allocations_of;
namespace nn = funnel::nn;

namespace {

using Schema = Fields<2, 1, 4, 1, 2>;

/// Candidates of one user, as a request and as whole rows. One id is unknown.
struct Candidates {
    Matrix<std::uint32_t> ids;
    Matrix<float> dense;
    Matrix<std::uint32_t> item_ids;
    Matrix<float> item_dense;
    std::array<std::uint32_t, 2> user_ids{3, 1};
    std::array<float, 1> user_dense{0.5F};

    explicit Candidates(std::size_t n) : ids(n, 3), dense(n, 3), item_ids(n, 1), item_dense(n, 2) {
        Random random(7);
        for (std::size_t i = 0; i < n; ++i) {
            ids(i, 0) = user_ids[0];
            ids(i, 1) = user_ids[1];
            ids(i, 2) = item_ids(i, 0) = i == 1 ? 4000000000U : static_cast<std::uint32_t>(random.below(9));
            dense(i, 0) = user_dense[0];
            dense(i, 1) = item_dense(i, 0) = static_cast<float>(random.normal());
            dense(i, 2) = item_dense(i, 1) = static_cast<float>(random.normal());
        }
    }

    [[nodiscard]] FieldRows rows() const { return {.ids = ids, .dense = dense}; }
    [[nodiscard]] FieldRequest request() const {
        return {.user_ids = user_ids, .user_dense = user_dense, .item_ids = item_ids, .item_dense = item_dense};
    }
};

template <class Ranker>
Ranker untrained() {
    Ranker ranker(std::vector<std::size_t>{6, 3, 9}, {.init_scale = 0.5F});
    Random random(3);
    for (std::size_t i = 0; i < ranker.table().rows().rows(); ++i) {
        ranker.table().rows().row(i).back() = static_cast<float>(random.normal());  // the linear weights, if any
    }
    return ranker;
}

void check_near(const Matrix<float>& found, const Matrix<float>& expected, double tolerance) {
    REQUIRE(found.rows() == expected.rows());
    REQUIRE(found.cols() == expected.cols());
    for (std::size_t i = 0; i < found.rows(); ++i) {
        for (std::size_t t = 0; t < found.cols(); ++t) {
            REQUIRE(found(i, t) == doctest::Approx(expected(i, t)).epsilon(tolerance));
        }
    }
}

}  // namespace

TEST_CASE("FrozenFieldRanker: the scores of the ranker, for rows and for the candidates of a user") {
    const auto check = [&]<class Ranker>(std::type_identity<Ranker>) {
        const Ranker ranker = untrained<Ranker>();
        const auto frozen = freeze(ranker);
        for (const std::size_t n : {0U, 1U, 5U, 289U, 600U}) {
            const Candidates candidates(n);
            const Matrix<float> expected = ranker.score(candidates.rows());
            check_near(frozen.score(candidates.rows()), expected, 1e-5);
            check_near(frozen.score(candidates.request()), expected, 1e-5);
            check_near(ranker.score(candidates.request()), expected, 1e-5);
            check_near(freeze<BFloat16>(ranker).score(candidates.request()), expected, 0.05);
            check_near(freeze<Float16>(ranker).score(candidates.request()), expected, 0.01);
            std::vector<float> memory(frozen.scratch(n));
            Matrix<float> out(n, Ranker::tasks);
            CHECK(allocations_of([&] { frozen.score(candidates.request(), memory, out.view()); }) == 0);
            check_near(out, expected, 1e-5);
        }
    };
    check(std::type_identity<DeepFM<Schema, 8>>{});
    check(std::type_identity<WideAndDeep<Schema, 8, 4>>{});
    check(std::type_identity<DCNv2<Schema, 3, 8>>{});
    check(std::type_identity<DLRM<Schema, nn::HiddenLayers<3, 4>, 8>>{});
    check(std::type_identity<MMoE<Schema, 2, 3, nn::HiddenLayers<Schema::columns, 8>, nn::MLP<8, 1>>>{});
    check(std::type_identity<PreRanker<Schema, 4, 8>>{});
}

TEST_CASE("FrozenFieldRanker: features of the user alone, or of the item alone") {
    using OfItem = FieldRanker<Fields<0, 1, 4>, nn::MLP<4, 8, 1>>;
    using OfUser = FieldRanker<Fields<1, 0, 4>, nn::MLP<4, 8, 1>>;
    const std::array<std::size_t, 1> sizes{3};
    Matrix<std::uint32_t> ids(2, 1);
    ids(1, 0) = 2;
    const OfItem item(sizes, {.init_scale = 0.5F});
    check_near(freeze(item).score(FieldRequest{.user_ids = {}, .user_dense = {}, .item_ids = ids}),
               item.score({.ids = ids}), 1e-5);
    const OfUser user(sizes, {.init_scale = 0.5F});
    const Matrix<std::uint32_t> none(2, 0);
    ids(0, 0) = 2;
    check_near(freeze(user).score(FieldRequest{.user_ids = ids.row(1), .user_dense = {}, .item_ids = none}),
               user.score({.ids = ids}), 1e-5);
}

TEST_CASE("FrozenFieldRanker: wrong shapes and numbers that are not finite are errors") {
    const auto frozen = freeze(untrained<DeepFM<Schema, 8>>());
    Candidates candidates(3);
    FieldRequest request = candidates.request();
    request.user_ids = request.user_ids.first(1);
    CHECK_THROWS_AS(static_cast<void>(frozen.score(request)), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(frozen.score(FieldRows{.ids = candidates.item_ids, .dense = candidates.dense})),
                    InvalidArgument);
    candidates.item_dense(1, 1) = candidates.dense(1, 2) = std::numeric_limits<float>::infinity();
    CHECK_THROWS_AS(static_cast<void>(frozen.score(candidates.request())), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(frozen.score(candidates.rows())), InvalidArgument);
}
