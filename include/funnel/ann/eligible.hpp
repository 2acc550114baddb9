// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/ann/filters.hpp>
#include <funnel/ann/vectors.hpp>
#include <funnel/core/item_filter.hpp>
#include <funnel/core/math.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ann::detail {

// What a scan costs per vector, in vectors of floats that are read one by one: a call of a filter, and int8 codes that
// are read in order with what they do not rule out. Measured by bench/ann/filter_bench.cpp.
inline constexpr double call_cost = 0.125;
inline constexpr double code_cost = 0.125;

/// The cost of reading codes in order where only a share of the vectors is eligible. The fewer they are, the longer it
/// takes until the best of them rule out others, and the filter is asked about all that are not ruled out.
[[nodiscard]] inline double reading_cost(double codes, double share) noexcept {
    return codes - 0.02 * math::log2(std::max(share, 0x1p-30));
}

/// An estimate of the share of the n > 0 ids that pass, from a sample of 128.
template <class Passes>
[[nodiscard]] double passing_share(std::size_t n, const Passes& passes) {
    constexpr std::uint32_t draws = 128;
    std::uint32_t passed = 0;
    for (std::uint32_t i = 0; i < draws; ++i) {
        // Multiples of the golden ratio are spread evenly and do not follow any regular pattern of the ids.
        const std::uint32_t fraction = i * 0x9E3779B9U;
        passed += passes(static_cast<std::uint32_t>(std::uint64_t{fraction} * n >> 32)) ? 1U : 0U;
    }
    return static_cast<double>(passed) / draws;
}

/// The vectors that a search may return: those that are not removed and that the caller's filter accepts.
template <Metric M, ItemFilter F>
class Eligible {
public:
    static constexpr bool has_filter = !std::same_as<F, AcceptAll>;
    static constexpr bool knows_share = !has_filter || is_bitmap<F> || is_id_list<F>;
    static constexpr bool is_list = is_id_list<F>;
    static constexpr bool lists_ids = is_bitmap<F> || is_list;

    /// Keeps references to both.
    Eligible(const Vectors<M>& vectors FUNNEL_LIFETIMEBOUND, const F& filter FUNNEL_LIFETIMEBOUND) noexcept
        : vectors_(&vectors), filter_(&filter) {}

    [[nodiscard]] bool operator()(std::uint32_t id) const noexcept(is_nothrow_filter<F>) {
        return vectors_->is_live(id) && (*filter_)(id);
    }

    /// Whether some vectors may be missing.
    [[nodiscard]] bool excludes_any() const noexcept { return has_filter || vectors_->live() < vectors_->count(); }

    /// The cost of a scan that scores the eligible vectors alone, per vector of the index.
    [[nodiscard]] static double cost_by_ids(double share) noexcept { return share + (lists_ids ? 0.0 : call_cost); }
    /// The cost of the cheapest scan; has_codes: whether the index has int8 codes for it.
    [[nodiscard]] static double scan_cost(double share, bool has_codes) noexcept {
        return has_codes ? std::min(reading_cost(code_cost, share), cost_by_ids(share)) : cost_by_ids(share);
    }

    /// The share of the vectors that are eligible. A bitmap and a list know it, if as many of those that pass were
    /// removed as of all; for another filter it is an estimate from a sample of 128. There must be vectors (not
    /// checked).
    [[nodiscard]] double share() const noexcept(is_nothrow_filter<F>) {
        const auto count = static_cast<double>(vectors_->count());
        const double live = static_cast<double>(vectors_->live()) / count;
        if constexpr (lists_ids) {
            return live * std::min(1.0, static_cast<double>(filter_->count()) / count);
        } else if constexpr (has_filter) {
            return passing_share(vectors_->count(), *this);
        } else {
            return live;
        }
    }

private:
    const Vectors<M>* vectors_;
    const F* filter_;
};

}  // namespace ann::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel
