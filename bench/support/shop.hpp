// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/matrix.hpp>
#include <funnel/core/rng.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

namespace funnel::bench {

/// Vectors like those of a recommender: items in 500 clusters of Zipf-distributed sizes, in a space of 16 factors,
/// mapped to 64 dimensions, with noise. Popular items have longer vectors. Users mix the tastes of three clusters.
class Shop {
public:
    static constexpr std::size_t dim = 64;

    Shop() : centres_(clusters, factors), mix_(factors, dim) {
        Random random(12345);
        for (auto* matrix : {&centres_, &mix_}) {
            for (std::size_t i = 0; i < matrix->rows(); ++i) {
                for (float& x : matrix->row(i)) {
                    x = static_cast<float>(random.normal());
                }
            }
        }
        double sum = 0.0;
        for (std::size_t cluster = 0; cluster < clusters; ++cluster) {
            sum += 1.0 / static_cast<double>(cluster + 1);
            cumulative_.push_back(sum);
        }
    }

    [[nodiscard]] Matrix<float> items(std::size_t n) const {
        Matrix<float> vectors(n, dim);
        for (std::size_t i = 0; i < n; ++i) {
            Random random(1, i);
            const auto centre = centres_.row(draw_cluster(random));
            const double popularity = std::exp(0.35 * random.normal());
            std::array<double, factors> taste{};
            for (std::size_t f = 0; f < factors; ++f) {
                taste[f] = popularity * (double{centre[f]} + 0.6 * random.normal());
            }
            emit(taste, random, vectors.row(i));
        }
        return vectors;
    }

    [[nodiscard]] Matrix<float> users(std::size_t n) const {
        Matrix<float> vectors(n, dim);
        for (std::size_t i = 0; i < n; ++i) {
            Random random(2, i);
            std::array<double, factors> taste{};
            std::array<double, 3> weights{};
            double sum = 0.0;
            for (double& weight : weights) {
                weight = -std::log(random.uniform());
                sum += weight;
            }
            for (const double weight : weights) {
                const auto centre = centres_.row(draw_cluster(random));
                for (std::size_t f = 0; f < factors; ++f) {
                    taste[f] += weight / sum * double{centre[f]};
                }
            }
            for (double& x : taste) {
                x += 0.4 * random.normal();
            }
            emit(taste, random, vectors.row(i));
        }
        return vectors;
    }

private:
    static constexpr std::size_t factors = 16;
    static constexpr std::size_t clusters = 500;

    [[nodiscard]] std::size_t draw_cluster(Random& random) const {
        const double at = random.uniform() * cumulative_.back();
        return static_cast<std::size_t>(std::lower_bound(cumulative_.begin(), cumulative_.end(), at) -
                                        cumulative_.begin());
    }

    void emit(std::span<const double> taste, Random& random, std::span<float> out) const {
        for (std::size_t j = 0; j < dim; ++j) {
            double sum = 0.25 * random.normal();
            for (std::size_t f = 0; f < factors; ++f) {
                sum += taste[f] * double{mix_(f, j)} / 4.0 * (1.5 - static_cast<double>(f) / factors);
            }
            out[j] = static_cast<float>(sum);
        }
    }

    Matrix<float> centres_;
    Matrix<float> mix_;
    std::vector<double> cumulative_;
};

}  // namespace funnel::bench
