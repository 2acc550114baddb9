// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/bandits/gauss_legendre.hpp>
#include <funnel/core/math.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numbers>
#include <span>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace bandits::detail {

using Nodes = GaussLegendre::Values;

/// exp of each element, to about 1e-15 of the result; elements below -700 give about 0. Short loops, which compilers
/// turn into SIMD instructions.
inline void exp_each(Nodes& x) noexcept {
    constexpr std::array series{
        1.0,        1.0,         1.0 / 2,      1.0 / 6,       1.0 / 24,       1.0 / 120,      1.0 / 720,
        1.0 / 5040, 1.0 / 40320, 1.0 / 362880, 1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600};
    Nodes rest;
    Nodes sum;
    std::array<std::int32_t, GaussLegendre::size> exponents;
    for (std::size_t m = 0; m < x.size(); ++m) {
        const double clamped = x[m] < -700.0 ? -700.0 : x[m];
        exponents[m] = static_cast<std::int32_t>(clamped * std::numbers::log2e + 1024.5) - 1024;
        const auto whole = static_cast<double>(exponents[m]);
        // log(2) in two parts.  NOLINTNEXTLINE(modernize-use-std-numbers)
        rest[m] = clamped - whole * 0.693147180369123816490 - whole * 1.90821492927058770002e-10;
        sum[m] = series.back();
    }
    for (std::size_t i = series.size() - 1; i-- > 0;) {
        for (std::size_t m = 0; m < x.size(); ++m) {
            sum[m] = sum[m] * rest[m] + series[i];
        }
    }
    for (std::size_t m = 0; m < x.size(); ++m) {
        const auto exponent = static_cast<std::uint64_t>(static_cast<std::int64_t>(exponents[m]));
        x[m] = std::bit_cast<double>(std::bit_cast<std::uint64_t>(sum[m]) + (exponent << 52));
    }
}

/// log(1 + exp(x)).
[[nodiscard]] inline double softplus(double x) noexcept {
    return (x > 0.0 ? x : 0.0) + math::log1p(math::exp(-math::abs(x)));
}

/// log Gamma(z) = (z - 1/2) log z - z + log(2 pi) / 2 + this, for z > 0, to about 1e-15.
[[nodiscard]] inline double stirling_correction(double z) noexcept {
    constexpr double least = 10.0;  // from here on the series converges
    double factors = 0.0;           // log of z (z + 1) ...
    double raised = z;
    while (raised < least) {
        factors += math::log(raised);
        raised += 1.0;
    }
    const double square = 1.0 / (raised * raised);
    const double series =
        (1.0 / 12 -
         square * (1.0 / 360 -
                   square * (1.0 / 1260 - square * (1.0 / 1680 - square * (1.0 / 1188 - square * 691.0 / 360360))))) /
        raised;
    return raised == z
               ? series
               : (raised - 0.5) * math::log(raised) - raised - factors - ((z - 0.5) * math::log(z) - z) + series;
}

/// Where a density is not negligible.
struct Support {
    double low;
    double high;
};

inline constexpr double negligible = -30.0;  // log of a density over its peak

/// Beta distributions of x, as densities of t = log(x / (1 - x)). In t they are smooth and log-concave for all shapes.
///
///     log f(t) = a t - (a + b) log(1 + exp(t)) - log B(a, b)
class BetaPosteriors {
public:
    BetaPosteriors(std::span<const double> a, std::span<const double> b) {
        arms_.reserve(a.size());
        for (std::size_t i = 0; i < a.size(); ++i) {
            Arm arm{.a = a[i], .b = b[i], .mode = math::log(a[i] / b[i])};
            const double precision = a[i] / (a[i] + b[i]) * b[i];
            arm.log_peak = 0.5 * math::log(precision / (2.0 * std::numbers::pi)) + stirling_correction(a[i] + b[i]) -
                           stirling_correction(a[i]) - stirling_correction(b[i]);
            arm.constant = arm.log_peak - a[i] * arm.mode + (a[i] + b[i]) * softplus(arm.mode);
            arm.scale = 1.0 / math::sqrt(precision);
            if (a[i] < 1.0 && b[i] >= 1.0) {
                arm.bend = -math::log(a[i] + b[i]);
            } else if (b[i] < 1.0 && a[i] >= 1.0) {
                arm.bend = math::log(a[i] + b[i]);
            }
            arms_.push_back(arm);
        }
    }

    [[nodiscard]] std::size_t size() const noexcept { return arms_.size(); }

    [[nodiscard]] Support support(std::size_t i) const noexcept {
        const Arm& arm = arms_[i];
        const auto reach = [&](double sign) {
            double distance = 7.8 * arm.scale;  // enough for a normal density
            while (arm.below_peak(sign * distance) > negligible) {
                distance *= 1.3;
            }
            return distance;
        };
        return {.low = arm.mode - reach(-1.0), .high = arm.mode + reach(1.0)};
    }

    /// The width over which the density of arm i changes at t. If one shape is below 1, the density is nearly exp(a t)
    /// or exp(-b t) on one side of the bend and vanishes within a few units behind it: exp(-exp(t - bend)) for a < 1.
    /// The curvature at the mode does not show that.
    [[nodiscard]] double scale(std::size_t i, double t) const noexcept {
        const Arm& arm = arms_[i];
        if (arm.bend == 0.0) {
            return arm.scale;
        }
        const double before = arm.bend < 0.0 ? arm.bend - t : t - arm.bend;
        return std::min(arm.scale, std::max(1.0, 0.25 * before));
    }

    /// log(1 + exp(t)) has poles at t = +-pi i, which a panel must keep at a distance.
    [[nodiscard]] static double widest_panel(double t) noexcept {
        return 0.5 * math::sqrt(t * t + std::numbers::pi * std::numbers::pi);
    }

    /// What all arms need at the nodes.
    [[nodiscard]] static Nodes shared(const Nodes& t) noexcept {
        Nodes values;
        for (std::size_t m = 0; m < values.size(); ++m) {
            values[m] = softplus(t[m]);
        }
        return values;
    }

    void log_density(std::size_t i, const Nodes& t, const Nodes& shared, Nodes& out) const noexcept {
        const Arm& arm = arms_[i];
        // The terms below cancel. A tiny shape beside a large one reaches far: to about 30 / shape.
        const double farthest = std::max(math::abs(t.front()), math::abs(t.back()));
        if ((arm.a + arm.b) * std::max(1.0, 0.1 * farthest) > 1e6) {
            for (std::size_t m = 0; m < out.size(); ++m) {
                out[m] = arm.log_peak + arm.below_peak(t[m] - arm.mode);
            }
            return;
        }
        const double total = arm.a + arm.b;
        for (std::size_t m = 0; m < out.size(); ++m) {
            out[m] = arm.constant + arm.a * t[m] - total * shared[m];
        }
    }

private:
    struct Arm {
        double a;
        double b;
        double mode;
        double log_peak = 0.0;
        double constant = 0.0;
        double scale = 0.0;  // at the mode
        double bend = 0.0;   // 0 if there is none

        // log of f(mode + d) / f(mode), without the cancellation of terms of the size of a + b.
        [[nodiscard]] double below_peak(double d) const noexcept {
            const double p = a / (a + b);
            return p < 0.5 ? a * d - (a + b) * log_mix(p, d) : -b * d - (a + b) * log_mix(b / (a + b), -d);
        }

        // log(1 - share + share exp(x)); exp overflows for the distances that small shapes reach.
        [[nodiscard]] static double log_mix(double share, double x) noexcept {
            return x > 30.0 ? x + math::log(share + (1.0 - share) * math::exp(-x))
                            : math::log1p(share * __builtin_expm1(x));
        }
    };

    std::vector<Arm> arms_;
};

/// Normal distributions.
class NormalPosteriors {
public:
    NormalPosteriors(std::span<const double> means, std::span<const double> deviations)
        : means_(means), deviations_(deviations) {}

    [[nodiscard]] std::size_t size() const noexcept { return means_.size(); }
    [[nodiscard]] Support support(std::size_t i) const noexcept {
        const double reach = 7.8 * deviations_[i];
        return {.low = means_[i] - reach, .high = means_[i] + reach};
    }
    [[nodiscard]] double scale(std::size_t i, double /*t*/) const noexcept { return deviations_[i]; }
    [[nodiscard]] static double widest_panel(double /*t*/) noexcept { return std::numeric_limits<double>::infinity(); }
    [[nodiscard]] static Nodes shared(const Nodes& t) noexcept { return t; }
    void log_density(std::size_t i, const Nodes& t, const Nodes& /*shared*/, Nodes& out) const noexcept {
        const double constant = -math::log(deviations_[i] * math::sqrt(2.0 * std::numbers::pi));
        for (std::size_t m = 0; m < out.size(); ++m) {
            const double z = (t[m] - means_[i]) / deviations_[i];
            out[m] = constant - 0.5 * z * z;
        }
    }

private:
    std::span<const double> means_;
    std::span<const double> deviations_;
};

}  // namespace bandits::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel
