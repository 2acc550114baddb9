// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>

#include <cmath>
#include <cstddef>
#include <span>
#include <string>

namespace funnel::inline FUNNEL_ABI::ranking::detail {

/// InvalidArgument, which names function and row, unless there is one label a row and each is 0 or 1.
inline void require_binary_labels(std::span<const float> labels, std::size_t rows, const char* function) {
    if (labels.size() != rows) {
        raise<InvalidArgument>(std::string(function) + ": needs one label a row, " + std::to_string(rows) + ", not " +
                               std::to_string(labels.size()));
    }
    for (std::size_t i = 0; i < labels.size(); ++i) {
        if (labels[i] != 0.0F && labels[i] != 1.0F) {
            raise<InvalidArgument>(std::string(function) + ": the label of row " + std::to_string(i) +
                                   " must be 0 or 1, not " + std::to_string(labels[i]));
        }
    }
}

/// 1 / (1 + exp(-x)), without overflow.
[[nodiscard]] inline double logistic(double x) noexcept {
    if (x >= 0.0) {
        return 1.0 / (1.0 + std::exp(-x));
    }
    const double odds = std::exp(x);
    return odds / (1.0 + odds);
}

}  // namespace funnel::inline FUNNEL_ABI::ranking::detail
