// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/bandits/policy.hpp>
#include <funnel/core/options.hpp>

#include <cstddef>
#include <optional>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace bandits {

/// Teaches a policy from a slate whose user looks from the top down and stops at the first click (the cascade model).
/// Arms above the click get reward 0, the clicked one 1. Those below were not looked at and teach nothing. Without a
/// click, all get 0.
///
///     UCB1 policy(arms, {.exploration = 1.5});           // CascadeUCB1;  KLUCB gives CascadeKL-UCB
///     const auto shown = policy.select(10);
///     update_cascade(policy, shown, first_click);
///
/// Errors    InvalidArgument if an arm or the click is out of range; then the policy is unchanged
/// Source    Kveton et al., "Cascading bandits", ICML 2015 (t counts plays here, slates there)
template <Policy P>
void update_cascade(P& policy, std::span<const std::size_t> shown, std::optional<std::size_t> first_click) {
    for (const std::size_t arm : shown) {
        require_below(arm, policy.arms(), "update_cascade: arm");
    }
    if (first_click) {
        require_below(*first_click, shown.size(), "update_cascade: first_click");
    }
    for (std::size_t place = 0; place < shown.size(); ++place) {
        const bool is_click = place == first_click;
        policy.update(shown[place], is_click ? 1.0 : 0.0);
        if (is_click) {
            return;
        }
    }
}

}  // namespace bandits
}  // namespace FUNNEL_ABI
}  // namespace funnel
