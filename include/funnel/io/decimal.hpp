// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/math.hpp>

#include <charconv>
#include <concepts>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include <locale.h>
#if __has_include(<xlocale.h>)
#include <xlocale.h>  // strtod_l on macOS and the BSDs
#endif

namespace funnel {
inline namespace FUNNEL_ABI {
namespace io::detail {

// Optional minus, digits, optional point and exponent: what std::from_chars accepts, except inf and nan.
[[nodiscard]] constexpr bool is_decimal(std::string_view text) noexcept {
    const auto skip = [&](std::string_view characters) {
        const bool is_next = !text.empty() && characters.find(text.front()) != std::string_view::npos;
        text.remove_prefix(is_next ? 1 : 0);
        return is_next;
    };
    const auto skip_digits = [&] {
        bool is_any = false;
        while (skip("0123456789")) {
            is_any = true;
        }
        return is_any;
    };
    skip("-");
    const bool has_whole = skip_digits();
    const bool has_fraction = skip(".") && skip_digits();
    const bool has_exponent = (has_whole || has_fraction) && skip("eE");
    if (has_exponent) {
        skip("+-");
    }
    return (has_whole || has_fraction) && (!has_exponent || skip_digits()) && text.empty();
}

// The nearest number to a decimal: 0 or infinity if out of range. Independent of the program's locale.
template <std::floating_point T>
[[nodiscard]] T decimal_by_c_library(std::string_view decimal) {
    static const ::locale_t c_locale = ::newlocale(LC_ALL_MASK, "C", nullptr);
    const std::string terminated(decimal);
    if constexpr (std::same_as<T, float>) {
        return ::strtof_l(terminated.c_str(), nullptr, c_locale);
    } else {
        return ::strtod_l(terminated.c_str(), nullptr, c_locale);
    }
}

// Parses the whole text as a finite decimal and returns the nearest float or double. The result is the same with every
// standard library: libc++ before 20 has no std::from_chars for floating point, and libstdc++ reports an error for a
// number that is too small for the type.
template <std::floating_point T>
    requires(std::same_as<T, float> || std::same_as<T, double>)
[[nodiscard]] std::optional<T> parse_decimal(std::string_view text) {
    T value{};
    if constexpr (requires(const char* c, T& x) { std::from_chars(c, c, x); }) {
        const char* const stop = text.data() + text.size();
        const char* const start = stop - text.size();
        const auto [end, error] = std::from_chars(start, stop, value);
        if (end != stop || (error != std::errc{} && error != std::errc::result_out_of_range)) {
            return std::nullopt;
        }
        if (error == std::errc::result_out_of_range) {
            value = decimal_by_c_library<T>(text);
        }
    } else {
        if (!is_decimal(text)) {
            return std::nullopt;
        }
        value = decimal_by_c_library<T>(text);
    }
    return math::is_finite(value) ? std::optional(value) : std::nullopt;
}

}  // namespace io::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel
