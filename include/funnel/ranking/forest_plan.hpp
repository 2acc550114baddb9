// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/kernels/forest_block.hpp>
#include <funnel/ranking/forest_costs.hpp>
#include <funnel/ranking/tree_decision.hpp>
#include <funnel/ranking/tree_ensemble.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <numeric>
#include <span>
#include <tuple>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ranking::detail {

/// A column of keys that is 0 if the category of the feature is in the set, else 1.
struct CategoryKeys {
    std::uint32_t feature;
    std::uint32_t set;
    bool zero_is_missing;
    bool missing_goes_left;

    auto operator<=>(const CategoryKeys&) const = default;
    bool operator==(const CategoryKeys&) const = default;  // named, because nvcc does not see the implied one
};

/// A column of codes, or two: where they and their keys are, and their thresholds (kernels::quantise).
struct CodeColumn {
    std::uint32_t keys;
    std::uint32_t codes;
    std::size_t levels_begin;
    std::size_t levels;
    bool has_left;  ///< the next column of codes holds left_codes
};

/// A node for walks from the root to a leaf. The children of a split are neighbours, and a leaf leads to itself.
/// Therefore a step has no branch and no test for the end, and several walks can take their steps together:
///
///     node += node->step + (key of the row in column node->keys > node->key)
struct WalkNode {
    std::int32_t key = std::numeric_limits<std::int32_t>::max();  ///< no key is above that of a leaf
    std::uint32_t keys = 0;                                       ///< row of the matrix of keys
    std::uint32_t step = 0;                                       ///< to the left child; 0 for a leaf
    std::uint32_t leaf = 0;                                       ///< position of a leaf
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
/// and left from there on. Otherwise there are two columns, with NaN above and below all numbers; the latter serves
/// walks alone. Each 255 thresholds of a column of keys become a column of codes: the number of thresholds below the
/// value, in one byte. Where NaN goes to both sides, they become two, which differ for NaN.
///
/// Cost      O(splits): thresholds are sorted by their digits
class ForestPlan {
public:
    ForestPlan() = default;

    explicit ForestPlan(const TreeEnsemble& forest, const EngineCosts& costs = {}) : costs_(costs) {
        std::size_t splits = 0;
        std::size_t leaf_values = 0;
        for (const Tree& tree : forest.trees) {
            splits += tree.splits.size();
            leaf_values += tree.leaf_values.size();
        }
        std::vector<NumericSplit> numeric_splits;
        std::vector<CategorySplit> category_splits;
        numeric_splits.reserve(splits);
        places_.reserve(splits);
        for (const Tree& tree : forest.trees) {
            for (const TreeSplit& split : tree.splits) {
                if (split.categories == TreeSplit::no_categories) {
                    numeric_splits.emplace_back(split, places_.size());
                } else {
                    category_splits.push_back(
                        {{split.feature, split.categories, split.zero_is_missing, split.missing_goes_left},
                         places_.size()});
                }
                places_.push_back({.is_swept = is_swept(tree.leaves())});
            }
        }
        add_numeric(numeric_splits);
        add_categories(category_splits);
        walk.reserve(2 * splits + forest.trees.size());
        sweep.reserve(splits);
        trees.reserve(forest.trees.size());
        (forest.sums_in_float ? float_values.reserve(leaf_values) : values.reserve(leaf_values));
        std::span<const Place> places = places_;
        for (const Tree& tree : forest.trees) {
            add_tree(forest, tree, places.first(tree.splits.size()));
            places = places.subspan(tree.splits.size());
        }
        places_ = {};
        branches_ = {};
        is_plain = forest.outputs == 1 && linear.empty();
    }

    [[nodiscard]] std::size_t key_columns() const noexcept { return numeric.size() + categories.size(); }

    /// Whether some trees are walked even if there are many rows.
    [[nodiscard]] bool walks_large_trees() const noexcept { return swept_trees_ < trees.size(); }

    /// Whether trees of so many leaves have SweepNodes.
    [[nodiscard]] bool is_swept(std::size_t leaves) const noexcept { return leaves <= costs_.most_swept_leaves; }

    /// Whether the sweep is the faster engine for so many rows. Trees that have no SweepNodes are walked in any case.
    [[nodiscard]] bool sweeps(std::size_t rows) const noexcept {
        const auto times = [](std::size_t n, double each) { return static_cast<double>(n) * each; };
        const double walk_ns = times(key_columns(), costs_.row_key) + times(walk_steps_, costs_.walk_step);
        const double sweep_ns = times(swept_numeric + categories.size(), costs_.keys) +
                                times(columns.size(), costs_.codes) + times(sweep.size(), costs_.sweep_node) +
                                times(swept_trees_, costs_.leaves);
        return !sweep.empty() && times((rows + 63) / 64, sweep_ns) < times(rows, walk_ns);
    }

    // NOLINTBEGIN(misc-non-private-member-variables-in-classes): plain data, read by the engines
    std::vector<kernels::KeyColumn> numeric;  ///< the first rows of the matrix of keys
    std::vector<CategoryKeys> categories;     ///< the rows after them
    std::size_t swept_numeric = 0;  ///< number of numeric columns of keys that have codes; the others are for walks
    std::vector<CodeColumn> columns;
    std::size_t code_columns = 0;  ///< rows of the matrix of codes
    std::vector<std::int32_t> levels;
    std::vector<WalkNode> walk;
    std::vector<kernels::SweepNode> sweep;
    std::vector<PlannedTree> trees;
    std::vector<double> values;
    std::vector<float> float_values;    ///< in place of values, if sums_in_float
    std::vector<std::uint32_t> linear;  ///< position of a leaf -> its number in the tree
    bool is_plain = false;              ///< one output, and no linear leaves
    // NOLINTEND(misc-non-private-member-variables-in-classes)

private:
    struct NumericSplit {
        NumericSplit() = default;
        NumericSplit(const TreeSplit& split, std::size_t at)
            : key(key_at_most(split.threshold)),
              feature(split.feature),
              place(at & (~std::uint64_t{0} >> 2U)),
              zero_is_missing(split.zero_is_missing),
              missing_goes_left(split.missing_goes_left) {}

        [[nodiscard]] std::uint64_t feature_and_key() const noexcept {
            return (std::uint64_t{feature} << 32U) | (static_cast<std::uint32_t>(key) ^ 0x8000'0000U);
        }
        [[nodiscard]] auto rule() const noexcept { return std::tuple(feature, static_cast<bool>(zero_is_missing)); }

        std::int32_t key;
        std::uint32_t feature;
        std::uint64_t place : 62;  // all of it in 16 bytes, because sorting moves them several times
        bool zero_is_missing : 1;
        bool missing_goes_left : 1;
    };
    struct CategorySplit {
        CategoryKeys keys;
        std::size_t place;
    };
    // Where the key and the code of a split are.
    struct Place {
        std::int32_t key = 0;
        std::uint32_t keys = 0;
        std::uint32_t column = 0;
        std::int8_t code = kernels::lowest_code;
        bool is_swept = false;
        std::size_t walked = 0;  // number of its column of keys among those for walks, from 1; 0 for none
    };
    // A split or a leaf while its tree is planned.
    struct Branch {
        std::uint32_t leaves = 1;      // below it
        std::uint32_t first_leaf = 0;  // the position of the leftmost one
        std::uint32_t node = 0;        // its WalkNode
    };

    // Sorts by one digit, and keeps the order of equal ones.
    template <class Digit>
    static void sort_by(std::vector<NumericSplit>& splits, std::vector<NumericSplit>& sorted, const Digit& digit) {
        std::array<std::size_t, 257> begins{};
        for (const NumericSplit& split : splits) {
            ++begins[digit(split) + 1U];
        }
        std::partial_sum(begins.begin(), begins.end(), begins.begin());
        sorted.resize(splits.size());
        for (const NumericSplit& split : splits) {
            sorted[begins[digit(split)]++] = split;
        }
        splits.swap(sorted);
    }

    void add_numeric(std::vector<NumericSplit>& splits) {
        std::uint64_t differing = 0;  // bits
        bool has_zero_rules = false;
        for (const NumericSplit& split : splits) {
            differing |= split.feature_and_key() ^ splits[0].feature_and_key();
            has_zero_rules = has_zero_rules || split.zero_is_missing;
        }
        std::vector<NumericSplit> sorted;
        for (unsigned shift = 0; shift < 64; shift += 8) {
            if (shift == 32 && has_zero_rules) {
                sort_by(splits, sorted, [](const NumericSplit& split) { return split.zero_is_missing ? 1U : 0U; });
            }
            if (((differing >> shift) & 0xFFU) != 0) {
                sort_by(splits, sorted,
                        [&](const NumericSplit& split) { return (split.feature_and_key() >> shift) & 0xFFU; });
            }
        }
        std::vector<kernels::KeyColumn> walked;  // they stand behind those that have codes
        for (auto begin = splits.begin(); begin != splits.end();) {
            const auto end = std::find_if(begin, splits.end(),
                                          [&](const NumericSplit& split) { return split.rule() != begin->rule(); });
            const std::span<const NumericSplit> of_rule(begin, end);
            std::int32_t lowest_left = std::numeric_limits<std::int32_t>::max();
            std::int32_t highest_right = std::numeric_limits<std::int32_t>::min();
            for (const NumericSplit& split : of_rule) {
                (split.missing_goes_left ? lowest_left : highest_right) =
                    split.missing_goes_left ? std::min(lowest_left, split.key) : std::max(highest_right, split.key);
            }
            if (highest_right < lowest_left) {
                add_keys(of_rule, lowest_left, false);
            } else {
                add_keys(of_rule, kernels::missing_goes_right, true);
                walked.push_back(numeric.back());
                walked.back().missing_key = std::numeric_limits<std::int32_t>::min();
                for (const NumericSplit& split : of_rule) {
                    places_[split.place].walked = split.missing_goes_left ? walked.size() : 0;
                }
            }
            begin = end;
        }
        swept_numeric = numeric.size();
        numeric.insert(numeric.end(), walked.begin(), walked.end());
        for (Place& p : places_) {
            p.keys = p.walked > 0 ? static_cast<std::uint32_t>(swept_numeric + p.walked - 1) : p.keys;
        }
    }

    // One column of keys for these splits, which are sorted by key.
    void add_keys(std::span<const NumericSplit> splits, std::int32_t missing_key, bool has_left) {
        const auto keys = static_cast<std::uint32_t>(numeric.size());
        const std::int32_t zero_below = splits[0].zero_is_missing ? std::bit_cast<std::int32_t>(zero_threshold) + 1 : 0;
        numeric.push_back({splits[0].feature, missing_key, zero_below});
        std::array<std::int32_t, 255> thresholds;
        std::size_t count = 0;
        for (const NumericSplit& split : splits) {
            Place& place = places_[split.place];
            place.key = split.key;
            place.keys = keys;
            if (!place.is_swept) {
                continue;
            }
            if (count == 0 || thresholds[count - 1] != split.key) {
                if (count == thresholds.size()) {
                    add_codes(keys, thresholds, has_left);
                    count = 0;
                }
                thresholds[count++] = split.key;
            }
            place.column = static_cast<std::uint32_t>(code_columns) + (has_left && split.missing_goes_left ? 1U : 0U);
            place.code = static_cast<std::int8_t>(static_cast<std::ptrdiff_t>(count) - 1 + kernels::lowest_code);
        }
        if (count > 0) {
            add_codes(keys, std::span(thresholds).first(count), has_left);
        }
    }

    void add_codes(std::uint32_t keys, std::span<const std::int32_t> sorted, bool has_left) {
        const auto depth = static_cast<unsigned>(std::bit_width(sorted.size()));
        columns.push_back(
            {keys, static_cast<std::uint32_t>(code_columns), levels.size(), (std::size_t{1} << depth) - 1, has_left});
        code_columns += has_left ? 2 : 1;
        for (unsigned level = 0; level < depth; ++level) {
            const std::size_t step = std::size_t{1} << (depth - level);
            for (std::size_t i = step / 2 - 1; i < columns.back().levels; i += step) {
                levels.push_back(i < sorted.size() ? sorted[i] : std::numeric_limits<std::int32_t>::max());
            }
        }
    }

    void add_categories(std::vector<CategorySplit>& splits) {
        std::sort(splits.begin(), splits.end(), [](const CategorySplit& a, const CategorySplit& b) {
            return std::tie(a.keys, a.place) < std::tie(b.keys, b.place);
        });
        bool has_codes = false;
        for (const CategorySplit& split : splits) {
            if (categories.empty() || categories.back() != split.keys) {
                categories.push_back(split.keys);
                has_codes = false;
            }
            Place& place = places_[split.place];
            place.keys = static_cast<std::uint32_t>(key_columns() - 1);  // and the key is 0
            if (place.is_swept) {
                if (!has_codes) {
                    add_codes(place.keys, std::array<std::int32_t, 1>{0}, false);
                    has_codes = true;
                }
                place.column = static_cast<std::uint32_t>(code_columns - 1);
            }
        }
    }

    void add_tree(const TreeEnsemble& forest, const Tree& tree, std::span<const Place> places) {
        const std::size_t leaves = tree.leaves();
        const std::size_t width = tree.leaf_values.size() / leaves;
        const bool is_linear = !tree.linear.constants.empty();
        const std::size_t begin = is_linear              ? linear.size()
                                  : forest.sums_in_float ? float_values.size()
                                                         : values.size();
        trees.push_back({.walk_begin = walk.size(),
                         .sweep_begin = sweep.size(),
                         .begin = begin,
                         .leaves = static_cast<std::uint32_t>(leaves),
                         .output = static_cast<std::uint32_t>(tree.output),
                         .width = static_cast<std::uint32_t>(width),
                         .is_linear = is_linear});
        if (is_swept(leaves)) {
            ++swept_trees_;
            walk_steps_ += static_cast<unsigned>(std::bit_width(leaves));
        }

        const std::size_t splits = tree.splits.size();  // leaves follow splits
        branches_.assign(splits + leaves, Branch{});
        const auto branch_of = [&](std::int32_t child) -> Branch& {
            return branches_[child < 0 ? splits + static_cast<std::size_t>(~child) : static_cast<std::size_t>(child)];
        };
        for (std::size_t i = splits; i-- > 0;) {  // children follow their parents
            branches_[i].leaves = branch_of(tree.splits[i].left).leaves + branch_of(tree.splits[i].right).leaves;
        }
        WalkNode* const nodes = &*walk.insert(walk.end(), splits + leaves, WalkNode{});
        const auto four = [](auto byte) { return std::array{byte, byte, byte, byte}; };
        std::uint32_t free_node = 1;
        for (std::size_t i = 0; i < splits; ++i) {
            const Place& place = places[i];
            const Branch branch = branches_[i];
            Branch& left = branch_of(tree.splits[i].left);
            Branch& right = branch_of(tree.splits[i].right);
            nodes[branch.node] = {place.key, place.keys, free_node - branch.node, 0};
            left.first_leaf = branch.first_leaf;
            right.first_leaf = branch.first_leaf + left.leaves;
            left.node = free_node++;
            right.node = free_node++;
            if (place.is_swept) {
                sweep.push_back({place.column, four(place.code), four(static_cast<std::uint8_t>(left.first_leaf)),
                                 four(static_cast<std::uint8_t>(right.first_leaf))});
            }
        }
        order_.resize(leaves);
        for (std::size_t i = 0; i < leaves; ++i) {
            const Branch& leaf = branches_[splits + i];
            nodes[leaf.node].leaf = leaf.first_leaf;
            order_[leaf.first_leaf] = static_cast<std::uint32_t>(i);
        }

        if (is_linear) {
            linear.insert(linear.end(), order_.begin(), order_.end());
            return;
        }
        for (std::size_t o = 0; o < width; ++o) {
            for (const std::uint32_t leaf : order_) {
                const double value = tree.leaf_values[leaf * width + o];
                if (forest.sums_in_float) {
                    float_values.push_back(static_cast<float>(value));
                } else {
                    values.push_back(value);
                }
            }
        }
    }

    EngineCosts costs_;
    std::size_t swept_trees_ = 0;
    std::size_t walk_steps_ = 0;  // of a row in these trees, estimated

    std::vector<Place> places_;         // of each split, while the plan is made
    std::vector<Branch> branches_;      // of a tree, while it is planned
    std::vector<std::uint32_t> order_;  // position of a leaf -> its number in the tree
};

}  // namespace ranking::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel
