// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/math.hpp>
#include <funnel/core/options.hpp>
#include <funnel/nn/dense_optimiser.hpp>
#include <funnel/nn/row_optimiser.hpp>
#include <funnel/nn/update_rule.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn {

struct FTRLOptions {
    double learning_rate = 0.1;  ///< > 0: alpha of the paper
    double beta = 1.0;           ///< >= 0: a larger value makes the first steps smaller
    double l1 = 0.0;             ///< >= 0: a larger value makes more weights exactly 0
    double l2 = 0.0;             ///< >= 0: a larger value makes weights smaller
};

/// FTRL-proximal, for linear models with many features: weights with little evidence are exactly 0. Weights are a
/// function of the state (z, n). They should start at 0: each step overwrites them.
///
///     sigma = (sqrt(n + g^2) - sqrt(n)) / alpha;   z += g - sigma w;   n += g^2
///     w = 0 if |z| <= l1, else -(z - sign(z) l1) / ((beta + sqrt(n)) / alpha + l2)
///
/// Source    McMahan et al., "Ad click prediction: a view from the trenches", KDD 2013
class FTRLRule {
public:
    using Options = FTRLOptions;
    static constexpr const char* name = "FTRL";
    static constexpr std::size_t arrays = 2;  // z, n
    static constexpr std::size_t squares_from = 1;

    static void check(const FTRLOptions& options) {
        require_positive(options.learning_rate, "FTRL: learning_rate");
        require_not_negative(options.beta, "FTRL: beta");
        require_not_negative(options.l1, "FTRL: l1");
        require_not_negative(options.l2, "FTRL: l2");
    }

    FTRLRule(const FTRLOptions& options, std::uint64_t /*t*/)
        : alpha_(static_cast<float>(options.learning_rate)),
          beta_(static_cast<float>(options.beta)),
          l1_(static_cast<float>(options.l1)),
          l2_(static_cast<float>(options.l2)) {}

    void apply(std::span<float> weights, std::span<const float> gradient,
               std::span<const std::span<float>, arrays> state) const noexcept {
        const std::span<float> z = state[0];
        const std::span<float> n = state[1];
        if (alpha_ == 0.0F) {
            return;  // a schedule has reached 0
        }
        for (std::size_t i = 0; i < weights.size(); ++i) {
            const float g = gradient[i];
            const float sum = n[i] + g * g;
            z[i] += g - (math::sqrt(sum) - math::sqrt(n[i])) / alpha_ * weights[i];
            n[i] = sum;
            const float excess = z[i] > 0.0F ? z[i] - l1_ : z[i] + l1_;
            const float size = (beta_ + math::sqrt(sum)) / alpha_ + l2_;
            weights[i] = math::abs(z[i]) <= l1_ ? 0.0F : -excess / size;
        }
    }

private:
    float alpha_;
    float beta_;
    float l1_;
    float l2_;
};

using FTRL = DenseOptimiser<FTRLRule>;
using LazyFTRL = RowOptimiser<FTRLRule>;

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel
