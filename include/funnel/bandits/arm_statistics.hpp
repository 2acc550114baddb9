// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/options.hpp>
#include <funnel/io/container.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace bandits::detail {

inline constexpr double largest_reward = 1e100;  // sums of 2^53 rewards and of their squares are finite
inline constexpr std::uint64_t most_plays = std::uint64_t{1} << 53;

/// Number, sum and sum of squares of the rewards of each arm.
class ArmStatistics {
public:
    ArmStatistics(std::size_t arms, const char* name) {
        require_at_least(arms, 1, name);
        plays_.resize(arms);
        sums_.resize(arms);
        squares_.resize(arms);
    }

    ArmStatistics(const ArmStatistics&) = default;
    ArmStatistics(ArmStatistics&&) noexcept = default;
    ArmStatistics& operator=(const ArmStatistics& other) { return *this = ArmStatistics(other); }  // strong guarantee
    ArmStatistics& operator=(ArmStatistics&&) noexcept = default;
    ~ArmStatistics() = default;

    [[nodiscard]] std::size_t size() const noexcept { return plays_.size(); }
    [[nodiscard]] std::uint64_t plays(std::size_t arm) const noexcept { return plays_[arm]; }
    [[nodiscard]] std::uint64_t total_plays() const noexcept { return total_; }
    [[nodiscard]] double sum(std::size_t arm) const noexcept { return sums_[arm]; }
    /// The arm must have been played (not checked), here and below.
    [[nodiscard]] double mean(std::size_t arm) const noexcept { return sums_[arm] / static_cast<double>(plays_[arm]); }
    [[nodiscard]] double variance(std::size_t arm) const noexcept {
        const double mean_here = mean(arm);
        return std::max(0.0, squares_[arm] / static_cast<double>(plays_[arm]) - mean_here * mean_here);
    }

    /// The reward must lie within +-largest_reward (not checked).
    void add(std::size_t arm, double reward) noexcept {
        FUNNEL_ASSERT(arm < size() && math::abs(reward) <= largest_reward);
        ++plays_[arm];
        ++total_;
        sums_[arm] += reward;
        squares_[arm] += reward * reward;
    }

    void add_arm() {
        if (plays_.capacity() == size()) {
            plays_.reserve(2 * size());
            sums_.reserve(2 * size());
            squares_.reserve(2 * size());
        }
        plays_.push_back(0);
        sums_.push_back(0.0);
        squares_.push_back(0.0);
    }

    void remove_arm(std::size_t arm, const char* name) {
        require_below(arm, size(), name);
        require(size() >= 2, "remove_arm: the last arm must remain");
        total_ -= plays_[arm];
        const auto at = static_cast<std::ptrdiff_t>(arm);
        plays_.erase(plays_.begin() + at);
        sums_.erase(sums_.begin() + at);
        squares_.erase(squares_.begin() + at);
    }

    /// The sections refer to this object until the file is saved.
    ///
    /// Errors    InvalidArgument if the object is moved-from
    void write(io::ContainerWriter& file) const {
        require(size() > 0, "save: the policy must not be moved-from");
        file.array("plays", plays_);
        file.array("rewards", sums_);
        file.array("squared_rewards", squares_);
    }

    [[nodiscard]] static ArmStatistics read(const io::ContainerReader& file, double low, double high) {
        ArmStatistics statistics;
        statistics.plays_ = file.array<std::uint64_t>("plays");
        const std::size_t arms = statistics.plays_.size();
        statistics.sums_ = file.array<double>("rewards", arms);
        statistics.squares_ = file.array<double>("squared_rewards", arms);
        file.check(arms > 0, "plays", "must have at least one arm");
        for (std::size_t i = 0; i < arms; ++i) {
            file.check(statistics.plays_[i] <= most_plays - statistics.total_, "plays", "must have a sum up to 2^53");
            statistics.total_ += statistics.plays_[i];
            const auto n = static_cast<double>(statistics.plays_[i]);
            const double largest = std::max(low * low, high * high);
            const double slack = 1e-9 * n * std::max(math::abs(low), math::abs(high));  // sums are rounded
            const double sum = statistics.sums_[i];
            file.check(math::is_finite(sum) && sum >= n * low - slack && sum <= n * high + slack, "rewards",
                       "must be sums of as many rewards as there are plays");
            const double square = statistics.squares_[i];
            file.check(math::is_finite(square) && square >= 0.0 && square <= n * largest * (1.0 + 1e-9),
                       "squared_rewards", "must be sums of as many squares as there are plays");
        }
        return statistics;
    }

private:
    ArmStatistics() = default;

    std::vector<std::uint64_t> plays_;
    std::vector<double> sums_;
    std::vector<double> squares_;
    std::uint64_t total_ = 0;
};

}  // namespace bandits::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel
