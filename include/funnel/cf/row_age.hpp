// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/options.hpp>
#include <funnel/data/interaction_log.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace cf {

struct PopularityOptions {
    /// Time in which a row loses half its weight, > 0, in the time unit of the log. If not set, weights do not decay.
    std::optional<double> half_life = {};
    /// Rows older than this do not count, >= 0: only those with now - time <= window. If not set, all count.
    std::optional<double> window = {};
    /// Time at which a row has weight 1. If not set, the latest time in the log. If half_life or window is set, no row
    /// may be newer than `now`.
    std::optional<double> now = {};
};

/// How much the rows of a log count by their age.
///
///     weight(time) = 2^(-(now - time) / half_life) if now - time <= window, else 0
class RowAge {
public:
    /// Errors    InvalidArgument if an option is out of range (model is its name in the message), or if half_life or
    ///           window is set and a time is not finite or later than now
    template <data::InteractionLog Log>
    RowAge(const Log& log, const PopularityOptions& options, const std::string& model) : options_(options) {
        if (options.half_life) {
            require_positive(*options.half_life, (model + ": half_life").c_str());
        }
        if (options.window) {
            require_not_negative(*options.window, (model + ": window").c_str());
        }
        if (options.now) {
            require_finite(*options.now, (model + ": now").c_str());
        }
        if (!options.half_life && !options.window) {
            return;
        }
        double latest = 0.0;
        for (std::size_t row = 0; row < log.size(); ++row) {
            const double time = log[row].time;
            require(math::is_finite(time),
                    (model + ": every time in the log must be finite if half_life or window is set").c_str());
            latest = row == 0 ? time : std::max(latest, time);
        }
        now_ = options.now.value_or(latest);
        require(log.size() == 0 || latest <= now_, (model + ": now must be >= every time in the log").c_str());
    }

    [[nodiscard]] double weight(double time) const noexcept {
        const double age = now_ - time;
        if (options_.window && age > *options_.window) {
            return 0.0;
        }
        return options_.half_life ? math::exp2(-(age / *options_.half_life)) : 1.0;
    }

private:
    PopularityOptions options_;
    double now_ = 0.0;
};

}  // namespace cf
}  // namespace FUNNEL_ABI
}  // namespace funnel
