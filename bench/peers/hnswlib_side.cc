// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// hnswlib's side of bench/peers/ann.py, in C++ as ours, so that neither pays for Python: the script compiles it with the
// headers of hnswlib's source package and the flags of our release build.

#include "support/bench.hpp"
#include "support/side.hpp"

#include <funnel/core/matrix.hpp>
#include <funnel/io/npy.hpp>

#include "peers/ann_search.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <hnswlib/hnswlib.h>

using namespace funnel;
using bench::Side;

namespace {

/// Accepts the ids whose bit is set.
class Allowed : public hnswlib::BaseFilterFunctor {
public:
    explicit Allowed(const std::vector<std::uint8_t>& flags) : flags_(&flags) {}
    bool operator()(hnswlib::labeltype id) override { return (*flags_)[id] != 0; }

private:
    const std::vector<std::uint8_t>* flags_;
};

}  // namespace

int main() {
    Side side;
    bench::SearchData data;
    data.offer(side);
    std::unique_ptr<hnswlib::SpaceInterface<float>> space;
    std::unique_ptr<hnswlib::HierarchicalNSW<float>> graph;

    // An empty graph with room for so many items.
    const auto make_graph = [&](std::size_t items, const Side::Arguments& arguments) {
        if (arguments.text("metric") == "L2") {
            space = std::make_unique<hnswlib::L2Space>(data.items.cols());
        } else {
            space = std::make_unique<hnswlib::InnerProductSpace>(data.items.cols());
        }
        graph = std::make_unique<hnswlib::HierarchicalNSW<float>>(space.get(), items, arguments.number("M"),
                                                                  arguments.number("ef"), 1, true);
    };
    side.on("build", [&](const Side::Arguments& arguments) {
        const std::size_t threads = arguments.number("threads");
        return Side::timed([&] {
            make_graph(data.items.rows(), arguments);
            graph->addPoint(data.items.row(0).data(), 0);
            std::vector<std::thread> workers;
            for (std::size_t worker = 0; worker < threads; ++worker) {
                workers.emplace_back([&, worker] {
                    for (std::size_t i = 1 + worker; i < data.items.rows(); i += threads) {
                        graph->addPoint(data.items.row(i).data(), i);
                    }
                });
            }
            for (std::thread& worker : workers) {
                worker.join();
            }
        });
    });
    side.on("memory", [&](const Side::Arguments&) -> Side::Answer {
        return {{"bytes", static_cast<double>(graph->indexFileSize())}};
    });
    const auto search = [&](std::size_t i, std::size_t k, std::span<std::uint32_t> ids, Allowed* filter) {
        auto found = graph->searchKnn(data.queries.row(i).data(), k, filter);
        std::size_t hits = found.size();
        for (std::size_t j = hits; j-- > 0; found.pop()) {
            ids[j] = static_cast<std::uint32_t>(found.top().second % data.items.rows());
        }
        return hits;
    };
    side.on("search", [&](const Side::Arguments& arguments) {
        graph->setEf(arguments.number("effort"));
        return data.search_all(arguments, [&](std::size_t i, std::size_t k, std::span<std::uint32_t> ids) {
            return search(i, k, ids, nullptr);
        });
    });
    side.on("filtered", [&](const Side::Arguments& arguments) {
        graph->setEf(arguments.number("effort"));
        Allowed filter(data.allowed);
        return data.search_all(arguments, [&](std::size_t i, std::size_t k, std::span<std::uint32_t> ids) {
            return search(i, k, ids, &filter);
        });
    });
    // Some of the items, and rounds that remove some and add others in their memory. An item gets a new label each time:
    // hnswlib loses a label that is added again while the memory of its old item waits for another.
    std::vector<std::size_t> labels;
    side.on("churn_build", [&](const Side::Arguments& arguments) {
        const auto some = io::read_npy<float>(arguments.text("path"));
        labels.assign(data.items.rows(), 0);
        return Side::timed([&] {
            make_graph(some.cols(), arguments);
            for (const float number : some.row(0)) {
                const auto item = static_cast<std::size_t>(number);
                labels[item] = item;
                graph->addPoint(data.items.row(item).data(), item);
            }
        });
    });
    side.on("churn", [&](const Side::Arguments& arguments) {
        const auto removed = io::read_npy<float>(arguments.text("removed"));
        const auto added = io::read_npy<float>(arguments.text("added"));
        return Side::timed([&] {
            for (std::size_t round = 0; round < removed.rows(); ++round) {
                for (const float item : removed.row(round)) {
                    graph->markDelete(labels[static_cast<std::size_t>(item)]);
                }
                for (const float number : added.row(round)) {
                    const auto item = static_cast<std::size_t>(number);
                    labels[item] = item + data.items.rows() * (round + 1);
                    graph->addPoint(data.items.row(item).data(), labels[item], true);
                }
            }
        });
    });
    return side.serve();
}
