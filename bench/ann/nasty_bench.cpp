// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Recall of HNSW with default options on data that is known to break graphs: many equal vectors, nearly equal vectors,
// clusters in sorted order, and inner products of vectors whose lengths differ greatly. The figure is the share of
// ordinary vectors for which the first hit is correct; the last two rows show recall@10 of new queries instead. The time
// is that of the build, or of adding all vectors. --quick uses 2,000 vectors instead of 10,000.

#include <funnel/ann/flat.hpp>
#include <funnel/ann/hnsw.hpp>

#include "support/arguments.hpp"
#include "support/bench.hpp"

#include <funnel/core/matrix.hpp>
#include <funnel/core/rng.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <numeric>
#include <span>
#include <string>
#include <vector>

namespace {

using funnel::Matrix;
using funnel::Random;
using funnel::ann::Cosine;
using funnel::ann::Flat;
using funnel::ann::HNSW;
using funnel::ann::InnerProduct;
using funnel::ann::L2;
using funnel::bench::Report;

constexpr std::size_t dim = 32;

void draw(std::span<float> row, std::uint64_t seed, std::uint64_t id, double scale = 1.0) {
    Random random(seed, id);
    std::generate(row.begin(), row.end(), [&] { return static_cast<float>(scale * random.normal()); });
}

struct Sample {
    std::string name;
    Matrix<float> vectors;
    std::vector<bool> is_ordinary;
};

template <class F>
Sample sample(const std::string& name, std::size_t n, const F& fill) {
    Sample made{name, Matrix<float>(n, dim), std::vector<bool>(n)};
    for (std::size_t i = 0; i < n; ++i) {
        made.is_ordinary[i] = fill(i, made.vectors.row(i));
    }
    return made;
}

template <class F>
Sample placeholders(const std::string& name, std::size_t n, float value, double noise, const F& is_placeholder) {
    return sample(name, n, [&](std::size_t i, std::span<float> row) {
        const bool is_ordinary = !is_placeholder(i);
        draw(row, 1, i, is_ordinary ? 1.0 : noise);
        if (!is_ordinary) {
            std::transform(row.begin(), row.end(), row.begin(), [&](float x) { return x + value; });
        }
        return is_ordinary;
    });
}

Sample groups(const std::string& name, std::size_t n, std::size_t points, double noise, bool is_sorted) {
    return sample(name, n, [&](std::size_t i, std::span<float> row) {
        std::vector<float> point(dim);
        draw(point, 2, is_sorted ? i * points / n : i % points);
        draw(row, 1, i, noise);
        std::transform(row.begin(), row.end(), point.begin(), row.begin(), std::plus<>());
        return true;
    });
}

std::vector<Sample> samples(std::size_t n, float placeholder) {
    const auto second = [](std::size_t i) { return i % 2 == 0; };
    std::vector<Sample> all;
    all.push_back(placeholders("ordinary", n, 0.0F, 0.0, [](std::size_t) { return false; }));
    all.push_back(placeholders("every 10th equal", n, placeholder, 0.0, [](std::size_t i) { return i % 10 == 0; }));
    all.push_back(placeholders("every 2nd equal", n, placeholder, 0.0, second));
    all.push_back(placeholders("nine of ten equal", n, placeholder, 0.0, [](std::size_t i) { return i % 10 != 0; }));
    all.push_back(placeholders("first half equal", n, placeholder, 0.0, [&](std::size_t i) { return i < n / 2; }));
    all.push_back(placeholders("last half equal", n, placeholder, 0.0, [&](std::size_t i) { return i >= n / 2; }));
    all.push_back(placeholders("half far away", n, 1000.0F, 0.0, second));
    all.push_back(groups("80 points", n, 80, 0.0, false));
    all.push_back(groups("five of each", n, n / 5, 0.0, true));
    all.push_back(placeholders("every 2nd nearly equal", n, placeholder, 1e-7, second));
    all.push_back(groups("80 points, nearly equal", n, 80, 1e-7, false));
    all.push_back(groups("50 sorted clusters", n, 50, 0.1, true));
    for (const double spread : {0.5, 1.0, 2.0}) {
        all.push_back(sample("log-normal lengths " + std::to_string(spread).substr(0, 3), n,
                             [&](std::size_t i, std::span<float> row) {
                                 Random random(3, i);
                                 draw(row, 1, i, std::exp(spread * random.normal()));
                                 return true;
                             }));
    }
    return all;
}

template <class M>
void measure(Report& report, const Sample& data, bool is_built) {
    const Matrix<float> none(0, dim);
    auto index = HNSW<M>::build(none);
    const double seconds = funnel::bench::time_once_s([&] {
        if (is_built) {
            index = HNSW<M>::build(data.vectors);
        }
        for (std::size_t i = 0; i < data.vectors.rows() && !is_built; ++i) {
            index.add(data.vectors.row(i));
        }
    });
    const auto flat = Flat<M>::build(data.vectors);
    std::size_t asked = 0;
    std::size_t first = 0;
    std::size_t ten = 0;
    for (std::size_t i = 0; i < data.vectors.rows(); i += 1 + i % 13) {
        if (data.is_ordinary[i]) {
            const auto truth = flat.search(data.vectors.row(i), {.k = 10});
            const auto hits = index.search(data.vectors.row(i), {.k = 10});
            ++asked;
            first += index.search(data.vectors.row(i), {.k = 1})[0].score >= truth[0].score ? 1 : 0;
            ten += static_cast<std::size_t>(
                std::count_if(hits.begin(), hits.end(), [&](auto hit) { return hit.score >= truth.back().score; }));
        }
    }
    char text[32];
    std::snprintf(text, sizeof text, ", recall@10 %.4f", static_cast<double>(ten) / static_cast<double>(10 * asked));
    report.add({.name = data.name + ", " + std::string(M::name) + (is_built ? ", build" : ", add"),
                .ours = funnel::bench::single(seconds),
                .unit = "s",
                .setup = std::to_string(data.vectors.rows()) + " x " + std::to_string(dim) + ", M 16, ef 64" + text,
                .rate = funnel::bench::Rate{static_cast<double>(first) / static_cast<double>(asked), "first hit"}});
}

/// Why the norm augmentation of HNSW<InnerProduct> has a radius below the greatest length: recall@10 of new queries with
/// ef 64, and the same if all items are lifted to the length of the longest. Explicit coordinates and HNSW<L2> do that:
/// all items then have that length, so the order of the distances is that of the products.
void measure_radius(Report& report, std::size_t n) {
    constexpr std::size_t wide = 64;
    constexpr std::size_t k = 10;
    Matrix<float> items(n, wide);
    Matrix<float> lifted(n, wide + 1);
    Matrix<float> queries(500, wide);
    double longest = 0.0;
    const auto squared_length = [](std::span<const float> row) {
        return std::inner_product(row.begin(), row.end(), row.begin(), 0.0);
    };
    for (std::size_t i = 0; i < n; ++i) {
        Random random(3, i);
        draw(items.row(i), 1, i, std::exp(0.35 * random.normal()));
        longest = std::max(longest, squared_length(items.row(i)));
    }
    for (std::size_t i = 0; i < n; ++i) {
        std::copy(items.row(i).begin(), items.row(i).end(), lifted.row(i).begin());
        lifted(i, wide) = static_cast<float>(std::sqrt(std::max(0.0, longest - squared_length(items.row(i)))));
    }
    for (std::size_t i = 0; i < queries.rows(); ++i) {
        draw(queries.row(i), 2, i);
    }

    const auto flat = Flat<InnerProduct>::build(items);
    const auto add = [&](const char* name, auto index, const Matrix<float>& vectors) {
        const double seconds = funnel::bench::time_once_s([&] { index = decltype(index)::build(vectors); });
        std::vector<float> query(vectors.cols(), 0.0F);
        std::size_t found = 0;
        for (std::size_t i = 0; i < queries.rows(); ++i) {
            const auto truth = flat.search(queries.row(i), {.k = k});
            std::copy(queries.row(i).begin(), queries.row(i).end(), query.begin());
            for (const auto& hit : index.search(query, {.k = k, .ef = 64})) {
                found += static_cast<std::size_t>(
                    std::count_if(truth.begin(), truth.end(), [&](const auto& other) { return other.id == hit.id; }));
            }
        }
        report.add({.name = name,
                    .ours = funnel::bench::single(seconds),
                    .unit = "s",
                    .setup = "build, " + std::to_string(n) + " x 64, lengths log-normal 0.35, M 16, ef 64",
                    .rate = funnel::bench::Rate{static_cast<double>(found) / static_cast<double>(k * queries.rows()),
                                                "recall@10"}});
    };
    add("products", HNSW<InnerProduct>::build(Matrix<float>(0, wide)), items);
    add("products, radius: greatest length", HNSW<L2>::build(Matrix<float>(0, wide + 1)), lifted);
}

}  // namespace

int main(int argc, char** argv) {
    std::vector<char*> arguments(argv, argv + argc);
    const std::size_t n = funnel::bench::take_flag(arguments, "--quick") ? 2'000 : 10'000;
    Report report("ann_nasty", static_cast<int>(arguments.size()), arguments.data());
    for (const bool is_built : {true, false}) {
        for (const Sample& data : samples(n, 0.0F)) {
            measure<L2>(report, data, is_built);
            measure<InnerProduct>(report, data, is_built);
        }
        for (const Sample& data : samples(n, 1.0F)) {
            measure<Cosine>(report, data, is_built);
        }
    }
    measure_radius(report, 2 * n);
    return report.finish();
}
