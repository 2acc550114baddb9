// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/ann/centroid_codes.hpp>
#include <funnel/ann/reservoir.hpp>
#include <funnel/ann/search_stats.hpp>
#include <funnel/ann/select_best.hpp>
#include <funnel/ann/vectors.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/one_to_many.hpp>
#include <funnel/quantise/int8.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

// What IVFFlat and IVFPQIndex have in common: how a search reads inverted lists.

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ann::detail {

/// Scratch memory of a search in lists. Query is what their codes prepare of a query.
template <class Query>
struct ListScratch {
    std::vector<float> scores;    // of the centroids
    std::vector<Scored<>> order;  // the lists to read, nearest centroids first
    std::vector<Scored<>> candidates;
    std::vector<float> exact;  // scores of candidates
    quantise::Int8PreparedQuery centroid_query;
    Query query;
    SearchStats stats;

    /// Reserves memory, but for the queries.
    void reserve(std::size_t lists, std::size_t wanted) {
        scores.resize(lists);
        order.resize(lists);
        if (candidates.size() < Reservoir::room(wanted)) {
            exact.resize(wanted);
            candidates.resize(Reservoir::room(wanted));  // last: its size says that there is room for both
        }
    }

    /// A reservoir in the memory of reserve().
    [[nodiscard]] Reservoir reservoir(std::size_t wanted) noexcept FUNNEL_LIFETIMEBOUND {
        return Reservoir(std::span(candidates).first(Reservoir::room(wanted)));
    }
    [[nodiscard]] Reservoir reservoir(std::size_t wanted, std::size_t k, float margin) noexcept FUNNEL_LIFETIMEBOUND {
        return {std::span(candidates).first(Reservoir::room(wanted)), k, margin};
    }
};

/// `per_hit` candidates for each hit, at least 1 and at most one per vector.
[[nodiscard]] inline std::size_t wanted_candidates(std::size_t vectors, std::size_t per_hit,
                                                   std::size_t hits) noexcept {
    return std::clamp<std::size_t>(math::saturating_multiply(per_hit, hits), 1, std::max<std::size_t>(vectors, 1));
}

/// As many more lists than nprobe as there are fewer eligible vectors in each.
[[nodiscard]] inline std::size_t wanted_lists(std::size_t lists, std::size_t nprobe, double share) noexcept {
    return static_cast<std::size_t>(
        std::min(static_cast<double>(lists), math::floor(static_cast<double>(nprobe) / std::max(share, 1e-9))));
}

/// As wanted_lists, for a share that is known from some vectors: no more than for the largest share that is likely, two
/// standard deviations above that of these.
[[nodiscard]] inline std::size_t fewest_lists(std::size_t lists, std::size_t nprobe, std::size_t passed,
                                              std::size_t asked) noexcept {
    const auto hits = static_cast<double>(passed);
    return wanted_lists(lists, nprobe, (hits + 2.0 * math::sqrt(hits) + 4.0) / static_cast<double>(asked));
}

/// Whether a search has to ask which vectors are eligible. Removed vectors are in no list.
template <class Passes>
inline constexpr bool asks_filter = requires { requires Passes::has_filter; };

/// Raises the scores of lists that were read above those of all others, so that none is read twice: the scores that
/// put them first may have been rounded otherwise, if compilers may reorder sums.
inline void keep_first(std::span<const Scored<>> read, std::span<float> scores) noexcept {
    if (!read.empty()) {
        const float largest = *std::max_element(scores.begin(), scores.end());
        for (const Scored<>& list : read) {
            scores[list.id] = largest + math::abs(largest) * 0x1p-20F + 0x1p-120F;
        }
    }
}

/// Reads the lists of the nearest centroids: `nprobe` lists, more if the share of eligible vectors is low or there are
/// fewer than `hits` eligible ones in them, and more if fewer vectors near the query are eligible than elsewhere.
///
/// A scan costs as much as reading `most` vectors. It gives up as soon as it is likely that it has to read more, and
/// after an eighth of them if there are fewer than `hits` eligible ones or it expects to read more; not if there are at
/// most `most` vectors.
///
/// above(list, codes, begin, end, threshold, survivors) finds the vectors of a list, of which it gets the score of its
/// centroid and the codes, that reach the threshold, and returns their number.
///
/// Shapes    query: d, prepared;  centroids: one per list, codes: theirs;  scratch: reserved for them (not checked)
/// Returns   whether it did not give up
template <Metric M, kernels::HostBackend Backend, std::size_t Block, class Lists, class Passes, class Query,
          class Above>
bool read_lists(const Lists& lists, MatrixView<const float> centroids, const CentroidCodes<M, Backend>& codes,
                std::span<const float> query, std::size_t nprobe, double share, std::size_t hits, std::size_t most,
                const Passes& eligible, Reservoir& candidates, ListScratch<Query>& scratch, const Above& above) {
    bool has_scores = false;
    std::size_t probes = wanted_lists(lists.size(), nprobe, asks_filter<Passes> ? share : 1.0);
    std::size_t sorted = 0;
    std::size_t asked = 0;  // vectors that were candidates but for the filter
    std::size_t passed = 0;
    const std::size_t vectors = lists.list_of().size();
    std::size_t read = 0;
    for (std::size_t i = 0; i < lists.size(); ++i) {
        if (asks_filter<Passes> && asked > 0) {
            const double near = static_cast<double>(passed) / static_cast<double>(asked);
            const std::size_t wanted = wanted_lists(lists.size(), nprobe, near);
            const auto reads = [&](std::size_t needed) {
                return read + (needed - std::min(needed, i)) * (vectors / lists.size());
            };
            const bool is_late = read > most / 8 && (passed < hits || reads(wanted) > most);
            if (vectors > most && (is_late || reads(fewest_lists(lists.size(), nprobe, passed, asked)) > most)) {
                return false;
            }
            probes = i == probes ? std::max(probes, wanted) : probes;
        }
        if (i >= probes && passed >= hits) {
            break;
        }
        if (i == sorted) {
            sorted = std::min(lists.size(), std::max(probes, 2 * sorted));
            if (i == 0 && codes.pays(sorted)) {
                codes.nearest(query, centroids, sorted, scratch.centroid_query, scratch.scores, scratch.order);
            } else {
                if (!has_scores) {
                    kernels::score_rows<typename M::Stored, Backend>(query, centroids, scratch.scores);
                    has_scores = true;
                    keep_first(std::span<const Scored<>>(scratch.order).first(i), scratch.scores);
                }
                order_best<Backend>(scratch.scores, sorted, scratch.order);
            }
        }
        const Scored<>& list = scratch.order[i];
        const std::span<const std::uint32_t> ids = lists.ids(list.id);
        std::array<Scored<>, Block> survivors;
        for (std::size_t begin = 0; begin < ids.size(); begin += Block) {
            const std::size_t end = std::min(ids.size(), begin + Block);
            const std::size_t count =
                above(list.score, lists.codes(list.id), begin, end, candidates.threshold(), std::span(survivors));
            asked += count;
            std::size_t kept = 0;
            for (const Scored<>& survivor : std::span(survivors).first(count)) {
                const std::uint32_t id = ids[survivor.id];
                survivors[kept] = {id, survivor.score};
                if constexpr (asks_filter<Passes>) {
                    kept += eligible(id) ? 1U : 0U;  // a branch would be mispredicted
                } else {
                    ++kept;
                }
            }
            for (const Scored<>& candidate : std::span(survivors).first(kept)) {
                candidates.push(candidate);
            }
            passed += kept;
            candidates.raise_threshold();
        }
        read += ids.size();
        scratch.stats.distances += ids.size();
        ++scratch.stats.hops;
    }
    return true;
}

/// Fills out with the best candidates. Returns their number.
inline std::size_t take_best(Reservoir& candidates, std::span<Scored<>> out) noexcept {
    const std::span<Scored<>> best = candidates.best();
    std::partial_sort_copy(best.begin(), best.end(), out.begin(), out.end(), ranks_before);
    return std::min(best.size(), out.size());
}

}  // namespace ann::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel
