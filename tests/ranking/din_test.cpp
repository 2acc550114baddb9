// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/ranking/din.hpp>

#include "ranking/step_checks.hpp"
#include "support/allocations.hpp"
#include "support/damage.hpp"
#include "support/temp_dir.hpp"

#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/threads.hpp>
#include <funnel/metrics/auc.hpp>
#include <funnel/nn/activations.hpp>
#include <funnel/nn/columns.hpp>
#include <funnel/nn/mlp.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

using funnel::InvalidArgument;
using funnel::Matrix;
using funnel::MatrixView;
using funnel::Random;
using funnel::Serial;
using funnel::Threads;
using namespace funnel::ranking;
using namespace funnel::testing;
namespace nn = funnel::nn;

namespace {

constexpr std::size_t genres = 8;
constexpr std::size_t items_of_genre = 6;
constexpr std::size_t history_length = 8;

// The only field is the item. An item has a genre, and within it one of two styles; a user prefers one style of each
// genre, another one in another genre. So only those items of a history that share the candidate's genre say whether
// the user will take it.
struct World {
    Matrix<std::uint32_t> ids;
    std::vector<std::uint32_t> history_ids;
    std::vector<std::size_t> starts{0};
    std::vector<float> labels;

    explicit World(std::size_t rows, std::uint64_t seed = 1) : ids(rows, 1), labels(rows) {
        Random random(seed);
        const auto item = [&](std::size_t genre, std::size_t style) {
            return static_cast<std::uint32_t>(genre * items_of_genre + random.below(items_of_genre / 2) * 2 + style);
        };
        for (std::size_t i = 0; i < rows; ++i) {
            std::vector<std::size_t> preferred(genres);
            for (std::size_t& style : preferred) {
                style = random.below(2);
            }
            for (std::size_t t = 0; t < history_length; ++t) {
                history_ids.push_back(item(t % genres, preferred[t % genres]));
            }
            starts.push_back(history_ids.size());
            const std::size_t genre = random.below(genres);
            const std::size_t style = random.below(2);
            ids(i, 0) = item(genre, style);
            labels[i] = random.uniform() < (style == preferred[genre] ? 0.9 : 0.1) ? 1.0F : 0.0F;
        }
    }

    [[nodiscard]] FieldRows rows() const { return {.ids = ids}; }
    [[nodiscard]] nn::Bags histories() const { return {.ids = history_ids, .starts = starts}; }
};

// A unit that gives every item the same weight: mean pooling of histories of one length.
struct Mean {
    static constexpr std::size_t width = 4;
    struct Network : nn::Columns<8, 0, 1> {
        template <funnel::kernels::HostBackend Backend, std::floating_point T, funnel::Executor E>
        static void forward(const nn::Step& /*step*/, std::span<const T> /*trained*/, std::span<T> /*collected*/,
                            MatrixView<const T> /*x*/, MatrixView<T> y, std::span<T> /*memory*/, E& /*executor*/) {
            for (std::size_t i = 0; i < y.rows(); ++i) {
                y(i, 0) = T{1} / static_cast<T>(history_length);
            }
        }
        template <funnel::kernels::HostBackend Backend, std::floating_point T, funnel::Executor E>
        static void backward(const nn::Step& /*step*/, std::span<const T> /*trained*/, MatrixView<const T> /*x*/,
                             MatrixView<const T> /*y*/, MatrixView<const T> /*dy*/, MatrixView<T> dx,
                             std::span<T> /*gradient*/, std::span<T> /*memory*/, E& /*executor*/) {
            for (std::size_t i = 0; i < dx.rows(); ++i) {
                std::fill(dx.row(i).begin(), dx.row(i).end(), T{0});
            }
        }
    };
    template <class T>
    struct Folded {};
    static constexpr std::size_t folded_size = 0;
    template <class T>
    static Folded<const T> fold(std::span<const T> /*trained*/, std::span<T> /*memory*/) {
        return {};
    }
    static constexpr std::size_t scratch(std::size_t /*history*/) { return 0; }
    template <funnel::kernels::HostBackend Backend, std::floating_point T>
    static void attend(std::span<const T> /*trained*/, std::span<const T> /*collected*/,
                       const Folded<const T>& /*folded*/, std::span<const T> /*query*/, MatrixView<const T> keys,
                       std::span<T> vector, std::span<T> /*scratch*/) {
        std::fill(vector.begin(), vector.end(), T{0});
        for (std::size_t t = 0; t < keys.rows(); ++t) {
            nn::detail::add_scaled<Backend, T>(T{1} / static_cast<T>(history_length), keys.row(t), vector);
        }
    }
};

using ItemOnly = Fields<0, 1, 4>;
using SmallDIN = DIN<ItemOnly, 16, 16>;
using MeanPooling = BasicDIN<ItemOnly, Mean, nn::MLP<8, 16, 1>>;

// 2 fields of the user, 2 of the item, vectors of 3 numbers, 1 dense feature of the user and 2 of the item.
using Schema = Fields<2, 2, 3, 1, 2>;
using Full = DIN<Schema, 6, 5>;

// Random rows with histories of 0 to 5 items.
struct Sample {
    Matrix<std::uint32_t> ids;
    Matrix<float> dense;
    std::vector<std::uint32_t> history_ids;
    std::vector<std::size_t> starts{0};
    std::vector<float> labels;

    explicit Sample(std::size_t rows, std::uint64_t seed = 1) : ids(rows, 4), dense(rows, 3), labels(rows) {
        Random random(seed);
        for (std::size_t i = 0; i < rows; ++i) {
            for (std::uint32_t& id : ids.row(i)) {
                id = static_cast<std::uint32_t>(random.below(4));
            }
            for (float& x : dense.row(i)) {
                x = static_cast<float>(random.normal());
            }
            for (std::size_t t = random.below(6); t > 0; --t) {
                history_ids.push_back(static_cast<std::uint32_t>(random.below(6)));
            }
            starts.push_back(history_ids.size());
            labels[i] = static_cast<float>(random.below(2));
        }
    }

    [[nodiscard]] FieldRows rows() const { return {.ids = ids, .dense = dense}; }
    [[nodiscard]] nn::Bags histories() const { return {.ids = history_ids, .starts = starts}; }
    [[nodiscard]] std::span<const std::uint32_t> history(std::size_t i) const {
        return std::span(history_ids).subspan(starts[i], starts[i + 1] - starts[i]);
    }
};

FieldRankerOptions quick() {
    return {.epochs = 12, .batch = 64, .learning_rate = 0.01F, .table_learning_rate = 0.02F, .init_scale = 0.3F};
}

std::vector<float> numbers_of(const Matrix<float>& matrix) {
    std::vector<float> numbers;
    for (std::size_t i = 0; i < matrix.rows(); ++i) {
        numbers.insert(numbers.end(), matrix.row(i).begin(), matrix.row(i).end());
    }
    return numbers;
}

template <class Ranker, class Rows>
Ranker fitted(const Rows& sample, const FieldRankerOptions& options = quick()) {
    return Ranker::fit(sample.rows(), sample.histories(), std::span<const float>(sample.labels), options);
}

// The logit of a row from the definition, in double.
double defined_logit(const Full& ranker, const Sample& sample, std::size_t i) {
    const auto& weights = ranker.weights();
    const auto embedding = [&](std::size_t field, std::uint32_t id) {
        std::vector<float> values(3);
        weights.table.embed(std::span(&id, 1), field, values);
        return std::vector<double>(values.begin(), values.end());
    };
    // x W^T + b for the next layer of a network, which begins at `at`.
    const auto dense_layer = [](std::span<const float> parameters, std::size_t& at, const std::vector<double>& x,
                                std::size_t out) {
        std::vector<double> y(out);
        for (std::size_t j = 0; j < out; ++j) {
            y[j] = static_cast<double>(parameters[at + out * x.size() + j]);
            for (std::size_t k = 0; k < x.size(); ++k) {
                y[j] += static_cast<double>(parameters[at + j * x.size() + k]) * x[k];
            }
        }
        at += out * x.size() + out;
        return y;
    };
    const std::vector<double> q = embedding(2, sample.ids(i, 2));
    std::vector<double> vector(3);
    for (const std::uint32_t id : sample.history(i)) {
        const std::vector<double> k = embedding(2, id);
        std::vector<double> x;
        for (const double v : q) {
            x.push_back(v);
        }
        for (const double v : k) {
            x.push_back(v);
        }
        for (std::size_t j = 0; j < 3; ++j) {
            x.push_back(q[j] - k[j]);
        }
        for (std::size_t j = 0; j < 3; ++j) {
            x.push_back(q[j] * k[j]);
        }
        std::size_t at = 0;
        std::vector<double> hidden = dense_layer(weights.unit.parameters(), at, x, 6);
        for (double& h : hidden) {
            h = 1.0 / (1.0 + std::exp(-h));
        }
        const double a = dense_layer(weights.unit.parameters(), at, hidden, 1)[0];
        for (std::size_t j = 0; j < 3; ++j) {
            vector[j] += a * k[j];
        }
    }
    std::vector<double> row{static_cast<double>(sample.dense(i, 0))};
    const auto append = [&](const std::vector<double>& part) { row.insert(row.end(), part.begin(), part.end()); };
    append(embedding(0, sample.ids(i, 0)));
    append(embedding(1, sample.ids(i, 1)));
    append(vector);
    append(q);
    append(embedding(3, sample.ids(i, 3)));
    append({static_cast<double>(sample.dense(i, 1)), static_cast<double>(sample.dense(i, 2))});
    std::size_t at = 0;
    std::vector<double> hidden = dense_layer(weights.network.parameters(), at, row, 5);
    for (double& h : hidden) {
        h = std::max(h, 0.0);
    }
    return dense_layer(weights.network.parameters(), at, hidden, 1)[0];
}

double mean_logloss(const Full& ranker, const Sample& sample) {
    double sum = 0.0;
    for (std::size_t i = 0; i < sample.labels.size(); ++i) {
        const double s = defined_logit(ranker, sample, i);
        sum += funnel::testing::logloss_of(s, static_cast<double>(sample.labels[i]));
    }
    return sum / static_cast<double>(sample.labels.size());
}

}  // namespace

TEST_CASE("DIN: logits are those of the definition, for histories of 0, 1 and more items") {
    const Sample sample(300);
    const Full ranker = fitted<Full>(sample);
    const Matrix<float> logits = ranker.score(sample.rows(), sample.histories());
    for (std::size_t i = 0; i < 300; ++i) {
        CHECK(static_cast<double>(logits(i, 0)) == doctest::Approx(defined_logit(ranker, sample, i)).epsilon(1e-4));
    }
}

TEST_CASE("DIN: the gradients of a step are central differences of the loss") {
    const Sample sample(40);
    using Weights = std::remove_cvref_t<decltype(std::declval<Full&>().weights())>;
    const std::vector<std::size_t> sizes{4, 4, 6, 4};
    Full ranker(sizes, {.init_scale = 0.7F});
    Weights trained = ranker.weights();
    DINTrainer<Schema, nn::ActivationUnit<3, nn::Sigmoid, 6>, nn::MLP<18, 5, 1>, LoglossPerTask,
               funnel::kernels::DefaultBackend>
        trainer(trained, sample.rows(), sample.histories(), MatrixView<const float>(sample.labels, 40, 1), 40, {});
    std::vector<std::size_t> rows(40);
    for (std::size_t i = 0; i < 40; ++i) {
        rows[i] = 39 - i;
    }
    Serial serial;
    CHECK(trainer.step(rows, serial) == doctest::Approx(mean_logloss(ranker, sample)).epsilon(1e-5));
    double largest = 0.0;
    double error = 0.0;
    const auto compare = [&](float& weight, float slope) {
        constexpr float h = 1e-4F;  // so small that no ReLU changes its side
        const float before = weight;
        weight = before + h;
        const float above = weight;
        const double loss_above = mean_logloss(ranker, sample);
        weight = before - h;
        const double difference = (loss_above - mean_logloss(ranker, sample)) / static_cast<double>(above - weight);
        weight = before;
        error = std::max(error, std::abs(difference - static_cast<double>(slope)));
        largest = std::max(largest, std::abs(difference));
    };
    const auto table = trainer.table_gradient();
    REQUIRE(table.ids().size() == 18);  // all rows are used
    for (std::size_t u = 0; u < 18; ++u) {
        for (std::size_t j = 0; j < 3; ++j) {
            compare(ranker.weights().table.rows()(u, j), table.rows()(u, j));
        }
    }
    for (std::size_t p = 0; p < trainer.unit_gradient().size(); ++p) {
        compare(ranker.weights().unit.parameters()[p], trainer.unit_gradient()[p]);
    }
    for (std::size_t p = 0; p < trainer.network_gradient().size(); ++p) {
        compare(ranker.weights().network.parameters()[p], trainer.network_gradient()[p]);
    }
    CHECK(largest > 0.01);
    CHECK(error < 1e-4 * std::max(1.0, largest));  // the gradient is in float; the differences are in double
}

TEST_CASE("DIN: finds the part of a history that matters, which mean pooling cannot") {
    const World train(12000);
    const World test(2000, 2);
    const auto auc = [&](const auto& ranker) {
        return funnel::metrics::auc(numbers_of(ranker.score(test.rows(), test.histories())), test.labels);
    };
    FieldRankerOptions options = quick();
    options.epochs = 20;
    const double din = auc(fitted<SmallDIN>(train, options));
    const double mean = auc(fitted<MeanPooling>(train, options));
    CHECK(din > 0.88);         // 0.9 is possible
    CHECK(din > mean + 0.05);  // about 0.82: four numbers cannot hold the tastes in eight genres
}

TEST_CASE("DIN: the candidates of a user get the scores of whole rows, and a request allocates nothing") {
    const Sample train(500);
    const Full ranker = fitted<Full>(train);
    for (const std::size_t n : {std::size_t{0}, std::size_t{1}, std::size_t{5}, std::size_t{300}}) {
        for (const std::size_t length : {std::size_t{0}, std::size_t{1}, std::size_t{40}}) {
            Sample sample(n, 3);
            std::vector<std::uint32_t> history(length);
            for (std::size_t t = 0; t < length; ++t) {
                history[t] = static_cast<std::uint32_t>(t % 7);  // 6 is unknown
            }
            sample.history_ids.clear();
            sample.starts.assign(1, 0);
            Matrix<std::uint32_t> item_ids(n, 2);
            Matrix<float> item_dense(n, 2);
            const std::vector<std::uint32_t> user_ids{1, 2};
            const std::vector<float> user_dense{0.5F};
            for (std::size_t i = 0; i < n; ++i) {
                sample.history_ids.insert(sample.history_ids.end(), history.begin(), history.end());
                sample.starts.push_back(sample.history_ids.size());
                sample.ids(i, 0) = user_ids[0];
                sample.ids(i, 1) = user_ids[1];
                sample.dense(i, 0) = user_dense[0];
                std::copy_n(sample.ids.row(i).begin() + 2, 2, item_ids.row(i).begin());
                std::copy_n(sample.dense.row(i).begin() + 1, 2, item_dense.row(i).begin());
            }
            const Full::Request request{.user_ids = user_ids,
                                        .user_dense = user_dense,
                                        .history = history,
                                        .item_ids = item_ids,
                                        .item_dense = item_dense};
            const auto whole = numbers_of(ranker.score(sample.rows(), sample.histories()));
            const auto split = numbers_of(ranker.score(request));
            REQUIRE(split.size() == n);
            for (std::size_t i = 0; i < n; ++i) {
                CHECK(split[i] == doctest::Approx(whole[i]).epsilon(1e-4));
            }
            std::vector<float> memory(Full::scratch(n, length));
            Matrix<float> out(n, 1);
            CHECK(allocations_of([&] { ranker.score(request, memory, out.view()); }) == 0);
            CHECK(numbers_of(out) == split);
        }
    }
}

TEST_CASE("DIN: without fields of the user, and in batches whose histories are all empty") {
    World train(200);
    const SmallDIN ranker = fitted<SmallDIN>(train);
    const std::span<const std::uint32_t> history = std::span(train.history_ids).first(history_length);
    const Matrix<float> logits =
        ranker.score(SmallDIN::Request{.user_ids = {}, .user_dense = {}, .history = history, .item_ids = train.ids});
    CHECK(logits(0, 0) == doctest::Approx(ranker.score(train.rows(), train.histories())(0, 0)).epsilon(1e-4));
    train.history_ids.clear();
    train.starts.assign(201, 0);
    const SmallDIN empty = fitted<SmallDIN>(train);
    CHECK(numbers_of(empty.score(train.rows(), train.histories())) ==
          numbers_of(
              empty.score(SmallDIN::Request{.user_ids = {}, .user_dense = {}, .history = {}, .item_ids = train.ids})));
}

TEST_CASE("DIN: the same bits for any number of threads") {
    const Sample train(1500);
    FieldRankerOptions options = quick();
    options.epochs = 2;
    options.batch = 700;
    options.l2 = 0.01F;
    const auto scores = [&](auto&& executor) {
        return numbers_of(
            Full::fit(train.rows(), train.histories(), std::span<const float>(train.labels), options, executor)
                .score(train.rows(), train.histories()));
    };
    const std::vector<float> expected = scores(Serial{});
    CHECK(scores(Threads(2)) == expected);
    CHECK(scores(Threads(3)) == expected);
    options.seed = 2;
    CHECK(scores(Serial{}) != expected);
}

TEST_CASE("DIN: ids that training has not seen count as nothing, in histories too") {
    const Sample train(300);
    const Full ranker = fitted<Full>(train);
    Sample sample(2, 5);
    sample.history_ids = {1, 2, 1, 6, 2, std::numeric_limits<std::uint32_t>::max()};
    sample.starts = {0, 2, 6};
    for (std::size_t c = 0; c < 4; ++c) {
        sample.ids(1, c) = sample.ids(0, c);
    }
    std::copy_n(sample.dense.row(0).begin(), 3, sample.dense.row(1).begin());
    const Matrix<float> logits = ranker.score(sample.rows(), sample.histories());
    CHECK(logits(1, 0) == doctest::Approx(logits(0, 0)).epsilon(1e-5));
}

TEST_CASE("DIN: files come back, damaged ones are rejected") {
    const Sample train(200);
    const Full ranker = fitted<Full>(train);
    const TempDir dir;
    ranker.save(dir / "ranker.fnl");
    const Full loaded = Full::load(dir / "ranker.fnl");
    CHECK(numbers_of(loaded.score(train.rows(), train.histories())) ==
          numbers_of(ranker.score(train.rows(), train.histories())));
    // The same sizes, but another activation function: its scores would be plausible and wrong.
    using WithTanh = BasicDIN<Schema, nn::ActivationUnit<3, nn::Tanh, 6>, nn::MLP<18, 5, 1>>;
    CHECK_THROWS_AS(static_cast<void>(WithTanh::load(dir / "ranker.fnl")), funnel::CorruptData);
    CHECK_THROWS_AS(static_cast<void>(SmallDIN::load(dir / "ranker.fnl")), funnel::CorruptData);
    check_damage(bytes_of(dir / "ranker.fnl"), [&](const std::string& path) {
        return numbers_of(Full::load(path).score(train.rows(), train.histories()));
    });
}

TEST_CASE("DIN: a file with numbers that are not finite is rejected") {
    const Sample train(50);
    const TempDir dir;
    const auto rejects = [&](const auto& spoil) {
        Full ranker = fitted<Full>(train);
        spoil(ranker.weights());
        ranker.save(dir / "ranker.fnl");
        CHECK_THROWS_AS(static_cast<void>(Full::load(dir / "ranker.fnl")), funnel::CorruptData);
    };
    constexpr float infinity = std::numeric_limits<float>::infinity();
    rejects([](auto& weights) { weights.unit.parameters()[3] = infinity; });
    rejects([](auto& weights) { weights.network.parameters().back() = infinity; });
    rejects([](auto& weights) { weights.table.rows()(0, 0) = infinity; });
}

TEST_CASE("DIN: no rows, no epochs, bad arguments") {
    const Sample train(50);
    const std::span<const float> labels(train.labels);
    const Full untrained = fitted<Full>(train, {.epochs = 0});
    CHECK(untrained.score(train.rows(), train.histories()).rows() == 50);
    const Sample none(0);
    const Full empty = fitted<Full>(none);
    CHECK(empty.score(train.rows(), train.histories()).rows() == 50);
    CHECK(empty.score(none.rows(), {}).rows() == 0);
    CHECK(untrained.predict(train.rows(), train.histories())(0, 0) > 0.0F);

    CHECK_THROWS_WITH_AS(static_cast<void>(untrained.score({.ids = train.ids}, train.histories())),
                         "DIN::score: rows must have 4 ids and 3 dense features each, got 50 x 4 ids and 0 x 0 dense "
                         "features",
                         InvalidArgument);
    const auto bad_histories = [&](const nn::Bags& histories, const char* message) {
        CHECK_THROWS_WITH_AS(static_cast<void>(untrained.score(train.rows(), histories)), message, InvalidArgument);
        CHECK_THROWS_AS(static_cast<void>(Full::fit(train.rows(), histories, labels)), InvalidArgument);
    };
    bad_histories({}, "DIN::score: the number of histories must be 50, got 0");
    std::vector<std::size_t> starts = train.starts;
    starts.back() += 1;
    const std::string last = "DIN::score: the last start of histories must be " +
                             std::to_string(train.history_ids.size()) + ", got " + std::to_string(starts.back());
    bad_histories({.ids = train.history_ids, .starts = starts}, last.c_str());
    starts = train.starts;
    std::swap(starts[3], starts[20]);
    bad_histories({.ids = train.history_ids, .starts = starts}, "DIN::score: starts of histories must be ascending");
    starts = train.starts;
    starts.front() = 1;
    bad_histories({.ids = train.history_ids, .starts = starts}, "DIN::score: histories must start at 0");
    const std::vector<float> weights(train.history_ids.size(), 1.0F);
    bad_histories({.ids = train.history_ids, .starts = train.starts, .weights = weights},
                  "DIN::score: histories must not have weights");

    CHECK_THROWS_AS(static_cast<void>(Full::fit(train.rows(), train.histories(), labels.first(49))), InvalidArgument);
    const auto fails = [&](const FieldRankerOptions& options) {
        CHECK_THROWS_AS(static_cast<void>(fitted<Full>(train, options)), InvalidArgument);
    };
    fails({.batch = 0});
    fails({.learning_rate = 0.0F});
    fails({.table_learning_rate = -1.0F});
    fails({.l2 = std::numeric_limits<float>::quiet_NaN()});
    fails({.init_scale = 0.0F});
    Sample infinite(50);
    infinite.dense(49, 2) = std::numeric_limits<float>::infinity();
    CHECK_THROWS_AS(static_cast<void>(untrained.score(infinite.rows(), infinite.histories())), InvalidArgument);
    const std::vector<std::uint32_t> one{1};
    CHECK_THROWS_AS(static_cast<void>(untrained.score(
                        Full::Request{.user_ids = one, .user_dense = {}, .history = {}, .item_ids = {}})),
                    InvalidArgument);
    const std::vector<std::size_t> sizes{1, 2};
    CHECK_THROWS_AS(Full(std::span<const std::size_t>(sizes)), InvalidArgument);
}
