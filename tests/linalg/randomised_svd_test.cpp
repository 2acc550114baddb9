// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/linalg/randomised_svd.hpp>

#include <funnel/core/error.hpp>
#include <funnel/core/parallel.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/sparse.hpp>

#include <doctest/doctest.h>
#include <Eigen/SVD>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

using namespace funnel;
using linalg::randomised_svd;
using linalg::SingularTriplets;

namespace {

CSRMatrix<float> random_sparse(std::size_t rows, std::size_t cols, double density, std::uint64_t seed) {
    Random random(seed);
    std::vector<Triplet<float>> entries;
    for (std::uint32_t i = 0; i < rows; ++i) {
        for (std::uint32_t j = 0; j < cols; ++j) {
            if (random.uniform() < density) {
                entries.push_back({i, j, static_cast<float>(random.normal())});
            }
        }
    }
    return {entries, rows, cols};
}

Eigen::MatrixXd dense(const CSRMatrix<float>& matrix) {
    Eigen::MatrixXd result = Eigen::MatrixXd::Zero(eigen_index(matrix.rows()), eigen_index(matrix.cols()));
    for (std::size_t i = 0; i < matrix.rows(); ++i) {
        for (std::size_t at = 0; at < matrix.row(i).size(); ++at) {
            result(eigen_index(i), eigen_index(matrix.row(i).columns[at])) =
                static_cast<double>(matrix.row(i).values[at]);
        }
    }
    return result;
}

}  // namespace

TEST_CASE("randomised_svd: worked by hand") {
    // 3 0 / 0 0 / 0 -2: singular values 3 and 2.
    const std::vector<Triplet<float>> entries{{0, 0, 3.0F}, {2, 1, -2.0F}};
    const SingularTriplets svd = randomised_svd(CSRMatrix<float>(entries, 3, 2), {.rank = 2});
    REQUIRE(svd.values.size() == 2);
    CHECK(svd.values[0] == doctest::Approx(3));
    CHECK(svd.values[1] == doctest::Approx(2));
    CHECK(svd.right(0, 0) == doctest::Approx(1));
    CHECK(svd.right(1, 1) == doctest::Approx(1));
    CHECK(svd.left(0, 0) == doctest::Approx(1));
    CHECK(svd.left(2, 1) == doctest::Approx(-1));
}

TEST_CASE("randomised_svd: agrees with a dense decomposition") {
    for (const auto& [rows, cols] : {std::pair{60U, 40U}, std::pair{35U, 80U}}) {
        const CSRMatrix<float> matrix = random_sparse(rows, cols, 0.2, 7);
        const Eigen::JacobiSVD<Eigen::MatrixXd> expected(dense(matrix), Eigen::ComputeThinU | Eigen::ComputeThinV);
        // The spectrum of random numbers decays slowly: many power steps are needed for this accuracy.
        const SingularTriplets svd = randomised_svd(matrix, {.rank = 5, .oversampling = 15, .power_steps = 60});
        REQUIRE(svd.values.size() == 5);
        for (std::size_t j = 0; j < 5; ++j) {
            const auto column = eigen_index(j);
            CHECK(svd.values[j] == doctest::Approx(expected.singularValues()(column)).epsilon(1e-9));
            const auto right = as_eigen(svd.right.view()).col(column);
            const auto left = as_eigen(svd.left.view()).col(column);
            const double sign = right.dot(expected.matrixV().col(column)) < 0.0 ? -1.0 : 1.0;
            CHECK((right - sign * expected.matrixV().col(column)).norm() < 1e-5);
            CHECK((left - sign * expected.matrixU().col(column)).norm() < 1e-5);
            CHECK(right.maxCoeff() >= -right.minCoeff());  // the largest component is positive
        }
        // All of them: l is limited by the shape, and no power step is needed.
        const SingularTriplets all = randomised_svd(matrix, {.rank = 1000, .power_steps = 0});
        REQUIRE(all.values.size() == std::min(rows, cols));
        for (std::size_t j = 0; j < all.values.size(); ++j) {
            CHECK(all.values[j] == doctest::Approx(expected.singularValues()(eigen_index(j))).epsilon(1e-9));
        }
        const Eigen::MatrixXd product =
            as_eigen(all.left.view()) *
            Eigen::Map<const Eigen::VectorXd>(all.values.data(), eigen_index(all.values.size())).asDiagonal() *
            as_eigen(all.right.view()).transpose();
        CHECK((product - dense(matrix)).norm() < 1e-9);
    }
}

TEST_CASE("randomised_svd: the seed and nothing else decides the bits, for any number of threads") {
    const CSRMatrix<float> matrix = random_sparse(200, 150, 0.1, 9);
    const auto bits = [&](std::uint64_t seed, std::size_t threads) {
        Threads pool(threads);
        return randomised_svd(matrix, {.rank = 4, .power_steps = 1, .seed = seed}, pool).values;
    };
    const std::vector<double> once = randomised_svd(matrix, {.rank = 4, .power_steps = 1}).values;
    CHECK(bits(1, 1) == once);
    CHECK(bits(1, 2) == once);
    CHECK(bits(1, 4) == once);
    CHECK(bits(2, 1) != once);
}

TEST_CASE("randomised_svd: values that are zero are left out") {
    // Rank 1: 1 2 / 2 4 / 3 6.
    const std::vector<Triplet<float>> entries{{0, 0, 1.0F}, {0, 1, 2.0F}, {1, 0, 2.0F},
                                              {1, 1, 4.0F}, {2, 0, 3.0F}, {2, 1, 6.0F}};
    const SingularTriplets svd = randomised_svd(CSRMatrix<float>(entries, 3, 2), {.rank = 2});
    REQUIRE(svd.values.size() == 1);
    CHECK(svd.values[0] == doctest::Approx(std::sqrt(70.0)));
    CHECK(svd.left.cols() == 1);
    CHECK(randomised_svd(CSRMatrix<float>({}, 4, 3), {.rank = 2}).values.empty());
    CHECK(randomised_svd(CSRMatrix<float>({}, 0, 3), {.rank = 2}).right.rows() == 3);
    CHECK(randomised_svd(CSRMatrix<float>({}, 3, 0), {.rank = std::numeric_limits<std::size_t>::max()}).left.cols() ==
          0);
}

TEST_CASE("randomised_svd: rejects a rank of 0") {
    CHECK_THROWS_AS((void)randomised_svd(CSRMatrix<float>({}, 3, 3), {.rank = 0}), InvalidArgument);
}
