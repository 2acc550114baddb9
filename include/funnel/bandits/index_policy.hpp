// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/bandits/arm_statistics.hpp>
#include <funnel/bandits/policy.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/portable_math.hpp>
#include <funnel/io/container.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace bandits {

/// What is known of an arm that was played.
struct ArmSummary {
    double mean;          ///< of its rewards, in [0, 1]
    double variance;      ///< of its rewards, divided by plays
    std::uint64_t plays;  ///< > 0
};

/// An upper confidence bound: index(arm, log of all plays) rises with what the arm may be worth.
template <class I>
concept UpperBound =
    std::copy_constructible<typename I::Options> && requires(const I& index, const ArmSummary& arm, double log_total) {
        I(typename I::Options{});
        { index(arm, log_total) } -> std::same_as<double>;
        { index.parameter() } -> std::same_as<double>;
    };

/// An index that also computes the bounds of many arms at once: bounds(arms, log of all plays, out). The results must
/// be those of each arm alone.
template <class I>
concept ManyUpperBounds = UpperBound<I> && requires(const I& index, std::span<const ArmSummary> arms, double log_total,
                                                    std::span<double> out) { index.bounds(arms, log_total, out); };

/// The policy that plays the arms with the highest upper confidence bounds: UCB1, UCBTuned and KLUCB.
///
/// Arms without plays come first; ties go to the smaller arm. The choice is not random: the propensity of the first arm
/// is 1, so the logs cannot evaluate other policies off-policy. Rewards must lie in [0, 1].
///
/// Cost      select: O(n + k log n);  update: O(1)
template <UpperBound Index>
class IndexPolicy {
public:
    using Options = typename Index::Options;

    /// Errors    InvalidArgument if there are no arms or an option is out of range
    explicit IndexPolicy(std::size_t arms, const Options& options = {})
        : index_(options), statistics_(arms, "IndexPolicy: arms") {}

    /// The min(k, arms) best arms, best first.
    [[nodiscard]] std::vector<std::size_t> select(std::size_t k) const {
        const std::vector<double> scores = indexes();
        return detail::best_positions(std::span<const double>(scores), k);
    }

    /// Learns from one reward.
    ///
    /// Errors    InvalidArgument if the arm does not exist or the reward does not lie in [0, 1]
    void update(std::size_t arm, double reward) {
        require_below(arm, arms(), "IndexPolicy::update: arm");
        require_between(reward, 0.0, 1.0, "IndexPolicy::update: reward");
        statistics_.add(arm, reward);
    }

    /// The probability of each arm to be selected first: 1 for one arm.
    ///
    /// Errors    InvalidArgument if the policy is moved-from
    [[nodiscard]] std::vector<double> propensities() const {
        require(arms() > 0, "IndexPolicy::propensities: the policy must not be moved-from");
        std::vector<double> result(arms(), 0.0);
        result[select(1)[0]] = 1.0;
        return result;
    }

    /// The upper confidence bounds; infinity for arms without plays.
    [[nodiscard]] std::vector<double> indexes() const {
        std::vector<double> result(arms(), std::numeric_limits<double>::infinity());
        const std::uint64_t total = statistics_.total_plays();
        const double log_total = total > 0 ? funnel::detail::portable_log(static_cast<double>(total)) : 0.0;
        if constexpr (ManyUpperBounds<Index>) {
            std::vector<ArmSummary> played;
            played.reserve(arms());
            for (std::size_t i = 0; i < arms(); ++i) {
                if (statistics_.plays(i) > 0) {
                    played.push_back(summary(i));
                }
            }
            std::vector<double> bounds(played.size());
            index_.bounds(played, log_total, bounds);
            for (std::size_t i = 0, next = 0; i < arms(); ++i) {
                if (statistics_.plays(i) > 0) {
                    result[i] = bounds[next++];
                }
            }
        } else {
            for (std::size_t i = 0; i < arms(); ++i) {
                if (statistics_.plays(i) > 0) {
                    result[i] = index_(summary(i), log_total);
                }
            }
        }
        return result;
    }

    [[nodiscard]] std::size_t arms() const noexcept { return statistics_.size(); }

    /// Adds an arm without plays, with the next number.
    void add_arm() { statistics_.add_arm(); }

    /// Removes an arm. The numbers of later arms fall by one.
    ///
    /// Errors    InvalidArgument if the arm does not exist or is the last one
    void remove_arm(std::size_t arm) { statistics_.remove_arm(arm, "IndexPolicy::remove_arm: arm"); }

    /// Errors    IOError;  InvalidArgument if the policy is moved-from
    void save(const std::string& path) const {
        io::ContainerWriter file(Index::kind, layout_version);
        file.value("parameter", index_.parameter());
        statistics_.write(file);
        file.save(path);
    }

    /// Errors    IOError;  CorruptData if the file is damaged or holds something else
    [[nodiscard]] static IndexPolicy load(const std::string& path) {
        const io::ContainerReader file(path, Index::kind, layout_version);
        const auto parameter = file.value<double>("parameter");
        file.check(Index::is_valid(parameter), "parameter", "must be a valid option of the policy");
        return IndexPolicy(Index(Options{parameter}), detail::ArmStatistics::read(file, 0.0, 1.0));
    }

private:
    static constexpr std::uint32_t layout_version = 1;

    IndexPolicy(const Index& index, detail::ArmStatistics statistics)
        : index_(index), statistics_(std::move(statistics)) {}

    // The arm must have been played.
    [[nodiscard]] ArmSummary summary(std::size_t arm) const noexcept {
        return {.mean = statistics_.mean(arm), .variance = statistics_.variance(arm), .plays = statistics_.plays(arm)};
    }

    Index index_;
    detail::ArmStatistics statistics_;
};

}  // namespace bandits
}  // namespace FUNNEL_ABI
}  // namespace funnel
