// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

// Checks of options: each rejects a value out of range, with the name of the option, the range and the value.

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdio>
#include <string>

// Checks of options and arguments. Each throws InvalidArgument, with the name and the value, unless the value is in
// range:
//
//     require_positive(options.lambda, "EASE: lambda");     // EASE: lambda must be finite and > 0, got -1

namespace funnel {
inline namespace FUNNEL_ABI {

namespace detail {

// Out of line and cold, so that a check costs one predictable branch where it is made.
[[noreturn, gnu::cold, gnu::noinline]] inline void reject_option(const char* what, const std::string& range,
                                                                 const std::string& value) {
    raise<InvalidArgument>(std::string(what) + " must " + range + ", got " + value);
}

[[nodiscard]] inline std::string shortest(const double& number) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%g", number);
    return text.data();
}

[[nodiscard]] inline std::string interval(char open, double low, double high, char close) {
    return std::string("lie in ") + open + shortest(low) + ", " + shortest(high) + close;
}

}  // namespace detail

// Numbers come by reference: under -ffast-math, clang takes a number that is passed by value for finite.

template <std::floating_point T>
void require_finite(const T& value, const char* what) {
    if (!math::is_finite(value)) [[unlikely]] {
        detail::reject_option(what, "be finite", detail::shortest(value));
    }
}

template <std::floating_point T>
void require_positive(const T& value, const char* what) {
    if (!math::is_finite(value) || !(value > 0)) [[unlikely]] {
        detail::reject_option(what, "be finite and > 0", detail::shortest(value));
    }
}

template <std::floating_point T>
void require_not_negative(const T& value, const char* what) {
    if (!math::is_finite(value) || !(value >= 0)) [[unlikely]] {
        detail::reject_option(what, "be finite and >= 0", detail::shortest(value));
    }
}

/// For steps that keep 1 - learning_rate * decay of a number: from a product of 1 on, they turn its sign, and from 2 on
/// it grows.
[[nodiscard]] inline bool is_weight_decay(const double& learning_rate, const double& decay) noexcept {
    return learning_rate * decay < 1.0;
}
inline void require_weight_decay(const double& learning_rate, const double& decay, const char* what) {
    if (!is_weight_decay(learning_rate, decay)) [[unlikely]] {
        detail::reject_option(what, "be below 1", detail::shortest(learning_rate * decay));
    }
}

/// The limits are part of the range.
template <std::floating_point T>
void require_between(const T& value, double low, double high, const char* what) {
    if (!math::is_finite(value) || !(value >= low && value <= high)) [[unlikely]] {
        detail::reject_option(what, detail::interval('[', low, high, ']'), detail::shortest(value));
    }
}

/// The limits are not part of the range.
template <std::floating_point T>
void require_inside(const T& value, double low, double high, const char* what) {
    if (!math::is_finite(value) || !(value > low && value < high)) [[unlikely]] {
        detail::reject_option(what, detail::interval('(', low, high, ')'), detail::shortest(value));
    }
}

inline void require_below(std::size_t value, std::size_t limit, const char* what) {
    if (value >= limit) [[unlikely]] {
        detail::reject_option(what, "be below " + std::to_string(limit), std::to_string(value));
    }
}

/// For sizes that are given by another argument.
inline void require_equal(std::size_t value, std::size_t expected, const char* what) {
    if (value != expected) [[unlikely]] {
        detail::reject_option(what, "be " + std::to_string(expected), std::to_string(value));
    }
}

inline void require_at_least(std::size_t value, std::size_t least, const char* what) {
    if (value < least) [[unlikely]] {
        detail::reject_option(what, "be at least " + std::to_string(least), std::to_string(value));
    }
}

inline void require_between(std::size_t value, std::size_t low, std::size_t high, const char* what) {
    if (value < low || value > high) [[unlikely]] {
        detail::reject_option(what, "lie in [" + std::to_string(low) + ", " + std::to_string(high) + "]",
                              std::to_string(value));
    }
}

}  // namespace FUNNEL_ABI
}  // namespace funnel
