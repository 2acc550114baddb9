// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/kernels/dot.hpp>
#include <funnel/kernels/ldl.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace linalg {

/// A symmetric positive definite matrix A and a vector b that grow by one observation at a time, kept as the factors of
/// A: systems with A are solved in O(d^2) at any time, and no inverse is updated.
///
///     A = diagonal I + sum of weight x x^T = R^T R,   b = sum of weight target x,   R = D^(1/2) U
///
/// U is unit upper triangular in T and D is a diagonal in double; g = U^-T b / D stands in one more column of U. A
/// quadratic form of A^-1 is a sum of squares over D, so it is never negative. (Updates of the inverse itself by
/// Sherman and Morrison lose that: in float, with correlated x and a small diagonal, within 10^5 updates.)
///
/// Cost      memory: d (d + 17) T;  each function: O(d^2) unless it says otherwise
/// Source    Fletcher & Powell, "On the modification of LDL^T factorizations", Mathematics of Computation 1974
template <std::floating_point T = float, kernels::HostBackend Backend = kernels::DefaultBackend>
class CholeskyFactor {
public:
    /// A = diagonal I, b = 0.
    ///
    /// Errors    InvalidArgument unless dimension >= 1 and diagonal is finite and > 0
    CholeskyFactor(std::size_t dimension, double diagonal) : dimension_(dimension) {
        require_at_least(dimension, 1, "CholeskyFactor: dimension");
        require_positive(diagonal, "CholeskyFactor: diagonal");
        require(dimension <= limit, "CholeskyFactor: dimension must be at most 2^24");
        upper_ = Matrix<T>(dimension, padded(dimension));
        work_ = Matrix<T>(1, padded(dimension));
        inverse_diagonal_.assign(dimension, 1.0 / diagonal);
    }

    [[nodiscard]] std::size_t dimension() const noexcept { return dimension_; }

    /// A += weight x x^T,   b += weight target x
    ///
    /// Errors    InvalidArgument unless x has the dimension. Numbers must be finite and weight >= 0 (not checked)
    void update(std::span<const T> x, T target = T{0}, double weight = 1.0) {
        require_equal(x.size(), dimension_, "CholeskyFactor::update: size of x");
        const auto factor = static_cast<T>(math::sqrt(weight));
        const std::span<T> row = prepare(x, target);
        if (factor != T{1}) {
            for (T& element : row) {
                element *= factor;
            }
        }
        add(row);
    }

    /// A_ii += weight. Costs O((d - i)^2).
    ///
    /// Errors    InvalidArgument unless i < dimension. weight must be finite and >= 0 (not checked)
    void add_to_diagonal(std::size_t i, double weight) {
        require_below(i, dimension_, "CholeskyFactor::add_to_diagonal: i");
        const std::span<T> row = work_.row(0);
        std::fill(row.begin(), row.end(), T{0});
        row[i] = static_cast<T>(math::sqrt(weight));
        add(row);
    }

    /// A *= factor, b *= factor, in O(d).
    ///
    /// Errors    InvalidArgument unless factor is finite and > 0
    void scale(double factor) {
        require_positive(factor, "CholeskyFactor::scale: factor");
        for (double& element : inverse_diagonal_) {
            element /= factor;
        }
    }

    struct Estimate {
        double mean;            ///< x^T A^-1 b
        double quadratic_form;  ///< x^T A^-1 x >= 0
    };

    /// Needs a row of memory for its work: workspace() numbers.
    ///
    /// Errors    InvalidArgument unless x has the dimension and work has workspace() elements
    [[nodiscard]] Estimate estimate(std::span<const T> x, std::span<T> work) const {
        require_equal(x.size(), dimension_, "CholeskyFactor::estimate: size of x");
        require_equal(work.size(), workspace(), "CholeskyFactor::estimate: size of work");
        std::copy(x.begin(), x.end(), work.begin());
        std::fill(work.begin() + static_cast<std::ptrdiff_t>(dimension_), work.end(), T{0});
        const double form = kernels::ldl_solve<Backend>(upper_.view(), inverse_diagonal(), work);
        return {-static_cast<double>(work[dimension_]), form};
    }
    [[nodiscard]] Estimate estimate(std::span<const T> x) const {
        std::vector<T> work(workspace());
        return estimate(x, std::span<T>(work));
    }
    [[nodiscard]] std::size_t workspace() const noexcept { return upper_.cols(); }

    /// A^-1 b
    [[nodiscard]] std::vector<T> solution() const {
        std::vector<T> x(dimension_);
        for (std::size_t k = 0; k < dimension_; ++k) {
            x[k] = upper_(k, dimension_);
        }
        solve_upper(x);
        return x;
    }

    /// A^-1 b + scale R^-1 z. If z is standard normal, this is a draw with mean A^-1 b and covariance scale^2 A^-1.
    ///
    /// Errors    InvalidArgument unless z has the dimension
    [[nodiscard]] std::vector<T> shifted_solution(std::span<const double> z, double scale) const {
        require_equal(z.size(), dimension_, "CholeskyFactor::shifted_solution: size of z");
        std::vector<T> x(dimension_);
        for (std::size_t k = 0; k < dimension_; ++k) {
            const double shift = scale * z[k] * math::sqrt(inverse_diagonal_[k]);
            x[k] = static_cast<T>(static_cast<double>(upper_(k, dimension_)) + shift);
        }
        solve_upper(x);
        return x;
    }

    /// R^-T x; its products are those of A^-1: (R^-T x)^T (R^-T y) = x^T A^-1 y.
    ///
    /// Errors    InvalidArgument unless x has the dimension
    [[nodiscard]] std::vector<T> whitened(std::span<const T> x) const {
        std::vector<T> work(workspace());
        static_cast<void>(estimate(x, std::span<T>(work)));
        work.resize(dimension_);
        for (std::size_t k = 0; k < dimension_; ++k) {
            work[k] = static_cast<T>(static_cast<double>(work[k]) * math::sqrt(inverse_diagonal_[k]));
        }
        return work;
    }

    /// R_ij, for i and j below the dimension (not checked).
    [[nodiscard]] double factor(std::size_t i, std::size_t j) const noexcept {
        FUNNEL_ASSERT(i < dimension_ && j < dimension_);
        const double root = 1.0 / math::sqrt(inverse_diagonal_[i]);
        return i == j ? root : root * static_cast<double>(upper_(i, j));
    }

    /// The factors as they are stored: row i of U from the diagonal on, without the one on it; its last element is g_i.
    [[nodiscard]] std::span<const T> upper_row(std::size_t i) const noexcept FUNNEL_LIFETIMEBOUND {
        return upper_.row(i).subspan(i + 1, dimension_ - i);
    }
    [[nodiscard]] std::span<T> upper_row(std::size_t i) noexcept FUNNEL_LIFETIMEBOUND {
        return upper_.row(i).subspan(i + 1, dimension_ - i);
    }
    /// 1 / D; a caller may only store finite numbers > 0 (not checked).
    [[nodiscard]] std::span<const double> inverse_diagonal() const noexcept FUNNEL_LIFETIMEBOUND {
        return {inverse_diagonal_.data(), dimension_};
    }
    [[nodiscard]] std::span<double> inverse_diagonal() noexcept FUNNEL_LIFETIMEBOUND {
        return {inverse_diagonal_.data(), dimension_};
    }

private:
    static constexpr std::size_t limit = std::size_t{1} << 24;

    // U and g, then zeros up to whole cache lines: kernels work in full batches.
    static std::size_t padded(std::size_t dimension) noexcept {
        constexpr std::size_t step = row_alignment / sizeof(T);
        return (dimension + 1 + step - 1) / step * step;
    }

    [[nodiscard]] std::span<T> prepare(std::span<const T> x, T target) {
        const std::span<T> row = work_.row(0);
        std::copy(x.begin(), x.end(), row.begin());
        row[dimension_] = target;
        std::fill(row.begin() + static_cast<std::ptrdiff_t>(dimension_) + 1, row.end(), T{0});
        return row;
    }

    void add(std::span<T> row) noexcept { kernels::ldl_update<Backend>(upper_.view(), inverse_diagonal(), row); }

    // U x = x in place, from the last element up.
    void solve_upper(std::vector<T>& x) const {
        for (std::size_t k = dimension_; k-- > 0;) {
            const std::span<const T> row = std::as_const(upper_).row(k).subspan(k + 1, dimension_ - k - 1);
            const std::span<const T> below = std::span<const T>(x).subspan(k + 1);
            if constexpr (std::same_as<T, float>) {
                x[k] -= kernels::dot<Backend>(row, below);
            } else {
                x[k] -= std::inner_product(row.begin(), row.end(), below.begin(), T{0});
            }
        }
    }

    std::size_t dimension_;
    Matrix<T> upper_;
    Matrix<T> work_;
    std::vector<double> inverse_diagonal_;
};

}  // namespace linalg
}  // namespace FUNNEL_ABI
}  // namespace funnel
