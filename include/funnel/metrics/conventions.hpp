// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/metrics/average_precision.hpp>
#include <funnel/metrics/ndcg.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

// Libraries compute different numbers under the same name. A Conventions object holds every choice that they make
// differently. The objects in `compat` make the choices of other libraries, so that their numbers can be reproduced.
namespace funnel {
inline namespace FUNNEL_ABI {
namespace metrics {

/// The order of items with equal scores.
enum class TieOrder : std::uint8_t {
    SmallerId,    ///< the smaller id first; strings are compared bytewise
    LargerId,     ///< the larger id first
    Expected,     ///< the mean over all orders
    Pessimistic,  ///< relevant items last
    Optimistic,   ///< relevant items first
};

/// The discount of NDCG. Without a cut-off it is the same.
enum class DiscountKind : std::uint8_t {
    Log2,         ///< 1 / log2(rank + 1)
    ClippedLog2,  ///< 1 / max(1, log2(rank)): ranks 1 and 2 weigh the same
};

/// The list that NDCG divides by.
enum class IdealList : std::uint8_t {
    Judged,  ///< all judged items from the largest label down, cut at k
    Uncut,   ///< all judged items, however many
    Full,    ///< k items with the gain of label 1: users with fewer relevant items cannot reach 1
};

enum class PrecisionDivisor : std::uint8_t {
    Cutoff,  ///< k; without a cut-off, the length of the list
    Shown,   ///< min(k, length of the list)
    Pooled,  ///< hits of all users over the sum of min(k, relevant items): not a mean over users
};

enum class RecallDivisor : std::uint8_t {
    Relevant,  ///< R
    Possible,  ///< min(R, k)
};

/// What the figure of a query is that has judgements, but no list.
enum class MissingList : std::uint8_t {
    Zero,  ///< 0
    Skip,  ///< none: the query is left out of the mean
};

/// Every choice that libraries make differently. The defaults are those of evaluate().
struct Conventions {
    TieOrder ties = TieOrder::SmallerId;
    GainKind gain = GainKind::Linear;
    DiscountKind discount = DiscountKind::Log2;
    IdealList ideal = IdealList::Judged;
    APDenominator average_precision = APDenominator::Possible;  ///< not Hits if ties are Expected
    PrecisionDivisor precision = PrecisionDivisor::Cutoff;
    RecallDivisor recall = RecallDivisor::Relevant;
    MissingList missing = MissingList::Zero;
    float relevant_above = 0.0F;  ///< labels above it are relevant, for all metrics except NDCG; >= 0
};

/// Conventions of other libraries, as their source code has them; `docs/algorithms/conventions.md` has the table.
/// Where a library leaves the order of ties to its sorting algorithm, the preset has the smaller id first.
namespace compat {

inline constexpr Conventions trec_eval{
    .ties = TieOrder::LargerId, .average_precision = APDenominator::Relevant, .missing = MissingList::Skip};
inline constexpr Conventions ranx{.average_precision = APDenominator::Relevant};
inline constexpr Conventions sklearn{.ties = TieOrder::Expected};  // ndcg_score; its other metrics are of other kinds
inline constexpr Conventions recbole{};
inline constexpr Conventions lenskit{.discount = DiscountKind::ClippedLog2,
                                     .average_precision = APDenominator::Shown,
                                     .precision = PrecisionDivisor::Shown,
                                     .recall = RecallDivisor::Possible};
inline constexpr Conventions rectools{.ideal = IdealList::Full, .average_precision = APDenominator::Relevant};
inline constexpr Conventions implicit{.ties = TieOrder::LargerId, .precision = PrecisionDivisor::Pooled};

}  // namespace compat

namespace detail {

inline double discount_of(DiscountKind kind, std::size_t rank) {
    return kind == DiscountKind::Log2 ? discount(rank) : 1.0 / std::max(1.0, math::log2(static_cast<double>(rank)));
}

inline double gain_of(GainKind kind, float label) {
    return kind == GainKind::Linear ? LinearGain{}(label) : ExponentialGain{}(label);
}

}  // namespace detail

}  // namespace metrics
}  // namespace FUNNEL_ABI
}  // namespace funnel
