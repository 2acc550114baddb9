// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/executor.hpp>
#include <funnel/ranking/feature_bins.hpp>
#include <funnel/ranking/split_search.hpp>
#include <funnel/ranking/tree_ensemble.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ranking::detail {

/// First and second derivative of the loss with respect to the score of a row.
struct RowGradient {
    float gradient;
    float hessian;
};

struct GrowthOptions {
    std::size_t leaves;
    std::size_t max_depth;
    double learning_rate;
    SplitRules rules;
};

/// Grows one regression tree after another on the same rows. The leaf whose best split gains most is split next. The
/// histogram of the larger child is that of the parent minus that of the smaller child, so each level costs at most
/// half of the rows.
///
/// Features are divided among threads; each sum is formed by one thread, in the order of the rows. So the tree does not
/// depend on the number of threads.
class TreeGrower {
public:
    TreeGrower(const BinnedRows& binned FUNNEL_LIFETIMEBOUND, const GrowthOptions& options)
        : binned_(binned), options_(options), histograms_(options.leaves) {}

    /// rows: those that the tree is grown on, ascending;  features: those that may be split on, ascending.
    template <Executor E>
    [[nodiscard]] Tree grow(std::span<const RowGradient> gradients, std::span<const std::uint32_t> rows,
                            std::span<const std::uint32_t> features, E& executor) {
        rows_.assign(rows.begin(), rows.end());
        moved_.resize(rows.size());
        ordered_.resize(rows.size());
        split_bins_.clear();
        Tree tree;
        leaves_.assign(1, Leaf{.end = rows.size()});
        for (const std::uint32_t i : rows) {
            leaves_[0].sum += {static_cast<double>(gradients[i].gradient), static_cast<double>(gradients[i].hessian)};
        }
        build_histogram(0, gradients, features, executor);
        find_splits(std::array{std::size_t{0}}, features, executor);
        while (leaves_.size() < options_.leaves) {
            const auto best = std::max_element(leaves_.begin(), leaves_.end(), [](const Leaf& a, const Leaf& b) {
                return a.split.gain < b.split.gain;
            });
            if (!(best->split.gain > 0.0)) {
                break;
            }
            split(tree, static_cast<std::size_t>(best - leaves_.begin()), gradients, features, executor);
        }
        for (const Leaf& leaf : leaves_) {
            const double divisor = leaf.sum.hessian + options_.rules.l2;
            tree.leaf_values.push_back(divisor > 0.0 ? -leaf.sum.gradient / divisor * options_.learning_rate : 0.0);
            tree.leaf_covers.push_back(static_cast<double>(leaf.end - leaf.begin));
        }
        return tree;
    }

    /// Calls visit(row, leaf) for each row that the last tree was grown on.
    template <class Visit>
    void for_each_row(const Visit& visit) const {
        for (std::size_t l = 0; l < leaves_.size(); ++l) {
            for (std::size_t at = leaves_[l].begin; at < leaves_[l].end; ++at) {
                visit(rows_[at], l);
            }
        }
    }

    /// The leaf of any row of the binned rows in the last tree.
    [[nodiscard]] std::size_t leaf_of(const Tree& tree, std::size_t row) const {
        std::int32_t at = tree.splits.empty() ? ~0 : 0;
        while (at >= 0) {
            const TreeSplit& split = tree.splits[static_cast<std::size_t>(at)];
            const std::uint8_t code = binned_.code(row, split.feature);
            at = goes_left(split, split_bins_[static_cast<std::size_t>(at)], code) ? split.left : split.right;
        }
        return leaf_number(at);
    }

private:
    struct Leaf {
        std::size_t begin = 0;  // its rows: rows_[begin] .. rows_[end - 1]
        std::size_t end = 0;
        std::size_t depth = 0;
        std::int32_t parent = -1;
        bool is_left = false;
        GradientSum sum = {};
        SplitCandidate split = {};
    };

    [[nodiscard]] bool goes_left(const TreeSplit& split, std::size_t bin, std::uint8_t code) const noexcept {
        const FeatureBins& bins = binned_.bins(split.feature);
        return code == bins.value_bins() ? split.missing_goes_left : code <= bin;
    }

    template <Executor E>
    void build_histogram(std::size_t l, std::span<const RowGradient> gradients, std::span<const std::uint32_t> features,
                         E& executor) {
        const Leaf& leaf = leaves_[l];
        const auto rows = std::span<const std::uint32_t>(rows_).subspan(leaf.begin, leaf.end - leaf.begin);
        for (std::size_t i = 0; i < rows.size(); ++i) {
            const RowGradient& from = gradients[rows[i]];
            ordered_[i] = {static_cast<double>(from.gradient), static_cast<double>(from.hessian)};
        }
        histograms_[l].resize(binned_.all_bins());
        parallel_for(executor, binned_.groups(), 1, [&](std::size_t g) {
            std::array<std::size_t, BinnedRows::group_size> columns{};
            std::array<GradientSum*, BinnedRows::group_size> histograms{};
            std::size_t count = 0;
            const std::size_t first = g * BinnedRows::group_size;
            for (auto at = std::lower_bound(features.begin(), features.end(), first);
                 at != features.end() && *at < first + BinnedRows::group_size; ++at) {
                columns[count] = *at - first;
                histograms[count] = histograms_[l].data() + binned_.offset(*at);
                std::fill_n(histograms[count], binned_.bins(*at).bins(), GradientSum{});
                ++count;
            }
            const std::uint8_t* const codes = binned_.group(g).data();
            if (count == BinnedRows::group_size) {
                add_rows(
                    codes, rows, [&](std::size_t c) { return c; },
                    std::integral_constant<std::size_t, BinnedRows::group_size>{}, histograms);
            } else if (count > 0) {
                add_rows(codes, rows, [&](std::size_t c) { return columns[c]; }, count, histograms);
            }
        });
    }

    // Adds the derivatives of each row to its bins. column(c): the position of feature c < count in its group.
    template <class Column, class Count>
    void add_rows(const std::uint8_t* codes, std::span<const std::uint32_t> rows, const Column& column, Count count,
                  const std::array<GradientSum*, BinnedRows::group_size>& histograms) const {
        constexpr std::size_t ahead = 16;
        for (std::size_t i = 0; i < rows.size(); ++i) {
            __builtin_prefetch(codes +
                               std::size_t{rows[std::min(i + ahead, rows.size() - 1)]} * BinnedRows::group_size);
            std::array<std::uint8_t, BinnedRows::group_size> bins;
            std::copy_n(codes + std::size_t{rows[i]} * BinnedRows::group_size, bins.size(), bins.begin());
            const GradientSum derivatives = ordered_[i];
            for (std::size_t c = 0; c < count; ++c) {
                histograms[c][bins[column(c)]] += derivatives;
            }
        }
    }

    [[nodiscard]] bool can_be_split(const Leaf& leaf) const noexcept {
        return leaf.depth < options_.max_depth && (leaf.end - leaf.begin) / 2 >= options_.rules.min_rows;
    }

    // Finds the best split of each of the leaves, whose histograms are those of the rows.
    template <Executor E>
    void find_splits(std::span<const std::size_t> leaves, std::span<const std::uint32_t> features, E& executor) {
        for (const std::size_t l : leaves) {
            Leaf& leaf = leaves_[l];
            leaf.split = {};
            if (!can_be_split(leaf)) {
                continue;
            }
            candidates_.assign(features.size(), {});
            parallel_for(executor, features.size(), 16, [&](std::size_t at) {
                const FeatureBins& bins = binned_.bins(features[at]);
                const auto histogram =
                    std::span<const GradientSum>(histograms_[l]).subspan(binned_.offset(features[at]), bins.bins());
                candidates_[at] = best_split(bins, histogram, leaf.sum, leaf.end - leaf.begin, options_.rules);
                candidates_[at].feature = features[at];
            });
            for (const SplitCandidate& candidate : candidates_) {
                if (candidate.gain > leaf.split.gain) {
                    leaf.split = candidate;
                }
            }
        }
    }

    // Splits leaf l: it becomes the left child, and the right child is appended.
    template <Executor E>
    void split(Tree& tree, std::size_t l, std::span<const RowGradient> gradients,
               std::span<const std::uint32_t> features, E& executor) {
        const Leaf parent = leaves_[l];
        const auto number = static_cast<std::int32_t>(tree.splits.size());
        const std::size_t r = leaves_.size();
        if (parent.parent >= 0) {
            TreeSplit& above = tree.splits[static_cast<std::size_t>(parent.parent)];
            (parent.is_left ? above.left : above.right) = number;
        }
        const FeatureBins& bins = binned_.bins(parent.split.feature);
        TreeSplit made{.feature = parent.split.feature};
        made.threshold = parent.split.bin < bins.bounds.size() ? bins.bounds[parent.split.bin]
                                                               : std::numeric_limits<double>::infinity();
        // Where no row was missing a value, a missing one counts as 0, as in LightGBM.
        made.missing_goes_left = bins.has_missing ? parent.split.missing_goes_left : 0.0 <= made.threshold;
        made.left = ~static_cast<std::int32_t>(l);
        made.right = ~static_cast<std::int32_t>(r);
        tree.splits.push_back(made);
        tree.split_covers.push_back(static_cast<double>(parent.end - parent.begin));
        split_bins_.push_back(parent.split.bin);

        // A stable partition: the rows of each leaf stay in ascending order. Each row is written to both sides, because
        // a branch would often be mispredicted.
        std::size_t middle = parent.begin;
        std::size_t moved = 0;
        for (std::size_t at = parent.begin; at < parent.end; ++at) {
            const std::uint32_t row = rows_[at];
            const bool is_left = goes_left(made, parent.split.bin, binned_.code(row, made.feature));
            rows_[middle] = row;
            moved_[moved] = row;
            middle += is_left ? 1 : 0;
            moved += is_left ? 0 : 1;
        }
        std::copy_n(moved_.begin(), moved, rows_.begin() + static_cast<std::ptrdiff_t>(middle));

        leaves_[l] = {.begin = parent.begin,
                      .end = middle,
                      .depth = parent.depth + 1,
                      .parent = number,
                      .is_left = true,
                      .sum = parent.split.left};
        leaves_.push_back({.begin = middle,
                           .end = parent.end,
                           .depth = parent.depth + 1,
                           .parent = number,
                           .is_left = false,
                           .sum = parent.sum - parent.split.left});
        if (leaves_.size() == options_.leaves || (!can_be_split(leaves_[l]) && !can_be_split(leaves_[r]))) {
            return;  // neither is split after this
        }
        const bool is_left_smaller = leaves_[l].end - leaves_[l].begin <= leaves_[r].end - leaves_[r].begin;
        std::swap(histograms_[l], histograms_[is_left_smaller ? r : l]);
        const std::size_t smaller = is_left_smaller ? l : r;
        const std::size_t larger = is_left_smaller ? r : l;
        build_histogram(smaller, gradients, features, executor);
        parallel_for(executor, features.size(), 16, [&](std::size_t at) {
            const std::size_t begin = binned_.offset(features[at]);
            for (std::size_t b = begin; b < binned_.offset(features[at] + 1); ++b) {
                histograms_[larger][b] = histograms_[larger][b] - histograms_[smaller][b];
            }
        });
        find_splits(std::array{l, r}, features, executor);
    }

    const BinnedRows& binned_;
    GrowthOptions options_;
    std::vector<std::vector<GradientSum>> histograms_;  // one per leaf
    std::vector<Leaf> leaves_;
    std::vector<std::uint32_t> rows_;  // leaf by leaf
    std::vector<std::uint32_t> moved_;
    std::vector<GradientSum> ordered_;  // the derivatives of the rows of one leaf
    std::vector<SplitCandidate> candidates_;
    std::vector<std::size_t> split_bins_;
};

}  // namespace ranking::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel
