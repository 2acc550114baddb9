// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/cf/association.hpp>
#include <funnel/cf/histories.hpp>
#include <funnel/cf/linear_scorer.hpp>
#include <funnel/cf/model.hpp>
#include <funnel/cf/sparse_product.hpp>
#include <funnel/cf/sparse_weights.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/sparse.hpp>
#include <funnel/data/interaction_log.hpp>

#include <cstddef>
#include <string_view>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace cf {

struct BoughtTogetherOptions {
    std::size_t neighbours = 20;                                ///< number of companions kept per item, > 0
    std::size_t min_support = 2;                                ///< > 0: pairs in fewer baskets are left out
    Association association = Association::LogLikelihoodRatio;  ///< LogLikelihoodRatio, Lift or Confidence
};

/// The learned part of BoughtTogether: the companions of each item, and how strongly they belong to it.
class BoughtTogetherScorer : public LinearScorer<SparseWeights> {
public:
    using Options = BoughtTogetherOptions;
    static constexpr std::string_view kind = "cf.BoughtTogether";

    template <data::InteractionLog Log, Executor E>
    static BoughtTogetherScorer learn(const Log&, const CSRMatrix<float>& user_item,
                                      const BoughtTogetherOptions& options, E& executor) {
        require_at_least(options.neighbours, 1, "BoughtTogether: neighbours");
        require_at_least(options.min_support, 1, "BoughtTogether: min_support");
        require(options.association <= Association::Confidence,
                "BoughtTogether: association must be LogLikelihoodRatio, Lift or Confidence");
        const CSRMatrix<float> item_user = user_item.transposed();
        double baskets = 0.0;
        for (std::size_t basket = 0; basket < user_item.rows(); ++basket) {
            baskets += user_item.row(basket).size() > 0 ? 1.0 : 0.0;
        }
        const auto strength = [&](const SharedCount& sums, std::size_t from, std::size_t to) {
            const PairCounts counts{static_cast<double>(sums.count), static_cast<double>(item_user.row(from).size()),
                                    static_cast<double>(item_user.row(to).size()), baskets};
            if (sums.count < options.min_support || !(counts.both * baskets > counts.first * counts.second)) {
                return 0.0;
            }
            return options.association == Association::LogLikelihoodRatio ? log_likelihood_ratio(counts)
                   : options.association == Association::Lift             ? lift(counts)
                                                                          : confidence(counts);
        };
        return BoughtTogetherScorer(SparseWeights(best_of_rows<SharedCount>(
            item_user, user_item, options.neighbours, strength, "BoughtTogether: pairs", executor)));
    }

    template <class Reader>
    static BoughtTogetherScorer read(const Reader& file, const Histories& histories) {
        return BoughtTogetherScorer(SparseWeights::read(file, histories.items()));
    }

private:
    using LinearScorer<SparseWeights>::LinearScorer;
};

/// What is bought together: pairs of items that share more baskets than chance explains. A user of the log is a basket;
/// for orders, make a log whose user ids are those of the orders.
///
///     similar_items(i, k)    the companions of item i with the strongest association
///     fold_in(cart)          lists for a cart: score(j) = sum over items i of the cart of association(i, j)
///
/// Only pairs in at least min_support baskets count, and only those with a lift above 1; ties go to the smaller id.
/// Baskets without items are not counted. Baskets are sets (values > 0): values and repetitions are ignored.
///
/// Lift ranks rare pairs first, even those of two baskets; raise min_support, or use the log-likelihood ratio, which
/// grows with the evidence. Confidence prefers popular companions.
///
/// Cost      fit: sum over baskets of size^2 in time, O(items x neighbours) memory, and O(items) per thread
/// Source    Dunning, "Accurate methods for the statistics of surprise and coincidence", Computational Linguistics
///           1993; Brin, Motwani, Ullman, Tsur, "Dynamic itemset counting and implication rules for market basket
///           data", SIGMOD 1997 (lift, there called interest)
using BoughtTogether = Model<BoughtTogetherScorer>;

}  // namespace cf
}  // namespace FUNNEL_ABI
}  // namespace funnel
