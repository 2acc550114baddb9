// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/core/parallel.hpp>
#include <funnel/core/progress.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <cstddef>
#include <stop_token>
#include <string>
#include <vector>

using funnel::Cancelled;
using funnel::Executor;
using funnel::Monitored;
using funnel::Progress;
using funnel::report_progress;
using funnel::Serial;
using funnel::Threads;

namespace {

// What a long algorithm looks like from outside.
template <Executor E = Serial>
int long_work(E&& executor = E{}) {
    std::atomic<int> done{0};
    for (std::size_t step = 0; step < 3; ++step) {
        executor.for_range(
            10, 2, [&](std::size_t begin, std::size_t end, std::size_t) { done += static_cast<int>(end - begin); });
        report_progress(executor, "working", step + 1, 3);
    }
    return done.load();
}

void ignore(const Progress&) {}

// Leaves everything to its second worker.
struct SecondWorker {
    [[nodiscard]] static std::size_t concurrency() { return 2; }
    template <class Body>
    void for_range(std::size_t n, std::size_t, Body&& body) {
        body(std::size_t{0}, n, std::size_t{1});
    }
};

}  // namespace

TEST_CASE("Monitored: reports each step, and changes nothing else") {
    Threads pool(2);
    std::vector<std::string> seen;
    const auto note = [&](const Progress& progress) {
        seen.push_back(std::string(progress.stage) + " " + std::to_string(progress.done) + "/" +
                       std::to_string(progress.total));
    };
    CHECK(long_work(Monitored(pool, note)) == 30);
    CHECK(seen == std::vector<std::string>{"working 1/3", "working 2/3", "working 3/3"});
    CHECK(Monitored(pool, note).concurrency() == 2);
    Serial serial;
    std::vector<std::size_t> begins;
    Monitored(serial, note).for_range(10, 4, [&](std::size_t begin, std::size_t, std::size_t) {
        begins.push_back(begin);
    });
    CHECK(begins == std::vector<std::size_t>{0, 4, 8});
    SecondWorker second;
    Monitored(second, note).for_range(1, 1, [](std::size_t, std::size_t, std::size_t worker) { CHECK(worker == 1); });
}

TEST_CASE("Monitored: a plain function can take the reports, without a warning about shadowed names") {
    Threads pool(2);
    CHECK(long_work(Monitored(pool, ignore)) == 30);
}

TEST_CASE("report_progress: an executor that does not listen is not asked to") {
    CHECK(long_work() == 30);
    Threads pool(2);
    CHECK(long_work(pool) == 30);
}

TEST_CASE("Monitored: a stop token ends the work with Cancelled") {
    Threads pool(2);
    std::stop_source stop;
    int steps = 0;
    const auto stop_after_two = [&](const Progress& progress) {
        ++steps;
        if (progress.done == 2) {
            stop.request_stop();
        }
    };
    CHECK_THROWS_AS(long_work(Monitored(pool, stop_after_two, stop.get_token())), Cancelled);
    CHECK(steps == 2);
}

TEST_CASE("Monitored: a token that was set before stops before the first chunk") {
    Serial serial;
    std::stop_source stop;
    stop.request_stop();
    bool has_run = false;
    Monitored monitored(serial, [](const Progress&) {}, stop.get_token());
    CHECK_THROWS_AS(monitored.for_range(5, 1, [&](std::size_t, std::size_t, std::size_t) { has_run = true; }),
                    Cancelled);
    CHECK_FALSE(has_run);
}

TEST_CASE("Monitored: a token that was set is noticed at the next report, even where no chunk follows") {
    Serial serial;
    std::stop_source stop;
    int reports = 0;
    Monitored monitored(serial, [&](const Progress&) { ++reports; }, stop.get_token());
    monitored.report({"working", 1, 2});
    stop.request_stop();
    CHECK_THROWS_AS(monitored.report({"working", 2, 2}), Cancelled);
    CHECK(reports == 1);
}

TEST_CASE("Monitored: anything with stop_requested() can stop the work") {
    struct Flag {
        const std::atomic<bool>* is_set;
        [[nodiscard]] bool stop_requested() const { return *is_set; }
    };
    static_assert(funnel::StopToken<Flag>);
    static_assert(funnel::StopToken<std::stop_token>);
    static_assert(!funnel::StopToken<int>);
    Threads pool(2);
    std::atomic<bool> is_set{false};
    int steps = 0;
    const auto stop_after_two = [&](const Progress& progress) {
        ++steps;
        is_set = progress.done == 2;
    };
    CHECK_THROWS_AS(long_work(Monitored(pool, stop_after_two, Flag{&is_set})), Cancelled);
    CHECK(steps == 2);
}

TEST_CASE("Monitored: a call inside a call runs in one thread, whichever of the two is watched") {
    Threads pool(3);
    const auto quiet = [](const Progress&) {};
    Monitored watched(pool, quiet);
    Monitored watched_twice(watched, quiet);
    for (const std::size_t outer_chunks : {1U, 6U}) {
        watched_twice.for_range(outer_chunks, 1, [&](std::size_t, std::size_t, std::size_t) {
            int unguarded = 0;
            const auto count = [&](std::size_t, std::size_t, std::size_t worker) { unguarded += worker == 0 ? 1 : 0; };
            pool.for_range(100, 1, count);
            watched.for_range(100, 1, count);
            CHECK(unguarded == 200);
        });
    }
}
