// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>
#include <funnel/core/math.hpp>

#include <cstdint>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace cf {

/// How alike two items are, by the users they share.
enum class Similarity : std::uint8_t {
    Cosine,   ///< shared / sqrt(a b)
    Jaccard,  ///< shared / (a + b - shared)
};

/// The similarity of two non-negative vectors x and y from three sums: shared = x . y, a = x . x, b = y . y; for sets,
/// those are the sizes of the intersection and of the sets.
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
