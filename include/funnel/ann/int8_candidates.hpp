// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/ann/int8_bound.hpp>
#include <funnel/ann/scan_ids.hpp>
#include <funnel/ann/select_best.hpp>
#include <funnel/ann/vectors.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/core/top_k.hpp>
#include <funnel/kernels/backend.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ann::detail {

/// The vectors that an exact scan of int8 codes has not ruled out, for one query. Those that are left at the end are
/// scored from their floats, so that the hits are those of a scan of the floats, to the bit.
///
/// k vectors with a score of at least tau rule out all vectors that score less. Such a tau is known before any float is
/// read: the k-th best of the least scores. Floats are scored on the way only if too many candidates are left, such as
/// copies, or if k is large.
///
///     start(bound, k);
///     for each block of at most `block` vectors:
///         for each vector whose left side reaches threshold():  offer(id, left, scale, passes(id))
///         end_block(query, rows, best)
///     finish(query, rows, best)
///
/// Memory    20 KiB; allocates nothing
template <Metric M, kernels::HostBackend Backend>
class Int8Candidates {
public:
    static constexpr std::size_t block = 256;

    void start(const Int8Bound<M>& bound, std::size_t k) noexcept {
        bound_ = bound;
        k_ = k;
        limit_ = std::clamp<std::size_t>(6 * std::min(k, room), block / 2, room);
        count_ = 0;
        tau_ = threshold_ = -std::numeric_limits<float>::infinity();
    }

    [[nodiscard]] const Int8Bound<M>& bound() const noexcept FUNNEL_LIFETIMEBOUND { return bound_; }

    /// A vector with a smaller left side is no hit.
    [[nodiscard]] float threshold() const noexcept { return threshold_; }

    /// A vector that may be a hit if it is eligible, each at most once: its left side, see Int8Bound, and its scale.
    void offer(std::uint32_t id, float left, float scale, bool is_eligible) noexcept {
        FUNNEL_ASSERT(count_ < ids_.size());
        ids_[count_] = id;
        lefts_[count_] = left;
        scales_[count_] = scale;
        count_ += is_eligible ? 1U : 0U;  // without a branch, which could not be predicted
    }

    /// Makes room for the next block.
    ///
    /// Shapes    query: prepared, d;  rows: n x d, prepared;  best: room for k (not checked)
    void end_block(std::span<const float> query, MatrixView<const float> rows, TopK<>& best) noexcept {
        if (count_ < limit_) {
            return;
        }
        rule_out();
        if (count_ > limit_ / 2) {
            score(query, rows, count_, best);
            count_ = 0;
        }
    }

    /// Scores what is left: those with the best codes first, because their scores rule out others.
    void finish(std::span<const float> query, MatrixView<const float> rows, TopK<>& best) noexcept {
        rule_out();
        if (k_ > 0 && count_ > k_) {
            for (std::size_t i = 0; i < count_; ++i) {
                keys_[i] = key_of(lefts_[i]);
            }
            const float kth = value_of(kth_largest());
            std::size_t first = 0;
            for (std::size_t i = 0; i < count_; ++i) {
                if (lefts_[i] >= kth) {
                    std::swap(ids_[i], ids_[first]);
                    std::swap(lefts_[i], lefts_[first]);
                    ++first;
                }
            }
            score(query, rows, first, best);
            keep([&](std::size_t i) { return i >= first && !(lefts_[i] < threshold_); });
        }
        score(query, rows, count_, best);
    }

private:
    static constexpr std::size_t room = 1024;

    void raise_to(float tau) noexcept {
        tau_ = std::max(tau_, tau);
        threshold_ = bound_.threshold(tau_);
    }

    /// The k-th largest key, k <= count_.
    [[nodiscard]] OrderKey kth_largest() const noexcept {
        const auto keys = std::span<const OrderKey>(keys_).first(count_);
        std::int64_t low = std::numeric_limits<OrderKey>::max();
        std::int64_t high = std::numeric_limits<OrderKey>::min();
        for (const OrderKey key : keys) {
            low = std::min<std::int64_t>(low, key);
            high = std::max<std::int64_t>(high, key);
        }
        ++high;  // at least k keys reach low, fewer reach high
        while (high - low > 1) {
            const auto middle = static_cast<OrderKey>((low + high) / 2);
            std::size_t count = 0;
            for (const OrderKey key : keys) {
                count += key >= middle ? 1U : 0U;
            }
            (count >= k_ ? low : high) = middle;
            if (count == k_) {
                break;
            }
        }
        return static_cast<OrderKey>(low);
    }

    void rule_out() noexcept {
        if (k_ > 0 && count_ >= k_) {
            for (std::size_t i = 0; i < count_; ++i) {
                keys_[i] = key_of(bound_.least_product(lefts_[i], scales_[i]));
            }
            raise_to(bound_.least_score(value_of(kth_largest())));
        }
        keep([&](std::size_t i) { return !(lefts_[i] < threshold_); });
    }

    template <class Keeps>
    void keep(const Keeps& keeps) noexcept {
        std::size_t kept = 0;
        for (std::size_t i = 0; i < count_; ++i) {
            const bool is_kept = keeps(i);
            ids_[kept] = ids_[i];
            lefts_[kept] = lefts_[i];
            scales_[kept] = scales_[i];
            kept += is_kept ? 1U : 0U;
        }
        count_ = kept;
    }

    // The first `count` candidates, from their floats.
    void score(std::span<const float> query, MatrixView<const float> rows, std::size_t count, TopK<>& best) noexcept {
        score_ids<typename M::Stored, Backend>(
            query, rows, count, [&](std::size_t i) { return ids_[i]; },
            [&](std::size_t i, float score) { best.push(ids_[i], bounded<M>(score)); });
        raise_to(best.threshold());
    }

    Int8Bound<M> bound_;
    std::size_t k_ = 0;
    std::size_t limit_ = 0;
    float tau_ = 0.0F;
    float threshold_ = 0.0F;
    std::size_t count_ = 0;
    // Of the candidates; one more place, because what is not kept is written, too.
    std::array<std::uint32_t, room + block + 1> ids_;
    std::array<float, room + block + 1> lefts_;
    std::array<float, room + block + 1> scales_;
    std::array<OrderKey, room + block> keys_;
};

}  // namespace ann::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel
