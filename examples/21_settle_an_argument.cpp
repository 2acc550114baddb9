// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A leak-free evaluation that settles which of three models is best: the log is checked, split by time, and the split is
// checked for leaks. Each difference gets a confidence interval, and p-values that are corrected for three comparisons.
//
//     g++ -std=c++20 -O2 -I include examples/21_settle_an_argument.cpp -o /tmp/example
//     /tmp/example
#include <funnel/cf/item_knn.hpp>
#include <funnel/cf/popularity.hpp>
#include <funnel/data/leakage.hpp>
#include <funnel/data/log_report.hpp>
#include <funnel/data/splits.hpp>
#include <funnel/data/synthetic.hpp>
#include <funnel/metrics/evaluate.hpp>
#include <funnel/metrics/multiple_tests.hpp>
#include <funnel/metrics/significance.hpp>

#include <array>
#include <cstddef>
#include <cstdio>
#include <string>
#include <vector>

using namespace funnel;

int main() {
    const data::SyntheticWorld world({.users = 1500, .items = 600, .rows = 60'000});
    const data::Interactions& log = world.log();

    // 1. Is the log sound? Copies and bots would make an evaluation look better, or test something else.
    const data::LogReport about = data::describe_log(log);
    std::printf("%zu rows, %zu users, %zu items; %zu copies, %zu users who may be bots\n", about.rows, about.users,
                about.items, about.duplicate_rows, about.bursts.size());

    // 2. Split by time: models must not learn from what happened after the lists that they are judged by.
    const auto [train, test] = data::split_by_time(log, {.test_fraction = 0.2});
    const data::LeakageReport leaks = data::check_leakage(train, test);
    std::printf("%zu training rows from the future, %zu users without a history\n", leaks.train_from_future,
                leaks.cold_users);

    // 3. Evaluate all models on the same users. ItemKNN has no list for users without a history: they count 0.
    const auto popular = metrics::evaluate(cf::Popularity::fit(train), train, test);
    const auto few = metrics::evaluate(cf::ItemKNN::fit(train, {.neighbours = 5, .shrinkage = 10.0F}), train, test);
    const auto many = metrics::evaluate(cf::ItemKNN::fit(train, {.neighbours = 100, .shrinkage = 10.0F}), train, test);

    // 4. Compare them user by user.
    struct Comparison {
        std::string name;
        const metrics::Report& a;
        const metrics::Report& b;
    };
    const std::array comparisons{Comparison{"100 neighbours - 5 neighbours", many, few},
                                 Comparison{"100 neighbours - popularity", many, popular},
                                 Comparison{"5 neighbours - popularity", few, popular}};
    std::vector<double> p_values;
    for (const Comparison& pair : comparisons) {
        p_values.push_back(metrics::permutation_test(pair.a.per_user("ndcg@10"), pair.b.per_user("ndcg@10")).p_value);
    }
    const std::vector<double> adjusted = metrics::holm(p_values);  // three comparisons, one claim
    std::printf("\nndcg@10                         gain     95 %% interval      p        p (Holm)\n");
    for (std::size_t i = 0; i < comparisons.size(); ++i) {
        const auto a = comparisons[i].a.per_user("ndcg@10");
        const auto b = comparisons[i].b.per_user("ndcg@10");
        std::vector<double> gains(a.size());
        for (std::size_t user = 0; user < a.size(); ++user) {
            gains[user] = a[user] - b[user];
        }
        const metrics::Interval interval = metrics::bootstrap_mean(gains);
        std::printf("%-30s  %+.4f  %+.4f %+.4f   %.4f   %.4f\n", comparisons[i].name.c_str(),
                    metrics::paired_t(a, b).mean_difference, interval.low, interval.high, p_values[i], adjusted[i]);
    }
}
