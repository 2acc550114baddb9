// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>

#include <concepts>
#include <cstddef>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace rerank {

/// A hard rule of a slate, asked while the slate is filled from its first place to its last.
///
/// `allows(candidate)` says whether the candidate may take the next place. A candidate that is forbidden at one place
/// may be allowed at a later one. `place(candidate)` tells the rule that the candidate takes the next place. If a rule
/// allows no candidate, the selection ends.
template <class R>
concept SlateRule = requires(R& rule, const R& constant, std::size_t candidate) {
    { constant.allows(candidate) } -> std::convertible_to<bool>;
    rule.place(candidate);
};

/// No rule: every candidate may take every place.
struct AnyCandidate {
    [[nodiscard]] constexpr bool allows(std::size_t /*candidate*/) const noexcept { return true; }
    constexpr void place(std::size_t /*candidate*/) noexcept {}
};

}  // namespace rerank
}  // namespace FUNNEL_ABI
}  // namespace funnel
