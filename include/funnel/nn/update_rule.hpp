// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/options.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn {

/// The formula of an optimiser for one step: a type that holds the constants of the step. The arrays that it updates
/// beside the parameters are handed in. DenseOptimiser and RowOptimiser turn a rule into an optimiser.
///
///     Options                                    the settings, with a member learning_rate
///     name                                       "Adam"
///     arrays                                     how many numbers of state there are per parameter
///     squares_from                               arrays from this position on hold sums of squares, >= 0
///     check(options)                             InvalidArgument if an option is out of range
///     Rule(options, t)                           the constants of step t, which counts from 1
///     apply(parameters, gradient, state)         noexcept; state: `arrays` spans, as long as the parameters
///
/// A rule for rows only, such as RowAdagradRule, has is_row_wise = true. Its spans of state hold one number per row.
template <class R>
concept UpdateRule = requires(const R rule, typename R::Options options, std::span<float> values,
                              std::span<const float> gradient, std::span<const std::span<float>, R::arrays> state) {
    { R::name } -> std::convertible_to<const char*>;
    { R::squares_from } -> std::convertible_to<std::size_t>;
    { R::check(options) };
    { R(options, std::uint64_t{1}) };
    { rule.apply(values, gradient, state) } noexcept;
    { options.learning_rate } -> std::convertible_to<double>;
};

namespace detail {

template <class R>
[[nodiscard]] consteval bool is_row_wise() {
    if constexpr (requires { R::is_row_wise; }) {
        return R::is_row_wise;
    } else {
        return false;
    }
}

/// base^exponent, with the same bits everywhere.
[[nodiscard]] constexpr double whole_power(double base, std::uint64_t exponent) noexcept {
    double result = 1.0;
    for (; exponent > 0; exponent >>= 1, base *= base) {
        result *= (exponent & 1) != 0 ? base : 1.0;
    }
    return result;
}

inline void require_decay(double beta, const char* what) {
    if (!(beta >= 0.0 && beta < 1.0)) [[unlikely]] {
        funnel::detail::reject_option(what, "lie in [0, 1)", funnel::detail::shortest(beta));
    }
}

}  // namespace detail

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel
