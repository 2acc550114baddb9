// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/kernels/forest.hpp>

#include <funnel/core/matrix.hpp>
#include <funnel/core/rng.hpp>

#include "support/backends.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <vector>

using namespace funnel;
using namespace funnel::kernels;
using funnel::testing::HostBackends;

namespace {

constexpr std::int32_t largest = std::numeric_limits<std::int32_t>::max();

// Sorted thresholds as a search tree, in the order of the levels.
std::vector<std::int32_t> as_levels(std::vector<std::int32_t> sorted) {
    std::size_t size = 0;
    while (size < sorted.size()) {
        size = 2 * size + 1;
    }
    sorted.resize(size, largest);
    std::vector<std::int32_t> levels(size);
    const std::function<void(std::size_t, std::size_t, std::size_t)> fill = [&](std::size_t at, std::size_t begin,
                                                                                std::size_t end) {
        if (begin < end) {
            const std::size_t middle = (begin + end) / 2;
            levels[at] = sorted[middle];
            fill(2 * at + 1, begin, middle);
            fill(2 * at + 2, middle + 1, end);
        }
    };
    fill(0, 0, size);
    return levels;
}

template <class Byte>
std::array<Byte, 4> four(Byte byte) {
    return {byte, byte, byte, byte};
}

}  // namespace

TEST_CASE_TEMPLATE_DEFINE("load_keys: keys are ordered as the values, and missing ones get theirs", Backend,
                          load_keys_order) {
    constexpr float infinity = std::numeric_limits<float>::infinity();
    constexpr float denormal = std::numeric_limits<float>::denorm_min();
    const std::vector<float> values{-infinity, -1.0F,  -denormal, -0.0F,    0.0F,
                                    denormal,  1e-35F, 2e-35F,    infinity, std::numeric_limits<float>::quiet_NaN()};
    for (std::size_t n = 1; n <= forest_block; n += n < 40 ? 1 : 27) {
        Matrix<float> rows(n, 3);
        for (std::size_t r = 0; r < n; ++r) {
            rows(r, 1) = values[r % values.size()];
            rows(r, 2) = values[(r / 2) % values.size()];
        }
        const std::vector<KeyColumn> columns{{2, 7, 0}, {1, -9, 0}, {1, 5, 0x0554'AD2E + 1}};  // the bits of 1e-35f
        Matrix<std::int32_t> keys(3, forest_block);
        load_keys<Backend>(rows, columns, keys);
        const std::vector<std::int32_t> of_values{~0x7F80'0000, ~0x3F80'0000, -2,          -1, 0, 1,
                                                  0x0554'AD2E,  0x05D4'AD2E,  0x7F80'0000, -9};
        for (std::size_t r = 0; r < n; ++r) {
            CAPTURE(n);
            CAPTURE(r);
            const std::size_t v = r % values.size();
            const std::size_t w = (r / 2) % values.size();
            CHECK(keys(0, r) == (w == 9 ? 7 : of_values[w]));
            CHECK(keys(1, r) == of_values[v]);
            CHECK(keys(2, r) == ((v >= 2 && v <= 6) || v == 9 ? 5 : of_values[v]));
        }
    }
}
TEST_CASE_TEMPLATE_APPLY(load_keys_order, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("load_keys: columns in any order, of many features", Backend, load_keys_many) {
    for (const std::size_t features : {1U, 7U, 8U, 9U, 21U, 40U}) {
        for (const std::size_t n : {1U, 15U, 16U, 17U, 100U, 256U}) {
            Matrix<float> rows(n, features);
            for (std::size_t r = 0; r < n; ++r) {
                for (std::size_t feature = 0; feature < features; ++feature) {
                    rows(r, feature) = static_cast<float>(1000 * feature + r) - 5000.0F;
                }
            }
            std::vector<KeyColumn> columns;
            for (std::uint32_t i = 0; i < 60; ++i) {  // first in order, twice each; then not
                columns.push_back({static_cast<std::uint32_t>((i < 40 ? i / 2 : 7 * i) % features), 3, 0});
            }
            Matrix<std::int32_t> keys(columns.size(), forest_block);
            load_keys<Backend>(rows, columns, keys);
            CAPTURE(features);
            CAPTURE(n);
            std::size_t wrong = 0;
            for (std::size_t c = 0; c < columns.size(); ++c) {
                for (std::size_t r = 0; r < n; ++r) {
                    wrong += keys(c, r) == key_of(rows(r, columns[c].feature), columns[c]) ? 0U : 1U;
                }
            }
            CHECK(wrong == 0);
        }
    }
}
TEST_CASE_TEMPLATE_APPLY(load_keys_many, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("quantise: counts the thresholds below, for every number of thresholds", Backend,
                          quantise_counts) {
    Random random(1);
    for (std::size_t thresholds = 0; thresholds <= 255; ++thresholds) {
        std::vector<std::int32_t> sorted;
        for (std::size_t i = 0; i < thresholds; ++i) {
            sorted.push_back(static_cast<std::int32_t>(4 * i) - 300);
        }
        const std::vector<std::int32_t> levels = as_levels(sorted);
        const std::size_t n = 1 + thresholds % 67;
        std::vector<std::int32_t> keys(n);
        for (auto& key : keys) {
            key = static_cast<std::int32_t>(random.below(1100)) - 320;
        }
        keys[0] = thresholds % 2 == 0 ? largest : std::numeric_limits<std::int32_t>::min();
        keys[n / 2] = n % 3 == 0 ? largest : keys[n / 2];
        std::vector<std::int8_t> codes(n + 1, 77);
        quantise<Backend>(levels, keys, std::span(codes).first(n));
        CHECK(codes[n] == 77);
        std::vector<std::int8_t> same_codes(n + 1, 77);
        std::vector<std::int8_t> left_codes(n + 1, 77);
        quantise<Backend>(levels, keys, std::span(same_codes).first(n), std::span(left_codes).first(n));
        CHECK(same_codes == codes);
        CHECK(left_codes[n] == 77);
        for (std::size_t r = 0; r < n; ++r) {
            const auto below = std::lower_bound(sorted.begin(), sorted.end(), keys[r]) - sorted.begin();
            CAPTURE(thresholds);
            CHECK(codes[r] - lowest_code == below);
            CHECK(left_codes[r] == (keys[r] == missing_goes_right ? lowest_code : codes[r]));
        }
    }
}
TEST_CASE_TEMPLATE_APPLY(quantise_counts, HostBackends);

// Node 0 has leaves 0 to 2 on its left and leaf 3 on its right; node 1, on its left, has leaf 0 and node 2, which has
// leaves 1 and 2.
TEST_CASE_TEMPLATE_DEFINE("find_leaves: worked by hand", Backend, find_leaves_by_hand) {
    const auto code = [](int count) { return static_cast<std::int8_t>(count + lowest_code); };
    const auto leaf = [](int position) { return four(static_cast<std::uint8_t>(position)); };
    const std::vector<SweepNode> nodes{{0, four(code(2)), leaf(0), leaf(3)},
                                       {1, four(code(0)), leaf(0), leaf(1)},
                                       {0, four(code(254)), leaf(1), leaf(2)}};
    for (const std::size_t n : {64U, 128U, 192U, 256U}) {
        Matrix<std::int8_t> codes(2, forest_block);
        std::vector<int> expected;
        for (std::size_t r = 0; r < n; ++r) {
            codes(0, r) = code(static_cast<int>(r % 5));  // 3, 4: right at node 0
            codes(1, r) = code(static_cast<int>(r % 2));  // 1: right at node 1
            expected.push_back(r % 5 > 2 ? 3 : r % 2 > 0 ? 1 : 0);
        }
        std::vector<std::uint8_t> leaves(n, 99);
        find_leaves<Backend>(nodes, codes, leaves);
        CHECK(std::equal(leaves.begin(), leaves.end(), expected.begin()));
        find_leaves<Backend>({}, codes, leaves);
        CHECK(leaves == std::vector<std::uint8_t>(n, 0));
    }
}
TEST_CASE_TEMPLATE_APPLY(find_leaves_by_hand, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("add_leaves: adds the value of each row's leaf", Backend, add_leaves_values) {
    const auto check = [](auto zero, auto last) {
        using Value = decltype(zero);
        using Leaf = decltype(last);
        for (std::size_t n = 0; n <= 80; ++n) {
            for (const std::size_t count : {1U, 7U, 16U, 31U, 32U, 33U, 256U}) {
                std::vector<Value> values(count);
                for (std::size_t i = 0; i < count; ++i) {
                    values[i] = static_cast<Value>(i) + Value{1};
                }
                std::vector<Leaf> leaves(n);
                std::vector<Value> sums(n + 1, Value{1000});
                std::vector<Value> expected(n + 1, Value{1000});
                for (std::size_t r = 0; r < n; ++r) {
                    leaves[r] = static_cast<Leaf>((5 * r + n) % count);
                    expected[r] += values[leaves[r]];
                }
                add_leaves<Backend>(std::span<const Value>(values), std::span<const Leaf>(leaves), std::span(sums));
                CHECK(sums == expected);
            }
        }
    };
    check(0.0, std::uint8_t{0});
    check(0.0F, std::uint8_t{0});
    check(0.0, std::uint16_t{0});
    check(0.0F, std::uint16_t{0});
}
TEST_CASE_TEMPLATE_APPLY(add_leaves_values, HostBackends);
