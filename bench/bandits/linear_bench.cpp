// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Linear contextual bandits: an update of the Cholesky factor beside an update of the inverse (Sherman-Morrison in float,
// fast but inaccurate), decisions among 50 arms, draws of Thompson sampling beside a new factorization per draw, and exact
// propensities.
//
//   linear_bench [JSON]
#include "support/bench.hpp"

#include <funnel/bandits/lin_ts.hpp>
#include <funnel/bandits/lin_ucb.hpp>
#include <funnel/bandits/square_cb.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/kernels/axpy.hpp>
#include <funnel/kernels/dot.hpp>
#include <funnel/kernels/gemv.hpp>
#include <funnel/linalg/cholesky_update.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

using namespace funnel;

namespace {

constexpr std::size_t arms = 50;
constexpr std::size_t samples = 64;

constexpr bench::TimingOptions timing{.samples = 9, .sample_seconds = 0.02, .clock = bench::Clock::ThreadCPU};

Matrix<float> normals(std::size_t rows, std::size_t cols) {
    Matrix<float> matrix(rows, cols);
    for (std::size_t i = 0; i < rows; ++i) {
        Random random(1, i);
        std::generate(matrix.row(i).begin(), matrix.row(i).end(), [&] { return static_cast<float>(random.normal()); });
    }
    return matrix;
}

// Sherman-Morrison in float: A^-1 -= y y^T / (1 + x^T y) with y = A^-1 x.
class Inverse {
public:
    explicit Inverse(std::size_t d) : inverse_(d, d), y_(d) {
        for (std::size_t i = 0; i < d; ++i) {
            inverse_(i, i) = 1.0F;
        }
    }

    void update(std::span<const float> x) {
        kernels::gemv(inverse_, x, y_);
        const float q = 1.0F + kernels::dot(x, y_);
        for (std::size_t i = 0; i < x.size(); ++i) {
            kernels::axpy(-y_[i] / q, y_, inverse_.row(i));
        }
    }

private:
    Matrix<float> inverse_;
    std::vector<float> y_;
};

// What a draw costs if the matrix is factored each time; in double, row by row.
std::vector<double> factored(const std::vector<double>& a, std::size_t d) {
    std::vector<double> r = a;
    for (std::size_t k = 0; k < d; ++k) {
        const double root = std::sqrt(r[k * d + k]);
        for (std::size_t j = k; j < d; ++j) {
            r[k * d + j] /= root;
        }
        for (std::size_t i = k + 1; i < d; ++i) {
            const double factor = r[k * d + i];
            for (std::size_t j = i; j < d; ++j) {
                r[i * d + j] -= factor * r[k * d + j];
            }
        }
    }
    return r;
}

void measure(bench::Report& report, std::size_t d) {
    const std::string setup = "d " + std::to_string(d);
    const Matrix<float> contexts = normals(samples, d);
    std::size_t step = 0;
    const auto next = [&] { return contexts.row(step++ % samples); };

    linalg::CholeskyFactor<float> factor(d, 1.0);
    Inverse inverse(d);
    report.add({.name = "update", .peer = "Sherman-Morrison, float", .unit = "ns", .setup = setup},
               bench::compare([&] { factor.update(next(), 1.0F); }, [&] { inverse.update(next()); }, timing));

    bandits::LinUCB forgets(1, d, {.forgetting = 0.999});
    report.add({.name = "update, forgetting 0.999",
                .ours = bench::time_ns([&] { forgets.update(0, next(), 1.0F); }, timing),
                .unit = "ns",
                .setup = setup});

    bandits::LinUCB ucb(arms, d);
    bandits::LinTS thompson(arms, d);
    bandits::SquareCB square(arms, d);
    bandits::SharedLinUCB shared_ucb(d);
    bandits::SharedLinTS shared_thompson(d);
    for (std::size_t i = 0; i < 40 * arms; ++i) {
        const auto x = next();
        const float reward = x[0] * static_cast<float>(i % arms);
        ucb.update(i % arms, x, reward);
        thompson.update(i % arms, x, reward);
        square.update(i % arms, x, reward);
        shared_ucb.update(x, reward);
        shared_thompson.update(x, reward);
    }
    const auto us = [&](const char* name, const auto& work) {
        report.add({.name = name,
                    .ours = bench::scaled(bench::time_ns(work, timing), 1.0e-3),
                    .unit = "us",
                    .setup = setup + ", " + std::to_string(arms) + " arms"});
    };
    us("LinUCB, decision", [&] { bench::keep(ucb.select(next())); });
    us("LinTS, decision", [&] { bench::keep(thompson.select(next())); });
    us("LinTS, exact propensities", [&] { bench::keep(thompson.propensities(next())); });
    us("SquareCB, decision", [&] { bench::keep(square.select(next())); });
    const Matrix<float> rows = normals(arms, d);
    us("SharedLinUCB, decision", [&] { bench::keep(shared_ucb.select(rows)); });
    us("SharedLinTS, decision", [&] { bench::keep(shared_thompson.select(rows)); });

    std::vector<double> a(d * d, 0.0);
    for (std::size_t i = 0; i < d; ++i) {
        a[i * d + i] = 1.0;
    }
    std::uint64_t number = 0;
    const auto ours = [&] { bench::keep(thompson.draw(0, number++)); };
    const auto theirs = [&] { bench::keep(factored(a, d)); };
    const auto both = bench::compare(ours, theirs, timing);
    report.add({.name = "LinTS, draw of theta", .peer = "a factorization per draw", .unit = "us", .setup = setup}, both,
               1000.0);
}

}  // namespace

int main(int argc, char** argv) {
    bench::Report report("linear", argc, argv);
    for (const std::size_t d : {std::size_t{32}, std::size_t{64}, std::size_t{128}, std::size_t{256}}) {
        measure(report, d);
    }
    return report.finish();
}
