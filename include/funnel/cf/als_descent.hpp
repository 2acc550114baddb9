// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/cf/als_pairs.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/axpy.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/dot.hpp>
#include <funnel/kernels/gemm.hpp>
#include <funnel/kernels/residual.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace cf {

/// Conjugate gradients for a few rows of factors at a time. Row x has the normal equations A x = b with
///
///     A = gram + sum over i of w_i y_i y_i^T + penalty I,   b = sum over i of t_i y_i
///
/// The rows take their steps together, so that gram is read once per step for all of them; its product with all their
/// directions is a matrix product. The last step needs no new residual, only the curvature in its direction.
/// No number depends on which rows are solved together.
template <kernels::HostBackend Backend = kernels::DefaultBackend>
class ALSDescent {
public:
    static constexpr std::size_t most_rows = 12;  ///< of a call: as many as a tile of a matrix product has

    /// Replaces the rows of x by what `steps` steps make of them.
    ///
    /// Shapes    gram: d x d, symmetric;  x: pairs.size() x d, at most most_rows rows (not checked)
    /// Cost      4 d (steps + 1) (pairs + rows d / 2)
    void solve(const ALSPairs& pairs, MatrixView<const float> y, MatrixView<const float> gram, std::size_t steps,
               MatrixView<float> x) {
        FUNNEL_ASSERT(x.rows() == pairs.size() && x.rows() <= most_rows && x.cols() == gram.cols());
        if (residuals_.cols() != x.cols()) {
            residuals_ = Matrix<float>(most_rows, x.cols());
            directions_ = Matrix<float>(most_rows, x.cols());
            images_ = Matrix<float>(most_rows, x.cols());
        }
        sizes_.assign(x.rows(), 0.0F);
        if (steps == 0 || x.rows() == 0) {
            return;
        }
        fetch(y, pairs.ids(0));
        kernels::gemm_nn<Backend>(x, gram, first(residuals_, x.rows()));
        for (std::size_t row = 0; row < x.rows(); ++row) {
            const std::span<float> residual = residuals_.row(row);
            if (row + 1 < x.rows()) {
                fetch(y, pairs.ids(row + 1));
            }
            complete(pairs, y, row, pairs.targets(row), x.row(row), residual);
            std::copy(residual.begin(), residual.end(), directions_.row(row).begin());
            sizes_[row] = kernels::dot<Backend>(residual, residual);
        }
        for (std::size_t step = 0; step < steps; ++step) {
            kernels::gemm_nn<Backend>(first(directions_, x.rows()), gram, first(images_, x.rows()));
            for (std::size_t row = 0; row < x.rows(); ++row) {
                if (!(sizes_[row] > 0.0F)) {
                    continue;  // no further progress is possible
                }
                if (step + 1 == steps) {
                    take_last_step(pairs, y, row, x.row(row));
                } else {
                    take_step(pairs, y, row, x.row(row));
                }
            }
        }
    }

private:
    [[nodiscard]] static MatrixView<float> first(Matrix<float>& all, std::size_t rows) {
        return all.view().rows_from(0, rows);
    }

    // Asks for rows before they are read for the first time. In the steps, they are in the cache.
    static void fetch(MatrixView<const float> y, std::span<const std::uint32_t> ids) noexcept {
        for (const std::uint32_t id : ids) {
            const float* const row = y.row(id).data();
            for (std::size_t j = 0; j < y.cols(); j += 16) {
                __builtin_prefetch(row + j, 0, 2);
            }
        }
    }

    // From gram x to the residual b - A x, where b is that of these targets.
    static void complete(const ALSPairs& pairs, MatrixView<const float> y, std::size_t row,
                         std::span<const float> targets, std::span<const float> x, std::span<float> out) noexcept {
        for (std::size_t j = 0; j < x.size(); ++j) {
            out[j] = -out[j] - pairs.penalty(row) * x[j];
        }
        kernels::add_residual<Backend>(y, pairs.ids(row), pairs.weights(row), targets, x, out);
    }

    void take_step(const ALSPairs& pairs, MatrixView<const float> y, std::size_t row, std::span<float> x) noexcept {
        const std::span<float> direction = directions_.row(row);
        const std::span<float> residual = residuals_.row(row);
        const std::span<float> negative_image = images_.row(row);
        complete(pairs, y, row, {}, direction, negative_image);
        const float curvature = -kernels::dot<Backend>(direction, negative_image);
        if (!(curvature > 0.0F)) {
            sizes_[row] = 0.0F;
            return;
        }
        const float length = sizes_[row] / curvature;
        kernels::axpy<Backend>(length, direction, x);
        kernels::axpy<Backend>(length, negative_image, residual);
        const float next = kernels::dot<Backend>(residual, residual);
        const float share = next / sizes_[row];
        for (std::size_t j = 0; j < direction.size(); ++j) {
            direction[j] = residual[j] + share * direction[j];
        }
        sizes_[row] = next;
    }

    void take_last_step(const ALSPairs& pairs, MatrixView<const float> y, std::size_t row, std::span<float> x) {
        const std::span<const float> direction = directions_.row(row);
        const float curvature = kernels::dot<Backend>(direction, images_.row(row)) +
                                pairs.penalty(row) * kernels::dot<Backend>(direction, direction) +
                                kernels::weighted_squares<Backend>(y, pairs.ids(row), pairs.weights(row), direction);
        if (curvature > 0.0F) {
            kernels::axpy<Backend>(sizes_[row] / curvature, direction, x);
        }
    }

    Matrix<float> residuals_;
    Matrix<float> directions_;
    Matrix<float> images_;      // gram times the directions; in a step, -A times the direction of a row
    std::vector<float> sizes_;  // of the residuals, squared; 0: the row makes no further progress
};

}  // namespace cf
}  // namespace FUNNEL_ABI
}  // namespace funnel
