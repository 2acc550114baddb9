// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/eigen.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix_view.hpp>

#include <Eigen/Cholesky>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace cf {

/// How a row of factors is solved while the other side is fixed.
enum class ALSSolver : std::uint8_t {
    Cholesky,           ///< exact
    ConjugateGradient,  ///< a few steps from the previous row: much cheaper for 64 or more factors
};

struct ImplicitALSOptions {
    std::size_t factors = 64;                ///< > 0, length of the vectors; at most max(1024, users + items)
    float lambda = 0.01F;                    ///< > 0, L2 penalty
    float alpha0 = 0.1F;                     ///< > 0, weight of an unobserved pair; an observed pair weighs 1 more
    float nu = 1.0F;                         ///< exponent: 0 penalizes all rows equally, 1 in proportion to weight
    std::size_t iterations = 16;             ///< number of sweeps over both sides
    std::uint64_t seed = 1;                  ///< seed of the initial factors
    float stddev = 0.1F;                     ///< > 0, initial factors have standard deviation stddev / sqrt(factors)
    ALSSolver solver = ALSSolver::Cholesky;  ///< Cholesky or ConjugateGradient
    std::size_t cg_steps = 3;                ///< ConjugateGradient steps per row and sweep
};

/// Solves rows of one side of a factor model for implicit feedback, given the other side y (n x d).
///
///     row(S) = argmin over x of  sum over i in S of (1 - x . y_i)^2 + alpha0 sum over all i of (x . y_i)^2
///                                + lambda (|S| + alpha0 n)^nu |x|^2
///
/// The rows y_i, i in S, are copied once into a contiguous panel that stays in cache. Use one solver per thread.
/// This is a template so that only code that fits a model compiles Eigen's solvers.
///
/// Source    Rendle, Krichene, Zhang, Koren, "Revisiting the performance of iALS on item recommendation benchmarks",
///           RecSys 2022;  Takacs, Pilaszy, Tikk, "Applications of the conjugate gradient method for implicit feedback
///           collaborative filtering", RecSys 2011
template <std::floating_point Real>
class ALSRowSolver {
public:
    using Matrix = Eigen::Matrix<Real, Eigen::Dynamic, Eigen::Dynamic>;
    using Vector = Eigen::Matrix<Real, Eigen::Dynamic, 1>;

    /// gram is alpha0 y^T y, both triangles. gram and y must outlive the solver.
    ///
    /// Errors    InvalidArgument unless gram is d x d
    ALSRowSolver(MatrixView<const Real> y FUNNEL_LIFETIMEBOUND, const Matrix& gram FUNNEL_LIFETIMEBOUND,
                 const ImplicitALSOptions& options)
        : y_(y), gram_(gram), options_(options) {
        require(gram.rows() == eigen_index(y.cols()) && gram.cols() == gram.rows(),
                "ALSRowSolver: gram must be d x d, where d is the number of columns of y");
    }
    ALSRowSolver(MatrixView<const Real>, Matrix&&, const ImplicitALSOptions&) = delete;

    /// Replaces row by the exact solution, or by the result of cg_steps steps from its old value. Zeros if S is empty.
    ///
    /// Shapes    observed: S, rows of y;  row: d (neither is checked)
    void solve(std::span<const std::uint32_t> observed, std::span<Real> row) {
        FUNNEL_ASSERT(row.size() == y_.cols());
        if (observed.empty()) {
            std::fill(row.begin(), row.end(), Real{0});
            return;
        }
        std::copy(row.begin(), row.end(), solution_.begin());
        Row x(solution_.data(), solution_.size());
        if (options_.solver == ALSSolver::Cholesky) {
            solve_exactly(observed, x);
        } else {
            descend(observed, x);
        }
        std::copy(x.begin(), x.end(), row.begin());
    }

    /// A vector that explains the score x . target of the exact row x: each i in S adds y_i . A^-1 target to it.
    ///
    ///     A x = sum over i in S of y_i,   x . target = sum over i in S of y_i . A^-1 target
    ///
    /// Shapes    observed: S, rows of y;  target: d (neither is checked)
    /// Returns   A^-1 target
    /// Source    Hu, Koren, Volinsky, "Collaborative filtering for implicit feedback datasets", ICDM 2008, section 5
    [[nodiscard]] std::vector<Real> weigh(std::span<const std::uint32_t> observed, std::span<const Real> target) {
        FUNNEL_ASSERT(target.size() == y_.cols());
        Row x(solution_.data(), solution_.size());
        set_up(observed, x);
        x = as_eigen(target);
        solve_set_up(x);
        return {x.begin(), x.end()};
    }

private:
    using Row = Eigen::Map<Vector>;

    static constexpr std::size_t panel_rows = 64;

    [[nodiscard]] Real penalty(std::size_t observed) const {
        const double weight =
            static_cast<double>(observed) + static_cast<double>(options_.alpha0) * static_cast<double>(y_.rows());
        const auto result = static_cast<Real>(static_cast<double>(options_.lambda) *
                                              math::pow(weight, static_cast<double>(options_.nu)));
        require(math::is_finite(result), "ImplicitALS: lambda (|S| + alpha0 n)^nu must be finite: nu is too large");
        return result;
    }

    // Each column of the panel is a row of y.
    auto gathered(std::span<const std::uint32_t> rows) {
        const Eigen::Index columns = eigen_index(rows.size());
        if (panel_.cols() < columns || panel_.rows() != eigen_index(y_.cols())) {
            panel_.resize(eigen_index(y_.cols()), columns);
        }
        for (std::size_t i = 0; i < rows.size(); ++i) {
            FUNNEL_ASSERT(rows[i] < y_.rows());
            const std::span<const Real> row = y_.row(rows[i]);
            std::copy(row.begin(), row.end(), panel_.data() + i * row.size());
        }
        return panel_.leftCols(columns);
    }

    void solve_exactly(std::span<const std::uint32_t> observed, Row& x) {
        set_up(observed, x);
        solve_set_up(x);
    }

    // Sets system_ to A, and sum to the sum of the observed rows.
    void set_up(std::span<const std::uint32_t> observed, Row& sum) {
        system_.template triangularView<Eigen::Lower>() = gram_;
        sum.setZero();
        for (std::size_t begin = 0; begin < observed.size(); begin += panel_rows) {
            const auto panel = gathered(observed.subspan(begin, std::min(panel_rows, observed.size() - begin)));
            sum += panel.rowwise().sum();
            system_.template selfadjointView<Eigen::Lower>().rankUpdate(panel);
        }
        system_.diagonal().array() += penalty(observed.size());
    }

    void solve_set_up(Row& x) {
        const Eigen::LLT<Eigen::Ref<Matrix>> factored(system_);
        if (factored.info() == Eigen::Success) {
            factored.solveInPlace(x);
        }
        require(factored.info() == Eigen::Success && math::all_finite({x.data(), static_cast<std::size_t>(x.size())}),
                "ImplicitALS: a row has no finite solution: lambda is too small or stddev is too large");
    }

    void descend(std::span<const std::uint32_t> observed, Row& x) {
        const auto panel = gathered(observed);
        const Real l = penalty(observed.size());
        predictions_.noalias() = panel.transpose() * x;
        predictions_.array() = Real{1} - predictions_.array();
        residual_.noalias() = panel * predictions_;
        residual_.noalias() -= gram_ * x;
        residual_ -= l * x;
        direction_ = residual_;
        Real size = residual_.squaredNorm();
        for (std::size_t step = 0; step < options_.cg_steps; ++step) {
            image_.noalias() = gram_ * direction_;
            image_ += l * direction_;
            predictions_.noalias() = panel.transpose() * direction_;
            image_.noalias() += panel * predictions_;
            const Real curvature = direction_.dot(image_);
            if (!(curvature > Real{0}) || !(size > Real{0})) {
                return;  // no further progress is possible
            }
            const Real length = size / curvature;
            x += length * direction_;
            residual_ -= length * image_;
            const Real next = residual_.squaredNorm();
            direction_ = residual_ + (next / size) * direction_;
            size = next;
        }
    }

    MatrixView<const Real> y_;
    const Matrix& gram_;
    ImplicitALSOptions options_;
    Matrix panel_;
    Matrix system_ = Matrix::Zero(gram_.rows(), gram_.cols());
    // Rows are solved in this buffer: Eigen's sums depend on memory alignment, and the caller's alignment is unknown.
    Vector solution_ = Vector::Zero(gram_.rows());
    Vector predictions_;
    Vector residual_;
    Vector direction_;
    Vector image_;
};

/// alpha0 y^T y. It is summed over chunks that do not depend on the executor.
///
/// Cost      n d^2 time, at most 64 matrices of d x d
template <Executor E = Serial>
[[nodiscard]] Eigen::MatrixXf als_gram(MatrixView<const float> y, float alpha0, E&& executor = E{}) {
    const Eigen::Index d = eigen_index(y.cols());
    const std::size_t grain = std::max<std::size_t>(256, (y.rows() + 63) / 64);
    std::vector<Eigen::MatrixXf> parts((y.rows() + grain - 1) / grain);
    executor.for_range(y.rows(), grain, [&](std::size_t begin, std::size_t end, std::size_t) {
        Eigen::MatrixXf& part = parts[begin / grain];
        part = Eigen::MatrixXf::Zero(d, d);
        part.selfadjointView<Eigen::Lower>().rankUpdate(as_eigen(y.rows_from(begin, end - begin)).transpose(), alpha0);
    });
    Eigen::MatrixXf gram = Eigen::MatrixXf::Zero(d, d);
    for (const Eigen::MatrixXf& part : parts) {
        gram += part;
    }
    // The other triangle, too: Eigen multiplies a whole matrix by a vector faster than one triangle.
    gram.triangularView<Eigen::StrictlyUpper>() = gram.transpose();
    return gram;
}

/// Half a sweep: solves every row of x. observed(row) returns the ids of the rows of y that were observed with it.
///
/// Rows are independent, so the result is the same for any number of threads.
///
/// Errors    InvalidArgument unless x and y have the same number of columns, or if a row has no solution
/// Cost      Cholesky: d^2 (nonzeros + n + d rows / 3);  ConjugateGradient: 4 d (steps + 1) (nonzeros + rows d / 2)
template <class Observed, Executor E = Serial>
    requires std::is_invocable_r_v<std::span<const std::uint32_t>, const Observed&, std::size_t>
void als_half_sweep(const Observed& observed, MatrixView<const float> y, MatrixView<float> x,
                    const ImplicitALSOptions& options, E&& executor = E{}) {
    require(x.cols() == y.cols(), "als_half_sweep: x and y must have the same number of columns");
    const Eigen::MatrixXf gram = als_gram(y, options.alpha0, executor);
    std::vector<ALSRowSolver<float>> solvers(executor.concurrency(), ALSRowSolver<float>(y, gram, options));
    executor.for_range(x.rows(), 16, [&](std::size_t begin, std::size_t end, std::size_t worker) {
        FUNNEL_ASSERT(worker < solvers.size());
        for (std::size_t row = begin; row < end; ++row) {
            solvers[worker].solve(observed(row), x.row(row));
        }
    });
}

}  // namespace cf
}  // namespace FUNNEL_ABI
}  // namespace funnel
