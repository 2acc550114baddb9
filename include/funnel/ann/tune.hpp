// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/ann/filters.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/scored.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ann {

/// Options of a search with an option that trades time for recall: ef of graphs, or nprobe of inverted files.
template <class O>
concept TunableOptions = requires(O options) { options.ef; } || requires(O options) { options.nprobe; };

/// What tune() found.
template <TunableOptions SearchOptions>
struct Tuned {
    SearchOptions options;  ///< with the smallest effort that reaches the target, or else has the highest recall tried
    double recall;          ///< of these options, on the sample
    bool reached;           ///< whether the recall is at least the target
};

namespace detail {

template <TunableOptions O>
[[nodiscard]] std::size_t& effort_of(O& options) noexcept {
    if constexpr (requires { options.ef; }) {
        return options.ef;
    } else {
        return options.nprobe;
    }
}

}  // namespace detail

/// The smallest ef or nprobe of an index with which the mean recall of the first k hits reaches a target. It is
/// compared with a scan of all vectors; k and all other options are those of `options`.
///
///     const auto tuned = tune(index, sample_queries, 0.95, {.k = 10}, pool);
///     index.search(query, tuned.options);
///
/// Take queries that are not vectors of the index, and at least some hundred: with q queries, the recall of others
/// differs by about 0.3 / sqrt(q). A recall that falls as the effort grows, by chance, is not looked for.
///
/// Returns   options, their recall, and whether it reaches the target: not if codes are too coarse for it
/// Cost      one scan per query, and about 2 log(effort) batches of searches
/// Errors    InvalidArgument if the target is not in (0, 1], k is 0, there are no queries or no vectors, or the index
///           does not keep its vectors; and as search_batch
template <class Index, Executor E = Serial>
[[nodiscard]] Tuned<typename Index::SearchOptions> tune(const Index& index, MatrixView<const float> queries,
                                                        double target_recall,
                                                        const typename Index::SearchOptions& options = {},
                                                        E&& executor = E{}) {
    require_between(target_recall, 0.0, 1.0, "tune: target_recall");
    require(target_recall > 0.0, "tune: target_recall must be > 0");
    require(queries.rows() > 0, "tune: there must be at least one query");
    require_at_least(options.k, 1, "tune: k");
    require(index.size() > 0, "tune: the index must hold vectors");

    std::vector<std::uint32_t> ids(index.next_id());
    std::iota(ids.begin(), ids.end(), std::uint32_t{0});
    (void)index.vector(*std::find_if(ids.begin(), ids.end(), [&](std::uint32_t id) { return index.contains(id); }));
    auto exact = index.search_batch(queries, options, SortedIds(ids), executor);
    for (auto& list : exact) {
        std::sort(list.begin(), list.end(), [](const Scored<>& a, const Scored<>& b) { return a.id < b.id; });
    }

    const auto with_effort = [&](std::size_t effort) {
        auto changed = options;
        detail::effort_of(changed) = effort;
        return changed;
    };
    const auto recall_of = [&](std::size_t effort) {
        const auto lists = index.search_batch(queries, with_effort(effort), executor);
        double sum = 0.0;
        for (std::size_t i = 0; i < lists.size(); ++i) {
            const auto is_exact = [&](const Scored<>& hit) {
                const auto at = std::lower_bound(exact[i].begin(), exact[i].end(), hit.id,
                                                 [](const Scored<>& a, std::uint32_t id) { return a.id < id; });
                return at != exact[i].end() && at->id == hit.id;
            };
            const auto common = std::count_if(lists[i].begin(), lists[i].end(), is_exact);
            sum += static_cast<double>(common) / static_cast<double>(exact[i].size());
        }
        return sum / static_cast<double>(lists.size());
    };

    std::size_t below = 0;  // does not reach the target
    std::size_t effort = 1;
    double recall = recall_of(effort);
    Tuned<typename Index::SearchOptions> best{with_effort(effort), recall, recall >= target_recall};
    while (recall < target_recall && effort < index.size()) {
        below = effort;
        effort = std::min(2 * effort, index.size());
        recall = recall_of(effort);
        if (recall > best.recall) {
            best = {with_effort(effort), recall, recall >= target_recall};
        }
    }
    while (best.reached && effort - below > 1) {
        const std::size_t middle = below + (effort - below) / 2;
        recall = recall_of(middle);
        if (recall >= target_recall) {
            effort = middle;
            best = {with_effort(middle), recall, true};
        } else {
            below = middle;
        }
    }
    return best;
}

}  // namespace ann
}  // namespace FUNNEL_ABI
}  // namespace funnel
