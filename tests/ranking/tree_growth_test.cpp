// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/ranking/tree_growth.hpp>

#include <funnel/core/matrix.hpp>
#include <funnel/core/rng.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

using funnel::Matrix;
using funnel::Random;
using funnel::Serial;
using funnel::ranking::Tree;
using funnel::ranking::detail::BinnedRows;
using funnel::ranking::detail::RowGradient;
using funnel::ranking::detail::TreeGrower;

TEST_CASE("TreeGrower: some of the features give the tree that they give if the others are constant") {
    Random random(1);
    const std::size_t n = 200;
    const std::size_t d = 19;  // three groups, the last one not full
    Matrix<float> rows(n, d);
    std::vector<RowGradient> gradients(n);
    for (std::size_t i = 0; i < n; ++i) {
        for (float& x : rows.row(i)) {
            x = static_cast<float>(random.below(9));
        }
        gradients[i] = {static_cast<float>(random.normal()), 1.0F};
    }
    std::vector<std::uint32_t> all_rows(n);
    std::iota(all_rows.begin(), all_rows.end(), 0U);
    std::vector<std::uint32_t> all_features(d);
    std::iota(all_features.begin(), all_features.end(), 0U);
    Serial serial;
    const auto grow = [&](const Matrix<float>& from, const std::vector<std::uint32_t>& features) {
        const BinnedRows binned(from, 255, serial);
        TreeGrower grower(binned, {.leaves = 12,
                                   .max_depth = 99,
                                   .learning_rate = 1.0,
                                   .rules = {.min_rows = 3, .min_hessian = 0.0, .l2 = 0.0, .min_gain = 0.0}});
        return grower.grow(gradients, all_rows, features, serial);
    };
    for (const std::vector<std::uint32_t>& features :
         {std::vector<std::uint32_t>{2, 5}, {0, 7, 8, 15, 18}, {9, 10, 11, 12, 13, 14, 15}, {16, 17}}) {
        Matrix<float> only(n, d);
        for (const std::uint32_t j : features) {
            for (std::size_t i = 0; i < n; ++i) {
                only(i, j) = rows(i, j);
            }
        }
        const Tree tree = grow(rows, features);
        const Tree expected = grow(only, all_features);
        REQUIRE(tree.splits.size() == 11);
        REQUIRE(expected.splits.size() == 11);
        for (std::size_t s = 0; s < 11; ++s) {
            CHECK(tree.splits[s].feature == expected.splits[s].feature);
            CHECK(tree.splits[s].threshold == expected.splits[s].threshold);
        }
        CHECK(tree.leaf_values == expected.leaf_values);
        CHECK(tree.leaf_covers == expected.leaf_covers);
    }
}
