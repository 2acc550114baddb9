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

constexpr std::array metric_names{"ndcg", "mrr", "map", "recall", "precision", "hit_rate"};

/// Lists that were computed before, as a model.
struct Lists {
    Matrix<Scored<>> of_user;

    [[nodiscard]] std::span<const Scored<>> recommend(std::size_t user, const auto& options) const {
        return of_user.row(user).first(std::min(options.k, of_user.cols()));
    }
};

struct Task {
    Lists lists;
    data::Interactions train;  // empty: all users are new
    data::Interactions test;
    std::size_t k;

    Task(const std::string& items_of_lists, const std::string& relevant, std::size_t items) {
        const Matrix<std::uint32_t> ids = io::read_npy<std::uint32_t>(items_of_lists);
        k = ids.cols();
        lists.of_user = Matrix<Scored<>>(ids.rows(), k);
        for (std::size_t user = 0; user < ids.rows(); ++user) {
            for (std::size_t i = 0; i < k; ++i) {
                lists.of_user(user, i) = {ids(user, i), static_cast<float>(k - i)};
            }
        }
        const Matrix<std::uint32_t> pairs = io::read_npy<std::uint32_t>(relevant);
        std::vector<data::Interaction> rows(pairs.rows());
        for (std::size_t row = 0; row < rows.size(); ++row) {
            rows[row] = {.user = pairs(row, 0), .item = pairs(row, 1)};
        }
        train = data::Interactions::from_ids({}, ids.rows(), items);
        test = data::Interactions::from_ids(std::move(rows), ids.rows(), items);
    }
};

}  // namespace

int main() {
    Side side;
    std::optional<Task> task;
    std::optional<metrics::GroundTruth> truth;
    metrics::Report report;

    side.on("load", [&](const Side::Arguments& arguments) -> Side::Answer {
        task.emplace(arguments.text("lists"), arguments.text("relevant"), arguments.number("items"));
        truth.emplace(task->train, task->test);
        return {{"users", static_cast<double>(truth->size())}};
    });
    // From the relevant items of each user and the lists.
    side.on("metrics", [&](const Side::Arguments&) {
        return Side::timed([&] {
            metrics::detail::ListEvaluation lists(*truth, {task->k});
            std::vector<unsigned char> marks(truth->items());
            for (std::size_t position = 0; position < truth->size(); ++position) {
                lists.add(position, task->lists.of_user.row(truth->user_ids()[position]), marks);
            }
            report = std::move(lists).report();
        });
    });
    // From the log and the lists.
    side.on("evaluate", [&](const Side::Arguments&) {
        return Side::timed(
            [&] { report = metrics::evaluate(task->lists, task->train, task->test, {.cutoffs = {task->k}}); });
    });
    side.on("results", [&](const Side::Arguments& arguments) -> Side::Answer {
        Matrix<double> values(metric_names.size(), report.user_ids().size());
        for (std::size_t metric = 0; metric < values.rows(); ++metric) {
            const auto of_users = report.per_user(std::string(metric_names[metric]) + "@" + std::to_string(task->k));
            std::copy(of_users.begin(), of_users.end(), values.row(metric).begin());
        }
        io::write_npy(arguments.text("path"), values);
        return {};
    });
    return side.serve();
}
