// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/options.hpp>
#include <funnel/data/run.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace metrics {

/// How the runs of several systems become one score per item. A run that lacks the item adds 0.
enum class FusionRule : std::uint8_t {
    ReciprocalRank,  ///< sum of 1 / (rank_constant + rank); scores count only through ranks
    CombSum,         ///< sum of the scaled scores
    CombMNZ,         ///< the sum times the number of runs that have the item
};

/// How scores of different systems are made comparable, for each query and run. Without effect on ReciprocalRank.
enum class ScoreScale : std::uint8_t {
    None,    ///< as they are
    MinMax,  ///< the smallest becomes 0, the largest 1; all become 1 if they are equal
    Sum,     ///< the smallest becomes 0, the sum 1; all become 1 / n if they are equal
    ZScore,  ///< mean 0, deviation 1; all become 0 if they are equal
};

struct FusionOptions {
    FusionRule rule = FusionRule::ReciprocalRank;
    ScoreScale scale = ScoreScale::MinMax;
    double rank_constant = 60.0;  ///< of ReciprocalRank, >= 0: how little the first ranks stand out
};

namespace detail {

// Scales the scores of one query of one run in place.
inline void scale_scores(std::span<double> scores, ScoreScale scale) {
    const auto n = static_cast<double>(scores.size());
    const auto [least, most] = std::minmax_element(scores.begin(), scores.end());
    const double low = *least;
    const double range = *most - low;
    double sum = 0.0;
    for (const double score : scores) {
        sum += score;
    }
    const double mean = sum / n;
    double squares = 0.0;
    for (const double score : scores) {
        squares += (score - mean) * (score - mean);
    }
    const double deviation = math::sqrt(squares / n);
    const double total = sum - n * low;
    const double divisor = scale == ScoreScale::MinMax ? range : scale == ScoreScale::Sum ? total : deviation;
    if (scale != ScoreScale::None && range > 0.0) {
        require_finite(divisor, "fuse: the range of the scores of a run");
    }
    for (double& score : scores) {
        switch (scale) {
            case ScoreScale::None:
                break;
            case ScoreScale::MinMax:
                score = range > 0.0 ? (score - low) / divisor : 1.0;
                break;
            case ScoreScale::Sum:
                score = range > 0.0 ? (score - low) / divisor : 1.0 / n;
                break;
            case ScoreScale::ZScore:
                score = range > 0.0 ? (score - mean) / divisor : 0.0;
                break;
        }
    }
}

}  // namespace detail

/// Fuses the runs of several systems into one. Equal scores of a run rank by the smaller item, in every rule.
///
///     const auto fused = fuse<std::string, std::string>({bm25, two_tower}, {.rule = FusionRule::ReciprocalRank});
///
/// Returns   the rows of all queries, ascending by query; for each query from the highest score down, the smaller item
///           first among equal ones
/// Cost      O(n log n) for n rows in all
/// Errors    InvalidArgument if a score is not finite, the scores of a run are too far apart to scale them, an item
///           occurs twice for a query in one run, or rank_constant is negative or not finite
/// Source    Cormack, Clarke & Buettcher, "Reciprocal rank fusion outperforms Condorcet and individual rank learning
///           methods", SIGIR 2009; Fox & Shaw, "Combination of multiple searches", TREC 1994; Montague & Aslam,
///           "Relevance score normalization for metasearch", CIKM 2001
template <data::RunKey Query, data::RunKey Item>
[[nodiscard]] std::vector<data::RunRow<Query, Item>> fuse(std::vector<std::vector<data::RunRow<Query, Item>>> runs,
                                                          const FusionOptions& options = {}) {
    using Row = data::RunRow<Query, Item>;
    require_not_negative(options.rank_constant, "fuse: rank_constant");
    struct Sum {
        double score = 0.0;
        double runs = 0.0;
    };
    std::map<std::pair<Query, Item>, Sum> sums;
    std::vector<double> scores;
    for (std::vector<Row>& run : runs) {
        for (const Row& row : run) {
            require_finite(row.score, "fuse: scores");
        }
        std::sort(run.begin(), run.end(), [](const Row& a, const Row& b) {
            return std::tie(a.query, b.score, a.item) < std::tie(b.query, a.score, b.item);
        });
        for (std::size_t begin = 0, end = 0; begin < run.size(); begin = end) {
            scores.clear();
            for (; end < run.size() && run[end].query == run[begin].query; ++end) {
                scores.push_back(run[end].score);
            }
            if (options.rule == FusionRule::ReciprocalRank) {
                for (std::size_t i = 0; i < scores.size(); ++i) {
                    scores[i] = 1.0 / (options.rank_constant + static_cast<double>(i + 1));
                }
            } else {
                detail::scale_scores(scores, options.scale);
            }
            for (std::size_t i = begin; i < end; ++i) {
                Sum& sum = sums[{run[i].query, run[i].item}];
                sum.score += scores[i - begin];
                sum.runs += 1.0;
            }
        }
        std::sort(run.begin(), run.end(),
                  [](const Row& a, const Row& b) { return std::tie(a.query, a.item) < std::tie(b.query, b.item); });
        require(std::adjacent_find(run.begin(), run.end(),
                                   [](const Row& a, const Row& b) { return a.query == b.query && a.item == b.item; }) ==
                    run.end(),
                "fuse: a run must have each item once per query");
    }
    std::vector<Row> fused;
    for (const auto& [key, sum] : sums) {
        fused.push_back(
            {key.first, key.second, options.rule == FusionRule::CombMNZ ? sum.score * sum.runs : sum.score});
    }
    std::sort(fused.begin(), fused.end(), [](const Row& a, const Row& b) {
        return std::tie(a.query, b.score, a.item) < std::tie(b.query, a.score, b.item);
    });
    return fused;
}

}  // namespace metrics
}  // namespace FUNNEL_ABI
}  // namespace funnel
