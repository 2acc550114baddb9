// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>

#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numbers>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace funnel::inline FUNNEL_ABI {

/// Philox4x32-10: a keyed function from a 128-bit counter to 128 random bits. It has no state, so any draw of any
/// stream can be had directly, in any order and by any thread.
///
/// Source    Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011
[[nodiscard]] constexpr std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                                                std::array<std::uint32_t, 2> key) noexcept {
    for (int round = 0; round < 10; ++round) {
        const std::uint64_t a = std::uint64_t{0xD2511F53} * counter[0];
        const std::uint64_t b = std::uint64_t{0xCD9E8D57} * counter[2];
        counter = {static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(b),
                   static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(a)};
        key[0] += 0x9E3779B9;
        key[1] += 0xBB67AE85;
    }
    return counter;
}

namespace detail {

// Horner's scheme with one rounding a step, which every machine does alike; a compiler may not re-associate it.
template <std::size_t N>
[[nodiscard]] inline double polynomial(const std::array<double, N>& coefficients, double x) noexcept {
    double sum = coefficients[N - 1];
    for (std::size_t i = N - 1; i-- > 0;) {
        sum = math::fma(sum, x, coefficients[i]);
    }
    return sum;
}

// Natural logarithm of a positive normal number (not checked), to about 1e-15: the C library's differs between
// machines.
[[nodiscard]] inline double portable_log(double x) noexcept {
    FUNNEL_ASSERT(x >= std::numeric_limits<double>::min() && math::is_finite(x));
    const auto bits = std::bit_cast<std::uint64_t>(x);
    auto exponent = static_cast<int>(bits >> 52) - 1023;
    auto mantissa = std::bit_cast<double>((bits & 0xFFFFFFFFFFFFF) | 0x3FF0000000000000);
    if (mantissa > std::numbers::sqrt2) {
        mantissa *= 0.5;
        ++exponent;
    }
    const double s = (mantissa - 1.0) / (mantissa + 1.0);  // log m = 2 (s + s^3/3 + s^5/5 + ...), |s| < 0.172
    constexpr std::array series{1.0,      1.0 / 3,  1.0 / 5,  1.0 / 7,  1.0 / 9, 1.0 / 11,
                                1.0 / 13, 1.0 / 15, 1.0 / 17, 1.0 / 19, 1.0 / 21};
    return math::fma(exponent, std::numbers::ln2, 2.0 * s * polynomial(series, s * s));
}

// The point below which a standard normal variable lies with probability p in (0, 1) (not checked).
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

}  // namespace detail

/// A source of random numbers: one of 2^64 independent streams of a seed. The same seed and stream give the same bits
/// on every machine, compiler and standard library.
///
/// Give each row, user or step a stream of its own, and results do not depend on who draws first:
///
///     parallel_for(executor, users, 64, [&](std::size_t user) { Random random(seed, user); ... });
///
/// It also fits the standard's distributions and algorithms, whose results differ between standard libraries, though.
class Random {
public:
    using result_type = std::uint32_t;

    explicit Random(std::uint64_t seed, std::uint64_t stream = 0) noexcept : seed_(seed), stream_(stream) {}

    [[nodiscard]] static constexpr result_type min() noexcept { return 0; }
    [[nodiscard]] static constexpr result_type max() noexcept { return std::numeric_limits<result_type>::max(); }

    /// 32 random bits.
    result_type operator()() noexcept {
        if (used_ == 4) {
            block_ =
                philox4x32({low(position_), high(position_), low(stream_), high(stream_)}, {low(seed_), high(seed_)});
            ++position_;
            used_ = 0;
        }
        return block_[used_++];
    }

    /// Skips draws, as std's engines do: what follows is as if operator() had been called that often before. O(1).
    void discard(std::uint64_t draws) noexcept {
        const std::uint64_t left = 4 - used_;  // of the block at hand
        if (draws < left) {
            used_ += static_cast<unsigned>(draws);
            return;
        }
        position_ += (draws - left) / 4;
        used_ = 4;
        for (std::uint64_t i = 0; i < (draws - left) % 4; ++i) {
            (*this)();
        }
    }

    /// A number in (0, 1), of 2^52 equally likely ones; never 0 or 1.
    [[nodiscard]] double uniform() noexcept { return (static_cast<double>(bits64() >> 12) + 0.5) * 0x1p-52; }

    /// Standard normal: mean 0, variance 1.
    [[nodiscard]] double normal() noexcept { return detail::normal_quantile(uniform()); }

    /// A whole number in [0, n), each equally likely.
    ///
    /// Errors    InvalidArgument if n is 0
    [[nodiscard]] std::uint64_t below(std::uint64_t n) {
        require(n > 0, "Random: below(n) needs n > 0");
        if (n <= std::uint64_t{1} << 32) {
            // Lemire, "Fast random integer generation in an interval", TOMACS 2019: the high half of bits * n, where
            // the few products whose low half would make some results likelier are drawn again.
            std::uint64_t product = (*this)() * n;
            if (low(product) < n) {
                const auto unfair = static_cast<std::uint32_t>((std::uint64_t{1} << 32) % n);
                while (low(product) < unfair) {
                    product = (*this)() * n;
                }
            }
            return product >> 32;
        }
        const int unused = std::countl_zero(n - 1);
        std::uint64_t draw = bits64() >> unused;
        while (draw >= n) {
            draw = bits64() >> unused;
        }
        return draw;
    }

    /// Puts the elements into one of their n! orders, each equally likely (Fisher-Yates, from the back).
    template <class T>
    void shuffle(std::span<T> elements) {
        for (std::size_t i = elements.size(); i > 1; --i) {
            std::swap(elements[i - 1], elements[below(i)]);
        }
    }

    /// The numbers 0 .. n - 1 in one of their n! orders: the ascending ones, shuffled.
    ///
    /// Errors    InvalidArgument if an I cannot hold n - 1
    template <std::integral I>
    [[nodiscard]] std::vector<I> permutation(std::size_t n) {
        require(n == 0 || n - 1 <= static_cast<std::make_unsigned_t<I>>(std::numeric_limits<I>::max()),
                "Random: permutation(n) needs a type of numbers that holds n - 1");
        std::vector<I> numbers(n);
        for (std::size_t i = 0; i < n; ++i) {
            numbers[i] = static_cast<I>(i);
        }
        shuffle(std::span<I>(numbers.data(), n));
        return numbers;
    }

private:
    static constexpr std::uint32_t low(std::uint64_t x) noexcept { return static_cast<std::uint32_t>(x); }
    static constexpr std::uint32_t high(std::uint64_t x) noexcept { return static_cast<std::uint32_t>(x >> 32); }

    std::uint64_t bits64() noexcept {
        const std::uint64_t first = (*this)();
        return first << 32 | (*this)();
    }

    std::uint64_t seed_;
    std::uint64_t stream_;
    std::uint64_t position_ = 0;
    std::array<std::uint32_t, 4> block_{};
    unsigned used_ = 4;
};

}  // namespace funnel
