// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/kernels/forest_block.hpp>
#include <funnel/ranking/tree_decision.hpp>
#include <funnel/ranking/tree_ensemble.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <tuple>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ranking::detail {

/// The key (kernels::KeyColumn) of the largest float <= t. For every float x but NaN: key of x <= this, if and only if
/// x <= t. Computed from the bits, so that it holds where the processor flushes denormals to zero.
[[nodiscard]] inline std::int32_t key_at_most(const double& t) noexcept {
    constexpr std::int32_t infinity = 0x7F80'0000;
    constexpr std::uint64_t one = std::uint64_t{1} << 52U;  // the leading digit, which is not stored
    const auto bits = std::bit_cast<std::uint64_t>(t);
    const bool is_negative = (bits >> 63U) != 0;
    const std::uint64_t digits = bits & (one - 1);
    const auto exponent = static_cast<std::int32_t>((bits >> 52U) & 0x7FFU);

    std::int32_t magnitude = 0;  // of t, rounded towards zero
    bool is_exact = true;
    if (exponent == 0x7FF) {
        magnitude = infinity;
    } else if (exponent >= 1023 + 128) {
        magnitude = infinity - 1;
        is_exact = false;
    } else if (exponent > 1023 - 127) {
        magnitude = ((exponent - 1023 + 127) << 23U) | static_cast<std::int32_t>(digits >> 29U);
        is_exact = (digits & ((std::uint64_t{1} << 29U) - 1)) == 0;
    } else if (exponent > 1023 - 150) {  // a denormal float
        const auto shift = static_cast<unsigned>(30 + 1023 - 127 - exponent);
        magnitude = static_cast<std::int32_t>((digits | one) >> shift);
        is_exact = static_cast<std::uint64_t>(magnitude) << shift == (digits | one);
    } else {
        is_exact = exponent == 0 && digits == 0;
    }
    if (!is_negative || (magnitude == 0 && is_exact)) {
        return magnitude;  // -0.0 acts like 0.0
    }
    return ~(magnitude + (is_exact ? 0 : 1));
}

/// A column of keys that is 0 if the category of the feature is in the set, else 1.
struct CategoryKeys {
    std::uint32_t feature;
    std::uint32_t set;
    bool zero_is_missing;
    bool missing_goes_left;

    friend auto operator<=>(const CategoryKeys&, const CategoryKeys&) = default;
};

/// A column of codes: where its keys are, and its thresholds (kernels::quantise).
struct CodeColumn {
    std::uint32_t keys;
    std::size_t levels_begin;
    std::size_t levels;
};

/// A split for walks from the root to a leaf: right if the key is above this one.
struct WalkNode {
    std::int32_t key = 0;
    std::uint32_t keys = 0;                  ///< row of the matrix of keys
    std::array<std::int32_t, 2> children{};  ///< left, right: a node of the tree, or ~position of a leaf
};

/// A tree of a plan. Its leaves are numbered from left to right: their positions.
struct PlannedTree {
    std::size_t walk_begin = 0;   ///< its first WalkNode
    std::size_t sweep_begin = 0;  ///< its first SweepNode, if it has at most max_swept_leaves
    std::size_t begin = 0;        ///< of its values, width x leaves; if it is linear, of the numbers of its leaves
    std::uint32_t leaves = 0;
    std::uint32_t output = 0;
    std::uint32_t width = 1;
    bool is_linear = false;
};

/// What Forest computes when it is made: all decision rules of a TreeEnsemble as comparisons of integers.
///
/// Each pair of a feature and a rule for missing values becomes a column of keys. If the splits on a feature treat NaN
/// differently, one column is enough when NaN can take the place of a number: when it goes right below some threshold
/// and left from there on. Otherwise there are two columns, with NaN below and above all numbers. Each 255 thresholds
/// of a column of keys become a column of codes: the number of thresholds below the value, in one byte.
class ForestPlan {
public:
    ForestPlan() = default;

    explicit ForestPlan(const TreeEnsemble& forest) {
        std::vector<NumericSplit> numeric_splits;
        std::vector<CategorySplit> category_splits;
        for (const Tree& tree : forest.trees) {
            const bool is_swept = tree.leaves() <= kernels::max_swept_leaves;
            for (const TreeSplit& split : tree.splits) {
                const std::size_t node = walk.size();
                walk.emplace_back();
                if (split.categories == TreeSplit::no_categories) {
                    numeric_splits.push_back({split.feature, split.zero_is_missing, key_at_most(split.threshold),
                                              split.missing_goes_left, is_swept, node});
                } else {
                    category_splits.push_back(
                        {{split.feature, split.categories, split.zero_is_missing, split.missing_goes_left},
                         is_swept,
                         node});
                }
            }
        }
        places_.resize(walk.size());
        add_numeric(numeric_splits);
        add_categories(category_splits);
        std::size_t walk_begin = 0;
        for (const Tree& tree : forest.trees) {
            add_tree(forest, tree, walk_begin);
            walk_begin += tree.splits.size();
        }
        places_ = {};
        choose_engine();
    }

    [[nodiscard]] std::size_t key_columns() const noexcept { return numeric.size() + categories.size(); }

    // NOLINTBEGIN(misc-non-private-member-variables-in-classes): plain data, read by the engines
    std::vector<kernels::KeyColumn> numeric;  ///< the first rows of the matrix of keys
    std::vector<CategoryKeys> categories;     ///< the rows after them
    std::vector<CodeColumn> columns;
    std::vector<std::int32_t> levels;
    std::vector<WalkNode> walk;
    std::vector<kernels::SweepNode> sweep;
    std::vector<PlannedTree> trees;
    std::vector<double> values;
    std::vector<float> float_values;    ///< in place of values, if sums_in_float
    std::vector<std::uint32_t> linear;  ///< position of a leaf -> its number in the tree
    std::size_t fewest_swept_rows = 1;  ///< fewer rows are scored one by one
    // NOLINTEND(misc-non-private-member-variables-in-classes)

private:
    struct NumericSplit {
        std::uint32_t feature;
        bool zero_is_missing;
        std::int32_t key;
        bool missing_goes_left;
        bool is_swept;
        std::size_t node;

        [[nodiscard]] auto rule() const noexcept { return std::tuple(feature, zero_is_missing); }
    };
    struct CategorySplit {
        CategoryKeys keys;
        bool is_swept;
        std::size_t node;
    };
    // The column and the code of a split.
    struct Place {
        std::uint32_t column = 0;
        std::int8_t code = kernels::lowest_code;
    };

    void add_numeric(std::vector<NumericSplit>& splits) {
        std::sort(splits.begin(), splits.end(), [](const NumericSplit& a, const NumericSplit& b) {
            return std::tuple(a.rule(), a.key, a.node) < std::tuple(b.rule(), b.key, b.node);
        });
        for (auto begin = splits.begin(); begin != splits.end();) {
            const auto end = std::find_if(begin, splits.end(),
                                          [&](const NumericSplit& split) { return split.rule() != begin->rule(); });
            std::int32_t lowest_left = std::numeric_limits<std::int32_t>::max();
            std::int32_t highest_right = std::numeric_limits<std::int32_t>::min();
            for (const NumericSplit& split : std::span(begin, end)) {
                (split.missing_goes_left ? lowest_left : highest_right) =
                    split.missing_goes_left ? std::min(lowest_left, split.key) : std::max(highest_right, split.key);
            }
            if (highest_right < lowest_left) {
                add_keys({begin, end}, lowest_left);
            } else {
                const auto middle = std::stable_partition(
                    begin, end, [](const NumericSplit& split) { return split.missing_goes_left; });
                add_keys({begin, middle}, std::numeric_limits<std::int32_t>::min());
                add_keys({middle, end}, std::numeric_limits<std::int32_t>::max());
            }
            begin = end;
        }
    }

    // One column of keys for these splits, which are sorted by key.
    void add_keys(std::span<const NumericSplit> splits, std::int32_t missing_key) {
        const auto keys = static_cast<std::uint32_t>(numeric.size());
        const std::int32_t zero_below = splits[0].zero_is_missing ? std::bit_cast<std::int32_t>(zero_threshold) + 1 : 0;
        numeric.push_back({splits[0].feature, missing_key, zero_below});
        std::vector<std::int32_t> thresholds;
        for (const NumericSplit& split : splits) {
            walk[split.node].key = split.key;
            walk[split.node].keys = keys;
            if (!split.is_swept) {
                continue;
            }
            if (thresholds.empty() || thresholds.back() != split.key) {
                if (thresholds.size() == 255) {
                    add_codes(keys, thresholds);
                    thresholds.clear();
                }
                thresholds.push_back(split.key);
            }
            places_[split.node] = {
                static_cast<std::uint32_t>(columns.size()),
                static_cast<std::int8_t>(static_cast<std::ptrdiff_t>(thresholds.size()) - 1 + kernels::lowest_code)};
        }
        if (!thresholds.empty()) {
            add_codes(keys, thresholds);
        }
    }

    void add_codes(std::uint32_t keys, std::span<const std::int32_t> sorted) {
        const auto depth = static_cast<unsigned>(std::bit_width(sorted.size()));
        columns.push_back({keys, levels.size(), (std::size_t{1} << depth) - 1});
        for (unsigned level = 0; level < depth; ++level) {
            const std::size_t step = std::size_t{1} << (depth - level);
            for (std::size_t i = step / 2 - 1; i < columns.back().levels; i += step) {
                levels.push_back(i < sorted.size() ? sorted[i] : std::numeric_limits<std::int32_t>::max());
            }
        }
    }

    void add_categories(std::vector<CategorySplit>& splits) {
        std::sort(splits.begin(), splits.end(), [](const CategorySplit& a, const CategorySplit& b) {
            return std::tie(a.keys, a.node) < std::tie(b.keys, b.node);
        });
        bool has_codes = false;
        for (const CategorySplit& split : splits) {
            if (categories.empty() || categories.back() != split.keys) {
                categories.push_back(split.keys);
                has_codes = false;
            }
            const auto keys = static_cast<std::uint32_t>(key_columns() - 1);
            walk[split.node].keys = keys;  // and the key is 0
            if (split.is_swept) {
                if (!has_codes) {
                    add_codes(keys, std::array<std::int32_t, 1>{0});
                    has_codes = true;
                }
                places_[split.node].column = static_cast<std::uint32_t>(columns.size() - 1);
            }
        }
    }

    void add_tree(const TreeEnsemble& forest, const Tree& tree, std::size_t walk_begin) {
        const std::size_t splits = tree.splits.size();
        const PlannedTree planned{.walk_begin = walk_begin,
                                  .sweep_begin = sweep.size(),
                                  .begin = values.size() + float_values.size(),  // one of them is empty
                                  .leaves = static_cast<std::uint32_t>(tree.leaves()),
                                  .output = static_cast<std::uint32_t>(tree.output),
                                  .width = static_cast<std::uint32_t>(tree.leaf_values.size() / tree.leaves()),
                                  .is_linear = !tree.linear.constants.empty()};
        trees.push_back(planned);
        if (planned.is_linear) {
            trees.back().begin = linear.size();
        }

        std::vector<std::uint32_t> leaves_below(splits);
        const auto leaves_of = [&](std::int32_t child) {
            return child < 0 ? 1U : leaves_below[static_cast<std::size_t>(child)];
        };
        for (std::size_t i = splits; i-- > 0;) {  // children follow their parents
            leaves_below[i] = leaves_of(tree.splits[i].left) + leaves_of(tree.splits[i].right);
        }
        std::vector<std::uint32_t> first_leaf(splits);  // the position of the leftmost leaf below a split
        std::vector<std::uint32_t> order(tree.leaves());
        for (std::size_t i = 0; i < splits; ++i) {
            const std::uint32_t right_leaf = first_leaf[i] + leaves_of(tree.splits[i].left);
            WalkNode& node = walk[walk_begin + i];
            for (const auto& [child, first, side] : {std::tuple(tree.splits[i].left, first_leaf[i], 0U),
                                                     std::tuple(tree.splits[i].right, right_leaf, 1U)}) {
                if (child < 0) {
                    order[first] = static_cast<std::uint32_t>(~child);
                    node.children[side] = ~static_cast<std::int32_t>(first);
                } else {
                    first_leaf[static_cast<std::size_t>(child)] = first;
                    node.children[side] = child;
                }
            }
            if (tree.leaves() <= kernels::max_swept_leaves) {
                const auto four = [](auto byte) { return std::array{byte, byte, byte, byte}; };
                const Place& place = places_[walk_begin + i];
                sweep.push_back({place.column, four(place.code), four(static_cast<std::uint8_t>(first_leaf[i])),
                                 four(static_cast<std::uint8_t>(right_leaf))});
            }
        }

        if (planned.is_linear) {
            linear.insert(linear.end(), order.begin(), order.end());
            return;
        }
        for (std::size_t o = 0; o < planned.width; ++o) {
            for (const std::uint32_t leaf : order) {
                const double value = tree.leaf_values[leaf * planned.width + o];
                if (forest.sums_in_float) {
                    float_values.push_back(static_cast<float>(value));
                } else {
                    values.push_back(value);
                }
            }
        }
    }

    // Estimated nanoseconds, measured with bench/ranking/forest_bench.cpp; only their ratio matters. A sweep costs the
    // same for 1 to 64 rows.
    void choose_engine() {
        double walk_ns = static_cast<double>(key_columns());
        for (const PlannedTree& tree : trees) {
            walk_ns += 2.3 * static_cast<double>(std::bit_width(tree.leaves));
        }
        const double sweep_ns = 64.0 * static_cast<double>(key_columns() + columns.size() + trees.size()) * 0.5 +
                                1.2 * static_cast<double>(sweep.size());
        const double rows = std::min(sweep_ns / std::max(walk_ns, 1.0), 64.0);
        fewest_swept_rows = static_cast<std::size_t>(rows) + 1;
    }

    std::vector<Place> places_;  // of each WalkNode; while the plan is made
};

}  // namespace ranking::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel
