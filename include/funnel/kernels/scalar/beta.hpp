// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>
#include <funnel/core/math.hpp>
#include <funnel/kernels/backend.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <numbers>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

// Every backend must compute the same bits. Each fma is therefore explicit, and no product is added to anything else,
// because a compiler may fuse the two.
namespace detail {

// Plain arrays, because a device function may not index a std::array, not even for a constant.
// NOLINTBEGIN(modernize-avoid-c-arrays)
// log(1 + f) = f - f^2 / 2 + f^3 / 3 + f^4 q(f) for 1 + f in [sqrt(1/2), sqrt(2)]. Source: Moshier, Cephes (logf).
inline constexpr float log_coefficients[]{7.0376836292e-2F, -1.1514610310e-1F, 1.1676998740e-1F, -1.2420140846e-1F,
                                          1.4249322787e-1F, -1.6668057665e-1F, 2.0000714765e-1F, -2.4999993993e-1F};
// sin(r) = r + r^3 s(r^2) and cos(r) = 1 - r^2 / 2 + r^4 c(r^2) for |r| <= pi / 4. Source: as above (sinf).
inline constexpr float sine_coefficients[]{-1.9515295891e-4F, 8.3321608736e-3F, -1.6666654611e-1F};
inline constexpr float cosine_coefficients[]{2.443315711809948e-5F, -1.388731625493765e-3F, 4.166664568298827e-2F};
// exp(r) = 1 + r + r^2 e(r) for |r| <= log(2) / 2. Source: as above (expf).
inline constexpr float exp_coefficients[]{1.9875691500e-4F, 1.3981999507e-3F, 8.3334519073e-3F,
                                          4.1665795894e-2F, 1.6666665459e-1F, 5.0000001201e-1F};
// NOLINTEND(modernize-avoid-c-arrays)
inline constexpr float ln2 = std::numbers::ln2_v<float>;
// The first part has few bits, so that its product with a small integer is exact.
inline constexpr float ln2_high = 0.693359375F;  // NOLINT(modernize-use-std-numbers)
inline constexpr float ln2_low = -2.12194440e-4F;
inline constexpr float log2_e = std::numbers::log2e_v<float>;
inline constexpr float angle_unit = 1.57079632679490F * 0x1p-23F;  // a quarter of the circle has 2^23 angles
inline constexpr float root_half = 0.7071F;                        // nearly
inline constexpr float root_two = 1.4142F;                         // NOLINT(modernize-use-std-numbers): nearly
inline constexpr float least_exponent = -86.0F;                    // exp of less is no normal number, nearly
inline constexpr std::uint32_t root_guess = 0x5F37'59DFU;

// The block of a draw that raises shapes below 1. No draw needs as many attempts.
inline constexpr std::uint32_t boost_attempt = 0xFFFF'FFFF;

[[nodiscard]] FUNNEL_HOST_DEVICE inline float fma(float x, float y, float z) noexcept {
    return __builtin_fmaf(x, y, z);
}
// memcpy, because a device function may not call std::bit_cast.
[[nodiscard]] FUNNEL_HOST_DEVICE inline std::uint32_t word_of(float x) noexcept {
    std::uint32_t word = 0;
    memcpy(&word, &x, sizeof word);
    return word;
}
[[nodiscard]] FUNNEL_HOST_DEVICE inline float float_of(std::uint32_t word) noexcept {
    float x = 0.0F;
    memcpy(&x, &word, sizeof x);
    return x;
}

// Each coefficient is a constant of its own, because a device function cannot read an array of the host.
template <const auto& Coefficients, std::size_t I = std::size(Coefficients) - 1>
[[nodiscard]] FUNNEL_HOST_DEVICE inline float horner(float x) noexcept {
    constexpr float coefficient = Coefficients[I];
    if constexpr (I == 0) {
        return coefficient;
    } else {
        return fma(horner<Coefficients, I - 1>(x), x, coefficient);
    }
}

// Natural logarithm of a positive normal number.
[[nodiscard]] FUNNEL_HOST_DEVICE inline float log_of(float x) noexcept {
    const auto bits = word_of(x);
    const std::int32_t exponent =
        static_cast<std::int32_t>(bits - 0x3F35'04F3U) >> 23;  // 2^exponent m, m in [sqrt(1/2), sqrt(2))
    const float m = float_of(bits - (static_cast<std::uint32_t>(exponent) << 23));
    const float f = m - 1.0F;
    const float square = f * f;
    const float cubic = fma(horner<log_coefficients>(f), f, 1.0F / 3.0F);
    const float small = fma(-0.5F, square, (f * square) * cubic) + f;
    return fma(static_cast<float>(exponent), ln2, small);
}

// exp(x) for x in [least_exponent, 0]; 0 for less.
[[nodiscard]] FUNNEL_HOST_DEVICE inline float exp_of(float x) noexcept {
    if (x < least_exponent) {
        return 0.0F;
    }
    const auto k = static_cast<std::int32_t>(fma(x, log2_e, -0.5F));
    const float r = fma(-static_cast<float>(k), ln2_low, fma(-static_cast<float>(k), ln2_high, x));
    const float y = fma(horner<exp_coefficients>(r), r * r, r) + 1.0F;
    return float_of(word_of(y) + (static_cast<std::uint32_t>(k) << 23));
}

// 1 / sqrt(x) of a positive normal number, to 2e-7 of it: Newton's method from a guess that halves the exponent. On
// vectors, a root and a division would take as long as half of a draw.
[[nodiscard]] FUNNEL_HOST_DEVICE inline float reciprocal_root(float x) noexcept {
    const float minus_half = -0.5F * x;
    float y = float_of(root_guess - (word_of(x) >> 1));
    for (int step = 0; step < 3; ++step) {
        y = fma(y, fma(minus_half, y * y, 0.5F), y);
    }
    return y;
}

// Uniform in (0, 1), one of 2^23 values, never 0 or 1: with a 24th bit, the largest one would round to 1.
[[nodiscard]] FUNNEL_HOST_DEVICE inline float uniform_of(std::uint32_t word) noexcept {
    return (static_cast<float>(static_cast<std::int32_t>(word >> 9)) + 0.5F) * 0x1p-23F;
}

struct NormalPair {
    float x;
    float y;
};

// Two independent standard normal numbers (Box-Muller). The top bits of `angle` choose one of four arcs.
[[nodiscard]] FUNNEL_HOST_DEVICE inline NormalPair normals_of(std::uint32_t radius, std::uint32_t angle) noexcept {
    const float squared_length = -2.0F * log_of(uniform_of(radius));
    const float length = squared_length * reciprocal_root(squared_length);
    const auto steps = static_cast<std::int32_t>(angle >> 7 & 0x7F'FFFFU) - 0x40'0000;
    const float r = (static_cast<float>(steps) + 0.5F) * angle_unit;
    const float square = r * r;
    const float sine = fma(horner<sine_coefficients>(square) * square, r, r);
    const float cosine = fma(horner<cosine_coefficients>(square) * square, square, fma(-0.5F, square, 1.0F));
    const float signed_cosine = float_of(word_of(cosine) ^ (angle & 0x8000'0000U));
    const bool is_swapped = (angle & 0x4000'0000U) != 0;
    return {length * (is_swapped ? sine : signed_cosine), length * (is_swapped ? signed_cosine : sine)};
}

// A gamma distribution with shape d + 1/3 >= 1, as d (1 + c x)^3 for a normal number x that is accepted.
struct GammaShape {
    float d;
    float c;

    FUNNEL_HOST_DEVICE explicit GammaShape(float shape) noexcept
        : d((shape < 1.0F ? shape + 1.0F : shape) - 1.0F / 3.0F), c(reciprocal_root(9.0F * d)) {}

    [[nodiscard]] FUNNEL_HOST_DEVICE float cube_root(float x) const noexcept { return fma(c, x, 1.0F); }

    // Whether x is accepted: log u < x^2 / 2 + d (1 - v^3 + 3 log v) with v = 1 + e and e = c x. The right side is
    // 3 d times the series -e^4 / 4 + e^5 / 5 - ..., which is at least -(c^2 / 12) x^4 / (1 - |e|). So most x are
    // accepted without a logarithm.
    [[nodiscard]] FUNNEL_HOST_DEVICE bool accepts(float x, float u) const noexcept {
        return is_surely_accepted(x, u) || is_accepted(x, u);
    }

    [[nodiscard]] FUNNEL_HOST_DEVICE bool is_surely_accepted(float x, float u) const noexcept {
        const float cx2 = (c * x) * x;
        return (1.0F - u) * fma(-math::abs(x), c, 1.0F) > (1.0F / 12.0F) * (cx2 * cx2);
    }

    // For small e, the series is summed as e^4 q(e), because the terms of the right side cancel for large d.
    [[nodiscard]] FUNNEL_HOST_DEVICE bool is_accepted(float x, float u) const noexcept {
        const float v = cube_root(x);
        if (!(v > 0.0F)) {
            return false;
        }
        const float e = c * x;
        const float bound = v >= root_half && v < root_two
                                ? (3.0F * d) * ((e * e) * (e * e)) * horner<log_coefficients>(e)
                                : fma(0.5F, x * x, d * fma(3.0F, log_of(v), fma(-(v * v), v, 1.0F)));
        return log_of(u) < bound;
    }
};

// The Philox blocks of a draw: philox4x32 of core/rng.hpp again, on plain words.
struct DrawBlocks {
    std::uint32_t key[2];  // NOLINT(modernize-avoid-c-arrays): a device function may not index a std::array
    std::uint64_t step;
    std::uint32_t position;

    struct Words {
        std::uint32_t a;
        std::uint32_t b;
        std::uint32_t c;
        std::uint32_t d;
    };

    [[nodiscard]] FUNNEL_HOST_DEVICE Words words(std::uint32_t attempt) const noexcept {
        Words now{position, static_cast<std::uint32_t>(step), static_cast<std::uint32_t>(step >> 32), attempt};
        std::uint32_t first_key = key[0];
        std::uint32_t second_key = key[1];
        for (int round = 0; round < 10; ++round) {
            const std::uint64_t x = std::uint64_t{0xD2511F53} * now.a;
            const std::uint64_t y = std::uint64_t{0xCD9E8D57} * now.c;
            now = {static_cast<std::uint32_t>(y >> 32) ^ now.b ^ first_key, static_cast<std::uint32_t>(y),
                   static_cast<std::uint32_t>(x >> 32) ^ now.d ^ second_key, static_cast<std::uint32_t>(x)};
            first_key += 0x9E3779B9;
            second_key += 0xBB67AE85;
        }
        return now;
    }
};

// One draw of log(X / (1 - X)), or of X itself.
template <bool IsLogit>
[[nodiscard]] FUNNEL_HOST_DEVICE inline float beta_draw(float a, float b, const DrawBlocks& blocks) noexcept {
    const GammaShape first(a);
    const GammaShape second(b);
    float x = 0.0F;  // the cube roots of the two gammas, over d; 0 until one is accepted
    float y = 0.0F;
    for (std::uint32_t attempt = 0; !(x > 0.0F && y > 0.0F); ++attempt) {
        const DrawBlocks::Words words = blocks.words(attempt);
        const NormalPair normal = normals_of(words.a, words.b);
        if (!(x > 0.0F) && first.accepts(normal.x, uniform_of(words.c))) {
            x = first.cube_root(normal.x);
        }
        if (!(y > 0.0F) && second.accepts(normal.y, uniform_of(words.d))) {
            y = second.cube_root(normal.y);
        }
    }
    const float gamma_x = first.d * ((x * x) * x);
    const float gamma_y = second.d * ((y * y) * y);
    const bool is_boosted = a < 1.0F || b < 1.0F;
    if (!IsLogit && !is_boosted) {
        return gamma_x / fma(first.d, (x * x) * x, gamma_y);
    }
    float logit = log_of(gamma_x / gamma_y);
    if (is_boosted) {  // Gamma(a) = Gamma(a + 1) U^(1 / a), which underflows unless it stays a logarithm
        const DrawBlocks::Words words = blocks.words(boost_attempt);
        logit = logit + (a < 1.0F ? log_of(uniform_of(words.a)) / a : 0.0F);
        logit = logit - (b < 1.0F ? log_of(uniform_of(words.b)) / b : 0.0F);
    }
    if (IsLogit) {
        return logit;
    }
    const float small = exp_of(-math::abs(logit));
    return (logit < 0.0F ? small : 1.0F) / (1.0F + small);
}

template <bool IsLogit>
void beta_draws(std::span<const float> a, std::span<const float> b, std::array<std::uint32_t, 2> key,
                std::uint64_t step, std::span<float> out) noexcept {
    for (std::size_t i = 0; i < out.size(); ++i) {
        out[i] = beta_draw<IsLogit>(a[i], b[i], {{key[0], key[1]}, step, static_cast<std::uint32_t>(i)});
    }
}

}  // namespace detail

inline void beta(Scalar, std::span<const float> a, std::span<const float> b, std::array<std::uint32_t, 2> key,
                 std::uint64_t step, std::span<float> out) noexcept {
    detail::beta_draws<false>(a, b, key, step, out);
}

inline void beta_logit(Scalar, std::span<const float> a, std::span<const float> b, std::array<std::uint32_t, 2> key,
                       std::uint64_t step, std::span<float> out) noexcept {
    detail::beta_draws<true>(a, b, key, step, out);
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel
