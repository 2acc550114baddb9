// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// funnel's side of bench/peers/metrics.py: all ranking metrics of many lists in one pass, and metrics of scores.

#include "support/bench.hpp"
#include "support/side.hpp"

#include <funnel/core/matrix.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/io/npy.hpp>
#include <funnel/metrics/auc.hpp>
#include <funnel/metrics/average_precision.hpp>
#include <funnel/metrics/evaluate.hpp>
#include <funnel/metrics/ground_truth.hpp>
#include <funnel/metrics/list_evaluation.hpp>
#include <funnel/metrics/ndcg.hpp>
#include <funnel/metrics/report.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

using namespace funnel;
using bench::Side;

namespace {

const std::vector<std::size_t> cutoffs{10, 20, 50, 100};  // as in metrics.py

// The figures that ranx has as well, in the order of metrics.py.
std::vector<std::string> compared_figures() {
    std::vector<std::string> figures;
    for (const std::size_t k : cutoffs) {
        for (const char* name : {"ndcg", "mrr", "recall", "precision", "hit_rate"}) {
            figures.push_back(std::string(name) + '@' + std::to_string(k));
        }
    }
    figures.insert(figures.end(), {"map@100", "rbp@100"});
    return figures;
}

struct Request {
    std::size_t k;
};

/// Lists that were computed before, as a model.
struct Lists {
    Matrix<Scored<>> of_user;

    [[nodiscard]] std::span<const Scored<>> recommend(std::size_t user, const Request& request) const {
        return of_user.row(user).first(std::min(request.k, of_user.cols()));
    }
};

/// What metrics::evaluate() takes, made from arrays of ids.
struct Task {
    Lists lists;
    data::Interactions train;  // empty: all users are new
    data::Interactions test;

    Task(const Matrix<std::uint32_t>& ids, const Matrix<std::uint32_t>& relevant, std::size_t items) {
        lists.of_user = Matrix<Scored<>>(ids.rows(), ids.cols());
        for (std::size_t user = 0; user < ids.rows(); ++user) {
            for (std::size_t i = 0; i < ids.cols(); ++i) {
                lists.of_user(user, i) = {ids(user, i), static_cast<float>(ids.cols() - i)};
            }
        }
        std::vector<data::Interaction> rows(relevant.rows());
        for (std::size_t row = 0; row < rows.size(); ++row) {
            rows[row] = {.user = relevant(row, 0), .item = relevant(row, 1)};
        }
        train = data::Interactions::from_ids({}, ids.rows(), items);
        test = data::Interactions::from_ids(std::move(rows), ids.rows(), items);
    }
};

}  // namespace

int main() {
    Side side;
    Matrix<std::uint32_t> ids;
    Matrix<std::uint32_t> relevant;
    std::size_t items = 0;
    std::optional<Task> task;
    std::optional<metrics::GroundTruth> truth;
    metrics::Report report;

    side.on("load", [&](const Side::Arguments& arguments) -> Side::Answer {
        ids = io::read_npy<std::uint32_t>(arguments.text("lists"));
        relevant = io::read_npy<std::uint32_t>(arguments.text("relevant"));
        items = arguments.number("items");
        task.emplace(ids, relevant, items);
        truth.emplace(task->train, task->test);
        return {{"users", static_cast<double>(truth->size())}};
    });
    side.on("metrics", [&](const Side::Arguments&) {
        return Side::timed([&] {
            metrics::detail::ListEvaluation lists(*truth, cutoffs, {.has_threads = false});
            auto scratch = lists.scratch();
            for (std::size_t position = 0; position < truth->size(); ++position) {
                lists.add(position, task->lists.of_user.row(truth->user_ids()[position]), scratch);
            }
            report = std::move(lists).report();
        });
    });
    side.on("convert_and_evaluate", [&](const Side::Arguments&) {
        return Side::timed([&] {
            const Task converted(ids, relevant, items);
            report = metrics::evaluate(converted.lists, converted.train, converted.test, {.cutoffs = cutoffs});
        });
    });
    side.on("results", [&](const Side::Arguments& arguments) -> Side::Answer {
        const std::vector<std::string> figures = compared_figures();
        Matrix<double> values(figures.size(), report.user_ids().size());
        for (std::size_t figure = 0; figure < values.rows(); ++figure) {
            const auto of_users = report.per_user(figures[figure]);
            std::copy(of_users.begin(), of_users.end(), values.row(figure).begin());
        }
        io::write_npy(arguments.text("path"), values);
        return {};
    });

    Matrix<float> labels;
    Matrix<float> scores;
    std::size_t k = 0;
    Matrix<double> of_scores;  // one row: a value per user
    side.on("load_scores", [&](const Side::Arguments& arguments) -> Side::Answer {
        labels = io::read_npy<float>(arguments.text("labels"));
        scores = io::read_npy<float>(arguments.text("scores"));
        k = arguments.number("k");
        of_scores = Matrix<double>(1, labels.rows());
        return {};
    });
    const auto for_each_user = [&](const auto& value_of) {
        return Side::timed([&] {
            for (std::size_t user = 0; user < labels.rows(); ++user) {
                of_scores(0, user) = value_of(user);
            }
        });
    };
    // Labels from the highest score down.
    std::vector<Scored<>> order;
    std::vector<float> shown;
    const auto in_order = [&](std::size_t user) -> std::span<const float> {
        order.resize(labels.cols());
        shown.resize(labels.cols());
        for (std::uint32_t i = 0; i < order.size(); ++i) {
            order[i] = {i, scores(user, i)};
        }
        std::sort(order.begin(), order.end(), ranks_before);
        std::transform(order.begin(), order.end(), shown.begin(),
                       [&](const Scored<>& entry) { return labels(user, entry.id); });
        return shown;
    };
    side.on("ndcg_of_scores", [&](const Side::Arguments&) {
        return for_each_user(
            [&](std::size_t user) { return metrics::ndcg(in_order(user), labels.row(user), {.k = k}); });
    });
    side.on("auc_of_scores", [&](const Side::Arguments&) {
        return for_each_user([&](std::size_t user) { return metrics::auc(scores.row(user), labels.row(user)); });
    });
    side.on("ap_of_scores", [&](const Side::Arguments&) {
        const metrics::AveragePrecisionOptions uncut{.k = labels.cols()};
        return for_each_user(
            [&](std::size_t user) { return metrics::average_precision(in_order(user), labels.row(user), uncut); });
    });
    side.on("results_of_scores", [&](const Side::Arguments& arguments) -> Side::Answer {
        io::write_npy(arguments.text("path"), of_scores);
        return {};
    });
    return side.serve();
}
