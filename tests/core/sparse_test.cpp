// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/core/sparse.hpp>

#include <funnel/core/rng.hpp>

#include "support/dies.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <type_traits>
#include <utility>
#include <vector>

using funnel::CSRMatrix;
using funnel::InvalidArgument;
using funnel::Random;
using funnel::Triplet;

namespace {

using Entries = std::vector<Triplet<float>>;
using Dense = std::map<std::pair<std::uint32_t, std::uint32_t>, float>;

Dense dense(const CSRMatrix<float>& matrix) {
    Dense result;
    for (std::uint32_t i = 0; i < matrix.rows(); ++i) {
        const auto row = matrix.row(i);
        for (std::size_t at = 0; at < row.size(); ++at) {
            CHECK((at == 0 || row.columns[at - 1] < row.columns[at]));
            result[{i, row.columns[at]}] = row.values[at];
        }
    }
    return result;
}

}  // namespace

TEST_CASE("CSRMatrix: worked by hand") {
    //     0 2 0
    //     0 0 0
    //     5 0 1
    const CSRMatrix<float> matrix(Entries{{2, 2, 1}, {0, 1, 2}, {2, 0, 5}}, 3, 3);

    CHECK(matrix.rows() == 3);
    CHECK(matrix.cols() == 3);
    CHECK(matrix.nonzeros() == 3);
    CHECK(std::vector(matrix.offsets().begin(), matrix.offsets().end()) == std::vector<std::size_t>{0, 1, 1, 3});
    CHECK(std::vector(matrix.columns().begin(), matrix.columns().end()) == std::vector<std::uint32_t>{1, 0, 2});
    CHECK(std::vector(matrix.values().begin(), matrix.values().end()) == std::vector<float>{2, 5, 1});
    CHECK(matrix.row(1).size() == 0);
    CHECK(matrix.row(2).columns[1] == 2);
}

TEST_CASE("CSRMatrix: of two entries at one place, the later one counts") {
    const CSRMatrix<float> matrix(Entries{{0, 1, 2}, {0, 0, 9}, {0, 1, 3}, {0, 1, 4}}, 1, 2);
    CHECK(matrix.nonzeros() == 2);
    CHECK(matrix.row(0).values[1] == 4.0F);
}

TEST_CASE("CSRMatrix: agrees with a map from places to values, and so does its transpose") {
    Random random(5);
    for (const std::size_t n : {1U, 10U, 300U}) {
        Entries entries;
        Dense expected;
        Dense expected_transposed;
        for (std::size_t e = 0; e < n; ++e) {
            const auto row = static_cast<std::uint32_t>(random.below(20));
            const auto column = static_cast<std::uint32_t>(random.below(13));
            const auto value = static_cast<float>(random.below(1000));
            entries.push_back({row, column, value});
            expected[{row, column}] = value;
            expected_transposed[{column, row}] = value;
        }
        const CSRMatrix<float> matrix(entries, 20, 13);
        CHECK(dense(matrix) == expected);
        CHECK(matrix.transposed().rows() == 13);
        CHECK(matrix.transposed().cols() == 20);
        CHECK(dense(matrix.transposed()) == expected_transposed);
        CHECK(dense(matrix.transposed().transposed()) == expected);
    }
}

TEST_CASE("CSRMatrix: can be put together from its parts") {
    const auto matrix = CSRMatrix<float>::from_parts({0, 1, 1, 3}, {1, 0, 2}, {2, 5, 1}, 3);
    CHECK(matrix.cols() == 3);
    CHECK(dense(matrix) == Dense{{{0, 1}, 2.0F}, {{2, 0}, 5.0F}, {{2, 2}, 1.0F}});
}

TEST_CASE("CSRMatrix: nothing is a matrix too") {
    CHECK(CSRMatrix<float>().rows() == 0);
    CHECK(CSRMatrix<float>().nonzeros() == 0);
    const CSRMatrix<float> empty(Entries{}, 2, 3);
    CHECK(empty.row(1).size() == 0);
    CHECK(empty.transposed().rows() == 3);
}

TEST_CASE("CSRMatrix: rejects entries outside and parts that do not fit") {
    CHECK_THROWS_AS(CSRMatrix<float>(Entries{{2, 0, 1}}, 2, 2), InvalidArgument);
    CHECK_THROWS_AS(CSRMatrix<float>(Entries{{0, 2, 1}}, 2, 2), InvalidArgument);
    CHECK_THROWS_AS(CSRMatrix<float>(Entries{}, std::size_t{1} << 32, 1), InvalidArgument);
    CHECK_THROWS_AS(CSRMatrix<float>(Entries{}, 1, std::size_t{1} << 32), InvalidArgument);

    const auto parts = [](std::vector<std::size_t> offsets, std::vector<std::uint32_t> columns, std::size_t values) {
        (void)CSRMatrix<float>::from_parts(std::move(offsets), std::move(columns), std::vector<float>(values), 3);
    };
    CHECK_NOTHROW(parts({0, 2}, {0, 2}, 2));
    CHECK_THROWS_AS(parts({}, {}, 0), InvalidArgument);
    CHECK_THROWS_AS(parts({1, 2}, {0, 2}, 2), InvalidArgument);
    CHECK_THROWS_AS(parts({0, 1}, {0, 2}, 2), InvalidArgument);
    CHECK_THROWS_AS(parts({0, 2}, {0, 2}, 1), InvalidArgument);
    CHECK_THROWS_AS(parts({0, 2, 1, 2}, {0, 2}, 2), InvalidArgument);
    CHECK_THROWS_AS(parts({0, 2}, {2, 0}, 2), InvalidArgument);
    CHECK_THROWS_AS(parts({0, 2}, {1, 1}, 2), InvalidArgument);
    CHECK_THROWS_AS(parts({0, 2}, {0, 3}, 2), InvalidArgument);
}

TEST_CASE("CSRMatrix: one that was moved from has no rows, and takes a new value") {
    static_assert(std::is_nothrow_default_constructible_v<CSRMatrix<float>>);
    static_assert(std::is_nothrow_move_constructible_v<CSRMatrix<float>>);
    static_assert(std::is_nothrow_move_assignable_v<CSRMatrix<float>>);
    // NOLINTBEGIN(bugprone-use-after-move): what it promises
    CSRMatrix<float> from(Entries{{0, 1, 2}, {2, 0, 5}}, 3, 3);
    CSRMatrix<float> to = std::move(from);
    const auto check_empty = [](const CSRMatrix<float>& matrix) {
        CHECK(matrix.rows() == 0);
        CHECK(matrix.cols() == 0);
        CHECK(matrix.nonzeros() == 0);
        CHECK(matrix.offsets().size() == 1);
        CHECK(matrix.offsets()[0] == 0);
        CHECK(matrix.columns().empty());
        CHECK(matrix.values().empty());
        CHECK(matrix.transposed().rows() == 0);
        CHECK(CSRMatrix<float>(matrix).rows() == 0);
    };
    check_empty(from);
    check_empty(CSRMatrix<float>());
    CHECK(to.row(2).values[0] == 5.0F);
    from = to;
    CHECK(from.row(2).values[0] == 5.0F);
    to = std::move(from);
    check_empty(from);
    CSRMatrix<float>& itself = to;
    to = std::move(itself);
    CHECK(to.row(2).values[0] == 5.0F);
    // NOLINTEND(bugprone-use-after-move)
}

TEST_CASE("CSRMatrix: a number of columns that wraps around in the transpose is an error") {
    for (const std::size_t cols : {std::size_t{1} << 32, std::numeric_limits<std::size_t>::max()}) {
        CHECK_THROWS_AS((void)CSRMatrix<float>::from_parts({0, 1}, {0}, {1.0F}, cols), InvalidArgument);
        CHECK_THROWS_AS((void)CSRMatrix<float>::from_parts({0}, {}, {}, cols), InvalidArgument);
    }
}

#if FUNNEL_CHECKS
TEST_CASE("FUNNEL_CHECKS: a row outside of a CSRMatrix is found out") {
    using funnel::testing::dies;
    const CSRMatrix<float> matrix(Entries{{0, 1, 2}}, 2, 3);
    CHECK(dies([&] { (void)matrix.row(2); }, "assertion failed: i < rows()"));
    CHECK(dies([] { (void)CSRMatrix<float>().row(0); }, "i < rows()"));
}
#endif

TEST_CASE("CSRMatrix: erase_if removes the entries that it is told, and keeps the shape") {
    const std::vector<Triplet<float>> entries{{0, 1, 1}, {0, 3, 2}, {2, 0, 3}, {2, 1, 4}, {2, 3, 5}, {3, 1, 6}};
    CSRMatrix<float> matrix(entries, 4, 4);
    matrix.erase_if([](std::size_t row, std::uint32_t column) { return row == 3 || column == 1; });
    CHECK(matrix.rows() == 4);
    CHECK(matrix.cols() == 4);
    const std::vector<Triplet<float>> kept{{0, 3, 2}, {2, 0, 3}, {2, 3, 5}};
    const CSRMatrix<float> expected(kept, 4, 4);
    CHECK(std::ranges::equal(matrix.offsets(), expected.offsets()));
    CHECK(std::ranges::equal(matrix.columns(), expected.columns()));
    CHECK(std::ranges::equal(matrix.values(), expected.values()));
    matrix.erase_if([](std::size_t, std::uint32_t) { return false; });
    CHECK(matrix.nonzeros() == 3);
    matrix.erase_if([](std::size_t, std::uint32_t) { return true; });
    CHECK(matrix.nonzeros() == 0);
    CHECK(matrix.row(2).size() == 0);
    CSRMatrix<float> empty;
    empty.erase_if([](std::size_t, std::uint32_t) { return true; });
    CHECK(empty.rows() == 0);
}

TEST_CASE("CSRMatrix: other values in the same places") {
    const CSRMatrix<float> matrix(std::vector<Triplet<float>>{{0, 2, 1.0F}, {2, 0, 3.0F}, {2, 1, 4.0F}}, 3, 4);
    const CSRMatrix<float> other = matrix.with_values({5.0F, 6.0F, 7.0F});
    CHECK(other.rows() == 3);
    CHECK(other.cols() == 4);
    CHECK(other.row(0).columns[0] == 2);
    CHECK(other.row(0).values[0] == 5.0F);
    CHECK(other.row(1).size() == 0);
    CHECK(other.row(2).columns[1] == 1);
    CHECK(other.row(2).values[1] == 7.0F);
    CHECK(matrix.row(0).values[0] == 1.0F);
    CHECK_THROWS_WITH_AS(static_cast<void>(matrix.with_values({1.0F})),
                         "CSRMatrix::with_values: there must be a value per entry", funnel::InvalidArgument);
    CHECK(CSRMatrix<float>().with_values({}).rows() == 0);
}
