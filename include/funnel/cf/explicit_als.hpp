// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/cf/factor_scorer.hpp>
#include <funnel/cf/histories.hpp>
#include <funnel/cf/model.hpp>
#include <funnel/cf/normal_equations.hpp>
#include <funnel/cf/rating_range.hpp>
#include <funnel/cf/scorer.hpp>
#include <funnel/core/eigen.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/core/sparse.hpp>
#include <funnel/data/interaction_log.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/dot.hpp>
#include <funnel/kernels/gemm.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace cf {

struct ExplicitALSOptions {
    std::size_t factors = 16;     ///< > 0, length of the vectors; at most max(1024, users + items)
    float lambda = 0.1F;          ///< > 0, L2 penalty of vectors and biases
    float nu = 1.0F;              ///< 0 penalizes rows equally, 1 in proportion to their number of ratings
    std::size_t iterations = 16;  ///< number of sweeps over both sides
    float stddev = 0.1F;          ///< > 0, initial vectors of users: standard deviation stddev / sqrt(factors)
    std::uint64_t seed = 1;       ///< seed of the initial vectors
};

namespace detail {

/// Solves rows (vector, 1, bias) of one side of a rating model, given those of the other side.
///
///     vector x, bias b = argmin of  sum over ratings r_j of (r_j - mean - b_j - b - x . y_j)^2
///                                   + lambda ratings^nu (|x|^2 + b^2)
///
/// The rated rows are copied once into a contiguous panel. Use one solver per thread.
template <kernels::HostBackend Backend>
class ExplicitRowSolver {
public:
    /// y: n rows (vector, 1, bias), which must outlive the solver.
    ExplicitRowSolver(MatrixView<const float> y FUNNEL_LIFETIMEBOUND, float mean, float lambda, float nu)
        : y_(y), mean_(mean), lambda_(lambda), nu_(nu) {}

    /// Zeros if there are no ratings.
    ///
    /// Shapes    ratings: rows of y and values;  row: as many as a row of y (neither is checked)
    /// Cost      O(d^2 ratings + d^3)
    /// Errors    InvalidArgument if the row has no finite solution
    void solve(const SparseRow<float>& ratings, std::span<float> row) {
        FUNNEL_ASSERT(row.size() == y_.cols());
        std::fill(row.begin(), row.end(), 0.0F);
        if (ratings.size() == 0) {
            return;
        }
        gather(ratings);
        const std::span<float> solution = row.first(y_.cols() - 1);
        kernels::gemm_tn<Backend>(MatrixView<const float>(misses_, ratings.size(), 1), panel(ratings.size()),
                                  MatrixView<float>(solution, 1, solution.size()));
        solve_system(ratings.size(), solution);
        row.back() = solution.back();
        solution.back() = 1.0F;
    }

    /// A vector that tells what each rating adds to a product x . target of the exact row x, vector and bias:
    ///
    ///     A x = sum over j of miss_j y_j,   x . target = sum over j of miss_j y_j . A^-1 target,   y_j = (vector, 1)
    ///
    /// Shapes    ratings: as above, at least one;  target: a vector and a 1 (neither is checked)
    /// Returns   A^-1 target
    [[nodiscard]] std::vector<float> weigh(const SparseRow<float>& ratings, std::span<const float> target) {
        FUNNEL_ASSERT(target.size() == y_.cols() - 1);
        std::vector<float> x(target.begin(), target.end());
        gather(ratings);
        solve_system(ratings.size(), x);
        return x;
    }

    /// What is left of a rating of an item without the mean and the bias of the item.
    [[nodiscard]] float miss(std::uint32_t other, float rating) const noexcept {
        return rating - mean_ - y_.row(other).back();
    }

private:
    [[nodiscard]] MatrixView<const float> panel(std::size_t ratings) const { return {panel_, ratings, y_.cols() - 1}; }

    // Replaces x by A^-1 x, for the ratings in the panel.
    void solve_system(std::size_t ratings, std::span<float> x) {
        system_.setZero(eigen_index(x.size()), eigen_index(x.size()));
        add_symmetric_product<Backend>(panel(ratings), panel(ratings), system_);
        const double penalty =
            static_cast<double>(lambda_) * math::pow(static_cast<double>(ratings), static_cast<double>(nu_));
        system_.diagonal().array() += static_cast<float>(penalty);
        require(math::is_finite(static_cast<float>(penalty)) && solve_symmetric(system_, x, scratch_),
                "ExplicitALS: a row has no finite solution: lambda is too small, or nu or a value is too large");
    }

    // Copies vector and 1 of the rated rows to where they lie side by side. The 1 is what the unknown bias multiplies.
    void gather(const SparseRow<float>& ratings) {
        const std::size_t unknowns = y_.cols() - 1;
        panel_.resize(ratings.size() * unknowns);
        misses_.resize(ratings.size());
        for (std::size_t i = 0; i < ratings.size(); ++i) {
            const std::span<const float> other = y_.row(ratings.columns[i]);
            std::copy_n(other.begin(), unknowns, panel_.begin() + static_cast<std::ptrdiff_t>(i * unknowns));
            misses_[i] = miss(ratings.columns[i], ratings.values[i]);
        }
    }

    MatrixView<const float> y_;
    float mean_;
    float lambda_;
    float nu_;
    std::vector<float> panel_;
    std::vector<float> misses_;  // what is left of each rating without the unknowns
    Eigen::MatrixXf system_;
    Eigen::VectorXf scratch_;
};

}  // namespace detail

/// The learned part of ExplicitALS: a row (vector, mean + bias, 1) per user and a row (vector, 1, bias) per item.
template <kernels::HostBackend Backend = kernels::DefaultBackend>
class ExplicitALSScorer : public FactorScorer<Backend>, public RatingRange {
public:
    using Options = ExplicitALSOptions;
    static constexpr std::string_view kind = "cf.ExplicitALS";
    static constexpr bool needs_history = false;
    static constexpr bool reads_values = true;
    static constexpr std::size_t bias_columns = 2;  // of an item: the 1 and the bias

    using FactorScorer<Backend>::items;
    using FactorScorer<Backend>::item_factors;
    [[nodiscard]] ExplicitALSOptions options() const noexcept { return options_; }

    /// The rating that a user would give to an item, within [lowest(), highest()]. A user or an item without ratings
    /// counts as average: its bias and its vector are 0.
    ///
    /// Cost      O(factors)
    /// Errors    InvalidArgument if the item is unknown
    [[nodiscard]] float predict(std::size_t user, std::uint32_t item) const {
        require_below(item, items(), "predict: item");
        const std::span<const float> row = user < users_.rows() ? std::as_const(users_).row(user) : nobody_;
        const bool is_rated = items_.row(item)[options_.factors] != 0.0F;
        const float rating = is_rated ? kernels::dot<Backend>(row, items_.row(item)) : row[options_.factors];
        return clipped(rating);
    }

    /// The row of a user with these ratings: solves it exactly, with the items fixed, as fit() does for each user.
    ///
    /// Shapes    history: item ids;  values: one rating per item
    /// Cost      O(|history| d^2 + d^3)
    /// Errors    InvalidArgument if an item is unknown, there are more or fewer ratings than items, or there is no
    ///           finite solution
    [[nodiscard]] std::vector<float> fold_in_factors(std::span<const std::uint32_t> history,
                                                     std::span<const float> values) const {
        this->require_history(history, values);
        std::vector<float> row(items_.cols());
        if (history.empty()) {
            return nobody_;
        }
        detail::ExplicitRowSolver<Backend>(item_factors(), mean(), options_.lambda, options_.nu)
            .solve({history, values}, std::span(row));
        make_user(row);
        require(math::is_finite(static_cast<float>(norm(row) * longest_item_)),
                "fold_in: scores must be finite: a value is too large");
        return row;
    }

    /// Returns   the k rated items that add most to the score, and what each adds, largest first; a rating below the
    ///           mean and the bias of its item may take off. With k >= |history|, the shares sum to what the score is
    ///           above that of a user without ratings, up to rounding. Nothing if nobody rated the item
    /// Cost      O(|history| d^2 + d^3)
    /// Errors    InvalidArgument if the item is unknown, or there is no finite solution
    [[nodiscard]] std::vector<Scored<>> explain_for(const Profile& profile, std::uint32_t item, std::size_t k) const {
        require_below(item, items(), "explain: item");
        if (profile.history.empty() || is_zero(items_.row(item))) {
            return {};
        }
        detail::ExplicitRowSolver<Backend> solver(item_factors(), mean(), options_.lambda, options_.nu);
        const std::size_t unknowns = options_.factors + 1;
        const std::vector<float> weighed =
            solver.weigh({profile.history, profile.values}, items_.row(item).first(unknowns));
        return largest_shares(profile.history, k, [&](std::uint32_t from) {
            return solver.miss(from, value_in_history(profile, from)) *
                   kernels::dot<Backend>(weighed, items_.row(from).first(unknowns));
        });
    }

    template <data::InteractionLog Log, Executor E>
    static ExplicitALSScorer learn(const Log&, const CSRMatrix<float>& ratings, const ExplicitALSOptions& options,
                                   E& executor) {
        return ExplicitALSScorer().sweep(ratings, options, executor);
    }

    /// From the rows of users at hand: those that are zero, such as those of new users, are drawn first. Each iteration
    /// solves the items before it reads them, so their rows need no start.
    template <data::InteractionLog Log, Executor E>
    [[nodiscard]] ExplicitALSScorer relearn(const Log&, const CSRMatrix<float>& ratings,
                                            const ExplicitALSOptions& options, E& executor) const {
        require_equal(options.factors, options_.factors, "ExplicitALS: factors of an update");
        return sweep(ratings, options, executor);
    }

    template <class Writer>
    void write(Writer& file) const {
        file.value("lambda", options_.lambda);
        file.value("nu", options_.nu);
        write_range(file);
        this->write_factors(file);
    }

    template <class Reader>
    static ExplicitALSScorer read(const Reader& file, const Histories& histories) {
        ExplicitALSScorer scorer;
        ExplicitALSOptions& options = scorer.options_;
        options.lambda = file.template value<float>("lambda");
        options.nu = file.template value<float>("nu");
        file.check(math::is_finite(options.lambda) && options.lambda > 0.0F, "lambda", "must be positive and finite");
        file.check(math::is_finite(options.nu), "nu", "must be finite");
        scorer.read_range(file);
        scorer.read_factors(file, histories);
        file.check(scorer.users_.cols() >= 3, "user_factors", "must have at least three columns");
        options.factors = scorer.users_.cols() - 2;
        file.check(options.factors <= most_factors(histories.users(), histories.items()), "user_factors",
                   "must have at most max(1024, users + items) + 2 columns");
        for (std::size_t user = 0; user < scorer.users_.rows(); ++user) {
            file.check(scorer.users_.row(user).back() == 1.0F, "user_factors", "must have 1 in the last column");
        }
        for (std::size_t item = 0; item < scorer.items_.rows(); ++item) {
            const std::span<const float> row = scorer.item_factors().row(item);
            file.check(row[options.factors] == 1.0F || is_zero(row), "item_factors",
                       "must have 1 in the last column but one of every row that is not zero");
        }
        scorer.keep_nobody();
        scorer.longest_item_ = longest_row(scorer.items_);
        file.check(scorer.is_finite(), "item_factors", "must be finite and give finite scores");
        return scorer;
    }

private:
    ExplicitALSScorer() = default;

    // The scorer that iterations over the ratings lead to, from the users of this one.
    template <Executor E>
    [[nodiscard]] ExplicitALSScorer sweep(const CSRMatrix<float>& ratings, const ExplicitALSOptions& options,
                                          E& executor) const {
        check(options, ratings.rows(), ratings.cols());
        const CSRMatrix<float> by_item = ratings.transposed();
        ExplicitALSScorer scorer;
        scorer.options_ = options;
        scorer.find_range(ratings.values());
        scorer.keep_nobody();
        scorer.users_ = started_users(ratings, options, executor);
        scorer.items_ = Matrix<float>(ratings.cols(), options.factors + 2);
        for (std::size_t iteration = 0; iteration < options.iterations; ++iteration) {
            report_progress(executor, "ExplicitALS: iterations", iteration, options.iterations);
            scorer.half_sweep(by_item, scorer.users_.view(), scorer.items_.view(), executor);
            scorer.half_sweep(ratings, scorer.items_.view(), scorer.users_.view(), executor);
        }
        report_progress(executor, "ExplicitALS: iterations", options.iterations, options.iterations);
        for (std::size_t user = 0; user < scorer.users_.rows(); ++user) {
            scorer.make_user(scorer.users_.row(user));
        }
        scorer.longest_item_ = longest_row(scorer.items_);
        require(scorer.is_finite(), "ExplicitALS: factors and ratings must be finite: a value is too large");
        return scorer;
    }

    static void check(const ExplicitALSOptions& options, std::size_t users, std::size_t items) {
        require_between(options.factors, 1, most_factors(users, items), "ExplicitALS: factors");
        require_positive(options.lambda, "ExplicitALS: lambda");
        require_positive(options.stddev, "ExplicitALS: stddev");
        require_finite(options.nu, "ExplicitALS: nu");
        require_at_least(options.iterations, 1, "ExplicitALS: iterations");
    }

    // The row that stands for a user without ratings.
    void keep_nobody() {
        nobody_.assign(options_.factors + 2, 0.0F);
        nobody_[options_.factors] = mean();
        nobody_.back() = 1.0F;
    }

    // Rows (vector, 1, bias), drawn where nothing is known. Rows without ratings are 0.
    template <Executor E>
    [[nodiscard]] Matrix<float> started_users(const CSRMatrix<float>& ratings, const ExplicitALSOptions& options,
                                              E& executor) const {
        const std::size_t factors = options.factors;
        const double stddev = static_cast<double>(options.stddev) / math::sqrt(static_cast<double>(factors));
        Matrix<float> known = users_;
        for (std::size_t user = 0; user < known.rows(); ++user) {
            unmake_user(known.row(user));
        }
        constexpr Stream draws = stream("explicit_als.users");
        Matrix<float> users =
            this->started(known, ratings, {factors + 2, factors, stddev, options.seed, draws}, executor);
        for (std::size_t user = 0; user < users.rows(); ++user) {
            users.row(user)[factors] = ratings.row(user).size() > 0 ? 1.0F : 0.0F;
        }
        return users;
    }

    template <Executor E>
    void half_sweep(const CSRMatrix<float>& ratings, MatrixView<const float> y, MatrixView<float> x, E& executor) {
        std::vector<detail::ExplicitRowSolver<Backend>> solvers(
            executor.concurrency(), detail::ExplicitRowSolver<Backend>(y, mean(), options_.lambda, options_.nu));
        executor.for_range(x.rows(), 16, [&](std::size_t begin, std::size_t end, std::size_t worker) {
            FUNNEL_ASSERT(worker < solvers.size());
            for (std::size_t row = begin; row < end; ++row) {
                solvers[worker].solve(ratings.row(row), x.row(row));
            }
        });
    }

    // From (vector, 1, bias) to (vector, mean + bias, 1), so that one inner product with an item is a rating.
    void make_user(std::span<float> row) const noexcept {
        row[options_.factors] = mean() + row.back();
        row.back() = 1.0F;
    }

    // The other way round, but for the 1: a user without ratings gets zeros.
    void unmake_user(std::span<float> row) const noexcept {
        row.back() = row[options_.factors] - mean();
        row[options_.factors] = 0.0F;
    }

    // Checks all scores: an inner product is at most the product of the norms.
    [[nodiscard]] bool is_finite() const {
        return math::is_finite(static_cast<float>(longest_row(users_) * longest_item_));
    }

    using FactorScorer<Backend>::is_zero;
    using FactorScorer<Backend>::norm;
    using FactorScorer<Backend>::longest_row;
    using FactorScorer<Backend>::most_factors;
    using FactorScorer<Backend>::users_;
    using FactorScorer<Backend>::items_;
    using FactorScorer<Backend>::nobody_;

    ExplicitALSOptions options_;
    double longest_item_ = 0.0;
};

/// Matrix factorization of ratings by alternating least squares: learns vectors and biases that predict the ratings in
/// the log.
///
///     min over w, h, b of  sum over ratings (u, i) of (r_ui - mean - b_u - b_i - w_u . h_i)^2
///                          + lambda sum over u of |I_u|^nu (|w_u|^2 + b_u^2)
///                          + lambda sum over i of |U_i|^nu (|h_i|^2 + b_i^2)
///
/// mean is that of all ratings. Only pairs in the log count, and every value is a rating, whatever its sign. nu = 1 is
/// the weighted lambda of Zhou et al. Each iteration solves all items, then all users, exactly, so no iteration raises
/// the sum. fold_in(history, ratings) of a training user gives that user's row, to the bit; without ratings, each is 1.
/// update() takes more iterations from the users at hand, up to the rounding of their biases.
///
/// score() and recommend() use the predicted rating, which predict() clips to the range of the ratings. An item that
/// nobody rated has a score of 0 and is not recommended. A user without ratings gets the items with the highest biases.
/// An item with few ratings has an unsure rating, and many of the highest are of such items: lists are better if
/// candidates come from a model of what users take, such as ImplicitALS.
///
/// Shapes    item_factors(), user_factors(): rows of factors + 2 floats; in an ANN index, use the inner product
/// Cost      fit: d^2 (ratings + d rows / 3) per half of an iteration;  recommend: items x factors
/// Source    Zhou, Wilkinson, Schreiber, Pan, "Large-scale parallel collaborative filtering for the Netflix prize",
///           AAIM 2008;  Koren, Bell, Volinsky, "Matrix factorization techniques for recommender systems", IEEE
///           Computer 2009
template <kernels::HostBackend Backend = kernels::DefaultBackend>
using BasicExplicitALS = Model<ExplicitALSScorer<Backend>>;

using ExplicitALS = BasicExplicitALS<>;

}  // namespace cf
}  // namespace FUNNEL_ABI
}  // namespace funnel
