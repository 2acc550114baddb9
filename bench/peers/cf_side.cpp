// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Our side of bench/peers/cf.py: learns the models of cf/, recommends for all users, predicts ratings, and writes what was
// learned to .npy files, so that the other side can compare it with the results of its peers.
#include "support/side.hpp"

#include <funnel/cf/biased_mf.hpp>
#include <funnel/cf/bpr.hpp>
#include <funnel/cf/ease.hpp>
#include <funnel/cf/explicit_als.hpp>
#include <funnel/cf/implicit_als.hpp>
#include <funnel/cf/item_knn.hpp>
#include <funnel/cf/svdpp.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/parallel.hpp>
#include <funnel/core/progress.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/core/sparse.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/io/npy.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace funnel;
using bench::Side;

namespace {

Matrix<std::uint32_t> read_pairs(const Side::Arguments& arguments, const std::string& name) {
    Matrix<std::uint32_t> pairs = io::read_npy<std::uint32_t>(arguments.text(name));
    require(pairs.cols() == 2, "load: pairs must have two columns, user and item");
    return pairs;
}

// `values`: one row, with a value for each pair; without any, all are 1.
data::Interactions read_log(const Side::Arguments& arguments, const Matrix<float>& values = {}) {
    const Matrix<std::uint32_t> pairs = read_pairs(arguments, "pairs");
    const bool has_values = values.rows() > 0;
    require(!has_values || (values.rows() == 1 && values.cols() == pairs.rows()),
            "load: there must be a value per pair");
    std::vector<data::Interaction> rows;
    for (std::size_t row = 0; row < pairs.rows(); ++row) {
        const float value = has_values ? values(0, row) : 1.0F;
        rows.push_back({.user = pairs(row, 0), .item = pairs(row, 1), .value = value});
    }
    return data::Interactions::from_ids(std::move(rows), arguments.number("users"), arguments.number("items"));
}

// alpha0 = 1 and nu = 0: the objective that implicit minimizes, see cf.py.
cf::ImplicitALSOptions als_options(const Side::Arguments& arguments) {
    return {.factors = arguments.number("factors"),
            .lambda = arguments.real("lambda"),
            .alpha0 = 1.0F,
            .nu = 0.0F,
            .iterations = arguments.number("sweeps"),
            .solver = arguments.text("solver") == "CG" ? cf::ALSSolver::ConjugateGradient : cf::ALSSolver::Cholesky};
}

cf::BPROptions bpr_options(const Side::Arguments& arguments) {
    return {.factors = arguments.number("factors"),
            .epochs = arguments.number("epochs"),
            .learning_rate = arguments.real("learning_rate"),
            .regularisation = arguments.real("regularisation")};
}

cf::RatingFactorsOptions rating_options(const Side::Arguments& arguments) {
    return {.factors = arguments.number("factors"),
            .epochs = arguments.number("epochs"),
            .learning_rate = arguments.real("learning_rate"),
            .regularisation = arguments.real("regularisation")};
}

cf::ExplicitALSOptions explicit_als_options(const Side::Arguments& arguments) {
    return {.factors = arguments.number("factors"),
            .lambda = arguments.real("lambda"),
            .iterations = arguments.number("sweeps")};
}

// The time from the first sweep or epoch to the end of the last one, without the set-up before and what follows.
template <class Model>
std::pair<Model, Side::Answer> fit(const data::Interactions& train, const typename Model::Options& options,
                                   std::size_t threads) {
    Threads pool(threads);
    Side::Stopwatch watch;
    Side::Answer time;
    const auto keep_time = [&](const Progress& progress) {
        if (progress.done == 0) {
            watch = {};
        }
        time = watch.read();
    };
    Model model = Model::fit(train, options, Monitored(pool, keep_time));
    return {std::move(model), time};
}

template <class Model>
void write_factors(const Model& model, const Side::Arguments& arguments) {
    io::write_npy(arguments.text("users"), model.user_factors());
    io::write_npy(arguments.text("items"), model.item_factors());
}

// The time of the whole fit, and `epochs_cpu`, the CPU time of the epochs alone. Writes the predicted ratings of the pairs
// to predict.
template <class Model>
Side::Answer fit_ratings(const data::Interactions& ratings, const typename Model::Options& options,
                         const Side::Arguments& arguments) {
    Side::Answer epochs;
    std::optional<Model> model;
    Side::Answer time = Side::timed([&] {
        auto [learned, seconds] = fit<Model>(ratings, options, 1);
        model = std::move(learned);
        epochs = std::move(seconds);
    });
    time["epochs_cpu"] = epochs.at("cpu");
    const Matrix<std::uint32_t> pairs = read_pairs(arguments, "predict");
    Matrix<float> predicted(1, pairs.rows());
    for (std::size_t row = 0; row < pairs.rows(); ++row) {
        predicted(0, row) = model->predict(pairs(row, 0), pairs(row, 1));
    }
    io::write_npy(arguments.text("predicted"), predicted);
    return time;
}

// Times the lists of all users, and writes them: item ids and scores, users x k. Users are independent, so each thread
// takes some of them. A list that is too short ends with the id 2^32 - 1.
template <class Model>
Side::Answer recommend(const Model& model, const Side::Arguments& arguments) {
    const std::size_t k = arguments.number("k");
    Threads pool(arguments.number("threads"));
    std::vector<std::vector<float>> scratch(pool.concurrency(), std::vector<float>(model.items()));
    std::vector<std::vector<Scored<>>> out(pool.concurrency(), std::vector<Scored<>>(k));
    Matrix<std::uint32_t> items(model.users(), k);
    Matrix<float> scores(model.users(), k);
    const Side::Answer time = Side::timed([&] {
        pool.for_range(model.users(), 64, [&](std::size_t begin, std::size_t end, std::size_t worker) {
            for (std::size_t user = begin; user < end; ++user) {
                const auto list = model.recommend(user, {.k = k}, scratch[worker], out[worker]);
                std::fill(items.row(user).begin(), items.row(user).end(), std::numeric_limits<std::uint32_t>::max());
                for (std::size_t i = 0; i < list.size(); ++i) {
                    items(user, i) = list[i].id;
                    scores(user, i) = list[i].score;
                }
            }
        });
    });
    io::write_npy(arguments.text("items"), items);
    io::write_npy(arguments.text("scores"), scores);
    return time;
}

// One row per weight: from, to, and its value in a second file.
void write_sparse(const CSRMatrix<float>& weights, const Side::Arguments& arguments) {
    Matrix<std::uint32_t> pairs(weights.nonzeros(), 2);
    Matrix<float> values(1, weights.nonzeros());
    std::size_t at = 0;
    for (std::size_t from = 0; from < weights.rows(); ++from) {
        const SparseRow<float> row = weights.row(from);
        for (std::size_t i = 0; i < row.size(); ++i, ++at) {
            pairs(at, 0) = static_cast<std::uint32_t>(from);
            pairs(at, 1) = row.columns[i];
            values(0, at) = row.values[i];
        }
    }
    io::write_npy(arguments.text("pairs"), pairs);
    io::write_npy(arguments.text("values"), values);
}

}  // namespace

int main() {
    data::Interactions train;
    data::Interactions ratings;
    std::optional<cf::ImplicitALS> als;
    std::optional<cf::BPR> bpr;
    std::optional<cf::ItemKNN> item_knn;
    std::optional<cf::EASE> ease;

    Side side;
    side.on("load", [&](const Side::Arguments& arguments) -> Side::Answer {
        train = read_log(arguments);
        return {{"rows", static_cast<double>(train.size())}};
    });
    side.on("als", [&](const Side::Arguments& arguments) {
        auto [model, time] = fit<cf::ImplicitALS>(train, als_options(arguments), arguments.number("threads"));
        als = std::move(model);
        return time;
    });
    side.on("als_write", [&](const Side::Arguments& arguments) -> Side::Answer {
        write_factors(als.value(), arguments);
        return {};
    });
    side.on("bpr", [&](const Side::Arguments& arguments) {
        auto [model, time] = fit<cf::BPR>(train, bpr_options(arguments), arguments.number("threads"));
        bpr = std::move(model);
        return time;
    });
    side.on("bpr_write", [&](const Side::Arguments& arguments) -> Side::Answer {
        write_factors(bpr.value(), arguments);
        return {};
    });
    side.on("als_recommend", [&](const Side::Arguments& arguments) { return recommend(als.value(), arguments); });
    side.on("item_knn", [&](const Side::Arguments& arguments) {
        Threads pool(arguments.number("threads"));
        return Side::timed([&] { item_knn = cf::ItemKNN::fit(train, {.neighbours = arguments.number("k")}, pool); });
    });
    side.on("item_knn_write", [&](const Side::Arguments& arguments) -> Side::Answer {
        write_sparse(item_knn.value().weights().matrix(), arguments);
        return {};
    });
    side.on("item_knn_recommend",
            [&](const Side::Arguments& arguments) { return recommend(item_knn.value(), arguments); });
    side.on("ease", [&](const Side::Arguments& arguments) {
        Threads pool(arguments.number("threads"));
        return Side::timed([&] { ease = cf::EASE::fit(train, {.lambda = arguments.real("lambda")}, pool); });
    });
    side.on("ease_write", [&](const Side::Arguments& arguments) -> Side::Answer {
        io::write_npy(arguments.text("weights"), ease.value().weights().matrix());
        return {};
    });
    side.on("load_ratings", [&](const Side::Arguments& arguments) -> Side::Answer {
        ratings = read_log(arguments, io::read_npy<float>(arguments.text("values")));
        return {{"rows", static_cast<double>(ratings.size())}};
    });
    side.on("biased_mf", [&](const Side::Arguments& arguments) {
        return fit_ratings<cf::BiasedMF>(ratings, rating_options(arguments), arguments);
    });
    side.on("svdpp", [&](const Side::Arguments& arguments) {
        return fit_ratings<cf::SVDpp>(ratings, rating_options(arguments), arguments);
    });
    side.on("explicit_als", [&](const Side::Arguments& arguments) {
        return fit_ratings<cf::ExplicitALS>(ratings, explicit_als_options(arguments), arguments);
    });
    return side.serve();
}
