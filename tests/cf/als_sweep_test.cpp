// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/cf/als_sweep.hpp>

#include "cf/random_log.hpp"

#include <funnel/core/matrix.hpp>
#include <funnel/core/parallel.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/sparse.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/data/user_item_matrix.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

using funnel::CSRMatrix;
using funnel::InvalidArgument;
using funnel::Matrix;
using funnel::MatrixView;
using funnel::Threads;
using namespace funnel::cf;
namespace testing = funnel::testing;

namespace {

using Ids = std::vector<std::uint32_t>;

// Observed rows, each with the value 1.
struct Observed {
    Ids ids;
    std::vector<float> values = std::vector<float>(ids.size(), 1.0F);

    [[nodiscard]] funnel::SparseRow<float> row() const { return {ids, values}; }
};

Matrix<float> random_rows(std::size_t rows, std::size_t cols, std::uint64_t seed) {
    funnel::Random random(seed);
    Matrix<float> matrix(rows, cols);
    for (std::size_t i = 0; i < rows; ++i) {
        for (float& x : matrix.row(i)) {
            x = static_cast<float>(0.3 * random.normal());
        }
    }
    return matrix;
}

double product(std::span<const float> a, std::span<const float> b) {
    double sum = 0.0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    }
    return sum;
}

// What one row costs, word for word.
double row_loss(std::span<const float> x, const Ids& observed, const Matrix<float>& y,
                const ImplicitALSOptions& options) {
    double loss = 0.0;
    for (std::size_t i = 0; i < y.rows(); ++i) {
        const double score = product(x, y.row(i));
        loss += static_cast<double>(options.alpha0) * score * score;
        if (std::find(observed.begin(), observed.end(), i) != observed.end()) {
            loss += (1.0 - score) * (1.0 - score);
        }
    }
    const double weight =
        static_cast<double>(observed.size()) + static_cast<double>(options.alpha0) * static_cast<double>(y.rows());
    return loss +
           static_cast<double>(options.lambda) * std::pow(weight, static_cast<double>(options.nu)) * product(x, x);
}

// The whole objective.
double total_loss(const CSRMatrix<float>& user_item, const Matrix<float>& w, const Matrix<float>& h,
                  const ImplicitALSOptions& options) {
    double loss = 0.0;
    const auto item_user = user_item.transposed();
    const auto alpha0 = static_cast<double>(options.alpha0);
    const auto penalty = [&](std::size_t count, std::size_t others) {
        return static_cast<double>(options.lambda) *
               std::pow(static_cast<double>(count) + alpha0 * static_cast<double>(others),
                        static_cast<double>(options.nu));
    };
    for (std::size_t u = 0; u < w.rows(); ++u) {
        for (std::size_t i = 0; i < h.rows(); ++i) {
            const double score = product(w.row(u), h.row(i));
            loss += alpha0 * score * score;
        }
        for (const std::uint32_t i : user_item.row(u).columns) {
            const double miss = 1.0 - product(w.row(u), h.row(i));
            loss += miss * miss;
        }
        loss += penalty(user_item.row(u).size(), h.rows()) * product(w.row(u), w.row(u));
    }
    for (std::size_t i = 0; i < h.rows(); ++i) {
        loss += penalty(item_user.row(i).size(), w.rows()) * product(h.row(i), h.row(i));
    }
    return loss;
}

std::vector<float> solved(const Ids& observed, const Matrix<float>& y, const ImplicitALSOptions& options,
                          std::vector<float> start) {
    const Eigen::MatrixXf gram = als_gram(y.view(), options.alpha0);
    ALSRowSolver<>(y.view(), gram, options).solve(Observed{observed}.row(), start);
    return start;
}

}  // namespace

TEST_CASE("ALSRowSolver: worked by hand") {
    // d = 1, y = (1, 2), S = {1}, alpha0 = 0.5, lambda = 1, nu = 1. Loss: (1 - 2x)^2 + 0.5 (x^2 + 4 x^2) + (1 + 1) x^2,
    // least at x = 2 / (4 + 2.5 + 2) = 4 / 17.
    Matrix<float> y(2, 1);
    y(0, 0) = 1.0F;
    y(1, 0) = 2.0F;
    const ImplicitALSOptions options{.factors = 1, .lambda = 1.0F, .alpha0 = 0.5F};
    CHECK(solved({1}, y, options, {0.0F})[0] == doctest::Approx(4.0 / 17));
    // nu = 0: the penalty is lambda alone, so 2 / (4 + 2.5 + 1).
    CHECK(solved({1}, y, {.factors = 1, .lambda = 1.0F, .alpha0 = 0.5F, .nu = 0.0F}, {0.0F})[0] ==
          doctest::Approx(2.0 / 7.5));
    // In one dimension one step of conjugate gradients is exact.
    CHECK(solved({1}, y,
                 {.factors = 1, .lambda = 1.0F, .alpha0 = 0.5F, .solver = ALSSolver::ConjugateGradient, .cg_steps = 1},
                 {5.0F})[0] == doctest::Approx(4.0 / 17));
}

// As the score of the best row is linear in what the observed pairs are worth (1 each), the share of a pair is what the
// score loses when that pair alone is worth 0 and still weighs as much.
TEST_CASE("ALSRowSolver: weigh gives the shares of a score") {
    // One factor: y = (1, 2, 3), S = {0, 1}, target 3. A = 1 + 4 + 0.5 (1 + 4 + 9) + 0.1 (2 + 0.5 * 3) = 12.35.
    const std::vector<float> numbers{1.0F, 2.0F, 3.0F};
    const MatrixView<const float> column(numbers, 3, 1);
    const ImplicitALSOptions one{.factors = 1, .lambda = 0.1F, .alpha0 = 0.5F};
    const Eigen::MatrixXf one_gram = als_gram(column, one.alpha0);
    CHECK(ALSRowSolver<>(column, one_gram, one).weigh(Observed{{0, 1}}.row(), column.row(2))[0] ==
          doctest::Approx(3.0 / 12.35));

    // The gradient of the loss with pair `dropped` worth 0 vanishes at the best row minus A^-1 y_dropped.
    const Matrix<float> y = random_rows(12, 4, 1);
    const ImplicitALSOptions options{.factors = 4, .lambda = 0.02F, .alpha0 = 0.3F, .nu = 0.8F};
    const Eigen::MatrixXf gram = als_gram(y.view(), options.alpha0);
    ALSRowSolver<> solver(y.view(), gram, options);
    const Ids observed{1, 4, 5, 9};
    std::vector<float> best(4);
    solver.solve(Observed{observed}.row(), best);
    for (const std::uint32_t dropped : observed) {
        const std::vector<float> lost = solver.weigh(Observed{observed}.row(), y.row(dropped));
        const auto loss = [&](std::span<const float> x) {
            // (0 - s)^2 instead of (1 - s)^2
            return row_loss(x, observed, y, options) + 2.0 * product(x, y.row(dropped)) - 1.0;
        };
        std::vector<float> without(4);
        for (std::size_t k = 0; k < 4; ++k) {
            without[k] = best[k] - lost[k];
        }
        for (std::size_t k = 0; k < 4; ++k) {
            std::vector<float> up = without;
            std::vector<float> down = without;
            up[k] += 0.01F;
            down[k] -= 0.01F;
            CHECK((loss(up) - loss(down)) / 0.02 == doctest::Approx(0.0).scale(1.0).epsilon(1e-3));
        }
    }
}

TEST_CASE("ALSRowSolver: the gradient of the loss vanishes at the solved row") {
    const Matrix<float> y = random_rows(150, 7, 2);
    funnel::Random random(5);
    for (const std::size_t count : {1U, 5U, 64U, 65U, 140U}) {  // around the rows of a panel
        Ids all(150);
        for (std::uint32_t i = 0; i < 150; ++i) {
            all[i] = i;
        }
        random.shuffle(std::span(all));
        Ids observed(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(count));
        std::sort(observed.begin(), observed.end());
        for (const float nu : {0.0F, 0.5F, 1.0F}) {
            const ImplicitALSOptions options{.factors = 7, .lambda = 0.05F, .alpha0 = 0.2F, .nu = nu};
            const std::vector<float> x = solved(observed, y, options, std::vector<float>(7));
            CAPTURE(count);
            CAPTURE(nu);
            for (std::size_t k = 0; k < 7; ++k) {
                constexpr float h = 1.0F / 64;  // the loss is quadratic: central differences are exact up to rounding
                std::vector<float> up = x;
                std::vector<float> down = x;
                up[k] += h;
                down[k] -= h;
                const double slope = (row_loss(up, observed, y, options) - row_loss(down, observed, y, options)) /
                                     (static_cast<double>(up[k]) - static_cast<double>(down[k]));
                // Second derivatives are about 2 (count + 30) 0.09; a float's relative error of 1e-6 times that.
                CHECK(std::abs(slope) < 1e-3);
            }
        }
    }
}

TEST_CASE("ALSRowSolver: conjugate gradients come closer with each step, and arrive") {
    const Matrix<float> y = random_rows(90, 8, 3);
    const Ids observed{1, 2, 30, 44, 45, 60, 89};
    ImplicitALSOptions options{.factors = 8};
    const std::vector<float> exact = solved(observed, y, options, std::vector<float>(8));
    options.solver = ALSSolver::ConjugateGradient;
    const std::vector<float> start(8, 0.5F);
    double before = row_loss(start, observed, y, options);
    for (options.cg_steps = 1; options.cg_steps <= 8; ++options.cg_steps) {
        const double loss = row_loss(solved(observed, y, options, start), observed, y, options);
        CHECK(loss <= before + 1e-6);
        before = loss;
    }
    const double least = row_loss(exact, observed, y, options);
    CHECK(before - least < 1e-6 * (row_loss(start, observed, y, options) - least));  // 8 steps for 8 factors
    options.cg_steps = 40;
    const std::vector<float> last = solved(observed, y, options, start);
    for (std::size_t k = 0; k < 8; ++k) {
        CHECK(last[k] == doctest::Approx(exact[k]).epsilon(1e-3));
    }
    options.cg_steps = 0;
    CHECK(solved(observed, y, options, start) == start);
    options.cg_steps = 3;
    CHECK(solved(observed, y, options, exact)[0] == doctest::Approx(exact[0]).epsilon(1e-3));  // stays where it is good
}

// The definitions of the three objectives, pair by pair.
double weighted_loss(std::span<const float> x, const Observed& observed, const Matrix<float>& y,
                     const ImplicitALSOptions& options) {
    const double alpha0 = static_cast<double>(options.alpha0);
    double loss = 0.0;
    double sum = 0.0;
    for (std::size_t i = 0; i < y.rows(); ++i) {
        const double score = product(x, y.row(i));
        const auto at = std::find(observed.ids.begin(), observed.ids.end(), i) - observed.ids.begin();
        const bool is_observed = at < std::ssize(observed.ids);
        const double value = is_observed ? static_cast<double>(observed.values[static_cast<std::size_t>(at)]) : 0.0;
        const double preference = value > 0.0 ? 1.0 : 0.0;
        const double miss = (preference - score) * (preference - score);
        if (options.objective == ALSObjective::Rendle) {
            loss += std::abs(value) * miss + alpha0 * score * score;
            sum += std::abs(value);
        } else if (options.objective == ALSObjective::HuKorenVolinsky) {
            loss += (1.0 + static_cast<double>(options.alpha) * std::abs(value)) * miss;
        } else {
            loss += (is_observed ? std::abs(value) : 1.0) * miss;
        }
    }
    const double penalty = options.objective == ALSObjective::Rendle
                               ? std::pow(sum + alpha0 * static_cast<double>(y.rows()), static_cast<double>(options.nu))
                               : 1.0;
    return loss + static_cast<double>(options.lambda) * penalty * product(x, x);
}

TEST_CASE("ALSRowSolver: the gradient of each objective vanishes, with confidences and dislikes") {
    const Matrix<float> y = random_rows(60, 37, 2);
    const Observed observed{{2, 3, 10, 11, 12, 40, 59}, {2.5F, -1.0F, 0.25F, 3.0F, -0.5F, 0.0F, 1.0F}};
    for (const ALSObjective objective :
         {ALSObjective::Rendle, ALSObjective::HuKorenVolinsky, ALSObjective::Confidence}) {
        for (const ALSSolver solver : {ALSSolver::Cholesky, ALSSolver::ConjugateGradient, ALSSolver::Blocks}) {
            const ImplicitALSOptions options{.factors = 37,
                                             .lambda = 0.3F,
                                             .alpha0 = 0.2F,
                                             .nu = 0.5F,
                                             .solver = solver,
                                             .cg_steps = 60,
                                             .objective = objective,
                                             .use_values = true,
                                             .alpha = 2.0F,
                                             .block = 16};
            CAPTURE(static_cast<int>(objective));
            CAPTURE(static_cast<int>(solver));
            const Eigen::MatrixXf gram = als_gram(y.view(), als_weight_of_all(options));
            ALSRowSolver<> row_solver(y.view(), gram, options);
            std::vector<float> x(37, 0.1F);
            double before = weighted_loss(x, observed, y, options);
            for (int round = 0; round < (solver == ALSSolver::Blocks ? 60 : 1); ++round) {
                row_solver.solve(observed.row(), x);
                const double loss = weighted_loss(x, observed, y, options);
                CHECK(loss <= before + 1e-5);
                before = loss;
            }
            for (std::size_t k = 0; k < 37; ++k) {
                constexpr float h = 1.0F / 64;  // the loss is quadratic
                std::vector<float> up = x;
                std::vector<float> down = x;
                up[k] += h;
                down[k] -= h;
                const double slope =
                    (weighted_loss(up, observed, y, options) - weighted_loss(down, observed, y, options)) /
                    (static_cast<double>(up[k]) - static_cast<double>(down[k]));
                CHECK(std::abs(slope) < 2e-3);  // terms of about 10, with the rounding of a float
            }
        }
    }
}

TEST_CASE("ALSRowSolver: without use_values, what is not above 0 is as if it were not there") {
    const Matrix<float> y = random_rows(12, 5, 2);
    const Eigen::MatrixXf gram = als_gram(y.view(), 0.1F);
    for (const ALSSolver kind : {ALSSolver::Cholesky, ALSSolver::ConjugateGradient, ALSSolver::Blocks}) {
        const ImplicitALSOptions options{.factors = 5, .solver = kind, .block = 2};
        ALSRowSolver<> solver(y.view(), gram, options);
        std::vector<float> x(5, 0.5F);
        std::vector<float> expected = x;
        solver.solve(Observed{{1, 2, 3, 7}, {5.0F, -1.0F, 0.1F, 0.0F}}.row(), x);
        solver.solve(Observed{{1, 3}}.row(), expected);
        CHECK(x == expected);
        solver.solve(Observed{{2, 7}, {-1.0F, 0.0F}}.row(), x);
        CHECK(x == std::vector<float>(5));
    }
}

TEST_CASE("ALSRowSolver: one block of all factors is the exact solution") {
    const Matrix<float> y = random_rows(90, 8, 3);
    const Ids observed{1, 2, 30, 44, 45, 60, 89};
    const std::vector<float> exact = solved(observed, y, {.factors = 8}, std::vector<float>(8));
    for (const std::size_t block : {std::size_t{8}, std::size_t{100}, std::numeric_limits<std::size_t>::max()}) {
        const std::vector<float> x = solved(observed, y, {.factors = 8, .solver = ALSSolver::Blocks, .block = block},
                                            std::vector<float>(8, 0.3F));
        for (std::size_t k = 0; k < 8; ++k) {
            CHECK(x[k] == doctest::Approx(exact[k]).epsilon(1e-4));
        }
    }
}

// The library buffalo replaces the chosen solver by iALS++ from 128 factors on.
TEST_CASE("ALSRowSolver: 128 factors and more are solved by the solver that was asked for") {
    for (const std::size_t factors : {127U, 128U, 160U}) {
        const Matrix<float> y = random_rows(40, factors, 3);
        const Ids observed{1, 2, 30, 35};
        const std::vector<float> start(factors, 0.1F);
        const auto solved_by = [&](ALSSolver solver) {
            const ImplicitALSOptions options{.factors = factors, .solver = solver, .block = 8};
            const std::vector<float> x = solved(observed, y, options, start);
            return row_loss(x, observed, y, options);
        };
        const double exact = solved_by(ALSSolver::Cholesky);
        CHECK(exact < solved_by(ALSSolver::ConjugateGradient) - 1e-6);
        CHECK(exact < solved_by(ALSSolver::Blocks) - 1e-6);
        CHECK(solved_by(ALSSolver::Blocks) != solved_by(ALSSolver::ConjugateGradient));
    }
}

TEST_CASE("als_half_sweep: no half sweep raises the loss") {
    const auto log = testing::random_log(40, 30, 0.15, 6);
    const auto user_item = funnel::data::user_item_matrix(log);
    const auto item_user = user_item.transposed();
    for (const ALSSolver solver : {ALSSolver::Cholesky, ALSSolver::ConjugateGradient, ALSSolver::Blocks}) {
        const ImplicitALSOptions options{.factors = 6, .solver = solver, .block = 4};
        Matrix<float> w = random_rows(40, 6, 1);
        Matrix<float> h = random_rows(30, 6, 2);
        double before = total_loss(user_item, w, h, options);
        for (int sweep = 0; sweep < 6; ++sweep) {
            als_half_sweep(item_user, w.view(), h.view(), options);
            const double between = total_loss(user_item, w, h, options);
            CHECK(between < before);
            als_half_sweep(user_item, h.view(), w.view(), options);
            before = total_loss(user_item, w, h, options);
            CHECK(before < between);
        }
    }
}

TEST_CASE("als_half_sweep: any number of threads gives the same bits") {
    const auto user_item = funnel::data::user_item_matrix(testing::random_log(700, 40, 0.1, 6));
    const Matrix<float> y = random_rows(40, 6, 2);
    for (const ALSSolver solver : {ALSSolver::Cholesky, ALSSolver::ConjugateGradient, ALSSolver::Blocks}) {
        const ImplicitALSOptions options{.factors = 6, .solver = solver, .block = 4};
        Matrix<float> serial = random_rows(700, 6, 1);
        als_half_sweep(user_item, y.view(), serial.view(), options);
        for (const std::size_t count : {2U, 4U}) {
            Threads pool(count);
            Matrix<float> parallel = random_rows(700, 6, 1);
            als_half_sweep(user_item, y.view(), parallel.view(), options, pool);
            for (std::size_t u = 0; u < 700; ++u) {
                CHECK(std::equal(serial.row(u).begin(), serial.row(u).end(), parallel.row(u).begin()));
            }
        }
    }
}

TEST_CASE("als_half_sweep: rows that are solved together have the bits of rows that are solved alone") {
    // Long rows, of which few fit in a group, and short ones, and rows without anything.
    const std::size_t d = 300;
    const Matrix<float> y = random_rows(400, d, 2);
    std::vector<funnel::Triplet<float>> entries;
    for (std::uint32_t row = 0; row < 40; ++row) {
        for (std::uint32_t i = 0; i < (row % 5 == 0 ? 0 : row % 7 == 0 ? 390 : row); ++i) {
            entries.push_back({row, (11 * i + row) % 400, 1.0F});
        }
    }
    const CSRMatrix<float> observed(entries, 40, 400);
    const ImplicitALSOptions options{.factors = d, .solver = ALSSolver::ConjugateGradient};
    Matrix<float> together = random_rows(40, d, 1);
    Matrix<float> alone = together;
    als_half_sweep(observed, y.view(), together.view(), options);
    const Eigen::MatrixXf gram = als_gram(y.view(), options.alpha0);
    ALSRowSolver<> solver(y.view(), gram, options);
    for (std::size_t row = 0; row < 40; ++row) {
        solver.solve(observed.row(row), alone.row(row));
        CHECK(std::equal(alone.row(row).begin(), alone.row(row).end(), together.row(row).begin()));
    }
}

TEST_CASE("als_gram: agrees with the definition over several chunks, and with itself for any number of threads") {
    const Matrix<float> y = random_rows(600, 5, 2);
    const Eigen::MatrixXf gram = als_gram(y.view(), 0.25F);
    for (Eigen::Index i = 0; i < 5; ++i) {
        for (Eigen::Index j = 0; j < 5; ++j) {
            double sum = 0.0;
            for (std::size_t row = 0; row < 600; ++row) {
                sum += 0.25 * static_cast<double>(y(row, static_cast<std::size_t>(i))) *
                       static_cast<double>(y(row, static_cast<std::size_t>(j)));
            }
            CHECK(static_cast<double>(gram(i, j)) == doctest::Approx(sum).epsilon(1e-4));
        }
    }
    Threads pool(4);
    CHECK(als_gram(y.view(), 0.25F, pool) == gram);
    CHECK(als_gram(MatrixView<const float>{}, 1.0F).size() == 0);
}

TEST_CASE("ALSRowSolver: conjugate gradients stop where squares vanish") {
    Matrix<float> y(1, 1);
    y(0, 0) = 1e-20F;
    CHECK(solved({0}, y, {.factors = 1, .lambda = 1e-8F, .nu = 0.0F, .solver = ALSSolver::ConjugateGradient}, {0.0F}) ==
          std::vector<float>{0.0F});
}

// Eigen sums in another order where memory is aligned otherwise: the same history gave now these factors, now others.
TEST_CASE("ALSRowSolver: the same bits, wherever the memory of the row lies") {
    constexpr std::size_t d = 37;
    const Matrix<float> y = random_rows(90, d, 3);
    const Ids observed{1, 2, 30, 44, 45, 60, 89};
    for (const ALSSolver kind : {ALSSolver::Cholesky, ALSSolver::ConjugateGradient, ALSSolver::Blocks}) {
        const ImplicitALSOptions options{.factors = d, .solver = kind, .block = 16};
        const Eigen::MatrixXf gram = als_gram(y.view(), options.alpha0);
        ALSRowSolver<> solver(y.view(), gram, options);
        const std::vector<float> expected = solved(observed, y, options, std::vector<float>(d));
        std::vector<float> memory(d + 16);
        for (std::size_t offset = 0; offset < 16; ++offset) {
            const std::span<float> row = std::span(memory).subspan(offset, d);
            std::fill(row.begin(), row.end(), 0.0F);
            solver.solve(Observed{observed}.row(), row);
            CHECK(std::equal(row.begin(), row.end(), expected.begin()));
        }
    }
}

TEST_CASE("ALSRowSolver: a row without observations is zero") {
    const Matrix<float> y = random_rows(4, 3, 2);
    CHECK(solved({}, y, {.factors = 3}, {1.0F, 2.0F, 3.0F}) == std::vector<float>(3));
    CHECK(solved({}, y, {.factors = 3, .solver = ALSSolver::ConjugateGradient}, {1.0F, 2.0F, 3.0F}) ==
          std::vector<float>(3));
}

TEST_CASE("ALSRowSolver: shapes that do not fit together are rejected") {
    const Matrix<float> y = random_rows(4, 3, 2);
    const Eigen::MatrixXf gram = als_gram(y.view(), 1.0F);
    const Matrix<float> other = random_rows(4, 2, 2);
    CHECK_THROWS_AS(ALSRowSolver<>(other.view(), gram, {}), InvalidArgument);
    Matrix<float> x(5, 2);
    const auto nothing = [](std::size_t rows, std::size_t cols) { return CSRMatrix<float>({}, rows, cols); };
    CHECK_THROWS_AS(als_half_sweep(nothing(5, 4), y.view(), x.view(), {.factors = 3}), InvalidArgument);
    CHECK_THROWS_AS(als_half_sweep(nothing(4, 4), other.view(), x.view(), {.factors = 2}), InvalidArgument);
    CHECK_THROWS_AS(als_half_sweep(nothing(5, 5), other.view(), x.view(), {.factors = 2}), InvalidArgument);
    CHECK_NOTHROW(als_half_sweep(nothing(5, 4), other.view(), x.view(), {.factors = 2}));
}

TEST_CASE("ALSRowSolver: says so if there is no solution") {
    const Matrix<float> zeros(4, 3);
    CHECK_THROWS_AS((void)solved({1}, zeros, {.factors = 3, .lambda = 0.0F}, std::vector<float>(3)), InvalidArgument);
}
