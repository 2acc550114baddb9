// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>

#include <cstddef>
#include <memory>
#include <span>
#include <utility>

namespace funnel {
inline namespace FUNNEL_ABI {

/// A row-major matrix whose elements are its own, or shared and read-only, such as those of a mapped file. Copies share
/// shared elements. The first change makes a copy that the matrix owns.
///
///     CopyOnWriteMatrix<float> rows(view, file);  // file: a std::shared_ptr, which keeps the elements alive
///     rows.resize_rows(rows.rows() + 1);          // copies all elements, and lets go of the file
///
/// Own rows are padded as those of Matrix; shared rows have the stride of their view.
template <class T>
class CopyOnWriteMatrix {
public:
    CopyOnWriteMatrix() noexcept = default;

    CopyOnWriteMatrix(Matrix<T> elements) noexcept  // NOLINT(google-explicit-constructor): it takes them over
        : own_(std::move(elements)), view_(own_.view()) {}

    /// The owner keeps the elements alive and unchanged (not checked). It must not be null.
    CopyOnWriteMatrix(MatrixView<const T> elements, std::shared_ptr<const void> owner)
        : owner_(std::move(owner)), view_(elements) {
        require(owner_ != nullptr, "CopyOnWriteMatrix: owner must not be null");
    }

    CopyOnWriteMatrix(const CopyOnWriteMatrix& other)
        : own_(other.own_), owner_(other.owner_), view_(other.is_shared() ? other.view_ : own_.view()) {}
    CopyOnWriteMatrix(CopyOnWriteMatrix&& other) noexcept { swap(other); }
    CopyOnWriteMatrix& operator=(const CopyOnWriteMatrix& other) {
        return *this = CopyOnWriteMatrix(other);
    }  // strong guarantee
    CopyOnWriteMatrix& operator=(CopyOnWriteMatrix&& other) noexcept {
        CopyOnWriteMatrix taken(std::move(other));
        swap(taken);
        return *this;
    }
    ~CopyOnWriteMatrix() = default;

    [[nodiscard]] std::size_t rows() const noexcept { return view_.rows(); }
    [[nodiscard]] std::size_t cols() const noexcept { return view_.cols(); }
    [[nodiscard]] bool is_shared() const noexcept { return owner_ != nullptr; }
    [[nodiscard]] MatrixView<const T> view() const noexcept FUNNEL_LIFETIMEBOUND { return view_; }

    /// Row i < rows() (not checked).
    [[nodiscard]] std::span<const T> row(std::size_t i) const noexcept FUNNEL_LIFETIMEBOUND { return view_.row(i); }

    /// Row i < rows(), which must be the matrix's own (not checked): after own().
    [[nodiscard]] std::span<T> mutable_row(std::size_t i) noexcept FUNNEL_LIFETIMEBOUND {
        FUNNEL_ASSERT(!is_shared());
        return own_.row(i);
    }

    /// Copies shared elements, so that the matrix owns its elements, and lets go of their owner. On failure nothing has
    /// changed.
    void own() {
        if (is_shared()) {
            *this = CopyOnWriteMatrix(Matrix<T>(view_));
        }
    }

    /// Appends rows of zeros or removes rows at the end, after own().
    void resize_rows(std::size_t rows) {
        own();
        own_.resize_rows(rows);
        view_ = own_.view();
    }

    /// Bytes of the elements that the matrix owns.
    [[nodiscard]] std::size_t memory_bytes() const noexcept { return own_.rows() * own_.stride() * sizeof(T); }

    void swap(CopyOnWriteMatrix& other) noexcept {
        std::swap(own_, other.own_);  // the elements keep their place
        std::swap(owner_, other.owner_);
        std::swap(view_, other.view_);
    }

private:
    Matrix<T> own_;  // empty if the elements are shared
    std::shared_ptr<const void> owner_;
    MatrixView<const T> view_;  // of all elements
};

}  // namespace FUNNEL_ABI
}  // namespace funnel
