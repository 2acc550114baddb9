// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/sparse.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/data/portable_exp.hpp>
#include <funnel/data/user_item_matrix.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

namespace funnel::inline FUNNEL_ABI::data {

struct NegativeOptions {
    double alpha = 0.0;  ///< at least 0; item i weighs count(i)^alpha: 0 takes all items alike, 1 by popularity
    std::uint64_t seed = 1;
};

/// Draws items that a user did nothing with, to set against those that the user liked.
///
///     P(item | user) = count(item)^alpha / sum of the same over the items that are not in the user's history
///
/// Exactly so: every draw is checked against the history. With alpha > 0, an item that nobody touched is never drawn.
/// A draw depends on the seed, the user and its own number alone: not on other draws, their order or their threads.
///
/// Cost      to make: O(rows + users + items) time and memory. A draw: O(1) tries, each O(log history), if the history
///           is a small part of the weight; at worst O(items)
/// Errors    InvalidArgument if alpha is negative, infinite or NaN
/// Source    alias method: Walker 1977, Vose 1991
class NegativeSampler {
public:
    explicit NegativeSampler(const Interactions& history, const NegativeOptions& options = {})
        : seed_(options.seed), history_(user_item_matrix(history)) {
        if (!math::is_finite(options.alpha) || options.alpha < 0.0) {
            raise<InvalidArgument>("NegativeSampler: alpha must be finite and >= 0, got " +
                                   std::to_string(options.alpha));
        }
        weigh(history, options.alpha);
        build_alias_table();
    }

    [[nodiscard]] std::size_t users() const noexcept { return history_.rows(); }
    [[nodiscard]] std::size_t items() const noexcept { return history_.cols(); }

    /// `count` independent draws, so an item may come twice. `draw` is the number of this call: give each row or step
    /// its own. Empty if there is no item to draw.
    ///
    /// Errors    InvalidArgument if there is no such user
    [[nodiscard]] std::vector<std::uint32_t> sample(std::size_t user, std::size_t count, std::uint64_t draw = 0) const {
        require(user < users(), "NegativeSampler: user must be below users()");
        std::vector<std::uint32_t> negatives(count);
        negatives.resize(sample(user, draw, negatives));
        return negatives;
    }

    /// The same into memory of the caller; returns how many were drawn: out.size(), or 0 if there is no such user or no
    /// item to draw.
    [[nodiscard]] std::size_t sample(std::size_t user, std::uint64_t draw,
                                     std::span<std::uint32_t> out) const noexcept {
        if (user >= users()) {
            return 0;
        }
        const std::span<const std::uint32_t> seen = history_.row(user).columns;
        // Users differ in the key, draws in the stream. The finaliser of SplitMix64 is one to one.
        std::uint64_t key = user + 0x9E3779B97F4A7C15;
        key = (key ^ key >> 30) * 0xBF58476D1CE4E5B9;
        key = (key ^ key >> 27) * 0x94D049BB133111EB;
        Random random(seed_ ^ key ^ key >> 31, draw);
        for (std::size_t i = 0; i < out.size(); ++i) {
            if (!draw_unseen(random, seen, out[i])) {
                return i;
            }
        }
        return out.size();
    }

private:
    void weigh(const Interactions& history, double alpha) {
        std::vector<std::uint32_t> counts(items(), 0);
        for (const Interaction& row : history) {
            ++counts[row.item];
        }
        weights_.assign(items(), 1.0);
        log_weights_.assign(items(), 0.0);
        if (alpha > 0.0 && !counts.empty()) {
            const double largest = static_cast<double>(*std::max_element(counts.begin(), counts.end()));
            for (std::size_t item = 0; item < items(); ++item) {
                const double share = static_cast<double>(counts[item]) / largest;
                log_weights_[item] =
                    counts[item] == 0 ? never : std::max(alpha * funnel::detail::portable_log(share), least_log_weight);
                weights_[item] = counts[item] == 0 ? 0.0 : detail::portable_exp(log_weights_[item]);
            }
        }
    }

    // Each slot has room for the mean weight: its own item fills it up to keep_[slot], other_[slot] takes the rest.
    void build_alias_table() {
        double total = 0.0;
        for (const double weight : weights_) {
            total += weight;
        }
        keep_.assign(items(), 1.0);
        other_.assign(items(), 0);
        if (total == 0.0) {
            return;  // nothing will be drawn
        }
        std::vector<double> left(items());
        std::vector<std::uint32_t> poor;
        std::vector<std::uint32_t> rich;
        for (std::uint32_t item = 0; item < items(); ++item) {
            left[item] = weights_[item] / total * static_cast<double>(items());
            (left[item] < 1.0 ? poor : rich).push_back(item);
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

    // NOLINTNEXTLINE(bugprone-exception-escape): below(0) would throw, but without items nothing is drawn
    bool draw_unseen(Random& random, std::span<const std::uint32_t> seen, std::uint32_t& drawn) const noexcept {
        const auto is_seen = [&](std::size_t item) { return std::binary_search(seen.begin(), seen.end(), item); };
        if (seen.size() == items()) {
            return false;
        }
        constexpr int tries = 32;
        for (int attempt = 0; attempt < tries; ++attempt) {
            const auto slot = static_cast<std::uint32_t>(random.below(items()));
            drawn = random.uniform() < keep_[slot] ? slot : other_[slot];
            if (!is_seen(drawn) && weights_[drawn] > 0.0) {
                return true;
            }
        }

        // The history holds nearly all the weight: look through what is left. Weights relative to the largest one there,
        // because with a large alpha all of them may be too small for a double.
        double largest = never;
        for (std::size_t item = 0; item < items(); ++item) {
            largest = is_seen(item) ? largest : std::max(largest, log_weights_[item]);
        }
        if (largest == never) {
            return false;
        }
        const auto weight = [&](std::size_t item) {
            return is_seen(item) || log_weights_[item] == never ? 0.0
                                                                : detail::portable_exp(log_weights_[item] - largest);
        };
        double total = 0.0;
        for (std::size_t item = 0; item < items(); ++item) {
            total += weight(item);
        }
        const double target = random.uniform() * total;
        double below = 0.0;
        for (std::uint32_t item = 0; item < items() && below <= target; ++item) {
            const double own = weight(item);
            drawn = own > 0.0 ? item : drawn;
            below += own;
        }
        return true;
    }

    static constexpr double never = std::numeric_limits<double>::lowest();  // log weight of what is not drawn
    static constexpr double least_log_weight = never / 4;                   // of anything else: differences are finite

    std::uint64_t seed_;
    CSRMatrix<float> history_;
    std::vector<double> weights_;      // count^alpha over the largest, 0 if that is too small for a double
    std::vector<double> log_weights_;  // their logarithms, which always fit
    std::vector<double> keep_;
    std::vector<std::uint32_t> other_;
};

}  // namespace funnel::data
