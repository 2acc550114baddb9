// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "support/timing.hpp"

#include <funnel/core/matrix_view.hpp>
#include <funnel/core/scored.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace funnel::bench {

/// The hits of each query, best first.
using HitLists = std::vector<std::vector<Scored<>>>;

/// How much of the exact hits an index finds, by both definitions that are in use.
struct Recall {
    double best = 0.0;     ///< how often the best of the exact hits is among the hits
    double overlap = 0.0;  ///< which part of the exact hits is among the hits
};

[[nodiscard]] inline Recall recall_of(const HitLists& found, const HitLists& exact) {
    Recall recall;
    for (std::size_t i = 0; i < exact.size(); ++i) {
        std::vector<std::uint32_t> ids;
        for (const Scored<>& hit : found[i]) {
            ids.push_back(hit.id);
        }
        std::sort(ids.begin(), ids.end());
        const auto is_found = [&](const Scored<>& hit) { return std::binary_search(ids.begin(), ids.end(), hit.id); };
        const auto common = std::count_if(exact[i].begin(), exact[i].end(), is_found);
        recall.best += is_found(exact[i][0]) ? 1.0 : 0.0;
        recall.overlap += static_cast<double>(common) / static_cast<double>(exact[i].size());
    }
    recall.best /= static_cast<double>(exact.size());
    recall.overlap /= static_cast<double>(exact.size());
    return recall;
}

/// The search options with another effort: ef of a graph, nprobe of an inverted file.
template <class Options>
[[nodiscard]] Options with_effort(Options options, std::size_t effort) {
    if constexpr (requires { options.ef; }) {
        options.ef = effort;
    } else {
        options.nprobe = effort;
    }
    return options;
}

/// The smallest effort, at most `most`, with which the overlap with the exact hits reaches a target; by doubling and
/// bisection.
template <class Index>
[[nodiscard]] std::optional<std::size_t> smallest_effort(const Index& index, MatrixView<const float> queries,
                                                         const HitLists& exact,
                                                         const typename Index::SearchOptions& options, double target,
                                                         std::size_t most) {
    const auto reaches = [&](std::size_t effort) {
        return recall_of(index.search_batch(queries, with_effort(options, effort)), exact).overlap >= target;
    };
    std::size_t below = 0;
    std::size_t effort = 1;
    while (!reaches(effort)) {
        if (effort == most) {
            return std::nullopt;
        }
        below = effort;
        effort = std::min(2 * effort, most);
    }
    while (effort - below > 1) {
        const std::size_t middle = below + (effort - below) / 2;
        (reaches(middle) ? effort : below) = middle;
    }
    return effort;
}

/// CPU time of this thread.
[[nodiscard]] inline double thread_seconds() {
    return 1.0e-9 * detail::now_ns(Clock::ThreadCPU);
}

/// Builds an index in this thread. Returns it, and the seconds.
template <class Index>
[[nodiscard]] std::pair<Index, double> timed_build(MatrixView<const float> items,
                                                   const typename Index::BuildOptions& options) {
    const double begin = thread_seconds();
    Index index = Index::build(items, options);
    const double seconds = thread_seconds() - begin;
    return {std::move(index), seconds};
}

/// What one search takes, in microseconds of CPU time.
struct SearchTimes {
    Samples mean;      ///< of all queries
    double p99 = 0.0;  ///< the 99th percentile of single searches
};

/// Calls search(i) for one query after the other, in this thread: five passes for the mean, five for the percentile. A
/// pass has all queries, or as many as take a fifth of a second, but at least a hundred.
template <class Search>
[[nodiscard]] SearchTimes search_times(std::size_t queries, const Search& search) {
    constexpr std::size_t passes = 5;
    const std::size_t few = std::min<std::size_t>(queries, 100);
    const auto pass = [&](std::size_t count) {
        const double begin = thread_seconds();
        for (std::size_t i = 0; i < count; ++i) {
            search(i);
        }
        return 1.0e6 * (thread_seconds() - begin) / static_cast<double>(count);
    };
    const double wanted = 2.0e5 / std::max(pass(few), 0.01);
    const std::size_t count = std::clamp(static_cast<std::size_t>(wanted), few, queries);
    std::vector<double> means;
    std::vector<double> singles;
    for (std::size_t i = 0; i < passes; ++i) {
        means.push_back(pass(count));
        for (std::size_t query = 0; query < count; ++query) {
            const double begin = thread_seconds();
            search(query);
            singles.push_back(1.0e6 * (thread_seconds() - begin));
        }
    }
    std::sort(singles.begin(), singles.end());
    return {detail::summary_of(means), singles[singles.size() * 99 / 100]};
}

/// The same for the searches of an index.
template <class Index>
[[nodiscard]] SearchTimes search_times(const Index& index, MatrixView<const float> queries,
                                       const typename Index::SearchOptions& options) {
    auto scratch = index.scratch(options);
    std::vector<Scored<>> out(options.k);
    return search_times(queries.rows(),
                        [&](std::size_t i) { keep(index.search(queries.row(i), options, scratch, out)); });
}

}  // namespace funnel::bench
