// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/eigen.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/sparse.hpp>
#include <funnel/kernels/axpy.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/gemm.hpp>
#include <funnel/kernels/gemv.hpp>

#include <Eigen/Cholesky>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace cf {

/// How a row of factors is solved while the other side is fixed.
enum class ALSSolver : std::uint8_t {
    Cholesky,           ///< exact
    ConjugateGradient,  ///< a few steps from the previous row: much cheaper for 64 or more factors
    Blocks,             ///< iALS++: a few factors at a time, each block exactly, from the previous row
};

/// What is minimized. s is the score of a pair, r its value, c = |r|, p = 1 if r > 0 and else 0.
enum class ALSObjective : std::uint8_t {
    Rendle,           ///< observed c (p - s)^2, and alpha0 s^2 for all pairs
    HuKorenVolinsky,  ///< observed (1 + alpha c) (p - s)^2, others s^2
    Confidence,       ///< observed c (p - s)^2, others s^2: the library implicit
};

struct ImplicitALSOptions {
    std::size_t factors = 64;                       ///< > 0, length of the vectors; at most max(1024, users + items)
    float lambda = 0.01F;                           ///< > 0, L2 penalty
    float alpha0 = 0.1F;                            ///< > 0, Rendle: weight of every pair, observed or not
    float nu = 1.0F;                                ///< Rendle: 0 penalizes rows equally, 1 in proportion to weight
    std::size_t iterations = 16;                    ///< number of sweeps over both sides
    std::uint64_t seed = 1;                         ///< seed of the initial factors
    float stddev = 0.1F;                            ///< > 0, initial factors: standard deviation stddev / sqrt(factors)
    ALSSolver solver = ALSSolver::Cholesky;         ///< Cholesky, ConjugateGradient or Blocks
    std::size_t cg_steps = 3;                       ///< ConjugateGradient steps per row and sweep
    ALSObjective objective = ALSObjective::Rendle;  ///< Rendle, HuKorenVolinsky or Confidence
    bool use_values = false;                        ///< false: values > 0 count as 1, and others are not learned from
    float alpha = 40.0F;                            ///< > 0, HuKorenVolinsky: confidence per unit of value
    std::size_t block = 32;                         ///< > 0, Blocks: factors that are solved together
};

/// What an observed pair adds to the normal equations of its row: weight y y^T to the matrix, target y to the sum.
struct ALSPair {
    float weight;
    float target;
};

/// Of a pair with this value. Both are 0 if nothing is learned from it.
[[nodiscard]] inline ALSPair als_pair(float value, const ImplicitALSOptions& options) noexcept {
    if (!options.use_values && !(value > 0.0F)) {
        return {0.0F, 0.0F};
    }
    const float preference = value > 0.0F ? 1.0F : 0.0F;
    float confidence = options.use_values ? (value > 0.0F ? value : -value) : 1.0F;
    if (options.objective == ALSObjective::Rendle) {
        return {confidence, confidence * preference};
    }
    confidence = options.objective == ALSObjective::HuKorenVolinsky ? 1.0F + options.alpha * confidence : confidence;
    return {confidence - 1.0F, confidence * preference};  // the pair has a weight of 1 already, as all pairs have
}

/// The weight of the pairs that were not observed.
[[nodiscard]] inline float als_weight_of_all(const ImplicitALSOptions& options) noexcept {
    return options.objective == ALSObjective::Rendle ? options.alpha0 : 1.0F;
}

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
        gather(observed);
        if (weights_.empty()) {
            std::fill(row.begin(), row.end(), 0.0F);
        } else if (options_.solver == ALSSolver::Cholesky) {
            std::fill(row.begin(), row.end(), 0.0F);
            kernels::gemm_tn<Backend>(column(targets_), panel(), MatrixView<float>(row, 1, row.size()));
            set_up(0, row.size());
            solve_set_up(row);
        } else if (options_.solver == ALSSolver::ConjugateGradient) {
            descend(row);
        } else {
            solve_blocks(row);
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
        gather(observed);
        set_up(0, x.size());
        solve_set_up(x);
        return x;
    }

private:
    [[nodiscard]] MatrixView<const float> panel() const {
        return {panel_elements().first(weights_.size() * y_.cols()), weights_.size(), y_.cols()};
    }
    [[nodiscard]] std::span<const float> panel_elements() const {
        return {panel_.data(), static_cast<std::size_t>(panel_.size())};
    }
    // Some columns of a matrix of d columns without gaps.
    [[nodiscard]] MatrixView<const float> columns(std::span<const float> elements, std::size_t rows, std::size_t first,
                                                  std::size_t count) const {
        return {elements.first(rows * y_.cols()).subspan(first), rows, count, y_.cols()};
    }
    [[nodiscard]] static MatrixView<const float> column(std::span<const float> x) { return {x, x.size(), 1}; }
    [[nodiscard]] MatrixView<const float> gram() const {
        return {std::span(gram_.data(), static_cast<std::size_t>(gram_.size())), y_.cols(), y_.cols()};
    }

    // Copies the observed rows that something is learned from, with their weights and targets.
    void gather(const SparseRow<float>& observed) {
        const std::size_t d = y_.cols();
        if (panel_.rows() != eigen_index(d) || panel_.cols() < eigen_index(observed.size())) {
            panel_.resize(eigen_index(d), eigen_index(observed.size()));
            scaled_.resize(d * observed.size());
        }
        weights_.resize(observed.size());
        targets_.resize(observed.size());
        std::size_t used = 0;
        double sum = 0.0;
        has_weights_ = false;
        constexpr std::size_t ahead = 6;
        for (std::size_t i = 0; i < observed.size(); ++i) {
            if (i + ahead < observed.size()) {
                const float* const next = y_.row(observed.columns[i + ahead]).data();
                for (std::size_t j = 0; j < d; j += 16) {
                    __builtin_prefetch(next + j);
                }
            }
            const auto [weight, target] = als_pair(observed.values[i], options_);
            if (weight != 0.0F || target != 0.0F) {
                const std::span<const float> row = y_.row(observed.columns[i]);
                std::copy(row.begin(), row.end(), panel_.data() + used * d);
                weights_[used] = weight;
                targets_[used] = target;
                ++used;
                sum += static_cast<double>(weight);
                has_weights_ = has_weights_ || weight != 1.0F;
            }
        }
        weights_.resize(used);
        targets_.resize(used);
        auto penalty = static_cast<double>(options_.lambda);
        if (options_.objective == ALSObjective::Rendle) {
            const double all = static_cast<double>(options_.alpha0) * static_cast<double>(y_.rows());
            penalty *= math::pow(sum + all, static_cast<double>(options_.nu));
        }
        penalty_ = static_cast<float>(penalty);
        require(math::is_finite(penalty_), "ImplicitALS: lambda (|S| + alpha0 n)^nu must be finite: nu is too large");
    }

    // Sets the lower triangle of system_ to the matrix of some factors.
    void set_up(std::size_t first, std::size_t count) {
        const Eigen::Index size = eigen_index(count);
        system_.resize(size, size);
        system_ = gram_.block(eigen_index(first), eigen_index(first), size, size);
        std::span<const float> left = panel_elements();
        if (has_weights_) {
            for (std::size_t i = 0; i < weights_.size(); ++i) {
                for (std::size_t j = first; j < first + count; ++j) {
                    scaled_[i * y_.cols() + j] = weights_[i] * panel_elements()[i * y_.cols() + j];
                }
            }
            left = scaled_;
        }
        // Eigen's lower triangle is the upper one of rows: in each band of rows, what is left of the diagonal is not
        // needed.
        constexpr std::size_t band = 32;
        for (std::size_t j = 0; j < count && !weights_.empty(); j += band) {
            const std::size_t rows = std::min(band, count - j);
            const std::span<float> elements(system_.data(), count * count);
            kernels::gemm_tn<Backend>(columns(left, weights_.size(), first + j, rows),
                                      columns(panel_elements(), weights_.size(), first + j, count - j),
                                      MatrixView<float>(elements.subspan(j * count + j), rows, count - j, count));
        }
        system_.diagonal().array() += penalty_;
    }

    void solve_set_up(std::span<float> x) {
        const Eigen::LLT<Eigen::Ref<Eigen::MatrixXf>> factored(system_);
        solution_ = Eigen::Map<const Eigen::VectorXf>(x.data(), eigen_index(x.size()));
        if (factored.info() == Eigen::Success) {
            factored.solveInPlace(solution_);
        }
        require(factored.info() == Eigen::Success && math::all_finite({solution_.data(), x.size()}),
                "ImplicitALS: a row has no finite solution: lambda is too small or stddev is too large");
        std::copy(solution_.begin(), solution_.end(), x.begin());
    }

    void descend(std::span<float> row) {
        using Vector = Eigen::Map<Eigen::VectorXf>;
        const auto panel = panel_.leftCols(eigen_index(weights_.size()));
        const Vector weights(weights_.data(), eigen_index(weights_.size()));
        const Vector targets(targets_.data(), eigen_index(targets_.size()));
        solution_ = Vector(row.data(), eigen_index(row.size()));
        scores_.noalias() = panel.transpose() * solution_;
        scores_.array() = targets.array() - weights.array() * scores_.array();
        residual_.noalias() = panel * scores_;
        residual_.noalias() -= gram_ * solution_;
        residual_ -= penalty_ * solution_;
        direction_ = residual_;
        float size = residual_.squaredNorm();
        for (std::size_t step = 0; step < options_.cg_steps; ++step) {
            image_.noalias() = gram_ * direction_;
            image_ += penalty_ * direction_;
            scores_.noalias() = panel.transpose() * direction_;
            scores_.array() *= weights.array();
            image_.noalias() += panel * scores_;
            const float curvature = direction_.dot(image_);
            if (!(curvature > 0.0F) || !(size > 0.0F)) {
                break;  // no further progress is possible
            }
            const float length = size / curvature;
            solution_ += length * direction_;
            residual_ -= length * image_;
            const float next = residual_.squaredNorm();
            direction_ = residual_ + (next / size) * direction_;
            size = next;
        }
        std::copy(solution_.begin(), solution_.end(), row.begin());
    }

    // For each block of factors, the change that is best while the others stay.
    void solve_blocks(std::span<float> x) {
        block_scores_.resize(weights_.size());
        misses_.resize(weights_.size());
        kernels::gemv<Backend>(panel(), x, block_scores_);
        const std::size_t block = std::min(options_.block, x.size());
        for (std::size_t first = 0; first < x.size(); first += block) {
            const std::size_t count = std::min(block, x.size() - first);
            for (std::size_t i = 0; i < weights_.size(); ++i) {
                misses_[i] = targets_[i] - weights_[i] * block_scores_[i];
            }
            change_.resize(count);
            kernels::gemv<Backend>(gram().rows_from(first, count), x, change_);
            for (std::size_t j = 0; j < count; ++j) {
                change_[j] = -change_[j] - penalty_ * x[first + j];
            }
            const MatrixView<const float> part = columns(panel_elements(), weights_.size(), first, count);
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
    // Eigen's sums depend on memory alignment, so it computes only with memory of its own.
    Eigen::MatrixXf panel_;      // a row of y in each column; at least as many columns as weights_
    std::vector<float> scaled_;  // the columns of the panel times their weights, if these are not all 1
    std::vector<float> weights_;
    std::vector<float> targets_;
    bool has_weights_ = false;
    float penalty_ = 0.0F;
    Eigen::MatrixXf system_;
    Eigen::VectorXf solution_;
    Eigen::VectorXf scores_;
    Eigen::VectorXf residual_;
    Eigen::VectorXf direction_;
    Eigen::VectorXf image_;
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
    executor.for_range(x.rows(), 16, [&](std::size_t begin, std::size_t end, std::size_t worker) {
        FUNNEL_ASSERT(worker < solvers.size());
        for (std::size_t row = begin; row < end; ++row) {
            solvers[worker].solve(observed.row(row), x.row(row));
        }
    });
}

}  // namespace cf
}  // namespace FUNNEL_ABI
}  // namespace funnel
