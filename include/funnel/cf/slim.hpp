// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/cf/histories.hpp>
#include <funnel/cf/linear_scorer.hpp>
#include <funnel/cf/model.hpp>
#include <funnel/cf/sparse_product.hpp>
#include <funnel/cf/sparse_weights.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/sparse.hpp>
#include <funnel/data/interaction_log.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace cf {

struct SLIMOptions {
    float l1 = 1.0F;           ///< >= 0, L1 penalty: larger values leave fewer weights
    float l2 = 100.0F;         ///< >= 0, L2 penalty
    std::size_t sweeps = 100;  ///< > 0, most passes of coordinate descent over the weights of an item
    float tolerance = 1e-4F;   ///< >= 0: an item is done after a pass that changes no weight by more
};

/// The learned part of SLIM: a sparse matrix of item-to-item weights, none of them negative.
class SLIMScorer : public LinearScorer<SparseWeights> {
public:
    using Options = SLIMOptions;
    static constexpr std::string_view kind = "cf.SLIM";

    template <data::InteractionLog Log, Executor E>
    static SLIMScorer learn(const Log&, const CSRMatrix<float>& user_item, const SLIMOptions& options, E& executor) {
        require_not_negative(options.l1, "SLIM: l1");
        require_not_negative(options.l2, "SLIM: l2");
        require_at_least(options.sweeps, 1, "SLIM: sweeps");
        require_not_negative(options.tolerance, "SLIM: tolerance");
        const CSRMatrix<float> item_user = user_item.transposed();
        const std::size_t items = item_user.rows();
        const auto count = [](const SharedCount& sums, std::size_t, std::size_t) {
            return static_cast<double>(sums.count);
        };
        // X^T X without its diagonal, which is the number of users of each item.
        const CSRMatrix<float> gram = best_of_rows<SharedCount>(
            item_user, user_item, std::numeric_limits<std::size_t>::max(), count, "SLIM: count", executor);

        const std::vector<float> dense = dense_if_full(gram);
        std::vector<std::vector<Triplet<float>>> learned(items);
        std::vector<Descent> scratch(executor.concurrency());
        report_progress(executor, "SLIM: items", 0, items);
        executor.for_range(items, 16, [&](std::size_t begin, std::size_t end, std::size_t worker) {
            FUNNEL_ASSERT(worker < scratch.size());
            for (std::size_t item = begin; item < end; ++item) {
                scratch[worker].run(gram, dense, item_user, static_cast<std::uint32_t>(item), options, learned[item]);
            }
        });
        report_progress(executor, "SLIM: items", items, items);
        std::vector<Triplet<float>> entries;
        for (const std::vector<Triplet<float>>& of_item : learned) {
            entries.insert(entries.end(), of_item.begin(), of_item.end());
        }
        return SLIMScorer(SparseWeights(CSRMatrix<float>(entries, items, items)));
    }

    template <class Reader>
    static SLIMScorer read(const Reader& file, const Histories& histories) {
        return SLIMScorer(SparseWeights::read(file, histories.items()));
    }

private:
    using LinearScorer<SparseWeights>::LinearScorer;

    // The same matrix with its zeros, if at least one entry in eight is none: adding whole rows is then faster. Empty
    // if not.
    [[nodiscard]] static std::vector<float> dense_if_full(const CSRMatrix<float>& gram) {
        const std::size_t n = gram.rows();
        if (n == 0 || gram.nonzeros() / n < n / 8) {
            return {};
        }
        std::vector<float> dense(n * n);
        for (std::size_t i = 0; i < n; ++i) {
            const SparseRow<float> row = gram.row(i);
            for (std::size_t at = 0; at < row.size(); ++at) {
                dense[i * n + row.columns[at]] = row.values[at];
            }
        }
        return dense;
    }

    // Coordinate descent for the weights w from other items to one item j. G = X^T X. As no weight and no count is
    // negative, an item with G_ij <= l1 never gets a weight, so that only the others are visited.
    class Descent {
    public:
        void run(const CSRMatrix<float>& gram, std::span<const float> dense, const CSRMatrix<float>& item_user,
                 std::uint32_t to, const SLIMOptions& options, std::vector<Triplet<float>>& out) {
            const auto l1 = static_cast<double>(options.l1);
            candidates_.clear();
            const SparseRow<float> shared = gram.row(to);
            for (std::size_t i = 0; i < shared.size(); ++i) {
                const auto count = static_cast<double>(shared.values[i]);
                if (count > l1) {
                    const auto users = static_cast<double>(item_user.row(shared.columns[i]).size());
                    candidates_.push_back(
                        {shared.columns[i], count - l1, users + static_cast<double>(options.l2), 0.0});
                }
            }
            explained_.assign(gram.rows(), 0.0);
            double change = std::numeric_limits<double>::infinity();
            for (std::size_t sweep = 0; sweep < options.sweeps && change > static_cast<double>(options.tolerance);
                 ++sweep) {
                change = 0.0;
                for (Candidate& from : candidates_) {
                    const double left = from.target - explained_[from.item];
                    const double weight = std::max(0.0, left / from.scale);
                    if (const double step = weight - from.weight; step != 0.0) {
                        from.weight = weight;
                        change = std::max(change, math::abs(step));
                        explain(gram, dense, from.item, step);
                    }
                }
            }
            for (const Candidate& from : candidates_) {
                if (const auto weight = static_cast<float>(from.weight); weight > 0.0F) {
                    out.push_back({from.item, to, weight});
                }
            }
        }

    private:
        // explained_ += step * row of G
        void explain(const CSRMatrix<float>& gram, std::span<const float> dense, std::size_t item, double step) {
            if (!dense.empty()) {
                const std::span<const float> row = dense.subspan(item * gram.cols(), gram.cols());
                for (std::size_t i = 0; i < row.size(); ++i) {
                    explained_[i] += step * static_cast<double>(row[i]);
                }
                return;
            }
            const SparseRow<float> row = gram.row(item);
            for (std::size_t i = 0; i < row.size(); ++i) {
                explained_[row.columns[i]] += step * static_cast<double>(row.values[i]);
            }
        }

        struct Candidate {
            std::uint32_t item;
            double target;  // G_ij - l1
            double scale;   // G_ii + l2
            double weight;
        };
        std::vector<Candidate> candidates_;
        std::vector<double> explained_;  // per item i: sum over other items k of G_ik w_k
    };
};

/// Sparse linear method: a regression of each item on all others, with weights that are not negative and mostly 0.
///
///     min over w >= 0, w_j = 0, of  1/2 |x_j - X w|^2 + l2/2 |w|^2 + l1 |w|_1     for the column w of each item j
///     score(u, j) = sum over items i of u's history of w_i
///
/// X is a users x items matrix, 1 where the user likes the item (a value > 0), else 0: other than that, values and
/// repetitions in the log are ignored. Coordinate descent works on the counts X^T X (covariance form), so that its time
/// does not depend on the number of users. Counts are exact up to 2^24 users.
///
/// Cost      fit: sum over users of |history|^2 for the counts; then per item, and pass, the pairs of counts of each
///           item whose weight changes. Memory: at most 40 bytes per ordered pair of items that share a user
/// Source    Ning & Karypis, "SLIM: sparse linear methods for top-N recommender systems", ICDM 2011; Friedman, Hastie,
///           Tibshirani, "Regularization paths for generalized linear models via coordinate descent", JSS 2010
///           (covariance form)
using SLIM = Model<SLIMScorer>;

}  // namespace cf
}  // namespace FUNNEL_ABI
}  // namespace funnel
