// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// funnel's side of bench/peers/forest.py: loads forests of other libraries and scores rows with them, and trains LambdaMART.

#include "support/bench.hpp"
#include "support/side.hpp"

#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/io/npy.hpp>
#include <funnel/ranking/catboost.hpp>
#include <funnel/ranking/forest.hpp>
#include <funnel/ranking/hist_gradient_boosting.hpp>
#include <funnel/ranking/lambdamart.hpp>
#include <funnel/ranking/lightgbm.hpp>
#include <funnel/ranking/xgboost.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

using namespace funnel;
using bench::Side;

namespace {

using Loader = ranking::Forest (*)(const std::string&);
const std::map<std::string, Loader> loaders = {{"catboost", &ranking::load_catboost},
                                               {"lightgbm", &ranking::load_lightgbm},
                                               {"scikit-learn", &ranking::load_hist_gradient_boosting},
                                               {"xgboost", &ranking::load_xgboost}};

const std::map<std::string, ranking::BoostingObjective> objectives = {
    {"lambdarank", ranking::BoostingObjective::LambdaRank}, {"rank_xendcg", ranking::BoostingObjective::XENDCG}};

std::vector<float> values(const std::string& path) {
    const Matrix<float> row = io::read_npy<float>(path);
    require(row.rows() == 1, "an array of one row is needed");
    return {row.row(0).begin(), row.row(0).end()};
}

// Scores all rows `times` times, in calls of `per_call` rows. Returns the time of one of these times.
Side::Answer score(const ranking::Forest& forest, const Matrix<float>& rows, std::size_t per_call, std::size_t times,
                   std::vector<double>& scores) {
    scores.resize(rows.rows() * forest.outputs());
    auto scratch = forest.scratch();
    Side::Answer time = Side::timed([&] {
        for (std::size_t t = 0; t < times; ++t) {
            for (std::size_t begin = 0; begin < rows.rows(); begin += per_call) {
                const std::size_t n = std::min(per_call, rows.rows() - begin);
                const auto out = std::span(scores).subspan(begin * forest.outputs(), n * forest.outputs());
                bench::keep(forest.score(rows.view().rows_from(begin, n), scratch, out));
            }
        }
    });
    for (auto& [clock, seconds] : time) {
        seconds /= static_cast<double>(times);
    }
    return time;
}

}  // namespace

int main() {
    Side side;
    ranking::Forest forest;
    Matrix<float> rows;
    std::vector<double> scores;
    std::vector<double> biases;

    side.on("load", [&](const Side::Arguments& arguments) {
        const Loader load = loaders.at(arguments.text("format"));
        const std::string& path = arguments.text("path");
        return Side::timed([&] { forest = load(path); });
    });
    side.on("rows", [&](const Side::Arguments& arguments) -> Side::Answer {
        rows = io::read_npy<float>(arguments.text("path"));
        return {{"rows", static_cast<double>(rows.rows())}};
    });
    side.on("score", [&](const Side::Arguments& arguments) {
        return score(forest, rows, arguments.number("per_call"), arguments.number("times"), scores);
    });
    side.on("write", [&](const Side::Arguments& arguments) -> Side::Answer {
        Matrix<double> all(rows.rows(), forest.outputs());
        for (std::size_t i = 0; i < all.rows(); ++i) {
            std::copy_n(scores.begin() + static_cast<std::ptrdiff_t>(i * all.cols()), all.cols(), all.row(i).begin());
        }
        io::write_npy(arguments.text("path"), all);
        return {};
    });
    side.on("train", [&](const Side::Arguments& arguments) {
        const Matrix<float> train = io::read_npy<float>(arguments.text("rows"));
        const std::vector<float> labels = values(arguments.text("labels"));
        std::vector<std::uint32_t> positions;
        if (!arguments.text("positions").empty()) {
            for (const float position : values(arguments.text("positions"))) {
                positions.push_back(static_cast<std::uint32_t>(position));
            }
        }
        const std::size_t list = arguments.number("list");
        const std::vector<std::size_t> lists(train.rows() / list, list);
        return Side::timed([&] {
            auto model = ranking::LambdaMART::fit({train, labels, lists, {}, positions},
                                                  {.objective = objectives.at(arguments.text("objective")),
                                                   .trees = arguments.number("trees"),
                                                   .leaves = arguments.number("leaves"),
                                                   .learning_rate = std::stod(arguments.text("learning_rate")),
                                                   .min_rows = arguments.number("min_rows")});
            biases.assign(model.position_biases().begin(), model.position_biases().end());
            forest = std::move(model).forest();
        });
    });
    side.on("biases", [&](const Side::Arguments& arguments) -> Side::Answer {
        io::write_npy(arguments.text("path"), MatrixView<const double>(biases, 1, biases.size()));
        return {};
    });
    side.on("save", [&](const Side::Arguments& arguments) -> Side::Answer {
        ranking::save_lightgbm(forest, arguments.text("path"));
        return {};
    });
    return side.serve();
}
