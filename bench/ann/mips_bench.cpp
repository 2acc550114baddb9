// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Maximum inner product search among vectors of different lengths: a graph whose links are chosen by the raw inner
// product, beside one whose links are chosen after norm augmentation, and lists of Euclidean beside lists of spherical
// k-means. --quick uses 10,000 vectors, not 100,000.
//
//   mips_bench [--quick] [JSON]
#include "support/arguments.hpp"
#include "support/bench.hpp"
#include "support/searches.hpp"
#include "support/shop.hpp"

#include <funnel/ann/code_types.hpp>
#include <funnel/ann/flat.hpp>
#include <funnel/ann/hnsw.hpp>
#include <funnel/ann/ivf.hpp>
#include <funnel/ann/vectors.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/io/graph_file.hpp>
#include <funnel/kernels/dot.hpp>
#include <funnel/quantise/kmeans.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <vector>

using namespace funnel;
using ann::InnerProduct;
using ann::Int8;

namespace {

constexpr std::size_t dim = bench::Shop::dim;
constexpr std::size_t lists = 256;

/// The inner product, under a name by which the index does not know it: HNSW augments norms for InnerProduct only.
struct RawInnerProduct : InnerProduct {
    static constexpr std::string_view name = "RawInnerProduct";
};

class Bench {
public:
    Bench(bench::Report& report, std::size_t n)
        : report_(&report),
          setup_(std::to_string(n) + " x 64, log-normal lengths, 1,000 queries, M 16, ef_construction 200, 256 lists") {
        const bench::Shop shop;
        items_ = shop.items(n);
        queries_ = shop.users(1000);
        const auto flat = ann::Flat<InnerProduct, dim, Int8>::build(items_);
        exact_[0] = flat.search_batch(queries_, {.k = 10});
        exact_[1] = flat.search_batch(queries_, {.k = 100});
    }

    void run() {
        add_lengths();
        add_graph<RawInnerProduct>("raw graph");
        add_graph<InnerProduct>("augmented graph");
        const auto euclidean = ann::IVFFlat<InnerProduct, dim, Int8>::build(items_, {.lists = lists, .seed = 1});
        add_lists("Euclidean lists", euclidean);
        add_lists("spherical lists", spherical_lists());
    }

private:
    void add(const std::string& name, double value, const std::string& unit) {
        report_->add({.name = name, .ours = bench::single(value), .unit = unit, .setup = setup_});
    }

    // Hits are longer than most items.
    void add_lengths() {
        std::vector<double> lengths;
        for (std::size_t i = 0; i < items_.rows(); ++i) {
            lengths.push_back(length_of(items_.row(i)));
        }
        std::vector<double> of_hits;
        for (const auto& hits : exact_[0]) {
            for (const auto& hit : hits) {
                of_hits.push_back(lengths[hit.id]);
            }
        }
        add("length, median item", median(lengths), "1");
        add("length, median hit", median(of_hits), "1");
    }

    template <class Metric>
    void add_graph(const std::string& name) {
        const auto [index, seconds] = bench::timed_build<ann::HNSW<Metric, dim>>(items_, {.seed = 1});
        add(name + ", build", seconds, "s");
        add_links(name, index.to_graph_file());
        for (const std::size_t which : {0U, 1U}) {
            const std::size_t k = exact_[which].front().size();
            const std::string what = name + ", k " + std::to_string(k) + ", ef ";
            constexpr std::array<std::size_t, 7> efforts{10, 25, 64, 100, 200, 400, 800};
            for (const std::size_t ef : efforts) {
                const auto found = index.search_batch(queries_, {.k = k, .ef = ef});
                add(what + std::to_string(ef) + ", recall", bench::recall_of(found, exact_[which]).overlap, "1");
            }
            for (const std::size_t ef : efforts) {
                report_->add({.name = what + std::to_string(ef) + ", time",
                              .ours = bench::search_times(index, queries_, {.k = k, .ef = ef}).mean,
                              .unit = "us",
                              .setup = setup_});
            }
        }
    }

    // Where the links of level 0 lead.
    void add_links(const std::string& name, const io::GraphFile& graph) {
        std::vector<std::size_t> incoming(graph.size());
        for (std::size_t node = 0; node < graph.size(); ++node) {
            for (const std::uint32_t link : graph.links_of(node, 0)) {
                ++incoming[link];
            }
        }
        const auto lonely = std::count_if(incoming.begin(), incoming.end(), [](std::size_t n) { return n <= 1; });
        add(name + ", at most one incoming link", static_cast<double>(lonely) / static_cast<double>(graph.size()), "1");
        std::sort(incoming.begin(), incoming.end(), std::greater<>());
        const double all = std::accumulate(incoming.begin(), incoming.end(), 0.0);
        const auto few = static_cast<std::ptrdiff_t>(graph.size() / 100);
        add(name + ", links to the 1 % most linked",
            std::accumulate(incoming.begin(), incoming.begin() + few, 0.0) / all, "1");
    }

    template <class Index>
    void add_lists(const std::string& name, const Index& index) {
        for (const std::size_t which : {0U, 1U}) {
            const std::size_t k = exact_[which].front().size();
            const std::string what = name + ", k " + std::to_string(k) + ", recall 0.95";
            ann::IVFSearchOptions options{.k = k};
            options.nprobe =
                bench::smallest_effort(index, queries_, exact_[which], options, 0.95, lists).value_or(lists);
            add(what + ", nprobe", static_cast<double>(options.nprobe), "lists");
            report_->add({.name = what + ", time",
                          .ours = bench::search_times(index, queries_, options).mean,
                          .unit = "us",
                          .setup = setup_});
        }
    }

    // Centroids of length 1, learned from vectors of length 1, as for the cosine.
    [[nodiscard]] ann::IVFFlat<InnerProduct, dim, Int8> spherical_lists() const {
        Matrix<float> directions(items_);
        normalise(directions);
        const auto fitted = quantise::KMeans<>::fit(directions, {.clusters = lists, .seed = 1});
        Matrix<float> centroids(fitted.centroids());
        normalise(centroids);
        const auto list_of = quantise::KMeans<>(centroids).assign(directions);
        return ann::IVFFlat<InnerProduct, dim, Int8>::import(items_, centroids.view(), std::span(list_of));
    }

    static void normalise(Matrix<float>& rows) {
        for (std::size_t i = 0; i < rows.rows(); ++i) {
            const double length = length_of(rows.row(i));
            for (float& x : rows.row(i)) {
                x = static_cast<float>(x / length);
            }
        }
    }

    [[nodiscard]] static double length_of(std::span<const float> row) {
        return std::sqrt(static_cast<double>(kernels::dot(row, row)));
    }

    [[nodiscard]] static double median(std::vector<double> values) {
        const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
        std::nth_element(values.begin(), middle, values.end());
        return *middle;
    }

    bench::Report* report_;
    std::string setup_;
    Matrix<float> items_;
    Matrix<float> queries_;
    bench::HitLists exact_[2];  // k 10 and k 100
};

}  // namespace

int main(int argc, char** argv) {
    std::vector<char*> arguments(argv, argv + argc);
    const std::size_t n = bench::take_flag(arguments, "--quick") ? 10'000 : 100'000;
    bench::Report report("mips", static_cast<int>(arguments.size()), arguments.data());
    Bench(report, n).run();
    return report.finish();
}
