// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/rng.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {

/// Draws numbers 0 .. n - 1 with given weights, in constant time.
///
///     P(i) = weight_i / sum of all weights
///
/// Cost      O(n) construction, 20 bytes per number; O(1) per draw
/// Errors    InvalidArgument if there are no weights or 2^32 or more, one is negative, infinite or NaN, or all are 0
/// Source    Walker, "An efficient method for generating discrete random variables with general distributions", TOMS
///           1977; Vose, "A linear algorithm for generating random numbers with a given distribution", TSE 1991
class AliasTable {
public:
    explicit AliasTable(std::span<const double> weights)
        : probabilities_(weights.begin(), weights.end()), keep_(weights.size(), 1.0), other_(weights.size()) {
        require(!weights.empty() && weights.size() <= std::numeric_limits<std::uint32_t>::max(),
                "AliasTable: there must be between 1 and 2^32 - 1 weights");
        double total = 0.0;
        for (const double& weight : weights) {
            require_not_negative(weight, "AliasTable: weight");
            total += weight;
        }
        require_positive(total, "AliasTable: sum of weights");
        for (double& probability : probabilities_) {
            probability /= total;
        }

        // One slot per number, all equally likely. A slot gives its own number with probability keep_[slot], and
        // other_[slot] otherwise. Numbers below the mean (poor) fill their slots with weight of those above it (rich).
        std::vector<double> left(size());
        std::vector<std::uint32_t> poor;
        std::vector<std::uint32_t> rich;
        for (std::uint32_t i = 0; i < size(); ++i) {
            left[i] = probabilities_[i] * static_cast<double>(size());
            (left[i] < 1.0 ? poor : rich).push_back(i);
        }
        while (!poor.empty() && !rich.empty()) {
            const std::uint32_t slot = poor.back();
            const std::uint32_t giver = rich.back();
            poor.pop_back();
            keep_[slot] = left[slot];
            other_[slot] = giver;
            left[giver] -= 1.0 - left[slot];
            if (left[giver] < 1.0) {
                rich.pop_back();
                poor.push_back(giver);
            }
        }
    }

    [[nodiscard]] std::size_t size() const noexcept { return probabilities_.size(); }
    /// The probability of number i < size() (not checked).
    [[nodiscard]] double probability(std::size_t i) const noexcept {
        FUNNEL_ASSERT(i < size());
        return probabilities_[i];
    }

    // NOLINTNEXTLINE(bugprone-exception-escape): below(0) would throw, but a table is never empty
    [[nodiscard]] std::uint32_t draw(Random& random) const noexcept {
        const auto slot = static_cast<std::uint32_t>(random.below(size()));
        return random.uniform() < keep_[slot] ? slot : other_[slot];
    }

private:
    std::vector<double> probabilities_;
    std::vector<double> keep_;
    std::vector<std::uint32_t> other_;
};

}  // namespace FUNNEL_ABI
}  // namespace funnel
