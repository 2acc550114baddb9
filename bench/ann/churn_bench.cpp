// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// An HNSW in service. Ten rounds of churn: 30 % of the vectors are removed at random, and as many new ones come. Recall,
// search time, memory and the time of a change, if the ids are used again (replace), and if removed vectors stay in the
// graph as tombstones (remove and add), beside a fresh build of the same vectors. Then removals without new vectors, and
// the latency of a reader beside a writer. --quick uses 10,000 vectors, not 100,000.

#include <funnel/ann/concurrent.hpp>
#include <funnel/ann/flat.hpp>
#include <funnel/ann/hnsw.hpp>

#include "support/arguments.hpp"
#include "support/bench.hpp"
#include "support/shop.hpp"

#include <funnel/core/matrix.hpp>
#include <funnel/core/parallel.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/scored.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using funnel::Matrix;
using funnel::MatrixView;
using funnel::Random;
using funnel::Scored;
using funnel::ann::Concurrent;
using funnel::ann::Cosine;
using funnel::ann::Flat;
using funnel::ann::HNSW;
using funnel::bench::Clock;
using funnel::bench::Report;
using funnel::bench::single;

using Graph = HNSW<Cosine, 64>;

constexpr std::size_t k = 10;
constexpr std::size_t ef = 64;

/// What an index is asked, and what it should find: the score of the k-th nearest vector of each query.
struct Questions {
    Matrix<float> queries;
    std::vector<float> worst;

    template <class Vectors>
    void answer(const Vectors& vectors, funnel::Threads& pool) {
        worst.clear();
        for (const auto& list : Flat<Cosine>::build(vectors).search_batch(queries, {.k = k}, pool)) {
            worst.push_back(list.back().score);
        }
    }

    [[nodiscard]] double recall(const Graph& index, std::size_t pool) const {
        std::size_t found = 0;
        for (std::size_t i = 0; i < queries.rows(); ++i) {
            for (const Scored<>& hit : index.search(queries.row(i), {.k = k, .ef = pool})) {
                found += hit.score >= worst[i] ? 1U : 0U;
            }
        }
        return static_cast<double>(found) / static_cast<double>(k * queries.rows());
    }

    /// Searches all queries.
    [[nodiscard]] auto search(const Graph& index) const {
        return [&, scratch = index.scratch({.k = k, .ef = ef}), out = std::vector<Scored<>>(k)]() mutable {
            for (std::size_t i = 0; i < queries.rows(); ++i) {
                funnel::bench::keep(index.search(queries.row(i), {.k = k, .ef = ef}, scratch, out));
            }
        };
    }
};

class Bench {
public:
    explicit Bench(Report& report, std::size_t n) : report_(&report), n_(n), part_(n * 3 / 10) {
        const funnel::bench::Shop shop;
        all_ = shop.items(n + (rounds + 1) * part_);
        questions_.queries = shop.users(1000);
    }

    void churn() {
        Matrix<float> now(all_.view().rows_from(0, n_));
        auto replaced = Graph::build(now, {}, pool_);
        auto tombstones = replaced;
        std::vector<std::uint32_t> id_of(n_);  // in tombstones
        std::iota(id_of.begin(), id_of.end(), 0U);
        for (std::size_t round = 1; round <= rounds; ++round) {
            const auto chosen = Random(7, round).permutation<std::uint32_t>(n_);
            const auto vector = [&](std::size_t i) { return all_.row(n_ + (round - 1) * part_ + i); };
            const double replace_s = funnel::bench::time_once_s([&] {
                for (std::size_t i = 0; i < part_; ++i) {
                    replaced.remove(chosen[i]);
                }
                for (std::size_t i = 0; i < part_; ++i) {
                    replaced.replace(chosen[i], vector(i));
                }
            });
            const double add_s = funnel::bench::time_once_s([&] {
                for (std::size_t i = 0; i < part_; ++i) {
                    tombstones.remove(id_of[chosen[i]]);
                }
                for (std::size_t i = 0; i < part_; ++i) {
                    id_of[chosen[i]] = tombstones.add(vector(i));
                }
            });
            for (std::size_t i = 0; i < part_; ++i) {
                std::copy(vector(i).begin(), vector(i).end(), now.row(chosen[i]).begin());
            }
            const auto fresh = Graph::build(now, {}, pool_);
            questions_.answer(now, pool_);
            const std::string name = "round " + std::to_string(round) + ", ";
            for (const std::size_t size : {std::size_t{16}, ef}) {
                const std::string at = "recall, ef " + std::to_string(size);
                add(name + "fresh build, " + at, questions_.recall(fresh, size), "recall@10");
                add(name + "replace, " + at, questions_.recall(replaced, size), "recall@10");
                add(name + "tombstones, " + at, questions_.recall(tombstones, size), "recall@10");
            }
            compare(name + "replace, search", replaced, fresh);
            compare(name + "tombstones, search", tombstones, fresh);
            add(name + "replace, change", replace_s * 1e6 / static_cast<double>(part_), "us");
            add(name + "tombstones, change", add_s * 1e6 / static_cast<double>(part_), "us");
            add(name + "fresh build, memory", bytes_per_vector(fresh), "bytes");
            add(name + "replace, memory", bytes_per_vector(replaced), "bytes");
            add(name + "tombstones, memory", bytes_per_vector(tombstones), "bytes");
            add(name + "replace, unreachable", static_cast<double>(replaced.unreachable()), "vectors");
        }
    }

    /// Whether remove() alone should change the graph.
    void removals() {
        auto index = Graph::build(all_.view().rows_from(0, n_), {}, pool_);
        const auto chosen = Random(8).permutation<std::uint32_t>(n_);
        std::size_t removed = 0;
        for (const std::size_t percent : {10U, 30U, 50U, 70U, 90U}) {
            for (; removed < n_ * percent / 100; ++removed) {
                index.remove(chosen[removed]);
            }
            Matrix<float> left(n_ - removed, all_.cols());
            for (std::size_t i = 0; i < left.rows(); ++i) {
                const auto vector = all_.row(chosen[removed + i]);
                std::copy(vector.begin(), vector.end(), left.row(i).begin());
            }
            const auto fresh = Graph::build(left, {}, pool_);
            questions_.answer(left, pool_);
            const std::string name = std::to_string(percent) + " % removed, ";
            add(name + "recall", questions_.recall(index, ef), "recall@10");
            add(name + "fresh build, recall", questions_.recall(fresh, ef), "recall@10");
            compare(name + "search", index, fresh);
        }
    }

    /// Wall time of the searches of one thread, without and with another one that replaces vectors without a pause.
    void readers() {
        Concurrent<Graph> live(Graph::build(all_.view().rows_from(0, n_), {}, pool_));
        live.replace(0U, all_.row(n_));
        for (const bool has_writer : {false, true}) {
            std::atomic<bool> is_done = false;
            std::size_t changes = 0;
            std::thread writer([&] {
                for (std::size_t i = 0; has_writer && !is_done; ++i) {
                    live.replace(static_cast<std::uint32_t>(i * 7919 % n_), all_.row(n_ + i % part_));
                    ++changes;
                }
            });
            auto scratch = live.read([](const Graph& index) { return index.scratch({.k = k, .ef = ef}); });
            std::vector<Scored<>> out(k);
            std::vector<double> us;
            const funnel::ann::HNSWSearchOptions options{.k = k, .ef = ef};
            const double seconds = funnel::bench::time_once_s([&] {
                for (std::size_t i = 0; i < 20'000; ++i) {
                    us.push_back(1e6 * funnel::bench::time_once_s([&] {
                                     live.search(questions_.queries.row(i % questions_.queries.rows()), options,
                                                 scratch, out);
                                 }));
                }
            });
            is_done = true;
            writer.join();
            std::sort(us.begin(), us.end());
            const std::string name = has_writer ? "search beside a writer, " : "search alone, ";
            add(name + "p50", us[us.size() / 2], "us");
            add(name + "p99", us[us.size() * 99 / 100], "us");
            add(name + "p99.9", us[us.size() * 999 / 1000], "us");
            if (has_writer) {
                add("changes per second beside a reader", static_cast<double>(changes) / seconds, "1/s");
            }
        }
    }

private:
    static constexpr std::size_t rounds = 10;

    void add(const std::string& name, double value, const std::string& unit) {
        report_->add({.name = name, .ours = single(value), .unit = unit, .setup = setup()});
    }

    void compare(const std::string& name, const Graph& ours, const Graph& fresh) {
        report_->add({.name = name, .peer = "fresh build", .unit = "us", .setup = setup()},
                     funnel::bench::compare(questions_.search(ours), questions_.search(fresh),
                                            {.samples = 5, .clock = Clock::ThreadCPU}),
                     1e3 * static_cast<double>(questions_.queries.rows()));
    }

    [[nodiscard]] double bytes_per_vector(const Graph& index) const {
        return static_cast<double>(index.memory_bytes()) / static_cast<double>(n_);
    }

    [[nodiscard]] std::string setup() const {
        return std::to_string(n_) + " x 64, Cosine, M 16, ef_construction 200, k 10, ef 64";
    }

    Report* report_;
    std::size_t n_;
    std::size_t part_;
    Matrix<float> all_;
    Questions questions_;
    funnel::Threads pool_{2};
};

}  // namespace

int main(int argc, char** argv) {
    std::vector<char*> arguments(argv, argv + argc);
    const std::size_t n = funnel::bench::take_flag(arguments, "--quick") ? 10'000 : 100'000;
    Report report("churn", static_cast<int>(arguments.size()), arguments.data());
    Bench bench(report, n);
    bench.readers();
    bench.removals();
    bench.churn();
    return report.finish();
}
