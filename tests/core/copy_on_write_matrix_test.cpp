// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/core/copy_on_write_matrix.hpp>

#include "support/allocations.hpp"

#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

using funnel::CopyOnWriteMatrix;
using funnel::Matrix;
using funnel::MatrixView;
using funnel::testing::check_strong_guarantee;

namespace {

// 2 x 3 elements, and what keeps them alive.
std::shared_ptr<const std::vector<int>> elements() {
    return std::make_shared<const std::vector<int>>(std::vector{1, 2, 3, 4, 5, 6});
}

CopyOnWriteMatrix<int> shared(const std::shared_ptr<const std::vector<int>>& owner) {
    return {MatrixView<const int>(*owner, 2, 3), owner};
}

Matrix<int> counting(std::size_t rows, std::size_t cols) {
    Matrix<int> matrix(rows, cols);
    int next = 1;
    for (std::size_t i = 0; i < rows; ++i) {
        std::generate(matrix.row(i).begin(), matrix.row(i).end(), [&] { return next++; });
    }
    return matrix;
}

std::vector<int> contents(const CopyOnWriteMatrix<int>& matrix) {
    std::vector<int> all{static_cast<int>(matrix.rows()), static_cast<int>(matrix.cols())};
    for (std::size_t i = 0; i < matrix.rows(); ++i) {
        all.insert(all.end(), matrix.row(i).begin(), matrix.row(i).end());
    }
    return all;
}

}  // namespace

TEST_CASE("CopyOnWriteMatrix: shared elements are read where they lie") {
    const auto owner = elements();
    const auto matrix = shared(owner);
    CHECK(matrix.is_shared());
    CHECK(contents(matrix) == std::vector{2, 3, 1, 2, 3, 4, 5, 6});
    CHECK(matrix.row(1).data() == owner->data() + 3);
    CHECK(matrix.view().stride() == 3);
    CHECK(matrix.memory_bytes() == 0);
}

TEST_CASE("CopyOnWriteMatrix: keeps the owner alive until the first change, and until the last copy is gone") {
    auto owner = elements();
    const std::weak_ptr<const std::vector<int>> watched = owner;
    auto matrix = shared(owner);
    owner.reset();
    auto copy = matrix;
    CHECK(copy.row(0).data() == matrix.row(0).data());
    matrix.own();
    CHECK_FALSE(matrix.is_shared());
    CHECK_FALSE(watched.expired());
    CHECK(contents(matrix) == contents(copy));
    CHECK(matrix.memory_bytes() == 2 * 64);
    copy.resize_rows(3);
    CHECK(watched.expired());
    CHECK(contents(copy) == std::vector{3, 3, 1, 2, 3, 4, 5, 6, 0, 0, 0});
    copy.resize_rows(1);
    CHECK(contents(copy) == std::vector{1, 3, 1, 2, 3});
}

TEST_CASE("CopyOnWriteMatrix: a change of one copy leaves the others alone") {
    const auto owner = elements();
    const auto first = shared(owner);
    auto second = first;
    second.own();
    second.mutable_row(1)[2] = 60;
    auto third = second;
    third.own();
    third.mutable_row(0)[0] = 10;
    CHECK(contents(first) == std::vector{2, 3, 1, 2, 3, 4, 5, 6});
    CHECK(contents(second) == std::vector{2, 3, 1, 2, 3, 4, 5, 60});
    CHECK(contents(third) == std::vector{2, 3, 10, 2, 3, 4, 5, 60});
}

TEST_CASE("CopyOnWriteMatrix: moves and swaps keep elements in place, and leave an empty matrix") {
    static_assert(std::is_nothrow_move_constructible_v<CopyOnWriteMatrix<int>> &&
                  std::is_nothrow_move_assignable_v<CopyOnWriteMatrix<int>>);
    const auto owner = elements();
    for (CopyOnWriteMatrix<int> source : {shared(owner), CopyOnWriteMatrix<int>(counting(2, 3))}) {
        const int* const place = source.row(0).data();
        const auto expected = contents(source);
        const bool is_shared = source.is_shared();
        CopyOnWriteMatrix<int> target(std::move(source));
        // NOLINTBEGIN(bugprone-use-after-move,hicpp-invalid-access-moved): what is left of it is what is tested
        CHECK(contents(source) == std::vector{0, 0});
        CHECK_FALSE(source.is_shared());
        // NOLINTEND(bugprone-use-after-move,hicpp-invalid-access-moved)
        CHECK(target.row(0).data() == place);
        source = std::move(target);
        CHECK(source.row(0).data() == place);
        CHECK(contents(source) == expected);
        CHECK(source.is_shared() == is_shared);
        CopyOnWriteMatrix<int> other(counting(1, 1));
        source.swap(other);
        CHECK(contents(source) == std::vector{1, 1, 1});
        CHECK(contents(other) == expected);
        other = static_cast<const CopyOnWriteMatrix<int>&>(other);  // itself
        CHECK(contents(other) == expected);
    }
}

TEST_CASE("CopyOnWriteMatrix: without rows or columns") {
    CopyOnWriteMatrix<float> none;
    CHECK(none.rows() == 0);
    none.own();
    none.resize_rows(0);
    CopyOnWriteMatrix<float> flat(Matrix<float>(0, 5));
    CHECK(flat.cols() == 5);
    flat.resize_rows(1);
    CHECK(flat.row(0)[4] == 0.0F);
    const auto owner = std::make_shared<int>(0);
    CopyOnWriteMatrix<float> borrowed(MatrixView<const float>({}, 0, 5), owner);
    borrowed.resize_rows(2);
    CHECK(borrowed.cols() == 5);
    CHECK(borrowed.row(1)[4] == 0.0F);
}

TEST_CASE("CopyOnWriteMatrix: an error changes nothing") {
    CHECK_THROWS_AS(CopyOnWriteMatrix<int>(MatrixView<const int>(), nullptr), funnel::InvalidArgument);
    const auto owner = elements();
    const auto state = [](const CopyOnWriteMatrix<int>& matrix) { return contents(matrix); };
    CHECK(check_strong_guarantee([&] { return shared(owner); }, [](auto& matrix) { matrix.own(); }, state) > 0);
    CHECK(check_strong_guarantee([&] { return CopyOnWriteMatrix<int>(counting(2, 3)); },
                                 [](auto& matrix) { matrix.resize_rows(9); }, state) > 0);
    const CopyOnWriteMatrix<int> other(counting(4, 2));
    CHECK(check_strong_guarantee([&] { return shared(owner); }, [&](auto& matrix) { matrix = other; }, state) > 0);
}
