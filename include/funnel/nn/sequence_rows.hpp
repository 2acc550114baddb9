// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/math.hpp>

#include <cstddef>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn::detail {

/// The length of a sequence as a number of a row: whole steps, at least 0 and at most `steps`; 0 if it
/// is not finite.
template <class T>
[[nodiscard]] std::size_t length_of(T number, std::size_t steps) noexcept {
    if (!math::is_finite(number) || number < T{0}) {
        return 0;
    }
    return number < static_cast<T>(steps) ? static_cast<std::size_t>(number) : steps;
}

}  // namespace nn::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel
