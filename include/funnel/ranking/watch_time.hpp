// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/io/container.hpp>
#include <funnel/nn/loss.hpp>
#include <funnel/ranking/logistic_regression.hpp>
#include <funnel/ranking/task_losses.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ranking {

namespace detail {

/// A weighted logloss of watch times. `share` is the weight of a watched row as a negative example.
template <int Share>
struct WatchTimeLoss {
    static constexpr const char* label_rule = "must be finite and >= 0";
    [[nodiscard]] static bool is_label(const float& y) noexcept { return math::is_finite(y) && y >= 0.0F; }

    template <std::floating_point T>
    double operator()(std::type_identity_t<MatrixView<const T>> logits, MatrixView<const float> watch_times,
                      MatrixView<T> gradient) const noexcept {
        return mean_per_task<T>(logits, watch_times, gradient, [](double s, double time) {
            const double negative = time > 0.0 ? Share : 1.0;
            return std::pair(time * nn::detail::softplus(-s) + negative * nn::detail::softplus(s),
                             negative * nn::detail::sigmoid(s) - time * nn::detail::sigmoid(-s));
        });
    }
};

}  // namespace detail

/// Weighted logistic regression of watch times: a watched row is a positive example that counts as often as its watch
/// time, a row that was not watched is a negative one. In service, exp(logit) is the expected watch time.
///
///     loss = sum over tasks, mean over rows of   T softplus(-s)  if T > 0,   softplus(s)  if T = 0
///     minimum: exp(s) = E[T] / P(T = 0)
///
/// So exp(s) is too large by the factor 1 / P(not watched): 1 % if one of 100 is watched, a factor of 2 if every second
/// one is. ExactWatchTimeLoss has no such factor.
///
/// Shapes    logits, gradient: n x tasks;  watch times: n x tasks, >= 0, about 1 if watched (minutes, say)
/// Returns   the loss, 0 without rows
/// Source    Covington et al., "Deep neural networks for YouTube recommendations", RecSys 2016 (4.2)
struct WatchTimeLoss : detail::WatchTimeLoss<0> {};

/// The same, but a watched row counts once as a negative example too. Then exp(logit) is the expected watch time.
///
///     loss = sum over tasks, mean over rows of   T softplus(-s) + softplus(s)
///     minimum: exp(s) = E[T]
///
/// Shapes, Returns    as WatchTimeLoss
struct ExactWatchTimeLoss : detail::WatchTimeLoss<1> {};

/// Labels and weights with which a ranker that takes WeightedLabels minimizes a loss of watch times.
struct WatchTimeLabels {
    std::vector<float> labels{};
    std::vector<float> weights{};

    /// Those of Loss: exp(score) of the ranker is then the expected watch time, with the bias of Loss.
    ///
    ///     WatchTimeLoss:       label 1, weight T if T > 0;   label 0, weight 1 if T = 0
    ///     ExactWatchTimeLoss:  label T / (1 + T), weight 1 + T
    ///
    /// Errors    InvalidArgument if a watch time is not finite and >= 0
    template <class Loss>
        requires std::same_as<Loss, WatchTimeLoss> || std::same_as<Loss, ExactWatchTimeLoss>
    [[nodiscard]] static WatchTimeLabels of(std::span<const float> watch_times) {
        WatchTimeLabels result;
        for (const float& time : watch_times) {
            require_not_negative(time, "WatchTimeLabels: a watch time");
            const bool is_exact = std::same_as<Loss, ExactWatchTimeLoss>;
            const float negative = is_exact || time <= 0.0F ? 1.0F : 0.0F;
            result.labels.push_back(time / (time + negative));
            result.weights.push_back(time + negative);
        }
        return result;
    }

    /// Views of them, for fit.
    [[nodiscard]] WeightedLabels view() const& noexcept FUNNEL_LIFETIMEBOUND { return {labels, weights}; }
    WeightedLabels view() && = delete;
};

struct WatchTimeQuantilesOptions {
    std::size_t groups = 10;  ///< groups of durations, of about equally many rows, at least 1
};

/// Watch times relative to those of videos that last about as long (D2Q). Long videos are watched longer, so a ranker
/// of watch times prefers them whether or not they are liked. Train a ranker on quantile(), with SoftLoglossPerTask or
/// WeightedLabels, to rank by interest; watch_time() turns a predicted quantile back into time.
///
///     quantile(d, t) = (rows of the group of d with a time < t, plus half of those with time t) / rows of the group
///
/// Cost      fit: O(n log n);  a question: O(log n)
/// Source    Zhan et al., "Deconfounding duration bias in watch-time prediction for video recommendation", KDD 2022
class WatchTimeQuantiles {
public:
    /// Learns the groups and their times. Rows of the same duration are in the same group, so groups may be fewer.
    ///
    /// Shapes    durations, watch_times: n > 0, each >= 0
    /// Errors    InvalidArgument if a shape does not match, a number is not finite and >= 0, or an option is out of
    ///           range
    [[nodiscard]] static WatchTimeQuantiles fit(std::span<const float> durations, std::span<const float> watch_times,
                                                const WatchTimeQuantilesOptions& options = {}) {
        require(!durations.empty(), "WatchTimeQuantiles::fit: there must be at least one row");
        require_equal(watch_times.size(), durations.size(), "WatchTimeQuantiles::fit: number of watch times");
        require_at_least(options.groups, 1, "WatchTimeQuantiles::fit: groups");
        for (std::size_t i = 0; i < durations.size(); ++i) {
            require_not_negative(durations[i], "WatchTimeQuantiles::fit: a duration");
            require_not_negative(watch_times[i], "WatchTimeQuantiles::fit: a watch time");
        }
        const std::size_t n = durations.size();
        std::vector<float> sorted(durations.begin(), durations.end());
        std::sort(sorted.begin(), sorted.end());

        WatchTimeQuantiles quantiles;
        const std::size_t groups = std::min(options.groups, n);
        for (std::size_t g = 1; g < groups; ++g) {
            const float start = sorted[n / groups * g + std::min(g, n % groups)];
            const float last = quantiles.starts_.empty() ? sorted.front() : quantiles.starts_.back();
            if (start > last) {
                quantiles.starts_.push_back(start);
            }
        }
        std::vector<std::vector<float>> times(quantiles.groups());
        for (std::size_t i = 0; i < n; ++i) {
            times[quantiles.group_of(durations[i])].push_back(watch_times[i]);
        }
        for (std::vector<float>& of_group : times) {
            std::sort(of_group.begin(), of_group.end());
            quantiles.times_.insert(quantiles.times_.end(), of_group.begin(), of_group.end());
            quantiles.first_times_.push_back(quantiles.times_.size());
        }
        return quantiles;
    }

    /// The share of comparable rows that were watched shorter, in [0, 1].
    ///
    /// Errors    InvalidArgument if a number is not finite and >= 0, or the object is moved-from
    [[nodiscard]] float quantile(float duration, float watch_time) const {
        require_not_negative(duration, "WatchTimeQuantiles::quantile: duration");
        require_not_negative(watch_time, "WatchTimeQuantiles::quantile: watch_time");
        const std::span<const float> times = times_of(duration);
        const auto [first, last] = std::equal_range(times.begin(), times.end(), watch_time);
        const auto below = static_cast<double>(first - times.begin());
        const auto equal = static_cast<double>(last - first);
        return static_cast<float>((below + 0.5 * equal) / static_cast<double>(times.size()));
    }

    /// The watch time at a quantile of comparable rows: the inverse, for times that training has seen.
    ///
    /// Errors    InvalidArgument if duration is not finite and >= 0, quantile is not in [0, 1], or the object is
    ///           moved-from
    [[nodiscard]] float watch_time(float duration, float quantile) const {
        require_not_negative(duration, "WatchTimeQuantiles::watch_time: duration");
        require_between(quantile, 0.0, 1.0, "WatchTimeQuantiles::watch_time: quantile");
        const std::span<const float> times = times_of(duration);
        const auto at = static_cast<std::size_t>(static_cast<double>(quantile) * static_cast<double>(times.size()));
        return times[std::min(at, times.size() - 1)];
    }

    [[nodiscard]] std::size_t groups() const noexcept { return starts_.size() + 1; }

    /// Errors    IOError;  InvalidArgument if the object is moved-from
    void save(const std::string& path) const {
        require(!times_.empty(), "WatchTimeQuantiles::save: the object must not be moved-from");
        io::ContainerWriter file(kind, layout_version);
        file.array("starts", starts_);
        file.array("first_times", first_times_);
        file.array("times", times_);
        file.save(path);
    }

    /// Errors    IOError;  CorruptData if the file is damaged or holds something else
    [[nodiscard]] static WatchTimeQuantiles load(const std::string& path) {
        const io::ContainerReader file(path, kind, layout_version);
        WatchTimeQuantiles quantiles;
        quantiles.starts_ = file.array<float>("starts");
        for (std::size_t g = 0; g < quantiles.starts_.size(); ++g) {
            const float& start = quantiles.starts_[g];
            file.check(math::is_finite(start) && start > (g == 0 ? 0.0F : quantiles.starts_[g - 1]), "starts",
                       "must be finite, > 0 and ascending");
        }
        quantiles.times_ = file.array<float>("times");
        quantiles.first_times_ = file.array<std::uint64_t>("first_times", quantiles.groups() + 1);
        const std::vector<std::uint64_t>& first = quantiles.first_times_;
        file.check(first.front() == 0 && first.back() == quantiles.times_.size(), "first_times",
                   "must begin with 0 and end with the number of times");
        for (std::size_t g = 0; g < quantiles.groups(); ++g) {
            file.check(first[g] < first[g + 1] && first[g + 1] <= quantiles.times_.size(), "first_times",
                       "each group must have a time");
            for (std::uint64_t i = first[g]; i < first[g + 1]; ++i) {
                const float& time = quantiles.times_[i];
                file.check(math::is_finite(time) && time >= (i == first[g] ? 0.0F : quantiles.times_[i - 1]), "times",
                           "must be finite, >= 0, and ascend in each group");
            }
        }
        return quantiles;
    }

private:
    static constexpr std::string_view kind = "ranking.WatchTimes";
    static constexpr std::uint32_t layout_version = 1;

    WatchTimeQuantiles() = default;

    [[nodiscard]] std::size_t group_of(float duration) const noexcept {
        return static_cast<std::size_t>(std::upper_bound(starts_.begin(), starts_.end(), duration) - starts_.begin());
    }

    // The watch times of the group of a duration, ascending.
    [[nodiscard]] std::span<const float> times_of(float duration) const {
        require(!times_.empty(), "WatchTimeQuantiles: must not be asked when it is moved-from");
        const std::size_t group = group_of(duration);
        return std::span(times_).subspan(first_times_[group], first_times_[group + 1] - first_times_[group]);
    }

    std::vector<float> starts_;                  // the smallest duration of each group but the first
    std::vector<std::uint64_t> first_times_{0};  // of each group in times_, and the end
    std::vector<float> times_;
};

}  // namespace ranking
}  // namespace FUNNEL_ABI
}  // namespace funnel
