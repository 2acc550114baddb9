// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>
#include <funnel/core/error.hpp>
#include <funnel/kernels/cuda/system.cuh>
#include <funnel/kernels/scalar/beta.hpp>

#include <thrust/tabulate.h>

#include <array>
#include <cstddef>
#include <cstdint>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

namespace cuda {

template <bool IsLogit>
struct BetaDraw {
    const float* a;
    const float* b;
    std::uint32_t first_key;
    std::uint32_t second_key;
    std::uint64_t step;

    FUNNEL_HOST_DEVICE float operator()(std::size_t i) const noexcept {
        return detail::beta_draw<IsLogit>(a[i], b[i], {{first_key, second_key}, step, static_cast<std::uint32_t>(i)});
    }
};

}  // namespace cuda

/// beta of kernels/beta.hpp on device memory, one thread per draw, with the same bits.
///
/// Shapes    a, b: n, in [1e-6, 2^54];  out: n <= 2^32 (not checked)
template <class System>
void beta(Device<System>, DeviceSpan<const float> a, DeviceSpan<const float> b, std::array<std::uint32_t, 2> key,
          std::uint64_t step, DeviceSpan<float> out) {
    FUNNEL_ASSERT(a.size == out.size && b.size == out.size);
    thrust::tabulate(System::policy(), out.begin(), out.end(),
                     cuda::BetaDraw<false>{a.data, b.data, key[0], key[1], step});
}

/// beta_logit of kernels/beta.hpp on device memory.
///
/// Shapes    as beta
template <class System>
void beta_logit(Device<System>, DeviceSpan<const float> a, DeviceSpan<const float> b, std::array<std::uint32_t, 2> key,
                std::uint64_t step, DeviceSpan<float> out) {
    FUNNEL_ASSERT(a.size == out.size && b.size == out.size);
    thrust::tabulate(System::policy(), out.begin(), out.end(),
                     cuda::BetaDraw<true>{a.data, b.data, key[0], key[1], step});
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel
