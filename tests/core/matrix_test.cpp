// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/core/matrix.hpp>

#include "support/allocations.hpp"
#include "support/dies.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <utility>
#include <vector>

using funnel::InvalidArgument;
using funnel::Matrix;
using funnel::MatrixView;

static_assert(std::is_nothrow_move_constructible_v<Matrix<float>>);
static_assert(std::is_nothrow_move_assignable_v<Matrix<float>>);
static_assert(std::is_convertible_v<Matrix<float>, MatrixView<const float>>, "an argument may be a temporary");
static_assert(!std::is_convertible_v<Matrix<float>, MatrixView<float>>, "nobody would read what is written to it");
static_assert(!std::is_assignable_v<decltype(Matrix<float>(1, 1).row(0)[0]), float>);
static_assert(!std::is_assignable_v<decltype(Matrix<float>(1, 1)(0, 0)), float>);

TEST_CASE("Matrix: starts as zeros") {
    const Matrix<float> matrix(3, 5);
    CHECK(matrix.rows() == 3);
    CHECK(matrix.cols() == 5);
    for (std::size_t i = 0; i < 3; ++i) {
        CHECK(std::ranges::all_of(matrix.padded_row(i), [](float x) { return x == 0.0F; }));
    }
}

TEST_CASE_TEMPLATE("Matrix: each row starts a cache line, and fills whole ones", T, float, double, std::uint8_t,
                   std::int32_t) {
    for (const std::size_t cols : {1U, 7U, 16U, 17U, 64U, 65U}) {
        const Matrix<T> matrix(3, cols);
        CHECK(matrix.stride() * sizeof(T) % 64 == 0);
        CHECK(matrix.stride() >= cols);
        CHECK((matrix.stride() - cols) * sizeof(T) < 64);
        for (std::size_t i = 0; i < 3; ++i) {
            CHECK(reinterpret_cast<std::uintptr_t>(matrix.row(i).data()) % 64 == 0);
            CHECK(matrix.row(i).size() == cols);
            CHECK(matrix.padded_row(i).size() == matrix.stride());
        }
    }
}

TEST_CASE("Matrix: what is written to a row stays in it, and the padding stays zero") {
    Matrix<int> matrix(4, 3);
    for (std::size_t i = 0; i < 4; ++i) {
        std::ranges::fill(matrix.row(i), static_cast<int>(i) + 1);
    }
    for (std::size_t i = 0; i < 4; ++i) {
        CHECK(std::ranges::count(matrix.row(i), static_cast<int>(i) + 1) == 3);
        CHECK(std::ranges::count(matrix.padded_row(i).subspan(3), 0) ==
              static_cast<std::ptrdiff_t>(matrix.stride() - 3));
    }
    CHECK(matrix(2, 1) == 3);
    matrix(2, 1) = 30;
    CHECK(std::as_const(matrix)(2, 1) == 30);
}

TEST_CASE("Matrix: is a MatrixView wherever one is asked for") {
    Matrix<float> matrix(2, 3);
    matrix(1, 2) = 5.0F;

    const auto last = [](MatrixView<const float> view) { return view(view.rows() - 1, view.cols() - 1); };
    CHECK(last(matrix) == 5.0F);
    CHECK(last(std::as_const(matrix)) == 5.0F);

    const MatrixView<float> writable = matrix;
    writable(0, 0) = 1.0F;
    CHECK(matrix(0, 0) == 1.0F);
}

TEST_CASE("Matrix: copies rows of any stride") {
    const std::vector<int> data{1, 2, 99, 3, 4, 99};
    const Matrix<int> copy(MatrixView<const int>(data, 2, 2, 3));
    CHECK(copy(0, 1) == 2);
    CHECK(copy(1, 0) == 3);
    CHECK(copy.padded_row(0)[2] == 0);
    constexpr std::size_t most = std::numeric_limits<std::size_t>::max();
    CHECK(Matrix<int>(MatrixView<const int>({}, most, 0)).rows() == most);  // without a look at each row
}

TEST_CASE("Matrix: a copy is independent, a moved matrix takes its rows along") {
    Matrix<int> a(1, 1);
    a(0, 0) = 1;
    Matrix<int> b = a;
    b(0, 0) = 2;
    CHECK(a(0, 0) == 1);
    const int* before = b.row(0).data();
    const Matrix<int> c = std::move(b);
    CHECK(c.row(0).data() == before);
}

TEST_CASE("Matrix: grows by rows of zeros") {
    Matrix<int> matrix(1, 2);
    matrix(0, 1) = 7;
    matrix.resize_rows(3);
    CHECK(matrix.rows() == 3);
    CHECK(matrix(0, 1) == 7);
    CHECK(matrix(2, 0) == 0);
    matrix.resize_rows(1);
    CHECK(matrix.view().rows() == 1);
    matrix(0, 0) = 5;
    matrix.resize_rows(0);
    matrix.resize_rows(1);
    CHECK(matrix(0, 0) == 0);  // rows that were taken away do not come back
}

TEST_CASE("Matrix: empty in either direction") {
    CHECK(Matrix<float>().rows() == 0);
    CHECK(Matrix<float>(0, 8).view().cols() == 8);
    CHECK(Matrix<float>(8, 0).row(7).empty());
}

TEST_CASE("Matrix: a size that no machine can address is an error, not a small allocation") {
    constexpr std::size_t most = std::numeric_limits<std::size_t>::max();
    CHECK_THROWS_AS(Matrix<float>(most / 64 + 2, 16), InvalidArgument);
    CHECK_THROWS_AS(Matrix<float>(1, most), InvalidArgument);
    CHECK_THROWS_AS(Matrix<float>(most, 1), InvalidArgument);
    CHECK_THROWS_AS(Matrix<float>(most / 64, 16), InvalidArgument);  // its bytes still fit a size_t
    Matrix<float> matrix(1, 16);
    CHECK_THROWS_AS(matrix.resize_rows(most), InvalidArgument);
    CHECK_THROWS_AS(matrix.resize_rows(most / 64), InvalidArgument);
    CHECK(matrix.rows() == 1);
}

TEST_CASE("Matrix: one that was moved from has no rows, can be viewed, and takes a new value") {
    // NOLINTBEGIN(bugprone-use-after-move): what it promises
    Matrix<float> from(3, 5);
    from(2, 4) = 7.0F;
    const Matrix<float> to = std::move(from);
    CHECK(to(2, 4) == 7.0F);
    CHECK(from.rows() == 0);
    CHECK(from.cols() == 0);
    CHECK(from.stride() == 0);
    CHECK(from.view().rows() == 0);
    CHECK(std::as_const(from).view().data() == nullptr);
    from.resize_rows(2);
    CHECK(from.rows() == 2);
    CHECK(from.row(1).empty());

    Matrix<float> assigned(1, 1);
    from = to;
    assigned = std::move(from);
    CHECK(assigned(2, 4) == 7.0F);
    CHECK(from.view().rows() == 0);
    from = Matrix<float>(2, 2);
    CHECK(from(1, 1) == 0.0F);
    Matrix<float>& itself = assigned;
    assigned = std::move(itself);
    CHECK(assigned(2, 4) == 7.0F);
    assigned = itself;
    CHECK(assigned(2, 4) == 7.0F);
    // NOLINTEND(bugprone-use-after-move)
}

TEST_CASE("Matrix: is as it was when memory for more rows or for a copy is missing") {
    const auto make = [] {
        Matrix<int> matrix(2, 3);
        matrix(1, 2) = 9;
        return matrix;
    };
    const auto state = [](const Matrix<int>& matrix) {
        std::vector<int> all{static_cast<int>(matrix.rows()), static_cast<int>(matrix.cols())};
        for (std::size_t i = 0; i < matrix.rows(); ++i) {
            all.insert(all.end(), matrix.padded_row(i).begin(), matrix.padded_row(i).end());
        }
        return all;
    };
    CHECK(funnel::testing::check_strong_guarantee(
              make, [](Matrix<int>& matrix) { matrix.resize_rows(1000); }, state) > 0);
    const Matrix<int> other(5, 40);
    CHECK(funnel::testing::check_strong_guarantee(make, [&](Matrix<int>& matrix) { matrix = other; }, state) > 0);
}

#if FUNNEL_CHECKS
TEST_CASE("FUNNEL_CHECKS: rows and elements outside of a Matrix are found out") {
    using funnel::testing::dies;
    Matrix<float> matrix(2, 3);
    const Matrix<float>& read_only = matrix;
    CHECK(dies([&] { (void)matrix.row(2); }, "assertion failed: i < rows_"));
    CHECK(dies([&] { (void)read_only.row(2); }, "i < rows_"));
    CHECK(dies([&] { (void)read_only.padded_row(2); }, "i < rows_"));
    CHECK(dies([&] { (void)matrix(2, 0); }, "i < rows_ && j < cols_"));
    CHECK(dies([&] { (void)matrix(0, 3); }, "i < rows_ && j < cols_"));
    CHECK(dies([&] { (void)read_only(0, 3); }, "i < rows_ && j < cols_"));
    CHECK(dies([&] { (void)read_only(static_cast<std::size_t>(-1), 0); }, "i < rows_ && j < cols_"));
    CHECK(dies([&] { (void)matrix.view().row(2); }, "i < rows_"));
    CHECK(dies([&] { (void)matrix.view()(1, 3); }, "i < rows_ && j < cols_"));
    CHECK(dies([&] { (void)MatrixView<float>().row(0); }, "core/matrix_view.hpp:"));
}
#endif

TEST_CASE("Matrix: a matrix of several megabytes starts as zero, grows and can be copied") {
    Matrix<float> large(1000, 1000);
    CHECK(std::all_of(large.row(999).begin(), large.row(999).end(), [](float x) { return x == 0.0F; }));
    large(0, 0) = 1.0F;
    large(999, 999) = 2.0F;
    large.resize_rows(3000);
    CHECK(large(2999, 999) == 0.0F);
    const Matrix<float> copy = large;
    large.resize_rows(1);
    CHECK(copy(0, 0) == 1.0F);
    CHECK(copy(999, 999) == 2.0F);
    CHECK(large(0, 0) == 1.0F);
}
