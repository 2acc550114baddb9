// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "nn/all_layers.hpp"
#include "nn/gradient_check.hpp"
#include "nn/layer_checks.hpp"
#include "nn/loss_checks.hpp"
#include "support/temp_dir.hpp"

#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/io/safetensors.hpp>
#include <funnel/nn/listwise_losses.hpp>
#include <funnel/nn/pairwise_losses.hpp>
#include <funnel/nn/pointwise_losses.hpp>
#include <funnel/nn/sampled_losses.hpp>
#include <funnel/nn/softmax_losses.hpp>
#include <funnel/nn/tower.hpp>
#include <funnel/nn/weights.hpp>
#include <funnel/ranking/task_losses.hpp>
#include <funnel/ranking/watch_time.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

using funnel::Matrix;
using funnel::MatrixView;
using funnel::kernels::Scalar;
using namespace funnel::nn;
using namespace funnel::testing;

namespace {

// The largest difference between two gradients, relative to the largest number of the second one.
double relative_error(const std::vector<double>& found, const std::vector<double>& expected) {
    REQUIRE(found.size() == expected.size());
    double largest = 0.0;
    double error = 0.0;
    for (std::size_t i = 0; i < found.size(); ++i) {
        largest = std::max(largest, std::abs(expected[i]));
        error = std::max(error, std::abs(found[i] - expected[i]));
    }
    REQUIRE(largest > 0.0);
    return error / largest;
}

template <class L>
double loss_error(const L& kind) {
    LossSample sample(2);
    if (std::string(L::name) == "Logloss") {
        std::replace(sample.labels.begin(), sample.labels.end(), 2.0F, 1.0F);
    }
    const auto run = [&] { return loss(kind, sample.scores, sample.labels, sample.group_sizes); };
    const auto gradient = run().gradient;
    return relative_error(gradient, central_differences(sample.scores, [&] { return run().value; }));
}

// Two inputs and their gradients: a loss reads and writes them itself.
template <class Value>
double pair_error(std::vector<double>& a, std::vector<double>& b, const std::vector<double>& da,
                  const std::vector<double>& db, const Value& value) {
    static_cast<void>(value());
    const std::vector<double> found_a = da;
    const std::vector<double> found_b = db;
    return std::max(relative_error(found_a, central_differences(a, value)),
                    relative_error(found_b, central_differences(b, value)));
}

template <class Loss>
double sampled_error(const Loss& kind) {
    std::vector<double> positives = sines(4, 1.0, 2.0);
    std::vector<double> negatives = sines(12, 2.5, 2.0);
    std::vector<double> up(4);
    std::vector<double> down(12);
    return pair_error(positives, negatives, up, down, [&] {
        return kind(SampledScores<double>{
            .positives = positives, .negatives = {negatives, 4, 3}, .d_positives = up, .d_negatives = {down, 4, 3}});
    });
}

template <class Loss>
double two_sides_error(const Loss& kind) {
    std::vector<double> a = sines(12, 1.0);
    std::vector<double> b = sines(12, 2.5);
    std::vector<double> da(12);
    std::vector<double> db(12);
    InBatchScratch<double> scratch;
    return pair_error(a, b, da, db, [&] {
        return kind(MatrixView<const double>(a, 4, 3), MatrixView<const double>(b, 4, 3), scratch,
                    MatrixView<double>(da, 4, 3), MatrixView<double>(db, 4, 3));
    });
}

template <class Loss>
double scores_error(const Loss& kind) {
    std::vector<double> scores = sines(12, 1.0, 2.0);
    std::vector<double> slopes(12);
    const auto value = [&] { return kind(scores, slopes); };
    static_cast<void>(value());
    const std::vector<double> found = slopes;
    return relative_error(found, central_differences(scores, value));
}

// A loss of rankers with several logits per row.
template <class Loss>
double row_loss_error(const std::vector<float>& labels, std::size_t columns) {
    const std::size_t rows = labels.size() / columns;
    std::vector<double> logits = sines(rows * 2, 1.0, 3.0);
    std::vector<double> slopes(rows * 2);
    const auto value = [&] {
        return Loss{}(MatrixView<const double>(logits, rows, 2), MatrixView<const float>(labels, rows, columns),
                      MatrixView<double>(slopes, rows, 2));
    };
    static_cast<void>(value());
    const std::vector<double> found = slopes;
    return relative_error(found, central_differences(logits, value));
}

// The worst relative error of each layer, by name.
std::map<std::string, double> layer_table() {
    std::map<std::string, double> table;
    each_layer([&]<class L>(const auto& prepare) {
        double& worst = table[L::name];
        for (const std::uint64_t seed : {1U, 2U, 3U}) {
            worst = std::max(worst, gradient_error<L>(5, seed, prepare));
        }
    });
    return table;
}

std::map<std::string, double> loss_table() {
    const std::vector<double> log_q{-1.0, -2.0, -3.0, -1.5};
    const std::vector<std::uint32_t> targets{2, 0, 1};
    const std::vector<double> teacher = sines(12, 0.0, 3.0);
    const auto full = [&](std::vector<double>& scores, std::vector<double>& slopes) {
        return cross_entropy<Scalar, double>({scores, 3, 4}, targets, {slopes, 3, 4}, {.smoothing = 0.1});
    };
    const auto distil = [&](std::vector<double>& scores, std::vector<double>& slopes) {
        return distillation_loss<double>(teacher, scores, 2.0, slopes);
    };
    const auto in_batch = [&](auto users, auto items, auto& scratch, auto du, auto dv) {
        return in_batch_softmax<Scalar, double>({.users = users, .items = items, .log_q = log_q, .item_ids = {}},
                                                {.temperature = 0.5}, scratch, du, dv);
    };
    const auto nce = [](auto a, auto b, auto& scratch, auto da, auto db) {
        return info_nce<Scalar, double>(a, b, {.temperature = 0.7}, scratch, da, db);
    };
    return {{"SquaredError", loss_error(SquaredError{})},
            {"Logloss", loss_error(Logloss{})},
            {"RankNet", loss_error(RankNet{})},
            {"LambdaRank", loss_error(LambdaRank{.normalize = false})},
            {"ListNet", loss_error(ListNet{})},
            {"XENDCG", loss_error(XENDCG{})},
            {"ListMLE", loss_error(ListMLE{})},
            {"ApproxNDCG", loss_error(ApproxNDCG{.temperature = 0.5})},
            {"bpr_loss", sampled_error([](const auto& scores) { return bpr_loss(scores); })},
            {"sampled_softmax_loss", sampled_error([](const auto& scores) { return sampled_softmax_loss(scores); })},
            {"gbce_loss", sampled_error([](const auto& scores) { return gbce_loss(scores, {.items = 100}); })},
            {"distillation_loss", scores_error(distil)},
            {"cross_entropy", scores_error(full)},
            {"in_batch_softmax", two_sides_error(in_batch)},
            {"info_nce", two_sides_error(nce)}};
}

std::map<std::string, double> ranking_loss_table() {
    using namespace funnel::ranking;
    const std::vector<float> binary{1, 0, 0, 1, 1, 1, 0, 0};
    const std::vector<float> soft{0, 0.2F, 1, 0.5F, 0.9F, 0.1F, 0.3F, 0.7F};
    const std::vector<float> bought{1, 0, 0, 0, 1, 1, 0, 0};  // no purchase without a click
    const std::vector<float> times{0, 1.5F, 3, 0, 0.25F, 0, 7, 1};
    return {{"LoglossPerTask", row_loss_error<LoglossPerTask>(binary, 2)},
            {"SoftLoglossPerTask", row_loss_error<SoftLoglossPerTask>(soft, 2)},
            {"ESMMLoss", row_loss_error<ESMMLoss>(bought, 2)},
            {"PALLoss", row_loss_error<PALLoss>(binary, 1)},
            {"WatchTimeLoss", row_loss_error<WatchTimeLoss>(times, 2)},
            {"ExactWatchTimeLoss", row_loss_error<ExactWatchTimeLoss>(times, 2)}};
}

// What follows `before` and precedes `after` on the lines of the headers of a folder; `is_read` chooses headers.
template <class IsRead>
std::set<std::string> found_in_headers(const std::string& before, char after, const IsRead& is_read,
                                       const std::string& of = "nn") {
    const auto folder = std::filesystem::path(__FILE__).parent_path() / "../../include/funnel" / of;
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        if (entry.path().extension() != ".hpp" || !is_read(entry.path().filename().string())) {
            continue;
        }
        std::ifstream file(entry.path());
        for (std::string line; std::getline(file, line);) {
            const std::size_t start = line.find(before);
            const std::size_t end = start == std::string::npos ? start : line.find(after, start + before.size());
            if (end != std::string::npos) {
                names.insert(line.substr(start + before.size(), end - start - before.size()));
            }
        }
    }
    return names;
}

bool holds_losses(const std::string& header) {
    return header.ends_with("_losses.hpp");
}

std::string missing(const std::set<std::string>& expected, const std::map<std::string, double>& table) {
    std::string names;
    for (const std::string& name : expected) {
        names += table.count(name) == 0 ? name + " " : "";
    }
    return names;
}

void check_table(const char* title, const std::map<std::string, double>& table) {
    std::ostringstream text;
    text.precision(1);
    text << title << "\n" << std::scientific;
    for (const auto& row : table) {
        text << "    " << row.second << "  " << row.first << "\n";
        CAPTURE(row.first);
        CHECK(row.second < 1e-6);
    }
    MESSAGE(text.str());
}

}  // namespace

TEST_CASE("gradients of every layer: the worst relative error in double is below 1e-6") {
    const auto table = layer_table();
    const std::set<std::string> optimisers{"Adam", "AdamW", "SGD", "Adagrad", "RowAdagrad", "FTRL"};
    auto names =
        found_in_headers("const char* name = \"", '"', [](const auto& header) { return !holds_losses(header); });
    for (const std::string& name : optimisers) {
        names.erase(name);
    }
    CHECK(names.size() > 25);
    CHECK(missing(names, table) == "");
    check_table("largest error of the gradients of layers, relative to the largest gradient", table);
}

TEST_CASE("gradients of every loss: the worst relative error in double is below 1e-6") {
    const auto table = loss_table();
    CHECK(missing(found_in_headers("const char* name = \"", '"', holds_losses), table) == "");
    auto functions = found_in_headers("double ", '(', holds_losses);
    std::set<std::string> losses;
    for (const std::string& name : functions) {
        if (name.ends_with("_loss") || name == "info_nce" || name == "in_batch_softmax" || name == "cross_entropy") {
            losses.insert(name);
        }
    }
    CHECK(losses.size() > 5);
    CHECK(missing(losses, table) == "");
    check_table("largest error of the gradients of losses, relative to the largest gradient", table);
}

TEST_CASE("gradients of every loss of rankers: the worst relative error in double is below 1e-6") {
    const auto table = ranking_loss_table();
    std::set<std::string> losses;
    for (const std::string& name : found_in_headers("struct ", ' ', [](const auto&) { return true; }, "ranking")) {
        if (name.ends_with("Loss") || name.ends_with("LoglossPerTask")) {
            losses.insert(name);
        }
    }
    losses.erase("CatBoostLoss");  // what a file says
    CHECK(losses.size() == table.size());
    CHECK(missing(losses, table) == "");
    check_table("largest error of the gradients of losses of rankers, relative to the largest gradient", table);
}

TEST_CASE("every layer: weights are saved and loaded by name, and the whole tower too") {
    const TempDir dir;
    each_layer([&]<class L>(const auto&) {
        CAPTURE(L::name);
        Tower<L> tower(3);
        for (float& number : tower.statistics()) {
            number += 0.5F;  // not those of the start
        }
        std::size_t named = 0;
        std::set<std::string> names;
        each_tensor<L>([&](const std::string& name, const LayerTensor& tensor, std::size_t) {
            named += tensor.size();
            CHECK(names.insert(name).second);
        });
        CHECK(named == L::parameters + L::statistics);
        const auto is_same = [&](const Tower<L>& other) {
            return std::ranges::equal(other.parameters(), tower.parameters()) &&
                   std::ranges::equal(other.statistics(), tower.statistics());
        };
        tower.save(dir / "tower");
        CHECK(is_same(Tower<L>::load(dir / "tower")));
        save_weights(tower, dir / "weights");
        const auto file = funnel::io::Safetensors::read(dir / "weights");
        CHECK(file.tensors().size() == names.size());
        Tower<L> loaded(4);
        load_weights(loaded, file);
        CHECK(is_same(loaded));
    });
}

TEST_CASE("layers inside layers: names count positions, as those of PyTorch's modules") {
    std::vector<std::string> names;
    using Network = Sequential<Parallel<Dense<2, 3>, CrossNetwork<2, 2>>,
                               Residual<Sequential<Dense<5, 5>, BatchNorm<5>>>, PReLU<5>>;
    std::vector<std::size_t> places;
    each_tensor<Network>([&](const std::string& name, const LayerTensor&, std::size_t first) {
        names.push_back(name);
        places.push_back(first);
    });
    CHECK(names == std::vector<std::string>{"0.0.weight", "0.0.bias", "0.1.kernels.0", "0.1.bias.0", "0.1.kernels.1",
                                            "0.1.bias.1", "1.layer.0.weight", "1.layer.0.bias", "1.layer.1.weight",
                                            "1.layer.1.bias", "1.layer.1.running_mean", "1.layer.1.running_var",
                                            "2.weight"});
    CHECK(places == std::vector<std::size_t>{0, 6, 9, 13, 15, 19, 21, 46, 51, 56, 0, 5, 61});
}

TEST_CASE("Tower: a negative variance inside another layer is rejected") {
    using Inside = Tower<Residual<Sequential<Dense<2, 2>, Dice<2>>>>;
    const TempDir dir;
    Inside tower(1);
    tower.statistics()[3] = -1.0F;
    CHECK(!tower.has_valid_variances());
    tower.save(dir / "a");
    CHECK_THROWS_AS(static_cast<void>(Inside::load(dir / "a")), funnel::CorruptData);
    save_weights(tower, dir / "b");
    CHECK_THROWS_AS(load_weights(tower, funnel::io::Safetensors::read(dir / "b")), funnel::CorruptData);
}
