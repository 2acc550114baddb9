// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/rng.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace rerank {

/// Draws k of m numbers, each subset with a probability in proportion to the product of its numbers. The normalizing
/// constant is the elementary symmetric polynomial e_k.
///
///     P(J) = product over i in J of x_i / e_k(x),   e_k(x) = sum over all J of k positions of that product
///
/// The recursion for e_k overflows for large x and underflows for small x. For any c > 0, P(J) is also the probability
/// that independent events with probabilities p_i = x_i / (c + x_i) occur exactly for the positions in J, given that k
/// occur (a Poisson binomial distribution). With c such that the sum of all p_i is about k, all sums of the recursion
/// lie in [0, 1], and the result is about 1 / sqrt(m) or larger:
///
///     E(j, i) = (1 - p_i) E(j, i - 1) + p_i E(j - 1, i - 1),   E(0, 0) = 1     (j of the first i events occur)
///     e_k(x) = E(k, m) c^k * product over all i of (1 + x_i / c)
///
/// All terms are positive, so nothing cancels.
///
/// Cost      O(m k) time and memory to build, O(m) per draw
/// Source    Kulesza & Taskar, "k-DPPs: fixed-size determinantal point processes", ICML 2011 (algorithm 2), for the
///           recursion; Chen, Dempster & Liu, "Weighted finite population sampling", Biometrika 1994, for p_i
class ElementarySymmetric {
public:
    /// Errors    InvalidArgument if a number is negative or not finite, or fewer than k are positive
    ElementarySymmetric(std::span<const double> numbers, std::size_t k)
        : k_(k), occurs_(numbers.size()), fails_(numbers.size()), sums_(numbers.size() + 1, k + 1) {
        double smallest = std::numeric_limits<double>::max();
        double largest = 0.0;
        std::size_t positive = 0;
        for (std::size_t i = 0; i < numbers.size(); ++i) {
            if (!math::is_finite(numbers[i]) || !(numbers[i] >= 0.0)) {
                raise<InvalidArgument>("ElementarySymmetric: numbers must be finite and >= 0, got " +
                                       std::to_string(numbers[i]) + " at position " + std::to_string(i));
            }
            if (numbers[i] > 0.0) {
                ++positive;
                smallest = std::min(smallest, numbers[i]);
                largest = std::max(largest, numbers[i]);
            }
        }
        if (positive < k) {
            raise<InvalidArgument>("ElementarySymmetric: k must be at most the count of positive numbers, " +
                                   std::to_string(positive) + ", got " + std::to_string(k));
        }

        // 0 < k < positive lets c vary between these limits. Otherwise all positive numbers occur, or none does.
        double c = k == 0 ? 1.0 : 0.0;
        if (k > 0 && k < positive) {
            const double odds = static_cast<double>(positive - k) / static_cast<double>(k);
            c = find_scale(numbers, math::log(smallest) + math::log(odds), math::log(largest) + math::log(odds));
        }
        double log_scale = c > 0.0 ? static_cast<double>(k) * math::log(c) : 0.0;
        double factor = 1.0;  // of what log_scale is the logarithm of, while it is neither very large nor very small
        for (std::size_t i = 0; i < numbers.size(); ++i) {
            const double x = numbers[i];
            occurs_[i] = k == 0 || x == 0.0 ? 0.0 : x / (c + x);
            fails_[i] = k == 0 || x == 0.0 ? 1.0 : c / (c + x);
            if (k > 0 && x > 0.0) {
                factor *= c > 0.0 ? 1.0 + x / c : x;
                if (!(factor > 0x1p-500 && factor < 0x1p500)) {
                    log_scale += math::log(factor);
                    factor = 1.0;
                }
            }
        }

        sums_(0, 0) = 1.0;
        for (std::size_t i = 1; i <= numbers.size(); ++i) {
            const std::size_t left = numbers.size() - i;
            const std::size_t begin = k > left ? k - left : 0;  // fewer cannot become k
            const double p = occurs_[i - 1];
            const double q = fails_[i - 1];
            const double* const before = sums_.row(i - 1).data();
            double* const after = sums_.row(i).data();
            for (std::size_t j = std::max<std::size_t>(begin, 1); j <= std::min(i, k); ++j) {
                after[j] = q * before[j] + p * before[j - 1];
            }
            if (begin == 0) {
                after[0] = q * before[0];
            }
        }
        log_value_ = math::log(sums_(numbers.size(), k)) + math::log(factor) + log_scale;
    }

    [[nodiscard]] std::size_t k() const noexcept { return k_; }
    [[nodiscard]] std::size_t size() const noexcept { return occurs_.size(); }

    /// log e_k; 0 for k = 0.
    [[nodiscard]] double log_value() const noexcept { return log_value_; }

    /// Draws k positions, ascending, from a sequence of random numbers.
    ///
    /// Shapes    positions: k() (not checked)
    void draw(Random& random, std::span<std::size_t> positions) const noexcept {
        FUNNEL_ASSERT(positions.size() == k_);
        std::size_t j = k_;
        for (std::size_t i = size(); j > 0; --i) {
            if (i == j || random.uniform() * sums_(i, j) < occurs_[i - 1] * sums_(i - 1, j - 1)) {
                positions[--j] = i - 1;
            }
        }
    }

    /// The probability of each position to be drawn; their sum is k.
    ///
    /// Cost      O(m k)
    [[nodiscard]] std::vector<double> inclusion_probabilities() const {
        std::vector<double> probabilities(size(), 0.0);
        std::vector<double> after(k_ + 1, 0.0);  // after[j]: probability that j of the events from i on occur
        after[0] = 1.0;
        for (std::size_t i = size(); i > 0 && k_ > 0; --i) {
            const std::size_t most = std::min(k_ - 1, size() - i);
            for (std::size_t j = 0; j <= most; ++j) {
                probabilities[i - 1] += sums_(i - 1, k_ - 1 - j) * after[j];
            }
            probabilities[i - 1] *= occurs_[i - 1] / sums_(size(), k_);
            for (std::size_t j = k_; j > 0; --j) {
                after[j] = fails_[i - 1] * after[j] + occurs_[i - 1] * after[j - 1];
            }
            after[0] *= fails_[i - 1];
        }
        return probabilities;
    }

private:
    // c with sum x / (c + x) = k: Newton's method in log c, with bisection where it leaves the limits. The result need
    // not be exact, because every c is right. It must only keep E(k, m) far from underflow.
    [[nodiscard]] double find_scale(std::span<const double> numbers, double low, double high) const noexcept {
        double log_c = 0.5 * (low + high);
        for (int step = 0; step < 100; ++step) {
            const double c = math::exp(log_c);
            double mean = 0.0;
            double variance = 0.0;
            for (const double x : numbers) {
                const double p = x / (c + x);
                mean += p;
                variance += p * (1.0 - p);
            }
            const double excess = mean - static_cast<double>(k_);
            if (math::abs(excess) < 0.5) {
                break;
            }
            (excess > 0.0 ? low : high) = log_c;
            log_c += excess / variance;
            if (!(log_c > low && log_c < high)) {
                log_c = 0.5 * (low + high);
            }
        }
        return math::exp(log_c);
    }

    std::size_t k_;
    std::vector<double> occurs_;  // p_i
    std::vector<double> fails_;   // 1 - p_i, without cancellation
    Matrix<double> sums_;         // E(j, i) in row i, column j, where k events can still occur
    double log_value_ = 0.0;
};

}  // namespace rerank
}  // namespace FUNNEL_ABI
}  // namespace funnel
