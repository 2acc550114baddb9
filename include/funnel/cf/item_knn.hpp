// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/cf/histories.hpp>
#include <funnel/cf/linear_scorer.hpp>
#include <funnel/cf/model.hpp>
#include <funnel/cf/similarity.hpp>
#include <funnel/cf/sparse_weights.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/sparse.hpp>
#include <funnel/core/top_k.hpp>
#include <funnel/data/interaction_log.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace cf {

struct ItemKNNOptions {
    std::size_t neighbours = 200;                ///< number of similar items kept per item, > 0
    Similarity similarity = Similarity::Cosine;  ///< Cosine or Jaccard
    float shrinkage = 0.0F;                      ///< >= 0, see cf::similarity; penalizes items with few users
};

/// The learned part of ItemKNN: the similarities of each item to its neighbours.
class ItemKNNScorer : public LinearScorer<SparseWeights> {
public:
    using Options = ItemKNNOptions;
    static constexpr std::string_view kind = "cf.ItemKNN";

    template <data::InteractionLog Log, Executor E>
    static ItemKNNScorer learn(const Log&, const CSRMatrix<float>& user_item, const ItemKNNOptions& options,
                               E& executor) {
        require_at_least(options.neighbours, 1, "ItemKNN: neighbours");
        require_not_negative(options.shrinkage, "ItemKNN: shrinkage");
        require(options.similarity == Similarity::Cosine || options.similarity == Similarity::Jaccard,
                "ItemKNN: similarity must be Cosine or Jaccard");

        const CSRMatrix<float> item_user = user_item.transposed();
        const std::size_t items = user_item.cols();
        std::vector<std::vector<Scored<>>> neighbours(items);

        struct Scratch {
            std::vector<std::uint32_t> shared;  // per item: users shared with the current item; all 0 between items
            std::vector<std::uint32_t> touched;
            std::vector<Scored<>> best;
        };
        std::vector<Scratch> scratch(executor.concurrency());

        report_progress(executor, "ItemKNN: neighbours", 0, items);
        executor.for_range(items, 16, [&](std::size_t begin, std::size_t end, std::size_t worker) {
            FUNNEL_ASSERT(worker < scratch.size());
            auto& [shared, touched, best] = scratch[worker];
            shared.resize(items);
            best.resize(std::min(options.neighbours, items));
            for (std::size_t item = begin; item < end; ++item) {
                const SparseRow<float> users = item_user.row(item);
                touched.clear();
                for (const std::uint32_t user : users.columns) {
                    for (const std::uint32_t other : user_item.row(user).columns) {
                        if (shared[other]++ == 0) {
                            touched.push_back(other);
                        }
                    }
                }
                TopK<> nearest(best);
                for (const std::uint32_t other : touched) {
                    if (other != item) {
                        nearest.push(other, static_cast<float>(similarity(
                                                options.similarity, shared[other], static_cast<double>(users.size()),
                                                static_cast<double>(item_user.row(other).size()), options.shrinkage)));
                    }
                    shared[other] = 0;
                }
                const std::span<Scored<>> found = nearest.finish();
                neighbours[item].assign(found.begin(), found.end());
            }
        });
        report_progress(executor, "ItemKNN: neighbours", items, items);

        // Scoring adds the rows of the history items, so row j holds the items that have j as a neighbour.
        std::vector<Triplet<float>> entries;
        for (std::size_t item = 0; item < items; ++item) {
            for (const Scored<>& neighbour : neighbours[item]) {
                entries.push_back({neighbour.id, static_cast<std::uint32_t>(item), neighbour.score});
            }
        }
        return ItemKNNScorer(SparseWeights(CSRMatrix<float>(entries, items, items)));
    }

    template <class Reader>
    static ItemKNNScorer read(const Reader& file, const Histories& histories) {
        return ItemKNNScorer(SparseWeights::read(file, histories.items()));
    }

private:
    using LinearScorer<SparseWeights>::LinearScorer;
};

/// Item-based k-nearest neighbours: scores an item by its similarity to the items in the user's history.
///
///     score(u, i) = sum over items j of u's history, j among the neighbours of i, of similarity(i, j)
///
/// Items are compared as sets of the users who like them (a value > 0): other than that, values and repetitions in the
/// log are ignored. The neighbours of i are the `neighbours` other items most similar to it; ties go to the smaller id.
/// Items that share no user are not neighbours. The neighbours are those of the scored item i: j can add to the score
/// of i even if i is not a neighbour of j.
///
/// Cost      fit: sum over users of |history|^2 in time, O(items x neighbours) memory, and O(items) per thread;
///           recommend: |history| sparse rows, O(items)
/// Source    Deshpande & Karypis, "Item-based top-N recommendation algorithms", TOIS 2004
using ItemKNN = Model<ItemKNNScorer>;

}  // namespace cf
}  // namespace FUNNEL_ABI
}  // namespace funnel
