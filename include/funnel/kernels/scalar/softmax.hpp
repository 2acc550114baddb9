// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/math.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/scalar/reduce.hpp>

#include <cstddef>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

inline void softmax(Scalar, std::span<const float> x, std::span<float> out) noexcept {
    const float largest = max(Scalar{}, x);
    if (math::is_inf(largest) && largest < 0.0F) {  // -ffast-math may drop == with infinity
        for (float& element : out) {
            element = 1.0F / static_cast<float>(out.size());
        }
        return;
    }
    float total = 0.0F;
    for (std::size_t i = 0; i < x.size(); ++i) {
        out[i] = math::exp(x[i] - largest);
        total += out[i];
    }
    for (float& element : out) {
        element /= total;
    }
}

[[nodiscard]] inline float log_sum_exp(Scalar, std::span<const float> x) noexcept {
    const float largest = max(Scalar{}, x);
    if (math::is_inf(largest)) {
        return largest;
    }
    float total = 0.0F;
    for (const float element : x) {
        total += math::exp(element - largest);
    }
    return largest + math::log(total);
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel
