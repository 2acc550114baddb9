// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// What exploration costs per request: draws of beta distributions, decisions over 1,000 arms, rewards, and exact
// propensities. One thread; beside each draw stands std::gamma_distribution, made anew for each arm, as a policy needs it.
//
//   bandits_bench [JSON]
#include "support/bench.hpp"

#include <funnel/bandits/epsilon_greedy.hpp>
#include <funnel/bandits/exp3.hpp>
#include <funnel/bandits/kl_ucb.hpp>
#include <funnel/bandits/propensities.hpp>
#include <funnel/bandits/thompson_beta.hpp>
#include <funnel/bandits/thompson_gaussian.hpp>
#include <funnel/bandits/ucb1.hpp>
#include <funnel/bandits/ucb_tuned.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/kernels/beta.hpp>

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

using namespace funnel;

namespace {

constexpr bench::TimingOptions timing{.clock = bench::Clock::ThreadCPU};
constexpr std::size_t arms = 1000;

template <class Backend>
void measure_draws(bench::Report& report, const std::string& backend) {
    for (const auto& [a, b] : {std::pair{1.0F, 1.0F}, {5.0F, 100.0F}, {50.0F, 1000.0F}, {0.5F, 2.0F}}) {
        const std::vector<float> as(arms, a);
        const std::vector<float> bs(arms, b);
        std::vector<float> out(arms);
        std::uint64_t step = 0;
        const auto ours = [&] {
            kernels::beta<Backend>(as, bs, {1, 2}, ++step, out);
            bench::keep(out);
        };
        std::mt19937_64 generator(1);
        const auto theirs = [&] {
            for (std::size_t i = 0; i < arms; ++i) {
                std::gamma_distribution<double> x(static_cast<double>(as[i]));
                std::gamma_distribution<double> y(static_cast<double>(bs[i]));
                const double drawn = x(generator);
                out[i] = static_cast<float>(drawn / (drawn + y(generator)));
            }
            bench::keep(out);
        };
        const bench::Comparison both = bench::compare(ours, theirs, timing);
        report.add({.name = "Beta(" + std::to_string(a).substr(0, 3) + ", " + std::to_string(static_cast<int>(b)) +
                            ") draws, " + backend,
                    .ours = bench::scaled(both.ours, 1.0 / arms),
                    .unit = "ns/draw",
                    .setup = "beside std::gamma_distribution: " + std::to_string(both.theirs.median / arms) + " ns"});
    }
}

// Rewards like those of a click rate of 2 %: about 100 per arm.
template <class P>
void teach(P& policy) {
    Random random(2);
    for (std::size_t i = 0; i < 100 * policy.arms(); ++i) {
        policy.update(random.below(policy.arms()), random.uniform() < 0.02 ? 1.0 : 0.0);
    }
}

template <class P>
void measure_policy(bench::Report& report, const std::string& name, P policy) {
    teach(policy);
    report.add({.name = name + ", one of 1000 arms",
                .ours = bench::scaled(bench::time_ns([&] { bench::keep(policy.select(1)); }, timing), 1.0e-3),
                .unit = "us",
                .setup = "select(1)"});
    report.add({.name = name + ", ten of 1000 arms",
                .ours = bench::scaled(bench::time_ns([&] { bench::keep(policy.select(10)); }, timing), 1.0e-3),
                .unit = "us",
                .setup = "select(10)"});
    std::size_t arm = 0;
    report.add({.name = name + ", one reward",
                .ours = bench::time_ns(
                    [&] {
                        policy.update(arm, 0.0);
                        arm = (arm + 7) % arms;
                    },
                    timing),
                .unit = "ns",
                .setup = "update; 1000 arms"});
}

void measure_propensities(bench::Report& report, std::size_t n) {
    Random random(6);
    std::vector<double> a(n);
    std::vector<double> b(n);
    for (std::size_t i = 0; i < n; ++i) {
        a[i] = 1.0 + static_cast<double>(random.below(60));
        b[i] = 1.0 + static_cast<double>(random.below(2000));
    }
    const std::vector<double> ones(n, 1.0);
    const auto add = [&](const std::string& what, const std::vector<double>& x, const std::vector<double>& y,
                         std::size_t k) {
        const auto work = [&] { bench::keep(bandits::beta_top_k_probabilities(x, y, k)); };
        report.add({.name = what + ", " + std::to_string(n) + " arms",
                    .ours = bench::scaled(bench::time_ns(work, timing), 1.0e-6),
                    .unit = "ms",
                    .setup = "exact, by quadrature"});
    };
    add("P(best)", a, b, 1);
    add("P(best), uniform priors", ones, ones, 1);
    add("P(among the 10 best)", a, b, 10);
}

}  // namespace

int main(int argc, char** argv) {
    bench::Report report("bandits", argc, argv);
    measure_draws<kernels::DefaultBackend>(report, "default backend");
#if FUNNEL_HAS_SIMD && defined(__AVX512F__)
    measure_draws<kernels::Simd<xsimd::fma3<xsimd::avx2>>>(report, "AVX2");
#endif
    measure_draws<kernels::Scalar>(report, "Scalar");
    measure_policy(report, "ThompsonBeta", bandits::ThompsonBeta(arms));
    measure_policy(report, "ThompsonBeta, discounted", bandits::ThompsonBeta(arms, {.discount = 0.999}));
    measure_policy(report, "ThompsonGaussian", bandits::ThompsonGaussian(arms));
    measure_policy(report, "EpsilonGreedy", bandits::EpsilonGreedy(arms));
    measure_policy(report, "UCB1", bandits::UCB1(arms));
    measure_policy(report, "UCBTuned", bandits::UCBTuned(arms));
    measure_policy(report, "KLUCB", bandits::KLUCB(arms));
    measure_policy(report, "Exp3", bandits::Exp3(arms));
    measure_propensities(report, 80);
    measure_propensities(report, 1000);
    return report.finish();
}
