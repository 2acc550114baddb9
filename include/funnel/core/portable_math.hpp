// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

// exp, log and normal numbers with the same bits on every machine, for results that a seed must reproduce.

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>

#include <array>
#include <bit>
#include <cstdint>
#include <numbers>
#include <utility>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace detail {

// Horner's scheme with an explicit fma and so one rounding per step. The result has the same bits on every machine,
// because a compiler may not re-associate fma.
template <std::size_t N>
[[nodiscard]] inline double polynomial(const std::array<double, N>& coefficients, double x) noexcept {
    double sum = coefficients[N - 1];
    // Unrolled here, because a compiler vectorizes only loops without loops in them.
    [&]<std::size_t... I>(std::index_sequence<I...>) {
        ((sum = math::fma(sum, x, coefficients[N - 2 - I])), ...);
    }(std::make_index_sequence<N - 1>{});
    return sum;
}

// Natural logarithm of a positive normal number (not checked), to about 1e-15. Unlike that of the C library, it has the
// same bits on every machine.
[[nodiscard]] inline double portable_log(double x) noexcept {
    FUNNEL_ASSERT(x >= std::numeric_limits<double>::min() && math::is_finite(x));
    const auto bits = std::bit_cast<std::uint64_t>(x);
    const auto significand = std::bit_cast<double>((bits & 0xFFFFFFFFFFFFF) | 0x3FF0000000000000);
    const bool is_large = significand > std::numbers::sqrt2;  // chooses constants, so that loops vectorize
    const int exponent = static_cast<int>(bits >> 52) - (is_large ? 1022 : 1023);
    const double mantissa = significand * (is_large ? 0.5 : 1.0);
    const double s = (mantissa - 1.0) / (mantissa + 1.0);  // log m = 2 (s + s^3/3 + s^5/5 + ...), |s| < 0.172
    constexpr std::array series{1.0,      1.0 / 3,  1.0 / 5,  1.0 / 7,  1.0 / 9, 1.0 / 11,
                                1.0 / 13, 1.0 / 15, 1.0 / 17, 1.0 / 19, 1.0 / 21};
    return math::fma(exponent, std::numbers::ln2, 2.0 * s * polynomial(series, s * s));
}

// Quantile function of the standard normal distribution, for p in (0, 1) (not checked).
// Source: Wichura, "Algorithm AS 241", Applied Statistics 1988 (PPND16, relative accuracy about 1e-16).
[[nodiscard]] inline double normal_quantile(double p) noexcept {
    FUNNEL_ASSERT(p > 0.0 && p < 1.0);
    const double q = p - 0.5;
    if (math::abs(q) <= 0.425) {
        constexpr std::array a{3.3871328727963666080e0,  1.3314166789178437745e+2, 1.9715909503065514427e+3,
                               1.3731693765509461125e+4, 4.5921953931549871457e+4, 6.7265770927008700853e+4,
                               3.3430575583588128105e+4, 2.5090809287301226727e+3};
        constexpr std::array b{1.0,
                               4.2313330701600911252e+1,
                               6.8718700749205790830e+2,
                               5.3941960214247511077e+3,
                               2.1213794301586595867e+4,
                               3.9307895800092710610e+4,
                               2.8729085735721942674e+4,
                               5.2264952788528545610e+3};
        const double r = math::fma(-q, q, 0.180625);
        return q * polynomial(a, r) / polynomial(b, r);
    }
    double r = math::sqrt(-portable_log(q < 0.0 ? p : 1.0 - p));
    double value = 0.0;
    if (r <= 5.0) {
        constexpr std::array c{1.42343711074968357734e0,  4.63033784615654529590e0, 5.76949722146069140550e0,
                               3.64784832476320460504e0,  1.27045825245236838258e0, 2.41780725177450611770e-1,
                               2.27238449892691845833e-2, 7.74545014278341407640e-4};
        constexpr std::array d{1.0,
                               2.05319162663775882187e0,
                               1.67638483018380384940e0,
                               6.89767334985100004550e-1,
                               1.48103976427480074590e-1,
                               1.51986665636164571966e-2,
                               5.47593808499534494600e-4,
                               1.05075007164441684324e-9};
        r -= 1.6;
        value = polynomial(c, r) / polynomial(d, r);
    } else {
        constexpr std::array e{6.65790464350110377720e0,  5.46378491116411436990e0,  1.78482653991729133580e0,
                               2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
                               2.71155556874348757815e-5, 2.01033439929228813265e-7};
        constexpr std::array f{1.0,
                               5.99832206555887937690e-1,
                               1.36929880922735805310e-1,
                               1.48753612908506148525e-2,
                               7.86869131145613259100e-4,
                               1.84631831751005468180e-5,
                               1.42151175831644588870e-7,
                               2.04426310338993978564e-15};
        r -= 5.0;
        value = polynomial(e, r) / polynomial(f, r);
    }
    return q < 0.0 ? -value : value;
}

// The exponential function, to about 1e-15. Unlike that of the C library, it has the same bits on every machine: every
// fma is explicit, so the compiler's choice to fuse products and sums has no effect. Returns 0 if x < -700; x must be
// at most 700 (not checked).
[[nodiscard]] inline double portable_exp(double x) noexcept {
    FUNNEL_ASSERT(x <= 700.0);
    if (x < -700.0) {
        return 0.0;
    }
    // exp(x) = 2^k exp(r) with |r| <= log(2) / 2. log(2) is split into two parts, so that r is accurate to about the
    // last bit.
    const double k = math::floor(math::fma(x, std::numbers::log2e, 0.5));
    const double r = math::fma(-k, 2.319046813846299558e-17, math::fma(-k, std::numbers::ln2, x));
    constexpr std::array series{
        1.0,        1.0,         1.0 / 2,      1.0 / 6,       1.0 / 24,       1.0 / 120,       1.0 / 720,
        1.0 / 5040, 1.0 / 40320, 1.0 / 362880, 1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800.0};
    const auto power_of_two =
        std::bit_cast<double>(static_cast<std::uint64_t>(static_cast<std::int64_t>(k) + 1023) << 52);
    return polynomial(series, r) * power_of_two;
}

}  // namespace detail
}  // namespace FUNNEL_ABI
}  // namespace funnel
