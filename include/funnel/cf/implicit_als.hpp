// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/cf/als_sweep.hpp>
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
#include <funnel/kernels/metric.hpp>
#include <funnel/kernels/one_to_many.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace cf {

/// The learned part of ImplicitALS: one row of factors per user and per item.
template <kernels::HostBackend Backend = kernels::DefaultBackend>
class ImplicitALSScorer {
public:
    using Options = ImplicitALSOptions;
    static constexpr std::string_view kind = "cf.ImplicitALS";
    static constexpr bool needs_history = true;

    [[nodiscard]] std::size_t items() const noexcept { return items_.rows(); }
    [[nodiscard]] MatrixView<const float> user_factors() const& noexcept FUNNEL_LIFETIMEBOUND { return users_.view(); }
    [[nodiscard]] MatrixView<const float> item_factors() const& noexcept FUNNEL_LIFETIMEBOUND { return items_.view(); }
    void user_factors() const&& = delete;
    void item_factors() const&& = delete;
    [[nodiscard]] ImplicitALSOptions options() const noexcept { return options_; }

    /// The user factors for a history: solves one row exactly, with the item factors fixed.
    ///
    /// Shapes    history: item ids
    /// Cost      O(|history| d^2 + d^3)
    /// Errors    InvalidArgument if an item is unknown, or there is no finite solution
    [[nodiscard]] std::vector<float> fold_in_factors(std::span<const std::uint32_t> history) const {
        for (const std::uint32_t item : history) {
            require_below(item, items(), "fold_in_factors: every item of the history");
        }
        std::vector<float> factors(items_.cols());
        if (!history.empty()) {
            ImplicitALSOptions exact = options_;
            exact.solver = ALSSolver::Cholesky;
            const Eigen::MatrixXf gram = item_gram();
            ALSRowSolver<float>(item_factors(), gram, exact).solve(history, std::span(factors));
        }
        return factors;
    }

    /// Returns   the k history items that add most to the score, and what each adds, largest first, for exactly solved
    ///           user factors. With k >= |history|, the shares sum to the score, up to rounding and the error of
    ///           ConjugateGradient
    /// Cost      O(|history| d^2 + d^3)
    /// Errors    InvalidArgument if the item is unknown, or there is no finite solution
    [[nodiscard]] std::vector<Scored<>> explain_for(const Profile& profile, std::uint32_t item, std::size_t k) const {
        require_below(item, items(), "explain: item");
        if (profile.history.empty()) {
            return {};
        }
        const Eigen::MatrixXf gram = item_gram();
        const auto weighed =
            ALSRowSolver<float>(item_factors(), gram, options_).weigh(profile.history, items_.row(item));
        return largest_shares(profile.history, k,
                              [&](std::uint32_t from) { return kernels::dot<Backend>(weighed, items_.row(from)); });
    }

    void score_all(const Profile& profile, std::span<float> out) const noexcept {
        FUNNEL_ASSERT(profile.factors.size() == items_.cols() && out.size() == items());
        kernels::score_rows<kernels::InnerProduct, Backend>(profile.factors, items_.view(), out);
    }
    // An item without rows in the log has zero factors: its score of 0 is not evidence.
    void keep_known_zeros(const Profile&, std::span<float> scores) const noexcept {
        FUNNEL_ASSERT(scores.size() == items());
        for (std::size_t item = 0; item < scores.size(); ++item) {
            const auto is_trained = [&](std::span<const float> row) {
                return std::any_of(row.begin(), row.end(), [](float x) { return x != 0.0F; });
            };
            scores[item] = scores[item] == 0.0F && is_trained(items_.row(item)) ? 0.0F : 1.0F;
        }
    }
    [[nodiscard]] float score_one(const Profile& profile, std::uint32_t item) const noexcept {
        FUNNEL_ASSERT(profile.factors.size() == items_.cols() && item < items());
        return kernels::dot<Backend>(profile.factors, items_.row(item));
    }

    template <data::InteractionLog Log, Executor E>
    static ImplicitALSScorer learn(const Log&, const CSRMatrix<float>& user_item, const ImplicitALSOptions& options,
                                   E& executor) {
        require_at_least(options.factors, 1, "ImplicitALS: factors");
        require(options.factors <= most_factors(user_item.rows(), user_item.cols()),
                "ImplicitALS: factors must be <= max(1024, users + items)");
        require_positive(options.lambda, "ImplicitALS: lambda");
        require_positive(options.alpha0, "ImplicitALS: alpha0");
        require_positive(options.stddev, "ImplicitALS: stddev");
        require_finite(options.nu, "ImplicitALS: nu");
        require(options.solver == ALSSolver::Cholesky || options.solver == ALSSolver::ConjugateGradient,
                "ImplicitALS: solver must be Cholesky or ConjugateGradient");

        const CSRMatrix<float> item_user = user_item.transposed();
        ImplicitALSScorer scorer;
        scorer.options_ = options;
        scorer.users_ = Matrix<float>(user_item.rows(), options.factors);
        scorer.items_ = Matrix<float>(user_item.cols(), options.factors);
        draw(scorer.users_, user_item, options, stream("implicit_als.users"), executor);
        draw(scorer.items_, item_user, options, stream("implicit_als.items"), executor);

        for (std::size_t iteration = 0; iteration < options.iterations; ++iteration) {
            report_progress(executor, "ImplicitALS: iterations", iteration, options.iterations);
            als_half_sweep([&](std::size_t item) { return item_user.row(item).columns; }, scorer.users_.view(),
                           scorer.items_.view(), options, executor);
            als_half_sweep([&](std::size_t user) { return user_item.row(user).columns; }, scorer.items_.view(),
                           scorer.users_.view(), options, executor);
        }
        report_progress(executor, "ImplicitALS: iterations", options.iterations, options.iterations);
        scorer.keep_gram(executor);
        require(
            scorer.is_finite(),
            "ImplicitALS: factors and scores must be finite: stddev is too large, or lambda or alpha0 is too small");
        return scorer;
    }

    template <class Writer>
    void write(Writer& file) const {
        file.value("lambda", options_.lambda);
        file.value("alpha0", options_.alpha0);
        file.value("nu", options_.nu);
        file.matrix("user_factors", user_factors());
        file.matrix("item_factors", item_factors());
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
        scorer.users_ = file.template matrix<float>("user_factors", histories.users());
        scorer.items_ = file.template matrix<float>("item_factors", histories.items(), scorer.users_.cols());
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

    // Normally distributed numbers, each row from its own index. Rows without observations stay 0.
    template <Executor E>
    static void draw(Matrix<float>& rows, const CSRMatrix<float>& observed, const ImplicitALSOptions& options,
                     Stream start, E& executor) {
        const double scale = static_cast<double>(options.stddev) / math::sqrt(static_cast<double>(options.factors));
        parallel_for(executor, rows.rows(), 64, [&](std::size_t row) {
            if (observed.row(row).size() > 0) {
                Random random(options.seed, start, row);
                for (float& x : rows.row(row)) {
                    x = static_cast<float>(scale * random.normal());
                }
            }
        });
    }

    // More factors than rows do not improve the fit, and memory grows with their square.
    static std::size_t most_factors(std::size_t users, std::size_t items) noexcept {
        return std::max<std::size_t>(1024, users + items);
    }

    // Keeps gram_ (d x d) only if it needs no more memory than the factors, (users + items) x d.
    template <Executor E>
    void keep_gram(E& executor) {
        if (options_.factors <= users_.rows() + items_.rows()) {
            gram_ = als_gram(item_factors(), options_.alpha0, executor);
        }
    }
    [[nodiscard]] Eigen::MatrixXf item_gram() const {
        return gram_.size() > 0 ? gram_ : als_gram(item_factors(), options_.alpha0);
    }

    // Checks all factors, all scores and all sums of fold_in: an inner product is at most the product of the norms.
    [[nodiscard]] bool is_finite() const {
        const double items = longest_row(items_);
        const double sums = (1.0 + static_cast<double>(options_.alpha0)) * static_cast<double>(items_.rows()) * items;
        return math::is_finite(static_cast<float>(longest_row(users_) * items)) &&
               math::is_finite(static_cast<float>(sums * items));
    }

    // The largest norm of a row; infinity if an element is not finite. Squares of floats cannot overflow a double.
    static double longest_row(const Matrix<float>& matrix) {
        double longest = 0.0;
        for (std::size_t i = 0; i < matrix.rows(); ++i) {
            double squares = 0.0;
            for (const float x : matrix.row(i)) {
                squares += static_cast<double>(x) * static_cast<double>(x);
            }
            if (!math::is_finite(squares)) {
                return std::numeric_limits<double>::infinity();
            }
            longest = std::max(longest, squares);
        }
        return math::sqrt(longest);
    }

    ImplicitALSOptions options_;
    Matrix<float> users_;
    Matrix<float> items_;
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
/// fold_in with the history of a training user gives the vector of that user, up to rounding (for ConjugateGradient, up
/// to its accuracy). Values and repetitions in the log are ignored. Backend is used for scoring; learning uses Eigen.
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
