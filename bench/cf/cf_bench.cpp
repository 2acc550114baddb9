// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Time that the models of cf/ need to learn and to recommend.
//
//   cf_bench [JSON]          a synthetic log of the size of MovieLens-100K
//   cf_bench JSON LOG        any log that read_interactions can read
//   cf_bench --oracle LOG    compares figures on MovieLens-100K with an independent implementation
#include "cf/oracle.hpp"
#include "support/bench.hpp"

#include <funnel/cf/biased_mf.hpp>
#include <funnel/cf/bought_together.hpp>
#include <funnel/cf/ease.hpp>
#include <funnel/cf/implicit_als.hpp>
#include <funnel/cf/item_knn.hpp>
#include <funnel/cf/popularity.hpp>
#include <funnel/cf/pure_svd.hpp>
#include <funnel/cf/rp3beta.hpp>
#include <funnel/cf/slim.hpp>
#include <funnel/cf/svdpp.hpp>
#include <funnel/cf/user_knn.hpp>
#include <funnel/data/read_interactions.hpp>
#include <funnel/data/synthetic.hpp>
#include <funnel/data/user_item_matrix.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

using namespace funnel;

namespace {

// One core, measured by the CPU time of this thread, so the figures are valid on a busy machine, too.
template <class Fit>
void measure(bench::Report& report, const std::string& name, const std::string& setup, const Fit& fit) {
    const bench::TimingOptions once{.samples = 3, .sample_seconds = 0.0, .clock = bench::Clock::ThreadCPU};
    report.add({.name = name + " fit",
                .ours = bench::scaled(bench::time_ns([&] { bench::keep(fit()); }, once), 1.0e-6),
                .unit = "ms",
                .setup = setup});

    const auto model = fit();
    std::vector<float> scratch(model.items());
    std::vector<Scored<>> out(10);
    const auto all_users = [&] {
        for (std::size_t user = 0; user < model.users(); ++user) {
            bench::keep(model.recommend(user, {.k = 10}, scratch, out));
        }
    };
    const bench::Samples ns = bench::time_ns(all_users, {.clock = bench::Clock::ThreadCPU});
    report.add({.name = name + " recommend, k = 10",
                .ours = bench::scaled(ns, 1.0e-3 / static_cast<double>(model.users())),
                .unit = "us/user",
                .setup = setup});
}

// Nanoseconds of one core per observed pair and half sweep, the usual figure to compare ALS implementations.
void measure_als(bench::Report& report, const data::Interactions& train, const std::string& setup, std::size_t factors,
                 cf::ALSSolver solver) {
    const auto nanoseconds = [&](std::size_t iterations) {
        const cf::ImplicitALSOptions options{.factors = factors, .iterations = iterations, .solver = solver};
        const bench::TimingOptions once{.samples = 3, .sample_seconds = 0.0, .clock = bench::Clock::ThreadCPU};
        return bench::time_ns([&] { bench::keep(cf::ImplicitALS::fit(train, options)); }, once).least;
    };
    const auto pairs = static_cast<double>(data::user_item_matrix(train).nonzeros());
    report.add({.name = std::string("ImplicitALS ") + (solver == cf::ALSSolver::Cholesky ? "Cholesky" : "CG-3") +
                        ", factors = " + std::to_string(factors),
                .ours = bench::single((nanoseconds(4) - nanoseconds(1)) / (3.0 * 2.0 * pairs)),
                .unit = "ns/pair",
                .setup = "per half sweep; " + setup});
}

// The same descent as BiasedMF, as everybody writes it: one rating after the other, by user.
void plain_descent(const CSRMatrix<float>& user_item, std::size_t factors, std::size_t epochs) {
    const cf::RatingFactorsOptions options;
    std::vector<float> p(user_item.rows() * factors, 0.1F);
    std::vector<float> q(user_item.cols() * factors, 0.1F);
    std::vector<float> user_bias(user_item.rows());
    std::vector<float> item_bias(user_item.cols());
    const float rate = options.learning_rate;
    const float decay = 1.0F - rate * options.regularisation;
    for (std::size_t epoch = 0; epoch < epochs; ++epoch) {
        for (std::size_t user = 0; user < user_item.rows(); ++user) {
            const SparseRow<float> row = user_item.row(user);
            for (std::size_t i = 0; i < row.size(); ++i) {
                const std::uint32_t item = row.columns[i];
                float* const u = p.data() + user * factors;
                float* const v = q.data() + item * factors;
                float error = row.values[i] - user_bias[user] - item_bias[item];
                for (std::size_t f = 0; f < factors; ++f) {
                    error -= u[f] * v[f];
                }
                user_bias[user] = decay * user_bias[user] + rate * error;
                item_bias[item] = decay * item_bias[item] + rate * error;
                for (std::size_t f = 0; f < factors; ++f) {
                    const float before = u[f];
                    u[f] = decay * before + rate * error * v[f];
                    v[f] = decay * v[f] + rate * error * before;
                }
            }
        }
    }
    bench::keep(p);
    bench::keep(q);
}

// Nanoseconds of one core per rating and epoch.
template <class M>
void measure_descent(bench::Report& report, const data::Interactions& train, const std::string& name,
                     const std::string& setup, std::size_t factors) {
    constexpr std::size_t epochs = 20;
    const CSRMatrix<float> user_item = data::user_item_matrix(train);
    const bench::TimingOptions timing{.samples = 9, .sample_seconds = 0.0, .clock = bench::Clock::ThreadCPU};
    const cf::RatingFactorsOptions options{.factors = factors, .epochs = epochs, .fold_in_epochs = 1};
    const auto times = bench::compare([&] { bench::keep(M::fit(train, options)); },
                                      [&] { plain_descent(user_item, factors, epochs); }, timing);
    report.add({.name = name + " epoch, factors = " + std::to_string(factors),
                .peer = "plain loop",
                .unit = "ns/rating",
                .setup = "time of fit / epochs; the loop is that of BiasedMF; " + setup},
               times, static_cast<double>(epochs * user_item.nonzeros()));
}

}  // namespace

int main(int argc, char** argv) {
    if (argc > 2 && std::string_view(argv[1]) == "--oracle") {
        Threads pool;
        return bench::print_oracle(argv[2], pool) ? 0 : 1;
    }
    const data::Interactions train = argc > 2 ? data::read_interactions(argv[2]) : data::SyntheticWorld().log();
    const std::string setup = (argc > 2 ? std::string(argv[2]) : "synthetic") + ": " + std::to_string(train.size()) +
                              " rows, " + std::to_string(train.users()) + " users, " + std::to_string(train.items()) +
                              " items; 1 thread";
    bench::Report report("cf", argc, argv);
    measure(report, "Popularity", setup, [&] { return cf::Popularity::fit(train); });
    measure(report, "ItemKNN neighbours = 200", setup, [&] { return cf::ItemKNN::fit(train); });
    measure(report, "UserKNN neighbours = 200", setup, [&] { return cf::UserKNN::fit(train); });
    measure(report, "RP3Beta neighbours = 200", setup, [&] { return cf::RP3Beta::fit(train); });
    measure(report, "PureSVD factors = 20", setup, [&] { return cf::PureSVD::fit(train); });
    measure(report, "SLIM", setup, [&] { return cf::SLIM::fit(train); });
    measure(report, "BoughtTogether", setup, [&] { return cf::BoughtTogether::fit(train); });
    measure(report, "EASE", setup, [&] { return cf::EASE::fit(train); });
    measure(report, "ImplicitALS factors = 64, CG-3", setup,
            [&] { return cf::ImplicitALS::fit(train, {.solver = cf::ALSSolver::ConjugateGradient}); });
    measure(report, "BiasedMF", setup, [&] { return cf::BiasedMF::fit(train); });
    measure(report, "SVDpp", setup, [&] { return cf::SVDpp::fit(train); });
    for (const std::size_t factors : {16U, 64U, 128U}) {
        measure_descent<cf::BiasedMF>(report, train, "BiasedMF", setup, factors);
        measure_descent<cf::SVDpp>(report, train, "SVDpp", setup, factors);
    }
    for (const std::size_t factors : {32U, 64U, 128U}) {
        measure_als(report, train, setup, factors, cf::ALSSolver::ConjugateGradient);
        measure_als(report, train, setup, factors, cf::ALSSolver::Cholesky);
    }
    return report.finish();
}
