// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/executor.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/metrics/ground_truth.hpp>
#include <funnel/metrics/list_evaluation.hpp>
#include <funnel/metrics/ndcg.hpp>
#include <funnel/metrics/recommender.hpp>
#include <funnel/metrics/report.hpp>

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace metrics {

struct EvaluateOptions {
    std::vector<std::size_t> cutoffs = {10};  ///< the k of each "@k"; their order does not matter
    bool count_repeats = false;  ///< count test rows that repeat a training row; the model must recommend seen items
    Relevance relevance = Relevance::AnyRow;  ///< or Values: labels are the values of the test rows
    GainKind gain = GainKind::Linear;         ///< of a label, for ndcg; without effect on the labels 0 and 1
    double persistence = 0.8;                 ///< of rank-biased precision: probability to look at the next item
};

/// Evaluates a model on the users of the test part. All metrics come from one list per user.
///
/// Every user with a relevant item is evaluated. Every test row makes its item relevant, whatever its value, unless
/// relevance is Values: then the values are labels, and those <= 0 are not relevant. Items in the user's training rows
/// are not relevant (see GroundTruth); if shown, they are misses. The empty places of a short or missing list are
/// misses. The metrics, each as "@k" for each cut-off:
///
///     ndcg precision recall capped_recall hit_rate mrr map     means over users of the functions of the same name
///     rbp err                                                  likewise: rank_biased_precision,
///                                                              expected_reciprocal_rank (up to the largest label)
///     novelty                                                  likewise; a user knows the items of their training rows
///     coverage gini entropy                                    over all lists together and the whole catalogue
///
///     const auto report = evaluate(model, train, test, {.cutoffs = {10, 20}});
///     report.at("ndcg@10");   report.warm().at("recall@20");   report.cold_users();
///
/// Shapes    model: has recommend(user, {.k = K}), called once per user; K is the largest cut-off
/// Returns   the same bits for any number of threads
/// Cost      without the model: O(rows + items + users (K + cut-offs)) time
///           memory: 80 bytes per user and cut-off, 8 bytes per item and cut-off, 1 byte (with
///           labels 5) per item and thread
/// Errors    InvalidArgument if train and test are not parts of one log, if there is no cut-off, if persistence is
///           not in (0, 1), if a label is above 512 and the gain exponential, or if a list is invalid: longer than K,
///           an item twice, an item outside the catalogue, a NaN score; the message names the user
template <Recommender Model, Executor E = Serial>
[[nodiscard]] Report evaluate(const Model& model, const data::Interactions& train, const data::Interactions& test,
                              const EvaluateOptions& options = {}, E&& executor = E{}) {
    constexpr std::size_t users_at_once = 1024;  // users between two progress reports
    constexpr std::size_t grain = 16;

    const GroundTruth truth(train, test, options.count_repeats, options.relevance);
    detail::ListEvaluation lists(truth, options.cutoffs,
                                 {options.gain, options.persistence, executor.concurrency() > 1});
    std::vector<detail::ListEvaluation::Scratch> scratch(executor.concurrency());

    for (std::size_t first = 0; first < truth.size(); first += users_at_once) {
        const std::size_t count = std::min(users_at_once, truth.size() - first);
        executor.for_range(count, grain, [&](std::size_t begin, std::size_t end, std::size_t worker) {
            FUNNEL_ASSERT(worker < scratch.size());
            if (scratch[worker].marks.empty()) {
                scratch[worker] = lists.scratch();
            }
            for (std::size_t position = first + begin; position < first + end; ++position) {
                lists.add(position, model.recommend(truth.user_ids()[position], {.k = lists.longest()}),
                          scratch[worker]);
            }
        });
        report_progress(executor, "evaluate", first + count, truth.size());
    }
    return std::move(lists).report();
}

}  // namespace metrics
}  // namespace FUNNEL_ABI
}  // namespace funnel
