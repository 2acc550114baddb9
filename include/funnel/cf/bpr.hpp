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

struct BPROptions {
    std::size_t factors = 64;         ///< per user and item, at least 1
    std::size_t epochs = 100;         ///< passes over all likes
    float learning_rate = 0.05F;      ///< > 0
    float regularisation = 0.02F;     ///< >= 0, < 1 / learning_rate; of each row that a step changes, and of the biases
    float stddev = 0.1F;              ///< > 0; length of the initial rows
    std::size_t fold_in_epochs = 20;  ///< 1 to 1000: passes over the history of one user; see fold_in_factors
    std::uint64_t seed = 1;
};

/// Bayesian personalized ranking: a like should have a higher score than an item that the user did not take.
struct BPRLoss {
    using Options = BPROptions;
    static constexpr std::string_view kind = "cf.BPR";
    static constexpr const char* name = "BPR";

    BPRLoss(const Options&, std::size_t) noexcept {}

    template <class Row>
    void learn(Row& row, std::uint32_t positive) const {
        if (const std::optional<std::uint32_t> negative = row.draw()) {
            row.pair_step(positive, *negative, detail::portable_sigmoid(row.score(*negative) - row.score(positive)));
        }
    }

    template <class AnyOptions, class Visit>
    static void each_option(AnyOptions&, const Visit&) {}
};

template <kernels::HostBackend Backend = kernels::DefaultBackend>
using BPRScorer = SampledFactorsScorer<BPRLoss, Backend>;

/// Matrix factorization by Bayesian personalized ranking (BPR).
///
///     max over w, h, b of  sum over likes (u, i), and j that u did not take, of  log sigmoid(s_ui - s_uj)
///                          - regularisation / 2 (|w_u|^2 + |h_i|^2 + |h_j|^2 + b_i^2 + b_j^2)
///     s_ui = w_u . h_i + b_i
///
/// One epoch takes one step per like, with one negative each. A negative is drawn uniformly from the items that anybody
/// likes and that this user did not take; each draw is verified. After the epochs, the row of each user is learned
/// again for the final items (see fold_in_factors), so fold_in with the history of a training user gives the row of
/// that user, to the bit. Values and repetitions in the log are ignored. update() takes further epochs, with draws of
/// their own, from the rows at hand.
///
/// Shapes    item_factors(), user_factors(): rows of factors + 1 floats; in an ANN index, use the inner product.
///           similar_items() and similar_users() compare the first `factors`, without biases
/// Cost      fit: O((epochs + fold_in_epochs) likes factors);  recommend: items x factors
/// Source    Rendle, Freudenthaler, Gantner, Schmidt-Thieme, "BPR: Bayesian personalized ranking from implicit
///           feedback", UAI 2009
template <kernels::HostBackend Backend = kernels::DefaultBackend>
using BasicBPR = Model<BPRScorer<Backend>>;

using BPR = BasicBPR<>;

}  // namespace cf
}  // namespace FUNNEL_ABI
}  // namespace funnel
