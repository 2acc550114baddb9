// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/cf/als_sweep.hpp>
#include <funnel/cf/factor_scorer.hpp>
#include <funnel/cf/histories.hpp>
#include <funnel/cf/model.hpp>
#include <funnel/cf/normal_equations.hpp>
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
#include <funnel/kernels/axpy.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/linalg/nonnegative_least_squares.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace cf {

struct NMFOptions {
    std::size_t factors = 32;     ///< > 0, length of the vectors; at most max(1024, users + items)
    float lambda = 1.0F;          ///< >= 0, L2 penalty: takes about this much off each singular value
    std::size_t iterations = 50;  ///< number of sweeps over both sides
    bool use_values = false;      ///< false: values > 0 count as 1
    std::uint64_t seed = 1;       ///< seed of the initial factors
};

/// The learned part of NMF: a row of factors >= 0 per user and per item.
template <kernels::HostBackend Backend = kernels::DefaultBackend>
class NMFScorer : public FactorScorer<Backend> {
public:
    using Options = NMFOptions;
    static constexpr std::string_view kind = "cf.NMF";
    static constexpr bool needs_history = true;
    static constexpr bool reads_values = true;

    using FactorScorer<Backend>::items;
    using FactorScorer<Backend>::item_factors;
    [[nodiscard]] NMFOptions options() const noexcept { return options_; }

    /// The row of a user with this history: non-negative least squares with the items fixed, from zero. fit() gives
    /// each training user this row.
    ///
    /// Shapes    history: item ids;  values: one per item
    /// Cost      O(|history| d + passes d^2), passes <= 1000
    /// Errors    InvalidArgument if an item is unknown, there are more or fewer values than items, or scores would not
    ///           be finite
    [[nodiscard]] std::vector<float> fold_in_factors(std::span<const std::uint32_t> history,
                                                     std::span<const float> values) const {
        this->require_history(history, values);
        std::vector<float> row(items_.cols());
        std::vector<float> sum;
        improve({history, values}, item_factors(), gram_, options_, {.passes = 1000, .tolerance = 1e-6F}, sum, row);
        require(math::all_finite(row) && math::is_finite(static_cast<float>(norm(row) * longest_item_)),
                "fold_in: scores must be finite: a value is too large");
        return row;
    }

    /// A user row is linear in the history as long as the same factors are 0, so each item has a share in each score.
    ///
    /// Returns   the k history items that add most to the score, and what each adds, largest first. With k >=
    ///           |history|, the shares sum to the score, up to rounding and the accuracy of the row
    /// Cost      O(d^3 + |history| d)
    /// Errors    InvalidArgument if the item is unknown, or the factors of the user depend on each other: lambda is 0
    [[nodiscard]] std::vector<Scored<>> explain_for(const Profile& profile, std::uint32_t item, std::size_t k) const {
        require_below(item, items(), "explain: item");
        std::vector<std::size_t> used;
        for (std::size_t f = 0; f < profile.factors.size(); ++f) {
            if (profile.factors[f] > 0.0F) {
                used.push_back(f);
            }
        }
        const Eigen::Index count = eigen_index(used.size());
        Eigen::MatrixXf system(count, count);
        std::vector<float> weighed(used.size());
        for (std::size_t a = 0; a < used.size(); ++a) {
            weighed[a] = items_.row(item)[used[a]];
            for (std::size_t b = 0; b < used.size(); ++b) {
                system(eigen_index(a), eigen_index(b)) = gram_(eigen_index(used[a]), eigen_index(used[b]));
            }
        }
        Eigen::VectorXf scratch;
        require(used.empty() || detail::solve_symmetric(system, weighed, scratch),
                "explain: the factors of a user must not depend on each other: lambda is too small");
        return largest_shares(profile.history, k, [&](std::uint32_t from) {
            float share = 0.0F;
            for (std::size_t a = 0; a < used.size(); ++a) {
                share += weighed[a] * items_.row(from)[used[a]];
            }
            return share * target(value_in_history(profile, from), options_);
        });
    }

    template <data::InteractionLog Log, Executor E>
    static NMFScorer learn(const Log&, const CSRMatrix<float>& user_item, const NMFOptions& options, E& executor) {
        return NMFScorer().sweep(user_item, options, executor);
    }

    /// From the factors at hand: rows that are zero, such as those of new users and items, are drawn first.
    template <data::InteractionLog Log, Executor E>
    [[nodiscard]] NMFScorer relearn(const Log&, const CSRMatrix<float>& user_item, const NMFOptions& options,
                                    E& executor) const {
        require_equal(options.factors, options_.factors, "NMF: factors of an update");
        return sweep(user_item, options, executor);
    }

    template <class Writer>
    void write(Writer& file) const {
        file.value("lambda", options_.lambda);
        file.value("use_values", std::uint32_t{options_.use_values ? 1U : 0U});
        this->write_factors(file);
    }

    template <class Reader>
    static NMFScorer read(const Reader& file, const Histories& histories) {
        NMFScorer scorer;
        NMFOptions& options = scorer.options_;
        options.lambda = file.template value<float>("lambda");
        file.check(math::is_finite(options.lambda) && options.lambda >= 0.0F, "lambda", "must be finite and >= 0");
        const auto use_values = file.template value<std::uint32_t>("use_values");
        file.check(use_values <= 1, "use_values", "must be 0 or 1");
        options.use_values = use_values == 1;
        scorer.read_factors(file, histories);
        options.factors = scorer.users_.cols();
        file.check(options.factors > 0, "user_factors", "must have at least one column");
        file.check(options.factors <= most_factors(histories.users(), histories.items()), "user_factors",
                   "must have at most max(1024, users + items) columns");
        scorer.longest_item_ = longest_row(scorer.items_);
        file.check(scorer.is_valid(), "item_factors", "must be finite and >= 0, and give finite scores");
        Serial serial;
        scorer.gram_ = penalized_gram(scorer.item_factors(), options, serial);
        return scorer;
    }

private:
    NMFScorer() = default;

    // The scorer that sweeps over user_item lead to, from the factors of this one.
    template <Executor E>
    [[nodiscard]] NMFScorer sweep(const CSRMatrix<float>& user_item, const NMFOptions& options, E& executor) const {
        require_between(options.factors, 1, most_factors(user_item.rows(), user_item.cols()), "NMF: factors");
        require_not_negative(options.lambda, "NMF: lambda");
        const CSRMatrix<float> item_user = user_item.transposed();
        NMFScorer scorer;
        scorer.options_ = options;
        const double scale = first_scale(user_item, options);
        scorer.users_ = started(users_, user_item, options, scale, stream("nmf.users"), executor);
        scorer.items_ = started(items_, item_user, options, scale, stream("nmf.items"), executor);
        for (std::size_t iteration = 0; iteration < options.iterations; ++iteration) {
            report_progress(executor, "NMF: iterations", iteration, options.iterations);
            half_sweep(item_user, scorer.users_.view(), scorer.items_.view(), options, executor);
            half_sweep(user_item, scorer.items_.view(), scorer.users_.view(), options, executor);
        }
        report_progress(executor, "NMF: iterations", options.iterations, options.iterations);
        scorer.longest_item_ = longest_row(scorer.items_);
        scorer.gram_ = penalized_gram(scorer.item_factors(), options, executor);
        parallel_for(executor, user_item.rows(), 16, [&](std::size_t user) {
            const SparseRow<float> row = user_item.row(user);
            const std::vector<float> factors = scorer.fold_in_factors(row.columns, row.values);
            std::ranges::copy(factors, scorer.users_.row(user).begin());
        });
        require(scorer.is_valid(), "NMF: factors and scores must be finite: a value is too large");
        return scorer;
    }

    [[nodiscard]] static float target(float value, const NMFOptions& options) noexcept {
        return value > 0.0F ? (options.use_values ? value : 1.0F) : 0.0F;
    }

    struct Effort {
        std::size_t passes;
        float tolerance;
    };

    // Improves a row for fixed y with this gram; sum is memory that is used again.
    static void improve(const SparseRow<float>& observed, MatrixView<const float> y, const Eigen::MatrixXf& gram,
                        const NMFOptions& options, Effort effort, std::vector<float>& sum, std::span<float> row) {
        sum.assign(y.cols(), 0.0F);
        for (std::size_t i = 0; i < observed.size(); ++i) {
            if (const float value = target(observed.values[i], options); value > 0.0F) {
                kernels::axpy<Backend>(value, y.row(observed.columns[i]), sum);
            }
        }
        require(math::all_finite(sum), "NMF: sums of factors must be finite: a value is too large");
        const MatrixView<const float> symmetric(std::span(gram.data(), y.cols() * y.cols()), y.cols(), y.cols());
        linalg::improve_nonnegative<Backend>(symmetric, sum, row, effort.passes, effort.tolerance);
    }

    // Such that the first scores have the mean of the matrix: a product of two factors is scale^2 / 4 in the mean.
    [[nodiscard]] static double first_scale(const CSRMatrix<float>& user_item, const NMFOptions& options) {
        double sum = 0.0;
        for (const float value : user_item.values()) {
            sum += static_cast<double>(target(value, options));
        }
        const double pairs = static_cast<double>(user_item.rows()) * static_cast<double>(user_item.cols());
        return sum > 0.0 ? 2.0 * math::sqrt(sum / pairs / static_cast<double>(options.factors)) : 0.0;
    }

    // The known rows, and uniform numbers in place of rows of zeros, each row from its own index. Rows without
    // observations are 0.
    template <Executor E>
    [[nodiscard]] static Matrix<float> started(const Matrix<float>& known, const CSRMatrix<float>& observed,
                                               const NMFOptions& options, double scale, Stream start, E& executor) {
        Matrix<float> rows(observed.rows(), options.factors);
        parallel_for(executor, rows.rows(), 64, [&](std::size_t index) {
            if (observed.row(index).size() == 0) {
                return;
            }
            if (has_row(known, index, 0)) {
                std::ranges::copy(known.row(index), rows.row(index).begin());
                return;
            }
            Random random(options.seed, start, index);
            for (float& x : rows.row(index)) {
                x = static_cast<float>(scale * random.uniform());
            }
        });
        return rows;
    }

    // y^T y + lambda I.
    template <Executor E>
    [[nodiscard]] static Eigen::MatrixXf penalized_gram(MatrixView<const float> y, const NMFOptions& options,
                                                        E& executor) {
        Eigen::MatrixXf gram = als_gram(y, 1.0F, executor);
        gram.diagonal().array() += options.lambda;
        require(math::all_finite({gram.data(), static_cast<std::size_t>(gram.size())}),
                "NMF: sums of squared factors must be finite: a value or lambda is too large");
        return gram;
    }

    // Improves every row of x by some passes, for fixed y. Rows are independent.
    template <Executor E>
    static void half_sweep(const CSRMatrix<float>& observed, MatrixView<const float> y, MatrixView<float> x,
                           const NMFOptions& options, E& executor) {
        const Eigen::MatrixXf gram = penalized_gram(y, options, executor);
        std::vector<std::vector<float>> sums(executor.concurrency());
        executor.for_range(x.rows(), 16, [&](std::size_t begin, std::size_t end, std::size_t worker) {
            for (std::size_t row = begin; row < end; ++row) {
                improve(observed.row(row), y, gram, options, {.passes = 2, .tolerance = 0.0F}, sums[worker],
                        x.row(row));
            }
        });
    }

    // Checks all factors, all scores and all sums of fold_in: an inner product is at most the product of the norms.
    [[nodiscard]] bool is_valid() const {
        const auto are_positive = [](const Matrix<float>& rows) {
            for (std::size_t i = 0; i < rows.rows(); ++i) {
                if (!std::ranges::all_of(rows.row(i), [](const float& x) { return x >= 0.0F; })) {
                    return false;
                }
            }
            return true;
        };
        const double sums = static_cast<double>(items_.rows()) * longest_item_ * longest_item_;
        return are_positive(users_) && are_positive(items_) &&
               math::is_finite(static_cast<float>(longest_row(users_) * longest_item_)) &&
               math::is_finite(static_cast<float>(sums + static_cast<double>(options_.lambda)));
    }

    using FactorScorer<Backend>::has_row;
    using FactorScorer<Backend>::norm;
    using FactorScorer<Backend>::longest_row;
    using FactorScorer<Backend>::most_factors;
    using FactorScorer<Backend>::users_;
    using FactorScorer<Backend>::items_;

    NMFOptions options_;
    Eigen::MatrixXf gram_;  // H^T H + lambda I of the item factors H, for fold_in and explain
    double longest_item_ = 0.0;
};

/// Non-negative matrix factorization: learns vectors without negative numbers, so a user is a mixture of tastes, and
/// each taste is a list of items.
///
///     min over w >= 0, h >= 0 of  sum over all (u, i) of (x_ui - w_u . h_i)^2
///                                 + lambda (sum over u of |w_u|^2 + sum over i of |h_i|^2)
///
/// x is 1 where the user likes the item (a value > 0), else 0; with use_values, it is the value. All pairs count: the
/// zeros through H^T H, so they cost nothing. Each iteration improves all items, then all users, one factor after the
/// other (HALS), and never raises the sum. At last, each user is solved for the final items, so fold_in of a training
/// user gives that user's row, to the bit. update() takes more sweeps from the factors at hand.
///
/// Shapes    item_factors(), user_factors(): rows of `factors` floats >= 0; in an ANN index, use the inner product
/// Cost      fit: d (nonzeros + 2 d rows) per half of an iteration;  recommend: items x factors
/// Source    Lee, Seung, "Algorithms for non-negative matrix factorization", NIPS 2000 (the problem);  Cichocki, Phan,
///           "Fast local algorithms for large scale nonnegative matrix and tensor factorizations", IEICE 2009 (HALS)
template <kernels::HostBackend Backend = kernels::DefaultBackend>
using BasicNMF = Model<NMFScorer<Backend>>;

using NMF = BasicNMF<>;

}  // namespace cf
}  // namespace FUNNEL_ABI
}  // namespace funnel
