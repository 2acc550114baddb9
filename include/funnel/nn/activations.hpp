// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/nn/elementwise.hpp>

#include <concepts>
#include <cstddef>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn {

/// max(x, 0). Its derivative at 0 is 0.
struct ReLU {
    static constexpr const char* name = "ReLU";
    template <std::size_t Width>
    using bind = Elementwise<ReLU, Width>;

    template <std::floating_point T>
    [[nodiscard]] static constexpr T value(T x) noexcept {
        return x > T{0} ? x : T{0};
    }
    template <std::floating_point T>
    [[nodiscard]] static constexpr T slope(T x, T /*y*/) noexcept {
        return x > T{0} ? T{1} : T{0};
    }
};

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel
