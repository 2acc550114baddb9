// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// funnel's side of bench/peers/ann.py: Flat and HNSW on vectors from files.

#include "support/bench.hpp"
#include "support/side.hpp"

#include <funnel/ann/flat.hpp>
#include <funnel/ann/hnsw.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/parallel.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/io/npy.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

using namespace funnel;
using bench::Side;

namespace {

struct Data {
    Matrix<float> items;
    Matrix<float> queries;
    Matrix<Scored<>> hits;  // of the last search
};

/// Searches for each query. The caller's memory is used again, as in a server.
template <class Index, class Options>
Side::Answer search_all(const Index& index, const Options& options, Data& data) {
    auto scratch = index.scratch(options);
    data.hits = Matrix<Scored<>>(data.queries.rows(), options.k);
    return Side::timed([&] {
        for (std::size_t i = 0; i < data.queries.rows(); ++i) {
            bench::keep(index.search(data.queries.row(i), options, scratch, data.hits.row(i)));
        }
    });
}

template <ann::Metric M>
struct Indexes {
    std::optional<ann::Flat<M>> flat;
    std::optional<ann::HNSW<M>> hnsw;

    /// Adds the commands that work on metric M, for example "Cosine search".
    void offer(Side& side, Data& data) {
        const std::string name(M::name);
        side.on(name + " build", [&](const Side::Arguments& arguments) {
            Threads threads(arguments.number("threads"));
            hnsw.reset();
            return Side::timed([&] {
                hnsw.emplace(ann::HNSW<M>::build(
                    data.items, {.M = arguments.number("M"), .ef_construction = arguments.number("ef")}, threads));
            });
        });
        side.on(name + " memory", [&](const Side::Arguments&) -> Side::Answer {
            return {{"bytes", static_cast<double>(hnsw.value().memory_bytes())}};
        });
        side.on(name + " search", [&](const Side::Arguments& arguments) {
            const ann::HNSWSearchOptions options{.k = arguments.number("k"), .ef = arguments.number("ef")};
            return search_all(hnsw.value(), options, data);
        });
        side.on(name + " scan", [&](const Side::Arguments& arguments) {
            if (!flat) {
                flat.emplace(ann::Flat<M>::build(data.items));
            }
            return search_all(*flat, ann::FlatSearchOptions{.k = arguments.number("k")}, data);
        });
    }
};

}  // namespace

int main() {
    Side side;
    Data data;
    Indexes<ann::L2> l2;
    Indexes<ann::InnerProduct> inner_product;
    Indexes<ann::Cosine> cosine;
    l2.offer(side, data);
    inner_product.offer(side, data);
    cosine.offer(side, data);

    side.on("items", [&](const Side::Arguments& arguments) -> Side::Answer {
        data.items = io::read_npy<float>(arguments.text("path"));
        return {{"rows", static_cast<double>(data.items.rows())}};
    });
    side.on("queries", [&](const Side::Arguments& arguments) -> Side::Answer {
        data.queries = io::read_npy<float>(arguments.text("path"));
        return {{"rows", static_cast<double>(data.queries.rows())}};
    });
    side.on("hits", [&](const Side::Arguments& arguments) -> Side::Answer {
        Matrix<std::uint32_t> ids(data.hits.rows(), data.hits.cols());
        for (std::size_t i = 0; i < ids.rows(); ++i) {
            for (std::size_t j = 0; j < ids.cols(); ++j) {
                ids(i, j) = data.hits(i, j).id;
            }
        }
        io::write_npy(arguments.text("path"), ids);
        return {};
    });
    return side.serve();
}
