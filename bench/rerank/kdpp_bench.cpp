// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Time to draw diverse sets: 1,000 and 10,000 candidates with random embeddings of 64 and 128 features, sets of 50. Cold
// is a new sampler and its first set, warm is another set of the same sampler.
//
//   kdpp_bench [JSON]
#include "support/bench.hpp"

#include <funnel/core/matrix.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/linalg/symmetric_eigen.hpp>
#include <funnel/rerank/elementary_symmetric.hpp>
#include <funnel/rerank/kdpp.hpp>

#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

using namespace funnel;

namespace {

constexpr bench::TimingOptions timing{.clock = bench::Clock::ThreadCPU};

void measure(bench::Report& report, std::size_t n, std::size_t d, std::size_t k) {
    Random random(1);
    Matrix<float> embeddings(n, d);
    std::vector<float> quality(n);
    for (std::size_t i = 0; i < n; ++i) {
        for (float& x : embeddings.row(i)) {
            x = static_cast<float>(random.normal());
        }
        quality[i] = static_cast<float>(std::exp(random.uniform()));
    }
    const std::string setup = "n " + std::to_string(n) + ", d " + std::to_string(d) + ", k " + std::to_string(k);

    rerank::KDPP sampler(embeddings, quality, {.k = k});
    std::vector<std::size_t> picks(k);
    const auto warm = bench::time_ns(
        [&] {
            sampler.sample(picks);
            bench::keep(picks);
        },
        timing);
    report.add({.name = "KDPP, warm draw", .ours = bench::scaled(warm, 1e-6), .unit = "ms", .setup = setup});
    const auto cold = bench::time_ns(
        [&] {
            rerank::KDPP fresh(embeddings, quality, {.k = k});
            fresh.sample(picks);
            bench::keep(picks);
        },
        timing);
    report.add({.name = "KDPP, cold draw", .ours = bench::scaled(cold, 1e-6), .unit = "ms", .setup = setup});
}

void measure_polynomials(bench::Report& report, std::size_t m, std::size_t k) {
    Random random(2);
    std::vector<double> numbers(m);
    for (double& x : numbers) {
        x = -std::log(random.uniform());
    }
    const auto time = bench::time_ns([&] { bench::keep(rerank::ElementarySymmetric(numbers, k).log_value()); }, timing);
    report.add({.name = "ElementarySymmetric",
                .ours = bench::scaled(time, 1e-3),
                .unit = "us",
                .setup = std::to_string(m) + " numbers, k " + std::to_string(k)});
}

}  // namespace

int main(int argc, char** argv) {
    bench::Report report("kdpp", argc, argv);
    measure(report, 1'000, 64, 50);
    measure(report, 1'000, 128, 50);
    measure(report, 10'000, 64, 50);
    measure_polynomials(report, 1'000, 50);
    return report.finish();
}
