// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/kernels/backend.hpp>

#include <tuple>

namespace funnel::testing {

/// Every backend that this build has and its machine can run: a test of a kernel, or of what is built on kernels, runs
/// once for each. The widest vectors come first; narrower ones of the same family stand beside them.
#if FUNNEL_HAS_SIMD && defined(__AVX512F__)
using HostBackends =
    std::tuple<kernels::Scalar, kernels::Simd<>, kernels::Simd<xsimd::fma3<xsimd::avx2>>, kernels::Simd<xsimd::sse2>>;
#elif FUNNEL_HAS_SIMD && defined(__AVX__)
using HostBackends = std::tuple<kernels::Scalar, kernels::Simd<>, kernels::Simd<xsimd::sse2>>;
#elif FUNNEL_HAS_SIMD
using HostBackends = std::tuple<kernels::Scalar, kernels::Simd<>>;
#else
using HostBackends = std::tuple<kernels::Scalar>;
#endif

}  // namespace funnel::testing
