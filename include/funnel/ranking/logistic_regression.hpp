// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/features/feature_rows.hpp>
#include <funnel/features/standardised_rows.hpp>
#include <funnel/io/container.hpp>
#include <funnel/nn/adagrad.hpp>
#include <funnel/nn/dense_optimiser.hpp>
#include <funnel/nn/update_rule.hpp>
#include <funnel/ranking/binary_labels.hpp>
#include <funnel/ranking/row_descent.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ranking {

struct LogisticRegressionOptions {
    std::size_t epochs = 100;      ///< passes over all rows; 0 gives the initial model, all zeros
    float learning_rate = 0.1F;    ///< > 0
    float l2 = 1e-4F;              ///< L2 penalty, see the formula; keeps weights finite on separable data
    std::size_t batch_size = 256;  ///< rows per step, > 0; the number of rows gives plain gradient descent
    std::uint64_t seed = 1;        ///< seed of the row order
};

/// One label in [0, 1] and one weight >= 0 per row. Watch times become such labels (watch_time.hpp).
struct WeightedLabels {
    // A constructor, because {} must go on to mean no labels.
    WeightedLabels(std::span<const float> label_of, std::span<const float> weight_of) noexcept
        : labels(label_of), weights(weight_of) {}

    std::span<const float> labels;
    std::span<const float> weights;
};

/// Logistic regression: predicts the probability of a click (or like, or sale) from a weighted sum of features. Try it
/// first, as a baseline for other rankers.
///
///     logit(x) = b + sum over features j of w_j z_j,   z_j = (x_j - mean_j) / scale_j
///     b, w = argmin of the mean over rows of logloss(logit(x), y) + l2 / 2 |w|^2
///
/// The model standardizes features with the mean and the standard deviation of the training rows, so their units do not
/// matter and their weights are comparable. A feature that is constant in training gets scale 1 and weight 0.
///
/// Cost      fit: O(epochs n d) time, O(n + d (1 + batch_size / 256)) memory; sparse rows: O(epochs (stored entries +
///           d n / batch_size)) time
/// Source    Hastie et al., "The elements of statistical learning", 2009 (4.4)
class LogisticRegression {
public:
    /// Learns from rows and labels. The result does not depend on the number of threads. Dense and sparse rows give the
    /// same result up to rounding. Rule is that of the steps, such as nn::SGDRule; options hold its learning rate.
    ///
    /// Shapes    rows: n x d, a MatrixView<const float> or a CSRMatrix<float>, n > 0;  labels: n, each 0 or 1
    /// Errors    InvalidArgument if the shapes do not match, a label is neither 0 nor 1, a feature is not finite, an
    ///           option is out of range, or training diverges
    template <nn::UpdateRule Rule = nn::AdagradRule, Executor E = Serial>
    [[nodiscard]] static LogisticRegression fit(features::FeatureRows rows, std::span<const float> labels,
                                                const LogisticRegressionOptions& options = {}, E&& executor = E{}) {
        detail::require_binary_labels(labels, rows.rows(), "LogisticRegression::fit");
        return fit_weighted<Rule>(rows, WeightedLabels(labels, {}), options, executor);
    }

    /// The same with soft labels and weights: minimizes the mean over rows of weight logloss(logit(x), y), plus the
    /// penalty.
    ///
    /// Errors    as above, and InvalidArgument if a label is not in [0, 1] or a weight is not finite and >= 0
    template <nn::UpdateRule Rule = nn::AdagradRule, Executor E = Serial>
    [[nodiscard]] static LogisticRegression fit(features::FeatureRows rows, const WeightedLabels& labels,
                                                const LogisticRegressionOptions& options = {}, E&& executor = E{}) {
        require_equal(labels.labels.size(), rows.rows(), "LogisticRegression::fit: number of labels");
        require_equal(labels.weights.size(), rows.rows(), "LogisticRegression::fit: number of weights");
        for (std::size_t i = 0; i < rows.rows(); ++i) {
            require_between(labels.labels[i], 0.0, 1.0, "LogisticRegression::fit: a label");
            require_not_negative(labels.weights[i], "LogisticRegression::fit: a weight");
        }
        return fit_weighted<Rule>(rows, labels, options, executor);
    }

    LogisticRegression(const LogisticRegression&) = default;
    LogisticRegression(LogisticRegression&&) noexcept = default;
    LogisticRegression& operator=(const LogisticRegression& other) {  // strong guarantee
        return *this = LogisticRegression(other);
    }
    LogisticRegression& operator=(LogisticRegression&& other) noexcept {
        LogisticRegression taken(std::move(other));
        std::swap(bias_, taken.bias_);
        std::swap(origin_, taken.origin_);
        weights_.swap(taken.weights_);
        means_.swap(taken.means_);
        scales_.swap(taken.scales_);
        return *this;
    }
    ~LogisticRegression() = default;

    /// The logits of n rows; higher means more likely.
    ///
    /// Returns   finite numbers: logits are clamped to the range of float
    /// Cost      O(n d); sparse rows: O(stored entries)
    /// Errors    InvalidArgument if the number of features differs from training, or a feature is not finite
    [[nodiscard]] std::vector<float> score(features::FeatureRows rows) const {
        return each(rows, [](double logit) { return logit; });
    }

    /// The probabilities, in [0, 1].
    ///
    /// Cost, Errors    as score()
    [[nodiscard]] std::vector<float> predict(features::FeatureRows rows) const { return each(rows, detail::logistic); }

    [[nodiscard]] std::size_t features() const noexcept { return weights_.size(); }
    [[nodiscard]] float bias() const noexcept { return bias_; }
    /// How much the logit rises if a feature rises by one standard deviation; one weight per feature.
    [[nodiscard]] std::span<const float> weights() const noexcept FUNNEL_LIFETIMEBOUND {
        return {weights_.data(), weights_.size()};
    }
    [[nodiscard]] std::span<const float> means() const noexcept FUNNEL_LIFETIMEBOUND {
        return {means_.data(), means_.size()};
    }
    [[nodiscard]] std::span<const float> scales() const noexcept FUNNEL_LIFETIMEBOUND {
        return {scales_.data(), scales_.size()};
    }

    /// Errors    IOError
    void save(const std::string& path) const {
        io::ContainerWriter file(kind, layout_version);
        file.value("bias", bias_);
        file.array("weights", weights_);
        file.array("means", means_);
        file.array("scales", scales_);
        file.save(path);
    }

    /// Errors    IOError;  CorruptData if the file is damaged or holds something else
    [[nodiscard]] static LogisticRegression load(const std::string& path) {
        const io::ContainerReader file(path, kind, layout_version);
        LogisticRegression model;
        model.bias_ = file.value<float>("bias");
        model.weights_ = file.array<float>("weights");
        model.means_ = file.array<float>("means", model.weights_.size());
        model.scales_ = file.array<float>("scales", model.weights_.size());
        file.check(model.is_finite(), "weights", "bias, weights and means must be finite");
        file.check(std::all_of(model.scales_.begin(), model.scales_.end(),
                               [](const float& x) { return math::is_finite(x) && x > 0.0F; }),
                   "scales", "must be finite and > 0");
        model.find_origin();
        return model;
    }

private:
    static constexpr std::string_view kind = "ranking.Logistic";
    static constexpr std::uint32_t layout_version = 1;

    LogisticRegression() = default;

    // Without weights, each row has weight 1.
    template <class Rule, class E>
    [[nodiscard]] static LogisticRegression fit_weighted(const features::FeatureRows& rows,
                                                         const WeightedLabels& labels,
                                                         const LogisticRegressionOptions& options, E& executor) {
        require_positive(options.learning_rate, "LogisticRegression::fit: learning_rate");
        require_not_negative(options.l2, "LogisticRegression::fit: l2");
        require_at_least(options.batch_size, 1, "LogisticRegression::fit: batch_size");
        require(rows.rows() > 0, "LogisticRegression::fit: rows must have at least one row");
        for (std::size_t i = 0; i < rows.rows(); ++i) {
            features::detail::require_finite_row(rows, i, "LogisticRegression::fit");
        }

        const features::detail::StandardisedRows standardised_rows(rows);
        LogisticRegression model;
        model.means_ = standardised_rows.means();
        model.scales_ = standardised_rows.scales();
        model.descend<Rule>(standardised_rows, labels, options, executor);
        require(model.is_finite(), "LogisticRegression::fit: training diverged; try a smaller learning_rate");
        model.find_origin();
        return model;
    }

    [[nodiscard]] bool is_finite() const noexcept {
        return math::is_finite(bias_) && math::all_finite(weights_) && math::all_finite(means_);
    }

    void find_origin() noexcept {
        origin_ = static_cast<double>(bias_);
        for (std::size_t j = 0; j < features(); ++j) {
            origin_ += static_cast<double>(weights_[j]) * features::detail::standardised(0.0F, means_[j], scales_[j]);
        }
    }

    template <class Rule, class E>
    void descend(const features::detail::StandardisedRows& rows, const WeightedLabels& labels,
                 const LogisticRegressionOptions& options, E& executor) {
        constexpr std::size_t grain =
            256;  // rows per chunk; fixed, so that sums do not depend on the number of threads
        const std::size_t n = rows.rows();
        const std::size_t d = rows.cols();

        std::vector<std::size_t> order(n);
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::vector<float> parameters(d + 1);  // the weights, then the bias
        auto optimiser = detail::optimiser_of<Rule>(d + 1, options.learning_rate);
        const std::size_t largest_batch = std::min(options.batch_size, n);
        Matrix<double> partial((largest_batch - 1) / grain + 1, d + 1);  // one gradient per chunk of a batch
        std::vector<float> gradient(d + 1);

        for (std::size_t epoch = 0; epoch < options.epochs; ++epoch) {
            Random(options.seed, stream("logistic_regression.order"), epoch).shuffle(std::span(order));
            for (std::size_t first = 0; first < n; first += largest_batch) {
                const auto batch = std::span(order).subspan(first, std::min(largest_batch, n - first));
                auto base = static_cast<double>(parameters[d]);
                if (rows.is_sparse()) {
                    for (std::size_t j = 0; j < d; ++j) {
                        base -= static_cast<double>(parameters[j]) * rows.shift(j);
                    }
                }
                executor.for_range(batch.size(), grain, [&](std::size_t begin, std::size_t end, std::size_t) {
                    const auto chunk = partial.row(begin / grain);
                    std::fill(chunk.begin(), chunk.end(), 0.0);
                    for (const std::size_t i : batch.subspan(begin, end - begin)) {
                        double logit = base;
                        rows.for_each(
                            i, [&](std::size_t j, double z) { logit += static_cast<double>(parameters[j]) * z; });
                        const double weight = labels.weights.empty() ? 1.0 : static_cast<double>(labels.weights[i]);
                        const double error = weight * (detail::logistic(logit) - static_cast<double>(labels.labels[i]));
                        rows.for_each(i, [&](std::size_t j, double z) { chunk[j] += error * z; });
                        chunk[d] += error;
                    }
                });
                const auto sum_of = [&](std::size_t j) {
                    double sum = 0.0;
                    for (std::size_t chunk = 0; chunk * grain < batch.size(); ++chunk) {
                        sum += partial(chunk, j);
                    }
                    return sum;
                };
                const double errors = sum_of(d);
                for (std::size_t j = 0; j < d; ++j) {
                    const double sum = sum_of(j) - rows.shift(j) * errors;
                    gradient[j] =
                        static_cast<float>(sum / static_cast<double>(batch.size()) +
                                           static_cast<double>(options.l2) * static_cast<double>(parameters[j]));
                }
                gradient[d] = static_cast<float>(errors / static_cast<double>(batch.size()));
                optimiser.step(parameters, gradient);
            }
            report_progress(executor, "LogisticRegression", epoch + 1, options.epochs);
        }
        bias_ = parameters.back();
        parameters.pop_back();
        weights_ = std::move(parameters);
    }

    template <class Link>
    [[nodiscard]] std::vector<float> each(const features::FeatureRows& rows, Link&& link) const {
        require_equal(rows.cols(), features(), "LogisticRegression: number of columns of rows");
        std::vector<float> out(rows.rows());
        for (std::size_t i = 0; i < rows.rows(); ++i) {
            features::detail::require_finite_row(rows, i, "LogisticRegression");
            double logit = rows.is_sparse() ? origin_ : static_cast<double>(bias_);
            if (rows.is_sparse()) {
                rows.for_each_stored(i, [&](std::size_t j, float x) {
                    logit +=
                        static_cast<double>(weights_[j]) * (static_cast<double>(x) / static_cast<double>(scales_[j]));
                });
            } else {
                rows.for_each_stored(i, [&](std::size_t j, float x) {
                    logit +=
                        static_cast<double>(weights_[j]) * features::detail::standardised(x, means_[j], scales_[j]);
                });
            }
            out[i] = detail::finite_score(link(logit));
        }
        return out;
    }

    float bias_ = 0.0F;
    double origin_ = 0.0;  // logit of a row of zeros; the sum over a sparse row starts from it
    std::vector<float> weights_;
    std::vector<float> means_;
    std::vector<float> scales_;
};

}  // namespace ranking
}  // namespace FUNNEL_ABI
}  // namespace funnel
