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

// A row-major Eigen matrix, Map or Ref, detected by its members, so that Eigen need not be included here.
template <class M>
concept RowMajorEigen = requires(M& m) {
    m.data();
    { m.rows() } -> std::convertible_to<std::ptrdiff_t>;
    { m.cols() } -> std::convertible_to<std::ptrdiff_t>;
    { m.outerStride() } -> std::convertible_to<std::ptrdiff_t>;
    requires static_cast<bool>(std::remove_cvref_t<M>::IsRowMajor);
    requires std::remove_cvref_t<M>::InnerStrideAtCompileTime == 1;
};

// A row-major Eigen matrix that owns its elements: they are destroyed with it.
template <class M>
concept OwningEigen =
    RowMajorEigen<M> && std::same_as<typename std::remove_cvref_t<M>::PlainObject, std::remove_cvref_t<M>>;

// A matrix of any library and storage order. Not every library has rows() and cols(): xtensor has size(). A plain
// callable has none of these members.
template <class M>
concept MatrixLike = requires(const M& matrix) {
    matrix.rows();
    matrix.cols();
} || requires(const M& matrix) { matrix.size(); } || requires(const M& matrix) { matrix.data(); };

// A temporary container of T, whose elements are destroyed with it. This excludes borrowed ranges such as std::span.
template <class C, class T>
concept TemporaryContainer =
    !std::is_lvalue_reference_v<C> && !std::ranges::enable_borrowed_range<std::remove_cv_t<C>> &&
    std::convertible_to<const C&, std::span<const T>>;

}  // namespace detail

/// A non-owning view of a row-major matrix. It consists of a pointer and three sizes: pass it by value.
///
/// Row i starts stride() elements after row i - 1, so there may be gaps between rows, such as the padding of Matrix<T>.
///
/// Errors    InvalidArgument if, without a stride, data does not hold exactly rows x cols elements, or with a stride,
///           data holds too few elements or stride < cols
template <class T>
class MatrixView {
public:
    constexpr MatrixView() noexcept = default;

    constexpr MatrixView(std::span<T> data FUNNEL_LIFETIMEBOUND, std::size_t rows, std::size_t cols)
        : data_(data.data()), rows_(rows), cols_(cols), stride_(cols) {
        require(cols == 0 || rows <= std::numeric_limits<std::size_t>::max() / cols,
                "MatrixView: rows x cols must not overflow");
        require(data.size() == rows * cols, "MatrixView: data must hold rows x cols elements");
    }

    constexpr MatrixView(std::span<T> data FUNNEL_LIFETIMEBOUND, std::size_t rows, std::size_t cols, std::size_t stride)
        : data_(data.data()), rows_(rows), cols_(cols), stride_(stride) {
        require(stride >= cols, "MatrixView: stride must be at least cols");
        require(rows == 0 || (cols <= data.size() && (stride == 0 || rows - 1 <= (data.size() - cols) / stride)),
                "MatrixView: data must hold all rows, stride elements apart");
    }

    /// A read-only view of a temporary container, valid only until the end of the expression. This overload exists
    /// because a conversion to std::span would hide from compilers that the elements are temporary.
    template <class C>
        requires(std::is_const_v<T> && detail::TemporaryContainer<C, T>)
    constexpr MatrixView(C&& data FUNNEL_LIFETIMEBOUND, std::size_t rows, std::size_t cols)
        : MatrixView(std::span<T>(std::as_const(data)), rows, cols) {}
    template <class C>
        requires(std::is_const_v<T> && detail::TemporaryContainer<C, T>)
    constexpr MatrixView(C&& data FUNNEL_LIFETIMEBOUND, std::size_t rows, std::size_t cols, std::size_t stride)
        : MatrixView(std::span<T>(std::as_const(data)), rows, cols, stride) {}

    /// Converts a writable view to a read-only one.
    template <class U>
        requires(std::is_const_v<T> && std::same_as<U, std::remove_const_t<T>>)
    constexpr MatrixView(MatrixView<U> other) noexcept  // NOLINT(google-explicit-constructor): as for std::span
        : data_(other.data()), rows_(other.rows()), cols_(other.cols()), stride_(other.stride()) {}

    // NOLINTBEGIN(google-explicit-constructor): as for std::span
    /// A view of a row-major Eigen matrix, which must outlive the view. A view of a temporary matrix must be read-only.
    template <detail::OwningEigen M>
        requires(std::convertible_to<decltype(std::declval<M&>().data()), T*> &&
                 (std::is_const_v<T> || std::is_lvalue_reference_v<M>))
    constexpr MatrixView(M&& matrix FUNNEL_LIFETIMEBOUND) : MatrixView(matrix, FromEigen{}) {}

    /// A view of a row-major Eigen Map or Ref, whose elements must outlive the view.
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

    /// A view of rows first .. first + count - 1.
    ///
    /// Errors    InvalidArgument if the matrix has fewer than first + count rows
    [[nodiscard]] constexpr MatrixView rows_from(std::size_t first, std::size_t count) const {
        require(first <= rows_ && count <= rows_ - first, "MatrixView: rows_from must not go past the last row");
        MatrixView part = *this;
        part.data_ += count > 0 ? first * stride_ : 0;  // the last row may have no padding
        part.rows_ = count;
        return part;
    }

    /// A view of columns first .. first + count - 1.
    ///
    /// Errors    InvalidArgument if the matrix has fewer than first + count columns
    [[nodiscard]] constexpr MatrixView columns_from(std::size_t first, std::size_t count) const {
        require(first <= cols_ && count <= cols_ - first, "MatrixView: columns_from must not go past the last column");
        MatrixView part = *this;
        part.data_ += rows_ > 0 ? first : 0;
        part.cols_ = count;
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
