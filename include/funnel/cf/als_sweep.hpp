// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/cf/als_descent.hpp>
#include <funnel/cf/als_options.hpp>
#include <funnel/cf/als_pairs.hpp>
#include <funnel/cf/normal_equations.hpp>
#include <funnel/core/eigen.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/prefetch.hpp>
#include <funnel/core/sparse.hpp>
#include <funnel/kernels/axpy.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/gemm.hpp>
#include <funnel/kernels/gemv.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace cf {

/// Solves rows of one side of a factor model for implicit feedback, given the other side y (n x d).
///
///     row = argmin over x of  sum over observed i of c_i (p_i - x . y_i)^2 + a sum over the other i of (x . y_i)^2
///                             + penalty |x|^2
///
/// Rendle has the second sum over all i, a = alpha0 and the penalty lambda (sum of c_i + alpha0 n)^nu; the other
/// objectives have a = 1 and the penalty lambda. See ALSObjective for c and p.
///
/// The rows y_i of observed i are copied once into a contiguous panel that stays in cache. Use one solver per thread.
/// This is a template so that only code that fits a model compiles Eigen's solvers.
///
/// Source    Rendle, Krichene, Zhang, Koren, "Revisiting the performance of iALS on item recommendation benchmarks",
///           RecSys 2022;  Takacs, Pilaszy, Tikk, "Applications of the conjugate gradient method for implicit feedback
///           collaborative filtering", RecSys 2011;  Rendle, Krichene, Zhang, Koren, "iALS++: speeding up matrix
///           factorization with subspace optimization", 2021
template <kernels::HostBackend Backend = kernels::DefaultBackend>
class ALSRowSolver {
public:
    /// gram is als_weight_of_all(options) y^T y, both triangles. gram and y must outlive the solver.
    ///
    /// Errors    InvalidArgument unless gram is d x d
    ALSRowSolver(MatrixView<const float> y FUNNEL_LIFETIMEBOUND, const Eigen::MatrixXf& gram FUNNEL_LIFETIMEBOUND,
                 const ImplicitALSOptions& options)
        : y_(y), gram_(gram), options_(options) {
        require(gram.rows() == eigen_index(y.cols()) && gram.cols() == gram.rows(),
                "ALSRowSolver: gram must be d x d, where d is the number of columns of y");
    }
    ALSRowSolver(MatrixView<const float>, Eigen::MatrixXf&&, const ImplicitALSOptions&) = delete;

    /// Replaces row by the exact solution, or by what the solver makes of its old value. Zeros if there is nothing to
    /// learn from.
    ///
    /// Shapes    observed: rows of y and values;  row: d (neither is checked)
    void solve(const SparseRow<float>& observed, std::span<float> row) {
        FUNNEL_ASSERT(row.size() == y_.cols());
        pairs_.clear();
        pairs_.add(observed, y_.rows(), options_);
        solve_pairs(MatrixView<float>(row, 1, row.size()));
    }

    /// As solve() for rows begin to end - 1 of x and observed: the same bits, in less time with ConjugateGradient.
    ///
    /// Shapes    observed: x.rows() x y.rows();  x: columns as y (neither is checked)
    void solve_rows(const CSRMatrix<float>& observed, std::size_t begin, std::size_t end, MatrixView<float> x) {
        const std::size_t together =
            options_.solver == ALSSolver::ConjugateGradient ? ALSDescent<Backend>::most_rows : 1;
        while (begin < end) {
            std::size_t pairs = observed.row(begin).size();
            std::size_t last = begin + 1;
            for (; last < std::min(end, begin + together); ++last) {
                const std::size_t more = observed.row(last).size();
                if ((pairs + more) * y_.cols() > most_elements) {
                    break;
                }
                pairs += more;
            }
            pairs_.clear();
            for (std::size_t row = begin; row < last; ++row) {
                pairs_.add(observed.row(row), y_.rows(), options_);
            }
            solve_pairs(x.rows_from(begin, last - begin));
            begin = last;
        }
    }

    /// A vector that explains the score x . target of the exact row x: each observed i adds its own part to it.
    ///
    ///     A x = sum over i of t_i y_i,   x . target = sum over i of t_i y_i . A^-1 target,   t_i = als_pair().target
    ///
    /// Shapes    observed: rows of y and values;  target: d (neither is checked)
    /// Returns   A^-1 target
    /// Source    Hu, Koren, Volinsky, "Collaborative filtering for implicit feedback datasets", ICDM 2008, section 5
    [[nodiscard]] std::vector<float> weigh(const SparseRow<float>& observed, std::span<const float> target) {
        FUNNEL_ASSERT(target.size() == y_.cols());
        std::vector<float> x(target.begin(), target.end());
        pairs_.clear();
        pairs_.add(observed, y_.rows(), options_);
        gather();
        set_up(0, x.size());
        solve_set_up(x);
        return x;
    }

private:
    // Numbers of the rows of y that rows solved together read in each step: 512 KiB stay in the cache.
    static constexpr std::size_t most_elements = std::size_t{1} << 17;

    [[nodiscard]] static MatrixView<const float> column(std::span<const float> x) { return {x, x.size(), 1}; }
    [[nodiscard]] MatrixView<const float> gram() const {
        return {std::span(gram_.data(), static_cast<std::size_t>(gram_.size())), y_.cols(), y_.cols()};
    }

    // Solves the rows of pairs_: one, or several by conjugate gradients.
    void solve_pairs(MatrixView<float> x) {
        for (std::size_t i = 0; i < x.rows(); ++i) {
            if (pairs_.weights(i).empty()) {
                std::fill(x.row(i).begin(), x.row(i).end(), 0.0F);
            }
        }
        if (options_.solver == ALSSolver::ConjugateGradient) {
            descent_.solve(pairs_, y_, gram(), options_.cg_steps, x);
        } else if (!pairs_.weights(0).empty()) {
            gather();
            if (options_.solver == ALSSolver::Cholesky) {
                std::fill(x.row(0).begin(), x.row(0).end(), 0.0F);
                kernels::gemm_tn<Backend>(column(pairs_.targets(0)), panel(), x);
                set_up(0, x.cols());
                solve_set_up(x.row(0));
            } else {
                solve_blocks(x.row(0));
            }
        }
    }

    // Copies the rows of y in pairs_ to where they lie side by side.
    void gather() {
        const std::span<const std::uint32_t> ids = pairs_.ids(0);
        if (panel_.rows() < ids.size() || panel_.cols() != y_.cols()) {  // 0 x d if there are no pairs
            panel_ = Matrix<float>(ids.size(), y_.cols());
        }
        constexpr std::size_t ahead = 6;
        for (std::size_t i = 0; i < ids.size(); ++i) {
            if (i + ahead < ids.size()) {
                prefetch_elements(y_.row(ids[i + ahead]).data(), y_.cols());
            }
            const std::span<const float> row = y_.row(ids[i]);
            std::copy(row.begin(), row.end(), panel_.row(i).begin());
        }
    }
    [[nodiscard]] MatrixView<const float> panel() const { return panel_.view().rows_from(0, pairs_.ids(0).size()); }

    // Sets the lower triangle of system_ to the matrix of some factors.
    void set_up(std::size_t first, std::size_t count) {
        const Eigen::Index size = eigen_index(count);
        system_.resize(size, size);
        system_ = gram_.block(eigen_index(first), eigen_index(first), size, size);
        const MatrixView<const float> right = panel();
        MatrixView<const float> left = right;
        if (std::ranges::any_of(pairs_.weights(0), [](float weight) { return weight != 1.0F; })) {
            if (scaled_.rows() < right.rows() || scaled_.cols() != right.cols()) {
                scaled_ = Matrix<float>(right.rows(), right.cols());
            }
            for (std::size_t i = 0; i < right.rows(); ++i) {
                for (std::size_t j = first; j < first + count; ++j) {
                    scaled_(i, j) = pairs_.weights(0)[i] * right(i, j);
                }
            }
            left = scaled_.view().rows_from(0, right.rows());
        }
        detail::add_symmetric_product<Backend>(left.columns_from(first, count), right.columns_from(first, count),
                                               system_);
        system_.diagonal().array() += pairs_.penalty(0);
    }

    void solve_set_up(std::span<float> x) {
        require(detail::solve_symmetric(system_, x, solution_),
                "ImplicitALS: a row has no finite solution: lambda is too small or stddev is too large");
    }

    // For each block of factors, the change that is best while the others stay.
    void solve_blocks(std::span<float> x) {
        const MatrixView<const float> observed = panel();
        const std::span<const float> weights = pairs_.weights(0);
        const std::span<const float> targets = pairs_.targets(0);
        block_scores_.resize(weights.size());
        misses_.resize(weights.size());
        kernels::gemv<Backend>(observed, x, block_scores_);
        const std::size_t block = std::min(options_.block, x.size());
        for (std::size_t first = 0; first < x.size(); first += block) {
            const std::size_t count = std::min(block, x.size() - first);
            for (std::size_t i = 0; i < weights.size(); ++i) {
                misses_[i] = targets[i] - weights[i] * block_scores_[i];
            }
            change_.resize(count);
            kernels::gemv<Backend>(gram().rows_from(first, count), x, change_);
            for (std::size_t j = 0; j < count; ++j) {
                change_[j] = -change_[j] - pairs_.penalty(0) * x[first + j];
            }
            const MatrixView<const float> part = observed.columns_from(first, count);
            kernels::gemm_tn<Backend>(column(misses_), part, MatrixView<float>(std::span(change_), 1, count));
            set_up(first, count);
            solve_set_up(change_);
            kernels::axpy<Backend>(1.0F, change_, x.subspan(first, count));
            kernels::gemv<Backend>(part, change_, misses_);
            kernels::axpy<Backend>(1.0F, misses_, block_scores_);
        }
    }

    MatrixView<const float> y_;
    const Eigen::MatrixXf& gram_;
    ImplicitALSOptions options_;
    ALSPairs pairs_;
    Matrix<float> panel_;   // the rows of y in pairs_, perhaps followed by others
    Matrix<float> scaled_;  // the columns of the panel times their weights, if these are not all 1
    ALSDescent<Backend> descent_;
    // Eigen's sums depend on memory alignment, so it computes only with memory of its own.
    Eigen::MatrixXf system_;
    Eigen::VectorXf solution_;
    std::vector<float> block_scores_;
    std::vector<float> misses_;
    std::vector<float> change_;
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

/// Half a sweep: solves every row of x. observed has for each of them the rows of y that were observed with it.
///
/// Rows are independent, so the result is the same for any number of threads.
///
/// Errors    InvalidArgument unless x and y have the same number of columns, and observed has a row for each row of x
///           and a column for each row of y, or if a row has no solution
/// Cost      Cholesky: d^2 (nonzeros + n + d rows / 3);  ConjugateGradient: 4 d (steps + 1) (nonzeros + rows d / 2);
///           Blocks: d (block + 4) nonzeros + rows d (d + block^2 / 3)
template <kernels::HostBackend Backend = kernels::DefaultBackend, Executor E = Serial>
void als_half_sweep(const CSRMatrix<float>& observed, MatrixView<const float> y, MatrixView<float> x,
                    const ImplicitALSOptions& options, E&& executor = E{}) {
    require(x.cols() == y.cols(), "als_half_sweep: x and y must have the same number of columns");
    require(observed.rows() == x.rows() && observed.cols() == y.rows(),
            "als_half_sweep: observed must have a row for each row of x and a column for each row of y");
    const Eigen::MatrixXf gram = als_gram(y, als_weight_of_all(options), executor);
    std::vector<ALSRowSolver<Backend>> solvers(executor.concurrency(), ALSRowSolver<Backend>(y, gram, options));
    executor.for_range(x.rows(), ALSDescent<Backend>::most_rows,
                       [&](std::size_t begin, std::size_t end, std::size_t worker) {
                           FUNNEL_ASSERT(worker < solvers.size());
                           solvers[worker].solve_rows(observed, begin, end, x);
                       });
}

}  // namespace cf
}  // namespace FUNNEL_ABI
}  // namespace funnel
