// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/rng.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace funnel::testing {

/// The rounding error of one operation on floats, relative to its result.
inline constexpr double unit_roundoff = 0x1p-24;

/// No element, less than a batch, one batch and two of any width with every tail, and long ones.
inline std::vector<std::size_t> lengths() {
    std::vector<std::size_t> all;
    for (std::size_t n = 0; n <= 70; ++n) {
        all.push_back(n);
    }
    for (const std::size_t n : {127U, 128U, 129U, 130U, 131U, 1000U, 1024U}) {
        all.push_back(n);
    }
    return all;
}

/// Whole numbers in [-8, 8]: sums of up to 2^16 of their products are exact in float, in any order.
/// The memory ends where the vector ends, so that a sanitizer sees a kernel that reads on.
inline std::vector<float> small_integers(std::size_t n, std::uint64_t stream) {
    Random random(11, stream);
    std::vector<float> x(n);
    for (float& element : x) {
        element = static_cast<float>(random.below(17)) - 8.0F;
    }
    return x;
}

/// Standard normal numbers.
inline std::vector<float> normals(std::size_t n, std::uint64_t stream) {
    Random random(12, stream);
    std::vector<float> x(n);
    for (float& element : x) {
        element = static_cast<float>(random.normal());
    }
    return x;
}

}  // namespace funnel::testing
