// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>

#include <concepts>
#include <cstddef>
#include <limits>
#include <span>
#include <type_traits>
#include <utility>

namespace funnel {
inline namespace FUNNEL_ABI {

namespace detail {

// A row-major Eigen matrix, Map or Ref, recognised by its shape so that Eigen is not included here.
template <class M>
concept RowMajorEigen = requires(M& m) {
    m.data();
    { m.rows() } -> std::convertible_to<std::ptrdiff_t>;
    { m.cols() } -> std::convertible_to<std::ptrdiff_t>;
    { m.outerStride() } -> std::convertible_to<std::ptrdiff_t>;
    requires static_cast<bool>(std::remove_cvref_t<M>::IsRowMajor);
    requires std::remove_cvref_t<M>::InnerStrideAtCompileTime == 1;
};

// One that owns its elements, so that they end with it.
template <class M>
concept OwningEigen =
    RowMajorEigen<M> && std::same_as<typename std::remove_cvref_t<M>::PlainObject, std::remove_cvref_t<M>>;

// A matrix, whoever made it and however it stores its elements: not every library calls its sizes rows and cols, but a
// plain callable has no size and no data.
template <class M>
concept MatrixLike = requires(const M& matrix) {
    matrix.rows();
    matrix.cols();
} || requires(const M& matrix) { matrix.size(); } || requires(const M& matrix) { matrix.data(); };

// A temporary container of T: its elements end with it. A span, as a borrowed range, may end before them.
template <class C, class T>
concept TemporaryContainer =
    !std::is_lvalue_reference_v<C> && !std::ranges::enable_borrowed_range<std::remove_cv_t<C>> &&
    std::convertible_to<const C&, std::span<const T>>;

}  // namespace detail

/// A row-major matrix that someone else owns. A pointer and three sizes: pass it by value.
///
/// Rows may lie apart: row i starts stride() elements after row i - 1. Matrix<T> pads its rows in this way.
///
/// Errors    InvalidArgument if the data does not hold exactly rows x cols elements, or too few for a stride
template <class T>
class MatrixView {
public:
    constexpr MatrixView() noexcept = default;

    constexpr MatrixView(std::span<T> data FUNNEL_LIFETIMEBOUND, std::size_t rows, std::size_t cols)
        : data_(data.data()), rows_(rows), cols_(cols), stride_(cols) {
        require(cols == 0 || rows <= std::numeric_limits<std::size_t>::max() / cols,
                "MatrixView: rows x cols overflows");
        require(data.size() == rows * cols, "MatrixView: data must hold rows x cols elements");
    }

    constexpr MatrixView(std::span<T> data FUNNEL_LIFETIMEBOUND, std::size_t rows, std::size_t cols, std::size_t stride)
        : data_(data.data()), rows_(rows), cols_(cols), stride_(stride) {
        require(stride >= cols, "MatrixView: stride must be at least cols");
        require(rows == 0 || (cols <= data.size() && (stride == 0 || rows - 1 <= (data.size() - cols) / stride)),
                "MatrixView: data must hold all rows, stride elements apart");
    }

    /// Of a temporary container: read-only, and for no longer than the expression lasts. std::span would hide from
    /// compilers that the elements are temporary.
    template <class C>
        requires(std::is_const_v<T> && detail::TemporaryContainer<C, T>)
    constexpr MatrixView(C&& data FUNNEL_LIFETIMEBOUND, std::size_t rows, std::size_t cols)
        : MatrixView(std::span<T>(std::as_const(data)), rows, cols) {}
    template <class C>
        requires(std::is_const_v<T> && detail::TemporaryContainer<C, T>)
    constexpr MatrixView(C&& data FUNNEL_LIFETIMEBOUND, std::size_t rows, std::size_t cols, std::size_t stride)
        : MatrixView(std::span<T>(std::as_const(data)), rows, cols, stride) {}

    /// Read-only from writable.
    template <class U>
        requires(std::is_const_v<T> && std::same_as<U, std::remove_const_t<T>>)
    constexpr MatrixView(MatrixView<U> other) noexcept  // NOLINT(google-explicit-constructor): as for std::span
        : data_(other.data()), rows_(other.rows()), cols_(other.cols()), stride_(other.stride()) {}

    // NOLINTBEGIN(google-explicit-constructor): as for std::span
    /// From a row-major Eigen matrix, without a copy; it must outlive the view. Of a temporary one, read-only.
    template <detail::OwningEigen M>
        requires(std::convertible_to<decltype(std::declval<M&>().data()), T*> &&
                 (std::is_const_v<T> || std::is_lvalue_reference_v<M>))
    constexpr MatrixView(M&& matrix FUNNEL_LIFETIMEBOUND) : MatrixView(matrix, FromEigen{}) {}

    /// From a row-major Eigen Map or Ref, without a copy; what that refers to must outlive the view.
    template <detail::RowMajorEigen M>
        requires(std::convertible_to<decltype(std::declval<M&>().data()), T*> && !detail::OwningEigen<M>)
    constexpr MatrixView(M&& matrix) : MatrixView(matrix, FromEigen{}) {}
    // NOLINTEND(google-explicit-constructor)

    [[nodiscard]] constexpr T* data() const noexcept { return data_; }
    [[nodiscard]] constexpr std::size_t rows() const noexcept { return rows_; }
    [[nodiscard]] constexpr std::size_t cols() const noexcept { return cols_; }
    [[nodiscard]] constexpr std::size_t stride() const noexcept { return stride_; }

    /// Row i < rows() (not checked).
    [[nodiscard]] constexpr std::span<T> row(std::size_t i) const noexcept {
        FUNNEL_ASSERT(i < rows_);
        return {data_ + i * stride_, cols_};
    }

    /// The element in row i < rows() and column j < cols() (not checked).
    [[nodiscard]] constexpr T& operator()(std::size_t i, std::size_t j) const noexcept {
        FUNNEL_ASSERT(i < rows_ && j < cols_);
        return data_[i * stride_ + j];
    }

    /// Rows first .. first + count - 1.
    [[nodiscard]] constexpr MatrixView rows_from(std::size_t first, std::size_t count) const {
        require(first <= rows_ && count <= rows_ - first, "MatrixView: rows_from reaches past the last row");
        MatrixView part = *this;
        part.data_ += count > 0 ? first * stride_ : 0;  // behind the last row there may be no padding
        part.rows_ = count;
        return part;
    }

private:
    struct FromEigen {};

    template <class M>
    constexpr MatrixView(M& matrix, FromEigen)
        : data_(matrix.data()),
          rows_(static_cast<std::size_t>(matrix.rows())),
          cols_(static_cast<std::size_t>(matrix.cols())),
          stride_(static_cast<std::size_t>(matrix.outerStride())) {}

    T* data_ = nullptr;
    std::size_t rows_ = 0;
    std::size_t cols_ = 0;
    std::size_t stride_ = 0;
};

}  // namespace FUNNEL_ABI
}  // namespace funnel
