// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "rankers.hpp"

#include <funnel/core/matrix.hpp>
#include <funnel/ranking/lambdamart.hpp>
#include <funnel/ranking/lightgbm.hpp>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <utility>

namespace demo {

namespace {

// An FM multiplies features by each other, and wants all of them between -1 and 1: three standard deviations.
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

}  // namespace

Rankers Rankers::fit(const RankingRows& rows, const std::string& path, Pool& pool) {
    using namespace funnel::ranking;
    auto logistic = LogisticRegression::fit(rows.rows(), rows.labels, {}, pool);
    auto fm = FM::fit(within_one(rows.rows(), logistic), rows.labels, {}, pool);
    // Some hundred lists are few: small trees, a small step, and no leaf of a handful of rows.
    const LambdaMARTOptions options{.trees = 100, .leaves = 7, .learning_rate = 0.05, .min_rows = 50, .l2 = 1.0};
    const auto trained = LambdaMART::fit(rows.rows(), rows.labels, rows.group_sizes, options, pool);
    save_lightgbm(trained.forest(), path);
    Rankers rankers{std::move(logistic), std::move(fm), load_lightgbm(path)};

    const std::vector<double> before = trained.forest().score(rows.rows(), pool);
    const std::vector<double> after = rankers.forest.score(rows.rows(), pool);
    rankers.compared = before.size();
    for (std::size_t i = 0; i < before.size(); ++i) {
        const bool is_same = std::bit_cast<std::uint64_t>(before[i]) == std::bit_cast<std::uint64_t>(after[i]);
        rankers.differ += is_same ? 0 : 1;
    }
    return rankers;
}

std::vector<float> Rankers::by_logistic(funnel::MatrixView<const float> rows) const {
    return logistic.score(rows);
}

std::vector<float> Rankers::by_fm(funnel::MatrixView<const float> rows) const {
    return fm.score(within_one(rows, logistic));
}

std::vector<float> Rankers::by_forest(funnel::MatrixView<const float> rows) const {
    const std::vector<double> scores = forest.score(rows);
    return {scores.begin(), scores.end()};
}

}  // namespace demo
