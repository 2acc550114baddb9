// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/options.hpp>

#include <cstddef>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace bandits {

/// Raises probabilities to at least `floor`, so that importance weights stay below 1 / floor.
///
///     p = floor + (1 - n floor) w
///
/// The order and the sum 1 are kept. To cut at the floor and divide by the sum would keep neither.
///
/// Shapes    probabilities: n, with sum 1 (not checked)
/// Errors    InvalidArgument if floor does not lie in [0, 1 / n]
inline void raise_to_floor(std::span<double> probabilities, double floor) {
    const auto n = static_cast<double>(probabilities.size());
    require_between(floor * n, 0.0, 1.0, "raise_to_floor: floor * n");
    for (double& p : probabilities) {
        p = floor + (1.0 - n * floor) * p;
    }
}

/// The position whose share of [0, 1) contains u. Rounding may leave the sum below u; then the last position with a
/// positive probability is returned, never one with probability 0.
///
/// Shapes    probabilities: n > 0, >= 0, with a positive sum;  u: in [0, 1) (not checked)
[[nodiscard]] inline std::size_t position_of(std::span<const double> probabilities, double u) noexcept {
    double sum = 0.0;
    std::size_t last = 0;
    for (std::size_t i = 0; i < probabilities.size(); ++i) {
        if (probabilities[i] > 0.0) {
            last = i;
            sum += probabilities[i];
            if (u < sum) {
                return i;
            }
        }
    }
    return last;
}

}  // namespace bandits
}  // namespace FUNNEL_ABI
}  // namespace funnel
