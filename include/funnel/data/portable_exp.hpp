// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/rng.hpp>

#include <array>
#include <bit>
#include <cstdint>
#include <numbers>

namespace funnel::inline FUNNEL_ABI::data::detail {

// The exponential function, to about 1e-15, with the same bits on every machine: the C library's differ. Every rounding
// is spelled out, so that it does not matter whether a compiler fuses products and sums. 0 below -700; x <= 700.
[[nodiscard]] inline double portable_exp(double x) noexcept {
    FUNNEL_ASSERT(x <= 700.0);
    if (x < -700.0) {
        return 0.0;
    }
    // exp(x) = 2^k exp(r) with |r| <= log(2) / 2. log(2) in two parts, so that r is exact to the last bit or so.
    const double k = math::floor(math::fma(x, std::numbers::log2e, 0.5));
    const double r = math::fma(-k, 2.319046813846299558e-17, math::fma(-k, std::numbers::ln2, x));
    constexpr std::array series{
        1.0,        1.0,         1.0 / 2,      1.0 / 6,       1.0 / 24,       1.0 / 120,       1.0 / 720,
        1.0 / 5040, 1.0 / 40320, 1.0 / 362880, 1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800.0};
    const auto power_of_two =
        std::bit_cast<double>(static_cast<std::uint64_t>(static_cast<std::int64_t>(k) + 1023) << 52);
    return funnel::detail::polynomial(series, r) * power_of_two;
}

}  // namespace funnel::data::detail
