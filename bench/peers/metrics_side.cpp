// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// funnel's side of bench/peers/metrics.py: all ranking metrics of many lists in one pass.

#include "support/bench.hpp"
#include "support/side.hpp"

#include <funnel/core/matrix.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/io/npy.hpp>
#include <funnel/metrics/evaluate.hpp>
#include <funnel/metrics/ground_truth.hpp>
#include <funnel/metrics/list_evaluation.hpp>
#include <funnel/metrics/report.hpp>

#include <algorithm>
#include <array>
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

constexpr std::array metric_names{"ndcg", "mrr", "map", "recall", "precision", "hit_rate", "rbp"};

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
            metrics::detail::ListEvaluation lists(*truth, {ids.cols()});
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
            report = metrics::evaluate(converted.lists, converted.train, converted.test, {.cutoffs = {ids.cols()}});
        });
    });
    side.on("results", [&](const Side::Arguments& arguments) -> Side::Answer {
        Matrix<double> values(metric_names.size(), report.user_ids().size());
        for (std::size_t metric = 0; metric < values.rows(); ++metric) {
            const auto of_users = report.per_user(std::string(metric_names[metric]) + "@" + std::to_string(ids.cols()));
            std::copy(of_users.begin(), of_users.end(), values.row(metric).begin());
        }
        io::write_npy(arguments.text("path"), values);
        return {};
    });
    return side.serve();
}
