// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>

#include <concepts>
#include <cstddef>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {

/// A read-only view of numbers that are float or double, such as the scores of different rankers. Read one at a time,
/// as double. The numbers must outlive it.
class RealView {
public:
    // NOLINTBEGIN(google-explicit-constructor): as for std::span
    template <std::convertible_to<std::span<const float>> Numbers>
    RealView(const Numbers& numbers FUNNEL_LIFETIMEBOUND) : RealView(std::span<const float>(numbers), {}) {}

    template <std::convertible_to<std::span<const double>> Numbers>
    RealView(const Numbers& numbers FUNNEL_LIFETIMEBOUND) : RealView({}, std::span<const double>(numbers)) {}
    // NOLINTEND(google-explicit-constructor)

    [[nodiscard]] std::size_t size() const noexcept { return floats_.empty() ? doubles_.size() : floats_.size(); }

    /// Number i < size() (not checked).
    [[nodiscard]] double operator[](std::size_t i) const noexcept {
        FUNNEL_ASSERT(i < size());
        return floats_.empty() ? doubles_[i] : static_cast<double>(floats_[i]);
    }

private:
    RealView(std::span<const float> floats, std::span<const double> doubles) : floats_(floats), doubles_(doubles) {}

    std::span<const float> floats_;
    std::span<const double> doubles_;
};

}  // namespace FUNNEL_ABI
}  // namespace funnel
