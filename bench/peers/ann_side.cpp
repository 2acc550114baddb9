// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// funnel's side of bench/peers/ann.py: every index on vectors from files.

#include "support/bench.hpp"
#include "support/side.hpp"

#include <funnel/ann/code_types.hpp>
#include <funnel/ann/flat.hpp>
#include <funnel/ann/hnsw.hpp>
#include <funnel/ann/ivf.hpp>
#include <funnel/ann/ivfpq.hpp>
#include <funnel/ann/keyed.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/parallel.hpp>
#include <funnel/core/scored.hpp>

#include "peers/ann_search.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace funnel;
using bench::Side;

namespace {

/// An index of any type, by the words of the commands.
class Engine {
public:
    Engine() = default;
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;
    virtual ~Engine() = default;
    virtual Side::Answer build(const bench::SearchData& data, const Side::Arguments& arguments) = 0;
    virtual Side::Answer search(bench::SearchData& data, const Side::Arguments& arguments, bool is_filtered) = 0;
    virtual Side::Answer search_batches(bench::SearchData& data, const Side::Arguments& arguments) = 0;
    [[nodiscard]] virtual std::size_t memory_bytes() const = 0;
};

template <class Index>
class EngineOf : public Engine {
public:
    Side::Answer build(const bench::SearchData& data, const Side::Arguments& arguments) override {
        typename Index::BuildOptions options;
        if constexpr (requires { options.ef_construction; }) {
            options.M = arguments.number("M");
            options.ef_construction = arguments.number("ef");
        }
        if constexpr (requires { options.lists; }) {
            options.lists = arguments.number("lists");
        }
        if constexpr (requires { options.opq; }) {
            options.opq = arguments.text("engine").find("OPQ") != std::string::npos;
        }
        Threads threads(arguments.number("threads"));
        index_.reset();
        return Side::timed([&] { index_.emplace(Index::build(data.items, options, threads)); });
    }

    Side::Answer search(bench::SearchData& data, const Side::Arguments& arguments, bool is_filtered) override {
        const auto options = options_of(arguments);
        auto scratch = index_->scratch(options);
        std::vector<Scored<>> out(options.k);
        const auto allowed = [&](std::uint32_t id) noexcept { return data.allowed[id] != 0; };
        return data.search_all(arguments, [&](std::size_t i, std::size_t, std::span<std::uint32_t> ids) {
            const std::size_t hits = is_filtered ? index_->search(data.queries.row(i), options, allowed, scratch, out)
                                                 : index_->search(data.queries.row(i), options, scratch, out);
            for (std::size_t j = 0; j < hits; ++j) {
                ids[j] = out[j].id;
            }
            return hits;
        });
    }

    /// All queries, in batches of `batch`.
    Side::Answer search_batches(bench::SearchData& data, const Side::Arguments& arguments) override {
        const auto options = options_of(arguments);
        const std::size_t batch = arguments.number("batch");
        data.hits = Matrix<std::uint32_t>(data.queries.rows(), options.k);
        return Side::timed([&] {
            for (std::size_t begin = 0; begin < data.queries.rows(); begin += batch) {
                const std::size_t count = std::min(batch, data.queries.rows() - begin);
                const auto found = index_->search_batch(data.queries.view().rows_from(begin, count), options);
                for (std::size_t i = 0; i < count; ++i) {
                    for (std::size_t j = 0; j < found[i].size(); ++j) {
                        data.hits(begin + i, j) = found[i][j].id;
                    }
                }
            }
        });
    }

    [[nodiscard]] std::size_t memory_bytes() const override { return index_->memory_bytes(); }

private:
    [[nodiscard]] static auto options_of(const Side::Arguments& arguments) {
        typename Index::SearchOptions options;
        options.k = arguments.number("k");
        if constexpr (requires { options.ef; }) {
            options.ef = arguments.number("effort");
        }
        if constexpr (requires { options.nprobe; }) {
            options.nprobe = arguments.number("effort");
        }
        if constexpr (requires { options.refine; }) {
            if (arguments.text("engine").find("PQ4") != std::string::npos) {
                options.refine = options.k <= 10 ? 10 : 6;  // as much as ann.py lets FAISS
            }
        }
        return options;
    }

    std::optional<Index> index_;
};

using Engines = std::map<std::string, std::unique_ptr<Engine>>;  // key: "Cosine 64 HNSW f32"

template <ann::Metric M, std::size_t Dim>
void add_engines(Engines& engines) {
    const std::string set = std::string(M::name) + " " + std::to_string(Dim) + " ";
    const auto add = [&]<class Index>(const char* name, std::in_place_type_t<Index>) {
        engines[set + name] = std::make_unique<EngineOf<Index>>();
    };
    add("Flat f32", std::in_place_type<ann::Flat<M, Dim>>);
    add("Flat int8", std::in_place_type<ann::Flat<M, Dim, ann::Int8>>);
    add("HNSW f32", std::in_place_type<ann::HNSW<M, Dim>>);
    add("HNSW int8", std::in_place_type<ann::HNSW<M, Dim, ann::Int8>>);
    add("IVF f32", std::in_place_type<ann::IVFFlat<M, Dim>>);
    add("IVF int8", std::in_place_type<ann::IVFFlat<M, Dim, ann::Int8>>);
    add("IVF PQ4", std::in_place_type<ann::IVFPQIndex<Dim, Dim / 2, M, 4>>);
    if constexpr (Dim == 64) {
        add("IVF PQ8", std::in_place_type<ann::IVFPQIndex<Dim, 8, M>>);
        add("IVF OPQ8", std::in_place_type<ann::IVFPQIndex<Dim, 8, M>>);
    }
}

/// A graph of some of the items, which change. Keys are the numbers of the items.
class Churned {
    using Graph = ann::Keyed<ann::HNSW<ann::Cosine, 64>, std::uint32_t>;

public:
    Side::Answer build(const bench::SearchData& data, const Side::Arguments& arguments) {
        const auto some = io::read_npy<float>(arguments.text("path"));
        std::vector<std::uint32_t> keys;
        Matrix<float> rows(some.cols(), data.items.cols());
        for (std::size_t i = 0; i < some.cols(); ++i) {
            keys.push_back(static_cast<std::uint32_t>(some(0, i)));
            std::copy_n(data.items.row(keys[i]).begin(), rows.cols(), rows.row(i).begin());
        }
        return Side::timed([&] {
            graph_.emplace(Graph::build(
                keys, rows, {.M = arguments.number("M"), .ef_construction = arguments.number("ef"), .seed = 1}));
        });
    }

    /// Each round removes some items and adds others.
    Side::Answer churn(const bench::SearchData& data, const Side::Arguments& arguments) {
        const auto removed = io::read_npy<float>(arguments.text("removed"));
        const auto added = io::read_npy<float>(arguments.text("added"));
        return Side::timed([&] {
            for (std::size_t round = 0; round < removed.rows(); ++round) {
                for (const float key : removed.row(round)) {
                    graph_->remove(static_cast<std::uint32_t>(key));
                }
                for (const float key : added.row(round)) {
                    graph_->add(static_cast<std::uint32_t>(key), data.items.row(static_cast<std::size_t>(key)));
                }
            }
        });
    }

    Side::Answer search(bench::SearchData& data, const Side::Arguments& arguments) {
        const ann::HNSWSearchOptions options{.k = arguments.number("k"), .ef = arguments.number("effort")};
        auto scratch = graph_->index().scratch(options);
        std::vector<Scored<>> out(options.k);
        return data.search_all(arguments, [&](std::size_t i, std::size_t, std::span<std::uint32_t> keys) {
            const std::size_t hits = graph_->index().search(data.queries.row(i), options, scratch, out);
            std::transform(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(hits), keys.begin(),
                           [&](const Scored<>& hit) { return graph_->key(hit.id); });
            return hits;
        });
    }

    [[nodiscard]] Side::Answer memory() const { return {{"bytes", static_cast<double>(graph_->memory_bytes())}}; }

private:
    std::optional<Graph> graph_;
};

}  // namespace

int main() {
    Side side;
    bench::SearchData data;
    data.offer(side);
    Engines engines;
    add_engines<ann::Cosine, 64>(engines);
    add_engines<ann::InnerProduct, 64>(engines);
    add_engines<ann::L2, 128>(engines);
    add_engines<ann::Cosine, 50>(engines);
    const auto engine = [&](const Side::Arguments& arguments) -> Engine& {
        const std::string name =
            arguments.text("metric") + " " + std::to_string(data.items.cols()) + " " + arguments.text("engine");
        const auto found = engines.find(name);
        if (found == engines.end()) {
            throw std::invalid_argument("there is no engine " + name);
        }
        return *found->second;
    };
    side.on("build", [&](const Side::Arguments& arguments) { return engine(arguments).build(data, arguments); });
    side.on("search",
            [&](const Side::Arguments& arguments) { return engine(arguments).search(data, arguments, false); });
    side.on("filtered",
            [&](const Side::Arguments& arguments) { return engine(arguments).search(data, arguments, true); });
    side.on("batches",
            [&](const Side::Arguments& arguments) { return engine(arguments).search_batches(data, arguments); });
    side.on("memory", [&](const Side::Arguments& arguments) -> Side::Answer {
        return {{"bytes", static_cast<double>(engine(arguments).memory_bytes())}};
    });
    Churned churned;
    side.on("churn_build", [&](const Side::Arguments& arguments) { return churned.build(data, arguments); });
    side.on("churn", [&](const Side::Arguments& arguments) { return churned.churn(data, arguments); });
    side.on("churn_search", [&](const Side::Arguments& arguments) { return churned.search(data, arguments); });
    side.on("churn_memory", [&](const Side::Arguments&) { return churned.memory(); });
    return side.serve();
}
