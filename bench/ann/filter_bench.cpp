// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Filtered search beside an exact scan by Flat with the same codes and the same filter: time, and recall of ten. The
// vectors that pass are random ones, or ("anti") those that are least similar to the mean of the queries.
//
//   filter_bench [JSON] [--quick]    --quick: 10,000 vectors, not 100,000

#include "support/arguments.hpp"
#include "support/bench.hpp"
#include "support/shop.hpp"

#include <funnel/ann/filters.hpp>
#include <funnel/ann/flat.hpp>
#include <funnel/ann/hnsw.hpp>
#include <funnel/ann/ivf.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/parallel.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/scored.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

using namespace funnel;
using ann::Bitmap;
using ann::Cosine;
using ann::F32;
using ann::Int8;
using ann::SortedIds;

namespace {

constexpr std::size_t dim = bench::Shop::dim;
constexpr std::size_t k = 10;
constexpr std::size_t query_count = 100;

/// What a filter lets pass, in each form that a filter may have.
struct Allowed {
    std::vector<std::uint8_t> flags;
    std::vector<std::uint64_t> words;
    std::vector<std::uint32_t> ids;

    Allowed(std::size_t n, std::vector<std::uint32_t> chosen) : flags(n), words((n + 63) / 64), ids(std::move(chosen)) {
        std::sort(ids.begin(), ids.end());
        for (const std::uint32_t id : ids) {
            flags[id] = 1;
            words[id / 64] |= std::uint64_t{1} << (id % 64);
        }
    }
};

/// All ids; those that are least similar to the mean of the queries first, or in random order.
std::vector<std::uint32_t> order_of(const Matrix<float>& items, const Matrix<float>& queries, bool anti) {
    std::vector<std::uint32_t> ids(items.rows());
    std::iota(ids.begin(), ids.end(), 0U);
    Random random(7);
    if (!anti) {
        std::shuffle(ids.begin(), ids.end(), random);
        return ids;
    }
    const auto unit = ann::Flat<Cosine, dim>::build(queries);
    Matrix<float> mean(1, dim);
    for (std::size_t i = 0; i < queries.rows(); ++i) {
        for (std::size_t j = 0; j < dim; ++j) {
            mean(0, j) += unit.vector(static_cast<std::uint32_t>(i))[j];
        }
    }
    const auto ranking = ann::Flat<Cosine, dim>::build(items).search(mean.row(0), {.k = items.rows()});
    std::transform(ranking.rbegin(), ranking.rend(), ids.begin(), [](const Scored<>& hit) { return hit.id; });
    return ids;
}

template <class Codes>
struct Indexes {
    ann::Flat<Cosine, dim, Codes> flat;
    ann::HNSW<Cosine, dim, Codes> hnsw;
    ann::IVFFlat<Cosine, dim, Codes> ivf;

    explicit Indexes(const Matrix<float>& items, Threads pool = Threads(2))
        : flat(decltype(flat)::build(items)),
          hnsw(decltype(hnsw)::build(items, {.seed = 1}, pool)),
          ivf(decltype(ivf)::build(items, {.lists = 256, .seed = 1}, pool)) {}
};

// Returns what a search by Flat takes, in microseconds.
template <class Flat, class Index, class Filter>
bench::Samples measure(bench::Report& report, const std::string& name, const std::string& peer, const Flat& flat,
                       const Index& index, const typename Index::SearchOptions& options, const Matrix<float>& queries,
                       const Filter& filter) {
    auto scratch = index.scratch(options);
    auto flat_scratch = flat.scratch({.k = k});
    std::vector<Scored<>> out(k);
    std::size_t found = 0;
    std::size_t wanted = 0;
    std::size_t scanned = 0;
    for (std::size_t i = 0; i < queries.rows(); ++i) {
        const std::vector<Scored<>> exact = flat.search(queries.row(i), {.k = k}, filter);
        const std::size_t hits = index.search(queries.row(i), options, filter, scratch, out);
        for (const Scored<>& hit : std::span(out).first(hits)) {
            const auto is_same = [&](const Scored<>& other) { return other.id == hit.id; };
            found += std::any_of(exact.begin(), exact.end(), is_same) ? 1U : 0U;
        }
        wanted += exact.size();
        scanned += scratch.stats().scanned ? 1U : 0U;
    }
    const auto ours = [&] {
        for (std::size_t i = 0; i < queries.rows(); ++i) {
            bench::keep(index.search(queries.row(i), options, filter, scratch, out));
        }
    };
    const auto theirs = [&] {
        for (std::size_t i = 0; i < queries.rows(); ++i) {
            bench::keep(flat.search(queries.row(i), {.k = k}, filter, flat_scratch, out));
        }
    };
    const bench::Comparison times = bench::compare(ours, theirs, {.samples = 7, .clock = bench::Clock::ThreadCPU});
    const double per_query = 1000.0 * static_cast<double>(queries.rows());
    report.add({.name = name,
                .peer = peer,
                .unit = "us/query",
                .target = 1.0 / 1.2,
                .setup = "k 10, ef 64 or nprobe 32 of 256, scans " + std::to_string(scanned) + "%",
                .rate = bench::Rate{static_cast<double>(found) / static_cast<double>(wanted), "recall@10"}},
               times, per_query);
    return bench::scaled(times.theirs, 1.0 / per_query);
}

template <class Codes>
void measure_all(bench::Report& report, const std::string& codes, const Indexes<Codes>& indexes,
                 const Matrix<float>& queries, const Allowed& allowed, const std::string& share) {
    const auto callable = [&](std::uint32_t id) noexcept { return allowed.flags[id] != 0; };
    const auto with = [&](const std::string& name, const auto& filter) {
        const bench::Samples scan = measure(report, "HNSW " + codes + name, "Flat " + codes, indexes.flat, indexes.hnsw,
                                            {.k = k, .ef = 64}, queries, filter);
        report.add({.name = "Flat " + codes + name, .ours = scan, .unit = "us/query", .setup = "k 10"});
        measure(report, "IVF " + codes + name, "Flat " + codes, indexes.flat, indexes.ivf, {.k = k, .nprobe = 32},
                queries, filter);
    };
    with(", " + share + ", callable", callable);
    with(", " + share + ", Bitmap", Bitmap(allowed.words));
    with(", " + share + ", SortedIds", SortedIds(allowed.ids));
}

}  // namespace

int main(int argc, char** argv) {
    std::vector<char*> arguments(argv, argv + argc);
    const std::size_t n = bench::take_flag(arguments, "--quick") ? 10'000 : 100'000;
    bench::Report report("filter", static_cast<int>(arguments.size()), arguments.data());
    const bench::Shop shop;
    const Matrix<float> items = shop.items(n);
    const Matrix<float> queries = shop.users(query_count);
    const Indexes<F32> exact(items);
    const Indexes<Int8> coded(items);
    for (const bool anti : {false, true}) {
        const std::vector<std::uint32_t> order = order_of(items, queries, anti);
        for (const double percent : {50.0, 10.0, 2.0, 0.5}) {
            const auto count = static_cast<std::ptrdiff_t>(percent / 100.0 * static_cast<double>(n));
            const Allowed allowed(n, {order.begin(), order.begin() + count});
            const std::string share =
                (percent < 1.0 ? "0.5" : std::to_string(static_cast<int>(percent))) + "% " + (anti ? "anti" : "random");
            measure_all(report, "f32", exact, queries, allowed, share);
            measure_all(report, "int8", coded, queries, allowed, share);
        }
    }
    return report.finish();
}
