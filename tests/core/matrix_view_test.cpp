// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/core/matrix_view.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <limits>
#include <span>
#include <type_traits>
#include <vector>

using funnel::InvalidArgument;
using funnel::MatrixView;

static_assert(std::is_trivially_copyable_v<MatrixView<float>>);
static_assert(std::is_convertible_v<MatrixView<float>, MatrixView<const float>>);
static_assert(!std::is_convertible_v<MatrixView<const float>, MatrixView<float>>);
static_assert(!std::is_convertible_v<std::vector<float>&, MatrixView<float>>, "a shape has to be named");

TEST_CASE("MatrixView: rows lie one after the other") {
    std::vector<int> data{1, 2, 3, 4, 5, 6};
    const MatrixView<int> matrix(data, 2, 3);

    CHECK(matrix.rows() == 2);
    CHECK(matrix.cols() == 3);
    CHECK(matrix.stride() == 3);
    CHECK(matrix(1, 0) == 4);
    CHECK(matrix.row(1).size() == 3);

    matrix.row(1)[2] = 60;
    CHECK(data.back() == 60);
}

TEST_CASE("MatrixView: rows may lie apart, and the last one needs no padding") {
    const std::vector<int> data{1, 2, 0, 3, 4, 0, 5, 6};
    const MatrixView<const int> matrix(data, 3, 2, 3);

    CHECK(matrix(1, 1) == 4);
    CHECK(matrix(2, 0) == 5);
    CHECK(matrix.row(2).back() == 6);
    CHECK_THROWS_AS(MatrixView<const int>(std::span(data).first(7), 3, 2, 3), InvalidArgument);
    CHECK_THROWS_AS(MatrixView<const int>(data, 2, 3, 2), InvalidArgument);
}

TEST_CASE("MatrixView: a part of the rows sees the same elements") {
    std::vector<int> data{1, 2, 0, 3, 4, 0, 5, 6, 0};
    const MatrixView<int> matrix(data, 3, 2, 3);
    const MatrixView<int> last_two = matrix.rows_from(1, 2);
    const MatrixView<const int> read_only = last_two;

    CHECK(last_two.rows() == 2);
    CHECK(last_two(0, 0) == 3);
    CHECK(last_two(1, 1) == 6);
    CHECK(read_only(1, 1) == 6);
    CHECK(matrix.rows_from(3, 0).rows() == 0);
    CHECK_THROWS_AS((void)matrix.rows_from(2, 2), InvalidArgument);
    CHECK_THROWS_AS((void)matrix.rows_from(4, 0), InvalidArgument);
    CHECK_THROWS_AS((void)matrix.rows_from(1, std::numeric_limits<std::size_t>::max()), InvalidArgument);
}

TEST_CASE("MatrixView: a part of the columns sees the same elements") {
    std::vector<int> data{1, 2, 0, 3, 4, 0, 5, 6, 0};
    const MatrixView<int> matrix(data, 3, 2, 3);
    const MatrixView<int> last = matrix.columns_from(1, 1);

    CHECK(last.rows() == 3);
    CHECK(last.cols() == 1);
    CHECK(last(0, 0) == 2);
    CHECK(last(2, 0) == 6);
    CHECK(matrix.columns_from(0, 2)(1, 1) == 4);
    CHECK(matrix.columns_from(2, 0).cols() == 0);
    CHECK(MatrixView<int>({}, 0, 2).columns_from(1, 1).rows() == 0);
    CHECK_THROWS_AS((void)matrix.columns_from(1, 2), InvalidArgument);
    CHECK_THROWS_AS((void)matrix.columns_from(3, 0), InvalidArgument);
    CHECK_THROWS_AS((void)matrix.columns_from(1, std::numeric_limits<std::size_t>::max()), InvalidArgument);
}

// A compiler that evaluates a constant rejects a pointer past the end of the data.
static_assert([] {
    constexpr std::array<int, 5> data{1, 2, 0, 3, 4};  // the last row has no padding
    return MatrixView<const int>(data, 2, 2, 3).rows_from(2, 0).rows() == 0;
}());

TEST_CASE("MatrixView: nothing is a matrix too") {
    CHECK(MatrixView<const float>().rows() == 0);
    CHECK(MatrixView<const float>({}, 0, 5).cols() == 5);
    CHECK(MatrixView<const float>({}, 5, 0).row(4).empty());
}

TEST_CASE("MatrixView: rejects data of the wrong size") {
    std::vector<int> data(5);
    CHECK_THROWS_AS(MatrixView<int>(data, 2, 3), InvalidArgument);
    CHECK_THROWS_AS(MatrixView<int>(data, 1, 4), InvalidArgument);
    CHECK_THROWS_AS(MatrixView<int>(data, 1, 6, 6), InvalidArgument);
}

TEST_CASE("MatrixView: a product of sizes that overflows is not mistaken for a small one") {
    std::vector<int> data(4);
    constexpr std::size_t half = std::size_t{1} << (std::numeric_limits<std::size_t>::digits - 1);
    CHECK_THROWS_AS(MatrixView<int>({}, half, 2), InvalidArgument);
    CHECK_THROWS_AS(MatrixView<int>(data, half + 2, 2), InvalidArgument);  // wraps to 4
    CHECK_THROWS_AS(MatrixView<int>(data, half, 2, 2), InvalidArgument);
}

TEST_CASE("MatrixView: of a temporary vector as an argument") {
    const auto last = [](MatrixView<const int> view) { return view(view.rows() - 1, view.cols() - 1); };
    CHECK(last(MatrixView<const int>(std::vector<int>{1, 2, 3, 4}, 2, 2)) == 4);
    CHECK(last({std::vector<int>{1, 2, 3, 4}, 2, 1, 2}) == 3);
}
