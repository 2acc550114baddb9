// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/ann/codes_rows.hpp>
#include <funnel/ann/eligible.hpp>
#include <funnel/ann/hnsw_copies.hpp>
#include <funnel/ann/hnsw_graph.hpp>
#include <funnel/ann/hnsw_search.hpp>
#include <funnel/ann/hnsw_similarity.hpp>
#include <funnel/ann/vectors.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/core/top_k.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/one_to_many.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ann {

struct HNSWSearchOptions {
    std::size_t k = 10;   ///< number of hits
    std::size_t ef = 64;  ///< how many of the best nodes are expanded, at least 1. Below k, recall is lower
};

namespace detail {

/// The cost of a search with this pool, in vectors that a scan reads: it reads about M vectors per node, scattered in
/// memory. Measured by bench/ann/filter_bench.cpp.
[[nodiscard]] inline double walk_cost(const HNSWGraph& graph, double pool) noexcept {
    return 4.0 * static_cast<double>(graph.M()) * pool;
}

/// The largest pool that costs a sixth of a scan. A search that finds too little costs no more before the scan begins.
[[nodiscard]] inline std::size_t probe_pool(const HNSWGraph& graph, double scan_cost) noexcept {
    return static_cast<std::size_t>(scan_cost / 6.0 / walk_cost(graph, 1.0)) + 1;
}

/// The number of nodes, of which this share is eligible, that should hold ef hits.
[[nodiscard]] inline double wanted_pool(std::size_t ef, double share) noexcept {
    return static_cast<double>(ef) / std::max(share, 1e-9);
}

/// A pool that is likely to hold this number of eligible nodes: its mean is four standard deviations above. A sample of
/// 128 that passes a filter as a whole may come from a share of 0.98. Without a filter, the share is what was not
/// removed, and twice as many may have been removed near the query as elsewhere.
[[nodiscard]] inline std::size_t pool_for_hits(std::size_t hits, double share, bool has_filter) noexcept {
    const double least = std::max(has_filter ? std::min(share, 0.98) : share * share, 1e-9);
    const double mean = wanted_pool(hits, least);
    return static_cast<std::size_t>(mean + 4.0 * math::sqrt(mean * (1.0 - least) / least)) + 1;
}

/// Scratch memory of a search in a graph.
template <class Codes>
struct GraphScratch : WalkScratch {
    typename Codes::Query query;
};

/// The largest pool that find_nearest() uses for any share of passing vectors.
[[nodiscard]] inline std::size_t largest_pool(const HNSWGraph& graph, std::size_t ef) noexcept {
    const std::size_t n = graph.size();
    const double scan_cost = (1.0 + call_cost) * static_cast<double>(n);  // at most
    return std::min(n, std::max(ef, static_cast<std::size_t>(scan_cost / walk_cost(graph, 1.0)) + 2));
}

/// Fills out with the best vectors that pass, from the nodes of the pool and their copies. Returns their number.
template <class Passes>
std::size_t take_hits(const CandidatePool& pool, const Copies& copies, const Passes& passes, std::span<Scored<>> out) {
    std::size_t hits = 0;
    if (copies.count() == 0) {
        for (std::size_t i = 0; i < pool.size() && hits < out.size(); ++i) {
            if (passes(pool[i].id)) {
                out[hits++] = pool[i];
            }
        }
        return hits;
    }
    TopK<> best(out);  // if nodes tie, their copies must be ordered by id
    for (std::size_t i = 0; i < pool.size() && (!best.is_full() || pool[i].score >= best.threshold()); ++i) {
        std::size_t more = out.size();
        copies.for_each(pool[i].id, [&](std::uint32_t id) {
            if (passes(id)) {
                best.push(id, pool[i].score);
                --more;
            }
            return more > 0;
        });
    }
    return best.finish().size();
}

/// The eligible ones among the nearest nodes of the graph and their copies. If the codes are not exact, the nodes of
/// the pool are scored again, from the rows. The search expands the best ef nodes of a pool of max(ef, hits); it does
/// not allocate if the scratch has room for them.
///
/// Shapes    query: d, prepared;  rows: n x d, prepared;  out: at most one hit per vector, not empty
/// Returns   the number of hits, best first; fewer than out has room for if the pool holds fewer
template <Metric M, kernels::HostBackend Backend, std::size_t Dim, CodeType Codes, class Passes>
std::size_t find_in_graph(const HNSWGraph& graph, MatrixView<const float> rows,
                          const CodeRows<M, Dim, Codes, Backend>& codes, const Copies& copies,
                          std::span<const float, Dim> query, std::size_t ef, std::size_t hits, const Passes& eligible,
                          GraphScratch<CodeRows<M, Dim, Codes, Backend>>& scratch, std::span<Scored<>> out) {
    codes.prepare(query, scratch.query);
    const auto score = [&](std::span<const std::uint32_t> ids, std::span<float> scores) __attribute__((always_inline)) {
        codes.score(query, scratch.query, rows, ids, scores);
        scratch.stats.distances += ids.size();
    };
    const auto prefetch = [&](std::uint32_t id) __attribute__((always_inline)) { codes.prefetch(rows, id); };
    scratch.reserve(graph, std::max(ef, hits));
    if constexpr (NormAugmentation<M>::is_used) {  // links and hits use different similarities
        walk_down(graph, walk_down_width, ef, scratch, score, prefetch, hits);
    } else {
        Scored<> from = scored_by(score, graph.entry());
        for (std::size_t level = graph.top_level(); level > 0; --level) {
            from = descend(graph, level, from, scratch, score, prefetch);
        }
        walk_from(graph, from, 0, ef, scratch, score, prefetch, hits);
    }
    if constexpr (!CodeRows<M, Dim, Codes, Backend>::is_exact) {
        const CodeRows<M, Dim, F32, Backend> exact;
        scratch.pool.rescore([&](std::span<const std::uint32_t> ids, std::span<float> scores) {
            for (const std::uint32_t id : ids) {
                exact.prefetch(rows, id);
            }
            exact.score(query, {}, rows, ids, scores);
            scratch.stats.distances += ids.size();
        });
    }
    return take_hits(scratch.pool, copies, eligible, out);
}

}  // namespace detail
}  // namespace ann
}  // namespace FUNNEL_ABI
}  // namespace funnel
