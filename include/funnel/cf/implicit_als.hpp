// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/cf/als_sweep.hpp>
#include <funnel/cf/factor_scorer.hpp>
#include <funnel/cf/histories.hpp>
#include <funnel/cf/model.hpp>
#include <funnel/cf/recommend.hpp>
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
#include <funnel/kernels/dot.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace cf {

/// The learned part of ImplicitALS: one row of factors per user and per item.
template <kernels::HostBackend Backend = kernels::DefaultBackend>
class ImplicitALSScorer : public FactorScorer<Backend> {
public:
    using Options = ImplicitALSOptions;
    static constexpr std::string_view kind = "cf.ImplicitALS";
    static constexpr std::uint32_t layout_version = 2;
    static constexpr bool needs_history = true;
    static constexpr bool reads_values = true;

    using FactorScorer<Backend>::items;
    using FactorScorer<Backend>::item_factors;
    [[nodiscard]] ImplicitALSOptions options() const noexcept { return options_; }

    /// The user factors for a history: solves one row exactly, with the item factors fixed.
    ///
    /// Shapes    history: item ids;  values: one per item
    /// Cost      O(|history| d^2 + d^3)
    /// Errors    InvalidArgument if an item is unknown, there are more or fewer values than items, or there is no
    ///           finite solution
    [[nodiscard]] std::vector<float> fold_in_factors(std::span<const std::uint32_t> history,
                                                     std::span<const float> values) const {
        this->require_history(history, values);
        std::vector<float> factors(items_.cols());
        if (!history.empty()) {
            ImplicitALSOptions exact = options_;
            exact.solver = ALSSolver::Cholesky;
            const Eigen::MatrixXf gram = item_gram();
            ALSRowSolver<Backend>(item_factors(), gram, exact).solve({history, values}, std::span(factors));
        }
        return factors;
    }

    /// Returns   the k history items that add most to the score, and what each adds, largest first, for exactly solved
    ///           user factors. With k >= |history|, the shares sum to the score, up to rounding and the error of
    ///           the solver
    /// Cost      O(|history| d^2 + d^3)
    /// Errors    InvalidArgument if the item is unknown, or there is no finite solution
    [[nodiscard]] std::vector<Scored<>> explain_for(const Profile& profile, std::uint32_t item, std::size_t k) const {
        require_below(item, items(), "explain: item");
        if (profile.history.empty()) {
            return {};
        }
        const Eigen::MatrixXf gram = item_gram();
        const auto weighed = ALSRowSolver<Backend>(item_factors(), gram, options_)
                                 .weigh({profile.history, profile.values}, items_.row(item));
        return largest_shares(profile.history, k, [&](std::uint32_t from) {
            return als_pair(value_in_history(profile, from), options_).target *
                   kernels::dot<Backend>(weighed, items_.row(from));
        });
    }

    template <data::InteractionLog Log, Executor E>
    static ImplicitALSScorer learn(const Log&, const CSRMatrix<float>& user_item, const ImplicitALSOptions& options,
                                   E& executor) {
        return ImplicitALSScorer().sweep(user_item, options, executor);
    }

    /// From the factors at hand: rows that are zero, such as those of new users and items, are drawn first.
    template <data::InteractionLog Log, Executor E>
    [[nodiscard]] ImplicitALSScorer relearn(const Log&, const CSRMatrix<float>& user_item,
                                            const ImplicitALSOptions& options, E& executor) const {
        require_equal(options.factors, options_.factors, "ImplicitALS: factors of an update");
        return sweep(user_item, options, executor);
    }

    template <class Writer>
    void write(Writer& file) const {
        file.value("lambda", options_.lambda);
        file.value("alpha0", options_.alpha0);
        file.value("nu", options_.nu);
        file.value("alpha", options_.alpha);
        file.value("objective", static_cast<std::uint32_t>(options_.objective));
        file.value("use_values", std::uint32_t{options_.use_values ? 1U : 0U});
        this->write_factors(file);
    }

    template <class Reader>
    static ImplicitALSScorer read(const Reader& file, const Histories& histories) {
        ImplicitALSScorer scorer;
        ImplicitALSOptions& options = scorer.options_;
        options.lambda = file.template value<float>("lambda");
        options.alpha0 = file.template value<float>("alpha0");
        options.nu = file.template value<float>("nu");
        file.check(math::is_finite(options.lambda) && options.lambda > 0.0F, "lambda", "must be positive and finite");
        file.check(math::is_finite(options.alpha0) && options.alpha0 > 0.0F, "alpha0", "must be positive and finite");
        file.check(math::is_finite(options.nu), "nu", "must be finite");
        options.alpha = file.template value<float>("alpha");
        file.check(math::is_finite(options.alpha) && options.alpha > 0.0F, "alpha", "must be positive and finite");
        const auto objective = file.template value<std::uint32_t>("objective");
        file.check(objective <= 2, "objective", "must be 0, 1 or 2");
        options.objective = static_cast<ALSObjective>(objective);
        const auto use_values = file.template value<std::uint32_t>("use_values");
        file.check(use_values <= 1, "use_values", "must be 0 or 1");
        options.use_values = use_values == 1;
        scorer.read_factors(file, histories);
        options.factors = scorer.users_.cols();
        file.check(options.factors > 0, "user_factors", "must have at least one column");
        file.check(options.factors <= most_factors(histories.users(), histories.items()), "user_factors",
                   "must have at most max(1024, users + items) columns");
        Serial serial;
        scorer.keep_gram(serial);
        file.check(scorer.is_finite(), "item_factors", "must be finite and give finite scores");
        return scorer;
    }

private:
    ImplicitALSScorer() = default;

    // The scorer that sweeps over user_item lead to, from the factors of this one.
    template <Executor E>
    [[nodiscard]] ImplicitALSScorer sweep(const CSRMatrix<float>& user_item, const ImplicitALSOptions& options,
                                          E& executor) const {
        check(options, user_item.rows(), user_item.cols());
        const CSRMatrix<float> item_user = user_item.transposed();
        ImplicitALSScorer scorer;
        scorer.options_ = options;
        const double stddev = static_cast<double>(options.stddev) / math::sqrt(static_cast<double>(options.factors));
        const auto draws = [&](Stream rows) {
            return Draws{options.factors, options.factors, stddev, options.seed, rows};
        };
        scorer.users_ = started(users_, user_item, draws(stream("implicit_als.users")), executor);
        scorer.items_ = started(items_, item_user, draws(stream("implicit_als.items")), executor);

        for (std::size_t iteration = 0; iteration < options.iterations; ++iteration) {
            report_progress(executor, "ImplicitALS: iterations", iteration, options.iterations);
            als_half_sweep<Backend>(item_user, scorer.users_.view(), scorer.items_.view(), options, executor);
            als_half_sweep<Backend>(user_item, scorer.items_.view(), scorer.users_.view(), options, executor);
        }
        report_progress(executor, "ImplicitALS: iterations", options.iterations, options.iterations);
        scorer.keep_gram(executor);
        require(scorer.is_finite(),
                "ImplicitALS: factors and scores must be finite: stddev is too large, lambda or alpha0 is too small, "
                "or a value is too large");
        return scorer;
    }

    static void check(const ImplicitALSOptions& options, std::size_t users, std::size_t items) {
        require_at_least(options.factors, 1, "ImplicitALS: factors");
        require(options.factors <= most_factors(users, items),
                "ImplicitALS: factors must be <= max(1024, users + items)");
        require_positive(options.lambda, "ImplicitALS: lambda");
        require_positive(options.alpha0, "ImplicitALS: alpha0");
        require_positive(options.alpha, "ImplicitALS: alpha");
        require_positive(options.stddev, "ImplicitALS: stddev");
        require_finite(options.nu, "ImplicitALS: nu");
        require_at_least(options.block, 1, "ImplicitALS: block");
        require(options.solver == ALSSolver::Cholesky || options.solver == ALSSolver::ConjugateGradient ||
                    options.solver == ALSSolver::Blocks,
                "ImplicitALS: solver must be Cholesky, ConjugateGradient or Blocks");
        require(options.objective == ALSObjective::Rendle || options.objective == ALSObjective::HuKorenVolinsky ||
                    options.objective == ALSObjective::Confidence,
                "ImplicitALS: objective must be Rendle, HuKorenVolinsky or Confidence");
    }

    // Keeps gram_ (d x d) only if it needs no more memory than the factors, (users + items) x d.
    template <Executor E>
    void keep_gram(E& executor) {
        if (options_.factors <= users_.rows() + items_.rows()) {
            gram_ = als_gram(item_factors(), als_weight_of_all(options_), executor);
        }
    }
    [[nodiscard]] Eigen::MatrixXf item_gram() const {
        return gram_.size() > 0 ? gram_ : als_gram(item_factors(), als_weight_of_all(options_));
    }

    // Checks all factors, all scores and all sums of fold_in: an inner product is at most the product of the norms.
    [[nodiscard]] bool is_finite() const {
        const double longest_item = longest_row(items_);
        const double sums = (1.0 + static_cast<double>(als_weight_of_all(options_))) *
                            static_cast<double>(items_.rows()) * longest_item;
        return math::is_finite(static_cast<float>(longest_row(users_) * longest_item)) &&
               math::is_finite(static_cast<float>(sums * longest_item));
    }

    using typename FactorScorer<Backend>::Draws;
    using FactorScorer<Backend>::started;
    using FactorScorer<Backend>::longest_row;
    using FactorScorer<Backend>::most_factors;
    using FactorScorer<Backend>::users_;
    using FactorScorer<Backend>::items_;

    ImplicitALSOptions options_;
    Eigen::MatrixXf gram_;  // alpha0 H^T H of the item factors H, for fold_in and explain; see keep_gram
};

/// Matrix factorization for implicit feedback by alternating least squares (iALS): learns user and item vectors whose
/// inner product is near 1 if the user took the item, and near 0 otherwise.
///
///     min over w, h of  sum over observed (u, i) of (1 - w_u . h_i)^2 + alpha0 sum over all (u, i) of (w_u . h_i)^2
///                       + lambda sum over u of (|I_u| + alpha0 |I|)^nu |w_u|^2
///                       + lambda sum over i of (|U_i| + alpha0 |U|)^nu |h_i|^2
///
/// Each iteration solves all items, then all users. The user vectors are thus solved for the final item vectors, and
/// fold_in with the history of a training user gives the vector of that user, up to rounding (for the other solvers, up
/// to their accuracy). update() takes more sweeps from the factors at hand. Backend is used for learning and scoring.
///
/// By default, values > 0 count as 1, and nothing is learned from other values. With use_values, |value| is the
/// confidence in a pair, and a value <= 0 asks for a score of 0. ALSObjective has the other objectives that are in use.
///
/// Shapes    item_factors(), user_factors(): rows of `factors` floats; in an ANN index, use the inner product
/// Cost      fit: two als_half_sweep per iteration;  recommend: items x factors
/// Source    Rendle, Krichene, Zhang, Koren, "Revisiting the performance of iALS on item recommendation benchmarks",
///           RecSys 2022;  Hu, Koren, Volinsky, "Collaborative filtering for implicit feedback datasets", ICDM 2008
template <kernels::HostBackend Backend = kernels::DefaultBackend>
using BasicImplicitALS = Model<ImplicitALSScorer<Backend>>;

using ImplicitALS = BasicImplicitALS<>;

}  // namespace cf
}  // namespace FUNNEL_ABI
}  // namespace funnel
