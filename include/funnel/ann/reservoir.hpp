// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/ann/select_best.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/scored.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <optional>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ann::detail {

/// Keeps the best of a long stream of candidates, in memory for more than twice as many. TopK orders each one that
/// enters; this only compares it with a threshold, and drops the worse half now and then: cheaper if many enter.
///
/// If scores are approximate, candidates whose score is lower than the k-th best by more than a margin are dropped as
/// well: errors up to half of the margin cannot bring them among the k best.
///
/// The result does not depend on the order of the stream: ties go to the smaller id. No id may come twice and scores
/// must not be NaN (not checked).
class Reservoir {
public:
    /// Memory for a reservoir of `keep` candidates.
    [[nodiscard]] static constexpr std::size_t room(std::size_t keep) noexcept { return 2 * keep + block; }

    /// Shapes    memory: room(keep), with keep >= 1 (not checked)
    explicit Reservoir(std::span<Scored<>> memory FUNNEL_LIFETIMEBOUND) noexcept
        : Reservoir(memory, (memory.size() - block) / 2, 0.0F) {}

    /// Shapes    memory: room(keep), with keep >= 1;  k: at least 1;  margin: at least 0 (not checked)
    Reservoir(std::span<Scored<>> memory FUNNEL_LIFETIMEBOUND, std::size_t k, float margin) noexcept
        : memory_(memory), keep_((memory.size() - block) / 2), k_(std::min(k, keep_)), margin_(margin), due_(2 * k_) {
        FUNNEL_ASSERT(memory.size() > block && memory.size() % 2 == 0 && k >= 1 && margin >= 0.0F);
    }

    /// No candidate with a lower score can enter. It rises, until it is at most the last score that is kept.
    [[nodiscard]] float threshold() const noexcept { return threshold_; }

    void push(const Scored<>& candidate) noexcept {
        if (candidate.score < threshold_) {
            return;
        }
        memory_[size_++] = candidate;
        if (size_ == memory_.size()) {
            drop();
        }
    }

    /// Raises the threshold if enough candidates have entered since then. Call it between parts of the stream.
    void raise_threshold() noexcept {
        if (size_ >= due_) {
            drop();
        }
    }

    /// The candidates that are kept, in no order.
    [[nodiscard]] std::span<Scored<>> best() noexcept {
        drop();
        return memory_.first(size_);
    }

private:
    static constexpr std::size_t block = 256;

    void drop() noexcept {
        if (k_ < keep_ && size_ > k_) {
            drop_below_margin();
        }
        if (size_ > keep_) {
            threshold_ = std::max(threshold_, select_best(memory_.first(size_), keep_));
            size_ = keep_;
        }
        due_ = 2 * std::max(size_, k_);
    }

    void drop_below_margin() noexcept {
        const auto candidates = memory_.first(size_);
        const float least = kth_score(candidates) - margin_;
        size_ = 0;
        for (const Scored<> candidate : candidates) {
            memory_[size_] = candidate;
            size_ += candidate.score >= least ? 1U : 0U;
        }
        threshold_ = std::max(threshold_, least);
    }

    // May change the order.
    [[nodiscard]] float kth_score(std::span<Scored<>> candidates) const noexcept {
        const std::optional<float> reached = score_reached_by(candidates, k_, k_);
        if (!reached) {
            const auto kth = candidates.begin() + static_cast<std::ptrdiff_t>(k_ - 1);
            std::nth_element(candidates.begin(), kth, candidates.end(), ranks_before);
            return kth->score;
        }
        float lowest = std::numeric_limits<float>::infinity();
        for (const Scored<>& candidate : candidates) {
            lowest = candidate.score >= *reached && candidate.score < lowest ? candidate.score : lowest;
        }
        return lowest;
    }

    std::span<Scored<>> memory_;
    std::size_t keep_;
    std::size_t k_;
    float margin_;
    std::size_t due_;  // the size at which candidates are dropped
    std::size_t size_ = 0;
    float threshold_ = -std::numeric_limits<float>::infinity();
};

}  // namespace ann::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel
