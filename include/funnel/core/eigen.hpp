// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

// The only header of core/ that includes Eigen. Only solvers include it, so that other code compiles without Eigen.
#include <funnel/core/error.hpp>
#include <funnel/core/matrix_view.hpp>

#if !__has_include(<Eigen/Core>)
#error "this header of funnel needs Eigen 3.4 or newer: link funnel::eigen, or add -isystem with the path of Eigen"
#endif

// With AVX-512, g++ 12 warns about uninitialized registers in Eigen that come from its own intrinsics (GCC bug 105593).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <Eigen/Core>
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

#include <cstddef>
#include <limits>
#include <span>
#include <type_traits>

namespace funnel {
inline namespace FUNNEL_ABI {

/// Converts a size to the signed type of Eigen. It must be below 2^63 (not checked), as the size of any memory is.
[[nodiscard]] constexpr Eigen::Index eigen_index(std::size_t size) noexcept {
    FUNNEL_ASSERT(size <= std::size_t{std::numeric_limits<Eigen::Index>::max()});
    return static_cast<Eigen::Index>(size);
}

namespace detail {

// Map<const Matrix> where T is const.
template <class T, class Plain>
using MaybeConst = std::conditional_t<std::is_const_v<T>, const Plain, Plain>;

template <class T>
using RowMajorMatrix =
    MaybeConst<T, Eigen::Matrix<std::remove_const_t<T>, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>;

template <class T>
using ColumnVector = MaybeConst<T, Eigen::Matrix<std::remove_const_t<T>, Eigen::Dynamic, 1>>;

}  // namespace detail

/// An Eigen map of the elements of a matrix, without a copy. A MatrixView constructor converts in the other direction.
///
///     as_eigen(c).noalias() = as_eigen(a) * as_eigen(b).transpose();
template <class T>
[[nodiscard]] auto as_eigen(MatrixView<T> matrix FUNNEL_LIFETIMEBOUND) noexcept {
    using Map = Eigen::Map<detail::RowMajorMatrix<T>, Eigen::Unaligned, Eigen::OuterStride<>>;
    return Map(matrix.data(), eigen_index(matrix.rows()), eigen_index(matrix.cols()),
               Eigen::OuterStride<>(eigen_index(matrix.stride())));
}

/// An Eigen map of the elements of a vector, as a column vector, without a copy.
template <class T>
[[nodiscard]] auto as_eigen(std::span<T> vector FUNNEL_LIFETIMEBOUND) noexcept {
    return Eigen::Map<detail::ColumnVector<T>>(vector.data(), eigen_index(vector.size()));
}

}  // namespace FUNNEL_ABI
}  // namespace funnel
