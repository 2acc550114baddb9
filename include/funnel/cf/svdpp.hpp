// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/cf/histories.hpp>
#include <funnel/cf/model.hpp>
#include <funnel/cf/rating_factors.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/sparse.hpp>
#include <funnel/data/interaction_log.hpp>
#include <funnel/kernels/axpy.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/dot.hpp>
#include <funnel/kernels/scale.hpp>
#include <funnel/kernels/sgd_steps.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <span>
#include <string_view>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace cf {

namespace detail {

/// sum of the rows of these items / sqrt(number of items).
template <class Backend>
void implicit_vector(const Matrix<float>& rows, std::span<const std::uint32_t> items, std::span<float> out) noexcept {
    std::fill(out.begin(), out.end(), 0.0F);
    for (const std::uint32_t item : items) {
        kernels::axpy<Backend>(1.0F, rows.row(item), out);
    }
    if (!items.empty()) {
        kernels::scale<Backend>(1.0F / math::sqrt(static_cast<float>(items.size())), out);
    }
}

/// The steps of SVDpp for all ratings of one user. A step changes the row y_j of each item of the user. All steps of a
/// user change p and s, the sum of the y_j / sqrt(n), by the same rule:
///
///     s := decay s + rate error q,  because each y_j := decay y_j + rate error q / sqrt(n), and there are n of them
///
/// So the steps need only p + s, and each y_j changes once, after the last step, by what p has changed. The result is
/// that of changing all y_j in each step, up to rounding.
template <class Backend>
class SVDppUser {
public:
    SVDppUser(std::size_t factors, float rate, float regularisation)
        : rate_(rate), decay_(1.0F - rate * regularisation), sum_(factors), before_(factors) {}

    /// Shapes    user: (p, b_u);  items: rows (q, b_i);  implicit: rows y;  mean: of all ratings
    void learn(const SparseRow<float>& ratings, float mean, std::span<float> user, Matrix<float>& items,
               Matrix<float>& implicit) noexcept {
        const std::size_t factors = sum_.size();
        const std::span<float> p = user.first(factors);
        // Both p and s get rate error q. With half = (p + s) / sqrt(2), half and q have one symmetric step.
        const float root = std::numbers::sqrt2_v<float>;
        implicit_vector<Backend>(implicit, ratings.columns, sum_);
        kernels::axpy<Backend>(1.0F, p, sum_);
        kernels::scale<Backend>(1.0F / root, sum_);
        std::ranges::copy(sum_, before_.begin());
        float decay = 1.0F;
        for (std::size_t i = 0; i < ratings.size(); ++i) {
            const std::span<float> item = items.row(ratings.columns[i]);
            const std::span<float> q = item.first(factors);
            const float product = root * kernels::dot<Backend>(sum_, q);
            const float step = rate_ * (ratings.values[i] - mean - user[factors] - item[factors] - product);
            kernels::sgd_step<Backend>(root * step, decay_, sum_, q);
            user[factors] = decay_ * user[factors] + step;
            item[factors] = decay_ * item[factors] + step;
            decay *= decay_;
        }
        // What p has gained: half of what p + s has gained.
        kernels::axpy<Backend>(-decay, before_, sum_);
        kernels::scale<Backend>(root / 2.0F, sum_);
        add_gain(decay, 1.0F, p);
        const float share = 1.0F / math::sqrt(static_cast<float>(ratings.size()));
        for (const std::uint32_t item : ratings.columns) {
            add_gain(decay, share, implicit.row(item));
        }
    }

private:
    void add_gain(float decay, float share, std::span<float> row) const noexcept {
        kernels::scale<Backend>(decay, row);
        kernels::axpy<Backend>(share, sum_, row);
    }

    float rate_;
    float decay_;
    std::vector<float> sum_;
    std::vector<float> before_;
};

}  // namespace detail

/// The learned part of SVDpp.
template <kernels::HostBackend Backend = kernels::DefaultBackend>
class SVDppScorer : public RatingFactorsScorer<Backend> {
public:
    static constexpr std::string_view kind = "cf.SVDpp";

    /// The vectors y of the items: what it says about a user to have rated an item, whatever the rating. A row of
    /// user_factors() is (p_u + sum of y_j / sqrt(|I_u|), b_u).
    [[nodiscard]] MatrixView<const float> implicit_factors() const& noexcept FUNNEL_LIFETIMEBOUND {
        return implicit_.view();
    }
    void implicit_factors() const&& = delete;

    /// The row of a user with these ratings: the vectors y of the history, and p and the bias by descent with the items
    /// fixed, fold_in_epochs passes over the history, from zero. fit() gives each training user this row.
    ///
    /// Shapes    history: item ids, ascending;  values: one rating per item
    /// Cost      O(fold_in_epochs |history| factors)
    /// Errors    InvalidArgument if an item is unknown, there are more or fewer values than items, or scores would not
    ///           be finite
    [[nodiscard]] std::vector<float> fold_in_factors(std::span<const std::uint32_t> history,
                                                     std::span<const float> values) const {
        std::vector<float> ratings = this->without_means(history, values);
        std::vector<float> sum(implicit_.cols());
        detail::implicit_vector<Backend>(implicit_, history, sum);
        for (std::size_t i = 0; i < history.size(); ++i) {
            ratings[i] -= kernels::dot<Backend>(sum, items_.row(history[i]).first(sum.size()));
        }
        std::vector<float> row = this->learn_user(history, ratings);
        kernels::axpy<Backend>(1.0F, sum, std::span(row).first(sum.size()));
        this->require_finite_scores(row);
        return row;
    }

    template <data::InteractionLog Log, Executor E>
    static SVDppScorer learn(const Log&, const CSRMatrix<float>& user_item, const RatingFactorsOptions& options,
                             E& executor) {
        return SVDppScorer().descend(user_item, options, executor);
    }

    /// From the vectors and biases at hand; those of new users and items are drawn.
    template <data::InteractionLog Log, Executor E>
    [[nodiscard]] SVDppScorer relearn(const Log&, const CSRMatrix<float>& user_item,
                                      const RatingFactorsOptions& options, E& executor) const {
        require_equal(options.factors, this->options_.factors, "SVDpp: factors of an update");
        return descend(user_item, options, executor);
    }

    template <class Writer>
    void write(Writer& file) const {
        this->write_ratings(file);
        file.matrix("implicit_factors", implicit_factors());
    }
    template <class Reader>
    static SVDppScorer read(const Reader& file, const Histories& histories) {
        SVDppScorer scorer;
        scorer.read_ratings(file, histories);
        scorer.implicit_ = file.template matrix<float>("implicit_factors", scorer.items(), scorer.users_.cols() - 1);
        file.check(math::is_finite(static_cast<float>(scorer.longest_row(scorer.implicit_))), "implicit_factors",
                   "must be finite");
        return scorer;
    }

private:
    SVDppScorer() = default;

    using RatingFactorsScorer<Backend>::users_;
    using RatingFactorsScorer<Backend>::items_;

    // The scorer that epochs over user_item lead to, from the rows of this one.
    template <Executor E>
    [[nodiscard]] SVDppScorer descend(const CSRMatrix<float>& user_item, const RatingFactorsOptions& options,
                                      E& executor) const {
        SVDppScorer scorer;
        scorer.start(user_item, options, "SVDpp");
        const CSRMatrix<float> item_user = user_item.transposed();
        const std::size_t columns = options.factors + 1;
        scorer.users_ = scorer.rows_of(users_, columns, user_item, stream("svdpp.users"), executor);
        scorer.items_ = scorer.rows_of(items_, columns, item_user, stream("svdpp.items"), executor);
        scorer.implicit_ = scorer.rows_of(implicit_, options.factors, item_user, stream("svdpp.implicit"), executor);
        scorer.split_known_users(users_, user_item);

        detail::SVDppUser<Backend> learner(options.factors, options.learning_rate, options.regularisation);
        for (std::size_t epoch = 0; epoch < options.epochs; ++epoch) {
            report_progress(executor, "SVDpp: epochs", epoch, options.epochs);
            for (std::size_t user = 0; user < user_item.rows(); ++user) {
                if (user_item.row(user).size() > 0) {
                    learner.learn(user_item.row(user), scorer.mean(), scorer.users_.row(user), scorer.items_,
                                  scorer.implicit_);
                }
            }
        }
        report_progress(executor, "SVDpp: epochs", options.epochs, options.epochs);
        scorer.finish(
            user_item, "SVDpp",
            [&](const auto& history, const auto& values) { return scorer.fold_in_factors(history, values); }, executor);
        return scorer;
    }

    // Takes the sum of the y out of the rows of users that were known.
    void split_known_users(const Matrix<float>& known, const CSRMatrix<float>& user_item) {
        std::vector<float> sum(implicit_.cols());
        for (std::size_t user = 0; user < known.rows(); ++user) {
            if (user_item.row(user).size() > 0 && !this->is_zero(known.row(user))) {
                detail::implicit_vector<Backend>(implicit_, user_item.row(user).columns, sum);
                kernels::axpy<Backend>(-1.0F, sum, users_.row(user).first(sum.size()));
            }
        }
    }

    Matrix<float> implicit_;  // items x factors
};

/// SVD++: matrix factorization of ratings that also learns from which items a user rated, whatever the ratings.
///
///     min over p, q, y, b of  sum over ratings r_ui of  (r_ui - mu - b_u - b_i - q_i . (p_u + s_u))^2
///                             + regularisation (|p_u|^2 + |q_i|^2 + b_u^2 + b_i^2 + sum over j in I_u of |y_j|^2)
///     s_u = |I_u|^(-1/2) sum over j in I_u of y_j
///
/// All else is as for BiasedMF: predict(), recommend(), fold_in(), update(). A user row holds p_u + s_u, so a
/// prediction costs the same.
///
/// A step for a rating changes the y of all items of the user. The steps of one user are taken together, with the
/// result of single steps but at a cost near that of BiasedMF (see detail::SVDppUser). Users share the y of their
/// items, so the epochs run on one thread; only the last passes over the users run in parallel.
///
/// Shapes    as BiasedMF;  implicit_factors(): one row y of `factors` floats per item
/// Cost      fit: O((epochs + fold_in_epochs) ratings factors);  recommend: items x factors
/// Source    Koren, "Factorization meets the neighborhood: a multifaceted collaborative filtering model", KDD 2008
///           (section 4)
template <kernels::HostBackend Backend = kernels::DefaultBackend>
using BasicSVDpp = Model<SVDppScorer<Backend>>;

using SVDpp = BasicSVDpp<>;

}  // namespace cf
}  // namespace FUNNEL_ABI
}  // namespace funnel
