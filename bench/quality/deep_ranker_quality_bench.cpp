// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// The table of the page about deep rankers: logloss and AUC of linear, factorization and deep rankers that predict whether a
// user likes a film. All figures are the same in every run.
//
//   deep_ranker_quality_bench [JSON]    needs MovieLens-100K: ./dev data ml-100k
//
// Protocol: a rating of 4 or 5 is a like. Each user's rows are ordered by time, then by item; the last tenth is for the test,
// the tenth before for validation. All models have the same fields and dense features; DIN also has the films that the user
// liked before. The number of epochs is the one with the best validation logloss, for each seed. None is trained again on
// the validation rows.
#include "support/bench.hpp"

#include <funnel/core/matrix.hpp>
#include <funnel/core/sparse.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/data/item_metadata.hpp>
#include <funnel/data/read_interactions.hpp>
#include <funnel/data/read_item_metadata.hpp>
#include <funnel/data/read_user_metadata.hpp>
#include <funnel/metrics/auc.hpp>
#include <funnel/nn/embedding_bag.hpp>
#include <funnel/nn/mlp.hpp>
#include <funnel/ranking/deep_rankers.hpp>
#include <funnel/ranking/din.hpp>
#include <funnel/ranking/ffm.hpp>
#include <funnel/ranking/fm.hpp>
#include <funnel/ranking/logistic_regression.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

using namespace funnel;

namespace {

constexpr const char* movielens = "build/data/ml-100k/ml-100k.inter";
constexpr std::size_t most_history = 50;  // likes

// The user, gender, occupation, age in decades; the film, its first genre, its decade. Dense: how active the user is; how
// often the film was rated, and its year.
using Schema = ranking::Fields<4, 3, 8, 1, 2>;

struct Rows {
    std::vector<std::array<std::uint32_t, Schema::fields>> ids;
    std::vector<std::array<float, Schema::dense>> dense;
    std::vector<float> labels;
    std::vector<std::uint32_t> history;
    std::vector<std::size_t> starts{0};
    Matrix<std::uint32_t> id_matrix;
    Matrix<float> dense_matrix;
    CSRMatrix<float> sparse;  // ids in one-hot form, then the dense features

    void finish(const std::array<std::size_t, Schema::fields + 1>& first) {
        id_matrix = Matrix<std::uint32_t>(ids.size(), Schema::fields);
        dense_matrix = Matrix<float>(ids.size(), Schema::dense);
        std::vector<Triplet<float>> entries;
        for (std::size_t i = 0; i < ids.size(); ++i) {
            const auto row = static_cast<std::uint32_t>(i);
            for (std::size_t f = 0; f < Schema::fields; ++f) {
                id_matrix(i, f) = ids[i][f];
                entries.push_back({row, static_cast<std::uint32_t>(first[f] + ids[i][f]), 1.0F});
            }
            for (std::size_t k = 0; k < Schema::dense; ++k) {
                dense_matrix(i, k) = dense[i][k];
                entries.push_back({row, static_cast<std::uint32_t>(first.back() + k), dense[i][k]});
            }
        }
        sparse = CSRMatrix<float>(entries, ids.size(), first.back() + Schema::dense);
    }

    [[nodiscard]] ranking::FieldRows fields() const { return {.ids = id_matrix, .dense = dense_matrix}; }
    [[nodiscard]] nn::Bags histories() const { return {.ids = history, .starts = starts}; }
};

// Numbers for the values of a field, in the order in which they come.
class Values {
public:
    std::uint32_t operator()(const std::string& value) {
        return numbers_.try_emplace(value, static_cast<std::uint32_t>(numbers_.size())).first->second;
    }
    [[nodiscard]] std::size_t size() const { return numbers_.size(); }

private:
    std::map<std::string, std::uint32_t> numbers_;
};

struct Parts {
    Rows train;
    Rows valid;
    Rows test;
    std::vector<std::uint32_t> field_of_feature;  // of the sparse form
};

Parts read_parts() {
    const data::Interactions log = data::read_interactions(movielens);
    const std::filesystem::path path(movielens);
    const auto films = data::read_item_metadata(std::filesystem::path(path).replace_extension(".item"), log);
    const auto people = data::read_user_metadata(std::filesystem::path(path).replace_extension(".user").string(), log);

    std::vector<std::vector<data::Interaction>> of_user(log.users());
    for (const data::Interaction& row : log) {
        of_user[row.user].push_back(row);
    }
    const auto train_size = [](std::size_t n) { return n - 2 * (n / 10); };
    std::vector<float> seen(log.items());
    for (auto& rows : of_user) {
        std::sort(rows.begin(), rows.end(),
                  [](const auto& a, const auto& b) { return std::pair(a.time, a.item) < std::pair(b.time, b.item); });
        for (std::size_t i = 0; i < train_size(rows.size()); ++i) {
            seen[rows[i].item] += 1.0F;
        }
    }

    Parts parts;
    Values genders;
    Values occupations;
    Values ages;
    Values genres;
    Values decades;
    for (std::uint32_t user = 0; user < log.users(); ++user) {
        const auto& rows = of_user[user];
        const std::size_t trained = train_size(rows.size());
        const std::uint32_t gender = genders(people[user].gender);
        const std::uint32_t occupation = occupations(people[user].occupation);
        const std::uint32_t age = ages(people[user].age.substr(0, 1));
        const float activity = std::log(static_cast<float>(trained)) - 4.0F;
        std::vector<std::uint32_t> likes;
        for (std::size_t i = 0; i < rows.size(); ++i) {
            const std::uint32_t item = rows[i].item;
            Rows& part = i < trained ? parts.train : i < trained + rows.size() / 10 ? parts.valid : parts.test;
            const data::ItemInfo& film = films[item];
            const int year = film.year.value_or(1990);
            const std::string genre = film.genres.empty() ? "" : std::to_string(film.genres.front());
            part.ids.push_back(
                {user, gender, occupation, age, item, genres(genre), decades(std::to_string(year / 10))});
            part.dense.push_back(
                {activity, 0.5F * (std::log1p(seen[item]) - 4.0F), static_cast<float>(year - 1990) / 20.0F});
            const std::size_t kept = std::min(most_history, likes.size());
            part.history.insert(part.history.end(), likes.end() - static_cast<std::ptrdiff_t>(kept), likes.end());
            part.starts.push_back(part.history.size());
            const bool is_like = rows[i].value >= 4.0F;
            part.labels.push_back(is_like ? 1.0F : 0.0F);
            if (is_like) {
                likes.push_back(item);
            }
        }
    }
    const std::array<std::size_t, Schema::fields> sizes{log.users(), genders.size(), occupations.size(), ages.size(),
                                                        log.items(), genres.size(),  decades.size()};
    std::array<std::size_t, Schema::fields + 1> first{};
    for (std::size_t f = 0; f < Schema::fields; ++f) {
        first[f + 1] = first[f] + sizes[f];
        parts.field_of_feature.insert(parts.field_of_feature.end(), sizes[f], static_cast<std::uint32_t>(f));
    }
    for (std::size_t k = 0; k < Schema::dense; ++k) {
        parts.field_of_feature.push_back(static_cast<std::uint32_t>(Schema::fields + k));
    }
    for (Rows* rows : {&parts.train, &parts.valid, &parts.test}) {
        rows->finish(first);
    }
    return parts;
}

std::vector<float> numbers_of(const Matrix<float>& logits) {
    std::vector<float> numbers;
    for (std::size_t i = 0; i < logits.rows(); ++i) {
        numbers.push_back(logits(i, 0));
    }
    return numbers;
}

double logloss(std::span<const float> logits, std::span<const float> labels) {
    double sum = 0.0;
    for (std::size_t i = 0; i < logits.size(); ++i) {
        const auto s = static_cast<double>(logits[i]);
        sum += std::max(s, 0.0) + std::log1p(std::exp(-std::abs(s))) - static_cast<double>(labels[i]) * s;
    }
    return sum / static_cast<double>(logits.size());
}

struct Figure {
    std::vector<double> of_seed;

    [[nodiscard]] double mean() const {
        double sum = 0.0;
        for (const double x : of_seed) {
            sum += x / static_cast<double>(of_seed.size());
        }
        return sum;
    }
    [[nodiscard]] double spread() const {
        const auto [low, high] = std::minmax_element(of_seed.begin(), of_seed.end());
        return *high - *low;
    }
};

/// fit(epochs, seed) returns a function from rows to logits.
template <class Fit>
void measure(bench::Report& report, const Parts& parts, const std::string& name, std::span<const std::size_t> choices,
             const Fit& fit) {
    constexpr std::uint64_t seeds = 3;
    Figure losses;
    Figure areas;
    std::string chosen;
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        double best = std::numeric_limits<double>::infinity();
        std::size_t best_epochs = 0;
        std::vector<float> at_best;
        for (const std::size_t epochs : choices) {
            const auto score = fit(epochs, seed);
            if (const double loss = logloss(score(parts.valid), parts.valid.labels); loss < best) {
                best = loss;
                best_epochs = epochs;
                at_best = score(parts.test);
            }
        }
        losses.of_seed.push_back(logloss(at_best, parts.test.labels));
        areas.of_seed.push_back(metrics::auc(at_best, parts.test.labels));
        chosen += (chosen.empty() ? "" : " ") + std::to_string(best_epochs);
    }
    const std::string setup =
        "MovieLens-100K, likes, last tenth of each user; mean of 3 seeds; epochs chosen: " + chosen;
    const auto add = [&](const std::string& what, double figure) {
        report.add({.name = name + ", " + what, .ours = bench::single(figure), .unit = "", .setup = setup});
    };
    add("logloss", losses.mean());
    add("logloss, spread", losses.spread());
    add("AUC", areas.mean());
    add("AUC, spread", areas.spread());
}

constexpr std::array<std::size_t, 6> few_epochs{1, 2, 4, 6, 8, 12};

template <class Ranker>
void measure_fields(bench::Report& report, const Parts& parts, const std::string& name) {
    measure(report, parts, name, few_epochs, [&](std::size_t epochs, std::uint64_t seed) {
        return [ranker = Ranker::fit(parts.train.fields(), std::span<const float>(parts.train.labels),
                                     {.epochs = epochs, .batch = 256, .table_learning_rate = 2e-3F, .seed = seed})](
                   const Rows& rows) { return numbers_of(ranker.score(rows.fields())); };
    });
}

template <class Ranker, class Options>
void measure_sparse(bench::Report& report, const Parts& parts, const std::string& name,
                    std::span<const std::size_t> choices, Options options) {
    measure(report, parts, name, choices, [&](std::size_t epochs, std::uint64_t seed) {
        options.epochs = epochs;
        options.seed = seed;
        return [ranker = Ranker::fit(parts.train.sparse, parts.train.labels, options)](const Rows& rows) {
            return ranker.score(rows.sparse);
        };
    });
}

}  // namespace

int main(int argc, char** argv) {
    bench::Report report("deep_ranker_quality", argc, argv);
    if (!std::filesystem::exists(movielens)) {
        std::printf("There is no %s: ./dev data fetches it. Nothing is measured.\n", movielens);
        return 0;
    }
    const Parts parts = read_parts();
    measure(report, parts, "No features", std::array<std::size_t, 1>{1}, [&](std::size_t, std::uint64_t) {
        double likes = 0.0;
        for (const float label : parts.train.labels) {
            likes += static_cast<double>(label) / static_cast<double>(parts.train.labels.size());
        }
        const auto logit = static_cast<float>(std::log(likes / (1.0 - likes)));
        return [logit](const Rows& rows) { return std::vector<float>(rows.labels.size(), logit); };
    });
    measure_sparse<ranking::LogisticRegression>(
        report, parts, "LogisticRegression", std::array<std::size_t, 3>{10, 20, 40},
        ranking::LogisticRegressionOptions{.learning_rate = 0.01F, .l2 = 0.01F});
    measure_sparse<ranking::FM>(report, parts, "FM", few_epochs, ranking::FMOptions{.factors = 8, .init_scale = 0.01F});
    measure_sparse<ranking::FFM>(
        report, parts, "FFM", few_epochs,
        ranking::FFMOptions{.fields = parts.field_of_feature, .factors = 4, .init_scale = 0.01F});
    measure_fields<ranking::WideAndDeep<Schema, 64, 32>>(report, parts, "WideAndDeep");
    measure_fields<ranking::DeepFM<Schema, 64, 32>>(report, parts, "DeepFM");
    measure_fields<ranking::DCNv2<Schema, 2, 64, 32>>(report, parts, "DCNv2");
    measure_fields<ranking::DLRM<Schema, nn::HiddenLayers<Schema::dense, 32, Schema::width>, 64, 32>>(report, parts,
                                                                                                      "DLRM");
    using DIN = ranking::DIN<Schema, 16, 64, 32>;
    measure(
        report, parts, "DIN", std::array<std::size_t, 5>{1, 2, 3, 4, 6}, [&](std::size_t epochs, std::uint64_t seed) {
            return [ranker = DIN::fit(parts.train.fields(), parts.train.histories(),
                                      std::span<const float>(parts.train.labels),
                                      {.epochs = epochs, .batch = 256, .table_learning_rate = 2e-3F, .seed = seed})](
                       const Rows& rows) { return numbers_of(ranker.score(rows.fields(), rows.histories())); };
        });
    return report.finish();
}
