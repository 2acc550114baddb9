// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/ann/vectors.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/scored.hpp>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace funnel::testing {

inline double squared_distance(std::span<const float> a, std::span<const float> b) {
    double sum = 0.0;
    for (std::size_t j = 0; j < a.size(); ++j) {
        const double difference = static_cast<double>(a[j]) - static_cast<double>(b[j]);
        sum += difference * difference;
    }
    return sum;
}

using Hits = std::vector<Scored<>>;

/// Whole numbers from -3 to 3: sums of their products are exact in float, on every backend, and tie often.
inline Matrix<float> small_integers(std::size_t n, std::size_t d, std::uint64_t seed) {
    Matrix<float> vectors(n, d);
    for (std::size_t i = 0; i < n; ++i) {
        Random random(seed, i);
        for (float& x : vectors.row(i)) {
            x = static_cast<float>(random.below(7)) - 3.0F;
        }
    }
    return vectors;
}

/// Ones and minus ones in 16 dimensions: the length is 4, so that cosines are exact in float too.
inline Matrix<float> signs(std::size_t n, std::uint64_t seed) {
    Matrix<float> vectors(n, 16);
    for (std::size_t i = 0; i < n; ++i) {
        Random random(seed, i);
        for (float& x : vectors.row(i)) {
            x = random.below(2) == 0 ? -1.0F : 1.0F;
        }
    }
    return vectors;
}

/// Items of a shop: a few factors, clusters of Zipf sizes, some noise, and lengths that differ.
inline Matrix<float> tastes(std::size_t n, std::size_t d, std::uint64_t seed) {
    constexpr std::size_t factors = 8;
    constexpr std::size_t clusters = 50;
    Random shared(7, 0);
    Matrix<float> centres(clusters, factors);
    Matrix<float> mix(factors, d);
    for (auto* matrix : {&centres, &mix}) {
        for (std::size_t i = 0; i < matrix->rows(); ++i) {
            for (float& x : matrix->row(i)) {
                x = static_cast<float>(shared.normal());
            }
        }
    }
    Matrix<float> vectors(n, d);
    for (std::size_t i = 0; i < n; ++i) {
        Random random(seed, i);
        const auto cluster = static_cast<std::size_t>(std::pow(double{clusters}, random.uniform())) - 1;
        const double length = 0.5 + random.uniform();
        for (std::size_t f = 0; f < factors; ++f) {
            const auto factor = static_cast<float>(length * (double{centres(cluster, f)} + 0.6 * random.normal()));
            for (std::size_t j = 0; j < d; ++j) {
                vectors(i, j) += factor * mix(f, j);
            }
        }
        for (float& x : vectors.row(i)) {
            x += static_cast<float>(0.25 * random.normal());
        }
    }
    return vectors;
}

/// The definitions, in double.
template <class M>
double score_by_definition(std::span<const float> a, std::span<const float> b) {
    double product = 0.0;
    double distance = 0.0;
    double length_a = 0.0;
    double length_b = 0.0;
    for (std::size_t j = 0; j < a.size(); ++j) {
        const double x = a[j];
        const double y = b[j];
        product += x * y;
        distance += (x - y) * (x - y);
        length_a += x * x;
        length_b += y * y;
    }
    if constexpr (std::same_as<M, ann::L2>) {
        return -distance;
    } else if constexpr (std::same_as<M, ann::Cosine>) {
        return product / std::sqrt(length_a * length_b);
    } else {
        return product;
    }
}

/// All vectors that pass, sorted, cut to k.
template <class M, class Passes>
Hits nearest_by_definition(MatrixView<const float> vectors, std::span<const float> query, std::size_t k,
                           const Passes& passes) {
    struct Entry {
        double score;
        std::uint32_t id;
    };
    std::vector<Entry> entries;
    for (std::uint32_t id = 0; id < vectors.rows(); ++id) {
        if (passes(id)) {
            entries.push_back({score_by_definition<M>(query, vectors.row(id)), id});
        }
    }
    std::sort(entries.begin(), entries.end(),
              [](const Entry& a, const Entry& b) { return a.score != b.score ? a.score > b.score : a.id < b.id; });
    Hits hits;
    for (std::size_t i = 0; i < std::min(k, entries.size()); ++i) {
        hits.push_back({entries[i].id, static_cast<float>(entries[i].score)});
    }
    return hits;
}

template <class M>
Hits nearest_by_definition(MatrixView<const float> vectors, std::span<const float> query, std::size_t k) {
    return nearest_by_definition<M>(vectors, query, k, [](std::uint32_t) { return true; });
}

/// The share of the true hits that were found.
inline double recall(const std::vector<Hits>& found, const std::vector<Hits>& expected) {
    std::size_t hits = 0;
    std::size_t all = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
        all += expected[i].size();
        for (const Scored<>& hit : found[i]) {
            hits += static_cast<std::size_t>(std::count_if(expected[i].begin(), expected[i].end(),
                                                           [&](const Scored<>& other) { return other.id == hit.id; }));
        }
    }
    return static_cast<double>(hits) / static_cast<double>(all);
}

}  // namespace funnel::testing
