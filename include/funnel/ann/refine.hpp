// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/ann/scan_ids.hpp>
#include <funnel/ann/vectors.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/kernels/backend.hpp>

#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ann::detail {

/// Scores candidates again, exactly, and keeps the best: what an index does with candidates that were found by codes.
///
/// Shapes    query: prepared, d;  rows: n x d, prepared;  candidates: ids < n, each once (not checked)
/// Returns   the filled part of out, best first; ties go to the smaller id
template <Metric M, kernels::HostBackend Backend>
std::span<Scored<>> refine(std::span<const float> query, MatrixView<const float> rows,
                           std::span<const Scored<>> candidates, std::span<Scored<>> out FUNNEL_LIFETIMEBOUND) {
    IdScan<M, Backend> scan(query, rows, out);
    for (const Scored<>& candidate : candidates) {
        scan.push(candidate.id);
    }
    return scan.finish();
}

}  // namespace ann::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel
