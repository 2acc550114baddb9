// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/math.hpp>
#include <funnel/core/options.hpp>
#include <funnel/io/container.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace bandits {

/// One decision of a policy and what came of it: what off-policy evaluation needs.
struct LoggedDecision {
    std::uint64_t context = 0;  ///< of the caller: a request, a user, a position in a file of features
    std::uint64_t arm = 0;      ///< the arm that was shown: a key that remains its own, if arms are removed
    double propensity = 1.0;    ///< the probability with which the policy chose it at that time, in (0, 1]
    double reward = 0.0;        ///< finite

    friend bool operator==(const LoggedDecision&, const LoggedDecision&) = default;
};

/// Writes decisions to a .fnl file.
///
/// Errors    InvalidArgument if a propensity does not lie in (0, 1] or a reward is not finite;  IOError
inline void save_decisions(const std::string& path, std::span<const LoggedDecision> decisions) {
    std::vector<std::uint64_t> contexts;
    std::vector<std::uint64_t> arms;
    std::vector<double> propensities;
    std::vector<double> rewards;
    for (const LoggedDecision& decision : decisions) {
        require_positive(decision.propensity, "save_decisions: propensity");
        require_between(decision.propensity, 0.0, 1.0, "save_decisions: propensity");
        require_finite(decision.reward, "save_decisions: reward");
        contexts.push_back(decision.context);
        arms.push_back(decision.arm);
        propensities.push_back(decision.propensity);
        rewards.push_back(decision.reward);
    }
    io::ContainerWriter file("bandits.Decisions", 1);
    file.array("contexts", contexts);
    file.array("arms", arms);
    file.array("propensities", propensities);
    file.array("rewards", rewards);
    file.save(path);
}

/// Reads decisions that save_decisions has written.
///
/// Errors    IOError;  CorruptData if the file is damaged or holds something else
[[nodiscard]] inline std::vector<LoggedDecision> load_decisions(const std::string& path) {
    const io::ContainerReader file(path, "bandits.Decisions", 1);
    const auto contexts = file.array<std::uint64_t>("contexts");
    const auto arms = file.array<std::uint64_t>("arms", contexts.size());
    const auto propensities = file.array<double>("propensities", contexts.size());
    const auto rewards = file.array<double>("rewards", contexts.size());
    std::vector<LoggedDecision> decisions;
    decisions.reserve(contexts.size());
    for (std::size_t i = 0; i < contexts.size(); ++i) {
        file.check(math::is_finite(propensities[i]) && propensities[i] > 0.0 && propensities[i] <= 1.0, "propensities",
                   "must lie in (0, 1]");
        file.check(math::is_finite(rewards[i]), "rewards", "must be finite");
        decisions.push_back({contexts[i], arms[i], propensities[i], rewards[i]});
    }
    return decisions;
}

}  // namespace bandits
}  // namespace FUNNEL_ABI
}  // namespace funnel
