// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/kernels/half.hpp>

#include "support/backends.hpp"

#include <funnel/core/rng.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

using funnel::kernels::BFloat16;
using funnel::kernels::Float16;
using funnel::kernels::to_float;
using funnel::kernels::to_half;
using namespace funnel::testing;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

// The bits of each format, as the standard defines them.
template <class H>
struct Format;
template <>
struct Format<Float16> {
    static constexpr int fraction = 10;
    static constexpr int bias = 15;
};
template <>
struct Format<BFloat16> {
    static constexpr int fraction = 7;
    static constexpr int bias = 127;
};

template <class H>
constexpr std::uint32_t infinity_code = (0x7FFFU >> Format<H>::fraction) << Format<H>::fraction;

// The value of a code that is not NaN; infinity counts as the power of two that would follow.
template <class H>
double value_of(std::uint32_t code) {
    const std::uint32_t size = code & 0x7FFFU;
    const int exponent = static_cast<int>(size >> Format<H>::fraction);
    const double fraction =
        static_cast<double>(size & ((1U << Format<H>::fraction) - 1U)) / static_cast<double>(1U << Format<H>::fraction);
    const double value = exponent == 0 ? std::ldexp(fraction, 1 - Format<H>::bias)
                                       : std::ldexp(1.0 + fraction, exponent - Format<H>::bias);
    return (code & 0x8000U) != 0 ? -value : value;
}

// The nearest code to a positive number by search among all, ties to the even code.
template <class H>
std::uint32_t nearest_code(float x) {
    std::uint32_t low = 0;
    std::uint32_t high = infinity_code<H>;
    const auto wide = static_cast<double>(x);
    while (high - low > 1) {
        const std::uint32_t middle = (low + high) / 2;
        (value_of<H>(middle) <= wide ? low : high) = middle;
    }
    if (wide >= value_of<H>(infinity_code<H>)) {
        return infinity_code<H>;
    }
    const double below = wide - value_of<H>(low);
    const double above = value_of<H>(high) - wide;
    return below < above || (below == above && low % 2 == 0) ? low : high;
}

template <class H>
std::vector<H> all_codes() {
    std::vector<H> codes;
    for (std::uint32_t code = 0; code <= 0xFFFFU; ++code) {
        codes.push_back({static_cast<std::uint16_t>(code)});
    }
    return codes;
}

template <class Backend, class H>
std::vector<H> halves_of(const std::vector<float>& x) {
    std::vector<H> out(x.size());
    to_half<Backend>(x, std::span<H>(out));
    return out;
}

template <class Backend, class H>
std::vector<float> floats_of(const std::vector<H>& x) {
    std::vector<float> out(x.size());
    to_float<Backend>(std::span<const H>(x), out);
    return out;
}

template <class Backend, class H>
void check_decoding() {
    const auto codes = all_codes<H>();
    const auto values = floats_of<Backend>(codes);
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < codes.size(); ++i) {
        const auto code = static_cast<std::uint32_t>(i);
        const auto bits = std::bit_cast<std::uint32_t>(values[i]);
        const std::uint32_t size = code & 0x7FFFU;
        const std::uint32_t sign = (code & 0x8000U) << 16;
        if (size > infinity_code<H>) {
            const bool is_nan = (bits & 0x7FFF'FFFFU) > 0x7F80'0000U && (bits & 0x8000'0000U) == sign;
            wrong += is_nan ? 0U : 1U;
        } else if (size == infinity_code<H>) {
            wrong += bits == (sign | 0x7F80'0000U) ? 0U : 1U;
        } else {  // as bits, because -0 equals 0
            const auto expected = static_cast<float>(value_of<H>(code));
            wrong += bits == std::bit_cast<std::uint32_t>(expected) ? 0U : 1U;
        }
        wrong += std::bit_cast<std::uint32_t>(codes[i].value()) == bits ? 0U : 1U;
    }
    CHECK(wrong == 0);
    // A code that is not a signalling NaN comes back.
    const auto again = halves_of<Backend, H>(values);
    for (std::size_t i = 0; i < codes.size(); ++i) {
        const bool is_nan = (i & 0x7FFFU) > infinity_code<H>;
        wrong += again[i].bits == (is_nan ? i | 1U << (Format<H>::fraction - 1) : i) ? 0U : 1U;
    }
    CHECK(wrong == 0);
}

// Codes, the numbers halfway between them and their neighbours, and numbers of any size.
template <class H>
std::vector<float> hard_numbers() {
    std::vector<float> x{0.0F, 0x1p-149F, 0x1p-126F, std::numeric_limits<float>::max(), 65504.0F, 65519.996F, 65520.0F};
    for (std::uint32_t code = 0; code < infinity_code<H>; ++code) {
        const auto value = static_cast<float>(value_of<H>(code));
        const auto half = static_cast<float>((value_of<H>(code) + value_of<H>(code + 1)) / 2.0);
        x.insert(x.end(), {value, half, std::nextafter(half, 0.0F), std::nextafter(half, infinity)});
    }
    funnel::Random random(5);
    for (std::size_t i = 0; i < 20000; ++i) {
        x.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(random.below(0x7F80'0000U))));
    }
    return x;
}

template <class Backend, class H>
void check_encoding() {
    const std::vector<float> x = hard_numbers<H>();
    std::vector<float> minus(x.size());
    std::transform(x.begin(), x.end(), minus.begin(), [](float f) { return -f; });
    const auto codes = halves_of<Backend, H>(x);
    const auto minus_codes = halves_of<Backend, H>(minus);
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
        const std::uint32_t expected = nearest_code<H>(x[i]);
        wrong += codes[i].bits == expected && minus_codes[i].bits == (expected | 0x8000U) ? 0U : 1U;
        wrong += H::nearest(x[i]) == codes[i] ? 0U : 1U;
    }
    CHECK(wrong == 0);
}

template <class Backend, class H>
void check_specials() {
    const float nan = std::bit_cast<float>(0x7FC0'0000U);
    const float signalling = std::bit_cast<float>(0xFF81'2345U);
    const float tiny_payload = std::bit_cast<float>(0x7F80'0001U);  // must not become infinity
    std::vector<float> x;
    for (std::size_t i = 0; i < 7; ++i) {  // full batches, and a rest
        x.insert(x.end(), {infinity, -infinity, nan, signalling, tiny_payload});
    }
    const auto codes = halves_of<Backend, H>(x);
    const std::uint32_t quiet = infinity_code<H> | 1U << (Format<H>::fraction - 1);
    for (std::size_t i = 0; i < x.size(); i += 5) {
        CHECK(codes[i].bits == infinity_code<H>);
        CHECK(codes[i + 1].bits == (0x8000U | infinity_code<H>));
        CHECK(codes[i + 2].bits == quiet);
        CHECK(codes[i + 3].bits == (0x8000U | quiet | 0x1'2345U >> (23 - Format<H>::fraction)));
        CHECK(codes[i + 4].bits == quiet);
    }
}

template <class Backend, class H>
void check_lengths() {
    for (std::size_t n = 0; n <= 70; ++n) {
        for (const std::size_t shift : {0U, 1U, 3U}) {
            std::vector<float> x(n);
            std::iota(x.begin(), x.end(), 1.0F);
            std::vector<H> codes(shift + n + 1, H{7});
            to_half<Backend>(x, std::span(codes).subspan(shift));
            std::vector<float> back(shift + n + 1, 9.0F);
            to_float<Backend>(std::span<const H>(codes).subspan(shift, n), std::span(back).subspan(shift));
            CHECK(std::equal(x.begin(), x.end(), back.begin() + static_cast<std::ptrdiff_t>(shift)));
            CHECK(codes.back() == H{7});
            CHECK(back.back() == 9.0F);
        }
    }
}

}  // namespace

TEST_CASE("Float16, BFloat16: worked by hand") {
    // 1.5 = 1.1b: exponent 15, fraction 1000000000b. 1 + 2^-11 is halfway between two, and goes to the even one.
    static_assert(Float16::nearest(1.5F).bits == 0x3E00);
    static_assert(Float16::nearest(1.0F + 0x1p-11F).bits == 0x3C00);
    static_assert(Float16::nearest(1.0F + 3 * 0x1p-11F).bits == 0x3C02);
    static_assert(Float16::nearest(65504.0F).bits == 0x7BFF && Float16{0x7BFF}.value() == Float16::largest);
    static_assert(Float16::nearest(65520.0F).bits == 0x7C00);
    static_assert(Float16{0x0001}.value() == 0x1p-24F && Float16::nearest(0x1p-25F).bits == 0);
    static_assert(Float16::nearest(-0x1.8p-25F).bits == 0x8001);
    static_assert(BFloat16::nearest(1.5F).bits == 0x3FC0 && BFloat16{0x3FC0}.value() == 1.5F);
    static_assert(BFloat16::nearest(1.0F + 0x1p-8F).bits == 0x3F80);
    static_assert(BFloat16::nearest(1.0F + 3 * 0x1p-8F).bits == 0x3F82);
}

TEST_CASE_TEMPLATE_DEFINE("to_float: each of the 65,536 codes has the value of the standard, and comes back", Backend,
                          half_decoding) {
    check_decoding<Backend, Float16>();
    check_decoding<Backend, BFloat16>();
}
TEST_CASE_TEMPLATE_APPLY(half_decoding, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("to_half: the nearest value, ties to even, for halfway cases, subnormals and any size",
                          Backend, half_encoding) {
    check_encoding<Backend, Float16>();
    check_encoding<Backend, BFloat16>();
}
TEST_CASE_TEMPLATE_APPLY(half_encoding, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("to_half: infinities stay, and NaN never becomes one", Backend, half_specials) {
    check_specials<Backend, Float16>();
    check_specials<Backend, BFloat16>();
}
TEST_CASE_TEMPLATE_APPLY(half_specials, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("to_half, to_float: any length, at any address", Backend, half_lengths) {
    check_lengths<Backend, Float16>();
    check_lengths<Backend, BFloat16>();
}
TEST_CASE_TEMPLATE_APPLY(half_lengths, HostBackends);
