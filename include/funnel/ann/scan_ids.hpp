// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/ann/vectors.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/prefetch.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/core/top_k.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/metric.hpp>
#include <funnel/kernels/one_to_many.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ann::detail {

/// Scores rows that are named one by one: calls take(i, score) for each i < count, in order, with the score of row
/// id_of(i). The floats of a few rows arrive while those before are scored.
///
/// Shapes    query: valid under Stored, d;  rows: n x d;  ids < n (not checked)
template <kernels::Metric Stored, kernels::HostBackend Backend, class IdOf, class Take>
void score_ids(std::span<const float> query, MatrixView<const float> rows, std::size_t count, const IdOf& id_of,
               const Take& take) {
    constexpr std::size_t together = 16;
    const auto prefetch = [&](std::size_t begin) {
        for (std::size_t i = begin; i < std::min(begin + together, count); ++i) {
            prefetch_elements(rows.data() + id_of(i) * rows.stride(), rows.cols());
        }
    };
    std::array<std::uint32_t, together> ids;
    std::array<float, together> scores;
    prefetch(0);
    for (std::size_t begin = 0; begin < count; begin += together) {
        prefetch(begin + together);
        const std::size_t size = std::min(together, count - begin);
        for (std::size_t i = 0; i < size; ++i) {
            ids[i] = id_of(begin + i);
        }
        kernels::score_rows<Stored, Backend>(query, rows, std::span<const std::uint32_t>(ids).first(size),
                                             std::span(scores).first(size));
        for (std::size_t i = 0; i < size; ++i) {
            take(begin + i, scores[i]);
        }
    }
}

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
        prefetch_elements(rows_.data() + id * rows_.stride(), rows_.cols());  // it arrives before its block is full
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
    std::array<std::uint32_t, 64> ids_;
    std::array<float, 64> scores_;
    std::size_t count_ = 0;
    std::size_t scored_ = 0;
};

}  // namespace ann::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel
