// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/options.hpp>

#include <concepts>
#include <cstddef>
#include <string>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace rerank {

/// A hard rule of a slate, asked while the slate is filled from its first place to its last.
///
/// `allows(candidate)` says whether the candidate may take the next place. A candidate that is forbidden at one place
/// may be allowed at a later one. `place(candidate)` tells the rule that the candidate takes the next place. If a rule
/// allows no candidate, the selection ends.
///
/// A rule that is about a certain number of candidates says so by `candidates()`. A selection from another number is an
/// error. Candidates are positions in the list of the request, not ids of the catalogue.
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

namespace detail {

// Throws if the rule is about another number of candidates than n.
template <SlateRule R>
void require_rule_of(const R& rule, std::size_t n, const char* function) {
    if constexpr (requires { rule.candidates(); }) {
        if (rule.candidates() != n) {
            require_equal(rule.candidates(), n, (std::string(function) + ": number of candidates of the rule").c_str());
        }
    }
}

}  // namespace detail
}  // namespace rerank
}  // namespace FUNNEL_ABI
}  // namespace funnel
