// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/options.hpp>

#include <array>
#include <cstddef>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace content {

struct ColdStartOptions {
    double content_half = 50.0;          ///< interactions at which content weighs as much as popularity beside it, > 0
    double collaborative_half = 20.0;    ///< and collaborative filtering as much as both, > 0
    std::size_t content_from = 1;        ///< below so many interactions, content has weight 0
    std::size_t collaborative_from = 2;  ///< and below so many, collaborative filtering
};

/// How much to trust popularity, content and collaborative filtering, as the interactions of a user arrive.
///
///     collaborative = n / (n + collaborative_half)
///     content       = (1 - collaborative) n / (n + content_half)
///     popularity    = the rest
///
///     const ColdStartPolicy policy;
///     const auto blend = pipeline::weighted([&](const auto& request) { return policy.weights(count(request.user)); },
///                                           popular, content, ease);
///
/// The weights change little with each interaction, so a user's list does not jump at a threshold. No number of
/// interactions is right for all logs and models: measure where the models cross on yours, and set the halves to it.
/// The defaults suit MovieLens-100K, where genres and titles say little (docs/algorithms/cold_start.md).
class ColdStartPolicy {
public:
    /// Errors    InvalidArgument if a half is not finite and > 0
    explicit ColdStartPolicy(const ColdStartOptions& options = {}) : options_(options) {
        require_positive(options.content_half, "ColdStartPolicy: content_half");
        require_positive(options.collaborative_half, "ColdStartPolicy: collaborative_half");
    }

    /// Returns   the weights of popularity, content and collaborative filtering; each >= 0, and their sum is 1
    [[nodiscard]] std::array<double, 3> weights(std::size_t interactions) const noexcept {
        const auto n = static_cast<double>(interactions);
        const auto share = [&](std::size_t from, double half) { return interactions < from ? 0.0 : n / (n + half); };
        const double collaborative = share(options_.collaborative_from, options_.collaborative_half);
        const double content = (1.0 - collaborative) * share(options_.content_from, options_.content_half);
        return {1.0 - collaborative - content, content, collaborative};
    }

private:
    ColdStartOptions options_;
};

}  // namespace content
}  // namespace FUNNEL_ABI
}  // namespace funnel
