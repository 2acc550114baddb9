// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/ranking/fm.hpp>

#include "ranking/step_checks.hpp"
#include "support/allocations.hpp"
#include "support/damage.hpp"
#include "support/forgery.hpp"
#include "support/ranker_contract.hpp"
#include "support/temp_dir.hpp"

#include <funnel/core/matrix.hpp>
#include <funnel/core/parallel.hpp>
#include <funnel/core/progress.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/sparse.hpp>
#include <funnel/nn/sgd.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stop_token>
#include <tuple>
#include <utility>
#include <vector>

using doctest::Approx;
using funnel::CSRMatrix;
using funnel::InvalidArgument;
using funnel::Matrix;
using funnel::MatrixView;
using funnel::Random;
using funnel::stream;
using funnel::Triplet;
using funnel::nn::SGDRule;
using funnel::ranking::FM;
using funnel::ranking::FMOptions;

namespace {

namespace testing = funnel::testing;

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

// All that a model knows, in double: the bias, the weights, the vectors.
struct Parameters {
    double bias;
    std::vector<double> w;
    std::vector<std::vector<double>> v;

    explicit Parameters(const FM& model)
        : bias(static_cast<double>(model.bias())), w(model.weights().begin(), model.weights().end()) {
        for (std::size_t j = 0; j < model.features(); ++j) {
            v.emplace_back(model.vectors().row(j).begin(), model.vectors().row(j).end());
        }
    }

    // Every number once, to vary it.
    std::vector<double*> all() {
        std::vector<double*> numbers{&bias};
        for (double& x : w) {
            numbers.push_back(&x);
        }
        for (auto& vector : v) {
            for (double& x : vector) {
                numbers.push_back(&x);
            }
        }
        return numbers;
    }
};

// The definition: a sum over all pairs.
double logit_by_pairs(const Parameters& p, std::span<const float> x) {
    double sum = p.bias;
    for (std::size_t i = 0; i < x.size(); ++i) {
        sum += p.w[i] * static_cast<double>(x[i]);
        for (std::size_t j = i + 1; j < x.size(); ++j) {
            double inner = 0.0;
            for (std::size_t f = 0; f < p.v[i].size(); ++f) {
                inner += p.v[i][f] * p.v[j][f];
            }
            sum += inner * static_cast<double>(x[i]) * static_cast<double>(x[j]);
        }
    }
    return sum;
}

// The loss of one row, with the penalty on what the row uses.
double loss(const Parameters& p, std::span<const float> x, float label, double l2) {
    const double logit = logit_by_pairs(p, x);
    double squares = 0.0;
    for (std::size_t j = 0; j < x.size(); ++j) {
        if (x[j] != 0.0F) {
            squares += p.w[j] * p.w[j];
            for (const double v : p.v[j]) {
                squares += v * v;
            }
        }
    }
    return testing::logloss_of(logit, static_cast<double>(label)) + 0.5 * l2 * squares;
}

Matrix<float> random_rows(std::size_t n, std::size_t d, std::uint64_t seed) {
    Random random(seed);
    Matrix<float> rows(n, d);
    for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t j = 0; j < d; ++j) {
            rows(i, j) = random.below(3) == 0 ? 0.0F : static_cast<float>(random.normal());
        }
    }
    return rows;
}

CSRMatrix<float> sparse_of(const Matrix<float>& rows) {
    std::vector<Triplet<float>> entries;
    for (std::uint32_t i = 0; i < rows.rows(); ++i) {
        for (std::uint32_t j = 0; j < rows.cols(); ++j) {
            if (rows(i, j) != 0.0F) {
                entries.push_back({i, j, rows(i, j)});
            }
        }
    }
    return {entries, rows.rows(), rows.cols()};
}

std::vector<float> random_labels(std::size_t n, std::uint64_t seed) {
    Random random(seed);
    std::vector<float> labels(n);
    for (float& label : labels) {
        label = static_cast<float>(random.below(2));
    }
    return labels;
}

// A user x item log in one-hot rows. Taste follows one hidden factor: users and items of like sign go together, which
// no sum of a user part and an item part can say.
struct Taste {
    CSRMatrix<float> rows;
    std::vector<float> labels;
};

Taste tastes(std::uint32_t users, std::uint32_t items, bool even) {
    std::vector<Triplet<float>> entries;
    std::vector<float> labels;
    for (std::uint32_t u = 0; u < users; ++u) {
        for (std::uint32_t i = 0; i < items; ++i) {
            if ((u * 7 + i * 3) % 4 == 0 ? even : !even) {
                entries.push_back({static_cast<std::uint32_t>(labels.size()), u, 1.0F});
                entries.push_back({static_cast<std::uint32_t>(labels.size()), users + i, 1.0F});
                labels.push_back((u % 2 == 0) == (i % 2 == 0) ? 1.0F : 0.0F);
            }
        }
    }
    return {CSRMatrix<float>(entries, labels.size(), users + items), labels};
}

double accuracy(const FM& model, const Taste& taste) {
    const auto scores = model.score(taste.rows);
    double right = 0.0;
    for (std::size_t i = 0; i < scores.size(); ++i) {
        right += (scores[i] > 0.0F) == (taste.labels[i] > 0.5F) ? 1.0 : 0.0;
    }
    return right / static_cast<double>(scores.size());
}

}  // namespace

TEST_CASE("FM: keeps what every ranker promises") {
    for (const std::size_t factors : {0U, 3U}) {
        testing::check_ranker<FM>(FMOptions{.factors = factors, .epochs = 5});
    }
}

TEST_CASE("FM: one step worked by hand") {
    // One row x = (1, 2), label 1, no vectors, learning rate 1, no penalty: the error is 1/2 - 1.
    Matrix<float> row(1, 2);
    row(0, 0) = 1.0F;
    row(0, 1) = 2.0F;
    const std::vector<float> label{1};
    const auto model = FM::fit<SGDRule>(row, label, {.factors = 0, .epochs = 1, .learning_rate = 1.0F, .l2 = 0.0F});
    CHECK(model.bias() == 0.5F);
    CHECK(model.weights()[0] == 0.5F);
    CHECK(model.weights()[1] == 1.0F);
    CHECK(model.score(row)[0] == 0.5F + 0.5F + 2.0F);
    CHECK(model.predict(row)[0] == Approx(1.0 / (1.0 + std::exp(-3.0))));
}

TEST_CASE("FM: scores agree with the sum over all pairs") {
    for (const std::size_t d : {0U, 1U, 2U, 9U}) {
        for (const std::size_t factors : {0U, 1U, 5U, 16U}) {
            const auto rows = random_rows(30, d, d + 1);
            const auto model =
                FM::fit(rows, random_labels(30, 2), {.factors = factors, .epochs = 3, .init_scale = 0.7F});
            const auto scores = model.score(rows);
            for (std::size_t i = 0; i < rows.rows(); ++i) {
                CHECK(scores[i] == Approx(logit_by_pairs(Parameters(model), rows.row(i))).epsilon(1e-5).scale(1.0));
            }
        }
    }
}

TEST_CASE("FM: a step follows the gradient, by central differences of the loss") {
    const double l2 = 0.125;
    for (const std::uint64_t seed : {1U, 2U, 3U}) {
        const auto row = random_rows(1, 6, 20 + seed);
        const std::vector<float> label = random_labels(1, seed);
        FMOptions options{.factors = 3,
                          .epochs = 2,
                          .learning_rate = 0.25F,
                          .l2 = static_cast<float>(l2),
                          .init_scale = 0.5F,
                          .seed = seed};
        Parameters before(FM::fit<SGDRule>(row, label, options));
        options.epochs = 3;
        Parameters after(FM::fit<SGDRule>(row, label, options));
        testing::check_step(before.all(), after.all(), 0.25, [&] { return loss(before, row.row(0), label[0], l2); });
    }
}

TEST_CASE("FM: Adagrad's first step is the learning rate, whatever the gradient") {
    const auto row = random_rows(1, 4, 31);
    const std::vector<float> label{1};
    const FMOptions start{.factors = 2, .epochs = 0, .learning_rate = 0.25F, .l2 = 0.0F, .init_scale = 0.5F};
    FMOptions one_step = start;
    one_step.epochs = 1;
    Parameters before(FM::fit(row, label, start));
    Parameters after(FM::fit(row, label, one_step));
    CHECK(after.bias - before.bias == Approx(0.25));
    for (std::size_t j = 0; j < 4; ++j) {
        CHECK(std::abs(after.w[j] - before.w[j]) == Approx(row(0, j) != 0.0F ? 0.25 : 0.0));
        for (std::size_t f = 0; f < 2; ++f) {  // each number has a sum of its own
            CHECK(std::abs(after.v[j][f] - before.v[j][f]) == Approx(row(0, j) != 0.0F ? 0.25 : 0.0));
        }
    }
}

TEST_CASE("FM: dense and sparse rows give the same model, bit by bit") {
    const auto rows = random_rows(50, 7, 3);
    const auto labels = random_labels(50, 3);
    const auto dense = FM::fit(rows, labels);
    const auto sparse = FM::fit(sparse_of(rows), labels);
    CHECK(dense.score(rows) == sparse.score(rows));
    CHECK(dense.score(sparse_of(rows)) == dense.score(rows));
    CHECK(dense.bias() == sparse.bias());
}

TEST_CASE("FM: learns what pairs it has never seen would do; a linear model cannot") {
    const Taste train = tastes(20, 20, false);
    const Taste test = tastes(20, 20, true);
    const FMOptions options{.factors = 4, .epochs = 60, .learning_rate = 0.1F, .init_scale = 0.1F};
    FMOptions linear = options;
    linear.factors = 0;
    CHECK(accuracy(FM::fit(train.rows, train.labels, options), test) > 0.95);
    CHECK(accuracy(FM::fit(train.rows, train.labels, linear), test) < 0.7);
}

TEST_CASE("FM: rows come in a new order every epoch, drawn from the seed") {
    // The linear model, replayed row by row in double.
    const auto rows = random_rows(12, 3, 40);
    const auto labels = random_labels(12, 40);
    std::vector<double> w(4, 0.0);  // the bias is last
    std::vector<std::size_t> order(12);
    for (std::size_t i = 0; i < order.size(); ++i) {
        order[i] = i;
    }
    for (std::uint64_t epoch = 0; epoch < 3; ++epoch) {
        Random(5, stream("fm.order"), epoch).shuffle(std::span(order));
        for (const std::size_t i : order) {
            double logit = w[3];
            for (std::size_t j = 0; j < 3; ++j) {
                logit += w[j] * static_cast<double>(rows(i, j));
            }
            const double error = 1.0 / (1.0 + std::exp(-logit)) - static_cast<double>(labels[i]);
            for (std::size_t j = 0; j < 3; ++j) {
                w[j] -= 0.5 * error * static_cast<double>(rows(i, j));
            }
            w[3] -= 0.5 * error;
        }
    }
    const auto model =
        FM::fit<SGDRule>(rows, labels, {.factors = 0, .epochs = 3, .learning_rate = 0.5F, .l2 = 0.0F, .seed = 5});
    CHECK(model.bias() == Approx(w[3]).epsilon(1e-4));
    for (std::size_t j = 0; j < 3; ++j) {
        CHECK(model.weights()[j] == Approx(w[j]).epsilon(1e-4));
    }
}

TEST_CASE("FM: the seed decides, and nothing else") {
    const auto rows = random_rows(40, 5, 6);
    const auto labels = random_labels(40, 6);
    const auto model = FM::fit(rows, labels).score(rows);
    funnel::Threads pool(2);
    CHECK(FM::fit(rows, labels, {}, pool).score(rows) == model);
    CHECK(FM::fit(rows, labels, {.seed = 2}).score(rows) != model);
    // Features that no row has keep their start, which is drawn feature by feature.
    Matrix<float> zeros(1, 5);
    const auto start = FM::fit(zeros, std::vector<float>{1}, {.epochs = 0, .init_scale = 1.0F});
    const auto fitted = FM::fit(zeros, std::vector<float>{1}, {.epochs = 5, .init_scale = 1.0F});
    for (std::size_t j = 0; j < 5; ++j) {
        CHECK(start.vectors()(j, 0) == fitted.vectors()(j, 0));
        CHECK(start.vectors()(j, 0) == static_cast<float>(Random(1, stream("fm.vectors"), j).normal()));
    }
}

TEST_CASE("FM: tells how far it is, and stops when told to") {
    const auto rows = random_rows(10, 2, 8);
    std::vector<std::size_t> done;
    funnel::Serial serial;
    std::stop_source stop;
    const auto report = [&](const funnel::Progress& progress) {
        done.push_back(progress.done);
        if (progress.done == 2) {
            stop.request_stop();
        }
    };
    CHECK_THROWS_AS((void)FM::fit(rows, random_labels(10, 8), {}, funnel::Monitored(serial, report, stop.get_token())),
                    funnel::Cancelled);
    CHECK(done == std::vector<std::size_t>{1, 2});
}

TEST_CASE("FM: comes back from a file as it was; a damaged one is rejected") {
    const testing::TempDir dir;
    const auto rows = random_rows(20, 4, 9);
    for (const std::size_t factors : {0U, 3U}) {
        const auto model = FM::fit(rows, random_labels(20, 9), {.factors = factors});
        model.save(dir / "model.fnl");
        const auto loaded = FM::load(dir / "model.fnl");
        CHECK(loaded.score(rows) == model.score(rows));
        CHECK(loaded.factors() == factors);
        testing::check_damage(testing::bytes_of(dir / "model.fnl"),
                              [&](const auto& path) { return FM::load(path).score(rows); });
        testing::check_forgeries(testing::bytes_of(dir / "model.fnl"), [](const auto& path) {
            const auto forged = FM::load(path);
            const std::vector<float> ones(forged.features(), 1.0F);
            const auto scores = forged.score(MatrixView<const float>(ones, 1, ones.size()));
            REQUIRE(funnel::math::is_finite(scores[0]));
        });
    }
    FM::fit(Matrix<float>(0, 0), {}).save(dir / "empty.fnl");
    CHECK(FM::load(dir / "empty.fnl").features() == 0);

    // Undamaged, but not what a model can be.
    const auto saved = [&](float bias, std::vector<float> weights, std::size_t rows_of_vectors, float v) {
        Matrix<float> vectors(rows_of_vectors, 2);
        for (std::size_t j = 0; j < rows_of_vectors; ++j) {
            vectors(j, 1) = v;
        }
        funnel::io::ContainerWriter file("ranking.FM", 1);
        file.value("factors", std::uint64_t{2});
        file.value("bias", bias);
        file.array("weights", weights);
        file.matrix("vectors", vectors);
        file.save(dir / "other.fnl");
        return dir / "other.fnl";
    };
    CHECK(FM::load(saved(0.0F, {1}, 1, 1.0F)).factors() == 2);
    CHECK_THROWS_AS((void)FM::load(saved(0.0F, {1}, 2, 1.0F)), funnel::CorruptData);
    CHECK_THROWS_AS((void)FM::load(saved(infinity, {1}, 1, 1.0F)), funnel::CorruptData);
    CHECK_THROWS_AS((void)FM::load(saved(0.0F, {not_a_number}, 1, 1.0F)), funnel::CorruptData);
    CHECK_THROWS_AS((void)FM::load(saved(0.0F, {1}, 1, infinity)), funnel::CorruptData);
}

TEST_CASE("FM: edges") {
    const auto untrained = FM::fit(Matrix<float>(0, 3), {});
    CHECK(untrained.features() == 3);
    CHECK(untrained.score(Matrix<float>(2, 3)) == std::vector<float>{0, 0});
    CHECK(untrained.score(Matrix<float>(0, 3)).empty());
    CHECK(untrained.predict(CSRMatrix<float>({}, 2, 3)) == std::vector<float>{0.5F, 0.5F});
    CHECK(FM::fit(Matrix<float>(2, 0), std::vector<float>{1, 1}).score(Matrix<float>(1, 0))[0] > 0.0F);
}

TEST_CASE("FM: rejects what it cannot learn from") {
    Matrix<float> rows(2, 2);
    rows(0, 0) = 1.0F;
    const std::vector<float> labels{0, 1};
    CHECK_THROWS_AS((void)FM::fit(rows, labels, {.learning_rate = 0.0F}), InvalidArgument);
    CHECK_THROWS_AS((void)FM::fit(rows, labels, {.learning_rate = not_a_number}), InvalidArgument);
    CHECK_THROWS_AS((void)FM::fit(rows, labels, {.l2 = -1.0F}), InvalidArgument);
    CHECK_THROWS_AS((void)FM::fit(rows, labels, {.l2 = infinity}), InvalidArgument);
    CHECK_THROWS_AS((void)FM::fit(rows, labels, {.init_scale = not_a_number}), InvalidArgument);
    CHECK_THROWS_AS((void)FM::fit(rows, labels, {.init_scale = -1.0F}), InvalidArgument);
    CHECK_THROWS_AS((void)FM::fit(rows, std::vector<float>{1}), InvalidArgument);
    CHECK_THROWS_AS((void)FM::fit(rows, std::vector<float>{1, 0.5F}), InvalidArgument);
    CHECK_THROWS_AS((void)FM::fit<SGDRule>(rows, labels, {.epochs = 100, .learning_rate = 1e30F, .l2 = 1e5F}),
                    InvalidArgument);  // diverges

    const auto model = FM::fit(rows, labels);
    CHECK_THROWS_AS((void)model.score(Matrix<float>(1, 3)), InvalidArgument);
    rows(1, 1) = infinity;
    CHECK_THROWS_WITH_AS((void)FM::fit(rows, labels), "FM::fit: the feature at row 1, column 1 must be finite",
                         InvalidArgument);
    CHECK_THROWS_WITH_AS((void)model.score(rows), "FM: the feature at row 1, column 1 must be finite", InvalidArgument);
    const CSRMatrix<float> sparse(std::vector<Triplet<float>>{{1, 0, not_a_number}}, 2, 2);
    CHECK_THROWS_WITH_AS((void)FM::fit(sparse, labels), "FM::fit: the feature at row 1, column 0 must be finite",
                         InvalidArgument);
}

TEST_CASE(
    "FM: a file of half a kilobyte that claims 65,536 factors, the most there can be, takes no memory, to load or to "
    "score") {
    const testing::TempDir dir;
    const std::vector<float> nothing;
    for (const std::uint64_t factors : {std::uint64_t{1}, std::uint64_t{65'536}}) {
        funnel::io::ContainerWriter file("ranking.FM", 1);
        file.value("factors", factors);
        file.value("bias", 0.5F);
        file.array("weights", nothing);
        const Matrix<float> no_rows(0, static_cast<std::size_t>(factors));
        file.matrix("vectors", no_rows);
        file.save(dir / "claims.fnl");
        const auto load_and_score = [&] {
            const FM model = FM::load(dir / "claims.fnl");
            CHECK(model.features() == 0);
            CHECK(model.score(Matrix<float>(2, 0)) == std::vector<float>{0.5F, 0.5F});
            const FM copy = model;
            copy.save(dir / "again.fnl");
        };
        load_and_score();
        CHECK(testing::allocated_bytes_of(load_and_score) < 2'000'000);  // files are read through a buffer of 1 MB
    }
}

TEST_CASE("FM: memory after load is linear in the file: short vectors are padded to a cache line, no more") {
    const testing::TempDir dir;
    constexpr std::size_t d = 20'000;
    FM::fit(CSRMatrix<float>({}, 0, d), {}, {.factors = 1}).save(dir / "model.fnl");
    // The file itself, the weights, and the vectors with 64 bytes a row.
    CHECK(testing::allocated_bytes_of([&] { (void)FM::load(dir / "model.fnl"); }) < 3 * 8 * d + 64 * d);
}

TEST_CASE("FM: more factors than can be used are an error, or not asked for") {
    const std::size_t huge = std::numeric_limits<std::size_t>::max();
    const std::vector<float> label{1};
    CHECK_THROWS_WITH_AS((void)FM::fit(Matrix<float>(1, 2), label, {.factors = huge}),
                         "FM::fit: factors must be below 2^32, got 18446744073709551615", InvalidArgument);
    CHECK_THROWS_AS((void)FM::fit(Matrix<float>(1, 0), label, {.factors = huge / 2}), InvalidArgument);
    const auto no_features = [&] {
        const auto model = FM::fit(Matrix<float>(1, 0), label, {.factors = 0xFFFF'FFFF, .epochs = 3});
        CHECK(model.predict(Matrix<float>(1, 0))[0] > 0.5F);
    };
    CHECK(testing::allocated_bytes_of(no_features) < 10'000);
}

TEST_CASE("FM: scores of finite features are finite, however large") {
    const testing::TempDir dir;
    constexpr float most = std::numeric_limits<float>::max();
    funnel::io::ContainerWriter file("ranking.FM", 1);
    file.value("factors", std::uint64_t{1});
    file.value("bias", most);
    const std::vector<float> weights{most, most, -most};
    file.array("weights", weights);
    Matrix<float> vectors(3, 1);
    vectors(0, 0) = most;
    vectors(1, 0) = -most;
    vectors(2, 0) = most;
    file.matrix("vectors", vectors);
    file.save(dir / "large.fnl");
    const FM model = FM::load(dir / "large.fnl");

    Matrix<float> rows(5, 3);
    rows(0, 0) = most;               // alone: w x = most^2
    rows(1, 2) = most;               // -most^2
    rows(2, 0) = rows(2, 1) = most;  // the pair is worth -most^4
    rows(3, 0) = rows(3, 2) = most;  // and this one most^4
    rows(4, 0) = rows(4, 1) = rows(4, 2) = -most;
    const std::vector<float> scores = model.score(rows);
    CHECK(scores == std::vector<float>{most, -most, -most, most, -most});
    CHECK(model.predict(rows) == std::vector<float>{1, 0, 0, 1, 0});
    CHECK(model.score(sparse_of(rows)) == scores);
}

TEST_CASE("FM: a zero that a sparse row stores is no feature of that row") {
    const auto rows = random_rows(30, 4, 50);
    std::vector<Triplet<float>> entries;
    for (std::uint32_t i = 0; i < rows.rows(); ++i) {
        for (std::uint32_t j = 0; j < rows.cols(); ++j) {
            entries.push_back({i, j, rows(i, j)});
        }
    }
    const CSRMatrix<float> with_zeros(entries, rows.rows(), rows.cols());
    const auto labels = random_labels(30, 50);
    CHECK(FM::fit(with_zeros, labels).score(rows) == FM::fit(rows, labels).score(rows));
}

namespace {

auto state_of(const FM& model) {
    std::vector<float> vectors;
    for (std::size_t j = 0; j < model.features(); ++j) {
        vectors.insert(vectors.end(), model.vectors().row(j).begin(), model.vectors().row(j).end());
    }
    return std::tuple(model.features(), model.factors(), model.bias(),
                      std::vector(model.weights().begin(), model.weights().end()), vectors);
}

}  // namespace

TEST_CASE("FM: one that was moved from has no features, and can be asked and assigned") {
    const auto rows = random_rows(20, 4, 60);
    FM model = FM::fit(rows, random_labels(20, 60));
    const FM copy = model;
    const FM taken = std::move(model);
    CHECK(state_of(taken) == state_of(copy));
    CHECK(model.features() == 0);  // NOLINT(bugprone-use-after-move): that is the question
    CHECK(model.factors() == 0);
    CHECK(model.vectors().rows() == 0);
    CHECK(model.score(Matrix<float>(2, 0)).size() == 2);
    CHECK_THROWS_AS((void)model.score(rows), InvalidArgument);
    model = copy;
    CHECK(state_of(model) == state_of(copy));
}

TEST_CASE("FM: rejects a start that is not finite") {
    CHECK_THROWS_WITH_AS((void)FM::fit(Matrix<float>(1, 50), std::vector<float>{1},
                                       {.epochs = 0, .init_scale = std::numeric_limits<float>::max()}),
                         "FM::fit: training diverged; try a smaller learning_rate or init_scale", InvalidArgument);
}
