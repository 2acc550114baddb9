// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>
#include <funnel/core/math.hpp>

#include <algorithm>
#include <cstdint>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace cf {

/// How to compare two sparse vectors, such as two items by the users who rated them. The first two treat a missing
/// value as 0. The others look only at co-rated positions, where both vectors have a value.
enum class Similarity : std::uint8_t {
    Cosine,          ///< x . y / (|x| |y|)
    Jaccard,         ///< shared / (a + b - shared), of the sets of positions
    Pearson,         ///< correlation of the co-rated values
    AdjustedCosine,  ///< cosine of the co-rated values, each minus the mean of its position (of its user, for items)
    MSD,             ///< 1 / (1 + mean squared difference of the co-rated values)
};

/// Sums over the co-rated positions of two vectors x and y.
struct CoRatedSums {
    double count = 0.0;
    double x = 0.0;
    double y = 0.0;
    double xx = 0.0;
    double yy = 0.0;
    double xy = 0.0;

    void add(double of_x, double of_y) noexcept {
        count += 1.0;
        x += of_x;
        y += of_y;
        xx += of_x * of_x;
        yy += of_y * of_y;
        xy += of_x * of_y;
    }
};

/// x . y / (|x| |y| + shrinkage), from the inner product and the two norms. 0 if the product is 0.
[[nodiscard]] inline double cosine_similarity(double product, double norm_x, double norm_y, double shrinkage) noexcept {
    const double similarity = product / (norm_x * norm_y + shrinkage);
    return product == 0.0 ? 0.0 : similarity;  // selected, not skipped: so that loops over it are vectorized
}

/// shared / (a + b - shared + shrinkage), from the sizes of an intersection and of the two sets. 0 if nothing is
/// shared.
[[nodiscard]] inline double jaccard_similarity(double shared, double a, double b, double shrinkage) noexcept {
    const double similarity = shared / (a + b - shared + shrinkage);
    return shared == 0.0 ? 0.0 : similarity;
}

/// The similarities of co-rated values. With sums over the n co-rated positions, and s for the shrinkage:
///
///     Pearson         (xy - x y / n) / (sqrt((xx - x^2 / n) (yy - y^2 / n)) + s)
///     AdjustedCosine  xy / (sqrt(xx yy) + s), of values that were centred before
///     MSD             n / (xx - 2 xy + yy + n + s)
///
/// Returns   in [-1, 1] up to rounding; 0 without co-rated positions, and for Pearson if either side does not vary
[[nodiscard]] inline double co_rated_similarity(Similarity kind, const CoRatedSums& sums, double shrinkage) noexcept {
    if (sums.count == 0.0) {
        return 0.0;
    }
    if (kind == Similarity::MSD) {
        return sums.count / (std::max(sums.xx - 2.0 * sums.xy + sums.yy, 0.0) + sums.count + shrinkage);
    }
    double product = sums.xy;
    double xx = sums.xx;
    double yy = sums.yy;
    if (kind == Similarity::Pearson) {
        product -= sums.x * sums.y / sums.count;
        xx -= sums.x * sums.x / sums.count;
        yy -= sums.y * sums.y / sums.count;
    }
    // What rounding leaves of a variance of 0 is no variance.
    constexpr double rounding = 1e-12;
    if (!(xx > rounding * sums.xx) || !(yy > rounding * sums.yy)) {
        return 0.0;
    }
    return product / (math::sqrt(xx) * math::sqrt(yy) + shrinkage);
}

/// count / (count + significance): lowers a similarity that rests on few shared positions. 1 if significance is 0.
///
/// Source    Herlocker, Konstan, Borchers, Riedl, "An algorithmic framework for performing collaborative filtering",
///           SIGIR 1999 (significance weighting); Koren, "Factorization meets the neighborhood", KDD 2008 (this form)
[[nodiscard]] inline double significance_factor(double count, double significance) noexcept {
    return significance == 0.0 ? 1.0 : count / (count + significance);
}

}  // namespace cf
}  // namespace FUNNEL_ABI
}  // namespace funnel
