// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/quantise/opq.hpp>

#include "kernels/inputs.hpp"
#include "support/temp_dir.hpp"

#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/parallel.hpp>
#include <funnel/io/container.hpp>
#include <funnel/quantise/product.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

using funnel::Matrix;
using funnel::MatrixView;
using funnel::quantise::OPQ;
using funnel::quantise::ProductQuantiser;
using namespace funnel::testing;

namespace {

// Rows of 8 numbers that depend on 2 factors, but for noise: a bad case for parts of neighbouring numbers.
Matrix<float> correlated(std::size_t n, std::uint64_t stream) {
    const auto draws = normals(n * 10, stream);
    Matrix<float> rows(n, 8);
    for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t j = 0; j < 8; ++j) {
            const float a = draws[10 * i] * (j < 4 ? 3.0F : 0.1F);
            const float b = draws[10 * i + 1] * (j % 2 == 0 ? 1.0F : -0.5F);
            rows(i, j) = a + b + 0.2F * draws[10 * i + 2 + j];
        }
    }
    return rows;
}

template <class Quantiser>
double mean_error(const Quantiser& quantiser, MatrixView<const float> rows) {
    const auto codes = quantiser.encode(rows);
    const std::size_t m = codes.size() / rows.rows();
    std::vector<float> out(rows.cols());
    double sum = 0.0;
    for (std::size_t i = 0; i < rows.rows(); ++i) {
        quantiser.decode(std::span(codes).subspan(i * m, m), out);
        for (std::size_t j = 0; j < out.size(); ++j) {
            const double difference = static_cast<double>(rows(i, j)) - static_cast<double>(out[j]);
            sum += difference * difference;
        }
    }
    return sum / static_cast<double>(rows.rows());
}

double distance_from_orthogonal(MatrixView<const float> r) {
    double most = 0.0;
    for (std::size_t i = 0; i < r.rows(); ++i) {
        for (std::size_t j = 0; j < r.rows(); ++j) {
            double dot = 0.0;
            for (std::size_t k = 0; k < r.cols(); ++k) {
                dot += static_cast<double>(r(i, k)) * static_cast<double>(r(j, k));
            }
            most = std::max(most, std::abs(dot - (i == j ? 1.0 : 0.0)));
        }
    }
    return most;
}

}  // namespace

TEST_CASE("OPQ: the rotation is orthogonal, and product quantisation loses less after it") {
    const Matrix<float> rows = correlated(3000, 1);
    const auto opq = OPQ<8, 4, 4>::train(rows);
    CHECK(distance_from_orthogonal(opq.rotation()) < 1e-6);
    const Matrix<float> rotated = opq.rotate(rows);
    const double without = mean_error(ProductQuantiser<8, 4, 4>::train(rows), rows);
    const double with = mean_error(ProductQuantiser<8, 4, 4>::train(rotated), rotated);
    MESSAGE("mean squared error without OPQ ", without, ", with ", with);
    CHECK(with < 0.6 * without);
}

TEST_CASE("OPQ: a rotation keeps distances and inner products") {
    const Matrix<float> rows = correlated(500, 2);
    const auto opq = OPQ<8, 2, 4>::train(rows);
    std::vector<float> a(8);
    std::vector<float> b(8);
    for (std::size_t i = 0; i + 1 < 20; ++i) {
        opq.rotate(rows.row(i), a);
        opq.rotate(rows.row(i + 1), b);
        double before = 0.0;
        double after = 0.0;
        for (std::size_t j = 0; j < 8; ++j) {
            before += static_cast<double>(rows(i, j)) * static_cast<double>(rows(i + 1, j));
            after += static_cast<double>(a[j]) * static_cast<double>(b[j]);
        }
        CHECK(after == doctest::Approx(before).epsilon(1e-4));
    }
}

TEST_CASE("OPQ: the start deals principal axes to parts with equal products of variances") {
    // Variances 16, 8, 4, 1 along the axes. By the logarithms: 16 and 1 in one part, 8 and 4 in the other.
    const auto draws = normals(4 * 4000, 3);
    Matrix<float> rows(4000, 4);
    for (std::size_t i = 0; i < rows.rows(); ++i) {
        const std::vector<float> deviations{1.0F, 4.0F, 2.0F, std::sqrt(8.0F)};
        for (std::size_t j = 0; j < 4; ++j) {
            rows(i, j) = deviations[j] * draws[4 * i + j];
        }
    }
    const auto opq = OPQ<4, 2, 4>::train(rows, {.iterations = 0});
    const auto part_of_axis = [&](std::size_t axis) {
        std::size_t best = 0;
        for (std::size_t i = 0; i < 4; ++i) {
            best = std::abs(opq.rotation()(i, axis)) > std::abs(opq.rotation()(best, axis)) ? i : best;
        }
        return best / 2;
    };
    CHECK(part_of_axis(1) == part_of_axis(0));
    CHECK(part_of_axis(2) == part_of_axis(3));
    CHECK(part_of_axis(1) != part_of_axis(2));
}

TEST_CASE("OPQ: degenerate rows, and the same bits for any number of threads") {
    Matrix<float> flat(300, 8);  // seven numbers are constant
    for (std::size_t i = 0; i < 300; ++i) {
        flat(i, 2) = static_cast<float>(i % 7);
    }
    CHECK(distance_from_orthogonal(OPQ<8, 4, 4>::train(flat).rotation()) < 1e-6);
    CHECK(distance_from_orthogonal(OPQ<8, 4, 4>::train(Matrix<float>(20, 8)).rotation()) < 1e-6);
    const auto nothing = OPQ<8, 4, 4>::train(Matrix<float>(0, 8));
    CHECK(nothing.rotation()(3, 3) == 1.0F);
    CHECK(nothing.rotation()(3, 4) == 0.0F);

    const Matrix<float> rows = correlated(2000, 4);
    const auto one = OPQ<8, 4, 4>::train(rows, {.iterations = 3, .rows = 1500});
    for (const std::size_t threads : {2U, 4U}) {
        funnel::Threads pool(threads);
        const auto many = OPQ<8, 4, 4>::train(rows, {.iterations = 3, .rows = 1500}, pool);
        for (std::size_t i = 0; i < 8; ++i) {
            for (std::size_t j = 0; j < 8; ++j) {
                CHECK(many.rotation()(i, j) == one.rotation()(i, j));
            }
        }
    }
}

TEST_CASE("OPQ: rejects rows of another dimension or with NaN, and files whose rotation is none") {
    using Rotation = OPQ<4, 2, 4>;
    CHECK_THROWS_AS((void)Rotation::train(Matrix<float>(3, 5)), funnel::InvalidArgument);
    CHECK_THROWS_AS((void)Rotation::train(Matrix<float>(3, 4), {.rows = 0}), funnel::InvalidArgument);
    CHECK_THROWS_AS((void)Rotation::train(Matrix<float>(0, 4)).rotate(Matrix<float>(3, 5)), funnel::InvalidArgument);
#ifndef __FAST_MATH__
    Matrix<float> bad(40, 4);
    bad(3, 2) = std::numeric_limits<float>::quiet_NaN();
    CHECK_THROWS_AS((void)Rotation::train(bad), funnel::InvalidArgument);
#endif

    const TempDir dir;
    const auto read = [&](const Matrix<float>& rotation) {
        funnel::io::ContainerWriter file("test.OPQ", 1);
        file.matrix("rotation", rotation);
        file.save(dir / "a.fnl");
        return Rotation::read(funnel::io::ContainerReader(dir / "a.fnl", "test.OPQ", 1));
    };
    const auto accepted = [&](const Matrix<float>& rotation) {
        bool is_read = true;
        try {
            static_cast<void>(read(rotation));
        } catch (const funnel::CorruptData&) {
            is_read = false;
        }
        bool is_imported = true;
        try {
            static_cast<void>(Rotation::import(rotation));
        } catch (const funnel::InvalidArgument&) {
            is_imported = false;
        }
        CHECK(is_read == is_imported);
        return is_read;
    };
    Matrix<float> turn(4, 4);
    for (std::size_t i = 0; i < 4; ++i) {
        turn(i, (i + 1) % 4) = -1.0F;
    }
    CHECK(read(turn).rotation()(0, 1) == -1.0F);
    CHECK(Rotation::import(turn).rotation()(3, 0) == -1.0F);
    turn(0, 1) = 1.1F;
    CHECK_FALSE(accepted(turn));
    CHECK(Rotation::deviation(turn) == doctest::Approx(0.21));  // 1.1^2 - 1
    turn(0, 1) = -1.0F;
    CHECK(accepted(turn));
    CHECK(Rotation::deviation(turn) == 0.0);
    turn(0, 0) = 0.1F;
    CHECK_FALSE(accepted(turn));
    CHECK(Rotation::deviation(turn) == doctest::Approx(0.1));  // rows 0 and 3
    CHECK_FALSE(accepted(Matrix<float>(4, 3)));
    CHECK_FALSE(accepted(Matrix<float>(3, 4)));
    CHECK_FALSE(accepted(Matrix<float>(4, 4)));
#ifndef __FAST_MATH__
    turn(0, 0) = std::numeric_limits<float>::quiet_NaN();
    CHECK_FALSE(accepted(turn));
#endif
}
