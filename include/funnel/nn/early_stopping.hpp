// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/math.hpp>
#include <funnel/core/options.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn {

struct EarlyStoppingOptions {
    std::size_t patience = 5;  ///< > 0: checks without a better metric after which training stops
    double min_delta = 0.0;    ///< >= 0: a metric must be larger than the best one by more than this
};

/// Ends training when the validation metric stops growing, and remembers the parameters of the best check.
///
///     EarlyStopping stopping({.patience = 3});
///     while (!stopping.update(validation_ndcg(), tower.parameters())) { train_one_epoch(); }
///     stopping.restore(tower.parameters());
///
/// Higher is better; negate a loss. Use the metric of the task, such as NDCG of a full ranking: the loss often keeps
/// falling after the ranking got worse. A network with statistics (BatchNorm) needs them, too: pass one array of both.
class EarlyStopping {
public:
    /// Errors    InvalidArgument if an option is out of range
    explicit EarlyStopping(const EarlyStoppingOptions& options = {}) : options_(options) {
        require_at_least(options.patience, 1, "EarlyStopping: patience");
        require_not_negative(options.min_delta, "EarlyStopping: min_delta");
    }

    /// Takes the metric of a check. NaN is never better.
    ///
    /// Returns   whether training should stop
    bool update(double metric, std::span<const float> parameters) {
        ++checks_;
        const bool is_better = !math::is_nan(metric) && (!best_ || metric > *best_ + options_.min_delta);
        if (is_better) {
            parameters_.assign(parameters.begin(), parameters.end());
            best_ = metric;
            waited_ = 0;
        } else {
            ++waited_;
        }
        return waited_ >= options_.patience;
    }

    /// The best metric, or nothing before the first one.
    [[nodiscard]] std::optional<double> best() const noexcept { return best_; }
    /// Checks so far.
    [[nodiscard]] std::size_t checks() const noexcept { return checks_; }

    /// Copies the parameters of the best check. Without one, nothing changes.
    ///
    /// Errors    InvalidArgument if the number of parameters is another one
    void restore(std::span<float> parameters) const {
        if (best_) {
            require_equal(parameters.size(), parameters_.size(), "EarlyStopping::restore: size of parameters");
            std::copy(parameters_.begin(), parameters_.end(), parameters.begin());
        }
    }

private:
    EarlyStoppingOptions options_;
    std::vector<float> parameters_;  // of the best check
    std::optional<double> best_;
    std::size_t checks_ = 0;
    std::size_t waited_ = 0;  // checks since the best one
};

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel
