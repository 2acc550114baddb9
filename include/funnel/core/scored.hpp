// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>

#include <concepts>
#include <cstdint>

namespace funnel {
inline namespace FUNNEL_ABI {

/// An item and its score; a higher score is better.
template <std::integral Id = std::uint32_t>
struct Scored {
    Id id;
    float score;

    friend constexpr bool operator==(const Scored&, const Scored&) = default;
};

/// The order of all results: higher score first, then smaller id. Scores must not be NaN (not checked).
struct RanksBefore {
    template <std::integral Id>
    [[nodiscard]] FUNNEL_HOST_DEVICE constexpr bool operator()(const Scored<Id>& a,
                                                               const Scored<Id>& b) const noexcept {
        FUNNEL_ASSERT(!math::is_nan(a.score) && !math::is_nan(b.score));
        return a.score != b.score ? a.score > b.score : a.id < b.id;
    }
};

inline constexpr RanksBefore ranks_before{};

}  // namespace FUNNEL_ABI
}  // namespace funnel
