// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/forest_block.hpp>
#include <funnel/ranking/forest_costs.hpp>
#include <funnel/ranking/forest_engine.hpp>
#include <funnel/ranking/forest_plan.hpp>
#include <funnel/ranking/tree_decision.hpp>
#include <funnel/ranking/tree_ensemble.hpp>
#include <funnel/ranking/tree_link.hpp>
#include <funnel/ranking/tree_validation.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ranking {

/// Scratch memory of a Forest, reused between calls but not shared by concurrent ones. An empty one works with any
/// forest and grows on first use; Forest::scratch() returns one that is large enough.
class ForestScratch {
    template <class>
    friend class BasicForest;
    detail::ForestMemory memory_;
};

template <class Backend = kernels::DefaultBackend>
class BasicForest;

namespace detail {

/// A forest of which a reader has checked all that problem_of() checks, in words of its file.
struct CheckedForest {
    TreeEnsemble trees;
};

}  // namespace detail

/// Scores rows with a forest that LightGBM, XGBoost, CatBoost, scikit-learn or ranking/lambdamart.hpp trained.
///
/// Blocks of 256 rows are scored together: features become codes of one byte, and each tree compares all rows with all
/// of its splits at once, without a branch. A few rows, and trees of more than 256 leaves, are walked from the root,
/// eight walks at a time. forest_costs.hpp says which engine is used when. The scores have the same bits either way,
/// with every Backend, and for any number of threads, unless compiled with -ffast-math.
///
/// Backend   a HostBackend, or kernels::Device<System> (include ranking/cuda/forest.cuh)
/// Cost      making it: O(splits);  score: O(n (features + splits / SIMD lanes)), and for a few rows O(n (features +
///           depths of the trees));  memory: about 60 bytes per split beside the TreeEnsemble, and per thread 1.3 KB
///           per feature and 2 KB per output
/// Source    Lucchese et al., "QuickScorer", SIGIR 2015, for sorted thresholds and visits to all splits
template <kernels::HostBackend Backend>
class BasicForest<Backend> {
public:
    using Scratch = ForestScratch;

    /// A forest without trees, features and outputs other than one: it scores nothing.
    BasicForest() = default;

    /// Errors    InvalidArgument with the tree, the split and the value if the forest is not valid
    explicit BasicForest(TreeEnsemble trees) : trees_(std::move(trees)) {
        if (const std::string problem = detail::problem_of(trees_); !problem.empty()) {
            raise<InvalidArgument>("Forest: " + problem);
        }
        plan_ = detail::ForestPlan(trees_, detail::engine_costs(Backend{}));
    }
    explicit BasicForest(detail::CheckedForest checked)
        : trees_(std::move(checked.trees)), plan_(trees_, detail::engine_costs(Backend{})) {
        FUNNEL_ASSERT(detail::problem_of(trees_).empty());
    }

    BasicForest(const BasicForest&) = default;
    /// The moved-from forest is as one made without arguments.
    BasicForest(BasicForest&& other) noexcept : BasicForest() { swap(other); }
    BasicForest& operator=(const BasicForest& other) { return *this = BasicForest(other); }  // strong guarantee
    BasicForest& operator=(BasicForest&& other) noexcept {
        BasicForest taken(std::move(other));
        swap(taken);
        return *this;
    }
    ~BasicForest() = default;

    /// Raw scores (margins), with the same bits as the library that trained the forest.
    ///
    /// Shapes    rows: n x features(); NaN is a missing value
    /// Returns   n x outputs(), row by row
    /// Errors    InvalidArgument if the number of columns differs
    template <Executor E = Serial>
    [[nodiscard]] std::vector<double> score(MatrixView<const float> rows, E&& executor = E{}) const {
        return computed(rows, "Forest::score: number of columns of rows", &BasicForest::score_block, executor);
    }

    /// Scores after the transformation of the objective: probabilities, counts ...
    ///
    /// Shapes, Errors    as score()
    template <Executor E = Serial>
    [[nodiscard]] std::vector<double> predict(MatrixView<const float> rows, E&& executor = E{}) const {
        return computed(rows, "Forest::predict: number of columns of rows", &BasicForest::predict_block, executor);
    }

    /// The same for hot paths. They do not allocate if the scratch comes from scratch(), or was used with this forest
    /// for as many rows; otherwise the scratch grows first.
    ///
    /// Returns   the filled part of out: n x outputs(). Empty if the number of columns differs, if out is too short, or
    ///           if the scratch cannot grow for lack of memory
    std::span<double> score(MatrixView<const float> rows, Scratch& scratch,
                            std::span<double> out FUNNEL_LIFETIMEBOUND) const noexcept {
        return filled(rows, &BasicForest::score_block, scratch, out);
    }
    std::span<double> predict(MatrixView<const float> rows, Scratch& scratch,
                              std::span<double> out FUNNEL_LIFETIMEBOUND) const noexcept {
        return filled(rows, &BasicForest::predict_block, scratch, out);
    }

    /// Scratch memory for any number of rows.
    [[nodiscard]] Scratch scratch() const {
        Scratch scratch;
        scratch.memory_.make_room(trees_, plan_, kernels::forest_block);
        return scratch;
    }

    [[nodiscard]] std::size_t features() const noexcept { return trees_.features; }
    [[nodiscard]] std::size_t outputs() const noexcept { return trees_.outputs; }
    [[nodiscard]] const TreeEnsemble& trees() const noexcept FUNNEL_LIFETIMEBOUND { return trees_; }

private:
    using Block = void (BasicForest::*)(MatrixView<const float>, detail::ForestMemory&, std::span<double>) const;

    void swap(BasicForest& other) noexcept {
        std::swap(trees_, other.trees_);
        std::swap(plan_, other.plan_);
    }

    void score_block(MatrixView<const float> rows, detail::ForestMemory& memory, std::span<double> out) const noexcept {
        if (trees_.sums_in_float) {
            detail::ForestEngine<Backend, float>(trees_, plan_, memory).score(rows, out);
        } else {
            detail::ForestEngine<Backend, double>(trees_, plan_, memory).score(rows, out);
        }
    }

    void predict_block(MatrixView<const float> rows, detail::ForestMemory& memory,
                       std::span<double> out) const noexcept {
        score_block(rows, memory, out);
        for (std::size_t i = 0; i < rows.rows(); ++i) {
            detail::apply_link(trees_, out.subspan(i * outputs(), outputs()));
        }
    }

    template <class E>
    [[nodiscard]] std::vector<double> computed(MatrixView<const float> rows, const char* what, Block block,
                                               E& executor) const {
        require_equal(rows.cols(), features(), what);
        std::vector<double> out(math::saturating_multiply(rows.rows(), outputs()));
        std::vector<detail::ForestMemory> memory(executor.concurrency());
        executor.for_range(rows.rows(), kernels::forest_block,
                           [&](std::size_t begin, std::size_t end, std::size_t worker) {
                               memory[worker].make_room(trees_, plan_, end - begin);
                               (this->*block)(rows.rows_from(begin, end - begin), memory[worker],
                                              std::span(out).subspan(begin * outputs(), (end - begin) * outputs()));
                           });
        return out;
    }

    [[nodiscard]] std::span<double> filled(MatrixView<const float> rows, Block block, Scratch& scratch,
                                           std::span<double> out) const noexcept {
        if (rows.cols() != features() || out.size() / outputs() < rows.rows() ||
            funnel::detail::exception_of([&] { scratch.memory_.make_room(trees_, plan_, rows.rows()); })) {
            return {};
        }
        for (std::size_t begin = 0; begin < rows.rows(); begin += kernels::forest_block) {
            const std::size_t end = std::min(begin + kernels::forest_block, rows.rows());
            (this->*block)(rows.rows_from(begin, end - begin), scratch.memory_,
                           out.subspan(begin * outputs(), (end - begin) * outputs()));
        }
        return out.first(rows.rows() * outputs());
    }

    TreeEnsemble trees_;
    detail::ForestPlan plan_;
};

/// A forest on the fastest backend of this build.
using Forest = BasicForest<>;

}  // namespace ranking
}  // namespace FUNNEL_ABI
}  // namespace funnel
