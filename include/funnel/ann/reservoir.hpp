// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/scored.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ann::detail {

/// Keeps the best of a long stream of candidates, in memory for twice as many. Where TopK orders each one that enters,
/// this only compares it with a threshold, and drops the worse half whenever the memory is full: cheaper if many enter.
///
/// The result does not depend on the order of the stream: ties go to the smaller id. No id may come twice and scores
/// must not be NaN (not checked).
class Reservoir {
public:
    /// Memory for a reservoir of `keep` candidates.
    [[nodiscard]] static constexpr std::size_t room(std::size_t keep) noexcept { return 2 * keep; }

    /// Shapes    memory: room(keep), with keep >= 1 (not checked)
    explicit Reservoir(std::span<Scored<>> memory FUNNEL_LIFETIMEBOUND) noexcept : memory_(memory) {
        FUNNEL_ASSERT(memory.size() >= 2 && memory.size() % 2 == 0);
    }

    /// No candidate with a lower score can enter. It rises, until it is at most the last score that is kept.
    [[nodiscard]] float threshold() const noexcept { return worst_.score; }

    void push(const Scored<>& candidate) noexcept {
        if (!ranks_before(candidate, worst_)) {
            return;
        }
        memory_[size_++] = candidate;
        if (size_ == memory_.size()) {
            worst_ = drop_the_rest();
        }
    }

    /// The candidates that are kept, in no order.
    [[nodiscard]] std::span<Scored<>> best() noexcept {
        if (size_ > keep()) {
            worst_ = drop_the_rest();
        }
        return memory_.first(size_);
    }

private:
    [[nodiscard]] std::size_t keep() const noexcept { return memory_.size() / 2; }

    // Returns the last candidate that is kept.
    Scored<> drop_the_rest() noexcept {
        const auto last = memory_.begin() + static_cast<std::ptrdiff_t>(keep() - 1);
        std::nth_element(memory_.begin(), last, memory_.begin() + static_cast<std::ptrdiff_t>(size_), ranks_before);
        size_ = keep();
        return *last;
    }

    std::span<Scored<>> memory_;
    std::size_t size_ = 0;
    Scored<> worst_{std::numeric_limits<std::uint32_t>::max(), -std::numeric_limits<float>::infinity()};
};

}  // namespace ann::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel
