// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/ann/vectors.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/item_filter.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/core/top_k.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/one_to_many.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ann {

namespace detail {

inline constexpr std::size_t scan_block = 256;  // scores and ids of a block fit into the L1 cache

/// Collects the best rows that pass the filter, for some queries at once. It scores the rows block by block, so that
/// a block is read from memory once for all queries.
///
/// Shapes    queries: q x d, prepared;  rows: n x d, prepared;  best: q (not checked)
/// Cost      n calls of passes, one score per query and row that passes; allocates nothing
template <Metric M, kernels::HostBackend Backend, ItemFilter Passes>
void scan(MatrixView<const float> queries, MatrixView<const float> rows, const Passes& passes, std::span<TopK<>> best) {
    FUNNEL_ASSERT(queries.rows() == best.size() && (rows.rows() == 0 || queries.cols() == rows.cols()));
    std::array<std::uint32_t, scan_block> ids;
    std::array<float, scan_block> scores;

    for (std::size_t begin = 0; begin < rows.rows(); begin += scan_block) {
        const std::size_t size = std::min(scan_block, rows.rows() - begin);
        std::size_t count = 0;
        for (std::size_t i = begin; i < begin + size; ++i) {
            ids[count] = static_cast<std::uint32_t>(i);
            count += passes(static_cast<std::uint32_t>(i)) ? 1U : 0U;
        }
        const std::span<float> block_scores = std::span(scores).first(count);
        for (std::size_t q = 0; q < best.size(); ++q) {
            if (count == size) {
                kernels::score_rows<typename M::Stored, Backend>(queries.row(q), rows.rows_from(begin, size),
                                                                 block_scores);
            } else {
                kernels::score_rows<typename M::Stored, Backend>(
                    queries.row(q), rows, std::span<const std::uint32_t>(ids).first(count), block_scores);
            }
            for (std::size_t i = 0; i < count; ++i) {
                best[q].push(ids[i], bounded<M>(scores[i]));
            }
        }
    }
}

/// The same for one query.
///
/// Shapes    query: prepared, d;  rows: n x d, prepared;  out: room for k (not checked)
/// Returns   the filled part of out, best first; ties go to the smaller id
template <Metric M, kernels::HostBackend Backend, ItemFilter Passes>
std::span<Scored<>> scan(std::span<const float> query, MatrixView<const float> rows, const Passes& passes,
                         std::span<Scored<>> out FUNNEL_LIFETIMEBOUND) {
    TopK<> best(out);
    scan<M, Backend>(MatrixView<const float>(query, 1, query.size()), rows, passes, std::span(&best, 1));
    return best.finish();
}

/// The copy of the rows that a backend needs for a scan. A host backend reads the rows of the index and stores nothing;
/// ann/cuda/scan.cuh has the version for kernels::Device.
template <Metric M, class Backend>
class ScanRows;

template <Metric M, kernels::HostBackend Backend>
class ScanRows<M, Backend> {
public:
    /// Appends rows.
    void append(MatrixView<const float>) noexcept {}
    /// Row id has changed to this vector.
    void set(std::uint32_t, std::span<const float>) noexcept {}

    /// As scan above.
    template <ItemFilter Passes>
    [[nodiscard]] std::span<Scored<>> search(std::span<const float> query, MatrixView<const float> rows,
                                             const Passes& passes, std::span<Scored<>> out FUNNEL_LIFETIMEBOUND) const {
        return scan<M, Backend>(query, rows, passes, out);
    }
};

}  // namespace detail

/// A backend that can score all rows of a matrix and select the best: every HostBackend, and kernels::Device if
/// ann/cuda/scan.cuh is included.
template <class B, class M>
concept ScanBackend = std::default_initializable<detail::ScanRows<M, B>>;

}  // namespace ann
}  // namespace FUNNEL_ABI
}  // namespace funnel
