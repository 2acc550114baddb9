// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/ranking/ffm.hpp>
#include <funnel/ranking/fm.hpp>

#include "ranking/step_checks.hpp"
#include "support/allocations.hpp"
#include "support/ranker_contract.hpp"
#include "support/temp_dir.hpp"

#include <funnel/core/matrix.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/sparse.hpp>
#include <funnel/metrics/auc.hpp>
#include <funnel/nn/sgd.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

using doctest::Approx;
using funnel::CSRMatrix;
using funnel::InvalidArgument;
using funnel::Matrix;
using funnel::Random;
using funnel::Triplet;
using funnel::nn::SGDRule;
using funnel::ranking::FFM;
using funnel::ranking::FFMOptions;
using funnel::ranking::FM;

namespace {

namespace testing = funnel::testing;

constexpr float infinity = std::numeric_limits<float>::infinity();

// All that a model knows, in double.
struct Parameters {
    double bias;
    std::vector<double> w;
    std::vector<std::vector<std::vector<double>>> v;  // feature, field, factor
    std::vector<std::uint32_t> field;

    Parameters(const FFM& model, std::size_t fields)
        : bias(static_cast<double>(model.bias())),
          w(model.weights().begin(), model.weights().end()),
          v(w.size(), std::vector<std::vector<double>>(fields)),
          field(model.fields().begin(), model.fields().end()) {
        for (std::size_t j = 0; j < w.size(); ++j) {
            for (std::size_t f = 0; f < fields; ++f) {
                v[j][f].assign(model.vector(j, f).begin(), model.vector(j, f).end());
            }
        }
    }

    std::vector<double*> all() {
        std::vector<double*> numbers{&bias};
        for (double& x : w) {
            numbers.push_back(&x);
        }
        for (auto& of_feature : v) {
            for (auto& vector : of_feature) {
                for (double& x : vector) {
                    numbers.push_back(&x);
                }
            }
        }
        return numbers;
    }
};

// The definition.
double logit_of(const Parameters& p, std::span<const float> x) {
    double sum = p.bias;
    for (std::size_t i = 0; i < x.size(); ++i) {
        sum += p.w[i] * static_cast<double>(x[i]);
        for (std::size_t j = i + 1; j < x.size(); ++j) {
            double inner = 0.0;
            for (std::size_t f = 0; f < p.v[i][0].size(); ++f) {
                inner += p.v[i][p.field[j]][f] * p.v[j][p.field[i]][f];
            }
            sum += inner * static_cast<double>(x[i]) * static_cast<double>(x[j]);
        }
    }
    return sum;
}

// The loss of one row, with the penalty on the weights and vectors that the logit reads.
double loss(const Parameters& p, std::span<const float> x, float label, double l2) {
    const double logit = logit_of(p, x);
    double squares = 0.0;
    for (std::size_t i = 0; i < x.size(); ++i) {
        squares += x[i] != 0.0F ? p.w[i] * p.w[i] : 0.0;
        for (std::size_t f = 0; f < p.v[i].size(); ++f) {
            bool is_read = false;
            for (std::size_t j = 0; j < x.size(); ++j) {
                is_read = is_read || (j != i && x[i] != 0.0F && x[j] != 0.0F && p.field[j] == f);
            }
            for (const double v : p.v[i][f]) {
                squares += is_read ? v * v : 0.0;
            }
        }
    }
    return testing::logloss_of(logit, static_cast<double>(label)) + 0.5 * l2 * squares;
}

const std::vector<std::uint32_t> three_fields{0, 0, 1, 2, 2, 2};

}  // namespace

TEST_CASE("FFM: keeps what every ranker promises") {
    for (const std::size_t factors : {0U, 3U}) {
        testing::check_ranker<FFM>(FFMOptions{.factors = factors, .epochs = 5});
    }
}

TEST_CASE("FFM: one pair worked by hand") {
    // Feature 0 of field 0, features 1 and 2 of field 1. Feature 0 meets both with its vector for field 1.
    Matrix<float> row(1, 3);
    row(0, 0) = 1.0F;
    row(0, 1) = 2.0F;
    row(0, 2) = -1.0F;
    const auto model = FFM::fit(row, std::vector<float>{1}, {.fields = {0, 1, 1}, .factors = 1, .epochs = 0});
    const auto v = [&](std::size_t feature, std::size_t field) {
        return static_cast<double>(model.vector(feature, field)[0]);
    };
    const double expected = v(0, 1) * v(1, 0) * 1 * 2 + v(0, 1) * v(2, 0) * 1 * -1 + v(1, 1) * v(2, 1) * 2 * -1;
    CHECK(model.score(row)[0] == Approx(expected).epsilon(1e-6));
    CHECK(expected != 0.0);
}

TEST_CASE("FFM: scores agree with the sum over all pairs") {
    const testing::detail::RankerSample sample(50, 6, 4);
    for (const std::size_t factors : {1U, 5U}) {
        for (const auto& fields : {three_fields, {0, 1, 2, 3, 4, 5}, {0, 0, 0, 0, 0, 0}}) {
            const auto model = FFM::fit(sample.rows, sample.labels,
                                        {.fields = fields, .factors = factors, .epochs = 3, .init_scale = 0.7F});
            const Parameters parameters(model, fields.back() + 1);
            const auto scores = model.score(sample.rows);
            for (std::size_t i = 0; i < 50; ++i) {
                CHECK(scores[i] == Approx(logit_of(parameters, sample.rows.row(i))).epsilon(1e-5).scale(1.0));
            }
        }
    }
}

TEST_CASE("FFM: a step follows the gradient, by central differences of the loss") {
    const double l2 = 0.125;
    for (const std::uint64_t seed : {1U, 2U, 3U, 4U}) {
        const testing::detail::RankerSample sample(1, 6, seed);
        FFMOptions options{.fields = three_fields,
                           .factors = 2,
                           .epochs = 2,
                           .learning_rate = 0.25F,
                           .l2 = static_cast<float>(l2),
                           .init_scale = 0.5F,
                           .seed = seed};
        Matrix<float> row(1, 6);
        for (std::size_t j = 0; j < 6; ++j) {
            row(0, j) = j == seed ? 0.0F : 0.3F * static_cast<float>(j + 1);
        }
        Parameters before(FFM::fit<SGDRule>(row, sample.labels, options), 3);
        options.epochs = 3;
        Parameters after(FFM::fit<SGDRule>(row, sample.labels, options), 3);
        testing::check_step(before.all(), after.all(), 0.25,
                            [&] { return loss(before, row.row(0), sample.labels[0], l2); });
    }
}

TEST_CASE("FFM: learns that a feature means another thing to each field; FM with as many factors cannot") {
    // Three one-hot fields: a user, a genre, a publisher, of 8 values each. The click depends on the parity of user and
    // genre, and on another parity (of the halves) of user and publisher; genre and publisher do not matter together.
    const auto sample = [](std::uint64_t seed) {
        Random random(seed);
        std::vector<Triplet<float>> entries;
        std::vector<float> labels;
        for (std::uint32_t i = 0; i < 3000; ++i) {
            const auto user = static_cast<std::uint32_t>(random.below(8));
            const auto genre = static_cast<std::uint32_t>(random.below(8));
            const auto publisher = static_cast<std::uint32_t>(random.below(8));
            entries.push_back({i, user, 1.0F});
            entries.push_back({i, 8 + genre, 1.0F});
            entries.push_back({i, 16 + publisher, 1.0F});
            const double logit = ((user % 2 == genre % 2) ? 2.0 : -2.0) + ((user / 4 == publisher / 4) ? 2.0 : -2.0);
            labels.push_back(random.uniform() < 1.0 / (1.0 + std::exp(-logit)) ? 1.0F : 0.0F);
        }
        return std::pair(CSRMatrix<float>(entries, 3000, 24), labels);
    };
    const auto [train, train_labels] = sample(1);
    const auto [test, test_labels] = sample(2);
    std::vector<std::uint32_t> fields(24);
    for (std::uint32_t j = 0; j < 24; ++j) {
        fields[j] = j / 8;
    }
    const auto ffm = FFM::fit(train, train_labels, {.fields = fields, .factors = 1, .epochs = 20});
    const auto fm = FM::fit(train, train_labels, {.factors = 1, .epochs = 20, .init_scale = 0.1F});
    CHECK(funnel::metrics::auc(ffm.score(test), test_labels) > 0.85);  // 0.861 with the true logits
    CHECK(funnel::metrics::auc(fm.score(test), test_labels) < 0.83);
}

TEST_CASE("FFM: rejects fields that do not fit, and what it cannot learn from") {
    const testing::detail::RankerSample sample(20, 3, 5);
    const auto fails = [&](const FFMOptions& options) {
        CHECK_THROWS_AS((void)FFM::fit(sample.rows, sample.labels, options), InvalidArgument);
    };
    fails({.fields = {0, 1}});
    fails({.fields = {0, 1, 2, 3}});
    fails({.fields = {0, 1, 3}});
    fails({.fields = {0, 1, std::numeric_limits<std::uint32_t>::max()}});
    fails({.factors = std::numeric_limits<std::size_t>::max()});
    fails({.learning_rate = 0.0F});
    fails({.l2 = -1.0F});
    fails({.init_scale = infinity});
    CHECK_THROWS_AS(
        (void)FFM::fit<SGDRule>(sample.rows, sample.labels, {.epochs = 100, .learning_rate = 1e30F, .l2 = 1e5F}),
        InvalidArgument);  // diverges
    const auto model = FFM::fit(sample.rows, sample.labels, {.fields = {0, 1, 1}});
    CHECK_THROWS_AS((void)model.vector(3, 0), InvalidArgument);
    CHECK_THROWS_AS((void)model.vector(0, 2), InvalidArgument);
    CHECK(model.vector(2, 1).size() == 4);
}

TEST_CASE("FFM: a file that holds what no model can be is rejected; a claim of many factors takes no memory") {
    const testing::TempDir dir;
    const auto saved = [&](std::uint64_t factors, float bias, std::vector<std::uint32_t> fields,
                           std::vector<float> weights, std::size_t rows, std::size_t cols, float v) {
        Matrix<float> vectors(rows, cols);
        for (std::size_t i = 0; i < rows && cols > 0; ++i) {
            vectors(i, cols - 1) = v;
        }
        funnel::io::ContainerWriter file("ranking.FFM", 1);
        file.value("factors", factors);
        file.value("bias", bias);
        file.array("fields", fields);
        file.array("weights", weights);
        file.matrix("vectors", vectors);
        file.save(dir / "ffm.fnl");
        return dir / "ffm.fnl";
    };
    CHECK(FFM::load(saved(2, 0, {0, 1}, {0, 0}, 2, 4, 1)).factors() == 2);
    const auto rejects = [](const std::string& path) { CHECK_THROWS_AS((void)FFM::load(path), funnel::CorruptData); };
    rejects(saved(2, 0, {0, 2}, {0, 0}, 2, 6, 1));
    rejects(saved(2, 0, {0, 1}, {0}, 2, 4, 1));
    rejects(saved(2, 0, {0, 1}, {0, 0}, 2, 6, 1));
    rejects(saved(2, 0, {0, 1}, {0, 0}, 1, 4, 1));
    rejects(saved(2, infinity, {0, 1}, {0, 0}, 2, 4, 1));
    rejects(saved(2, 0, {0, 1}, {0, infinity}, 2, 4, 1));
    rejects(saved(2, 0, {0, 1}, {0, 0}, 2, 4, infinity));
    rejects(saved(std::uint64_t{1} << 33U, 0, {}, {}, 0, 0, 0));
    rejects(saved(0xFFFF'FFFF, 0, {0, 1}, {0, 0}, 2, 4, 1));
    const auto path = saved(0xFFFF'FFFF, 0.5F, {}, {}, 0, 0, 0);
    CHECK(testing::allocated_bytes_of([&] {
              CHECK(FFM::load(path).score(Matrix<float>(2, 0)) == std::vector<float>{0.5F, 0.5F});
          }) < 2'000'000);  // files are read through a buffer of 1 MB
}
