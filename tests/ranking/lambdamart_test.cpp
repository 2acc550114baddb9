// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/ranking/lambdamart.hpp>

#include "ranking/data/lambdamart_model.hpp"
#include "support/temp_dir.hpp"

#include <funnel/core/matrix.hpp>
#include <funnel/core/parallel.hpp>
#include <funnel/core/progress.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/metrics/mean_ndcg.hpp>
#include <funnel/ranking/lightgbm.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <limits>
#include <numeric>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

using doctest::Approx;
using funnel::InvalidArgument;
using funnel::Matrix;
using funnel::Random;
using funnel::Threads;
using funnel::ranking::BoostingObjective;
using funnel::ranking::LambdaMART;
using funnel::ranking::LambdaMARTOptions;
using funnel::ranking::TrainingRows;
using funnel::ranking::Tree;
using funnel::ranking::TreeEnsemble;
using funnel::ranking::ValidationRows;

namespace {

constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();
constexpr float infinity = std::numeric_limits<float>::infinity();

struct Problem {
    Matrix<float> rows;
    std::vector<float> labels;
    std::vector<std::size_t> group_sizes;
};

// Lists of 1 to 20 rows; graded labels depend on features 0 to 2, the last feature is often missing.
Problem random_problem(std::size_t lists, std::uint64_t seed) {
    Random random(seed);
    Problem problem;
    std::size_t n = 0;
    for (std::size_t list = 0; list < lists; ++list) {
        problem.group_sizes.push_back(1 + random.below(20));
        n += problem.group_sizes.back();
    }
    problem.rows = Matrix<float>(n, 6);
    for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t j = 0; j < 6; ++j) {
            problem.rows(i, j) = static_cast<float>(random.normal());
        }
        problem.rows(i, 4) = static_cast<float>(random.below(3));
        problem.rows(i, 5) = random.below(3) == 0 ? not_a_number : problem.rows(i, 5);
        const float x = problem.rows(i, 5);
        const double relevance = static_cast<double>(problem.rows(i, 0) - problem.rows(i, 1) * problem.rows(i, 2)) +
                                 (std::isnan(x) ? 1.0 : 0.0) + 0.5 * random.normal();
        problem.labels.push_back(static_cast<float>(std::clamp(std::floor(relevance + 1.0), 0.0, 4.0)));
    }
    return problem;
}

LambdaMART fit(const Problem& problem, const LambdaMARTOptions& options) {
    return LambdaMART::fit(problem.rows, problem.labels, problem.group_sizes, options);
}

// Everything that makes two models equal.
std::string state_of(const LambdaMART& model) {
    std::string text;
    for (const Tree& tree : model.forest().trees().trees) {
        for (const auto& split : tree.splits) {
            text += std::to_string(split.feature) + "<=" + std::to_string(split.threshold) +
                    (split.missing_goes_left ? "L" : "R") + std::to_string(split.left) + "/" +
                    std::to_string(split.right) + " ";
        }
        for (const double value : tree.leaf_values) {
            text.append(reinterpret_cast<const char*>(&value), sizeof value);
        }
    }
    for (const double loss : model.training_losses()) {
        text.append(reinterpret_cast<const char*>(&loss), sizeof loss);
    }
    return text;
}

double mean_ndcg(const LambdaMART& model, const Problem& problem, std::size_t k) {
    return funnel::metrics::mean_ndcg(model.forest().score(problem.rows), problem.labels, problem.group_sizes, k,
                                      funnel::metrics::ExponentialGain{});
}

struct ClickLog {
    Problem problem;  // labels are clicks
    std::vector<float> relevance;
    std::vector<std::uint32_t> positions;
    std::vector<float> inverse_propensities;  // of the rows with a click; 1 for the others
};

// A position-based click model: an item is clicked if it is seen, with probability 1 / (1 + position), and relevant.
// Feature 0 decides where items are shown and is worthless; features 1 and 2 make items relevant.
ClickLog click_log(std::size_t lists, std::uint64_t seed) {
    constexpr std::size_t size = 10;
    Random random(seed);
    ClickLog log;
    log.problem.rows = Matrix<float>(lists * size, 3);
    for (std::size_t list = 0; list < lists; ++list) {
        log.problem.group_sizes.push_back(size);
        std::vector<std::size_t> shown(size);
        std::iota(shown.begin(), shown.end(), list * size);
        for (const std::size_t i : shown) {
            for (float& x : log.problem.rows.row(i)) {
                x = static_cast<float>(random.normal());
            }
        }
        std::sort(shown.begin(), shown.end(),
                  [&](auto a, auto b) { return log.problem.rows(a, 0) > log.problem.rows(b, 0); });
        for (std::size_t i = list * size; i < (list + 1) * size; ++i) {
            const auto position = static_cast<std::size_t>(std::find(shown.begin(), shown.end(), i) - shown.begin());
            const double seen = 1.0 / (1.0 + static_cast<double>(position));
            const auto x = static_cast<double>(log.problem.rows(i, 1) + log.problem.rows(i, 2));
            const double relevant = 1.0 / (1.0 + std::exp(1.0 - 1.5 * x));
            const bool is_clicked = random.uniform() < seen * relevant;
            log.problem.labels.push_back(is_clicked ? 1.0F : 0.0F);
            log.relevance.push_back(relevant > 0.5 ? 1.0F : 0.0F);
            log.positions.push_back(static_cast<std::uint32_t>(position));
            log.inverse_propensities.push_back(is_clicked ? static_cast<float>(1.0 / seen) : 1.0F);
        }
    }
    return log;
}

// A tree grown from the definition: each split tries every feature, every value and both sides for NaN, with sums over
// the rows themselves. For SquaredError with whole-number residuals, so that every sum is exact.
struct NaiveTree {
    const Matrix<float>& rows;
    const std::vector<double>& residuals;
    std::size_t min_rows;

    struct Split {
        double gain = 0.0;
        std::vector<std::size_t> left;
        std::vector<std::size_t> right;
    };

    [[nodiscard]] double sum(const std::vector<std::size_t>& leaf) const {
        double total = 0.0;
        for (const std::size_t i : leaf) {
            total += residuals[i];
        }
        return total;
    }

    [[nodiscard]] double quality(const std::vector<std::size_t>& leaf) const {
        return sum(leaf) * sum(leaf) / static_cast<double>(leaf.size());
    }

    [[nodiscard]] Split best(const std::vector<std::size_t>& leaf) const {
        Split found;
        for (std::size_t j = 0; j < rows.cols(); ++j) {
            for (const bool missing_left : {false, true}) {
                for (const std::size_t at : leaf) {
                    Split split;
                    for (const std::size_t i : leaf) {
                        const bool is_left = std::isnan(rows(i, j)) ? missing_left : rows(i, j) <= rows(at, j);
                        (is_left ? split.left : split.right).push_back(i);
                    }
                    if (split.left.size() >= min_rows && split.right.size() >= min_rows) {
                        split.gain = quality(split.left) + quality(split.right) - quality(leaf);
                        if (split.gain > found.gain) {
                            found = split;
                        }
                    }
                }
            }
        }
        return found;
    }

    [[nodiscard]] std::vector<std::vector<std::size_t>> grow(std::size_t leaves) const {
        std::vector<std::vector<std::size_t>> grown(1);
        for (std::size_t i = 0; i < rows.rows(); ++i) {
            grown[0].push_back(i);
        }
        while (grown.size() < leaves) {
            Split best_split;
            std::size_t which = 0;
            for (std::size_t l = 0; l < grown.size(); ++l) {
                if (const Split split = best(grown[l]); split.gain > best_split.gain) {
                    best_split = split;
                    which = l;
                }
            }
            if (best_split.gain == 0.0) {
                break;
            }
            grown[which] = best_split.left;
            grown.push_back(best_split.right);
        }
        return grown;
    }
};

}  // namespace

TEST_CASE("LambdaMART: a tree worked by hand") {
    // Squared error. Labels 1, 1, 4, 6 at x = 1, 2, 3, NaN: mean 3, residuals -2, -2, 1, 3. The split x <= 2 | 3, NaN gains
    // 16 / 2 + 16 / 2 = 16; any other one less. Then 3 | NaN gains 1 + 9 - 8 = 2: the threshold is infinite.
    Matrix<float> rows(4, 1);
    rows(0, 0) = 1.0F;
    rows(1, 0) = 2.0F;
    rows(2, 0) = 3.0F;
    rows(3, 0) = not_a_number;
    const std::vector<float> labels{1, 1, 4, 6};
    const auto model = LambdaMART::fit(
        rows, labels, {},
        {.objective = BoostingObjective::SquaredError, .trees = 1, .leaves = 3, .learning_rate = 1.0, .min_rows = 1});
    const TreeEnsemble& trees = model.forest().trees();
    REQUIRE(trees.trees.size() == 1);
    const Tree& tree = trees.trees[0];
    REQUIRE(tree.splits.size() == 2);
    CHECK(tree.splits[0].threshold == std::nextafter(2.5, 3.0));
    CHECK_FALSE(tree.splits[0].missing_goes_left);
    CHECK(tree.splits[0].left == ~0);
    CHECK(tree.splits[0].right == 1);
    CHECK(tree.splits[1].threshold == std::numeric_limits<double>::infinity());
    CHECK_FALSE(tree.splits[1].missing_goes_left);
    CHECK(tree.leaf_values == std::vector{1.0, 4.0, 6.0});
    CHECK(tree.leaf_covers == std::vector{2.0, 1.0, 1.0});
    CHECK(tree.split_covers == std::vector{4.0, 2.0});
    CHECK(model.forest().score(rows) == std::vector{1.0, 1.0, 4.0, 6.0});
    CHECK(model.training_losses()[0] == (4.0 + 4.0 + 1.0 + 9.0) / 2.0 / 4.0);
}

TEST_CASE("LambdaMART: learning rate, penalty and the constant, by hand") {
    // Residuals -2, 2 around the mean 2: values 2 -+ 0.5 * 2 / (1 + 3).
    Matrix<float> rows(2, 1);
    rows(1, 0) = 1.0F;
    const std::vector<float> labels{0, 4};
    const LambdaMARTOptions options{
        .objective = BoostingObjective::SquaredError, .trees = 1, .learning_rate = 0.5, .min_rows = 1, .l2 = 3.0};
    CHECK(LambdaMART::fit(rows, labels, {}, options).forest().score(rows) == std::vector{1.75, 2.25});
    // Logloss: the mean 1/4 is the logit log(1/3), and without a split the only leaf has it.
    const auto constant = LambdaMART::fit(Matrix<float>(4, 1), std::vector<float>{0, 0, 1, 0}, {},
                                          {.objective = BoostingObjective::Logloss, .trees = 9});
    CHECK(constant.forest().trees().trees.size() == 1);  // no split is left
    CHECK(constant.forest().predict(rows)[0] == Approx(0.25).epsilon(1e-12));
}

TEST_CASE("LambdaMART: grows the trees of the definition, with and without missing values") {
    for (const std::uint64_t seed : {1U, 2U, 3U, 4U, 5U}) {
        Random random(seed);
        const std::size_t n = 60;
        Matrix<float> rows(n, 3);
        std::vector<float> labels(n);
        for (std::size_t i = 0; i < n; ++i) {
            for (std::size_t j = 0; j < 3; ++j) {
                rows(i, j) = static_cast<float>(random.below(12)) - 4.0F;
                rows(i, j) = j > 0 && random.below(4) == 0 ? not_a_number : rows(i, j);
            }
            // Whole numbers so large that no two splits gain the same.
            labels[i] = static_cast<float>(random.below(9000)) - 4000.0F;
            labels[i] += 1000.0F * (std::isnan(rows(i, 1)) ? 3.0F : rows(i, 0));
        }
        labels[0] -= std::accumulate(labels.begin(), labels.end(), 0.0F);  // mean 0: residuals are whole numbers
        std::vector<double> residuals(labels.begin(), labels.end());
        for (const std::size_t min_rows : {1U, 6U}) {
            const auto model = LambdaMART::fit(rows, labels, {},
                                               {.objective = BoostingObjective::SquaredError,
                                                .trees = 1,
                                                .leaves = 9,
                                                .learning_rate = 1.0,
                                                .min_rows = min_rows});
            const NaiveTree naive{rows, residuals, min_rows};
            std::vector<double> expected(n);
            for (const auto& leaf : naive.grow(9)) {
                for (const std::size_t i : leaf) {
                    expected[i] = naive.sum(leaf) / static_cast<double>(leaf.size());
                }
            }
            CHECK(model.forest().score(rows) == expected);
        }
    }
}

TEST_CASE("LambdaMART: the forest carries LightGBM's name of the objective, for save_lightgbm") {
    Problem problem = random_problem(4, 3);
    for (float& label : problem.labels) {
        label = std::min(label, 1.0F);
    }
    const auto name = [&](BoostingObjective objective) {
        return fit(problem, {.objective = objective, .trees = 1}).forest().trees().objective;
    };
    CHECK(name(BoostingObjective::LambdaRank) == "lambdarank");
    CHECK(name(BoostingObjective::XENDCG) == "rank_xendcg");
    CHECK(name(BoostingObjective::Logloss) == "binary");
    CHECK(name(BoostingObjective::SquaredError) == "regression");
}

TEST_CASE("LambdaMART: learns to rank, and ranks other lists well") {
    const Problem train = random_problem(300, 1);
    const Problem test = random_problem(100, 2);
    const double unordered = 0.62;  // of a random order, about
    for (const auto objective : {BoostingObjective::LambdaRank, BoostingObjective::XENDCG}) {
        const auto model = fit(train, {.objective = objective, .trees = 60, .leaves = 15});
        CHECK(mean_ndcg(model, train, 10) > 0.95);
        CHECK(mean_ndcg(model, test, 10) > unordered + 0.2);
    }
}

TEST_CASE("LambdaMART: the training loss falls with every tree, down to a perfect fit of a small set") {
    const Problem small = random_problem(8, 3);
    for (const auto objective : {BoostingObjective::SquaredError, BoostingObjective::Logloss}) {
        Problem problem = small;
        for (float& y : problem.labels) {
            y = objective == BoostingObjective::Logloss ? std::min(y, 1.0F) : y;
        }
        const auto model = fit(problem, {.objective = objective, .trees = 80, .learning_rate = 0.3, .min_rows = 1});
        const auto losses = model.training_losses();
        for (std::size_t t = 1; t < losses.size(); ++t) {
            CHECK(losses[t] <= losses[t - 1] * (1.0 + 1e-12));
        }
        CHECK(losses.back() < 0.01 * losses.front());
    }
    const auto ranker = fit(small, {.trees = 100, .learning_rate = 0.3, .min_rows = 1});
    CHECK(mean_ndcg(ranker, small, 10) == Approx(1.0));
}

TEST_CASE("LambdaMART: training scores are those of the forest, also with samples") {
    Problem problem = random_problem(60, 4);
    for (const double fraction : {1.0, 0.5}) {
        const LambdaMARTOptions options{.objective = BoostingObjective::SquaredError,
                                        .trees = 12,
                                        .leaves = 7,
                                        .row_fraction = fraction,
                                        .feature_fraction = fraction};
        const auto model = fit(problem, options);
        // The loss before the last tree, from the scores of the forest without it.
        TreeEnsemble without = model.forest().trees();
        without.trees.pop_back();
        const auto scores = funnel::ranking::Forest(without).score(problem.rows);
        double loss = 0.0;
        for (std::size_t i = 0; i < scores.size(); ++i) {
            loss += std::pow(scores[i] - static_cast<double>(problem.labels[i]), 2.0) / 2.0;
        }
        CHECK(model.training_losses().back() == Approx(loss / static_cast<double>(scores.size())).epsilon(1e-12));
        const Tree& last = model.forest().trees().trees.back();
        const auto n = static_cast<double>(problem.rows.rows());
        CHECK(last.split_covers.at(0) == std::round(fraction * n));
    }
}

TEST_CASE("LambdaMART: the same model for any number of threads") {
    const Problem problem = random_problem(120, 5);
    for (const auto objective : {BoostingObjective::LambdaRank, BoostingObjective::XENDCG}) {
        const LambdaMARTOptions options{
            .objective = objective, .trees = 8, .leaves = 9, .row_fraction = 0.7, .feature_fraction = 0.6};
        const std::string expected = state_of(fit(problem, options));
        for (const std::size_t count : {1U, 2U, 4U}) {
            Threads pool(count);
            CHECK(state_of(LambdaMART::fit(problem.rows, problem.labels, problem.group_sizes, options, pool)) ==
                  expected);
        }
        LambdaMARTOptions other = options;
        other.seed = 2;
        CHECK(state_of(fit(problem, other)) != expected);
    }
}

TEST_CASE("LambdaMART: limits of depth, leaves, rows and bins hold") {
    const Problem problem = random_problem(100, 6);
    const auto model = fit(problem, {.objective = BoostingObjective::SquaredError,
                                     .trees = 3,
                                     .leaves = 31,
                                     .max_depth = 2,
                                     .min_rows = 50,
                                     .max_bins = 4});
    for (const Tree& tree : model.forest().trees().trees) {
        CHECK(tree.leaves() <= 4);
        for (const double rows : tree.leaf_covers) {
            CHECK(rows >= 50.0);
        }
    }
    const auto stump = fit(problem, {.trees = 2, .leaves = 2});
    CHECK(stump.forest().trees().trees[1].leaves() == 2);
    const auto none = fit(problem, {.trees = 5, .min_gain = 1e9});
    CHECK(none.forest().trees().trees.size() == 1);
    CHECK(none.forest().trees().trees[0].leaf_values == std::vector{0.0});
}

TEST_CASE("LambdaMART: early stopping keeps the trees with the best validation score") {
    const Problem train = random_problem(40, 7);
    const Problem held_out = random_problem(60, 8);
    const ValidationRows validation{held_out.rows, held_out.labels, held_out.group_sizes};
    for (const auto objective : {BoostingObjective::LambdaRank, BoostingObjective::SquaredError}) {
        const LambdaMARTOptions options{
            .objective = objective, .trees = 300, .learning_rate = 0.3, .min_rows = 2, .patience = 8, .ndcg_at = 5};
        const auto model = LambdaMART::fit(train.rows, train.labels, train.group_sizes, validation, options);
        const auto scores = model.validation_scores();
        const auto best = static_cast<std::size_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
        CHECK(model.forest().trees().trees.size() == best + 1);
        CHECK(scores.size() == best + 1 + 8);
        if (objective == BoostingObjective::LambdaRank) {
            CHECK(mean_ndcg(model, held_out, 5) == Approx(scores[best]).epsilon(1e-12));
        }
    }
}

TEST_CASE("LambdaMART: NDCG of validation rows weighs each list by the mean weight of its rows") {
    const Problem train = random_problem(30, 5);
    Problem held_out;
    held_out.rows = Matrix<float>(9, train.rows.cols());
    for (std::size_t i = 0; i < 9; ++i) {
        std::copy_n(train.rows.row(3 * i).begin(), train.rows.cols(), held_out.rows.row(i).begin());
    }
    held_out.labels = {1, 0, 2, 0, 0, 0, 3, 0, 1};  // nothing is relevant in the second list, which does not count
    held_out.group_sizes = {4, 2, 3};
    const std::vector<float> weights{1.0F, 2.0F, 0.0F, 4.0F, 9.0F, 9.0F, 0.5F, 0.5F, 0.0F};
    const auto model =
        LambdaMART::fit({train.rows, train.labels, train.group_sizes},
                        {held_out.rows, held_out.labels, held_out.group_sizes, weights}, {.trees = 1, .ndcg_at = 2});
    const auto scores = model.forest().score(held_out.rows);
    const auto of_list = [&](std::size_t begin, std::size_t size) {
        return funnel::metrics::mean_ndcg(std::span(scores).subspan(begin, size),
                                          std::span<const float>(held_out.labels).subspan(begin, size), {}, 2,
                                          funnel::metrics::ExponentialGain{});
    };
    const double first = of_list(0, 4);
    const double last = of_list(6, 3);
    REQUIRE(std::abs(first - last) > 0.01);
    // (1 + 2 + 0 + 4) / 4 and (0.5 + 0.5 + 0) / 3, as LightGBM 4.7 computes it
    const double expected = (7.0 / 4.0 * first + 1.0 / 3.0 * last) / (7.0 / 4.0 + 1.0 / 3.0);
    REQUIRE(model.validation_scores().size() == 1);
    CHECK(model.validation_scores()[0] == Approx(expected).epsilon(1e-12));
}

TEST_CASE("LambdaMART: a validation row of weight 2 counts as two rows, one of weight 0 as none") {
    Problem train = random_problem(30, 5);
    const Problem held_out = random_problem(300, 6);  // more rows than are summed as one part
    const std::size_t n = held_out.labels.size();
    REQUIRE(n > 2048);
    for (const auto objective : {BoostingObjective::SquaredError, BoostingObjective::Logloss}) {
        const auto label = [&](float y) {
            return objective == BoostingObjective::Logloss ? (y > 1.0F ? 1.0F : 0.0F) : y;
        };
        std::vector<float> labels;
        std::vector<float> weights;
        std::vector<std::size_t> repeated;
        std::vector<float> repeated_labels;
        std::transform(train.labels.begin(), train.labels.end(), train.labels.begin(), label);
        for (std::size_t i = 0; i < n; ++i) {
            labels.push_back(label(held_out.labels[i]));
            weights.push_back(static_cast<float>(i % 3));
            for (std::size_t copies = 0; copies < i % 3; ++copies) {
                repeated.push_back(i);
                repeated_labels.push_back(labels[i]);
            }
        }
        Matrix<float> rows(repeated.size(), held_out.rows.cols());
        for (std::size_t i = 0; i < repeated.size(); ++i) {
            std::copy_n(held_out.rows.row(repeated[i]).begin(), rows.cols(), rows.row(i).begin());
        }
        const LambdaMARTOptions options{.objective = objective, .trees = 10};
        const auto scores_by = [&](const ValidationRows& validation, std::size_t threads) {
            const auto model = LambdaMART::fit({train.rows, train.labels}, validation, options, Threads(threads));
            return std::vector<double>(model.validation_scores().begin(), model.validation_scores().end());
        };
        const auto weighted = scores_by({held_out.rows, labels, {}, weights}, 1);
        const auto expected = scores_by({rows, repeated_labels}, 1);
        REQUIRE(weighted.size() == 10);
        for (std::size_t t = 0; t < 10; ++t) {
            CHECK(weighted[t] == Approx(expected[t]).epsilon(1e-9));
        }
        CHECK(scores_by({held_out.rows, labels, {}, weights}, 4) == weighted);
        CHECK(scores_by({held_out.rows, labels}, 1) != weighted);
    }
}

TEST_CASE("LambdaMART: rejects validation rows that cannot judge, which would stop training after one tree") {
    const Problem train = random_problem(10, 7);
    const Problem held_out = random_problem(5, 8);
    const std::vector<float> zeros(held_out.labels.size(), 0.0F);
    const Matrix<float> no_rows(0, train.rows.cols());
    const auto trees = [&](const ValidationRows& validation, BoostingObjective objective) {
        return LambdaMART::fit({train.rows, train.labels, train.group_sizes}, validation,
                               {.objective = objective, .trees = 2})
            .forest()
            .trees()
            .trees.size();
    };
    for (const auto objective : {BoostingObjective::LambdaRank, BoostingObjective::XENDCG}) {
        CHECK_THROWS_WITH_AS((void)trees({held_out.rows, zeros, held_out.group_sizes}, objective),
                             "LambdaMART::fit: validation needs a row, and for a ranking objective a list with a label "
                             "above 0 and a weight above 0",
                             InvalidArgument);
    }
    const std::vector<std::size_t> pair{1, 1};
    const std::vector<float> labels{1.0F, 0.0F};
    const std::vector<float> weights{0.0F, 1.0F};  // of the list that does not count
    const auto two_rows = held_out.rows.view().rows_from(0, 2);
    CHECK_THROWS_AS((void)trees({two_rows, labels, pair, weights}, BoostingObjective::LambdaRank), InvalidArgument);
    CHECK(trees({two_rows, labels, {}, weights}, BoostingObjective::LambdaRank) > 0);
    CHECK_THROWS_AS((void)trees({no_rows, {}}, BoostingObjective::LambdaRank), InvalidArgument);
    CHECK_THROWS_AS((void)trees({no_rows, {}}, BoostingObjective::SquaredError), InvalidArgument);
    CHECK(trees({held_out.rows, zeros}, BoostingObjective::SquaredError) > 0);
}

TEST_CASE("LambdaMART: a loss or bias that is not finite is an error, not a model") {
    const Problem problem = random_problem(10, 9);
    const std::vector<std::uint32_t> positions(problem.labels.size(), 0);
    const TrainingRows training{problem.rows, problem.labels, problem.group_sizes, {}, positions};
    for (const LambdaMARTOptions& options : {LambdaMARTOptions{.trees = 1, .lambda_rank = {.sigma = 1e308}},
                                             LambdaMARTOptions{.trees = 1, .position_bias_l2 = 1e308}}) {
        CHECK_THROWS_WITH_AS((void)LambdaMART::fit(training, options),
                             "LambdaMART::fit: training diverged; try a smaller sigma or position_bias_l2",
                             InvalidArgument);
    }
}

TEST_CASE("LambdaMART: a model of features -1 and 1 can be saved") {
    const Matrix<float> rows = [] {
        Matrix<float> out(8, 1);
        for (std::size_t i = 0; i < 8; ++i) {
            out(i, 0) = i < 4 ? -1.0F : 1.0F;
        }
        return out;
    }();
    const std::vector<float> labels{0, 0, 0, 0, 1, 1, 1, 1};
    const auto model = LambdaMART::fit(
        rows, labels, {}, {.objective = BoostingObjective::SquaredError, .trees = 2, .leaves = 2, .min_rows = 1});
    REQUIRE(model.forest().trees().trees[0].splits.size() == 1);
    const funnel::testing::TempDir dir;
    funnel::ranking::save_lightgbm(model.forest(), dir / "model.txt");
    CHECK(funnel::ranking::load_lightgbm(dir / "model.txt").score(rows) == model.forest().score(rows));
}

TEST_CASE("LambdaMART: reports progress, and can be stopped") {
    const Problem problem = random_problem(30, 9);
    funnel::Serial serial;
    std::vector<std::size_t> done;
    std::stop_source stop;
    auto monitored = funnel::Monitored(
        serial,
        [&](const funnel::Progress& progress) {
            CHECK(progress.stage == "LambdaMART");
            CHECK(progress.total == 7);
            done.push_back(progress.done);
            if (progress.done == 3) {
                stop.request_stop();
            }
        },
        stop.get_token());
    CHECK_THROWS_AS((void)LambdaMART::fit(problem.rows, problem.labels, problem.group_sizes,
                                          LambdaMARTOptions{.trees = 7}, monitored),
                    funnel::Cancelled);
    CHECK(done == std::vector<std::size_t>{1, 2, 3});
}

TEST_CASE("LambdaMART: weights and positions undo the position bias of clicks") {
    const ClickLog log = click_log(2000, 11);
    ClickLog held_out = click_log(300, 12);
    held_out.problem.labels = held_out.relevance;
    const auto& [rows, clicks, group_sizes] = log.problem;
    for (const auto objective : {BoostingObjective::LambdaRank, BoostingObjective::XENDCG}) {
        const LambdaMARTOptions options{.objective = objective, .trees = 60, .leaves = 8};
        const auto quality = [&](const LambdaMART& model) { return mean_ndcg(model, held_out.problem, 5); };
        const double naive = quality(LambdaMART::fit({rows, clicks, group_sizes}, options));
        const double weighted =
            quality(LambdaMART::fit({rows, clicks, group_sizes, log.inverse_propensities}, options));
        const auto biased = LambdaMART::fit({rows, clicks, group_sizes, {}, log.positions}, options);
        CHECK(weighted > naive + 0.08);
        CHECK(quality(biased) > naive + 0.08);
        const auto biases = biased.position_biases();
        REQUIRE(biases.size() == 10);
        CHECK(biases[0] > biases[1]);
        CHECK(biases[1] > biases[3]);
        CHECK(biases[3] > biases[8]);
    }
}

TEST_CASE("LambdaMART: a row of weight 2 counts as two rows, one of weight 0 as none") {
    Random random(13);
    const std::size_t n = 40;
    Matrix<float> rows(n, 2);
    Matrix<float> repeated(60, 2);
    std::vector<float> labels(n);
    std::vector<float> weights(n);
    std::vector<float> repeated_labels;
    for (std::size_t i = 0; i < n; ++i) {
        labels[i] = static_cast<float>(random.below(2000)) - 1000.0F;
        weights[i] = i < 25 ? 2.0F : (i < 35 ? 1.0F : 0.0F);
        for (std::size_t j = 0; j < 2; ++j) {
            rows(i, j) = static_cast<float>(random.normal());
        }
        for (float w = 0.0F; w < weights[i]; w += 1.0F) {
            std::copy_n(rows.row(i).begin(), 2, repeated.row(repeated_labels.size()).begin());
            repeated_labels.push_back(labels[i]);
        }
    }
    REQUIRE(repeated_labels.size() == 60);
    for (const auto objective : {BoostingObjective::SquaredError, BoostingObjective::Logloss}) {
        if (objective == BoostingObjective::Logloss) {
            for (float& y : labels) {
                y = y > 0.0F ? 1.0F : 0.0F;
            }
            for (float& y : repeated_labels) {
                y = y > 0.0F ? 1.0F : 0.0F;
            }
        }
        const LambdaMARTOptions options{.objective = objective, .trees = 5, .leaves = 6, .min_rows = 1};
        const auto weighted = LambdaMART::fit({rows, labels, {}, weights}, options).forest().score(repeated);
        const auto expected = LambdaMART::fit(repeated, repeated_labels, {}, options).forest().score(repeated);
        for (std::size_t i = 0; i < expected.size(); ++i) {
            CHECK(weighted[i] == Approx(expected[i]).epsilon(1e-5));
        }
    }
}

TEST_CASE("PositionBias: one step by hand") {
    // Position 0 has derivatives -3 / 2 and 1 / 1: G = -2, H = 3. Position 1 has 4 / 0.5.
    const std::vector<std::uint32_t> positions{0, 1, 0};
    const std::vector<funnel::ranking::detail::RowGradient> gradients{{-3.0F, 2.0F}, {4.0F, 0.5F}, {1.0F, 1.0F}};
    funnel::ranking::detail::PositionBias bias(positions, 0.5, 0.25);
    bias.update(gradients);
    // l2 n = 0.5 and 0.25.
    const double first = 0.5 * 2.0 / (3.0 + 0.5 + 0.001);
    const double second = -0.5 * 4.0 / (0.5 + 0.25 + 0.001);
    CHECK(bias.biases()[0] == Approx(first).epsilon(1e-15));
    CHECK(bias.biases()[1] == Approx(second).epsilon(1e-15));
    const auto scores = bias.add_to(std::vector{1.0, 2.0, 3.0});
    CHECK(scores[2] == 3.0 + bias.biases()[0]);
    CHECK(scores[1] == 2.0 + bias.biases()[1]);
    bias.update(gradients);
    CHECK(bias.biases()[1] == Approx(second - 0.5 * (4.0 + 0.25 * second) / 0.751).epsilon(1e-14));
}

TEST_CASE("LambdaMART: position biases are those of LightGBM 4.7, which reads sigmoids from a table") {
    Matrix<float> rows(12, 1);
    for (std::size_t i = 0; i < 12; ++i) {
        rows(i, 0) = static_cast<float>(i);
    }
    const std::vector<float> labels{1, 0, 0, 1, 0, 2, 0, 0, 0, 1, 3, 0};
    const std::vector<std::size_t> group_sizes{4, 4, 4};
    const std::vector<std::uint32_t> positions{0, 1, 2, 3, 2, 0, 1, 3, 3, 2, 0, 1};
    struct Expected {
        std::size_t trees;
        double l2;  // lambdarank_position_bias_regularization
        std::vector<double> biases;
    };
    const std::vector<Expected> all{{1, 0.0, {0.199607, -0.198725, -0.166009, -0.123675}},
                                    {2, 0.0, {0.367167, -0.373147, -0.300006, -0.100242}},
                                    {1, 0.5, {0.050584, -0.0188131, -0.0233848, -0.0170338}},
                                    {2, 0.5, {0.16172, -0.106994, -0.0982365, 0.00175781}}};
    for (const Expected& expected : all) {
        const auto model = LambdaMART::fit(
            {rows, labels, group_sizes, {}, positions},
            {.trees = expected.trees, .leaves = 2, .min_rows = 1, .min_hessian = 0.0, .position_bias_l2 = expected.l2});
        REQUIRE(model.position_biases().size() == 4);
        for (std::size_t p = 0; p < 4; ++p) {
            CHECK(std::abs(model.position_biases()[p] - expected.biases[p]) < 4e-6);
        }
    }
}

TEST_CASE("LambdaMART: saved models are those that LightGBM has read, with the same bits of scores") {
    // data/lambdamart_model.py confirmed the text and the scores with LightGBM. It computes the same rows.
    Matrix<float> rows(96, 3);
    std::vector<float> labels(96);
    for (std::size_t i = 0; i < 96; ++i) {
        for (std::size_t j = 0; j < 3; ++j) {
            rows(i, j) = static_cast<float>((i * 7 + j * 13 + i * i * (j + 1)) % 23) / 4.0F - 2.0F;
            rows(i, j) = (i * i + j) % 6 == 0 && j > 0 ? not_a_number : rows(i, j);
        }
        labels[i] = static_cast<float>(i * i * 31 % 101) + (std::isnan(rows(i, 2)) ? 64.0F : 0.0F);
    }
    const auto model = LambdaMART::fit(
        rows, labels, {},
        {.objective = BoostingObjective::SquaredError, .trees = 4, .leaves = 6, .learning_rate = 0.5, .min_rows = 3});
    const funnel::testing::TempDir dir;
    funnel::ranking::save_lightgbm(model.forest(), dir / "model.txt");
    std::ifstream file(dir / "model.txt");
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    CHECK(text == funnel::testing::lambdamart_model);
    const auto scores = model.forest().score(rows);
    REQUIRE(scores.size() == funnel::testing::lambdamart_scores.size());
    for (std::size_t i = 0; i < scores.size(); ++i) {
        CHECK(scores[i] == funnel::testing::lambdamart_scores[i]);
    }
}

TEST_CASE("LambdaMART: rejects NaN labels, shapes that differ, and options out of range") {
    const Problem problem = random_problem(10, 10);
    const auto message_of = [&](const Problem& given, const LambdaMARTOptions& options) -> std::string {
        try {
            (void)fit(given, options);
        } catch (const InvalidArgument& error) {
            return error.what();
        }
        return "no error";
    };
    Problem wrong = problem;
    wrong.labels[2] = not_a_number;
    CHECK(message_of(wrong, {}) ==
          "LambdaMART::fit: training rows: LambdaRank: the label at position 2 must lie in [0, 512], got nan");
    wrong = problem;
    wrong.labels.pop_back();
    CHECK(message_of(wrong, {}).find("LambdaMART::fit: training rows: LambdaRank: number of labels must be ") == 0);
    wrong = problem;
    wrong.group_sizes.pop_back();
    CHECK(message_of(wrong, {}).find("LambdaMART::fit: training rows: sum of group_sizes must be ") == 0);
    wrong = problem;
    wrong.rows(3, 1) = infinity;
    CHECK(message_of(wrong, {}) == "LambdaMART::fit: a feature of row 3 is infinite");
    CHECK(message_of(problem, {.objective = BoostingObjective::Logloss})
              .find("LambdaMART::fit: training rows: Logloss: the label at position") == 0);
    CHECK(message_of({}, {}) == "LambdaMART::fit: rows must have at least one row and one column");
    CHECK(message_of(problem, {.trees = 0}) == "LambdaMART::fit: trees must be at least 1, got 0");
    CHECK(message_of(problem, {.leaves = 1}) == "LambdaMART::fit: leaves must lie in [2, 65536], got 1");
    CHECK(message_of(problem, {.max_bins = 256}) == "LambdaMART::fit: max_bins must lie in [4, 255], got 256");
    const double nan = std::numeric_limits<double>::quiet_NaN();
    for (const LambdaMARTOptions& options :
         {LambdaMARTOptions{.learning_rate = 0.0}, LambdaMARTOptions{.learning_rate = nan},
          LambdaMARTOptions{.max_depth = 0}, LambdaMARTOptions{.min_rows = 0}, LambdaMARTOptions{.min_hessian = -1.0},
          LambdaMARTOptions{.l2 = nan}, LambdaMARTOptions{.min_gain = -1.0}, LambdaMARTOptions{.row_fraction = 0.0},
          LambdaMARTOptions{.row_fraction = 1.1}, LambdaMARTOptions{.feature_fraction = 0.0},
          LambdaMARTOptions{.lambda_rank = {.truncation = 0}}, LambdaMARTOptions{.lambda_rank = {.sigma = 0.0}},
          LambdaMARTOptions{.patience = 0}, LambdaMARTOptions{.ndcg_at = 0}}) {
        CHECK(message_of(problem, options).find("LambdaMART::fit: ") == 0);
    }
    const auto message_of_rows = [&](const TrainingRows& training, const LambdaMARTOptions& options) -> std::string {
        try {
            (void)LambdaMART::fit(training, options);
        } catch (const InvalidArgument& error) {
            return error.what();
        }
        return "no error";
    };
    const std::size_t n = problem.labels.size();
    std::vector<float> weights(n, 1.0F);
    std::vector<std::uint32_t> positions(n, 0);
    TrainingRows training{problem.rows, problem.labels, problem.group_sizes, weights, positions};
    CHECK(message_of_rows(training, {.trees = 1}) == "no error");
    CHECK(message_of_rows(training, {.objective = BoostingObjective::SquaredError}) ==
          "LambdaMART::fit: positions need a ranking objective");
    CHECK(message_of_rows(training, {.position_bias_l2 = -1.0}).find("LambdaMART::fit: position_bias_l2") == 0);
    positions[1] = static_cast<std::uint32_t>(n);
    CHECK(message_of_rows(training, {}).find("LambdaMART::fit: each position must be") == 0);
    training.positions = training.positions.first(1);
    CHECK(message_of_rows(training, {}).find("LambdaMART::fit: number of positions must be") == 0);
    training.positions = {};
    for (const float bad : {-1.0F, not_a_number, infinity}) {
        weights[0] = bad;
        CHECK(message_of_rows(training, {}).find("LambdaMART::fit: training rows: each weight must be") == 0);
    }
    weights.assign(n, 0.0F);
    CHECK(message_of_rows(training, {}) == "LambdaMART::fit: training rows: at least one weight must be > 0");
    training.weights = training.weights.first(1);
    CHECK(message_of_rows(training, {}).find("LambdaMART::fit: training rows: number of weights must be") == 0);

    const auto validation_message = [&](const Problem& held_out) -> std::string {
        try {
            (void)LambdaMART::fit({problem.rows, problem.labels, problem.group_sizes},
                                  {held_out.rows, held_out.labels, held_out.group_sizes}, {.trees = 1});
        } catch (const InvalidArgument& error) {
            return error.what();
        }
        return "no error";
    };
    CHECK(validation_message(problem) == "no error");
    wrong = problem;
    wrong.labels[3] = -1.0F;
    CHECK(validation_message(wrong).find("LambdaMART::fit: validation rows: LambdaRank: the label at position 3") == 0);
    wrong = problem;
    wrong.labels.pop_back();
    CHECK(validation_message(wrong).find("LambdaMART::fit: validation rows: LambdaRank: number of labels") == 0);
    wrong = problem;
    wrong.group_sizes.pop_back();
    CHECK(validation_message(wrong).find("LambdaMART::fit: validation rows: sum of group_sizes") == 0);
    CHECK_THROWS_WITH_AS((void)LambdaMART::fit({problem.rows, problem.labels, problem.group_sizes},
                                               {problem.rows, problem.labels, problem.group_sizes, weights}),
                         "LambdaMART::fit: validation rows: at least one weight must be > 0", InvalidArgument);

    const Matrix<float> narrow(1, 2);
    const std::vector<float> label{1.0F};
    CHECK_THROWS_AS((void)LambdaMART::fit(problem.rows, problem.labels, problem.group_sizes,
                                          ValidationRows{narrow, label}, LambdaMARTOptions{}),
                    InvalidArgument);
}
