// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/cf/histories.hpp>
#include <funnel/cf/linear_scorer.hpp>
#include <funnel/cf/model.hpp>
#include <funnel/cf/sparse_product.hpp>
#include <funnel/cf/sparse_weights.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/sparse.hpp>
#include <funnel/data/interaction_log.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace cf {

struct RP3BetaOptions {
    std::size_t neighbours = 200;  ///< number of items kept per item, > 0: those that a walk reaches with most weight
    float alpha = 1.0F;            ///< >= 0, exponent of the transition probabilities
    float beta = 0.6F;             ///< >= 0, exponent of the popularity that weights are divided by; 0 is P3alpha
};

/// The learned part of RP3Beta: the weights of walks from each item to others.
class RP3BetaScorer : public LinearScorer<SparseWeights> {
public:
    using Options = RP3BetaOptions;
    static constexpr std::string_view kind = "cf.RP3Beta";

    template <data::InteractionLog Log, Executor E>
    static RP3BetaScorer learn(const Log&, const CSRMatrix<float>& user_item, const RP3BetaOptions& options,
                               E& executor) {
        require_at_least(options.neighbours, 1, "RP3Beta: neighbours");
        require_not_negative(options.alpha, "RP3Beta: alpha");
        require_not_negative(options.beta, "RP3Beta: beta");
        const CSRMatrix<float> item_user = user_item.transposed();
        const auto alpha = static_cast<double>(options.alpha);
        const auto beta = static_cast<double>(options.beta);

        const CSRMatrix<float> item_ones = with_values(item_user, [](std::size_t) { return 1.0; });
        const CSRMatrix<float> user_steps =
            with_values(user_item, [&](std::size_t user) { return power(user_item.row(user).size(), -alpha); });
        std::vector<double> steps(item_user.rows());
        std::vector<double> discounts(item_user.rows());
        for (std::size_t item = 0; item < steps.size(); ++item) {
            steps[item] = power(item_user.row(item).size(), -alpha);
            discounts[item] = power(item_user.row(item).size(), -beta);
        }
        const auto weight = [&](const SharedProduct& sums, std::size_t from, std::size_t to) {
            return sums.product * steps[from] * discounts[to];
        };
        return RP3BetaScorer(SparseWeights(best_of_rows<SharedProduct>(item_ones, user_steps, options.neighbours,
                                                                       weight, "RP3Beta: walks", executor)));
    }

    template <class Reader>
    static RP3BetaScorer read(const Reader& file, const Histories& histories) {
        return RP3BetaScorer(SparseWeights::read(file, histories.items()));
    }

private:
    using LinearScorer<SparseWeights>::LinearScorer;

    [[nodiscard]] static double power(std::size_t count, double exponent) noexcept {
        return count == 0 ? 0.0 : math::pow(static_cast<double>(count), exponent);
    }

    // The same pattern, with one value per row.
    template <class ValueOf>
    static CSRMatrix<float> with_values(const CSRMatrix<float>& matrix, const ValueOf& value_of) {
        std::vector<float> values;
        for (std::size_t row = 0; row < matrix.rows(); ++row) {
            values.insert(values.end(), matrix.row(row).size(), static_cast<float>(value_of(row)));
        }
        return matrix.with_values(std::move(values));
    }
};

/// Random walks of three steps on the graph of users and items, from the user over an item of the history and another
/// user to an item, where popular ends are discounted.
///
///     weight(i, j) = sum over users v with i and j of |U_i|^-alpha |I_v|^-alpha,  divided by |U_j|^beta
///     score(u, j)  = sum over items i of u's history of weight(i, j)
///
/// U_i are the users who like item i (a value > 0), I_v the items that user v likes. With alpha = 1 and beta = 0, a
/// score is |I_u| times the probability that a walk of u ends at the item. The first step is left out, because it does
/// not change the order of a user's items. For each item, the `neighbours` largest weights to others are kept; ties go
/// to the smaller id. Values and repetitions in the log are ignored.
///
/// Cost      fit: sum over users of |history|^2 in time, O(items x neighbours) memory, and O(items) per thread;
///           recommend: |history| sparse rows, O(items)
/// Source    Paudel, Christoffel, Newell, Bernstein, "Updatable, accurate, diverse, and scalable recommendations for
///           interactive applications", TiiS 2017; Cooper, Lee, Radzik, Siantos, "Random walks in recommender systems",
///           WWW 2014 (P3alpha)
using RP3Beta = Model<RP3BetaScorer>;

}  // namespace cf
}  // namespace FUNNEL_ABI
}  // namespace funnel
