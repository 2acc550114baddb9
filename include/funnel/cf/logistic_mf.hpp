// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/cf/model.hpp>
#include <funnel/cf/sampled_factors.hpp>
#include <funnel/cf/sampled_rows.hpp>
#include <funnel/kernels/backend.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace cf {

struct LogisticMFOptions {
    std::size_t factors = 64;         ///< per user and item, at least 1
    std::size_t epochs = 50;          ///< passes over all likes
    std::size_t negatives = 5;        ///< 1 to 1000: items drawn per like and epoch
    float alpha = 1.0F;               ///< > 0, weight of a like; each negative has a weight of 1
    float learning_rate = 0.03F;      ///< > 0
    float regularisation = 0.02F;     ///< >= 0, < 1 / learning_rate; of each row that a step changes, and of the biases
    float stddev = 0.1F;              ///< > 0; length of the initial rows
    std::size_t fold_in_epochs = 20;  ///< 1 to 1000: passes over the history of one user; see fold_in_factors
    std::uint64_t seed = 1;
};

/// Logistic loss: a like should have a probability near 1, and an item that the user did not take one near 0.
class LogisticLoss {
public:
    using Options = LogisticMFOptions;
    static constexpr std::string_view kind = "cf.LogisticMF";
    static constexpr const char* name = "LogisticMF";

    LogisticLoss(const Options& options, std::size_t) noexcept : negatives_(options.negatives), alpha_(options.alpha) {}

    template <class Row>
    void learn(Row& row, std::uint32_t positive) const {
        row.step(positive, alpha_ * detail::portable_sigmoid(-row.score(positive)));
        for (std::size_t i = 0; i < negatives_; ++i) {
            if (const std::optional<std::uint32_t> negative = row.draw()) {
                row.step(*negative, -detail::portable_sigmoid(row.score(*negative)));
            }
        }
    }

    template <class AnyOptions, class Visit>
    static void each_option(AnyOptions& options, const Visit& visit) {
        visit("negatives", options.negatives);
        visit("alpha", options.alpha);
    }

private:
    std::size_t negatives_;
    float alpha_;
};

template <kernels::HostBackend Backend = kernels::DefaultBackend>
using LogisticMFScorer = SampledFactorsScorer<LogisticLoss, Backend>;

/// Logistic matrix factorization: the probability that a user takes an item, learned from likes and sampled negatives.
///
///     max over w, h, b of  sum over likes (u, i) of [ alpha log p_ui + sum over negatives j of log(1 - p_uj) ]
///                          - regularisation / 2 (|w_u|^2 + |h_i|^2 + b_i^2) in each step, of the rows that it changes
///     p_ui = sigmoid(s_ui),   s_ui = w_u . h_i + b_i
///
/// One epoch takes one step per like and one per negative; each like has exactly `negatives` of them. They are drawn as
/// those of BPR: uniformly from the items that anybody likes and that this user did not take; each draw is verified. So
/// p is the probability that an item is the like, among one like and its negatives, if alpha is 1: probabilities of
/// all items are lower. fold_in gives the row of a training user, to the bit. Values and repetitions in the log are
/// ignored. There is no bias of users, because it would not change the order of a list.
///
/// Shapes    item_factors(), user_factors(): rows of factors + 1 floats; in an ANN index, use the inner product
/// Cost      fit: O((epochs + fold_in_epochs) likes (1 + negatives) factors);  recommend: items x factors
/// Source    Johnson, "Logistic matrix factorization for implicit feedback data", NIPS workshop 2014 (there the sum is
///           over all items, and users have a bias)
template <kernels::HostBackend Backend = kernels::DefaultBackend>
using BasicLogisticMF = Model<LogisticMFScorer<Backend>>;

using LogisticMF = BasicLogisticMF<>;

}  // namespace cf
}  // namespace FUNNEL_ABI
}  // namespace funnel
