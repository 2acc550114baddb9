// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/core/parallel.hpp>

#include "support/allocations.hpp"
#include "support/dies.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <fstream>
#include <limits>
#include <mutex>
#include <new>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include <sys/resource.h>
#include <unistd.h>

using funnel::Executor;
using funnel::InvalidArgument;
using funnel::parallel_for;
using funnel::Serial;
using funnel::Threads;

static_assert(Executor<Serial>);
static_assert(Executor<const Serial&>);
static_assert(Executor<Threads&>);
static_assert(!Executor<int>);

namespace {

using Chunk = std::tuple<std::size_t, std::size_t>;

template <Executor E>
std::vector<Chunk> chunks_of(E&& executor, std::size_t n, std::size_t grain) {
    std::vector<Chunk> chunks;
    std::mutex mutex;
    executor.for_range(n, grain, [&](std::size_t begin, std::size_t end, std::size_t worker) {
        const std::lock_guard lock(mutex);
        CHECK(worker < executor.concurrency());
        chunks.emplace_back(begin, end);
    });
    std::sort(chunks.begin(), chunks.end());
    return chunks;
}

}  // namespace

TEST_CASE("Serial: first chunk first, in the calling thread") {
    std::vector<std::size_t> begins;
    Serial{}.for_range(10, 4, [&](std::size_t begin, std::size_t end, std::size_t worker) {
        begins.push_back(begin);
        CHECK(worker == 0);
        CHECK(end == std::min<std::size_t>(begin + 4, 10));
    });
    CHECK(begins == std::vector<std::size_t>{0, 4, 8});
}

TEST_CASE("for_range: the cut is the same for any number of threads") {
    for (const std::size_t threads : {1U, 2U, 4U, 7U}) {
        Threads pool(threads);
        CHECK(pool.concurrency() == threads);
        for (const std::size_t n : {0U, 1U, 5U, 64U, 1000U}) {
            for (const std::size_t grain : {1U, 3U, 64U, 5000U}) {
                CHECK(chunks_of(pool, n, grain) == chunks_of(Serial{}, n, grain));
            }
        }
    }
}

TEST_CASE("for_range: the last chunk does not overflow near the largest size") {
    constexpr std::size_t most = static_cast<std::size_t>(-1);
    CHECK(chunks_of(Serial{}, most, most / 2 + 1) == std::vector<Chunk>{{0, most / 2 + 1}, {most / 2 + 1, most}});
    Threads pool(2);
    CHECK(chunks_of(pool, most, most / 2 + 1) == std::vector<Chunk>{{0, most / 2 + 1}, {most / 2 + 1, most}});
}

TEST_CASE("Threads: really works in several threads") {
    Threads pool(2);
    std::set<std::thread::id> ids;
    std::set<std::size_t> workers;
    std::mutex mutex;
    std::atomic<int> inside{0};
    pool.for_range(2, 1, [&](std::size_t, std::size_t, std::size_t worker) {
        ++inside;
        while (inside.load() < 2) {  // each chunk waits for the other: one thread alone would never get out
            std::this_thread::yield();
        }
        const std::lock_guard lock(mutex);
        ids.insert(std::this_thread::get_id());
        workers.insert(worker);
    });
    CHECK(ids.size() == 2);
    CHECK(workers == std::set<std::size_t>{0, 1});
}

TEST_CASE("Threads: scratch memory of a worker is never shared") {
    Threads pool(4);
    std::vector<int> in_use(pool.concurrency(), 0);  // plain ints: a sanitizer sees it if two threads touch one
    std::vector<int> done(pool.concurrency(), 0);
    pool.for_range(10'000, 7, [&](std::size_t begin, std::size_t end, std::size_t worker) {
        ++in_use[worker];
        done[worker] += static_cast<int>(end - begin);
        --in_use[worker];
    });
    int sum = 0;
    for (std::size_t worker = 0; worker < pool.concurrency(); ++worker) {
        CHECK(in_use[worker] == 0);
        sum += done[worker];
    }
    CHECK(sum == 10'000);
}

TEST_CASE("Threads: a call inside a call runs where it is, without a deadlock") {
    Threads pool(3);
    Threads other(2);
    std::vector<int> counts(100, 0);
    pool.for_range(10, 1, [&](std::size_t outer, std::size_t, std::size_t) {
        other.for_range(10, 1, [&](std::size_t inner, std::size_t, std::size_t worker) {
            CHECK(worker == 0);
            pool.for_range(1, 1, [&](std::size_t, std::size_t, std::size_t) { ++counts[outer * 10 + inner]; });
        });
    });
    CHECK(std::all_of(counts.begin(), counts.end(), [](int count) { return count == 1; }));
}

TEST_CASE("Threads: an exception comes back to the caller, and the pool lives on") {
    Threads pool(3);
    for (int round = 0; round < 20; ++round) {
        std::atomic<int> calls{0};
        CHECK_THROWS_WITH_AS(pool.for_range(1000, 1,
                                            [&](std::size_t begin, std::size_t, std::size_t) {
                                                ++calls;
                                                if (begin == 5) {
                                                    throw std::runtime_error("five");
                                                }
                                            }),
                             "five", std::runtime_error);
        CHECK(calls.load() <= 1000);

        std::atomic<int> after{0};
        pool.for_range(100, 1, [&](std::size_t, std::size_t, std::size_t) { ++after; });
        CHECK(after.load() == 100);
    }
}

TEST_CASE("Threads: the first exception ends the call early") {
    Threads pool(2);
    constexpr std::size_t n = 50'000;
    std::atomic<std::size_t> calls{0};
    CHECK_THROWS_AS(pool.for_range(n, 1,
                                   [&](std::size_t, std::size_t, std::size_t) {
                                       ++calls;
                                       throw std::runtime_error("at once");
                                   }),
                    std::runtime_error);
    CHECK(calls.load() < n);
}

TEST_CASE("Threads: an exception of a nested call leaves the outer one in order") {
    Threads pool(2);
    CHECK_THROWS_AS(pool.for_range(4, 1,
                                   [&](std::size_t, std::size_t, std::size_t) {
                                       pool.for_range(4, 1, [](std::size_t, std::size_t, std::size_t) {
                                           throw std::runtime_error("inner");
                                       });
                                   }),
                    std::runtime_error);
    CHECK(chunks_of(pool, 8, 1).size() == 8);
}

namespace {

// The ids of the threads that run the chunks of a call.
template <class E>
std::set<std::thread::id> threads_of(E& executor, std::size_t n) {
    std::set<std::thread::id> ids;
    std::mutex mutex;
    executor.for_range(n, 1, [&](std::size_t, std::size_t, std::size_t) {
        const std::lock_guard lock(mutex);
        ids.insert(std::this_thread::get_id());
    });
    return ids;
}

}  // namespace

TEST_CASE("Threads: a call inside a call of one chunk runs in one thread") {
    Threads pool(4);
    Threads other(3);
    Threads alone(1);
    const std::set<std::thread::id> here{std::this_thread::get_id()};
    const auto check_inner_calls = [&](std::size_t, std::size_t, std::size_t) {
        std::vector<int> unguarded(1, 0);  // a thread sanitizer sees it if two threads count
        for (Threads* inner : {&pool, &other, &alone}) {
            inner->for_range(200, 1, [&](std::size_t, std::size_t, std::size_t worker) {
                unguarded[0] += worker == 0 ? 1 : 0;
                if (unguarded[0] % 50 == 0) {
                    std::this_thread::yield();
                }
            });
            CHECK(threads_of(*inner, 50) == here);
        }
        CHECK(unguarded[0] == 600);
    };
    pool.for_range(1, 1, check_inner_calls);
    pool.for_range(10, 10, check_inner_calls);
    alone.for_range(2, 1, check_inner_calls);  // a pool of one thread is a pool, too
    alone.for_range(1, 1, [&](std::size_t, std::size_t, std::size_t) { pool.for_range(1, 1, check_inner_calls); });
    Serial{}.for_range(1, 1, [&](std::size_t, std::size_t, std::size_t) { pool.for_range(1, 1, check_inner_calls); });
}

TEST_CASE("Threads: a second inner call still runs in one thread after the first has thrown") {
    Threads pool(4);
    const auto fails = [](std::size_t, std::size_t, std::size_t) { throw std::runtime_error("inner"); };
    for (const std::size_t outer_chunks : {1U, 8U}) {
        pool.for_range(outer_chunks, 1, [&](std::size_t, std::size_t, std::size_t) {
            for (const std::size_t inner_chunks : {1U, 8U}) {
                CHECK_THROWS_AS(pool.for_range(inner_chunks, 1, fails), std::runtime_error);
                CHECK(threads_of(pool, 50) == std::set{std::this_thread::get_id()});
            }
        });
    }
}

TEST_CASE("Threads: works in all its threads again after a call of one chunk, also if that has thrown") {
    Threads pool(2);
    const auto meet = [&] {  // comes back only if two threads are inside at once
        std::atomic<int> inside{0};
        pool.for_range(2, 1, [&](std::size_t, std::size_t, std::size_t) {
            ++inside;
            while (inside.load() < 2) {
                std::this_thread::yield();
            }
        });
        return inside.load();
    };
    pool.for_range(1, 1, [](std::size_t, std::size_t, std::size_t) {});
    CHECK(meet() == 2);
    const auto fails = [](std::size_t, std::size_t, std::size_t) { throw std::runtime_error("once"); };
    CHECK_THROWS_AS(pool.for_range(1, 1, fails), std::runtime_error);
    CHECK(meet() == 2);
    CHECK_THROWS_AS(pool.for_range(5, 1, fails), std::runtime_error);
    CHECK(meet() == 2);
    Serial{}.for_range(2, 1, [&](std::size_t, std::size_t, std::size_t) { CHECK(meet() == 2); });  // Serial is no pool
}

TEST_CASE("Threads: of two exceptions the first comes out") {
    Threads pool(2);
    for (int round = 0; round < 3; ++round) {
        std::atomic<int> inside{0};
        CHECK_THROWS_WITH_AS(pool.for_range(2, 1,
                                            [&](std::size_t, std::size_t, std::size_t) {
                                                const bool is_first = ++inside == 1;
                                                while (inside.load() < 2) {  // both chunks are under way
                                                    std::this_thread::yield();
                                                }
                                                if (is_first) {
                                                    throw std::runtime_error("first");
                                                }
                                                std::this_thread::sleep_for(std::chrono::milliseconds(200));
                                                throw std::runtime_error("second");
                                            }),
                             "first", std::runtime_error);
    }
}

TEST_CASE("Threads: an exception ends a call of the largest number of chunks, which a counter cannot go past") {
    Threads pool(4);
    constexpr std::size_t most = std::numeric_limits<std::size_t>::max();
    std::atomic<int> after{0};
    std::atomic<bool> has_thrown{false};
    CHECK_THROWS_WITH_AS(pool.for_range(most, 1,
                                        [&](std::size_t begin, std::size_t, std::size_t) {
                                            after += has_thrown ? 1 : 0;
                                            if (begin >= 1000) {
                                                has_thrown = true;
                                                throw std::runtime_error("enough");
                                            }
                                        }),
                         "enough", std::runtime_error);
    CHECK(after.load() < 100'000);
}

TEST_CASE("Threads: where memory for a thread is missing, the constructor throws and ends those that run") {
    std::size_t failures = 0;
    for (bool has_failed = true; has_failed; failures += has_failed ? 1 : 0) {
        const funnel::testing::FailingAllocation failing(failures);
        try {
            const Threads pool(4);
        } catch (const std::bad_alloc&) {
        }
        has_failed = failing.has_failed();
    }
    CHECK((failures >= 4 ||
           !funnel::testing::allocations_are_counted));  // the list, and the state of each of three threads
}

TEST_CASE("Threads: takes 65,536 threads for a count, and no more") {
    if (!funnel::testing::allocations_are_counted) {
        return;
    }
    const funnel::testing::FailingAllocation failing(0);  // of the list of threads: none is started
    CHECK_THROWS_AS(Threads(65'536), std::bad_alloc);
    CHECK_THROWS_WITH_AS(Threads(65'537), "Threads: count must lie in [1, 65536], got 65537", InvalidArgument);
}

TEST_CASE("Threads: where the system refuses a thread (ulimit -v), the constructor throws instead of hanging") {
    if (funnel::testing::is_sanitized) {
        return;  // sanitizers need address space of their own
    }
    const auto ending = funnel::testing::ending_of([] {
        std::size_t pages = 0;
        std::ifstream("/proc/self/statm") >> pages;
        const rlim_t room = pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) + (rlim_t{40} << 20);
        const rlimit limit{room, room};
        if (::setrlimit(RLIMIT_AS, &limit) != 0) {
            throw std::runtime_error("no limit");
        }
        const Threads pool(2000);  // each has a stack of its own
    });
    CHECK(ending.signal == 0);
    CHECK(ending.exit_code == 1);
    CHECK(ending.written.find("temporarily unavailable") != std::string::npos);
}

TEST_CASE("Threads: several callers take turns") {
    Threads pool(2);
    std::vector<long> sums(4, 0);
    {
        std::vector<std::jthread> callers;
        for (std::size_t caller = 0; caller < sums.size(); ++caller) {
            callers.emplace_back([&, caller] {
                for (int round = 0; round < 50; ++round) {
                    std::vector<long> values(200);
                    parallel_for(pool, values.size(), 8, [&](std::size_t i) { values[i] = static_cast<long>(i); });
                    for (const long value : values) {
                        sums[caller] += value;
                    }
                }
            });
        }
    }
    CHECK(sums == std::vector<long>(4, 50 * 199 * 100));
}

TEST_CASE("Threads: no two calls are under way at the same time") {
    Threads pool(2);
    std::array<std::atomic<int>, 2> inside{};  // bodies that run for each of two callers
    std::atomic<bool> has_mixed{false};
    {
        std::vector<std::jthread> callers;
        for (std::size_t caller = 0; caller < 2; ++caller) {
            callers.emplace_back([&, caller] {
                for (int round = 0; round < 100; ++round) {
                    pool.for_range(20, 1, [&](std::size_t, std::size_t, std::size_t) {
                        ++inside[caller];
                        std::this_thread::sleep_for(std::chrono::microseconds(20));
                        if (inside[1 - caller] != 0) {
                            has_mixed = true;
                        }
                        --inside[caller];
                    });
                }
            });
        }
    }
    CHECK_FALSE(has_mixed);
}

TEST_CASE("Threads: many short calls, and pools that are never used") {
    for (int i = 0; i < 20; ++i) {
        const Threads idle(3);
    }
    Threads pool(2);
    std::atomic<int> calls{0};
    for (int i = 0; i < 2000; ++i) {
        pool.for_range(2, 1, [&](std::size_t, std::size_t, std::size_t) { ++calls; });
    }
    CHECK(calls.load() == 4000);
}

TEST_CASE("parallel_for: each index once, with lvalue and temporary executors and bodies") {
    std::vector<int> counts(1000, 0);
    const auto count = [&](std::size_t i) { ++counts[i]; };
    Threads pool(2);
    parallel_for(pool, counts.size(), 16, count);
    parallel_for(Serial{}, counts.size(), 16, [&](std::size_t i) { ++counts[i]; });
    CHECK(std::all_of(counts.begin(), counts.end(), [](int c) { return c == 2; }));
}

namespace {

std::atomic<std::size_t> elements_counted{0};

void count_elements(std::size_t begin, std::size_t end, std::size_t) {
    elements_counted += end - begin;
}

}  // namespace

TEST_CASE("executors: a plain function is a body, as is a pointer to one") {
    Threads pool(2);
    pool.for_range(100, 7, count_elements);
    pool.for_range(100, 7, &count_elements);
    Serial{}.for_range(100, 7, count_elements);
    CHECK(elements_counted == 300);
}

TEST_CASE("executors: reject a grain or a thread count of zero") {
    CHECK_THROWS_AS(Threads(0), InvalidArgument);
    CHECK_THROWS_AS(Threads(static_cast<std::size_t>(-1)), InvalidArgument);
    Threads pool(2);
    const auto body = [](std::size_t, std::size_t, std::size_t) {};
    CHECK_THROWS_AS(pool.for_range(5, 0, body), InvalidArgument);
    CHECK_THROWS_AS(Serial{}.for_range(5, 0, body), InvalidArgument);
}
