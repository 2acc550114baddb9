// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/real_view.hpp>
#include <funnel/io/container.hpp>
#include <funnel/ranking/platt_scaling.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ranking {

struct IsotonicRegressionOptions {
    bool interpolate = true;  ///< between two blocks of scores: on a line; otherwise the value of the lower block
};

/// Isotonic regression: the best function that does not fall as the score rises. Calibrates scores of any shape, given
/// enough rows (about a thousand); PlattScaling needs fewer.
///
///     f = argmin over non-decreasing f of sum over rows of w (y - f(s))^2
///
/// The solution is constant on blocks of neighboring scores, where it is the weighted mean of the labels. Rows with
/// equal scores are in one block. Scores below the first and above the last block get its value.
///
/// Cost      fit: O(n log n);  predict: O(log n) per score
/// Source    Ayer et al., "An empirical distribution function for sampling with incomplete information", 1955 (pool
///           adjacent violators);  Zadrozny & Elkan, KDD 2002 (calibration)
class IsotonicRegression {
public:
    /// Shapes    scores: n > 0, float or double;  labels: n;  weights: n, or empty for equal weights
    /// Errors    InvalidArgument if the shapes do not match, a score or label is not finite, or a weight is not > 0
    [[nodiscard]] static IsotonicRegression fit(RealView scores, std::span<const float> labels,
                                                std::span<const float> weights = {},
                                                const IsotonicRegressionOptions& options = {}) {
        constexpr const char* function = "IsotonicRegression::fit";
        const std::size_t n = scores.size();
        require(n > 0, "IsotonicRegression::fit: scores must not be empty");
        require_equal(labels.size(), n, "IsotonicRegression::fit: number of labels");
        require_equal(weights.size(), weights.empty() ? 0 : n, "IsotonicRegression::fit: number of weights");
        detail::require_finite_scores(scores, function);
        for (std::size_t i = 0; i < n; ++i) {
            require_finite(labels[i], "IsotonicRegression::fit: each label");
            require_positive(weights.empty() ? 1.0F : weights[i], "IsotonicRegression::fit: each weight");
        }
        std::vector<std::size_t> order(n);
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::sort(order.begin(), order.end(),
                  [&](std::size_t a, std::size_t b) { return scores[a] != scores[b] ? scores[a] < scores[b] : a < b; });

        struct Block {
            double first, last, weight, sum;
            [[nodiscard]] double mean() const noexcept { return sum / weight; }
            void take(const Block& next) noexcept {
                last = next.last;
                weight += next.weight;
                sum += next.sum;
            }
        };
        std::vector<Block> blocks;
        for (std::size_t at = 0; at < n;) {
            const double score = scores[order[at]];
            Block block{.first = score, .last = score, .weight = 0.0, .sum = 0.0};
            for (; at < n && scores[order[at]] == score; ++at) {
                const double weight = weights.empty() ? 1.0 : static_cast<double>(weights[order[at]]);
                block.weight += weight;
                block.sum += weight * static_cast<double>(labels[order[at]]);
            }
            blocks.push_back(block);
            while (blocks.size() > 1 && blocks[blocks.size() - 2].mean() >= blocks.back().mean()) {
                const Block last = blocks.back();
                blocks.pop_back();
                blocks.back().take(last);
            }
        }
        IsotonicRegression model;
        model.interpolates_ = options.interpolate;
        for (const Block& block : blocks) {
            model.firsts_.push_back(block.first);
            model.lasts_.push_back(block.last);
            model.values_.push_back(block.mean());
        }
        return model;
    }

    /// The fitted values, between the least and the largest of values().
    ///
    /// Errors    InvalidArgument if a score is not finite, or the object is moved-from
    [[nodiscard]] std::vector<double> predict(RealView scores) const {
        require(!values_.empty(), "IsotonicRegression::predict: the object must not be moved-from");
        return detail::each_score(scores, "IsotonicRegression", [&](double s) { return value_at(s); });
    }

    /// The value of each block, strictly ascending.
    [[nodiscard]] std::span<const double> values() const noexcept FUNNEL_LIFETIMEBOUND { return values_; }
    /// The lowest score of each block, ascending.
    [[nodiscard]] std::span<const double> firsts() const noexcept FUNNEL_LIFETIMEBOUND { return firsts_; }
    /// The highest score of each block, ascending.
    [[nodiscard]] std::span<const double> lasts() const noexcept FUNNEL_LIFETIMEBOUND { return lasts_; }

    /// Errors    IOError;  InvalidArgument if the object is moved-from
    void save(const std::string& path) const {
        require(!values_.empty(), "IsotonicRegression::save: the object must not be moved-from");
        io::ContainerWriter file(kind, layout_version);
        file.value("interpolates", std::uint32_t{interpolates_ ? 1U : 0U});
        file.array("firsts", firsts_);
        file.array("lasts", lasts_);
        file.array("values", values_);
        file.save(path);
    }

    /// Errors    IOError;  CorruptData if the file is damaged or holds something else
    [[nodiscard]] static IsotonicRegression load(const std::string& path) {
        const io::ContainerReader file(path, kind, layout_version);
        const auto interpolates = file.value<std::uint32_t>("interpolates");
        file.check(interpolates <= 1, "interpolates", "must be 0 or 1");
        IsotonicRegression model;
        model.interpolates_ = interpolates == 1;
        model.firsts_ = file.array<double>("firsts");
        model.lasts_ = file.array<double>("lasts", model.firsts_.size());
        model.values_ = file.array<double>("values", model.firsts_.size());
        file.check(!model.firsts_.empty(), "firsts", "must not be empty");
        for (std::size_t i = 0; i < model.firsts_.size(); ++i) {
            file.check(math::is_finite(model.firsts_[i]) && (i == 0 || model.lasts_[i - 1] < model.firsts_[i]),
                       "firsts", "must be finite, and above the block before");
            file.check(math::is_finite(model.lasts_[i]) && model.firsts_[i] <= model.lasts_[i], "lasts",
                       "must be finite, and not below the first score of the block");
            file.check(math::is_finite(model.values_[i]) && (i == 0 || model.values_[i - 1] < model.values_[i]),
                       "values", "must be finite and strictly ascending");
        }
        return model;
    }

private:
    static constexpr std::string_view kind = "ranking.Isotonic";
    static constexpr std::uint32_t layout_version = 1;

    IsotonicRegression() = default;

    [[nodiscard]] double value_at(double score) const {
        const auto above = std::upper_bound(firsts_.begin(), firsts_.end(), score);
        const auto next = static_cast<std::size_t>(above - firsts_.begin());
        if (next == 0) {
            return values_.front();
        }
        const std::size_t i = next - 1;
        if (!interpolates_ || next == values_.size() || score <= lasts_[i]) {
            return values_[i];
        }
        // Halves, because the distance of two finite numbers may be infinite.
        const double distance = firsts_[next] / 2.0 - lasts_[i] / 2.0;
        const double share = distance > 0.0 ? (score / 2.0 - lasts_[i] / 2.0) / distance : 0.5;
        return std::clamp((1.0 - share) * values_[i] + share * values_[next], values_[i], values_[next]);
    }

    bool interpolates_ = true;
    std::vector<double> firsts_;
    std::vector<double> lasts_;
    std::vector<double> values_;
};

}  // namespace ranking
}  // namespace FUNNEL_ABI
}  // namespace funnel
