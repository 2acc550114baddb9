// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/nn/listwise_losses.hpp>
#include <funnel/nn/pairwise_losses.hpp>
#include <funnel/nn/pointwise_losses.hpp>
#include <funnel/ranking/boosting_objective.hpp>
#include <funnel/ranking/feature_bins.hpp>
#include <funnel/ranking/forest.hpp>
#include <funnel/ranking/position_bias.hpp>
#include <funnel/ranking/tree_decision.hpp>
#include <funnel/ranking/tree_ensemble.hpp>
#include <funnel/ranking/tree_growth.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ranking {

struct LambdaMARTOptions {
    BoostingObjective objective = BoostingObjective::LambdaRank;  ///< the loss that is minimized
    std::size_t trees = 100;                                      ///< > 0; fewer with early stopping
    std::size_t leaves = 31;                                      ///< per tree, from 2 to 65536
    double learning_rate = 0.1;                                   ///< > 0
    std::optional<std::size_t> max_depth = {};                    ///< splits from the root to a leaf, > 0
    std::size_t min_rows = 20;        ///< per leaf, > 0; estimated from the second derivatives
    double min_hessian = 1e-3;        ///< sum of the second derivatives per leaf, >= 0
    double l2 = 0.0;                  ///< penalty on leaf values, >= 0
    double min_gain = 0.0;            ///< splits must gain more than this, >= 0
    std::size_t max_bins = 255;       ///< per feature, from 4 to 255
    double row_fraction = 1.0;        ///< of the rows, drawn anew for each tree, in (0, 1]
    double feature_fraction = 1.0;    ///< of the features, drawn anew for each tree, in (0, 1]
    nn::LambdaRank lambda_rank = {};  ///< settings of the objective LambdaRank
    double position_bias_l2 = 0.0;    ///< with positions: penalty on their biases, per row, >= 0
    std::size_t patience = 50;        ///< with validation rows: trees without improvement before training stops, > 0
    std::size_t ndcg_at = 10;         ///< with validation rows: ranks that count, > 0
    std::uint64_t seed = 1;           ///< of the samples, and of the objective XENDCG
};

/// Rows to learn from; a view.
///
/// weights      1 for each row if empty. The derivatives of a row are multiplied by its weight, as in LightGBM. For
///              clicks: 1 over the probability that the position of the row is seen (inverse propensity weighting)
/// positions    where each row was shown, 0 the first; empty if unknown. With positions, a ranking objective learns a
///              bias per position that is added to the scores during training only, so that clicks that are due to a
///              good position do not count as relevance. No probabilities are needed
struct TrainingRows {
    MatrixView<const float> rows;                   ///< n x d, NaN is a missing value
    std::span<const float> labels;                  ///< n
    std::span<const std::size_t> group_sizes = {};  ///< number of rows of each list, in order; empty: one list
    std::span<const float> weights = {};            ///< n or empty, >= 0
    std::span<const std::uint32_t> positions = {};  ///< n or empty, each below n
};

/// Rows to judge a model by while it is trained; a view. Lists and labels as in TrainingRows.
///
/// weights      1 for each row if empty. The loss of a row is multiplied by its weight, and the NDCG of a list by the
///              mean weight of its rows, as in LightGBM
///
/// There are no positions: biases are no part of a model, and NDCG judges the scores of the model. Neither biases nor
/// weights turn NDCG of clicks into NDCG of relevance. Clicks on lists that an old ranking ordered favor that ranking,
/// and training stops too early. Use lists that were shown in random order, or fit without validation rows.
struct ValidationRows {
    MatrixView<const float> rows;                   ///< m x d
    std::span<const float> labels;                  ///< m
    std::span<const std::size_t> group_sizes = {};  ///< number of rows of each list, in order; empty: one list
    std::span<const float> weights = {};            ///< m or empty, >= 0
};

/// LambdaMART: gradient-boosted trees that rank the items of each list. The first choice for a ranker on features.
///
///     score(x) = sum over trees of the value of the leaf of x
///     each tree: leaf value = - learning_rate * G / (H + l2), grown by the gain in G^2 / (H + l2)
///
/// with the sums G and H of the first and second derivatives of the loss over the rows of a leaf. Thresholds are limits
/// of bins. NaN is a missing value: each split sends it to the side where the loss is lower. It is meant for up to a
/// few million rows; a forest of LightGBM or XGBoost can be loaded instead.
///
/// Cost      fit: O(trees n d log(leaves)) time at most, O(n d + leaves d max_bins) memory
/// Source    Burges, "From RankNet to LambdaRank to LambdaMART", 2010;  Ke et al., "LightGBM", NeurIPS 2017
class LambdaMART {
public:
    /// Learns from rows, labels and lists. The result does not depend on the number of threads. Training ends early if
    /// no split is left.
    ///
    /// Errors    InvalidArgument if the shapes do not match, n or d is 0, n is 2^32 or more, a feature is infinite, the
    ///           objective does not accept a label or positions, an option is out of range, or training diverges
    template <Executor E = Serial>
    [[nodiscard]] static LambdaMART fit(const TrainingRows& training, const LambdaMARTOptions& options = {},
                                        E&& executor = E{}) {
        return LambdaMART(training, nullptr, options, executor);
    }

    /// As above, and stops when the validation rows have not improved for `patience` trees. The model keeps the trees
    /// up to the best number. Judged by the mean NDCG of the lists that have a label above 0, or for SquaredError and
    /// Logloss by the mean loss, with weights.
    ///
    /// Errors    InvalidArgument also if there is nothing to judge by: no row, or no such list with a weight above 0
    template <Executor E = Serial>
    [[nodiscard]] static LambdaMART fit(const TrainingRows& training, const ValidationRows& validation,
                                        const LambdaMARTOptions& options = {}, E&& executor = E{}) {
        return LambdaMART(training, &validation, options, executor);
    }

    /// The same without weights and positions.
    template <Executor E = Serial>
    [[nodiscard]] static LambdaMART fit(MatrixView<const float> rows, std::span<const float> labels,
                                        std::span<const std::size_t> group_sizes, const LambdaMARTOptions& options = {},
                                        E&& executor = E{}) {
        return LambdaMART(TrainingRows{rows, labels, group_sizes}, nullptr, options, executor);
    }
    template <Executor E = Serial>
    [[nodiscard]] static LambdaMART fit(MatrixView<const float> rows, std::span<const float> labels,
                                        std::span<const std::size_t> group_sizes, const ValidationRows& validation,
                                        const LambdaMARTOptions& options = {}, E&& executor = E{}) {
        return LambdaMART(TrainingRows{rows, labels, group_sizes}, &validation, options, executor);
    }

    /// The trained forest, which scores rows.
    [[nodiscard]] const Forest& forest() const& noexcept FUNNEL_LIFETIMEBOUND { return forest_; }
    [[nodiscard]] Forest forest() && { return std::move(forest_); }

    /// The mean training loss per row before each tree that was grown.
    [[nodiscard]] std::span<const double> training_losses() const noexcept FUNNEL_LIFETIMEBOUND {
        return training_losses_;
    }
    /// After each tree that was grown: the mean NDCG of the validation rows, or minus their mean loss.
    [[nodiscard]] std::span<const double> validation_scores() const noexcept FUNNEL_LIFETIMEBOUND {
        return validation_scores_;
    }
    /// What each position added to the scores after the last tree; empty without positions. Only differences count.
    [[nodiscard]] std::span<const double> position_biases() const noexcept FUNNEL_LIFETIMEBOUND {
        return position_biases_;
    }

private:
    template <Executor E>
    LambdaMART(const TrainingRows& training, const ValidationRows* validation, const LambdaMARTOptions& options,
               E& executor) {
        check(options);
        const auto& rows = training.rows;
        require(rows.rows() > 0 && rows.cols() > 0, "LambdaMART::fit: rows must have at least one row and one column");
        require_below(rows.rows(), std::numeric_limits<std::uint32_t>::max(), "LambdaMART::fit: number of rows");
        const detail::Objective objective(options.objective, options.lambda_rank, options.seed, training.labels,
                                          training.group_sizes, training.weights, rows.rows(),
                                          "LambdaMART::fit: training rows");
        const auto& positions = training.positions;
        require_equal(positions.size(), positions.empty() ? 0 : rows.rows(), "LambdaMART::fit: number of positions");
        require(positions.empty() || objective.ranks(), "LambdaMART::fit: positions need a ranking objective");
        for (const std::uint32_t position : positions) {
            require_below(position, rows.rows(), "LambdaMART::fit: each position");
        }
        std::optional<detail::Objective> judge;
        if (validation != nullptr) {
            require_equal(validation->rows.cols(), rows.cols(),
                          "LambdaMART::fit: number of columns of the validation rows");
            judge.emplace(options.objective, options.lambda_rank, options.seed, validation->labels,
                          validation->group_sizes, validation->weights, validation->rows.rows(),
                          "LambdaMART::fit: validation rows");
            require(judge->can_judge(),
                    "LambdaMART::fit: validation needs a row, and for a ranking objective a list "
                    "with a label above 0 and a weight above 0");
        }
        const detail::BinnedRows binned(rows, options.max_bins, executor);
        boost(binned, objective, detail::PositionBias(positions, options.learning_rate, options.position_bias_l2),
              validation, judge, options, executor);
    }

    static void check(const LambdaMARTOptions& options) {
        require_at_least(options.trees, 1, "LambdaMART::fit: trees");
        require_between(options.leaves, 2, max_leaves, "LambdaMART::fit: leaves");
        require_positive(options.learning_rate, "LambdaMART::fit: learning_rate");
        require_at_least(options.max_depth.value_or(1), 1, "LambdaMART::fit: max_depth");
        require_at_least(options.min_rows, 1, "LambdaMART::fit: min_rows");
        require_not_negative(options.min_hessian, "LambdaMART::fit: min_hessian");
        require_not_negative(options.l2, "LambdaMART::fit: l2");
        require_not_negative(options.min_gain, "LambdaMART::fit: min_gain");
        require_between(options.max_bins, 4, 255, "LambdaMART::fit: max_bins");
        require_between(options.row_fraction, 0.0, 1.0, "LambdaMART::fit: row_fraction");
        require_positive(options.row_fraction, "LambdaMART::fit: row_fraction");
        require_between(options.feature_fraction, 0.0, 1.0, "LambdaMART::fit: feature_fraction");
        require_positive(options.feature_fraction, "LambdaMART::fit: feature_fraction");
        require_at_least(options.lambda_rank.truncation, 1, "LambdaMART::fit: lambda_rank.truncation");
        require_positive(options.lambda_rank.sigma, "LambdaMART::fit: lambda_rank.sigma");
        require_not_negative(options.position_bias_l2, "LambdaMART::fit: position_bias_l2");
        require_at_least(options.patience, 1, "LambdaMART::fit: patience");
        require_at_least(options.ndcg_at, 1, "LambdaMART::fit: ndcg_at");
    }

    [[nodiscard]] static const char* lightgbm_name(BoostingObjective objective) {
        switch (objective) {
            case BoostingObjective::LambdaRank:
                return "lambdarank";
            case BoostingObjective::XENDCG:
                return "rank_xendcg";
            case BoostingObjective::Logloss:
                return "binary";
            case BoostingObjective::SquaredError:
                break;
        }
        return "regression";
    }

    // A random share of 0 .. n - 1, at least one number, ascending.
    [[nodiscard]] static std::vector<std::uint32_t> sample(std::size_t n, double fraction, Random random) {
        const auto wanted = static_cast<std::size_t>(math::round(fraction * static_cast<double>(n)));
        std::size_t needed = std::clamp<std::size_t>(wanted, 1, n);
        std::vector<std::uint32_t> drawn;
        drawn.reserve(needed);
        for (std::size_t i = 0; needed > 0; ++i) {
            if (needed == n - i || random.below(n - i) < needed) {  // selection sampling
                drawn.push_back(static_cast<std::uint32_t>(i));
                --needed;
            }
        }
        return drawn;
    }

    template <Executor E>
    void boost(const detail::BinnedRows& binned, const detail::Objective& objective, detail::PositionBias bias,
               const ValidationRows* validation, const std::optional<detail::Objective>& judge,
               const LambdaMARTOptions& options, E& executor) {
        const std::size_t n = binned.rows();
        const bool is_sampled = options.row_fraction < 1.0 || options.feature_fraction < 1.0;
        TreeEnsemble ensemble;
        ensemble.features = binned.features();
        ensemble.link = options.objective == BoostingObjective::Logloss ? TreeLink::Sigmoid : TreeLink::Identity;
        ensemble.objective = lightgbm_name(options.objective);
        detail::TreeGrower grower(binned, {.leaves = options.leaves,
                                           .max_depth = options.max_depth.value_or(max_leaves),
                                           .learning_rate = options.learning_rate,
                                           .rules = {.min_rows = options.min_rows,
                                                     .min_hessian = options.min_hessian,
                                                     .l2 = options.l2,
                                                     .min_gain = options.min_gain}});
        const double start = objective.best_constant();
        std::vector<double> scores(n, start);
        std::vector<double> judged(validation != nullptr ? validation->rows.rows() : 0, 0.0);
        std::vector<detail::RowGradient> gradients(n);
        std::size_t best = 0;
        for (std::size_t t = 0; t < options.trees; ++t) {
            training_losses_.push_back(objective.derive(bias.add_to(scores), t, gradients, executor));
            bias.update(gradients);
            require(math::is_finite(training_losses_.back()) && math::all_finite(bias.biases()),
                    "LambdaMART::fit: training diverged; try a smaller sigma or position_bias_l2");
            const auto rows = sample(n, options.row_fraction, Random(options.seed, stream("lambdamart.rows"), t));
            const auto features = sample(binned.features(), options.feature_fraction,
                                         Random(options.seed, stream("lambdamart.features"), t));
            Tree tree = grower.grow(gradients, rows, features, executor);
            if (tree.splits.empty()) {
                tree.leaf_values[0] = 0.0;
            }
            // The first tree carries the constant, so that the forest is nothing but trees.
            for (double& value : tree.leaf_values) {
                value += t == 0 ? start : 0.0;
                require(math::is_finite(value), "LambdaMART::fit: training diverged; try a smaller learning_rate");
            }
            add(grower, tree, rows, t == 0, scores, executor);
            const bool is_stuck = tree.splits.empty() && !is_sampled;
            ensemble.trees.push_back(std::move(tree));
            report_progress(executor, "LambdaMART", t + 1, options.trees);
            if (validation != nullptr) {
                parallel_for(executor, judged.size(), 1024, [&](std::size_t i) {
                    const Tree& last = ensemble.trees.back();
                    judged[i] += last.leaf_values[detail::leaf_of(ensemble, last, validation->rows.row(i))];
                });
                validation_scores_.push_back(judge->judge(judged, options.ndcg_at, executor));
                best = validation_scores_[t] > validation_scores_[best] ? t : best;
                if (t - best >= options.patience) {
                    break;
                }
            }
            if (is_stuck) {
                break;
            }
        }
        if (validation != nullptr) {
            ensemble.trees.resize(best + 1);
        }
        forest_ = Forest(std::move(ensemble));
        position_biases_.assign(bias.biases().begin(), bias.biases().end());
    }

    // Adds the last tree to the scores of all rows. The first tree replaces them: it carries the constant.
    template <Executor E>
    static void add(const detail::TreeGrower& grower, const Tree& tree, std::span<const std::uint32_t> rows,
                    bool is_first, std::span<double> scores, E& executor) {
        if (is_first) {
            std::fill(scores.begin(), scores.end(), 0.0);
        }
        if (rows.size() == scores.size()) {
            grower.for_each_row([&](std::size_t row, std::size_t leaf) { scores[row] += tree.leaf_values[leaf]; });
            return;
        }
        parallel_for(executor, scores.size(), 1024,
                     [&](std::size_t row) { scores[row] += tree.leaf_values[grower.leaf_of(tree, row)]; });
    }

    Forest forest_;
    std::vector<double> training_losses_;
    std::vector<double> validation_scores_;
    std::vector<double> position_biases_;
};

}  // namespace ranking
}  // namespace FUNNEL_ABI
}  // namespace funnel
