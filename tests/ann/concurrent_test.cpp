// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/ann/concurrent.hpp>

#include "ann/sample_vectors.hpp"
#include "support/allocations.hpp"

#include <funnel/ann/flat.hpp>
#include <funnel/ann/hnsw.hpp>
#include <funnel/ann/keyed.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/scored.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <stdexcept>
#include <thread>
#include <vector>

using funnel::MatrixView;
using funnel::Scored;
using funnel::ann::Concurrent;
using funnel::ann::Flat;
using funnel::ann::HNSW;
using funnel::ann::Keyed;
using funnel::ann::L2;
using funnel::ann::detail::PhaseFairMutex;
using funnel::testing::tastes;

TEST_CASE("Concurrent: the functions of an index, one thread") {
    const std::vector<float> points{0.0F, 1.0F, 2.0F};
    Concurrent<Flat<L2>> live(Flat<L2>::build(MatrixView<const float>(points, 3, 1)));
    CHECK(live.add(std::vector{5.0F}) == 3);
    CHECK(live.remove(1U));
    CHECK_FALSE(live.remove(1U));
    live.replace(0U, std::vector{6.0F});
    CHECK(live.search(std::vector{5.0F}, {.k = 2}) == std::vector<Scored<>>{{3, 0.0F}, {0, -1.0F}});
    CHECK(live.read([](const auto& index) { return index.size(); }) == 3);
    CHECK(live.write([](auto& index) { return index.add(std::vector{7.0F}); }) == 4);
    const auto fails = [](auto&) -> int { throw std::runtime_error("change"); };
    CHECK_THROWS_AS(live.write(fails), std::runtime_error);  // and the lock is free again:
    CHECK(live.remove(4U));
    CHECK_THROWS_AS(live.remove(5U), funnel::InvalidArgument);
}

TEST_CASE("Concurrent: a search with a scratch of the caller allocates nothing") {
    const Concurrent<HNSW<L2>> live(HNSW<L2>::build(tastes(300, 8, 1)));
    const auto vectors = tastes(1, 8, 2);
    const funnel::ann::HNSWSearchOptions options{.k = 5};
    auto scratch = live.read([&](const auto& index) { return index.scratch(options); });
    std::array<Scored<>, 5> out{};
    CHECK(funnel::testing::allocations_of([&] { live.search(vectors.row(0), options, scratch, out); }) == 0);
    CHECK(live.search(vectors.row(0), options, scratch, out) == 5);
}

// "Search while inserting": crashes and wrong results of peers that claim it.
TEST_CASE("Concurrent: searches while another thread adds, removes and replaces find whole states of the graph") {
    constexpr std::size_t n = 200;
    const auto vectors = tastes(2000, 8, 1);
    Concurrent<HNSW<L2>> live(
        HNSW<L2>::build(MatrixView<const float>(vectors).rows_from(0, n), {.M = 4, .ef_construction = 20}));
    std::atomic<bool> is_done = false;
    std::atomic<int> errors = 0;
    std::vector<std::thread> readers;
    for (std::size_t reader = 0; reader < 3; ++reader) {
        readers.emplace_back([&, reader] {
            std::vector<Scored<>> out(2 * n);
            auto scratch = live.read([](const auto& index) { return index.scratch(); });
            for (std::size_t i = reader; !is_done; i = (i + 3) % 2000) {
                // Changes come in pairs that keep the size, as one.
                const auto size = live.read([](const auto& index) { return index.size(); });
                const std::size_t found =
                    live.search(vectors.row(i), funnel::ann::HNSWSearchOptions{.k = 2 * n}, scratch, out);
                errors += size == n && found == n ? 0 : 1;
                errors += std::is_sorted(out.begin(), out.begin() + n, funnel::ranks_before) ? 0 : 1;
            }
        });
    }
    for (std::size_t i = n; i < 1000; ++i) {
        const auto id = static_cast<std::uint32_t>(i % n);
        if (i % 50 == 0) {
            live.write([&](auto& index) {
                index.remove(id);
                index.replace(id, vectors.row(i + 1000 - n));
                const std::uint32_t added = index.add(vectors.row(i));
                index.remove(added);
            });
        }
        live.replace(id, vectors.row(i));
    }
    is_done = true;
    for (std::thread& reader : readers) {
        reader.join();
    }
    CHECK(errors == 0);
    live.read([&](const auto& index) {
        CHECK(index.unreachable() == 0);
        CHECK(index.reachable_fraction() == 1.0);
        CHECK(index.next_id() == n + 16);
    });
}

TEST_CASE("Concurrent: a Keyed index, whose keys change while it is searched") {
    const auto vectors = tastes(300, 4, 1);
    std::vector<int> keys(100);
    std::iota(keys.begin(), keys.end(), 0);
    Concurrent<Keyed<Flat<L2>, int>> live(
        Keyed<Flat<L2>, int>::build(keys, MatrixView<const float>(vectors).rows_from(0, 100)));
    std::atomic<bool> is_done = false;
    std::thread reader([&] {
        while (!is_done) {
            (void)live.search(vectors.row(0));
        }
    });
    for (int key = 0; key < 100; ++key) {
        live.remove(key);
        live.add(key + 1000, vectors.row(static_cast<std::size_t>(key) + 100));
        live.replace(key + 1000, vectors.row(static_cast<std::size_t>(key) + 200));
    }
    is_done = true;
    reader.join();
    CHECK(live.read([](const auto& index) { return index.index().next_id(); }) == 100);
}

TEST_CASE("PhaseFairMutex: readers that never all leave do not keep writers out") {
    PhaseFairMutex mutex;
    std::atomic<bool> is_done = false;
    std::atomic<int> inside = 0;
    std::atomic<int> errors = 0;
    int written = 0;
    // Each reader stays until another one is inside, or for a while: under a lock that prefers readers, one always is.
    std::vector<std::thread> readers;
    for (int reader = 0; reader < 3; ++reader) {
        readers.emplace_back([&] {
            while (!is_done) {
                mutex.lock_shared();
                const int before = written;
                ++inside;
                const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(2);
                while (inside < 2 && std::chrono::steady_clock::now() < end) {
                    std::this_thread::yield();
                }
                errors += written == before ? 0 : 1;
                --inside;
                mutex.unlock_shared();
            }
        });
    }
    std::vector<std::thread> writers;
    for (int writer = 0; writer < 2; ++writer) {
        writers.emplace_back([&] {
            for (int i = 0; i < 50; ++i) {
                mutex.lock();
                errors += inside == 0 ? 0 : 1;
                ++written;
                mutex.unlock();
            }
        });
    }
    for (std::thread& writer : writers) {
        writer.join();
    }
    is_done = true;
    for (std::thread& reader : readers) {
        reader.join();
    }
    CHECK(written == 100);
    CHECK(errors == 0);
}

TEST_CASE("PhaseFairMutex: writers that never stop do not keep readers out") {
    PhaseFairMutex mutex;
    std::atomic<bool> is_done = false;
    long written = 0;
    std::vector<std::thread> writers;
    for (int writer = 0; writer < 2; ++writer) {
        writers.emplace_back([&] {
            while (!is_done) {
                mutex.lock();
                ++written;
                mutex.unlock();
            }
        });
    }
    long last = -1;
    int errors = 0;
    for (int i = 0; i < 500; ++i) {
        mutex.lock_shared();
        errors += written >= last ? 0 : 1;
        last = written;
        mutex.unlock_shared();
    }
    is_done = true;
    for (std::thread& writer : writers) {
        writer.join();
    }
    CHECK(errors == 0);
}
