// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

// What the factor models of ratings share: BiasedMF (cf/biased_mf.hpp) and SVDpp (cf/svdpp.hpp).

#include <funnel/cf/factor_scorer.hpp>
#include <funnel/cf/histories.hpp>
#include <funnel/cf/rating_range.hpp>
#include <funnel/cf/scorer.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/sparse.hpp>
#include <funnel/kernels/axpy.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/dot.hpp>
#include <funnel/kernels/metric.hpp>
#include <funnel/kernels/one_to_many.hpp>
#include <funnel/kernels/scale.hpp>
#include <funnel/kernels/sgd_steps.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace cf {

struct RatingFactorsOptions {
    std::size_t factors = 64;         ///< per user and item, at least 1
    std::size_t epochs = 40;          ///< passes over all ratings
    float learning_rate = 0.01F;      ///< > 0
    float regularisation = 0.1F;      ///< >= 0, < 1 / learning_rate; of each vector and bias that a step changes
    float stddev = 0.1F;              ///< > 0; of each number of the initial vectors
    std::size_t fold_in_epochs = 20;  ///< 1 to 1000: passes over the ratings of one user; see fold_in_factors
    std::uint64_t seed = 1;
};

namespace detail {

/// One step of stochastic gradient descent on a rating, (rating - b_u - b_i - p . q)^2 / 2, from the old values. The
/// last number of a row is its bias. The mean of all ratings has been subtracted from the rating.
template <class Backend>
[[gnu::always_inline]] inline void rating_step(float rating, float rate, float decay, std::span<float> user,
                                               std::span<float> item) noexcept {
    const std::size_t factors = user.size() - 1;
    const std::span<float> p = user.first(factors);
    const std::span<float> q = item.first(factors);
    const float step = rate * (rating - user[factors] - item[factors] - kernels::dot<Backend>(p, q));
    kernels::sgd_step<Backend>(step, decay, p, q);
    user[factors] = decay * user[factors] + step;
    item[factors] = decay * item[factors] + step;
}

}  // namespace detail

/// Base class of scorers of ratings: a row of factors and a bias per user and per item, and the mean of all ratings.
///
///     score(u, i) = mean() + b_u + b_i + p_u . q_i      0 if nobody rated item i in training
///
/// A row of user_factors() is (p_u, b_u), of item_factors() (q_i, b_i). A user without ratings has zeros. A model adds
/// kind, learn and fold_in_factors; cf/biased_mf.hpp is an example.
template <kernels::HostBackend Backend>
class RatingFactorsScorer : public FactorScorer<Backend>, public RatingRange {
public:
    using Options = RatingFactorsOptions;
    static constexpr bool needs_history = false;
    static constexpr bool reads_values = true;
    static constexpr std::size_t bias_columns = 1;

    using FactorScorer<Backend>::items;

    /// The rating that a user would give to an item, within [lowest(), highest()]. A user or an item that is not in the
    /// training log counts as average: an unknown user gives mean() + b_i, an item that nobody rated gets mean() + b_u.
    ///
    /// Cost      O(factors)
    /// Errors    InvalidArgument if the item is not below items()
    [[nodiscard]] float predict(std::size_t user, std::uint32_t item) const {
        require_below(item, items(), "predict: item");
        const std::span<const float> factors = user < users_.rows() ? std::as_const(users_).row(user) : none;
        return clipped(prediction(factors, items_.row(item)));
    }

    void score_all(const Profile& profile, std::span<float> out) const noexcept {
        FUNNEL_ASSERT(out.size() == items());
        score_range(profile, 0, out);
    }
    void score_range(const Profile& profile, std::size_t first, std::span<float> out) const noexcept {
        const std::span<const float> user = profile.factors;
        if (user.empty()) {
            std::fill(out.begin(), out.end(), 0.0F);
        } else {
            const std::size_t factors = items_.cols() - 1;
            kernels::score_rows<kernels::InnerProduct, Backend>(
                user.first(factors), items_.view().rows_from(first, out.size()).columns_from(0, factors), out);
        }
        const float base = base_of(user);
        for (std::size_t i = 0; i < out.size(); ++i) {
            const std::span<const float> item = items_.row(first + i);
            out[i] = is_zero(item) ? 0.0F : out[i] + (base + item.back());
        }
    }
    [[nodiscard]] float score_one(const Profile& profile, std::uint32_t item) const noexcept {
        FUNNEL_ASSERT(item < items());
        return is_zero(items_.row(item)) ? 0.0F : prediction(profile.factors, items_.row(item));
    }
    void keep_known_zeros(const Profile&, std::span<float> scores) const noexcept {
        FUNNEL_ASSERT(scores.size() == items());
        for (std::size_t item = 0; item < scores.size(); ++item) {
            scores[item] = scores[item] == 0.0F && !is_zero(items_.row(item)) ? 0.0F : 1.0F;
        }
    }

protected:
    RatingFactorsScorer() = default;

    using FactorScorer<Backend>::is_zero;
    using FactorScorer<Backend>::norm;
    using FactorScorer<Backend>::longest_row;
    using FactorScorer<Backend>::most_factors;
    using FactorScorer<Backend>::users_;
    using FactorScorer<Backend>::items_;

    /// Checks the options and finds the range of the ratings.
    void start(const CSRMatrix<float>& user_item, const RatingFactorsOptions& options, const char* model) {
        const std::string name = std::string(model) + ": ";
        require_between(options.factors, 1, most_factors(user_item.rows(), user_item.cols()),
                        (name + "factors").c_str());
        require_positive(options.learning_rate, (name + "learning_rate").c_str());
        require_not_negative(options.regularisation, (name + "regularisation").c_str());
        require_weight_decay(double{options.learning_rate}, double{options.regularisation},
                             (name + "learning_rate * regularisation").c_str());
        require_positive(options.stddev, (name + "stddev").c_str());
        require_between(options.fold_in_epochs, 1, most_epochs, (name + "fold_in_epochs").c_str());
        options_ = options;
        find_range(user_item.values());
    }

    /// The known rows, and drawn ones for new users or items.
    template <Executor E>
    [[nodiscard]] Matrix<float> rows_of(const Matrix<float>& known, std::size_t columns,
                                        const CSRMatrix<float>& observed, Stream draws, E& executor) const {
        const auto stddev = static_cast<double>(options_.stddev);
        return this->started(known, observed, {columns, options_.factors, stddev, options_.seed, draws}, executor);
    }

    /// Learns each user anew for the final items, so that fold_in gives the same row. Checks that all is finite.
    template <class FoldIn, Executor E>
    void finish(const CSRMatrix<float>& user_item, const char* model, const FoldIn& fold_in, E& executor) {
        for (const std::uint32_t item : user_item.columns()) {
            if (is_zero(items_.row(item))) {  // a strong penalty took all; a row of zeros is that of an unrated item
                items_.row(item).back() = std::numeric_limits<float>::min();
            }
        }
        longest_item_ = longest_row(items_);
        require(are_finite(0.0), (std::string(model) + too_large).c_str());
        parallel_for(executor, user_item.rows(), 16, [&](std::size_t user) {
            const std::vector<float> row = fold_in(user_item.row(user).columns, user_item.row(user).values);
            std::ranges::copy(row, users_.row(user).begin());
        });
    }

    /// The vector and the bias of a user, with the items fixed: fold_in_epochs passes of descent from zero.
    ///
    /// Shapes    ratings: one per item, without the mean, the bias of the item and what else is fixed
    [[nodiscard]] std::vector<float> learn_user(std::span<const std::uint32_t> history,
                                                std::span<const float> ratings) const {
        std::vector<float> row(items_.cols());
        if (history.empty()) {
            return row;
        }
        const std::span<float> p = std::span(row).first(row.size() - 1);
        float& bias = row.back();
        const float decay = 1.0F - options_.learning_rate * options_.regularisation;
        for (std::size_t epoch = 0; epoch < options_.fold_in_epochs; ++epoch) {
            for (std::size_t i = 0; i < history.size(); ++i) {
                const std::span<const float> q = items_.row(history[i]).first(p.size());
                const float step = options_.learning_rate * (ratings[i] - bias - kernels::dot<Backend>(p, q));
                kernels::scale<Backend>(decay, p);
                kernels::axpy<Backend>(step, q, p);
                bias = decay * bias + step;
            }
        }
        return row;
    }
    [[nodiscard]] std::vector<float> without_means(std::span<const std::uint32_t> history,
                                                   std::span<const float> values) const {
        this->require_history(history, values);
        std::vector<float> ratings(values.begin(), values.end());
        for (std::size_t i = 0; i < history.size(); ++i) {
            ratings[i] -= mean() + items_.row(history[i]).back();
        }
        return ratings;
    }
    void require_finite_scores(std::span<const float> user) const {
        require(are_finite(norm(user)), "fold_in: scores must be finite: learning_rate or a value is too large");
    }

    template <class Writer>
    void write_ratings(Writer& file) const {
        file.value("learning_rate", options_.learning_rate);
        file.value("regularisation", options_.regularisation);
        file.value("fold_in_epochs", std::uint64_t{options_.fold_in_epochs});
        write_range(file);
        this->write_factors(file);
    }
    template <class Reader>
    void read_ratings(const Reader& file, const Histories& histories) {
        options_.learning_rate = file.template value<float>("learning_rate");
        options_.fold_in_epochs = file.template value<std::uint64_t>("fold_in_epochs");
        file.check(math::is_finite(options_.learning_rate) && options_.learning_rate > 0.0F, "learning_rate",
                   "must be finite and > 0");
        options_.regularisation = this->read_regularisation(file, options_.learning_rate);
        file.check(options_.fold_in_epochs >= 1 && options_.fold_in_epochs <= most_epochs, "fold_in_epochs",
                   "must lie in [1, 1000]");
        read_range(file);
        this->read_factors(file, histories);
        file.check(users_.cols() >= 2, "user_factors", "must have at least two columns");
        options_.factors = users_.cols() - 1;
        file.check(options_.factors <= most_factors(histories.users(), histories.items()), "user_factors",
                   "must have at most max(1024, users + items) + 1 columns");
        longest_item_ = longest_row(items_);
        file.check(are_finite(longest_row(users_)), "item_factors", "must be finite and give finite scores");
    }

    static constexpr const char* too_large = ": factors must be finite: learning_rate, stddev or a rating is too large";

    RatingFactorsOptions options_;

private:
    static constexpr std::size_t most_epochs = 1000;  // bounds what one user of a forged file costs
    static constexpr std::span<const float> none{};

    [[nodiscard]] float base_of(std::span<const float> user) const noexcept {
        return user.empty() ? mean() : mean() + user.back();
    }
    [[nodiscard]] float prediction(std::span<const float> user, std::span<const float> item) const noexcept {
        const float product =
            user.empty() ? 0.0F : kernels::dot<Backend>(user.first(user.size() - 1), item.first(item.size() - 1));
        return product + (base_of(user) + item.back());
    }

    // Checks all scores of a user with a row of this length: an inner product is at most the product of the norms.
    [[nodiscard]] bool are_finite(double length) const {
        return math::is_finite(static_cast<float>(static_cast<double>(math::abs(mean())) + length + longest_item_ +
                                                  length * longest_item_));
    }

    double longest_item_ = 0.0;
};

}  // namespace cf
}  // namespace FUNNEL_ABI
}  // namespace funnel
