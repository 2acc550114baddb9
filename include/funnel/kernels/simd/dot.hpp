// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/simd/sums.hpp>

#include <cstddef>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

template <class Arch, std::size_t Dim>
[[nodiscard, gnu::always_inline]] inline float dot(Simd<Arch>, std::span<const float, Dim> a,
                                                   std::span<const float, Dim> b) noexcept {
    return simd::sums_of<simd::Products, Arch, Dim, 1>(a.data(), {b.data()}, a.size())[0];
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel
