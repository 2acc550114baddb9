// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/cf/als_options.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/sparse.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace cf {

/// What a few rows of factors learn from: the observed pairs of each, with their weights and targets (als_pair), and
/// the penalty. Pairs that nothing is learned from are left out.
class ALSPairs {
public:
    void clear() noexcept {
        ids_.clear();
        weights_.clear();
        targets_.clear();
        penalties_.clear();
        ends_.clear();
    }

    /// Adds the pairs of one more row. others: the number of rows of the other side.
    ///
    /// Errors    InvalidArgument if the penalty of the row is not finite
    void add(const SparseRow<float>& observed, std::size_t others, const ImplicitALSOptions& options) {
        const std::size_t before = ids_.size();
        ids_.resize(before + observed.size());
        weights_.resize(before + observed.size());
        targets_.resize(before + observed.size());
        std::size_t used = before;
        double sum = 0.0;
        for (std::size_t i = 0; i < observed.size(); ++i) {
            const auto [weight, target] = als_pair(observed.values[i], options);
            ids_[used] = observed.columns[i];
            weights_[used] = weight;
            targets_[used] = target;
            sum += static_cast<double>(weight);
            used += weight != 0.0F || target != 0.0F ? 1U : 0U;
        }
        ids_.resize(used);
        weights_.resize(used);
        targets_.resize(used);
        ends_.push_back(used);

        auto penalty = static_cast<double>(options.lambda);
        if (options.objective == ALSObjective::Rendle) {
            const double all = static_cast<double>(options.alpha0) * static_cast<double>(others);
            penalty *= math::pow(sum + all, static_cast<double>(options.nu));
        }
        penalties_.push_back(static_cast<float>(penalty));
        require(math::is_finite(penalties_.back()),
                "ImplicitALS: lambda (|S| + alpha0 n)^nu must be finite: nu is too large");
    }

    /// The number of rows of factors.
    [[nodiscard]] std::size_t size() const noexcept { return ends_.size(); }

    /// Of row i < size() (not checked): one number per pair, except for the penalty.
    [[nodiscard]] std::span<const std::uint32_t> ids(std::size_t i) const FUNNEL_LIFETIMEBOUND { return part(ids_, i); }
    [[nodiscard]] std::span<const float> weights(std::size_t i) const FUNNEL_LIFETIMEBOUND { return part(weights_, i); }
    [[nodiscard]] std::span<const float> targets(std::size_t i) const FUNNEL_LIFETIMEBOUND { return part(targets_, i); }
    [[nodiscard]] float penalty(std::size_t i) const noexcept { return penalties_[i]; }

private:
    template <class T>
    [[nodiscard]] std::span<const T> part(const std::vector<T>& all, std::size_t i) const noexcept {
        const std::size_t begin = i == 0 ? 0 : ends_[i - 1];
        return std::span(all).subspan(begin, ends_[i] - begin);
    }

    std::vector<std::uint32_t> ids_;  // rows of the other side
    std::vector<float> weights_;
    std::vector<float> targets_;
    std::vector<float> penalties_;   // of each row of factors
    std::vector<std::size_t> ends_;  // where the pairs of each end
};

}  // namespace cf
}  // namespace FUNNEL_ABI
}  // namespace funnel
