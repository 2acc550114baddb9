// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/cf/model.hpp>
#include <funnel/cf/sampled_factors.hpp>
#include <funnel/core/error.hpp>
#include <funnel/kernels/backend.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace cf {

struct WARPOptions {
    std::size_t factors = 64;         ///< per user and item, at least 1
    std::size_t epochs = 20;          ///< passes over all likes
    float learning_rate = 0.001F;     ///< > 0
    float regularisation = 0.1F;      ///< >= 0, < 1 / learning_rate; of each row that a step changes, and of the biases
    std::size_t most_tries = 10;      ///< 1 to 1000: draws per like, after which it is left alone
    float stddev = 0.1F;              ///< > 0; length of the initial rows
    std::size_t fold_in_epochs = 20;  ///< 1 to 1000: passes over the history of one user; see fold_in_factors
    std::uint64_t seed = 1;
};

/// Weighted approximate-rank pairwise loss: draws until an item violates the margin, and weighs the step by the rank
/// that the number of draws suggests. Copies share the weights of the ranks, which do not change.
class WARPLoss {
public:
    using Options = WARPOptions;
    static constexpr std::string_view kind = "cf.WARP";
    static constexpr const char* name = "WARP";

    WARPLoss(const Options& options, std::size_t items) : most_tries_(options.most_tries) {
        std::vector<float> harmonic(items + 1);
        double sum = 0.0;
        for (std::size_t rank = 1; rank <= items; ++rank) {
            sum += 1.0 / static_cast<double>(rank);
            harmonic[rank] = static_cast<float>(sum);
        }
        harmonic_ = std::make_shared<const std::vector<float>>(std::move(harmonic));
    }

    /// The weight of a violation that draw number `tries` >= 1 found, where the user did not take `negatives` items.
    ///
    ///     1 + 1/2 + ... + 1/rank,   rank = max(1, floor((negatives - 1) / tries))
    [[nodiscard]] float weight(std::size_t negatives, std::size_t tries) const noexcept {
        FUNNEL_ASSERT(negatives > 0 && negatives < harmonic_->size() && tries > 0);
        return (*harmonic_)[std::max<std::size_t>(1, (negatives - 1) / tries)];
    }

    template <class Row>
    void learn(Row& row, std::uint32_t positive) const {
        const float score = row.score(positive);
        for (std::size_t tries = 1; tries <= most_tries_; ++tries) {
            const std::optional<std::uint32_t> negative = row.draw();
            if (!negative) {
                return;
            }
            if (row.score(*negative) > score - 1.0F) {
                return row.pair_step(positive, *negative, weight(row.negatives(), tries));
            }
        }
    }

    template <class AnyOptions, class Visit>
    static void each_option(AnyOptions& options, const Visit& visit) {
        visit("most_tries", options.most_tries);
    }

private:
    std::size_t most_tries_;
    std::shared_ptr<const std::vector<float>> harmonic_;  // at r: 1 + 1/2 + ... + 1/r
};

template <kernels::HostBackend Backend = kernels::DefaultBackend>
using WARPScorer = SampledFactorsScorer<WARPLoss, Backend>;

/// Matrix factorization by the weighted approximate-rank pairwise loss (WARP): as BPR, but a step goes to the first
/// item drawn that comes within a margin of 1 of the like, and is larger if few draws were needed, because then many
/// items rank above the like.
///
///     minimises about  sum over likes (u, i) of 1 + 1/2 + ... + 1/rank_ui
///     step             w_u += rate L (h_i - h_j);  h_i += rate L w_u;  h_j -= rate L w_u;
///                      b_i += rate L;  b_j -= rate L
///     L                WARPLoss::weight of the number of draws; no step after most_tries draws
///
/// All else is as in BPR: verified negatives, fold_in, which gives the row of a training user to the bit, and values,
/// which are ignored. Steps are larger than those of BPR, so learning_rate is smaller.
///
/// Cost      fit: O((epochs + fold_in_epochs) likes tries factors), tries <= most_tries;  recommend: items x factors
/// Source    Weston, Bengio, Usunier, "WSABIE: scaling up to large vocabulary image annotation", IJCAI 2011
template <kernels::HostBackend Backend = kernels::DefaultBackend>
using BasicWARP = Model<WARPScorer<Backend>>;

using WARP = BasicWARP<>;

}  // namespace cf
}  // namespace FUNNEL_ABI
}  // namespace funnel
