// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/real_view.hpp>
#include <funnel/io/container.hpp>
#include <funnel/nn/loss.hpp>
#include <funnel/ranking/binary_labels.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ranking {

namespace detail {

inline void require_finite_scores(RealView scores, const char* function) {
    for (std::size_t i = 0; i < scores.size(); ++i) {
        const double score = scores[i];
        if (!math::is_finite(score)) {
            raise<InvalidArgument>(std::string(function) + ": the score at position " + std::to_string(i) +
                                   " must be finite");
        }
    }
}

struct SigmoidFit {
    double slope;
    double intercept;
};

/// The slope and the intercept (0 if it is not wanted) with the smallest logloss. Newton's method; a step that does not
/// lower the logloss is halved. Labels are replaced by Platt's targets, so the optimum is finite.
[[nodiscard]] inline SigmoidFit fit_sigmoid(RealView scores, std::span<const float> labels, bool has_intercept,
                                            const char* function) {
    require(scores.size() > 0, (std::string(function) + ": scores must not be empty").c_str());
    require_binary_labels(labels, scores.size(), function);
    require_finite_scores(scores, function);
    const auto n = static_cast<double>(scores.size());
    const auto positives = static_cast<double>(std::count(labels.begin(), labels.end(), 1.0F));
    const double high = (positives + 1.0) / (positives + 2.0);
    const double low = 1.0 / (n - positives + 2.0);

    // The search works on scores in [-1, 1].
    double least = scores[0];
    double most = scores[0];
    for (std::size_t i = 0; i < scores.size(); ++i) {
        least = std::min(least, scores[i]);
        most = std::max(most, scores[i]);
    }
    const double center = has_intercept ? least / 2.0 + most / 2.0 : 0.0;
    const double range = has_intercept ? most / 2.0 - least / 2.0 : std::max(math::abs(least), math::abs(most));
    const double scale = range > 0.0 ? range : 1.0;

    struct Sums {
        double value = 0.0, slope = 0.0, intercept = 0.0;                            // logloss and its gradient
        double slope_slope = 0.0, slope_intercept = 0.0, intercept_intercept = 0.0;  // second derivatives
    };
    const auto at = [&](const SigmoidFit& fit) {
        Sums sums;
        for (std::size_t i = 0; i < scores.size(); ++i) {
            const double z = (scores[i] - center) / scale;
            const double target = labels[i] > 0.0F ? high : low;
            const double logit = fit.slope * z + fit.intercept;
            const double p = nn::detail::sigmoid(logit);
            sums.value += target * nn::detail::softplus(-logit) + (1.0 - target) * nn::detail::softplus(logit);
            sums.slope += (p - target) * z;
            sums.intercept += p - target;
            sums.slope_slope += p * (1.0 - p) * z * z;
            sums.slope_intercept += p * (1.0 - p) * z;
            sums.intercept_intercept += p * (1.0 - p);
        }
        return sums;
    };
    SigmoidFit fit{.slope = 0.0,
                   .intercept = has_intercept ? math::log((positives + 1.0) / (n - positives + 1.0)) : 0.0};
    Sums now = at(fit);
    for (int step = 0; step < 100; ++step) {
        // A tiny ridge keeps the equations solvable if all scores are equal.
        const double a = now.slope_slope + 1e-12;
        const double b = has_intercept ? now.slope_intercept : 0.0;
        const double c = now.intercept_intercept + 1e-12;
        const double determinant = a * c - b * b;
        SigmoidFit direction{.slope = -(c * now.slope - b * now.intercept) / determinant,
                             .intercept = -(a * now.intercept - b * now.slope) / determinant};
        if (!has_intercept) {
            direction = {.slope = -now.slope / a, .intercept = 0.0};
        }
        SigmoidFit next = fit;
        Sums then = now;
        bool is_better = false;
        for (double length = 1.0; length > 1e-10 && !is_better; length /= 2.0) {
            next = {.slope = fit.slope + length * direction.slope,
                    .intercept = fit.intercept + length * direction.intercept};
            then = at(next);
            is_better = then.value <= now.value * (1.0 + 1e-14);  // equal but for rounding: near the optimum
        }
        if (!is_better) {
            break;
        }
        fit = next;
        now = then;
        if (math::abs(now.slope) + (has_intercept ? math::abs(now.intercept) : 0.0) < 1e-13 * n) {
            break;
        }
    }
    const SigmoidFit result{.slope = fit.slope / scale, .intercept = fit.intercept - fit.slope * (center / scale)};
    require(math::is_finite(result.slope) && math::is_finite(result.intercept),
            (std::string(function) + ": scores must not be so close to each other that the slope is infinite").c_str());
    return result;
}

template <class Probability>
[[nodiscard]] std::vector<double> each_score(RealView scores, const char* function, const Probability& probability) {
    require_finite_scores(scores, function);
    std::vector<double> out(scores.size());
    for (std::size_t i = 0; i < out.size(); ++i) {
        out[i] = probability(scores[i]);
    }
    return out;
}

}  // namespace detail

/// Platt scaling: turns scores into probabilities with a sigmoid.
///
///     p(s) = sigmoid(slope s + intercept)
///     slope, intercept = argmin of the logloss, with the labels replaced by (P + 1) / (P + 2) and 1 / (N + 2)
///
/// for P labels 1 and N labels 0. Scores of ranking losses are not probabilities; calibrate them on rows that the
/// ranker was not trained on. IsotonicRegression fits more shapes, but needs more rows.
///
/// Cost      fit: O(n) per Newton step, about ten steps
/// Source    Platt, "Probabilistic outputs for support vector machines", 1999;  Lin et al., "A note on Platt's
///           probabilistic outputs", ML 2007
class PlattScaling {
public:
    /// Shapes    scores: n > 0, float or double;  labels: n, each 0 or 1
    /// Errors    InvalidArgument if the shapes do not match, a score is not finite, or a label is neither 0 nor 1
    [[nodiscard]] static PlattScaling fit(RealView scores, std::span<const float> labels) {
        const auto [slope, intercept] = detail::fit_sigmoid(scores, labels, true, "PlattScaling::fit");
        return {slope, intercept};
    }

    /// Probabilities, in [0, 1].
    ///
    /// Errors    InvalidArgument if a score is not finite
    [[nodiscard]] std::vector<double> predict(RealView scores) const {
        return detail::each_score(scores, "PlattScaling",
                                  [&](double s) { return nn::detail::sigmoid(slope_ * s + intercept_); });
    }

    [[nodiscard]] double slope() const noexcept { return slope_; }
    [[nodiscard]] double intercept() const noexcept { return intercept_; }

    /// Errors    IOError
    void save(const std::string& path) const {
        io::ContainerWriter file(kind, layout_version);
        file.value("slope", slope_);
        file.value("intercept", intercept_);
        file.save(path);
    }

    /// Errors    IOError;  CorruptData if the file is damaged or holds something else
    [[nodiscard]] static PlattScaling load(const std::string& path) {
        const io::ContainerReader file(path, kind, layout_version);
        const PlattScaling model(file.value<double>("slope"), file.value<double>("intercept"));
        file.check(math::is_finite(model.slope_), "slope", "must be finite");
        file.check(math::is_finite(model.intercept_), "intercept", "must be finite");
        return model;
    }

private:
    static constexpr std::string_view kind = "ranking.PlattScaling";
    static constexpr std::uint32_t layout_version = 1;

    PlattScaling(double slope, double intercept) : slope_(slope), intercept_(intercept) {}

    double slope_;
    double intercept_;
};

/// Temperature scaling: Platt scaling without an intercept, for logits that are only too large or too small.
///
///     p(s) = sigmoid(s / temperature)
///
/// Source    Guo et al., "On calibration of modern neural networks", ICML 2017
class TemperatureScaling {
public:
    /// Shapes    scores: n > 0 logits, float or double;  labels: n, each 0 or 1
    /// Errors    InvalidArgument as for PlattScaling; also if the logloss is smallest at a temperature that is negative
    ///           or infinite: the scores do not rise with the labels
    [[nodiscard]] static TemperatureScaling fit(RealView scores, std::span<const float> labels) {
        const double slope = detail::fit_sigmoid(scores, labels, false, "TemperatureScaling::fit").slope;
        const double temperature = 1.0 / slope;
        require(slope > 0.0 && math::is_finite(temperature),
                "TemperatureScaling::fit: scores must rise with the labels, so that a temperature > 0 fits");
        return TemperatureScaling(temperature);
    }

    /// Probabilities, in [0, 1].
    ///
    /// Errors    InvalidArgument if a score is not finite
    [[nodiscard]] std::vector<double> predict(RealView scores) const {
        return detail::each_score(scores, "TemperatureScaling",
                                  [&](double s) { return nn::detail::sigmoid(s / temperature_); });
    }

    [[nodiscard]] double temperature() const noexcept { return temperature_; }

    /// Errors    IOError
    void save(const std::string& path) const {
        io::ContainerWriter file(kind, layout_version);
        file.value("temperature", temperature_);
        file.save(path);
    }

    /// Errors    IOError;  CorruptData if the file is damaged or holds something else
    [[nodiscard]] static TemperatureScaling load(const std::string& path) {
        const io::ContainerReader file(path, kind, layout_version);
        const TemperatureScaling model(file.value<double>("temperature"));
        file.check(math::is_finite(model.temperature_) && model.temperature_ > 0.0, "temperature",
                   "must be finite and > 0");
        return model;
    }

private:
    static constexpr std::string_view kind = "ranking.Temperature";
    static constexpr std::uint32_t layout_version = 1;

    explicit TemperatureScaling(double temperature) : temperature_(temperature) {}

    double temperature_;
};

}  // namespace ranking
}  // namespace FUNNEL_ABI
}  // namespace funnel
