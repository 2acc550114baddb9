// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/options.hpp>
#include <funnel/rerank/freshness.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace rerank {

/// A rule: a candidate is shown only if a predicate accepts its position. For block lists, age and region policy.
template <std::predicate<std::size_t> P>
class AllowIf {
public:
    static constexpr bool is_filter = true;  // SlateRules: a pin does not overrule it, if it is hard

    explicit AllowIf(P predicate) : predicate_(std::move(predicate)) {}

    [[nodiscard]] bool allows(std::size_t candidate) const { return static_cast<bool>(predicate_(candidate)); }
    void place(std::size_t) const noexcept {}

private:
    P predicate_;
};

/// Who may see an item. A region is a bit: up to 64 regions.
struct ItemPolicy {
    bool is_blocked = false;                    ///< true: nobody
    std::uint8_t minimum_age = 0;               ///< viewers below this age may not see it
    std::uint64_t regions = ~std::uint64_t{0};  ///< bit r: viewers in region r may see it
};

struct Viewer {
    std::optional<std::uint8_t> age = {};     ///< not set: unknown
    std::optional<std::uint8_t> region = {};  ///< 0 to 63; not set: unknown
};

/// Whether the policy of an item lets a viewer see it. An unknown age passes no age limit. An unknown region sees only
/// what every region may see.
///
///     AllowIf([&](std::size_t i) { return may_see(policies[items[i]], viewer); })
///
/// Errors    InvalidArgument if the region is above 63
[[nodiscard]] inline bool may_see(const ItemPolicy& policy, const Viewer& viewer) {
    require_below(viewer.region.value_or(0), 64, "may_see: region");
    const bool is_old_enough = policy.minimum_age == 0 || (viewer.age && *viewer.age >= policy.minimum_age);
    const bool is_sold_here =
        viewer.region ? (policy.regions >> *viewer.region & 1U) != 0 : policy.regions == ~std::uint64_t{0};
    return !policy.is_blocked && is_old_enough && is_sold_here;
}

struct PromoteOptions {
    float weight = 0.1F;            ///< gain of a promoted item; 0 changes nothing
    Boost boost = Boost::Additive;  ///< how the gain is applied; see freshness()
};

/// Raises the scores of promoted candidates. Rules apply all the same: to guarantee a place, use a Pin.
///
///     additive: score + weight        multiplicative: score * (1 + weight)
///
/// Shapes    scores: n;  promoted: positions; one that occurs twice is promoted once
/// Returns   n scores, by position
/// Errors    InvalidArgument if weight is negative or not finite, a position is out of range, a score is not finite, a
///           score is negative with Boost::Multiplicative, or a result exceeds the range of float
[[nodiscard]] inline std::vector<float> promote(std::span<const float> scores, std::span<const std::size_t> promoted,
                                                const PromoteOptions& options = {}) {
    require_not_negative(options.weight, "promote: weight");
    const bool multiplies = options.boost == Boost::Multiplicative;
    std::vector<float> boosted(scores.begin(), scores.end());
    for (const float score : scores) {
        require(math::is_finite(score), "promote: scores must be finite");
        require(!multiplies || score >= 0.0F, "promote: scores must be >= 0 with Boost::Multiplicative");
    }
    for (const std::size_t i : promoted) {
        require_below(i, scores.size(), "promote: position");
        boosted[i] = multiplies ? scores[i] * (1.0F + options.weight) : scores[i] + options.weight;
        require(math::is_finite(boosted[i]), "promote: results must be finite: a score or the weight is too large");
    }
    return boosted;
}

}  // namespace rerank
}  // namespace FUNNEL_ABI
}  // namespace funnel
