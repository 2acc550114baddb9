// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/kernels/feature_blocks.hpp>
#include <funnel/kernels/wide_dot.hpp>

#include <funnel/core/matrix_view.hpp>

#include "kernels/inputs.hpp"
#include "support/backends.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

using namespace funnel::kernels;
using namespace funnel::testing;
using funnel::MatrixView;

TEST_CASE_TEMPLATE_DEFINE("feature_blocks: exact for small whole numbers, any length, any number of vectors", Backend,
                          feature_blocks_exact) {
    constexpr std::size_t width = feature_block_width<Backend>();
    static_assert(width <= widest_feature_block);
    for (const std::size_t d : {0U, 1U, 3U, 4U, 5U, 31U, 64U}) {
        for (const std::size_t m : {0U, 1U, 2U, 3U, 4U, 5U, 9U}) {
            const auto block = small_integers(d * width, d + 1);
            const auto vectors = small_integers(d * m, 100 + m);
            const auto scale = small_integers(width, 7);
            const auto weight = small_integers(width, 8);
            std::vector<float> residual(width, 5.0F);
            std::vector<float> highest(width, -3.0F);
            std::vector<float> residual_expected = residual;
            std::vector<float> highest_expected = highest;
            for (std::size_t v = 0; v < m; ++v) {
                for (std::size_t i = 0; i < width; ++i) {
                    double dot = 0.0;
                    for (std::size_t j = 0; j < d; ++j) {
                        dot += static_cast<double>(vectors[v * d + j]) * static_cast<double>(block[j * width + i]);
                    }
                    const float scaled = scale[i] * static_cast<float>(dot);
                    highest_expected[i] = std::max(highest_expected[i], scaled);
                    residual_expected[i] -= scaled * scaled;
                }
            }
            float most_weighted = -1e30F;
            float most_offset = -1e30F;
            for (std::size_t i = 0; i < width; ++i) {
                most_weighted = std::max(most_weighted, weight[i] * residual_expected[i]);
                most_offset = std::max(most_offset, weight[i] - 2.0F * highest_expected[i]);
            }
            CAPTURE(d);
            CAPTURE(m);
            const MatrixView<const float> view(vectors, m, d);
            const float weighted = subtract_squared_dots<Backend>(block, view, scale, weight, residual);
            CHECK(raise_to_dots<Backend>(block, view, scale, weight, 2.0F, highest) == most_offset);
            CHECK(highest == highest_expected);
            // Squares exceed 2^24, so their sum is rounded.
            for (std::size_t i = 0; i < width; ++i) {
                CHECK(residual[i] == doctest::Approx(residual_expected[i]).epsilon(1e-5));
            }
            CHECK(weighted == doctest::Approx(most_weighted).epsilon(1e-5));
        }
    }
}
TEST_CASE_TEMPLATE_APPLY(feature_blocks_exact, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("feature_blocks: a block holds the rows of its candidates, transposed", Backend,
                          feature_blocks_packed) {
    constexpr std::size_t width = feature_block_width<Backend>();
    const std::size_t n = 23;
    for (const std::size_t d : lengths()) {
        for (const std::size_t shift : {0U, 1U}) {  // rows that are not aligned
            const auto values = normals(n * d + shift, d + 1);
            const MatrixView<const float> features(std::span<const float>(values).subspan(shift), n, d);
            std::vector<std::uint32_t> candidates(width);
            for (std::size_t i = 0; i < width; ++i) {
                candidates[i] = static_cast<std::uint32_t>((7 * i + 3) % n);
            }
            std::vector<float> block(d * width);
            std::vector<float> expected(d * width);
            for (std::size_t j = 0; j < d; ++j) {
                for (std::size_t i = 0; i < width; ++i) {
                    expected[j * width + i] = features(candidates[i], j);
                }
            }
            CAPTURE(d);
            CAPTURE(shift);
            pack_features<Backend>(features, candidates, block);
            CHECK(block == expected);
        }
    }
}
TEST_CASE_TEMPLATE_APPLY(feature_blocks_packed, HostBackends);
