// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/scalar/beta.hpp>
#include <funnel/kernels/simd/lanes.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <iterator>
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

    template <const auto& Coefficients>
    [[nodiscard, gnu::always_inline]] static inline Float horner(Float x) noexcept {
        Float sum = L::all(Coefficients[0]);
        for (std::size_t i = 1; i < std::size(Coefficients); ++i) {
            sum = L::fma(sum, x, L::all(Coefficients[i]));
        }
        return sum;
    }

    [[nodiscard, gnu::always_inline]] static inline Float log_of(Float x) noexcept {
        const Word bits = L::as_word(x);
        const Word exponent = L::template signed_right<23>(L::sub_words(bits, L::all_words(0x3F35'04F3U)));
        const Float m = L::as_float(L::sub_words(bits, L::template left<23>(exponent)));
        const Float f = L::sub(m, L::all(1.0F));
        const Float square = L::mul(f, f);
        const Float cubic = L::fma(horner<kernels::detail::log_coefficients>(f), f, L::all(1.0F / 3.0F));
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
        const Float y = L::add(L::fma(horner<kernels::detail::exp_coefficients>(r), L::mul(r, r), r), L::all(1.0F));
        const Float result = L::as_float(L::add_words(L::as_word(y), L::template left<23>(k)));
        return L::select(is_tiny, L::all(0.0F), result);
    }

    [[nodiscard, gnu::always_inline]] static inline Float reciprocal_root(Float x) noexcept {
        const Float minus_half = L::mul(L::all(-0.5F), x);
        const Word half_bits = L::template right<1>(L::as_word(x));
        Float y = L::as_float(L::sub_words(L::all_words(kernels::detail::root_guess), half_bits));
        for (int step = 0; step < 3; ++step) {
            y = L::fma(y, L::fma(minus_half, L::mul(y, y), L::all(0.5F)), y);
        }
        return y;
    }

    [[nodiscard, gnu::always_inline]] static inline Float uniform_of(Word word) noexcept {
        return L::fma(L::to_float(L::template right<9>(word)), L::all(0x1p-23F), L::all(0x1p-24F));  // exact
    }

    struct NormalPair {
        Float x;
        Float y;
    };

    [[nodiscard, gnu::always_inline]] static inline NormalPair normals_of(Word radius, Word angle) noexcept {
        const Float squared_length = L::mul(L::all(-2.0F), log_of(uniform_of(radius)));
        const Float length = L::mul(squared_length, reciprocal_root(squared_length));
        const Word steps =
            L::sub_words(L::bit_and(L::template right<7>(angle), L::all_words(0x7F'FFFFU)), L::all_words(0x40'0000U));
        const Float r = L::mul(L::add(L::to_float(steps), L::all(0.5F)), L::all(kernels::detail::angle_unit));
        const Float square = L::mul(r, r);
        const Float sine = L::fma(L::mul(horner<kernels::detail::sine_coefficients>(square), square), r, r);
        const Float cosine = L::fma(L::mul(horner<kernels::detail::cosine_coefficients>(square), square), square,
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
            c = reciprocal_root(L::mul(L::all(9.0F), d));
        }

        [[nodiscard, gnu::always_inline]] Float cube_root(Float x) const noexcept { return L::fma(c, x, L::all(1.0F)); }

        [[nodiscard, gnu::always_inline]] Mask is_surely_accepted(Float x, Float u) const noexcept {
            const Float one = L::all(1.0F);
            const Float cx2 = L::mul(L::mul(c, x), x);
            return L::is_less(L::mul(L::all(1.0F / 12.0F), L::mul(cx2, cx2)),
                              L::mul(L::sub(one, u), L::fma(L::minus_abs(x), c, one)));
        }

        [[nodiscard, gnu::always_inline]] Mask is_accepted(Float x, Float u) const noexcept {
            const Float v = cube_root(x);
            const Float e = L::mul(c, x);
            const Float near = L::mul(L::mul(L::mul(L::all(3.0F), d), L::mul(L::mul(e, e), L::mul(e, e))),
                                      horner<kernels::detail::log_coefficients>(e));
            const Float minus_square = L::sub(L::all(0.0F), L::mul(v, v));
            const Float far = L::fma(L::all(0.5F), L::mul(x, x),
                                     L::mul(d, L::fma(L::all(3.0F), log_of(v), L::fma(minus_square, v, L::all(1.0F)))));
            const Mask is_near = L::without(L::is_less(v, L::all(kernels::detail::root_two)),
                                            L::is_less(v, L::all(kernels::detail::root_half)));
            return L::both(L::is_less(L::all(0.0F), v), L::is_less(log_of(u), L::select(is_near, near, far)));
        }

        [[nodiscard, gnu::always_inline]] Mask accepts(Float x, Float u) const noexcept {
            return L::either(is_surely_accepted(x, u), is_accepted(x, u));
        }
    };

    struct Counter {  // of the Philox blocks of each lane's draw
        Word position;
        std::uint64_t step;
        std::array<std::uint32_t, 2> key;

        [[nodiscard, gnu::always_inline]] auto words(std::uint32_t attempt) const noexcept {
            return philox4x32<L>({position, L::all_words(static_cast<std::uint32_t>(step)),
                                  L::all_words(static_cast<std::uint32_t>(step >> 32)), L::all_words(attempt)},
                                 key);
        }
    };

    /// Of the draws from `position` on.
    [[nodiscard, gnu::always_inline]] static inline Counter counter(std::size_t position, std::uint64_t step,
                                                                    std::array<std::uint32_t, 2> key) noexcept {
        return {L::add_words(L::iota(), L::all_words(static_cast<std::uint32_t>(position))), step, key};
    }

    using Memory = std::array<std::array<std::uint32_t, L::size>, 4>;  // the four words of each lane's block

    struct Attempt {
        Float drawn;
        Mask is_done;  // in the lanes that need no second attempt and no logarithm to know it
    };

    /// The first attempt, for shapes of at least 1: all that most draws need.
    template <bool IsLogit>
    [[nodiscard, gnu::always_inline]] static inline Attempt first_attempt(Float a, Float b,
                                                                          const Memory& words) noexcept {
        const auto load = [&](std::size_t word)
                              __attribute__((always_inline)) { return L::load_words(words[word].data()); };
        const GammaShape first(a);
        const GammaShape second(b);
        const NormalPair normal = normals_of(load(0), load(1));
        const Mask is_done = L::both(first.is_surely_accepted(normal.x, uniform_of(load(2))),
                                     second.is_surely_accepted(normal.y, uniform_of(load(3))));
        return {ratio<IsLogit>(first, second, first.cube_root(normal.x), second.cube_root(normal.y)), is_done};
    }

    template <bool IsLogit>
    [[nodiscard, gnu::always_inline]] static inline Float ratio(const GammaShape& first, const GammaShape& second,
                                                                Float x, Float y) noexcept {
        const Float x3 = L::mul(L::mul(x, x), x);
        const Float gamma_x = L::mul(first.d, x3);
        const Float gamma_y = L::mul(second.d, L::mul(L::mul(y, y), y));
        return IsLogit ? log_of(L::div(gamma_x, gamma_y)) : L::div(gamma_x, L::fma(first.d, x3, gamma_y));
    }

    template <bool IsLogit>
    [[nodiscard]] static Float draw(Float a, Float b, const Counter& counter) noexcept {
        const Float one = L::all(1.0F);
        const Float zero = L::all(0.0F);
        const GammaShape first(a);
        const GammaShape second(b);
        Float x = zero;
        Float y = zero;
        Mask x_is_open = L::every();
        Mask y_is_open = L::every();
        for (std::uint32_t attempt = 0; L::any(L::either(x_is_open, y_is_open)); ++attempt) {
            const auto words = counter.words(attempt);
            const NormalPair normal = normals_of(words[0], words[1]);
            const Mask x_now = L::both(x_is_open, first.accepts(normal.x, uniform_of(words[2])));
            x = L::select(x_now, first.cube_root(normal.x), x);
            x_is_open = L::without(x_is_open, x_now);
            const Mask y_now = L::both(y_is_open, second.accepts(normal.y, uniform_of(words[3])));
            y = L::select(y_now, second.cube_root(normal.y), y);
            y_is_open = L::without(y_is_open, y_now);
        }
        const Mask a_is_boosted = L::is_less(a, one);
        const Mask b_is_boosted = L::is_less(b, one);
        const Mask is_boosted = L::either(a_is_boosted, b_is_boosted);
        if (!L::any(is_boosted)) {
            return ratio<IsLogit>(first, second, x, y);
        }
        const auto words = counter.words(kernels::detail::boost_attempt);
        const Float boost_a = L::div(log_of(uniform_of(words[0])), a);
        const Float boost_b = L::div(log_of(uniform_of(words[1])), b);
        Float logit = ratio<true>(first, second, x, y);
        logit = L::add(logit, L::select(a_is_boosted, boost_a, zero));
        logit = L::sub(logit, L::select(b_is_boosted, boost_b, zero));
        if (IsLogit) {
            return logit;
        }
        const Mask is_negative = L::is_less(logit, zero);
        const Float small = exp_of(L::select(is_negative, logit, L::sub(zero, logit)));
        const Float boosted = L::div(L::select(is_negative, small, one), L::add(one, small));
        return L::select(is_boosted, boosted, ratio<false>(first, second, x, y));
    }
};

template <class Arch>
concept HasLanes = requires { Lanes<Arch>::size; };

// Most draws are done after one attempt. The others wait until they fill all lanes, and start again. Four batches are
// transformed together: a single one would mostly wait for its own results. Their Philox blocks go through memory, two
// and two, because the registers do not hold the words of four.
template <class L, bool IsLogit>
void beta_draws(std::span<const float> a, std::span<const float> b, std::array<std::uint32_t, 2> key,
                std::uint64_t step, std::span<float> out) noexcept {
    using Four = Twice<Twice<L>>;
    std::array<std::uint32_t, Four::size + L::size> waiting{};  // positions
    std::size_t count = 0;
    const auto draw_waiting = [&] {
        std::array<float, L::size> some_a;
        std::array<float, L::size> some_b;
        std::array<float, L::size> drawn;
        const std::size_t taken = std::min(count, L::size);
        count -= taken;
        const std::uint32_t* const positions = waiting.data() + count;
        for (std::size_t j = 0; j < L::size; ++j) {
            some_a[j] = j < taken ? a[positions[j]] : 100.0F;  // accepted soon in the lanes that nobody reads
            some_b[j] = j < taken ? b[positions[j]] : 100.0F;
        }
        L::store(drawn.data(), BetaLanes<L>::template draw<IsLogit>(L::load(some_a.data()), L::load(some_b.data()),
                                                                    {L::load_words(positions), step, key}));
        for (std::size_t j = 0; j < taken; ++j) {
            out[positions[j]] = drawn[j];
        }
    };

    std::size_t i = 0;
    // As many draws as W has lanes. V: a W, or half of one.
    const auto draw_next = [&]<class W, class V>(W, V) __attribute__((always_inline)) {
        const auto as = W::load(a.data() + i);
        const auto bs = W::load(b.data() + i);
        if (W::any(W::either(W::is_less(as, W::all(1.0F)), W::is_less(bs, W::all(1.0F))))) {
            for (const std::size_t end = i + W::size; i < end; i += L::size) {
                L::store(out.data() + i,
                         BetaLanes<L>::template draw<IsLogit>(L::load(a.data() + i), L::load(b.data() + i),
                                                              BetaLanes<L>::counter(i, step, key)));
            }
            return;
        }
        alignas(64) typename BetaLanes<W>::Memory words;
        for (std::size_t at = 0; at < W::size; at += V::size) {
            const auto block = BetaLanes<V>::counter(i + at, step, key).words(0);
            for (std::size_t c = 0; c < 4; ++c) {
                V::store_words(words[c].data() + at, block[c]);
            }
        }
        const auto attempt = BetaLanes<W>::template first_attempt<IsLogit>(as, bs, words);
        W::store(out.data() + i, attempt.drawn);
        for (std::uint64_t lanes = W::bits_of(W::without(W::every(), attempt.is_done)); lanes != 0;
             lanes &= lanes - 1) {
            waiting[count++] = static_cast<std::uint32_t>(i + static_cast<std::size_t>(std::countr_zero(lanes)));
        }
        while (count >= L::size) {
            draw_waiting();
        }
        i += W::size;
    };
    while (out.size() - i >= Four::size) {
        draw_next(Four{}, Twice<L>{});
    }
    while (out.size() - i >= L::size) {
        draw_next(L{}, L{});
    }
    for (; i < out.size(); ++i) {
        waiting[count++] = static_cast<std::uint32_t>(i);
    }
    while (count > 0) {  // NOLINT(bugprone-infinite-loop): draw_waiting lowers it
        draw_waiting();
    }
}

}  // namespace simd

template <class Arch>
void beta(Simd<Arch>, std::span<const float> a, std::span<const float> b, std::array<std::uint32_t, 2> key,
          std::uint64_t step, std::span<float> out) noexcept {
    if constexpr (simd::HasLanes<Arch>) {
        simd::beta_draws<simd::Lanes<Arch>, false>(a, b, key, step, out);
    } else {
        detail::beta_draws<false>(a, b, key, step, out);
    }
}

template <class Arch>
void beta_logit(Simd<Arch>, std::span<const float> a, std::span<const float> b, std::array<std::uint32_t, 2> key,
                std::uint64_t step, std::span<float> out) noexcept {
    if constexpr (simd::HasLanes<Arch>) {
        simd::beta_draws<simd::Lanes<Arch>, true>(a, b, key, step, out);
    } else {
        detail::beta_draws<true>(a, b, key, step, out);
    }
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel
