// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/alias_table.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/portable_math.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/sparse.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/data/user_item_matrix.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace data {

struct NegativeOptions {
    double alpha = 0.0;  ///< at least 0; weight of item i is count(i)^alpha; 0: uniform, 1: by popularity
    std::uint64_t seed = 1;
};

/// Draws negative examples: items that a user did not interact with.
///
///     P(item | user) = count(item)^alpha / sum of count^alpha over the items that are not in the user's history
///
/// The distribution is exact, because every draw is checked against the history. With alpha > 0, an item without
/// interactions is never drawn. A draw depends only on the seed, the user and its own number, not on other draws, their
/// order or the thread.
///
/// Cost      construction: O(rows + users + items) time and memory. A draw: O(1) tries, each O(log history), if the
///           history has a small part of the weight; at worst O(items)
/// Errors    InvalidArgument if alpha is negative, infinite or NaN
class NegativeSampler {
public:
    explicit NegativeSampler(const Interactions& history, const NegativeOptions& options = {})
        : seed_(options.seed), alpha_(options.alpha), history_(user_item_matrix(history)) {
        require_not_negative(options.alpha, "NegativeSampler: alpha");
        weigh(history);
        if (std::any_of(weights_.begin(), weights_.end(), [](double weight) { return weight > 0.0; })) {
            table_.emplace(weights_);
        }
    }

    NegativeSampler(const NegativeSampler&) = default;
    NegativeSampler(NegativeSampler&&) noexcept = default;
    NegativeSampler& operator=(const NegativeSampler& other) {
        return *this = NegativeSampler(other);
    }  // strong guarantee
    NegativeSampler& operator=(NegativeSampler&&) noexcept = default;
    ~NegativeSampler() = default;

    [[nodiscard]] std::size_t users() const noexcept { return history_.rows(); }
    [[nodiscard]] std::size_t items() const noexcept { return history_.cols(); }

    /// `count` independent draws; an item may occur twice. `draw` is the number of this call: use a different number
    /// for each row or step. The result is empty if there is no item to draw.
    ///
    /// Errors    InvalidArgument if there is no such user
    [[nodiscard]] std::vector<std::uint32_t> sample(std::size_t user, std::size_t count, std::uint64_t draw = 0) const {
        require_below(user, users(), "NegativeSampler: user");
        require(count <= std::numeric_limits<std::ptrdiff_t>::max() / sizeof(std::uint32_t),
                "NegativeSampler: count must fit into memory");
        std::vector<std::uint32_t> negatives(count);
        negatives.resize(sample(user, draw, negatives));
        return negatives;
    }

    /// As above, but fills the caller's memory. Returns the number of items drawn: out.size(), or 0 if there is no item
    /// to draw or the user is unknown.
    [[nodiscard]] std::size_t sample(std::size_t user, std::uint64_t draw,
                                     std::span<std::uint32_t> out) const noexcept {
        if (user >= users()) {
            return 0;
        }
        const std::span<const std::uint32_t> seen = history_.row(user).columns;
        constexpr Stream draw_stream = stream("negatives.draws");
        Random random(seed_, draw_stream.substream(user), draw);
        for (std::size_t i = 0; i < out.size(); ++i) {
            if (!draw_unseen(random, seen, out[i])) {
                return i;
            }
        }
        return out.size();
    }

private:
    void weigh(const Interactions& history) {
        counts_.assign(items(), 0);
        for (const Interaction& row : history) {
            ++counts_[row.item];
        }
        weights_.assign(items(), 1.0);
        if (alpha_ > 0.0 && !counts_.empty()) {
            const double largest = static_cast<double>(*std::max_element(counts_.begin(), counts_.end()));
            for (std::size_t item = 0; item < items(); ++item) {
                const double share = static_cast<double>(counts_[item]) / largest;
                weights_[item] = counts_[item] == 0
                                     ? 0.0
                                     : funnel::detail::portable_exp(alpha_ * funnel::detail::portable_log(share));
            }
        }
    }

    // Draws from all items until the item is not in the history; after 32 tries, draws from the remaining items.
    // Returns false if there is no item to draw.
    //
    // NOLINTNEXTLINE(bugprone-exception-escape): below(0) would throw, but without items nothing is drawn
    bool draw_unseen(Random& random, std::span<const std::uint32_t> seen, std::uint32_t& drawn) const noexcept {
        const auto is_seen = [&](std::size_t item) { return std::binary_search(seen.begin(), seen.end(), item); };
        if (!table_ || seen.size() == items()) {
            return false;
        }
        constexpr int tries = 32;
        for (int attempt = 0; attempt < tries; ++attempt) {
            drawn = table_->draw(random);
            if (!is_seen(drawn) && weights_[drawn] > 0.0) {
                return true;
            }
        }

        // The history has nearly all the weight, so scan the remaining items. With a large alpha, their weights may
        // underflow relative to the most popular item; then the reference is the most popular remaining item.
        double total = 0.0;
        std::uint32_t largest_count = 0;
        for (std::size_t item = 0; item < items(); ++item) {
            if (!is_seen(item)) {
                total += weights_[item];
                largest_count = std::max(largest_count, counts_[item]);
            }
        }
        const bool is_tiny = total < 1e-200 && largest_count > 0;
        const auto weight = [&](std::size_t item) {
            if (!is_tiny || counts_[item] == 0) {
                return weights_[item];
            }
            const double share = static_cast<double>(counts_[item]) / static_cast<double>(largest_count);
            return funnel::detail::portable_exp(alpha_ * funnel::detail::portable_log(share));
        };
        if (is_tiny) {
            total = 0.0;
            for (std::size_t item = 0; item < items(); ++item) {
                total += is_seen(item) ? 0.0 : weight(item);
            }
        }
        const double target = random.uniform() * total;
        double cumulative = 0.0;
        bool found = false;
        for (std::uint32_t item = 0; item < items() && cumulative <= target; ++item) {
            if (!is_seen(item) && weight(item) > 0.0) {
                drawn = item;
                cumulative += weight(item);
                found = true;
            }
        }
        return found;
    }

    std::uint64_t seed_;
    double alpha_;
    CSRMatrix<float> history_;
    std::vector<std::uint32_t> counts_;  // number of rows per item
    std::vector<double> weights_;        // relative to the most popular item (1); 0 also on underflow
    std::optional<AliasTable> table_;    // of the weights; empty if nothing can be drawn
};

}  // namespace data
}  // namespace FUNNEL_ABI
}  // namespace funnel
