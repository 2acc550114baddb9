// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/matrix_view.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <new>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#if defined(__linux__) && __has_include(<sys/mman.h>)
#include <sys/mman.h>
#endif

namespace funnel {
inline namespace FUNNEL_ABI {

/// The alignment in bytes of the rows of a Matrix: one cache line, or one AVX-512 register.
inline constexpr std::size_t row_alignment = 64;

namespace detail {

template <class T>
struct RowAllocator {
    using value_type = T;

    RowAllocator() noexcept = default;
    template <class U>
    RowAllocator(const RowAllocator<U>&) noexcept {}  // NOLINT(google-explicit-constructor): the standard requires it

    // Large blocks lie on huge pages where the system grants them. Random reads of rows then miss the cache of page
    // addresses less often.
    [[nodiscard]] T* allocate(std::size_t n) {
        void* block = ::operator new(n * sizeof(T), alignment_of(n));
#if defined(MADV_HUGEPAGE)
        if (n * sizeof(T) >= huge_page) {
            (void)madvise(block, n * sizeof(T), MADV_HUGEPAGE);  // a hint: it may fail
        }
#endif
        return static_cast<T*>(block);
    }
    void deallocate(T* p, std::size_t n) noexcept { ::operator delete(p, alignment_of(n)); }

    template <class U>
    friend bool operator==(const RowAllocator&, const RowAllocator<U>&) noexcept {
        return true;
    }

private:
    static constexpr std::size_t huge_page = std::size_t{1} << 21;

    [[nodiscard]] static constexpr std::align_val_t alignment_of(std::size_t n) noexcept {
        return std::align_val_t{n * sizeof(T) >= huge_page ? huge_page : row_alignment};
    }
};

}  // namespace detail

/// A row-major matrix that owns its elements. All elements start as zero. Each row is padded with zeros to whole cache
/// lines, so that a kernel can read full SIMD vectors up to the end of a row: see padded_row.
///
/// A moved-from matrix has no rows and no columns. A temporary matrix is read-only, and a view of it is valid only
/// until the end of the expression (clang warns).
///
/// Cost      rows * stride() elements, where stride() is cols rounded up to a multiple of 64 bytes
/// Errors    InvalidArgument if that number overflows
template <class T>
    requires(std::is_trivially_copyable_v<T> && row_alignment % sizeof(T) == 0)
class Matrix {
public:
    Matrix() noexcept = default;

    Matrix(std::size_t rows, std::size_t cols) : rows_(rows), cols_(cols), stride_(padded(cols)) {
        require(stride_ == 0 || rows <= std::numeric_limits<std::ptrdiff_t>::max() / sizeof(T) / stride_,
                "Matrix: rows x cols must fit into the address space");
        elements_.resize(rows * stride_);
    }

    /// Copies the elements of a view.
    explicit Matrix(MatrixView<const T> other) : Matrix(other.rows(), other.cols()) {
        for (std::size_t i = 0; cols_ > 0 && i < rows_; ++i) {  // without columns, rows_ may be huge
            const std::span<const T> source = other.row(i);
            std::copy(source.begin(), source.end(), row(i).begin());
        }
    }

    Matrix(const Matrix&) = default;
    Matrix(Matrix&& other) noexcept
        : rows_(std::exchange(other.rows_, 0)),
          cols_(std::exchange(other.cols_, 0)),
          stride_(std::exchange(other.stride_, 0)),
          elements_(std::move(other.elements_)) {}
    Matrix& operator=(const Matrix& other) { return *this = Matrix(other); }  // strong guarantee
    Matrix& operator=(Matrix&& other) noexcept {
        Matrix taken(std::move(other));
        std::swap(rows_, taken.rows_);
        std::swap(cols_, taken.cols_);
        std::swap(stride_, taken.stride_);
        elements_.swap(taken.elements_);
        return *this;
    }
    ~Matrix() = default;

    [[nodiscard]] std::size_t rows() const noexcept { return rows_; }
    [[nodiscard]] std::size_t cols() const noexcept { return cols_; }
    [[nodiscard]] std::size_t stride() const noexcept { return stride_; }

    /// Row i < rows() (not checked).
    [[nodiscard]] std::span<T> row(std::size_t i) & noexcept FUNNEL_LIFETIMEBOUND {
        FUNNEL_ASSERT(i < rows_);
        return {elements_.data() + i * stride_, cols_};
    }
    [[nodiscard]] std::span<const T> row(std::size_t i) const& noexcept FUNNEL_LIFETIMEBOUND {
        FUNNEL_ASSERT(i < rows_);
        return {elements_.data() + i * stride_, cols_};
    }

    /// The element in row i < rows() and column j < cols() (not checked).
    [[nodiscard]] T& operator()(std::size_t i, std::size_t j) & noexcept FUNNEL_LIFETIMEBOUND {
        FUNNEL_ASSERT(i < rows_ && j < cols_);
        return elements_[i * stride_ + j];
    }
    [[nodiscard]] const T& operator()(std::size_t i, std::size_t j) const& noexcept FUNNEL_LIFETIMEBOUND {
        FUNNEL_ASSERT(i < rows_ && j < cols_);
        return elements_[i * stride_ + j];
    }

    /// Row i < rows() (not checked) with its padding: stride() elements, of which those from cols() on are zero.
    [[nodiscard]] std::span<const T> padded_row(std::size_t i) const noexcept FUNNEL_LIFETIMEBOUND {
        FUNNEL_ASSERT(i < rows_);
        return {elements_.data() + i * stride_, stride_};
    }

    // NOLINTBEGIN(bugprone-exception-escape,google-explicit-constructor): the shape of a Matrix is always valid
    [[nodiscard]] MatrixView<T> view() & noexcept FUNNEL_LIFETIMEBOUND { return {elements_, rows_, cols_, stride_}; }
    [[nodiscard]] MatrixView<const T> view() const& noexcept FUNNEL_LIFETIMEBOUND {
        return {elements_, rows_, cols_, stride_};
    }
    operator MatrixView<T>() & noexcept FUNNEL_LIFETIMEBOUND { return view(); }
    operator MatrixView<const T>() const& noexcept FUNNEL_LIFETIMEBOUND { return view(); }
    // NOLINTEND(bugprone-exception-escape,google-explicit-constructor)

    /// Appends rows of zeros or removes rows at the end.
    void resize_rows(std::size_t rows) {
        require(stride_ == 0 || rows <= std::numeric_limits<std::ptrdiff_t>::max() / sizeof(T) / stride_,
                "Matrix: rows x cols must fit into the address space");
        elements_.resize(rows * stride_);
        rows_ = rows;
    }

private:
    static std::size_t padded(std::size_t cols) {
        constexpr std::size_t step = row_alignment / sizeof(T);
        require(cols <= std::numeric_limits<std::size_t>::max() - step, "Matrix: cols is too large");
        return (cols + step - 1) / step * step;
    }

    std::size_t rows_ = 0;
    std::size_t cols_ = 0;
    std::size_t stride_ = 0;
    std::vector<T, detail::RowAllocator<T>> elements_;
};

}  // namespace FUNNEL_ABI
}  // namespace funnel
