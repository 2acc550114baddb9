// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>

#include <cstddef>
#include <cstdint>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace cf {

/// How a row of factors is solved while the other side is fixed.
enum class ALSSolver : std::uint8_t {
    Cholesky,           ///< exact
    ConjugateGradient,  ///< a few steps from the previous row: much cheaper for 64 or more factors
    Blocks,             ///< iALS++: a few factors at a time, each block exactly, from the previous row
};

/// What is minimized. s is the score of a pair, r its value, c = |r|, p = 1 if r > 0 and else 0.
enum class ALSObjective : std::uint8_t {
    Rendle,           ///< observed c (p - s)^2, and alpha0 s^2 for all pairs
    HuKorenVolinsky,  ///< observed (1 + alpha c) (p - s)^2, others s^2
    Confidence,       ///< observed c (p - s)^2, others s^2: the library implicit
};

struct ImplicitALSOptions {
    std::size_t factors = 64;                       ///< > 0, length of the vectors; at most max(1024, users + items)
    float lambda = 0.01F;                           ///< > 0, L2 penalty
    float alpha0 = 0.1F;                            ///< > 0, Rendle: weight of every pair, observed or not
    float nu = 1.0F;                                ///< Rendle: 0 penalizes rows equally, 1 in proportion to weight
    std::size_t iterations = 16;                    ///< number of sweeps over both sides
    std::uint64_t seed = 1;                         ///< seed of the initial factors
    float stddev = 0.1F;                            ///< > 0, initial factors: standard deviation stddev / sqrt(factors)
    ALSSolver solver = ALSSolver::Cholesky;         ///< Cholesky, ConjugateGradient or Blocks
    std::size_t cg_steps = 3;                       ///< ConjugateGradient steps per row and sweep
    ALSObjective objective = ALSObjective::Rendle;  ///< Rendle, HuKorenVolinsky or Confidence
    bool use_values = false;                        ///< false: values > 0 count as 1, and others are not learned from
    float alpha = 40.0F;                            ///< > 0, HuKorenVolinsky: confidence per unit of value
    std::size_t block = 32;                         ///< > 0, Blocks: factors that are solved together
};

/// What an observed pair adds to the normal equations of its row: weight y y^T to the matrix, target y to the sum.
struct ALSPair {
    float weight;
    float target;
};

/// Of a pair with this value. Both are 0 if nothing is learned from it.
[[nodiscard]] inline ALSPair als_pair(float value, const ImplicitALSOptions& options) noexcept {
    if (!options.use_values && !(value > 0.0F)) {
        return {0.0F, 0.0F};
    }
    const float preference = value > 0.0F ? 1.0F : 0.0F;
    float confidence = options.use_values ? (value > 0.0F ? value : -value) : 1.0F;
    if (options.objective == ALSObjective::Rendle) {
        return {confidence, confidence * preference};
    }
    confidence = options.objective == ALSObjective::HuKorenVolinsky ? 1.0F + options.alpha * confidence : confidence;
    return {confidence - 1.0F, confidence * preference};  // the pair has a weight of 1 already, as all pairs have
}

/// The weight of the pairs that were not observed.
[[nodiscard]] inline float als_weight_of_all(const ImplicitALSOptions& options) noexcept {
    return options.objective == ALSObjective::Rendle ? options.alpha0 : 1.0F;
}

}  // namespace cf
}  // namespace FUNNEL_ABI
}  // namespace funnel
