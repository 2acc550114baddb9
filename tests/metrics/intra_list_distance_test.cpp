// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/metrics/intra_list_distance.hpp>

#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/scored.hpp>

#include "support/exact_cosine.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

using doctest::Approx;
using funnel::InvalidArgument;
using funnel::Matrix;
using funnel::MatrixView;
using funnel::Random;
using funnel::Scored;
using funnel::metrics::Distance;
using funnel::metrics::intra_list_distance;

namespace {

using Ids = std::vector<std::uint32_t>;

double cosine_distance(MatrixView<const float> rows, std::uint32_t a, std::uint32_t b) {
    return 1.0 - funnel::testing::exact_cosine(rows.row(a), rows.row(b));
}

}  // namespace

// As Eigen::MatrixXf, which lies column by column and so is no MatrixView: called as a distance, it would be read out of
// bounds.
struct ColumnMajor {
    [[nodiscard]] std::ptrdiff_t rows() const { return 5; }
    [[nodiscard]] std::ptrdiff_t cols() const { return 2; }
    double operator()(std::ptrdiff_t, std::ptrdiff_t) const { return 0.0; }
};

// As of libraries that do not call its sizes rows() and cols().
struct MatrixWithSize {
    static std::size_t size() { return 10; }
    double operator()(std::size_t, std::size_t) const { return 0.0; }
};

static_assert(!Distance<Matrix<float>> && !Distance<MatrixView<const float>> && !Distance<MatrixView<float>> &&
                  !Distance<Matrix<double>> && !Distance<MatrixView<const double>> && !Distance<ColumnMajor> &&
                  !Distance<MatrixWithSize>,
              "a matrix holds embeddings");

TEST_CASE("intra_list_distance: worked by hand") {
    const auto gap = [](std::uint32_t a, std::uint32_t b) { return a < b ? b - a : a - b; };
    // Pairs of 1, 3, 8: distances 2, 7, 5.
    CHECK(intra_list_distance(Ids{1, 3, 8}, gap) == Approx(14.0 / 3.0));
    CHECK(intra_list_distance(Ids{8, 1, 3}, gap) == intra_list_distance(Ids{1, 3, 8}, gap));
    CHECK(intra_list_distance(std::vector<Scored<>>{{1, 0.5F}, {8, 0.1F}}, gap) == 7.0);
}

TEST_CASE("intra_list_distance: cosine distance of embeddings, worked by hand") {
    // Right, up, left (twice as long): distances 1 (right angle), 2 (opposite), 1.
    const std::vector<float> data{1, 0, 0, 1, -2, 0};
    const MatrixView<const float> embeddings(data, 3, 2);
    CHECK(intra_list_distance(Ids{0, 1, 2}, embeddings) == Approx(4.0 / 3.0));
    CHECK(intra_list_distance(Ids{0, 1}, embeddings) == 1.0);
    CHECK(intra_list_distance(Ids{2, 0}, embeddings) == 2.0);
    CHECK(intra_list_distance(std::vector<Scored<>>{{2, 0.5F}, {0, 0.1F}}, embeddings) == 2.0);
}

TEST_CASE("intra_list_distance: the form without pairs agrees with the pairs, zero vectors included") {
    Random random(9);
    for (const std::size_t cols : {1U, 3U, 17U}) {
        Matrix<float> embeddings(30, cols);
        for (std::size_t i = 0; i < embeddings.rows(); ++i) {
            for (float& x : embeddings.row(i)) {
                x = i % 7 == 3 ? 0.0F : static_cast<float>(random.normal());
            }
        }
        const MatrixView<const float> rows = embeddings;
        for (const std::size_t n : {2U, 3U, 10U, 30U}) {
            Ids shown(n);
            for (std::size_t i = 0; i < n; ++i) {
                shown[i] = static_cast<std::uint32_t>(29 - i);
            }
            const auto by_pairs = [&](std::uint32_t a, std::uint32_t b) { return cosine_distance(rows, a, b); };
            CHECK(intra_list_distance(shown, embeddings) ==
                  Approx(intra_list_distance(shown, by_pairs)).epsilon(1e-12));
        }
    }
}

TEST_CASE("intra_list_distance: twins have none, and it is never negative") {
    Matrix<float> twins(9, 3);
    for (std::size_t i = 0; i < 9; ++i) {
        twins.row(i)[0] = 0.1F;
        twins.row(i)[1] = 0.7F;
        twins.row(i)[2] = static_cast<float>(-0.3);
    }
    const double distance = intra_list_distance(Ids{0, 1, 2, 3, 4, 5, 6, 7, 8}, twins);
    CHECK(distance >= 0.0);
    CHECK(distance < 1e-15);
}

TEST_CASE("intra_list_distance: a list without a pair has none, neither 0 nor 1") {
    const auto apart = [](std::uint32_t, std::uint32_t) { return 1.0; };
    const Matrix<float> embeddings(2, 2);
    CHECK(funnel::math::is_nan(intra_list_distance(Ids{}, apart)));
    CHECK(funnel::math::is_nan(intra_list_distance(Ids{1}, apart)));
    CHECK(funnel::math::is_nan(intra_list_distance(Ids{}, embeddings)));
    CHECK(funnel::math::is_nan(intra_list_distance(Ids{1}, embeddings)));
    CHECK(intra_list_distance(Ids{0, 1}, embeddings) == 1.0);  // zero vectors
}

TEST_CASE("intra_list_distance: rejects unknown items and numbers that are none") {
    constexpr float nan = std::numeric_limits<float>::quiet_NaN();
    Matrix<float> embeddings(2, 2);
    CHECK_THROWS_AS((void)intra_list_distance(Ids{0, 2}, embeddings), InvalidArgument);
    embeddings.row(1)[0] = nan;
    CHECK_THROWS_AS((void)intra_list_distance(Ids{0, 1}, embeddings), InvalidArgument);
    CHECK_THROWS_AS((void)intra_list_distance(Ids{0, 1}, [](std::uint32_t, std::uint32_t) { return nan; }),
                    InvalidArgument);
}

TEST_CASE("intra_list_distance: rejects distances whose mean is not finite, and ids that a distance cannot take") {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    constexpr double most = std::numeric_limits<double>::max();
    for (const double distance : {infinity, -infinity, most}) {
        CHECK_THROWS_WITH_AS(
            (void)intra_list_distance(Ids{0, 1, 2}, [&](std::uint32_t, std::uint32_t) { return distance; }),
            "intra_list_distance: distances and their sum must be finite", InvalidArgument);
    }
    const auto apart = [](std::uint32_t, std::uint32_t) { return 1.0; };
    CHECK_THROWS_AS((void)intra_list_distance(std::vector<std::int64_t>{-1, 2}, apart), InvalidArgument);
    CHECK_THROWS_AS((void)intra_list_distance(std::vector<std::uint64_t>{std::uint64_t{1} << 32, 2}, apart),
                    InvalidArgument);
    CHECK(intra_list_distance(std::vector<std::int64_t>{1, 2}, apart) == 1.0);
}

TEST_CASE("intra_list_distance: embeddings at the ends of what a float holds give finite numbers") {
    const std::vector<float> data{std::numeric_limits<float>::max(),    0, 0, std::numeric_limits<float>::denorm_min(),
                                  std::numeric_limits<float>::lowest(), 0};
    const MatrixView<const float> embeddings(data, 3, 2);
    CHECK(intra_list_distance(Ids{0, 1}, embeddings) == 1.0);
    CHECK(intra_list_distance(Ids{0, 2}, embeddings) == 2.0);
}
