// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/scalar/beta.hpp>
#include <funnel/kernels/simd/lanes.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

namespace simd {

/// The functions of scalar/beta.hpp, operation by operation, on lanes.
template <class L>
struct BetaLanes {
    using Float = typename L::Float;
    using Word = typename L::Word;
    using Mask = typename L::Mask;

    template <std::size_t N>
    [[nodiscard, gnu::always_inline]] static inline Float horner(const std::array<float, N>& coefficients,
                                                                 Float x) noexcept {
        Float sum = L::all(coefficients[0]);
        for (std::size_t i = 1; i < N; ++i) {
            sum = L::fma(sum, x, L::all(coefficients[i]));
        }
        return sum;
    }

    [[nodiscard, gnu::always_inline]] static inline Float log_of(Float x) noexcept {
        const Word bits = L::as_word(x);
        const Word exponent = L::template signed_right<23>(L::sub_words(bits, L::all_words(0x3F35'04F3U)));
        const Float m = L::as_float(L::sub_words(bits, L::template left<23>(exponent)));
        const Float f = L::sub(m, L::all(1.0F));
        const Float square = L::mul(f, f);
        const Float cubic = L::fma(horner(kernels::detail::log_coefficients, f), f, L::all(1.0F / 3.0F));
        const Float small = L::add(L::fma(L::all(-0.5F), square, L::mul(L::mul(f, square), cubic)), f);
        return L::fma(L::to_float(exponent), L::all(kernels::detail::ln2), small);
    }

    [[nodiscard, gnu::always_inline]] static inline Float exp_of(Float x) noexcept {
        const Mask is_tiny = L::is_less(x, L::all(kernels::detail::least_exponent));
        x = L::select(is_tiny, L::all(0.0F), x);
        const Word k = L::to_word(L::fma(x, L::all(kernels::detail::log2_e), L::all(-0.5F)));
        const Float minus_k = L::sub(L::all(0.0F), L::to_float(k));
        const Float r =
            L::fma(minus_k, L::all(kernels::detail::ln2_low), L::fma(minus_k, L::all(kernels::detail::ln2_high), x));
        const Float y = L::add(L::fma(horner(kernels::detail::exp_coefficients, r), L::mul(r, r), r), L::all(1.0F));
        const Float result = L::as_float(L::add_words(L::as_word(y), L::template left<23>(k)));
        return L::select(is_tiny, L::all(0.0F), result);
    }

    [[nodiscard, gnu::always_inline]] static inline Float uniform_of(Word word) noexcept {
        return L::mul(L::add(L::to_float(L::template right<9>(word)), L::all(0.5F)), L::all(0x1p-23F));
    }

    struct NormalPair {
        Float x;
        Float y;
    };

    [[nodiscard, gnu::always_inline]] static inline NormalPair normals_of(Word radius, Word angle) noexcept {
        const Float length = L::sqrt(L::mul(L::all(-2.0F), log_of(uniform_of(radius))));
        const Word steps =
            L::sub_words(L::bit_and(L::template right<7>(angle), L::all_words(0x7F'FFFFU)), L::all_words(0x40'0000U));
        const Float r = L::mul(L::add(L::to_float(steps), L::all(0.5F)), L::all(kernels::detail::angle_unit));
        const Float square = L::mul(r, r);
        const Float sine = L::fma(L::mul(horner(kernels::detail::sine_coefficients, square), square), r, r);
        const Float cosine = L::fma(L::mul(horner(kernels::detail::cosine_coefficients, square), square), square,
                                    L::fma(L::all(-0.5F), square, L::all(1.0F)));
        const Float signed_cosine =
            L::as_float(L::bit_xor(L::as_word(cosine), L::bit_and(angle, L::all_words(0x8000'0000U))));
        const Mask is_swapped = L::template has_bit<30>(angle);
        return {L::mul(length, L::select(is_swapped, sine, signed_cosine)),
                L::mul(length, L::select(is_swapped, signed_cosine, sine))};
    }

    struct GammaShape {
        Float d;
        Float c;

        [[gnu::always_inline]] explicit GammaShape(Float shape) noexcept {
            const Float one = L::all(1.0F);
            d = L::sub(L::select(L::is_less(shape, one), L::add(shape, one), shape), L::all(1.0F / 3.0F));
            c = L::div(one, L::sqrt(L::mul(L::all(9.0F), d)));
        }

        [[nodiscard, gnu::always_inline]] Mask accepts(Float x, Float v, Float u, Mask is_open) const noexcept {
            const Float square = L::mul(x, x);
            const Mask is_positive = L::both(is_open, L::is_less(L::all(0.0F), v));
            const Mask is_sure =
                L::both(is_positive, L::is_less(u, L::fma(L::all(-0.0331F), L::mul(square, square), L::all(1.0F))));
            const Mask is_unsure = L::without(is_positive, is_sure);
            if (!L::any(is_unsure)) {
                return is_sure;
            }
            const Float e = L::mul(c, x);
            const Mask is_near = L::without(L::is_less(v, L::all(1.4142F)), L::is_less(v, L::all(0.7071F)));
            const Float near = L::mul(L::mul(L::mul(L::all(3.0F), d), L::mul(L::mul(e, e), L::mul(e, e))),
                                      horner(kernels::detail::log_coefficients, e));
            Float bound = near;
            if (L::any(L::without(is_unsure, is_near))) {
                const Float minus_square = L::sub(L::all(0.0F), L::mul(v, v));
                const Float far =
                    L::fma(L::all(0.5F), square,
                           L::mul(d, L::fma(L::all(3.0F), log_of(v), L::fma(minus_square, v, L::all(1.0F)))));
                bound = L::select(is_near, near, far);
            }
            return L::either(is_sure, L::both(is_unsure, L::is_less(log_of(u), bound)));
        }
    };

    template <bool IsLogit>
    [[nodiscard, gnu::always_inline]] static inline Float draw(Float a, Float b, std::array<std::uint32_t, 2> key,
                                                               std::uint64_t step, std::uint32_t position) noexcept {
        const Float one = L::all(1.0F);
        const Float zero = L::all(0.0F);
        const Word positions = L::add_words(L::iota(), L::all_words(position));
        const Word low = L::all_words(static_cast<std::uint32_t>(step));
        const Word high = L::all_words(static_cast<std::uint32_t>(step >> 32));
        const GammaShape first(a);
        const GammaShape second(b);
        Float x = zero;
        Float y = zero;
        Mask x_is_open = L::is_less(zero, one);  // all lanes
        Mask y_is_open = x_is_open;
        for (std::uint32_t attempt = 0; L::any(L::either(x_is_open, y_is_open)); ++attempt) {
            const auto words = philox4x32<L>({positions, low, high, L::all_words(attempt)}, key);
            const NormalPair normal = normals_of(words[0], words[1]);
            const Float root_x = L::fma(first.c, normal.x, one);
            const Mask x_now = first.accepts(normal.x, root_x, uniform_of(words[2]), x_is_open);
            x = L::select(x_now, root_x, x);
            x_is_open = L::without(x_is_open, x_now);
            const Float root_y = L::fma(second.c, normal.y, one);
            const Mask y_now = second.accepts(normal.y, root_y, uniform_of(words[3]), y_is_open);
            y = L::select(y_now, root_y, y);
            y_is_open = L::without(y_is_open, y_now);
        }
        const Float gamma_x = L::mul(first.d, L::mul(L::mul(x, x), x));
        const Float gamma_y = L::mul(second.d, L::mul(L::mul(y, y), y));
        const Mask a_is_boosted = L::is_less(a, one);
        const Mask b_is_boosted = L::is_less(b, one);
        const Mask is_boosted = L::either(a_is_boosted, b_is_boosted);
        Float plain = zero;
        if (!IsLogit) {
            plain = L::div(one, L::add(one, L::div(gamma_y, gamma_x)));
            if (!L::any(is_boosted)) {
                return plain;
            }
        }
        Float logit = log_of(L::div(gamma_x, gamma_y));
        if (L::any(is_boosted)) {
            const auto words = philox4x32<L>({positions, low, high, L::all_words(kernels::detail::boost_attempt)}, key);
            const Float boost_a = L::div(log_of(uniform_of(words[0])), a);
            const Float boost_b = L::div(log_of(uniform_of(words[1])), b);
            logit = L::add(logit, L::select(a_is_boosted, boost_a, zero));
            logit = L::sub(logit, L::select(b_is_boosted, boost_b, zero));
        }
        if (IsLogit) {
            return logit;
        }
        const Mask is_negative = L::is_less(logit, zero);
        const Float minus_magnitude = L::select(is_negative, logit, L::sub(zero, logit));
        const Float small = exp_of(minus_magnitude);
        const Float boosted = L::div(L::select(is_negative, small, one), L::add(one, small));
        return L::select(is_boosted, boosted, plain);
    }
};

template <class Arch>
concept HasLanes = requires { Lanes<Arch>::size; };

template <class Arch, bool IsLogit>
void beta_draws(std::span<const float> a, std::span<const float> b, std::array<std::uint32_t, 2> key,
                std::uint64_t step, std::span<float> out) noexcept {
    if constexpr (HasLanes<Arch>) {
        using L = Lanes<Arch>;
        std::size_t i = 0;
        for (; out.size() - i >= L::size; i += L::size) {
            L::store(out.data() + i, BetaLanes<L>::template draw<IsLogit>(L::load(a.data() + i), L::load(b.data() + i),
                                                                          key, step, static_cast<std::uint32_t>(i)));
        }
        if (i < out.size()) {  // the rest, with shapes that are accepted soon in the lanes that nobody reads
            std::array<float, L::size> rest_a;
            std::array<float, L::size> rest_b;
            std::array<float, L::size> drawn;
            rest_a.fill(100.0F);
            rest_b.fill(100.0F);
            const std::size_t count = out.size() - i;
            for (std::size_t j = 0; j < count; ++j) {
                rest_a[j] = a[i + j];
                rest_b[j] = b[i + j];
            }
            L::store(drawn.data(), BetaLanes<L>::template draw<IsLogit>(L::load(rest_a.data()), L::load(rest_b.data()),
                                                                        key, step, static_cast<std::uint32_t>(i)));
            for (std::size_t j = 0; j < count; ++j) {
                out[i + j] = drawn[j];
            }
        }
    } else {
        kernels::detail::beta_draws<IsLogit>(a, b, key, step, out);
    }
}

}  // namespace simd

template <class Arch>
void beta(Simd<Arch>, std::span<const float> a, std::span<const float> b, std::array<std::uint32_t, 2> key,
          std::uint64_t step, std::span<float> out) noexcept {
    simd::beta_draws<Arch, false>(a, b, key, step, out);
}

template <class Arch>
void beta_logit(Simd<Arch>, std::span<const float> a, std::span<const float> b, std::array<std::uint32_t, 2> key,
                std::uint64_t step, std::span<float> out) noexcept {
    simd::beta_draws<Arch, true>(a, b, key, step, out);
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel
