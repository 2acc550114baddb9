// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// The options of an inverted file, one at a time: what nprobe trades, how many lists are best, and what a bound of the
// largest list costs and saves. 100,000 vectors of 64 floats, Int8, the ten nearest, one thread.
//
//   lists_bench [JSON]
#include "support/bench.hpp"
#include "support/searches.hpp"
#include "support/shop.hpp"

#include <funnel/ann/code_types.hpp>
#include <funnel/ann/flat.hpp>
#include <funnel/ann/ivf.hpp>
#include <funnel/ann/vectors.hpp>
#include <funnel/core/matrix.hpp>

#include <cstddef>
#include <map>
#include <string>
#include <vector>

using namespace funnel;
using ann::Cosine;
using ann::Int8;

namespace {

constexpr std::size_t dim = bench::Shop::dim;
constexpr std::size_t k = 10;
constexpr double target = 0.95;

using Lists = ann::IVFFlat<Cosine, dim, Int8>;

class Options {
public:
    Options() : exact_(ann::Flat<Cosine, dim, Int8>::build(items_.view()).search_batch(queries_.view(), {.k = k})) {}

    void add_probes() {
        const Lists index = Lists::build(items_.view(), {.seed = 1});
        for (const std::size_t nprobe : {1U, 2U, 4U, 8U, 16U, 32U, 64U, 128U}) {
            const std::string name = "nprobe " + std::to_string(nprobe);
            const Lists::SearchOptions options{.k = k, .nprobe = nprobe};
            add(name + ", recall", bench::recall_of(index.search_batch(queries_.view(), options), exact_).overlap, "1");
            add_times(name, index, options);
        }
    }

    void add_numbers_of_lists() {
        for (const std::size_t lists : {100U, 200U, 400U, 800U, 1600U, 3200U}) {
            add_index("lists " + std::to_string(lists), {.lists = lists, .seed = 1});
        }
    }

    void add_balances() {
        add_index("balance none", {.seed = 1});
        add_index("balance 4", {.seed = 1, .balance = 4.0});
        add_index("balance 2", {.seed = 1, .balance = 2.0});
        add_index("balance 1.5", {.seed = 1, .balance = 1.5});
        add_index("balance 1.2", {.seed = 1, .balance = 1.2});
    }

    void report(bench::Report& report) const {
        for (const auto& [unit, rows] : rows_) {
            for (const bench::Row& row : rows) {
                report.add(row);
            }
        }
    }

private:
    void add(const std::string& name, double value, const std::string& unit) {
        rows_[unit].push_back({.name = name, .ours = bench::single(value), .unit = unit, .setup = setup});
    }

    void add_times(const std::string& name, const Lists& index, const Lists::SearchOptions& options) {
        const bench::SearchTimes times = bench::search_times(index, queries_.view(), options);
        rows_["us"].push_back({.name = name + ", time", .ours = times.mean, .unit = "us", .setup = setup});
        add(name + ", p99", times.p99, "us");
    }

    /// With the smallest nprobe that reaches the target.
    void add_index(const std::string& name, const ann::IVFOptions& build) {
        const auto [index, seconds] = bench::timed_build<Lists>(items_.view(), build);
        Lists::SearchOptions options{.k = k};
        const std::size_t most = items_.rows();
        options.nprobe = bench::smallest_effort(index, queries_.view(), exact_, options, target, most).value_or(most);
        add(name + ", nprobe", static_cast<double>(options.nprobe), "1");
        add(name + ", build", seconds, "s");
        add_times(name, index, options);
    }

    static constexpr const char* setup = "100,000 x 64, Cosine, Int8, k 10, 1,000 queries, 1 thread";

    Matrix<float> items_ = bench::Shop().items(100'000);
    Matrix<float> queries_ = bench::Shop().users(1000);
    bench::HitLists exact_;
    std::map<std::string, std::vector<bench::Row>> rows_;  // by unit
};

}  // namespace

int main(int argc, char** argv) {
    bench::Report report("lists", argc, argv);
    Options options;
    options.add_probes();
    options.add_numbers_of_lists();
    options.add_balances();
    options.report(report);
    return report.finish();
}
