// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/ann/filters.hpp>
#include <funnel/ann/vectors.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/core/top_k.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/one_to_many.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ann::detail {

/// The best of some rows, which are named one by one. It scores them block by block, and allocates nothing.
template <Metric M, kernels::HostBackend Backend>
class IdScan {
public:
    /// Shapes    query: prepared, d;  rows: n x d, prepared;  out: room for k (not checked)
    IdScan(std::span<const float> query FUNNEL_LIFETIMEBOUND, MatrixView<const float> rows,
           std::span<Scored<>> out FUNNEL_LIFETIMEBOUND) noexcept
        : query_(query), rows_(rows), best_(out) {}

    /// Row id < n (not checked), each at most once.
    void push(std::uint32_t id) noexcept {
        ids_[count_++] = id;
        if (count_ == ids_.size()) {
            score_block();
        }
    }

    /// The filled part of out, best first; ties go to the smaller id.
    std::span<Scored<>> finish() noexcept {
        score_block();
        return best_.finish();
    }

    [[nodiscard]] std::size_t scored() const noexcept { return scored_; }

private:
    void score_block() noexcept {
        const auto ids = std::span<const std::uint32_t>(ids_).first(count_);
        const auto scores = std::span(scores_).first(count_);
        kernels::score_rows<typename M::Stored, Backend>(query_, rows_, ids, scores);
        for (std::size_t i = 0; i < count_; ++i) {
            best_.push(ids[i], bounded<M>(scores[i]));
        }
        scored_ += count_;
        count_ = 0;
    }

    std::span<const float> query_;
    MatrixView<const float> rows_;
    TopK<> best_;
    std::array<std::uint32_t, 256> ids_;
    std::array<float, 256> scores_;
    std::size_t count_ = 0;
    std::size_t scored_ = 0;
};

/// Calls visit(id) for all ids of the list below `count`.
template <class Visit>
void for_each_id(const SortedIds& list, std::size_t count, const Visit& visit) {
    const auto ids = list.ids();
    const auto end = std::lower_bound(ids.begin(), ids.end(), count);
    std::for_each(ids.begin(), end, visit);
}

/// Calls visit(id) for all set bits below `count`.
template <class Visit>
void for_each_id(const Bitmap& bitmap, std::size_t count, const Visit& visit) {
    const auto words = bitmap.words().first(std::min(bitmap.words().size(), (count + 63) / 64));
    for (std::size_t i = 0; i < words.size(); ++i) {
        for (std::uint64_t word = words[i]; word != 0; word &= word - 1) {
            const std::size_t id = 64 * i + static_cast<std::size_t>(std::countr_zero(word));
            if (id < count) {
                visit(static_cast<std::uint32_t>(id));
            }
        }
    }
}

}  // namespace ann::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel
