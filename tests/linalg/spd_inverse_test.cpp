// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/linalg/spd_inverse.hpp>

#include <funnel/core/error.hpp>
#include <funnel/core/parallel.hpp>
#include <funnel/core/rng.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

using funnel::Threads;
using funnel::linalg::invert_spd;

namespace {

// C^T C + I for random C: eigenvalues of at least 1.
Eigen::MatrixXd random_spd(Eigen::Index n, std::uint64_t seed) {
    funnel::Random random(seed);
    Eigen::MatrixXd factor(n, n);
    for (Eigen::Index i = 0; i < factor.size(); ++i) {
        factor.data()[i] = random.normal();
    }
    Eigen::MatrixXd matrix = Eigen::MatrixXd::Identity(n, n);
    matrix.noalias() += factor.transpose() * factor;
    return matrix;
}

}  // namespace

TEST_CASE("invert_spd: worked by hand") {
    // Of [4 2; 2 3] the determinant is 8, the inverse [3 -2; -2 4] / 8.
    Eigen::MatrixXd matrix(2, 2);
    matrix << 4, 2, 2, 3;
    REQUIRE(invert_spd(matrix));
    CHECK(matrix(0, 0) == doctest::Approx(0.375));
    CHECK(matrix(0, 1) == doctest::Approx(-0.25));
    CHECK(matrix(1, 0) == doctest::Approx(-0.25));
    CHECK(matrix(1, 1) == doctest::Approx(0.5));
}

TEST_CASE("invert_spd: times the matrix is the identity, for sizes around the blocks") {
    for (const Eigen::Index n : {1, 3, 63, 64, 65, 128, 200, 257}) {
        const Eigen::MatrixXd matrix = random_spd(n, 17);
        Eigen::MatrixXd inverse = matrix;
        REQUIRE(invert_spd(inverse));
        CAPTURE(n);
        CHECK((matrix * inverse - Eigen::MatrixXd::Identity(n, n)).cwiseAbs().maxCoeff() < 1e-8);
        CHECK(inverse == inverse.transpose());  // to the bit: the lower triangle is a copy
    }
}

TEST_CASE("invert_spd: reads the lower triangle only") {
    const Eigen::MatrixXd matrix = random_spd(150, 4);
    Eigen::MatrixXd whole = matrix;
    Eigen::MatrixXd lower = matrix;
    lower.triangularView<Eigen::StrictlyUpper>().setConstant(std::numeric_limits<double>::quiet_NaN());
    REQUIRE(invert_spd(whole));
    REQUIRE(invert_spd(lower));
    CHECK(whole == lower);
}

TEST_CASE("invert_spd: any number of threads gives the same bits") {
    const Eigen::MatrixXd matrix = random_spd(300, 9);
    Eigen::MatrixXd serial = matrix;
    REQUIRE(invert_spd(serial));
    for (const std::size_t count : {2U, 4U}) {
        Threads pool(count);
        Eigen::MatrixXd parallel = matrix;
        REQUIRE(invert_spd(parallel, pool));
        CHECK(serial == parallel);
    }
}

TEST_CASE("invert_spd: says so if there is no inverse") {
    Eigen::MatrixXd empty(0, 0);
    CHECK(invert_spd(empty));
    Eigen::MatrixXd singular = Eigen::MatrixXd::Ones(3, 3);
    singular(2, 2) = 0.5;
    CHECK_FALSE(invert_spd(singular));
    Eigen::MatrixXd late = Eigen::MatrixXd::Identity(100, 100);
    late(99, 99) = -1.0;
    CHECK_FALSE(invert_spd(late));
}

TEST_CASE("invert_spd: a matrix that is not square is rejected") {
    Eigen::MatrixXd wide = Eigen::MatrixXd::Ones(2, 3);
    CHECK_THROWS_AS((void)invert_spd(wide), funnel::InvalidArgument);
    Eigen::MatrixXd tall = Eigen::MatrixXd::Ones(3, 0);
    CHECK_THROWS_AS((void)invert_spd(tall), funnel::InvalidArgument);
}
