// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/io/container.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/gemv.hpp>
#include <funnel/linalg/nearest_rotation.hpp>
#include <funnel/linalg/symmetric_eigen.hpp>
#include <funnel/quantise/product.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace quantise {

struct OPQOptions {
    std::uint64_t seed = 0;       ///< draws the training rows and the first codewords
    std::size_t iterations = 20;  ///< of rotation and codewords in turn
    std::size_t rows = 16384;     ///< trains on at most this many rows, at least 1
};

/// The rotation that makes product quantisation most accurate (optimised product quantisation).
///
///     argmin over rotations R and codewords of sum over rows x of |R x - decode(encode(R x))|^2
///
/// A rotation changes no distance, but it spreads what matters evenly over the parts of a vector, and makes the parts
/// independent. The start is the principal axes, dealt out so that each part has the same product of variances.
/// Then the codewords (one iteration of k-means) and the rotation (orthogonal Procrustes) are improved in turn.
///
/// Cost      train: 2^Bits Dim + 2 Dim^2 per row and iteration;  rotate: Dim^2
/// Source    Ge, He, Ke & Sun, "Optimized product quantization", TPAMI 2014 (4: the start is 4.2, the turns 4.1)
template <std::size_t Dim, std::size_t M, std::size_t Bits = 8, kernels::HostBackend Backend = kernels::DefaultBackend>
class OPQ {
public:
    /// Without a rotation: only something to assign to.
    OPQ() = default;

    /// Learns the rotation; without rows, it is the identity. The result is bit-identical for any number of threads.
    ///
    /// Shapes    rows: n x Dim
    /// Errors    InvalidArgument if the dimension differs, an option is out of range, or a row is not finite or longer
    ///           than 2^62
    template <Executor E = Serial>
    [[nodiscard]] static OPQ train(MatrixView<const float> rows, const OPQOptions& options = {}, E&& executor = E{}) {
        require_equal(rows.cols(), Dim, "OPQ::train: number of columns");
        require_at_least(options.rows, 1, "OPQ::train: rows");
        OPQ opq;
        opq.rotation_ = Matrix<float>(Dim, Dim);
        for (std::size_t i = 0; i < Dim; ++i) {
            opq.rotation_(i, i) = 1.0F;
        }
        if (rows.rows() == 0) {
            return opq;
        }
        // Rows at an even distance, after a random start: no row is twice in the sample.
        const Matrix<float> sample = draw(rows, options);
        opq.start(sample);
        Matrix<float> rotated = opq.rotate(sample, executor);
        auto quantiser = ProductQuantiser<Dim, M, Bits, Backend>::train(
            rotated, {.seed = options.seed, .iterations = 1, .rows_per_codeword = options.rows}, executor);
        for (std::size_t i = 0; i < options.iterations; ++i) {
            report_progress(executor, "OPQ", i, options.iterations);
            const std::vector<std::uint8_t> codes = quantiser.encode(rotated, executor);
            Matrix<float> decoded(rotated.rows(), Dim);
            parallel_for(executor, rotated.rows(), 256, [&](std::size_t row) {
                quantiser.decode(std::span(codes).subspan(row * M, M), decoded.row(row));
            });
            opq.fit(sample, decoded);
            rotated = opq.rotate(sample, executor);
            quantiser.improve(rotated, executor);
        }
        return opq;
    }

    /// A rotation that another library learned.
    ///
    /// Shapes    rotation: Dim x Dim
    /// Errors    InvalidArgument if the shape differs, or deviation(rotation) is above 1e-3
    [[nodiscard]] static OPQ import(MatrixView<const float> rotation) {
        require_equal(rotation.rows(), Dim, "OPQ::import: number of rows");
        require_equal(rotation.cols(), Dim, "OPQ::import: number of columns");
        require_between(deviation(rotation), 0.0, 1e-3, "OPQ::import: deviation of the rotation");
        OPQ opq;
        opq.rotation_ = Matrix<float>(rotation);
        return opq;
    }

    /// How far a matrix is from being orthogonal: the largest difference between the inner product of two of its rows
    /// and 1 (of a row with itself) or 0; the largest double if a number is not finite.
    [[nodiscard]] static double deviation(MatrixView<const float> matrix) noexcept {
        double largest = 0.0;
        for (std::size_t i = 0; i < matrix.rows(); ++i) {
            for (std::size_t j = 0; j <= i; ++j) {
                double dot = i == j ? -1.0 : 0.0;
                for (std::size_t k = 0; k < matrix.cols(); ++k) {
                    dot += static_cast<double>(matrix(i, k)) * static_cast<double>(matrix(j, k));
                }
                largest = std::max(largest, math::is_finite(dot) ? math::abs(dot) : std::numeric_limits<double>::max());
            }
        }
        return largest;
    }

    /// Shapes    row: Dim;  out: Dim, not overlapping (not checked)
    void rotate(std::span<const float> row, std::span<float> out) const noexcept {
        kernels::gemv<Backend>(rotation_, row, out);
    }

    /// Shapes    rows: n x Dim
    template <Executor E = Serial>
    [[nodiscard]] Matrix<float> rotate(MatrixView<const float> rows, E&& executor = E{}) const {
        require_equal(rows.cols(), Dim, "OPQ::rotate: number of columns");
        Matrix<float> rotated(rows.rows(), Dim);
        parallel_for(executor, rows.rows(), 256, [&](std::size_t i) { rotate(rows.row(i), rotated.row(i)); });
        return rotated;
    }

    /// Dim x Dim, orthogonal.
    [[nodiscard]] MatrixView<const float> rotation() const& noexcept FUNNEL_LIFETIMEBOUND { return rotation_; }

    /// Adds the section of the rotation to a file.
    void write(io::ContainerWriter& file) const { file.matrix("rotation", rotation_); }

    [[nodiscard]] static OPQ read(const io::ContainerReader& file) {
        OPQ opq;
        opq.rotation_ = file.matrix<float>("rotation", Dim, Dim);
        file.check(deviation(opq.rotation_) <= 1e-3, "rotation", "must be orthogonal");
        return opq;
    }

private:
    [[nodiscard]] static Matrix<float> draw(MatrixView<const float> rows, const OPQOptions& options) {
        const std::size_t count = std::min(rows.rows(), options.rows);
        const auto first = Random(options.seed, stream("opq.rows")).below(rows.rows());
        Matrix<float> sample(count, Dim);
        for (std::size_t i = 0; i < count; ++i) {
            const std::size_t at = (first + i * (rows.rows() / count)) % rows.rows();
            std::copy(rows.row(at).begin(), rows.row(at).end(), sample.row(i).begin());
        }
        return sample;
    }

    // The principal axes, from the largest variance to the smallest, each to the part with the smallest product of
    // variances that still has room.
    void start(MatrixView<const float> rows) {
        const linalg::EigenPairs axes = linalg::symmetric_eigen(product(rows, rows));
        const double floor = linalg::eigen_tolerance(Dim) * std::max(axes.values.back(), 1e-300);
        std::array<double, M> logs{};
        std::array<std::size_t, M> used{};
        for (std::size_t a = Dim; a-- > 0;) {
            std::size_t best = M;
            for (std::size_t m = 0; m < M; ++m) {
                if (used[m] < Dim / M && (best == M || logs[m] < logs[best])) {
                    best = m;
                }
            }
            // Relative to the smallest variance, so that a part with an axis more has a larger product.
            logs[best] += math::log(std::max(axes.values[a], floor) / floor);
            for (std::size_t j = 0; j < Dim; ++j) {
                rotation_(best * (Dim / M) + used[best], j) = static_cast<float>(axes.vectors(j, a));
            }
            ++used[best];
        }
    }

    // The rotation R that brings R x nearest to the decoded vector of each row x.
    void fit(MatrixView<const float> rows, MatrixView<const float> decoded) {
        const Matrix<double> nearest = linalg::nearest_rotation(product(decoded, rows));
        for (std::size_t i = 0; i < Dim; ++i) {
            std::transform(nearest.row(i).begin(), nearest.row(i).end(), rotation_.row(i).begin(),
                           [](double x) { return static_cast<float>(x); });
        }
    }

    // a^T b, in double.
    [[nodiscard]] static Matrix<double> product(MatrixView<const float> a, MatrixView<const float> b) {
        Matrix<double> sum(Dim, Dim);
        for (std::size_t i = 0; i < a.rows(); ++i) {
            for (std::size_t j = 0; j < Dim; ++j) {
                const auto factor = static_cast<double>(a(i, j));
                for (std::size_t k = 0; k < Dim; ++k) {
                    sum(j, k) += factor * static_cast<double>(b(i, k));
                }
            }
        }
        return sum;
    }

    Matrix<float> rotation_;
};

}  // namespace quantise
}  // namespace FUNNEL_ABI
}  // namespace funnel
