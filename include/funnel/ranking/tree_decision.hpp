// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>
#include <funnel/core/math.hpp>
#include <funnel/ranking/tree_ensemble.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ranking::detail {

/// Up to this absolute value a feature counts as zero, as in LightGBM (kZeroThreshold).
inline constexpr float zero_threshold = 1e-35F;

/// The key (kernels::KeyColumn) of the largest float <= t. For every float x but NaN: key of x <= this, if and only if
/// x <= t. Computed from the bits, so that it holds where the processor flushes denormals to zero.
[[nodiscard]] inline std::int32_t key_at_most(const double& t) noexcept {
    constexpr std::int32_t infinity = 0x7F80'0000;
    constexpr std::uint64_t one = std::uint64_t{1} << 52U;  // the leading digit, which is not stored
    const auto bits = std::bit_cast<std::uint64_t>(t);
    const bool is_negative = (bits >> 63U) != 0;
    const std::uint64_t digits = bits & (one - 1);
    const auto exponent = static_cast<std::int32_t>((bits >> 52U) & 0x7FFU);

    std::int32_t magnitude = 0;  // of t, rounded towards zero
    bool is_exact = true;
    if (exponent == 0x7FF) {
        magnitude = infinity;
    } else if (exponent >= 1023 + 128) {
        magnitude = infinity - 1;
        is_exact = false;
    } else if (exponent > 1023 - 127) {
        magnitude = ((exponent - 1023 + 127) << 23U) | static_cast<std::int32_t>(digits >> 29U);
        is_exact = (digits & ((std::uint64_t{1} << 29U) - 1)) == 0;
    } else if (exponent > 1023 - 150) {  // a denormal float
        const auto shift = static_cast<unsigned>(30 + 1023 - 127 - exponent);
        magnitude = static_cast<std::int32_t>((digits | one) >> shift);
        is_exact = static_cast<std::uint64_t>(magnitude) << shift == (digits | one);
    } else {
        is_exact = exponent == 0 && digits == 0;
    }
    if (!is_negative || (magnitude == 0 && is_exact)) {
        return magnitude;  // -0.0 acts like 0.0
    }
    return ~(magnitude + (is_exact ? 0 : 1));
}

/// The category that a value names, if no set has it.
inline constexpr std::uint32_t no_category = std::numeric_limits<std::uint32_t>::max();

/// The category that a value names, which is not NaN. A value with a fraction is truncated towards zero, or unknown.
[[nodiscard]] FUNNEL_HOST_DEVICE inline std::uint32_t category_of(const float& x,
                                                                  bool negative_fractions_are_category_0,
                                                                  bool fractions_are_unknown) noexcept {
    // Tested before the conversion, which is undefined for values out of range.
    const bool is_low = negative_fractions_are_category_0 ? !(x > -1.0F) : !(x >= 0.0F);
    if (is_low || !(x < 2147483648.0F)) {
        return no_category;
    }
    const auto category = static_cast<std::int32_t>(x);
    return fractions_are_unknown && static_cast<float>(category) != x ? no_category
                                                                      : static_cast<std::uint32_t>(category);
}

/// Whether a category is in a set.
///
/// Shapes    words: n
[[nodiscard]] FUNNEL_HOST_DEVICE inline bool contains(const std::uint32_t* words, std::size_t n,
                                                      std::uint32_t category) noexcept {
    const std::size_t word = category / 32;
    return category != no_category && word < n && ((words[word] >> (category % 32)) & 1U) != 0;
}

/// Whether a row with value x takes the left side. The specification of all engines.
[[nodiscard]] inline bool goes_left(const TreeEnsemble& forest, const TreeSplit& split, const float& x) {
    if (math::is_nan(x) || (split.zero_is_missing && math::abs(x) <= zero_threshold)) {
        return split.missing_goes_left;
    }
    if (split.categories != TreeSplit::no_categories) {
        const std::vector<std::uint32_t>& words = forest.category_sets[split.categories];
        return contains(words.data(), words.size(),
                        category_of(x, forest.negative_fractions_are_category_0, forest.fractions_are_unknown));
    }
    return static_cast<double>(x) <= split.threshold;
}

/// The leaf that a row falls into.
[[nodiscard]] inline std::size_t leaf_of(const TreeEnsemble& forest, const Tree& tree, std::span<const float> row) {
    std::int32_t at = tree.splits.empty() ? ~0 : 0;
    while (at >= 0) {  // children follow their parents, so this ends
        const TreeSplit& split = tree.splits[static_cast<std::size_t>(at)];
        at = goes_left(forest, split, row[split.feature]) ? split.left : split.right;
    }
    return leaf_number(at);
}

/// a * b, rounded: fused with an addition, it would give other bits.
[[nodiscard]] FUNNEL_HOST_DEVICE inline double rounded_product(double a, double b) noexcept {
#ifdef __CUDA_ARCH__
    return __dmul_rn(a, b);
#else
    double product = a * b;
    asm("" : "+m"(product));
    return product;
#endif
}

/// The value of a linear leaf for a row.
[[nodiscard]] inline double linear_value(const Tree& tree, std::size_t leaf, std::span<const float> row) {
    const LinearLeaves& linear = tree.linear;
    double value = linear.constants[leaf];
    for (std::size_t j = linear.begins[leaf]; j < linear.begins[leaf + 1]; ++j) {
        const float& x = row[linear.features[j]];
        if (math::is_nan(x)) {
            return tree.leaf_values[leaf];
        }
        const float flushed = math::abs(x) <= zero_threshold ? 0.0F : x;  // as LightGBM reads dense rows
        value += rounded_product(linear.coefficients[j], static_cast<double>(flushed));
    }
    return value;
}

/// The score of an output, from the sum of its trees.
[[nodiscard]] inline double finished_score(const TreeEnsemble& forest, std::size_t output, double sum) {
    return rounded_product(forest.scale, sum) + (forest.bias.empty() ? 0.0 : forest.bias[output]);
}

/// Raw scores of a row, as defined: the specification of all engines.
inline void score_row(const TreeEnsemble& forest, std::span<const float> row, std::span<double> out) {
    const auto rounded = [&](double x) {
        return forest.sums_in_float ? static_cast<double>(static_cast<float>(x)) : x;
    };
    for (std::size_t o = 0; o < out.size(); ++o) {
        out[o] = rounded(forest.start.empty() ? 0.0 : forest.start[o]);
    }
    for (const Tree& tree : forest.trees) {
        const std::size_t leaf = leaf_of(forest, tree, row);
        const std::size_t width = tree.leaf_values.size() / tree.leaves();
        for (std::size_t o = 0; o < width; ++o) {
            const bool is_linear = !tree.linear.constants.empty();
            const double value = is_linear ? linear_value(tree, leaf, row) : tree.leaf_values[leaf * width + o];
            double& sum = out[tree.output + o];
            sum = rounded(sum + rounded(value));  // in double a sum of two floats loses nothing that its rounding needs
        }
    }
    for (std::size_t o = 0; o < out.size(); ++o) {
        out[o] = finished_score(forest, o, out[o]);
    }
}

}  // namespace ranking::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel
