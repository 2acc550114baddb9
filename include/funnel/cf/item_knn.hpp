// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/cf/histories.hpp>
#include <funnel/cf/linear_scorer.hpp>
#include <funnel/cf/model.hpp>
#include <funnel/cf/nearest_rows.hpp>
#include <funnel/cf/row_weights.hpp>
#include <funnel/cf/sparse_weights.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/sparse.hpp>
#include <funnel/data/interaction_log.hpp>

#include <string_view>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace cf {

/// The learned part of ItemKNN: the similarities of each item to its neighbours.
class ItemKNNScorer : public LinearScorer<SparseWeights> {
public:
    using Options = KNNOptions;
    static constexpr std::string_view kind = "cf.ItemKNN";

    template <data::InteractionLog Log, Executor E>
    static ItemKNNScorer learn(const Log&, const CSRMatrix<float>& user_item, const KNNOptions& options, E& executor) {
        const NearestRows items(user_item.transposed(), options, "ItemKNN");
        // Scoring adds the rows of the history items, so row j holds the items that have j as a neighbour.
        return ItemKNNScorer(SparseWeights(items.all("ItemKNN: neighbours", executor).transposed()));
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
/// By default, items are compared as sets of the users who like them (a value > 0), and other than that, values in the
/// log are ignored. Options choose among the similarities and weights of cf/similarity.hpp and cf/row_weights.hpp. The
/// neighbours of i are the `neighbours` other items most similar to it, with a similarity above 0; ties go to the
/// smaller id. Items that share no user are not neighbours. The neighbours are those of the scored item i: j can add to
/// the score of i even if i is not a neighbour of j.
///
/// Cost      fit: sum over users of |history|^2 in time, O(items x neighbours) memory, and O(items) per thread;
///           recommend: |history| sparse rows, O(items)
/// Source    Deshpande & Karypis, "Item-based top-N recommendation algorithms", TOIS 2004; Sarwar, Karypis, Konstan,
///           Riedl, "Item-based collaborative filtering recommendation algorithms", WWW 2001 (adjusted cosine)
using ItemKNN = Model<ItemKNNScorer>;

}  // namespace cf
}  // namespace FUNNEL_ABI
}  // namespace funnel
