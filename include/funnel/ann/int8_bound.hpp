// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/ann/vectors.hpp>
#include <funnel/core/math.hpp>
#include <funnel/quantise/int8.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <limits>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ann::detail {

/// Doubles as floats that are not smaller, or not larger. The float range must hold x (not checked).
struct CodeRounding {
    [[nodiscard]] static float up(double x) noexcept {
        return static_cast<float>(x + math::abs(x) * 0x1p-22 + 0x1p-120);
    }
    [[nodiscard]] static float down(double x) noexcept {
        return static_cast<float>(x - math::abs(x) * 0x1p-22 - 0x1p-120);
    }
};

/// Which vectors the int8 codes rule out: those whose float score is below the k-th best, whatever the error of the
/// codes. And which score a vector has at least, so that the k-th best is known without floats.
///
/// Let u = 2^-24, x a vector, m the mean, and x - m = s c + e, with the scale s, the bytes c and the error e. Let q be
/// the query (under L2: minus m) and q = t k + f, with the step t, the bytes k and the error f. Then, in real numbers,
///
///     <q, x - m> = t s <k, c> + <f, s c> + <q, e> <= s (t <k, c> + |f| C + |q| R)                                  (1)
///
/// by Cauchy-Schwarz, where C >= |c| and R >= |e| / s for all vectors. C is at most 127 sqrt d and R at most sqrt d / 2
/// for any data: outliers cannot spoil the bound of other vectors, because each has a scale of its own.
///
/// A float score differs from the real one, whatever the order of its additions and with or without fused operations
/// (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1). With g = (d + 2) u / (1 - (d + 2) u):
///
///     inner product   score <= <q, x> + g |q| |x|,  and |x| <= |m| + s (C + R)
///     L2              score <= -D (1 - g),  D = |q - (x - m)|^2, all differences without rounding
///
/// So a score can reach the k-th best, tau, only if
///
///     inner product   s (t <k, c> + A) >= tau - <q, m> - g |q| |m|,       A = |f| C + |q| R + g |q| (C + R)
///     L2              s (t <k, c> + A) - |x - m|^2 / 2 >= tau (1 + 2 g) / 2 + |q|^2 / 2,  A = |f| C + |q| R
///
/// (L2: D = |q|^2 - 2 <q, x - m> + |x - m|^2, tau <= 0, and 1 / (1 - g) <= 1 + 2 g.)
///
/// The kernel computes the left side in floats: at most four roundings of numbers up to s (t |k| C + A), where
/// t |k| <= |q| + |f|. A gains 2^-20 of them, which also covers the roundings of the doubles here. The last addition,
/// of -|x - m|^2 / 2 rounded up, and the comparison need nothing: rounding is monotone and the right side is a float,
/// rounded down. Numbers that underflow, or that the processor flushes to zero, change a score by less than
/// d 2^-120 (1 + |q|), which the right side loses. Left sides do not overflow downwards: |s c| <= |x - m| + |e|, which
/// is below 1.5 * 2^63 up to 2^14 dimensions, and so is t |k|.
///
/// The other way round, let L be the left side as the kernel computed it. (1) with the errors subtracted is a bound
/// from below. The 2^-20 that A gained are more than all roundings but the last can add to L; the last adds u |L|. So
///
///     inner product   score >= p + <q, m> - g |q| |m|,     p = L - 2 s A - u |L|
///     L2              score >= -(1 + g) (|q|^2 - 2 p),     p = L - 2 s A - u |L| - 2^-20 (s (C + R))^2
///
/// Under L2, the last term of p covers that -|x - m|^2 / 2 was rounded up, because |x - m| <= s (C + R). p is computed
/// in floats, with three more roundings of numbers up to |L| + 2 s A, and loses 2^-20 of them. A left side that
/// overflowed upwards says nothing.
template <Metric M>
class Int8Bound {
    static constexpr bool is_l2 = std::same_as<typename M::Stored, kernels::L2>;

public:
    Int8Bound() = default;

    /// longest: C, largest_error: R.
    Int8Bound(const quantise::Int8PreparedQuery& query, std::size_t dimension, double mean_length, double longest,
              double largest_error) noexcept {
        const auto d = static_cast<double>(dimension);
        const double g = 1.01 * (d + 16.0) * 0x1p-24;
        double offset = query.error * longest + query.length * largest_error;
        if constexpr (is_l2) {
            const double squares = query.length * query.length;
            factor_ = (1.0 + 2.0 * g) / 2.0;
            constant_ = squares / 2.0;
            slack_ = 0x1p-36 * squares;
        } else {
            offset += g * query.length * (longest + largest_error);
            factor_ = 1.0;
            constant_ = -query.at_mean - g * query.length * mean_length;
            slack_ = 0x1p-36 * query.length * mean_length;
        }
        slack_ += d * 0x1p-120 * (1.0 + query.length);
        offset += 0x1p-20 * ((query.length + query.error) * longest + offset);
        offset_ = CodeRounding::up(offset);
        length_ = is_l2 ? query.length * query.length : query.length * mean_length;
        at_mean_ = is_l2 ? 0.0 : query.at_mean;
        g_ = g;
        reach_ = CodeRounding::up(0x1p-9 * (longest + largest_error));
    }

    /// A, which is added to t <k, c>.
    [[nodiscard]] float offset() const noexcept { return offset_; }

    /// The right side, if `kth` is the k-th best score so far.
    [[nodiscard]] float threshold(float kth) const noexcept {
        const auto tau = static_cast<double>(kth);
        return CodeRounding::down(factor_ * tau + constant_ - slack_ - 0x1p-36 * math::abs(tau));
    }

    /// A number that <q, x - m>, under L2 minus |x - m|^2 / 2, is not below: from the left side and the scale.
    [[nodiscard]] float least_product(float left, float scale) const noexcept {
        const float error = scale * (2.0F * offset_);
        float product = left - error - 0x1p-20F * (math::abs(left) + error);
        if constexpr (is_l2) {
            const float distance = scale * reach_;
            product -= distance * distance;
        }
        constexpr float lowest = std::numeric_limits<float>::lowest();
        return product > lowest && left <= -lowest ? product : lowest;
    }

    /// A number that the score of a vector is not below, from its least product.
    [[nodiscard]] float least_score(float product) const noexcept {
        const auto least = static_cast<double>(product);
        const double p = least - slack_ - 0x1p-36 * (math::abs(least) + length_);
        const double score = is_l2 ? -(1.0 + g_) * (length_ - 2.0 * p) : p + at_mean_ - g_ * length_;
        return bounded<M>(CodeRounding::down(std::max(score, -0x1p127)));
    }

private:
    float offset_ = 0.0F;
    double factor_ = 0.0;
    double constant_ = 0.0;
    double slack_ = 0.0;
    double length_ = 0.0;   // |q|^2, or |q| |m|
    double at_mean_ = 0.0;  // <q, m>; 0 under L2
    double g_ = 0.0;
    float reach_ = 0.0F;  // 2^-9 (C + R)
};

}  // namespace ann::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel
