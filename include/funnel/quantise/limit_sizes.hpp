// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/metric.hpp>
#include <funnel/kernels/one_to_many.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <span>
#include <tuple>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace quantise::detail {

/// The size of the largest cluster if none may have more than `balance` times the mean.
///
///     ceil(balance * rows / clusters), at most rows
///
/// Shapes    clusters: at least 1;  balance: at least 1 (not checked)
[[nodiscard]] inline std::size_t largest_cluster(std::size_t rows, std::size_t clusters, double balance) noexcept {
    const double limit = balance * static_cast<double>(rows) / static_cast<double>(clusters);
    return limit >= static_cast<double>(rows) ? rows : static_cast<std::size_t>(-math::floor(-limit));
}

/// Moves rows out of clusters that have more than `most` of them.
///
/// Each row has an order of the centroids: the one that it is assigned to, then the others by distance. A cluster that
/// has too many rows keeps those that would lose most by moving on: by the difference of the squared distances of the
/// next centroid in their order and of this one. The rest move on, until no cluster has too many. This is deferred
/// acceptance: its result does not depend on the order in which rows move, and no row and cluster would both prefer
/// each other to what they have.
///
/// Shapes    rows: n x d;  centroids: k x d;  nearest: n, below k;  most: at least n / k (not checked)
/// Cost      k d for each row of a cluster that had too many, and again each time that it moves on; 24 n bytes
/// Source    Gale & Shapley, "College admissions and the stability of marriage", The American Mathematical Monthly 1962
template <kernels::HostBackend Backend, Executor E>
void limit_sizes(MatrixView<const float> rows, MatrixView<const float> centroids, std::size_t most,
                 std::span<std::uint32_t> nearest, E& executor) {
    FUNNEL_ASSERT(nearest.size() == rows.rows());
    constexpr std::uint32_t unknown = std::numeric_limits<std::uint32_t>::max();
    struct Next {
        std::uint32_t cluster = unknown;
        float loss = 0.0F;
    };
    const std::vector<std::uint32_t> first(nearest.begin(), nearest.end());
    std::vector<Next> next(rows.rows());
    std::vector<std::vector<std::uint32_t>> members(centroids.rows());
    for (std::size_t i = 0; i < nearest.size(); ++i) {
        members[nearest[i]].push_back(static_cast<std::uint32_t>(i));
    }

    // The centroid after the row's own in its order.
    const auto next_of = [&](std::uint32_t row, std::span<float> scores) {
        kernels::score_rows<kernels::L2, Backend>(rows.row(row), centroids, scores);  // minus squared distances
        const std::uint32_t own = nearest[row];
        std::uint32_t best = unknown;
        for (std::uint32_t c = 0; c < scores.size(); ++c) {
            const bool is_later = own == first[row] || scores[c] < scores[own] || (scores[c] == scores[own] && c > own);
            if (is_later && c != first[row] && (best == unknown || scores[c] > scores[best])) {
                best = c;
            }
        }
        return best == unknown ? Next{own, std::numeric_limits<float>::max()} : Next{best, scores[own] - scores[best]};
    };
    const auto loses_more = [&](std::uint32_t a, std::uint32_t b) {
        return std::tuple(next[b].loss, a) < std::tuple(next[a].loss, b);
    };

    std::vector<std::vector<float>> scores(executor.concurrency(), std::vector<float>(centroids.rows()));
    std::vector<std::uint32_t> asked;
    std::vector<std::uint32_t> moving;
    do {
        asked.clear();
        moving.clear();
        for (const auto& rows_of : members) {
            if (rows_of.size() > most) {
                std::copy_if(rows_of.begin(), rows_of.end(), std::back_inserter(asked),
                             [&](std::uint32_t row) { return next[row].cluster == unknown; });
            }
        }
        executor.for_range(asked.size(), 64, [&](std::size_t begin, std::size_t end, std::size_t worker) {
            for (std::size_t i = begin; i < end; ++i) {
                next[asked[i]] = next_of(asked[i], scores[worker]);
            }
        });
        for (auto& rows_of : members) {
            if (rows_of.size() > most) {
                const auto kept = rows_of.begin() + static_cast<std::ptrdiff_t>(most);
                std::nth_element(rows_of.begin(), kept, rows_of.end(), loses_more);
                moving.insert(moving.end(), kept, rows_of.end());
                rows_of.erase(kept, rows_of.end());
            }
        }
        for (const std::uint32_t row : moving) {
            nearest[row] = next[row].cluster;
            next[row] = {};
            members[nearest[row]].push_back(row);
        }
    } while (!moving.empty());
}

}  // namespace quantise::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel
