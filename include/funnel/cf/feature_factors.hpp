// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/sparse.hpp>
#include <funnel/kernels/axpy.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/scale.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace cf {

/// How the factors of features learn beside stochastic gradient descent; see FeatureFactors.
struct FeatureDescentOptions {
    std::size_t factors = 0;    ///< numbers per row that are drawn; the rest starts at 0
    float stddev = 0.1F;        ///< length of the initial rows
    float most_steps = 64.0F;   ///< > 0: the steps of a round that a feature may take at once
    bool keep_own_rows = true;  ///< false: the row of an item is the sum of its features and nothing else
    std::uint64_t seed = 1;
    Stream stream = {};
};

/// The factors of the features of users, or of items, while they learn.
///
///     row_i = own_i + sum over features f of x_if e_f
///
/// Stochastic gradient descent in blocks (SGDBlocks) changes row_i as that of any model: no step touches a feature, so
/// blocks stay apart. After each round, each feature takes the steps of its items,
///
///     e_f += share_f  sum over i of x_if step_i,    share_f = min(1, most_steps / a_f)
///     a_f  = sum over i of n_i |x_if| sum over features g of |x_ig|
///
/// and each row moves with its features. step_i is what the round changed in row_i: its n_i steps, summed. A rare
/// feature (a_f <= most_steps) gets the whole sum, as if it had taken each step. A frequent one would overshoot,
/// because the steps of a round do not know of each other; it gets most_steps times their weighted mean. a_f bounds
/// the curvature along all features at once: it is the row sum of X' diag(n) X, with the values' absolute.
///
/// The order of all sums is fixed, so results do not depend on the number of threads.
///
/// Cost      per round: O(entries of the features x factors), twice;  memory: a copy of the rows and two of the factors
/// Source    the model: Kula, "Metadata embeddings for user and item cold-start recommendations", CBRecSys 2015;  the
///           schedule: ours
template <kernels::HostBackend Backend>
class FeatureFactors {
public:
    /// Draws the factors of features that any row with steps has, and adds them to the rows. Those that are known and
    /// not zero are taken as they are.
    ///
    /// Shapes    features: a row per row of rows, finite (not checked);  steps: per row, those of one round, about;
    ///           known: at most as many rows as there are features, as wide as rows (not checked)
    template <Executor E>
    FeatureFactors(const CSRMatrix<float>& features FUNNEL_LIFETIMEBOUND, Matrix<float>& rows FUNNEL_LIFETIMEBOUND,
                   std::span<const double> steps, const Matrix<float>& known, const FeatureDescentOptions& options,
                   E& executor)
        : features_(&features),
          rows_(&rows),
          keep_own_rows_(options.keep_own_rows),
          holders_(features.transposed()),
          shares_(features.cols()),
          factors_(features.cols(), rows.cols()),
          changes_(features.cols(), rows.cols()) {
        FUNNEL_ASSERT(features.rows() == rows.rows() && steps.size() == rows.rows());
        FUNNEL_ASSERT(known.rows() <= features.cols() && (known.rows() == 0 || known.cols() == rows.cols()));
        const auto weight = [](const SparseRow<float>& row) {
            double sum = 0.0;
            for (const float x : row.values) {
                sum += std::abs(static_cast<double>(x));
            }
            return sum;
        };
        std::vector<double> weights(rows.rows());
        parallel_for(executor, rows.rows(), 64,
                     [&](std::size_t i) { weights[i] = steps[i] * weight(features.row(i)); });
        parallel_for(executor, features.cols(), 64, [&](std::size_t feature) {
            const SparseRow<float> holders = holders_.row(feature);
            double bound = 0.0;
            for (std::size_t at = 0; at < holders.size(); ++at) {
                bound += weights[holders.columns[at]] * std::abs(static_cast<double>(holders.values[at]));
            }
            if (bound > 0.0) {
                shares_[feature] = static_cast<float>(std::min(1.0, static_cast<double>(options.most_steps) / bound));
                start(feature, known, options);
            }
        });
        parallel_for(executor, rows.rows(), 64, [&](std::size_t i) {
            if (!keep_own_rows_) {
                std::ranges::fill(rows.row(i), 0.0F);
            }
            add_sum(factors_, features.row(i), rows.row(i));
        });
        before_ = rows;
    }

    /// Lets the features take the steps of the rows since the last call.
    template <Executor E>
    void end_round(E& executor) {
        parallel_for(executor, rows_->rows(), 64, [&](std::size_t i) {
            const std::span<float> row = rows_->row(i);
            std::ranges::transform(row, std::as_const(before_).row(i), row.begin(), std::minus<>{});
        });
        parallel_for(executor, factors_.rows(), 16, [&](std::size_t feature) {
            const std::span<float> change = changes_.row(feature);
            std::ranges::fill(change, 0.0F);
            if (shares_[feature] > 0.0F) {
                add_sum(*rows_, holders_.row(feature), change);
                kernels::scale<Backend>(shares_[feature], change);
                kernels::axpy<Backend>(1.0F, change, factors_.row(feature));
            }
        });
        parallel_for(executor, rows_->rows(), 64, [&](std::size_t i) {
            const std::span<float> row = rows_->row(i);
            const std::span<float> before = before_.row(i);
            if (keep_own_rows_) {
                kernels::axpy<Backend>(1.0F, row, before);
            }
            add_sum(changes_, features_->row(i), before);
            std::ranges::copy(before, row.begin());
        });
    }

    /// A row per feature. Features that no row with steps has are 0.
    [[nodiscard]] Matrix<float> factors() && { return std::move(factors_); }

    /// sum += the sum of weighted rows.
    static void add_sum(const Matrix<float>& rows, const SparseRow<float>& weights, std::span<float> sum) noexcept {
        for (std::size_t at = 0; at < weights.size(); ++at) {
            kernels::axpy<Backend>(weights.values[at], rows.row(weights.columns[at]), sum);
        }
    }

private:
    void start(std::size_t feature, const Matrix<float>& known, const FeatureDescentOptions& options) {
        if (feature < known.rows() &&
            std::ranges::any_of(known.row(feature), [](const float& x) { return x != 0.0F; })) {
            std::ranges::copy(known.row(feature), factors_.row(feature).begin());
            return;
        }
        Random random(options.seed, options.stream, feature);
        const double scale = static_cast<double>(options.stddev) / math::sqrt(static_cast<double>(options.factors));
        for (float& x : factors_.row(feature).first(options.factors)) {
            x = static_cast<float>(scale * random.normal());
        }
    }

    const CSRMatrix<float>* features_;
    Matrix<float>* rows_;
    bool keep_own_rows_;
    CSRMatrix<float> holders_;  // features x rows
    std::vector<float> shares_;
    Matrix<float> factors_;
    Matrix<float> changes_;  // of the factors, in the last round
    Matrix<float> before_;   // the rows after the last round
};

}  // namespace cf
}  // namespace FUNNEL_ABI
}  // namespace funnel
