// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/kernels/feature_blocks.hpp>
#include <funnel/kernels/nearest_rows.hpp>

#include <funnel/core/matrix_view.hpp>

#include "kernels/inputs.hpp"
#include "support/backends.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <vector>

using namespace funnel::kernels;
using namespace funnel::testing;
using funnel::MatrixView;

TEST_CASE_TEMPLATE_DEFINE("nearest_rows: exact for small whole numbers, ties go to the smaller row", Backend,
                          nearest_rows_exact) {
    constexpr std::size_t width = feature_block_width<Backend>();
    for (const std::size_t d : {0U, 1U, 3U, 16U, 33U}) {
        for (const std::size_t n : {1U, 2U, 3U, 7U, 8U, 9U, 21U}) {
            for (const std::size_t blocks : {0U, 1U, 2U, 3U}) {
                CAPTURE(d);
                CAPTURE(n);
                CAPTURE(blocks);
                const auto packed = small_integers(blocks * d * width, d + 1);
                const auto values = small_integers(n * d, 100 + n);
                const auto offset = small_integers(n, 7);
                std::vector<float> score(blocks * width, 1e9F);
                std::vector<std::uint32_t> nearest(blocks * width, 77);
                std::vector<float> expected_score(score.size());
                std::vector<std::uint32_t> expected(score.size());
                for (std::size_t i = 0; i < score.size(); ++i) {
                    double best = -1e30;
                    for (std::size_t r = 0; r < n; ++r) {
                        double sum = -static_cast<double>(offset[r]);
                        for (std::size_t j = 0; j < d; ++j) {
                            const float x = packed[i / width * d * width + j * width + i % width];
                            sum += static_cast<double>(x) * static_cast<double>(values[r * d + j]);
                        }
                        if (sum > best) {
                            best = sum;
                            expected[i] = static_cast<std::uint32_t>(r);
                        }
                    }
                    expected_score[i] = static_cast<float>(best);
                }
                nearest_rows<Backend>(packed, MatrixView<const float>(values, n, d), offset, score, nearest);
                CHECK(nearest == expected);
                CHECK(score == expected_score);
            }
        }
    }
}
TEST_CASE_TEMPLATE_APPLY(nearest_rows_exact, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("nearest_rows: a block gives the same bits alone and beside others", Backend,
                          nearest_rows_alone) {
    constexpr std::size_t width = feature_block_width<Backend>();
    constexpr std::size_t d = 37;
    constexpr std::size_t n = 29;
    const auto packed = normals(3 * d * width, 1);
    const auto values = normals(n * d, 2);
    const auto offset = normals(n, 3);
    const MatrixView<const float> rows(values, n, d);
    std::vector<float> score(3 * width);
    std::vector<std::uint32_t> nearest(3 * width);
    nearest_rows<Backend>(packed, rows, offset, score, nearest);
    for (std::size_t b = 0; b < 3; ++b) {
        std::vector<float> alone(width);
        std::vector<std::uint32_t> nearest_alone(width);
        nearest_rows<Backend>(std::span<const float>(packed).subspan(b * d * width, d * width), rows, offset, alone,
                              nearest_alone);
        for (std::size_t i = 0; i < width; ++i) {
            CHECK(alone[i] == score[b * width + i]);
            CHECK(nearest_alone[i] == nearest[b * width + i]);
        }
    }
}
TEST_CASE_TEMPLATE_APPLY(nearest_rows_alone, HostBackends);
