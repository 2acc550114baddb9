// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "rankers.hpp"

#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/metrics/mean_ndcg.hpp>
#include <funnel/ranking/field_ranker.hpp>
#include <funnel/ranking/lambdamart.hpp>
#include <funnel/ranking/lightgbm.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>

namespace demo {

namespace {

constexpr std::size_t folds = 4;

// Small steps and few passes: with more of them, the network learns the items of some hundred lists by heart. Chosen on
// held-out lists, as compare_on_held_out_lists makes them.
const funnel::ranking::FieldRankerOptions deep_options{.epochs = 4, .batch = 256, .table_learning_rate = 1e-3F};

funnel::ranking::LambdaMART fit_forest(const RankingRows& rows, Pool& pool) {
    // Some hundred lists are few: small trees, a small step, and no leaf of a handful of rows.
    const funnel::ranking::LambdaMARTOptions options{
        .trees = 100, .leaves = 7, .learning_rate = 0.05, .min_rows = 50, .l2 = 1.0};
    return funnel::ranking::LambdaMART::fit(rows.rows(), rows.labels, rows.group_sizes, options, pool);
}

// An FM multiplies features by each other, and wants all of them between -1 and 1: three standard deviations. A network
// learns faster on such a common scale.
funnel::Matrix<float> within_one(funnel::MatrixView<const float> rows,
                                 const funnel::ranking::LogisticRegression& logistic) {
    funnel::Matrix<float> scaled(rows.rows(), rows.cols());
    for (std::size_t i = 0; i < rows.rows(); ++i) {
        for (std::size_t j = 0; j < rows.cols(); ++j) {
            const float deviations = (rows(i, j) - logistic.means()[j]) / logistic.scales()[j];
            scaled(i, j) = std::clamp(deviations / 3.0F, -1.0F, 1.0F);
        }
    }
    return scaled;
}

Rankers::Deep fit_deep(const RankingRows& rows, const funnel::ranking::LogisticRegression& logistic, Pool& pool) {
    const funnel::Matrix<float> dense = within_one(rows.rows(), logistic);
    return Rankers::Deep::fit({.ids = rows.fields().ids, .dense = dense}, rows.labels, deep_options, pool);
}

std::vector<double> score_deep(const Rankers::Deep& deep, const funnel::ranking::FieldRows& rows,
                               const funnel::ranking::LogisticRegression& logistic) {
    const funnel::Matrix<float> dense = within_one(rows.dense, logistic);
    const funnel::Matrix<float> logits = deep.score({.ids = rows.ids, .dense = dense});
    std::vector<double> scores;
    for (std::size_t i = 0; i < logits.rows(); ++i) {
        scores.push_back(static_cast<double>(logits(i, 0)));
    }
    return scores;
}

// The lists whose number leaves the remainder `fold` when divided by `folds`, or all others.
RankingRows lists_of(const RankingRows& rows, std::size_t fold, bool is_held_out) {
    RankingRows some;
    std::size_t begin = 0;
    for (std::size_t list = 0; list < rows.group_sizes.size(); ++list) {
        const std::size_t end = begin + rows.group_sizes[list];
        if ((list % folds == fold) == is_held_out) {
            for (std::size_t i = begin; i < end; ++i) {
                const auto features = rows.rows().row(i);
                const auto ids = rows.fields().ids.row(i);
                some.values.insert(some.values.end(), features.begin(), features.end());
                some.ids.insert(some.ids.end(), ids.begin(), ids.end());
                some.labels.push_back(rows.labels[i]);
            }
            some.group_sizes.push_back(rows.group_sizes[list]);
        }
        begin = end;
    }
    return some;
}

// Lets the deep ranker and LambdaMART score each list after learning from the lists of the other folds.
void compare_on_held_out_lists(const RankingRows& rows, Rankers& rankers, Pool& pool) {
    RankingRows held_out;
    std::vector<double> by_deep;
    std::vector<double> by_forest;
    for (std::size_t fold = 0; fold < folds && rows.group_sizes.size() >= folds; ++fold) {
        const RankingRows learned = lists_of(rows, fold, false);
        const RankingRows judged = lists_of(rows, fold, true);
        const auto logistic = funnel::ranking::LogisticRegression::fit(learned.rows(), learned.labels, {}, pool);
        const auto deep = score_deep(fit_deep(learned, logistic, pool), judged.fields(), logistic);
        const auto forest = fit_forest(learned, pool).forest().score(judged.rows(), pool);
        by_deep.insert(by_deep.end(), deep.begin(), deep.end());
        by_forest.insert(by_forest.end(), forest.begin(), forest.end());
        held_out.labels.insert(held_out.labels.end(), judged.labels.begin(), judged.labels.end());
        held_out.group_sizes.insert(held_out.group_sizes.end(), judged.group_sizes.begin(), judged.group_sizes.end());
    }
    const auto ndcg = [&](const std::vector<double>& scores) {
        return scores.empty() ? std::numeric_limits<double>::quiet_NaN()
                              : funnel::metrics::mean_ndcg(scores, held_out.labels, held_out.group_sizes, 10);
    };
    rankers.held_out_deep = ndcg(by_deep);
    rankers.held_out_forest = ndcg(by_forest);
}

}  // namespace

Rankers Rankers::fit(const RankingRows& rows, const std::string& path, Pool& pool) {
    using namespace funnel::ranking;
    auto logistic = LogisticRegression::fit(rows.rows(), rows.labels, {}, pool);
    auto fm = FM::fit(within_one(rows.rows(), logistic), rows.labels, {}, pool);
    auto deep = fit_deep(rows, logistic, pool);
    const LambdaMART trained = fit_forest(rows, pool);
    save_lightgbm(trained.forest(), path);
    Rankers rankers{std::move(logistic), std::move(fm), std::move(deep), load_lightgbm(path)};

    const std::vector<double> before = trained.forest().score(rows.rows(), pool);
    const std::vector<double> after = rankers.forest.score(rows.rows(), pool);
    rankers.compared = before.size();
    for (std::size_t i = 0; i < before.size(); ++i) {
        const bool is_same = std::bit_cast<std::uint64_t>(before[i]) == std::bit_cast<std::uint64_t>(after[i]);
        rankers.differ += is_same ? 0 : 1;
    }
    compare_on_held_out_lists(rows, rankers, pool);
    return rankers;
}

std::vector<float> Rankers::by_logistic(const funnel::ranking::FieldRows& rows) const {
    return logistic.score(rows.dense);
}

std::vector<float> Rankers::by_fm(const funnel::ranking::FieldRows& rows) const {
    return fm.score(within_one(rows.dense, logistic));
}

std::vector<float> Rankers::by_deep(const funnel::ranking::FieldRows& rows) const {
    const std::vector<double> scores = score_deep(deep, rows, logistic);
    return {scores.begin(), scores.end()};
}

std::vector<float> Rankers::by_forest(const funnel::ranking::FieldRows& rows) const {
    const std::vector<double> scores = forest.score(rows.dense);
    return {scores.begin(), scores.end()};
}

}  // namespace demo
