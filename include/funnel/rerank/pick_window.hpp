// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/wide_dot.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace rerank::detail {

// An orthonormal basis of the unit vectors of the last picks, in double, and their coordinates in it: a triangle, the
// Cholesky factor of their cosines.
//
// Without the oldest pick, the triangle has one row less and one column too many. Rotations of neighbouring columns
// make it a triangle again. They turn the basis too, and its last vector is the direction that leaves the span. A
// rotation changes no length, so errors do not grow.
template <kernels::HostBackend Backend>
class PickWindow {
public:
    PickWindow(std::size_t capacity, std::size_t d) : basis_(capacity, d), triangle_(capacity, capacity), left_(d) {}

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] std::size_t capacity() const noexcept { return basis_.rows(); }

    // The squared distance of a unit vector, given as row / length, from the span of the picks.
    [[nodiscard]] double residual(std::span<const float> row, double length) const noexcept {
        double rest = 1.0;
        for (std::size_t q = 0; q < size_; ++q) {
            rest -= squared_dot(basis_.row(q), row, length);
        }
        return rest;
    }

    // The same after one change of the window: `before` as it was.
    [[nodiscard]] double residual_after_change(double before, std::span<const float> row,
                                               double length) const noexcept {
        const double entered = squared_dot(basis_.row(size_ - 1), row, length);
        return before - entered + (has_left_ ? squared_dot(left_, row, length) : 0.0);
    }

    // Adds a pick, in place of the oldest one if the window is full. Its residual must be > 0 (not checked), and the
    // capacity too.
    void push(std::span<const float> row, double length) noexcept {
        has_left_ = size_ == capacity();
        if (has_left_) {
            drop_oldest();
        }
        const std::span<double> vector = basis_.row(size_);
        const std::span<double> coordinates = triangle_.row(size_);
        std::transform(row.begin(), row.end(), vector.begin(),
                       [length](float x) { return static_cast<double>(x) / length; });
        std::fill(coordinates.begin(), coordinates.end(), 0.0);
        for (int pass = 0; pass < 2; ++pass) {  // Gram-Schmidt, twice
            for (std::size_t q = 0; q < size_; ++q) {
                const std::span<const double> earlier = basis_.row(q);
                const double dot = kernels::wide_dot<Backend>(earlier, std::span<const double>(vector));
                coordinates[q] += dot;
                for (std::size_t j = 0; j < vector.size(); ++j) {
                    vector[j] -= dot * earlier[j];
                }
            }
        }
        const std::span<const double> rest(vector);
        coordinates[size_] = math::sqrt(kernels::wide_dot<Backend>(rest, rest));
        for (double& x : vector) {
            x /= coordinates[size_];
        }
        ++size_;
    }

private:
    [[nodiscard]] static double squared_dot(std::span<const double> unit, std::span<const float> row,
                                            double length) noexcept {
        const double dot = kernels::wide_dot<Backend>(unit, row) / length;
        return dot * dot;
    }

    void drop_oldest() noexcept {
        --size_;
        for (std::size_t r = 0; r < size_; ++r) {
            std::copy_n(triangle_.row(r + 1).begin(), r + 2, triangle_.row(r).begin());
        }
        for (std::size_t r = 0; r < size_; ++r) {
            const double a = triangle_(r, r);
            const double b = triangle_(r, r + 1);  // the diagonal of this pick before: > 0
            const double length = math::sqrt(a * a + b * b);
            const auto rotate = [cosine = a / length, sine = b / length](double& x, double& y) {
                const double turned = cosine * x + sine * y;
                y = cosine * y - sine * x;
                x = turned;
            };
            for (std::size_t i = r; i < size_; ++i) {
                rotate(triangle_(i, r), triangle_(i, r + 1));
            }
            for (std::size_t j = 0; j < basis_.cols(); ++j) {
                rotate(basis_(r, j), basis_(r + 1, j));
            }
        }
        std::copy_n(basis_.row(size_).begin(), left_.size(), left_.begin());
    }

    Matrix<double> basis_;
    Matrix<double> triangle_;
    std::vector<double> left_;  // the direction that left the span with the oldest pick
    bool has_left_ = false;
    std::size_t size_ = 0;
};

}  // namespace rerank::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel
