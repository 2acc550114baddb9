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

    side.on("build", [&](const Side::Arguments& arguments) {
        const std::size_t threads = arguments.number("threads");
        if (arguments.text("metric") == "L2") {
            space = std::make_unique<hnswlib::L2Space>(data.items.cols());
        } else {
            space = std::make_unique<hnswlib::InnerProductSpace>(data.items.cols());
        }
        return Side::timed([&] {
            graph = std::make_unique<hnswlib::HierarchicalNSW<float>>(space.get(), data.items.rows(),
                                                                      arguments.number("M"), arguments.number("ef"), 1);
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
            ids[j] = static_cast<std::uint32_t>(found.top().second);
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
    return side.serve();
}
