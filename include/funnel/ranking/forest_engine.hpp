// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/forest.hpp>
#include <funnel/ranking/forest_plan.hpp>
#include <funnel/ranking/tree_decision.hpp>
#include <funnel/ranking/tree_ensemble.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ranking::detail {

/// Memory for one block of rows. It only grows.
struct ForestMemory {
    Matrix<std::int32_t> keys;           ///< key columns x forest_block
    Matrix<std::int8_t> codes;           ///< code columns x forest_block
    std::vector<std::int32_t> row_keys;  ///< of one row
    Matrix<double> sums;                 ///< outputs x forest_block
    Matrix<float> float_sums;

    void make_room(const TreeEnsemble& forest, const ForestPlan& plan, std::size_t rows) {
        const auto grow = [](auto& matrix, std::size_t wanted) {
            if (matrix.rows() < wanted) {
                matrix = std::remove_cvref_t<decltype(matrix)>(wanted, kernels::forest_block);
            }
        };
        row_keys.resize(std::max(row_keys.size(), plan.key_columns() + 1));  // a leaf reads the first key, too
        grow(sums, forest.sums_in_float ? 0 : forest.outputs);
        grow(float_sums, forest.sums_in_float ? forest.outputs : 0);
        if (plan.sweeps(rows)) {
            grow(keys, plan.key_columns());
            grow(codes, plan.code_columns);
        }
    }
};

/// Scores a block of rows with the bits of score_row. Sum is float if the forest says sums_in_float.
template <kernels::HostBackend Backend, std::floating_point Sum>
class ForestEngine {
public:
    ForestEngine(const TreeEnsemble& forest, const ForestPlan& plan, ForestMemory& memory) noexcept
        : forest_(forest), plan_(plan), memory_(memory) {}

    /// Shapes    rows: 1 to forest_block x features, for which there is room;  out: rows x outputs
    void score(MatrixView<const float> rows, std::span<double> out) noexcept {
        for (std::size_t o = 0; o < forest_.outputs; ++o) {
            const auto start = static_cast<Sum>(forest_.start.empty() ? 0.0 : forest_.start[o]);
            std::fill_n(sums(o).begin(), rows.rows(), start);
        }
        if (plan_.sweeps(rows.rows())) {
            sweep_trees(rows);
        } else {
            for (std::size_t r = 0; r < rows.rows(); ++r) {
                walk_row(rows, r);
            }
        }
        for (std::size_t o = 0; o < forest_.outputs; ++o) {
            for (std::size_t r = 0; r < rows.rows(); ++r) {
                out[r * forest_.outputs + o] = finished_score(forest_, o, static_cast<double>(sums(o)[r]));
            }
        }
    }

private:
    [[nodiscard]] std::span<Sum> sums(std::size_t output) noexcept {
        if constexpr (std::same_as<Sum, float>) {
            return memory_.float_sums.row(output);
        } else {
            return memory_.sums.row(output);
        }
    }
    [[nodiscard]] std::span<const Sum> values() const noexcept {
        if constexpr (std::same_as<Sum, float>) {
            return plan_.float_values;
        } else {
            return plan_.values;
        }
    }

    // The categories of a block, which the columns of a feature have in common. Flags are 0 or 1.
    struct Categories {
        std::array<std::uint32_t, kernels::forest_block> numbers;
        std::array<std::uint32_t, kernels::forest_block> are_missing;
        std::array<std::uint32_t, kernels::forest_block> are_zero;

        void load(const TreeEnsemble& forest, MatrixView<const float> rows, std::size_t feature) noexcept {
            for (std::size_t r = 0; r < rows.rows(); ++r) {
                const float& x = rows.row(r)[feature];
                const bool is_missing = math::is_nan(x);
                numbers[r] =
                    is_missing ? no_category
                               : category_of(x, forest.negative_fractions_are_category_0, forest.fractions_are_unknown);
                are_missing[r] = is_missing ? 1 : 0;
                are_zero[r] = !is_missing && math::abs(x) <= zero_threshold ? 1 : 0;
            }
        }
    };

    // The key of a row in a column of categories: 0 if it goes left, else 1.
    [[nodiscard]] std::int32_t key_of(const CategoryKeys& column, const Categories& categories,
                                      std::size_t r) const noexcept {
        if (categories.are_missing[r] != 0 || (column.zero_is_missing && categories.are_zero[r] != 0)) {
            return column.missing_goes_left ? 0 : 1;
        }
        const std::vector<std::uint32_t>& set = forest_.category_sets[column.set];
        return contains(set.data(), set.size(), categories.numbers[r]) ? 0 : 1;
    }

    // The keys of all rows. There are many columns, and what a row does is hard to predict: a set of two words stays in
    // a register, and its loop has no branch.
    void find_keys(const CategoryKeys& column, const Categories& categories,
                   std::span<std::int32_t> keys) const noexcept {
        const std::vector<std::uint32_t>& set = forest_.category_sets[column.set];
        if (set.size() > 2) {
            for (std::size_t r = 0; r < keys.size(); ++r) {
                keys[r] = key_of(column, categories, r);
            }
            return;
        }
        std::uint64_t members = 0;  // bit c for category c
        for (std::size_t word = 0; word < set.size(); ++word) {
            members |= std::uint64_t{set[word]} << (32 * word);
        }
        const std::uint32_t zero_is_missing = column.zero_is_missing ? 1 : 0;
        const std::uint32_t key_if_missing = column.missing_goes_left ? 0 : 1;
        for (std::size_t r = 0; r < keys.size(); ++r) {
            const std::uint32_t number = categories.numbers[r];
            const std::uint64_t known = number < 64 ? members : 0;
            const auto is_in = static_cast<std::uint32_t>(known >> (number % 64)) & 1U;
            const std::uint32_t is_missing = categories.are_missing[r] | (categories.are_zero[r] & zero_is_missing);
            keys[r] = static_cast<std::int32_t>(is_missing != 0 ? key_if_missing : is_in ^ 1U);
        }
    }

    // Calls visit(c, column, categories) for the columns of categories; c is the number of the column among all keys.
    template <class Visit>
    void visit_categories(MatrixView<const float> rows, const Visit& visit) const noexcept {
        Categories categories;
        for (std::size_t c = 0; c < plan_.categories.size(); ++c) {
            const CategoryKeys& column = plan_.categories[c];
            if (c == 0 || column.feature != plan_.categories[c - 1].feature) {
                categories.load(forest_, rows, column.feature);
            }
            visit(plan_.numeric.size() + c, column, categories);
        }
    }

    // Adds tree t to the sums of rows begin, begin + 1, ..., which are in these leaves.
    template <std::unsigned_integral Leaf>
    void add_tree(std::size_t t, MatrixView<const float> rows, std::size_t begin,
                  std::span<const Leaf> leaves) noexcept {
        const PlannedTree& tree = plan_.trees[t];
        if (tree.is_linear) {
            const auto numbers = std::span(plan_.linear).subspan(tree.begin, tree.leaves);
            for (std::size_t i = 0; i < std::min(leaves.size(), rows.rows() - begin); ++i) {
                sums(tree.output)[begin + i] +=
                    static_cast<Sum>(linear_value(forest_.trees[t], numbers[leaves[i]], rows.row(begin + i)));
            }
            return;
        }
        for (std::size_t o = 0; o < tree.width; ++o) {
            kernels::add_leaves<Backend>(values().subspan(tree.begin + o * tree.leaves, tree.leaves), leaves,
                                         sums(tree.output + o).subspan(begin));
        }
    }

    // Walks that take their steps together, since each step waits for memory.
    static constexpr std::size_t paths = 8;
    using Nodes = std::array<const WalkNode*, paths>;

    // From the nodes to the leaves below them.
    template <class KeyOf>
    static void walk(Nodes& nodes, const KeyOf& key_of) noexcept {
        for (std::uint32_t steps = 1; steps != 0;) {  // 0: all nodes are leaves
            for (int i = 0; i < 2; ++i) {
                take_step(nodes, key_of);
            }
            steps = take_step(nodes, key_of);
        }
    }

    template <class KeyOf>
    [[gnu::always_inline]] static std::uint32_t take_step(Nodes& nodes, const KeyOf& key_of) noexcept {
        std::uint32_t steps = 0;
        for (std::size_t i = 0; i < paths; ++i) {
            const WalkNode& node = *nodes[i];
            steps |= node.step;
            nodes[i] += node.step + (key_of(i, node.keys) > node.key ? 1U : 0U);
        }
        return steps;
    }

    // Calls visit(tree, leaf) for the trees in order.
    template <class Visit>
    [[gnu::always_inline]] void walk_trees(const Visit& visit) const noexcept {
        const std::int32_t* const keys = memory_.row_keys.data();
        for (std::size_t t = 0; t < plan_.trees.size(); t += paths) {
            const std::size_t count = std::min(paths, plan_.trees.size() - t);
            Nodes nodes;
            for (std::size_t i = 0; i < paths; ++i) {
                nodes[i] = plan_.walk.data() + plan_.trees[t + std::min(i, count - 1)].walk_begin;
            }
            walk(nodes, [&](std::size_t, std::uint32_t column) { return keys[column]; });
            for (std::size_t i = 0; i < count; ++i) {
                visit(t + i, nodes[i]->leaf);
            }
        }
    }

    void walk_row(MatrixView<const float> rows, std::size_t r) noexcept {
        const std::span<const float> row = rows.row(r);
        const std::span<std::int32_t> keys = memory_.row_keys;
        for (std::size_t c = 0; c < plan_.numeric.size(); ++c) {
            keys[c] = kernels::key_of(row[plan_.numeric[c].feature], plan_.numeric[c]);
        }
        visit_categories(rows.rows_from(r, 1), [&](std::size_t c, const auto& column, const auto& categories) {
            keys[c] = key_of(column, categories, 0);
        });
        if (plan_.is_plain) {
            Sum sum = sums(0)[r];
            const Sum* const values = this->values().data();
            walk_trees([&](std::size_t t, std::uint32_t leaf) { sum += values[plan_.trees[t].begin + leaf]; });
            sums(0)[r] = sum;
        } else {
            walk_trees([&](std::size_t t, std::uint32_t leaf) {
                const auto position = static_cast<std::uint16_t>(leaf);
                add_tree(t, rows, r, std::span<const std::uint16_t>(&position, 1));
            });
        }
    }

    void sweep_trees(MatrixView<const float> rows) noexcept {
        const auto numeric = std::span(plan_.numeric);
        const std::size_t swept = plan_.swept_numeric;
        kernels::load_keys<Backend>(rows, numeric.first(swept), memory_.keys);
        if (plan_.walks_large_trees()) {
            kernels::load_keys<Backend>(rows, numeric.subspan(swept),
                                        memory_.keys.view().rows_from(swept, numeric.size() - swept));
        }
        visit_categories(rows, [&](std::size_t c, const auto& column, const auto& categories) {
            find_keys(column, categories, memory_.keys.row(c).first(rows.rows()));
        });
        // Of the rows that fill up the block, any keys will do.
        const std::size_t filled = (rows.rows() + 63) / 64 * 64;
        for (const CodeColumn& column : plan_.columns) {
            const auto codes = [&](std::size_t c) { return memory_.codes.row(c).first(filled); };
            kernels::quantise<Backend>(std::span(plan_.levels).subspan(column.levels_begin, column.levels),
                                       memory_.keys.row(column.keys).first(filled), codes(column.codes),
                                       column.has_left ? codes(column.codes + 1) : std::span<std::int8_t>());
        }
        const MatrixView<const std::int8_t> codes = memory_.codes;
        for (std::size_t t = 0; t < plan_.trees.size(); ++t) {
            const PlannedTree& tree = plan_.trees[t];
            if (plan_.is_swept(tree.leaves)) {
                alignas(row_alignment) std::array<std::uint8_t, kernels::forest_block> leaves;
                kernels::find_leaves<Backend>(std::span(plan_.sweep).subspan(tree.sweep_begin, tree.leaves - 1), codes,
                                              std::span(leaves).first(filled));
                add_tree(t, rows, 0, std::span<const std::uint8_t>(leaves).first(filled));
            } else {
                add_large_tree(t, rows);
            }
        }
    }

    void add_large_tree(std::size_t t, MatrixView<const float> rows) noexcept {
        const Matrix<std::int32_t>& keys = memory_.keys;
        for (std::size_t begin = 0; begin < rows.rows(); begin += paths) {
            const std::size_t count = std::min(paths, rows.rows() - begin);
            Nodes nodes;
            nodes.fill(plan_.walk.data() + plan_.trees[t].walk_begin);
            const std::int32_t* const first = keys.row(0).data() + begin;
            walk(nodes, [&](std::size_t i, std::uint32_t column) { return first[column * keys.stride() + i]; });
            std::array<std::uint16_t, paths> leaves;
            std::transform(nodes.begin(), nodes.end(), leaves.begin(),
                           [](const WalkNode* node) { return static_cast<std::uint16_t>(node->leaf); });
            add_tree(t, rows, begin, std::span<const std::uint16_t>(leaves).first(count));
        }
    }

    const TreeEnsemble& forest_;
    const ForestPlan& plan_;
    ForestMemory& memory_;
};

}  // namespace ranking::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel
