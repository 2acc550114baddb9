// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/ranking/logistic_regression.hpp>

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
#include <funnel/nn/adagrad.hpp>
#include <funnel/nn/sgd.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <stop_token>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

using doctest::Approx;
using funnel::CSRMatrix;
using funnel::InvalidArgument;
using funnel::Matrix;
using funnel::MatrixView;
using funnel::Random;
using funnel::Threads;
using funnel::Triplet;
using funnel::nn::AdagradRule;
using funnel::nn::SGDRule;
using funnel::ranking::LogisticRegression;
using funnel::ranking::LogisticRegressionOptions;

namespace {

namespace testing = funnel::testing;

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

struct Problem {
    Matrix<float> rows;
    std::vector<float> labels;
};

// Features on very different scales; labels drawn from a true model.
Problem random_problem(std::size_t n, std::size_t d, std::uint64_t seed) {
    Random random(seed);
    Problem problem{Matrix<float>(n, d), std::vector<float>(n)};
    for (std::size_t i = 0; i < n; ++i) {
        double logit = 0.3;
        for (std::size_t j = 0; j < d; ++j) {
            const double z = random.normal();
            logit += z * (j % 2 == 0 ? 1.0 : -0.5);
            problem.rows(i, j) = static_cast<float>(z * std::pow(10.0, static_cast<double>(j)) + 5.0);
        }
        problem.labels[i] = random.uniform() < 1.0 / (1.0 + std::exp(-logit)) ? 1.0F : 0.0F;
    }
    return problem;
}

// Rows standardised in double, with a column of ones for the bias at the end.
std::vector<std::vector<double>> design(const Problem& problem) {
    const std::size_t n = problem.rows.rows();
    const std::size_t d = problem.rows.cols();
    std::vector<std::vector<double>> z(n, std::vector<double>(d + 1, 1.0));
    for (std::size_t j = 0; j < d; ++j) {
        double mean = 0.0;
        double variance = 0.0;
        for (std::size_t i = 0; i < n; ++i) {
            mean += static_cast<double>(problem.rows(i, j)) / static_cast<double>(n);
        }
        for (std::size_t i = 0; i < n; ++i) {
            variance += std::pow(static_cast<double>(problem.rows(i, j)) - mean, 2.0) / static_cast<double>(n);
        }
        for (std::size_t i = 0; i < n; ++i) {
            z[i][j] = (static_cast<double>(problem.rows(i, j)) - mean) / std::sqrt(variance);
        }
    }
    return z;
}

double loss(const std::vector<std::vector<double>>& z, const std::vector<float>& labels, const std::vector<double>& w,
            double l2) {
    double sum = 0.0;
    for (std::size_t i = 0; i < z.size(); ++i) {
        double logit = 0.0;
        for (std::size_t j = 0; j < w.size(); ++j) {
            logit += w[j] * z[i][j];
        }
        sum += testing::logloss_of(logit, static_cast<double>(labels[i]));
    }
    double squares = 0.0;
    for (std::size_t j = 0; j + 1 < w.size(); ++j) {
        squares += w[j] * w[j];
    }
    return sum / static_cast<double>(z.size()) + 0.5 * l2 * squares;
}

// Newton's method in double: the optimum to machine precision.
std::vector<double> optimum(const std::vector<std::vector<double>>& z, const std::vector<float>& labels, double l2) {
    const std::size_t p = z[0].size();
    std::vector<double> w(p, 0.0);
    for (int step = 0; step < 50; ++step) {
        std::vector<std::vector<double>> a(p, std::vector<double>(p + 1, 0.0));  // Hessian | gradient
        for (std::size_t i = 0; i < z.size(); ++i) {
            double logit = 0.0;
            for (std::size_t j = 0; j < p; ++j) {
                logit += w[j] * z[i][j];
            }
            const double probability = 1.0 / (1.0 + std::exp(-logit));
            for (std::size_t j = 0; j < p; ++j) {
                a[j][p] += (probability - static_cast<double>(labels[i])) * z[i][j] / static_cast<double>(z.size());
                for (std::size_t k = 0; k < p; ++k) {
                    a[j][k] += probability * (1.0 - probability) * z[i][j] * z[i][k] / static_cast<double>(z.size());
                }
            }
        }
        for (std::size_t j = 0; j + 1 < p; ++j) {
            a[j][j] += l2;
            a[j][p] += l2 * w[j];
        }
        for (std::size_t j = 0; j < p; ++j) {  // Gauss-Jordan; the Hessian is positive definite
            for (std::size_t k = p + 1; k-- > j;) {
                a[j][k] /= a[j][j];
            }
            for (std::size_t i = 0; i < p; ++i) {
                const double factor = a[i][j];
                for (std::size_t k = j; i != j && k <= p; ++k) {
                    a[i][k] -= factor * a[j][k];
                }
            }
        }
        for (std::size_t j = 0; j < p; ++j) {
            w[j] -= a[j][p];
        }
    }
    return w;
}

// Three in four entries are 0; the last column is the same in all rows.
Problem mostly_zeros(std::size_t n, std::size_t d, std::uint64_t seed) {
    Random random(seed);
    Problem problem{Matrix<float>(n, d), std::vector<float>(n)};
    for (std::size_t i = 0; i < n; ++i) {
        double logit = -0.4;
        for (std::size_t j = 0; j + 1 < d; ++j) {
            if (random.below(4) == 0) {
                problem.rows(i, j) = static_cast<float>((random.normal() + 2.0) * static_cast<double>(j + 1));
                logit += j % 2 == 0 ? 1.0 : -0.7;
            }
        }
        problem.rows(i, d - 1) = 0.1F;
        problem.labels[i] = random.uniform() < 1.0 / (1.0 + std::exp(-logit)) ? 1.0F : 0.0F;
    }
    return problem;
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

auto state_of(const LogisticRegression& model) {
    const auto copy_of = [](std::span<const float> x) { return std::vector(x.begin(), x.end()); };
    return std::tuple(model.bias(), copy_of(model.weights()), copy_of(model.means()), copy_of(model.scales()),
                      model.score(CSRMatrix<float>({}, 1, model.features())));
}

std::vector<double> parameters_of(const LogisticRegression& model) {
    std::vector<double> w(model.weights().begin(), model.weights().end());
    w.push_back(static_cast<double>(model.bias()));
    return w;
}

std::vector<float> floats_of(const LogisticRegression& model) {
    std::vector<float> w(model.weights().begin(), model.weights().end());
    w.push_back(model.bias());
    return w;
}

}  // namespace

TEST_CASE("LogisticRegression: keeps what every ranker promises") {
    testing::check_ranker<LogisticRegression>(
        LogisticRegressionOptions{.epochs = 10, .batch_size = 300});  // two chunks
}

TEST_CASE("LogisticRegression: two steps worked by hand") {
    // x = 3 and 1 have mean 2 and scale 1: z = 1 and -1. Labels 1 and 0, learning rate 1, no penalty.
    // Step 1: both errors are one half, (-1/2) (1) and (1/2) (-1), mean -1/2: w = 1/2.
    // Step 2: logistic(1/2) = 0.62246, mean gradient -(1 - 0.62246): w = 0.87754. The bias stays at 0.
    Matrix<float> rows(2, 1);
    rows(0, 0) = 3.0F;
    rows(1, 0) = 1.0F;
    const std::vector<float> labels{1, 0};
    const LogisticRegressionOptions options{.epochs = 2, .learning_rate = 1.0F, .l2 = 0.0F};
    const auto model = LogisticRegression::fit<SGDRule>(rows, labels, options);
    CHECK(model.means()[0] == 2.0F);
    CHECK(model.scales()[0] == 1.0F);
    CHECK(model.weights()[0] == Approx(0.87754067).epsilon(1e-6));
    CHECK(model.bias() == Approx(0.0));
    CHECK(model.score(rows)[0] == Approx(0.87754067).epsilon(1e-6));
    CHECK(model.predict(rows)[0] == Approx(1.0 / (1.0 + std::exp(-0.87754067))).epsilon(1e-6));
}

TEST_CASE("LogisticRegression: every step follows the gradient, by central differences of the loss") {
    const Problem problem = random_problem(300, 3, 3);
    const auto z = design(problem);
    const double l2 = 0.25;
    for (const std::size_t epochs : {0U, 1U, 4U}) {
        LogisticRegressionOptions options{
            .epochs = epochs, .learning_rate = 0.5F, .l2 = static_cast<float>(l2), .batch_size = 300};
        const auto before = parameters_of(LogisticRegression::fit<SGDRule>(problem.rows, problem.labels, options));
        options.epochs = epochs + 1;
        const auto after = parameters_of(LogisticRegression::fit<SGDRule>(problem.rows, problem.labels, options));
        for (std::size_t j = 0; j < before.size(); ++j) {
            auto up = before;
            auto down = before;
            up[j] += 1e-5;
            down[j] -= 1e-5;
            const double gradient = (loss(z, problem.labels, up, l2) - loss(z, problem.labels, down, l2)) / 2e-5;
            // The parameters come as floats: 1e-7 of about 1, over a learning rate of 1/2.
            CHECK((before[j] - after[j]) / 0.5 == Approx(gradient).epsilon(1e-5).scale(1.0));
        }
    }
}

TEST_CASE("LogisticRegression: full batches reach the optimum that Newton's method finds") {
    const Problem problem = random_problem(200, 3, 11);
    const auto z = design(problem);
    for (const float l2 : {0.01F, 0.5F}) {
        const auto options = [&](float learning_rate) {
            return LogisticRegressionOptions{
                .epochs = 2000, .learning_rate = learning_rate, .l2 = l2, .batch_size = 200};
        };
        for (const auto& model : {LogisticRegression::fit(problem.rows, problem.labels, options(0.5F)),
                                  LogisticRegression::fit<SGDRule>(problem.rows, problem.labels, options(1.0F))}) {
            const auto best = optimum(z, problem.labels, static_cast<double>(l2));
            for (std::size_t j = 0; j < best.size(); ++j) {
                CHECK(parameters_of(model)[j] == Approx(best[j]).epsilon(1e-4));
            }
        }
    }
}

TEST_CASE("LogisticRegression: small batches come close to the optimum") {
    const Problem problem = random_problem(2000, 3, 12);
    const auto z = design(problem);
    const auto model = LogisticRegression::fit(problem.rows, problem.labels, {.batch_size = 32});
    const double best = loss(z, problem.labels, optimum(z, problem.labels, 1e-4), 1e-4);
    CHECK(loss(z, problem.labels, parameters_of(model), 1e-4) < best + 1e-3);
}

TEST_CASE("LogisticRegression: the unit of a feature does not matter") {
    Problem problem = random_problem(100, 2, 5);
    const auto model = LogisticRegression::fit(problem.rows, problem.labels);
    const auto scores = model.score(problem.rows);
    for (std::size_t i = 0; i < problem.rows.rows(); ++i) {
        problem.rows(i, 0) *= 1024.0F;  // a power of two: exact
    }
    const auto other = LogisticRegression::fit(problem.rows, problem.labels);
    CHECK(other.score(problem.rows) == scores);
    CHECK(floats_of(other) == floats_of(model));
}

TEST_CASE("LogisticRegression: a feature that never varies in training has no say") {
    Problem problem = random_problem(50, 2, 6);
    for (std::size_t i = 0; i < 50; ++i) {
        problem.rows(i, 1) = 0.1F;  // its sum rounds: a scale from rounding noise would blow up
    }
    const auto model = LogisticRegression::fit(problem.rows, problem.labels);
    CHECK(model.weights()[1] == 0.0F);
    CHECK(model.scales()[1] == 1.0F);
    const auto before = model.score(problem.rows);
    problem.rows(0, 1) = 1e6F;
    CHECK(model.score(problem.rows) == before);
}

TEST_CASE("LogisticRegression: the penalty keeps separable data finite") {
    Matrix<float> rows(4, 1);
    for (std::size_t i = 0; i < 4; ++i) {
        rows(i, 0) = static_cast<float>(i);
    }
    const std::vector<float> labels{0, 0, 1, 1};
    const LogisticRegressionOptions options{.epochs = 3000, .learning_rate = 0.5F, .l2 = 0.01F};
    const auto model = LogisticRegression::fit(rows, labels, options);
    const auto best = optimum(design({rows, labels}), labels, 0.01);
    CHECK(model.weights()[0] == Approx(best[0]).epsilon(1e-3));
    CHECK(model.weights()[0] < 10.0F);
    CHECK(model.predict(rows)[0] < 0.1F);
    CHECK(model.predict(rows)[3] > 0.9F);
}

TEST_CASE("LogisticRegression: the seed decides; the number of threads does not") {
    const Problem problem = random_problem(3000, 4, 7);
    const LogisticRegressionOptions options{.epochs = 3, .batch_size = 1000};
    const auto model = floats_of(LogisticRegression::fit(problem.rows, problem.labels, options));
    for (const std::size_t count : {1U, 2U, 4U}) {
        Threads pool(count);
        CHECK(floats_of(LogisticRegression::fit(problem.rows, problem.labels, options, pool)) == model);
    }
    CHECK(floats_of(LogisticRegression::fit(problem.rows, problem.labels,
                                            {.epochs = 3, .batch_size = 1000, .seed = 2})) != model);
}

TEST_CASE("LogisticRegression: tells how far it is, and stops when told to") {
    const Problem problem = random_problem(20, 1, 8);
    std::vector<std::size_t> done;
    std::stop_source stop;
    funnel::Serial serial;
    const auto report = [&](const funnel::Progress& progress) {
        done.push_back(progress.done);
        if (progress.done == 3) {
            stop.request_stop();
        }
    };
    CHECK_THROWS_AS((void)LogisticRegression::fit(problem.rows, problem.labels, {.epochs = 10},
                                                  funnel::Monitored(serial, report, stop.get_token())),
                    funnel::Cancelled);
    CHECK(done == std::vector<std::size_t>{1, 2, 3});
}

TEST_CASE("LogisticRegression: comes back from a file as it was; a damaged one is rejected") {
    const testing::TempDir dir;
    const Problem problem = random_problem(40, 3, 9);
    const auto model = LogisticRegression::fit(problem.rows, problem.labels, {.epochs = 5});
    model.save(dir / "model.fnl");
    CHECK(LogisticRegression::load(dir / "model.fnl").score(problem.rows) == model.score(problem.rows));
    testing::check_damage(testing::bytes_of(dir / "model.fnl"),
                          [&](const auto& path) { return LogisticRegression::load(path).score(problem.rows); });
    testing::check_forgeries(testing::bytes_of(dir / "model.fnl"), [](const auto& path) {
        const auto forged = LogisticRegression::load(path);
        const std::vector<float> ones(forged.features(), 1.0F);
        const auto scores = forged.score(MatrixView<const float>(ones, 1, ones.size()));
        REQUIRE(funnel::math::is_finite(scores[0]));
    });

    // Undamaged, but not what a model can be.
    const auto saved = [&](std::vector<float> weights, std::vector<float> means, std::vector<float> scales) {
        funnel::io::ContainerWriter file("ranking.Logistic", 1);
        file.value("bias", 0.5F);
        file.array("weights", weights);
        file.array("means", means);
        file.array("scales", scales);
        file.save(dir / "other.fnl");
        return dir / "other.fnl";
    };
    CHECK(LogisticRegression::load(saved({1}, {2}, {3})).features() == 1);
    CHECK_THROWS_AS((void)LogisticRegression::load(saved({1}, {2}, {0})), funnel::CorruptData);
    CHECK_THROWS_AS((void)LogisticRegression::load(saved({1}, {2, 2}, {3})), funnel::CorruptData);
    CHECK_THROWS_AS((void)LogisticRegression::load(saved({1}, {2}, {3, 3})), funnel::CorruptData);
    CHECK_THROWS_AS((void)LogisticRegression::load(saved({infinity}, {2}, {3})), funnel::CorruptData);
    CHECK_THROWS_AS((void)LogisticRegression::load(saved({1}, {not_a_number}, {3})), funnel::CorruptData);
    CHECK_THROWS_AS((void)LogisticRegression::load(saved({1}, {2}, {infinity})), funnel::CorruptData);
}

TEST_CASE("LogisticRegression: edges") {
    // Without features: the log of the odds, here 3 to 1.
    const auto bias_only = LogisticRegression::fit(Matrix<float>(4, 0), std::vector<float>{1, 1, 0, 1},
                                                   {.epochs = 2000, .learning_rate = 0.5F});
    CHECK(bias_only.predict(Matrix<float>(1, 0))[0] == Approx(0.75).epsilon(1e-4));
    // One row; no epochs; no rows to score.
    CHECK(LogisticRegression::fit(Matrix<float>(1, 2), std::vector<float>{1}).features() == 2);
    const auto start = LogisticRegression::fit(Matrix<float>(1, 2), std::vector<float>{1}, {.epochs = 0});
    CHECK(start.score(Matrix<float>(3, 2)) == std::vector<float>{0, 0, 0});
    CHECK(start.predict(Matrix<float>(0, 2)).empty());
    // All of one class: the penalty does not hold the bias, but the steps get smaller.
    CHECK(LogisticRegression::fit(Matrix<float>(3, 1), std::vector<float>{1, 1, 1}).bias() < 20.0F);
}

TEST_CASE("LogisticRegression: rejects what it cannot learn from") {
    Matrix<float> rows(2, 2);
    const std::vector<float> labels{0, 1};
    const auto fit = [&](const LogisticRegressionOptions& options) {
        return LogisticRegression::fit(rows, labels, options);
    };
    CHECK_THROWS_AS((void)fit({.learning_rate = 0.0F}), InvalidArgument);
    CHECK_THROWS_AS((void)fit({.learning_rate = infinity}), InvalidArgument);
    CHECK_THROWS_AS((void)fit({.learning_rate = not_a_number}), InvalidArgument);
    CHECK_THROWS_AS((void)fit({.l2 = -1.0F}), InvalidArgument);
    CHECK_THROWS_AS((void)fit({.l2 = not_a_number}), InvalidArgument);
    CHECK_THROWS_AS((void)fit({.batch_size = 0}), InvalidArgument);

    CHECK_THROWS_AS((void)LogisticRegression::fit(Matrix<float>(0, 2), {}), InvalidArgument);
    CHECK_THROWS_AS((void)LogisticRegression::fit(rows, std::vector<float>{1}), InvalidArgument);
    CHECK_THROWS_AS((void)LogisticRegression::fit(rows, std::vector<float>{1, 2}), InvalidArgument);

    const auto model = fit({});
    CHECK_THROWS_AS((void)model.score(Matrix<float>(1, 3)), InvalidArgument);
    rows(1, 0) = not_a_number;
    CHECK_THROWS_WITH_AS((void)fit({}), "LogisticRegression::fit: the feature at row 1, column 0 must be finite",
                         InvalidArgument);
    CHECK_THROWS_WITH_AS((void)model.predict(rows), "LogisticRegression: the feature at row 1, column 0 must be finite",
                         InvalidArgument);

    Matrix<float> wide(2, 1);
    wide(0, 0) = 1.0F;
    CHECK_THROWS_AS(
        (void)LogisticRegression::fit<SGDRule>(wide, labels, {.epochs = 500, .learning_rate = 1e30F, .l2 = 1e8F}),
        InvalidArgument);  // diverges
}

TEST_CASE("LogisticRegression: a sparse matrix gives the model of the same dense one, but for rounding") {
    for (const std::uint64_t seed : {1U, 2U, 3U}) {
        const Problem problem = mostly_zeros(700, 6, seed);
        const auto sparse_rows = sparse_of(problem.rows);
        const auto check = [&]<class Rule>(std::type_identity<Rule>, std::size_t batch_size) {
            const LogisticRegressionOptions options{.epochs = 20, .batch_size = batch_size};
            const auto dense = LogisticRegression::fit<Rule>(problem.rows, problem.labels, options);
            const auto sparse = LogisticRegression::fit<Rule>(sparse_rows, problem.labels, options);
            const auto means = [](const LogisticRegression& model) { return std::get<2>(state_of(model)); };
            CHECK(means(sparse) == means(dense));
            for (std::size_t j = 0; j <= sparse.features(); ++j) {
                CHECK(parameters_of(sparse)[j] == Approx(parameters_of(dense)[j]).epsilon(1e-5).scale(0.1));
            }
            CHECK(sparse.weights()[5] == 0.0F);  // exactly: a feature that never varies has no say
            CHECK(sparse.scales()[5] == 1.0F);

            const auto expected = dense.score(problem.rows);
            const auto of_dense = sparse.score(problem.rows);
            const auto of_sparse = sparse.score(sparse_rows);
            const auto probabilities = sparse.predict(sparse_rows);
            for (std::size_t i = 0; i < expected.size(); ++i) {
                CHECK(of_dense[i] == Approx(expected[i]).epsilon(1e-4).scale(0.1));
                CHECK(of_sparse[i] == Approx(of_dense[i]).epsilon(1e-5).scale(0.1));
                CHECK(probabilities[i] == Approx(1.0 / (1.0 + std::exp(-static_cast<double>(of_sparse[i])))));
            }
        };
        check(std::type_identity<AdagradRule>{}, 256);
        check(std::type_identity<AdagradRule>{}, 600);
        check(std::type_identity<SGDRule>{}, 32);
    }
}

TEST_CASE("LogisticRegression: sparse rows reach the optimum that Newton's method finds") {
    const Problem problem = mostly_zeros(300, 4, 5);
    const auto model = LogisticRegression::fit(sparse_of(problem.rows), problem.labels,
                                               {.epochs = 2000, .learning_rate = 0.5F, .l2 = 0.05F, .batch_size = 300});
    Matrix<float> varying(300, 3);  // without the constant column, of which Newton's method knows nothing
    for (std::size_t i = 0; i < 300; ++i) {
        for (std::size_t j = 0; j < 3; ++j) {
            varying(i, j) = problem.rows(i, j);
        }
    }
    const auto best = optimum(design({varying, problem.labels}), problem.labels, 0.05);
    for (std::size_t j = 0; j < 3; ++j) {
        CHECK(model.weights()[j] == Approx(best[j]).epsilon(1e-4));
    }
    CHECK(model.bias() == Approx(best[3]).epsilon(1e-4));
}

TEST_CASE("LogisticRegression: sparse rows give the same model for any number of threads") {
    const Problem problem = mostly_zeros(3000, 6, 4);
    const auto rows = sparse_of(problem.rows);
    const LogisticRegressionOptions options{.epochs = 3, .batch_size = 1000};
    const auto model = floats_of(LogisticRegression::fit(rows, problem.labels, options));
    for (const std::size_t count : {1U, 2U, 4U}) {
        Threads pool(count);
        CHECK(floats_of(LogisticRegression::fit(rows, problem.labels, options, pool)) == model);
    }
}

TEST_CASE("LogisticRegression: sparse rows are never made dense") {
    constexpr std::uint32_t n = 2000;
    constexpr std::uint32_t d = 50'000;  // dense rows would take 400 MB
    std::vector<Triplet<float>> entries;
    std::vector<float> labels;
    for (std::uint32_t i = 0; i < n; ++i) {
        entries.push_back({i, i * 25, 1.0F});
        labels.push_back(static_cast<float>(i % 2));
    }
    const CSRMatrix<float> rows(entries, n, d);
    const auto fit_and_score = [&] {
        const auto model = LogisticRegression::fit(rows, labels, {.epochs = 1});
        CHECK(model.score(rows).size() == n);
    };
    CHECK(testing::allocated_bytes_of(fit_and_score) < std::size_t{d} * 120);
    const auto model = LogisticRegression::fit(rows, labels, {.epochs = 1});
    CHECK(testing::allocated_bytes_of([&] { (void)model.score(rows); }) <= n * sizeof(float));
}

TEST_CASE("LogisticRegression: sparse scores survive a file; edges of sparse rows") {
    const testing::TempDir dir;
    const Problem problem = mostly_zeros(50, 4, 6);
    const auto rows = sparse_of(problem.rows);
    const auto model = LogisticRegression::fit(rows, problem.labels);
    model.save(dir / "model.fnl");
    CHECK(LogisticRegression::load(dir / "model.fnl").score(rows) == model.score(rows));
    CHECK(model.score(CSRMatrix<float>({}, 0, 4)).empty());
    CHECK_THROWS_AS((void)model.score(CSRMatrix<float>({}, 1, 5)), InvalidArgument);
    // No entries at all: the log of the odds, as without features.
    const auto empty = LogisticRegression::fit(CSRMatrix<float>({}, 4, 3), std::vector<float>{1, 1, 0, 1},
                                               {.epochs = 2000, .learning_rate = 0.5F});
    CHECK(empty.predict(CSRMatrix<float>({}, 1, 3))[0] == Approx(0.75).epsilon(1e-4));
    CHECK_THROWS_AS((void)LogisticRegression::fit(CSRMatrix<float>({}, 0, 3), {}), InvalidArgument);
}

TEST_CASE("LogisticRegression: rejects sparse rows and labels that are not finite") {
    const std::vector<Triplet<float>> entries{{0, 0, 1.0F}, {1, 2, not_a_number}};
    const CSRMatrix<float> rows(entries, 2, 3);
    const CSRMatrix<float> good(std::vector<Triplet<float>>{{0, 0, 1.0F}}, 2, 3);
    CHECK_THROWS_WITH_AS((void)LogisticRegression::fit(rows, std::vector<float>{0, 1}),
                         "LogisticRegression::fit: the feature at row 1, column 2 must be finite", InvalidArgument);
    CHECK_THROWS_WITH_AS((void)LogisticRegression::fit(good, std::vector<float>{0, 1}).score(rows),
                         "LogisticRegression: the feature at row 1, column 2 must be finite", InvalidArgument);
    CHECK_THROWS_AS((void)LogisticRegression::fit(good, std::vector<float>{0, not_a_number}), InvalidArgument);
    CHECK_THROWS_AS((void)LogisticRegression::fit(good, std::vector<float>{0, infinity}), InvalidArgument);
}

TEST_CASE("LogisticRegression: scores of finite features are finite, however large") {
    const testing::TempDir dir;
    constexpr float most = std::numeric_limits<float>::max();
    funnel::io::ContainerWriter file("ranking.Logistic", 1);
    file.value("bias", 0.0F);
    const std::vector<float> weights{most, 1.0F};
    const std::vector<float> means{0.0F, most};
    const std::vector<float> scales{std::numeric_limits<float>::min(), 1.0F};
    file.array("weights", weights);
    file.array("means", means);
    file.array("scales", scales);
    file.save(dir / "large.fnl");
    const auto model = LogisticRegression::load(dir / "large.fnl");
    Matrix<float> rows(2, 2);
    rows(0, 0) = most;
    rows(1, 0) = -most;
    CHECK(model.score(rows) == std::vector<float>{most, -most});
    CHECK(model.score(sparse_of(rows)) == std::vector<float>{most, -most});
    CHECK(model.predict(rows) == std::vector<float>{1, 0});
}

TEST_CASE("LogisticRegression: one that was moved from has no features, and can be asked and assigned") {
    const Problem problem = random_problem(30, 3, 20);
    auto model = LogisticRegression::fit(problem.rows, problem.labels);
    const auto copy = model;
    const auto taken = std::move(model);
    CHECK(state_of(taken) == state_of(copy));
    CHECK(model.features() == 0);  // NOLINT(bugprone-use-after-move): that is the question
    CHECK(model.means().empty());
    CHECK(model.score(Matrix<float>(2, 0)).size() == 2);
    CHECK_THROWS_AS((void)model.score(problem.rows), InvalidArgument);
    model = copy;
    CHECK(state_of(model) == state_of(copy));
}

TEST_CASE("LogisticRegression: a batch larger than all rows is all rows") {
    const Problem problem = random_problem(100, 2, 23);
    const auto with = [&](std::size_t batch_size) {
        return floats_of(
            LogisticRegression::fit(problem.rows, problem.labels, {.epochs = 3, .batch_size = batch_size}));
    };
    CHECK(with(std::numeric_limits<std::size_t>::max()) == with(100));
}
