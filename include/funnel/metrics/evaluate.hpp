// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/executor.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/metrics/ground_truth.hpp>
#include <funnel/metrics/list_evaluation.hpp>
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
    bool count_repeats = false;  ///< test rows count that repeat a training row; the model must show seen items
};

/// How good a model's lists are for the users of the test part: everything from one list a user.
///
/// Every user with a test row is evaluated, and every test row makes its item relevant, whatever its value; filter with
/// data::where() before. Items of the user's training rows are not relevant (see GroundTruth); shown, they are misses.
/// A short or missing list counts as it is: the empty places are misses. Figures, each "@k" for each cut-off:
///
///     ndcg precision recall capped_recall hit_rate mrr map     means over users of the functions of the same name
///     novelty                                                  likewise, where users know what they have in train
///     coverage gini entropy                                    of all lists together, over the whole catalogue
///
///     const auto report = evaluate(model, train, test, {.cutoffs = {10, 20}});
///     report.at("ndcg@10");   report.warm().at("recall@20");   report.cold_users();
///
/// Shapes    model: answers recommend(user, {.k = K}), asked once a user, with K the largest cut-off
/// Returns   the same bits for any number of threads
/// Cost      beside the model: O(rows + items + users (K + cut-offs)) time
///           memory: 64 bytes a user and cut-off, 8 bytes an item and cut-off, 1 byte an item and thread
/// Errors    InvalidArgument if train and test are not parts of one log, if there is no cut-off, or if a list is no
///           answer: longer than K, an item twice, an item outside the catalogue, a NaN score; the message names the
///           user
template <Recommender Model, Executor E = Serial>
[[nodiscard]] Report evaluate(const Model& model, const data::Interactions& train, const data::Interactions& test,
                              const EvaluateOptions& options = {}, E&& executor = E{}) {
    constexpr std::size_t users_at_once = 1024;  // between two reports of progress
    constexpr std::size_t grain = 16;

    const GroundTruth truth(train, test, options.count_repeats);
    detail::ListEvaluation lists(truth, options.cutoffs);
    std::vector<std::vector<unsigned char>> marks(executor.concurrency());

    for (std::size_t first = 0; first < truth.size(); first += users_at_once) {
        const std::size_t count = std::min(users_at_once, truth.size() - first);
        executor.for_range(count, grain, [&](std::size_t begin, std::size_t end, std::size_t worker) {
            FUNNEL_ASSERT(worker < marks.size());
            marks[worker].resize(truth.items());
            for (std::size_t position = first + begin; position < first + end; ++position) {
                lists.add(position, model.recommend(truth.user_ids()[position], {.k = lists.longest()}), marks[worker]);
            }
        });
        report_progress(executor, "evaluate", first + count, truth.size());
    }
    return std::move(lists).report();
}

}  // namespace metrics
}  // namespace FUNNEL_ABI
}  // namespace funnel
