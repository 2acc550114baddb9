// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/bandits/propensities.hpp>
#include <funnel/core/hash.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/top_k.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/beta.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace bandits {

struct ThompsonSlateOptions {
    std::size_t k = 1;       ///< how many arms to select
    std::uint64_t seed = 1;  ///< seed of the draws
};

/// Arms that were selected together, and how likely that was.
struct ThompsonSlate {
    std::vector<std::size_t> arms;     ///< distinct positions, the largest draw first
    std::vector<double> propensities;  ///< of each arm, selected or not: the probability to be among the selected
};

/// One decision of Thompson sampling among arms with beta posteriors, without a policy that changes.
///
///     draw_i ~ Beta(alphas[i], betas[i]);  select the k largest draws
///
/// It depends on its arguments and nothing else: servers may decide in parallel, a request that is repeated gets the
/// same answer, and a log can be replayed. So arms may also differ from decision to decision, for example where a user
/// has seen some of them. Posteriors: those of ThompsonBeta::alpha and beta.
///
/// Shapes    alphas, betas: n, in [1e-6, 2^54];  decision: number of the request, another one for each draw
/// Returns   min(k, n) arms; propensities with sum min(k, n), exact as those of beta_top_k_probabilities
/// Cost      that of beta_top_k_probabilities: the draws take a few nanoseconds per arm
/// Errors    InvalidArgument if the shapes differ, or a value is out of range
template <kernels::HostBackend Backend = kernels::DefaultBackend>
[[nodiscard]] ThompsonSlate thompson_slate(std::span<const double> alphas, std::span<const double> betas,
                                           std::uint64_t decision, const ThompsonSlateOptions& options = {}) {
    require_equal(betas.size(), alphas.size(), "thompson_slate: size of betas");
    std::vector<float> a(alphas.size());
    std::vector<float> b(betas.size());
    for (std::size_t i = 0; i < alphas.size(); ++i) {
        require_between(alphas[i], detail::least_shape, detail::largest_shape, "thompson_slate: alpha");
        require_between(betas[i], detail::least_shape, detail::largest_shape, "thompson_slate: beta");
        a[i] = static_cast<float>(alphas[i]);
        b[i] = static_cast<float>(betas[i]);
    }
    const std::uint64_t word =
        funnel::detail::hash_word(funnel::detail::hash_word(0, options.seed), stream("thompson_slate.draws").id);
    const std::array key{static_cast<std::uint32_t>(word), static_cast<std::uint32_t>(word >> 32)};
    std::vector<float> draws(alphas.size());
    kernels::beta_logit<Backend>(a, b, key, decision, draws);
    ThompsonSlate slate;
    for (const auto& [arm, draw] : top_k(draws, options.k)) {
        slate.arms.push_back(arm);
    }
    slate.propensities = beta_top_k_probabilities(alphas, betas, options.k);
    return slate;
}

}  // namespace bandits
}  // namespace FUNNEL_ABI
}  // namespace funnel
