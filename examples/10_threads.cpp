// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Long work on several threads, with progress reports and cancellation. The result is bit-identical for any number of
// threads.
//
//     g++ -std=c++20 -O2 -I include -isystem /usr/include/eigen3 examples/10_threads.cpp -pthread -o /tmp/example
//     /tmp/example
#include <funnel/cf/implicit_als.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/progress.hpp>
#include <funnel/core/threads.hpp>
#include <funnel/data/splits.hpp>
#include <funnel/data/synthetic.hpp>
#include <funnel/metrics/evaluate.hpp>

#include <algorithm>
#include <cstdio>
#include <stop_token>
#include <string>

namespace {

void print(const funnel::Progress& progress) {
    std::printf("  %s: %zu of %zu\n", std::string(progress.stage).c_str(), progress.done, progress.total);
}

}  // namespace

int main() {
    const funnel::data::SyntheticWorld world({.users = 600, .items = 400, .rows = 20'000});
    const auto [train, test] = funnel::data::split_by_time(world.log());
    const funnel::cf::ImplicitALSOptions options{.factors = 16, .iterations = 4};

    // Long work takes an executor as its last argument. Without one, the calling thread does everything.
    funnel::Threads pool(4);
    const auto by_one = funnel::cf::ImplicitALS::fit(train, options);
    const auto by_four = funnel::cf::ImplicitALS::fit(train, options, pool);

    const auto factors = [](const auto& model, std::size_t item) { return model.item_factors().row(item); };
    bool is_same = true;
    for (std::size_t item = 0; item < train.items(); ++item) {
        is_same = is_same && std::ranges::equal(factors(by_one, item), factors(by_four, item));
    }
    std::printf("One thread and four learn %s factors.\n", is_same ? "the same" : "different");

    // A Monitored executor passes the work to another executor and reports its progress.
    const auto report = funnel::metrics::evaluate(by_four, train, test, {}, funnel::Monitored(pool, print));
    std::printf("NDCG@10 of %zu users with a history: %.3f\n", report.warm_users(), report.warm().at("ndcg@10"));

    // With a stop token, any thread can stop the work, for example a user-interface thread. The work throws Cancelled
    // before its next chunk. Here the progress callback requests the stop, after two of four iterations.
    std::stop_source stop;
    const auto stop_half_way = [&](const funnel::Progress& progress) {
        print(progress);
        if (2 * progress.done >= progress.total) {
            stop.request_stop();
        }
    };
    try {
        funnel::Monitored monitored(pool, stop_half_way, stop.get_token());
        static_cast<void>(funnel::cf::ImplicitALS::fit(train, options, monitored));
    } catch (const funnel::Cancelled& cancelled) {
        std::printf("%s\n", cancelled.what());
    }
}
