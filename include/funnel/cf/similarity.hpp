// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>
#include <funnel/core/math.hpp>

#include <cstdint>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace cf {

/// How to compute the similarity of two items from the users they share.
enum class Similarity : std::uint8_t {
    Cosine,   ///< shared / sqrt(a b)
    Jaccard,  ///< shared / (a + b - shared)
};

/// The similarity of two non-negative vectors x and y, computed from shared = x . y, a = x . x and b = y . y. For sets,
/// these are the size of the intersection and the sizes of the two sets.
///
///     cosine = shared / (sqrt(a b) + shrinkage),  jaccard = shared / (a + b - shared + shrinkage)
///
/// Returns   a value in [0, 1]; 0 if the vectors share nothing
[[nodiscard]] inline double similarity(Similarity kind, double shared, double a, double b, double shrinkage) noexcept {
    if (shared == 0.0) {
        return 0.0;
    }
    const double size = kind == Similarity::Cosine ? math::sqrt(a * b) : a + b - shared;
    return shared / (size + shrinkage);
}

}  // namespace cf
}  // namespace FUNNEL_ABI
}  // namespace funnel
