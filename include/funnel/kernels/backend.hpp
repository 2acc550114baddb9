// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>

// nvcc cannot compile xsimd, so headers included by a .cu file see only the Scalar backend.
#if FUNNEL_WITH_XSIMD && !defined(__CUDACC__)
#define FUNNEL_HAS_SIMD 1
#if defined(__GNUC__) && !defined(__clang__)
// g++ 12 warns about uninitialised registers in its own AVX-512 intrinsics (GCC bug 105593).
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <xsimd/xsimd.hpp>
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
#else
#define FUNNEL_HAS_SIMD 0
#endif

#include <concepts>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

// The tags are in the namespace of the kernels, so that argument-dependent lookup finds overloads declared anywhere.

/// Plain loops. This is the specification: every other backend is tested against it.
struct Scalar {};

#if FUNNEL_HAS_SIMD
/// SIMD through xsimd. A kernel without a Simd overload falls back to the one for Scalar, the base class.
/// The instruction set is part of the type, so code compiled for different instruction sets never shares a symbol.
template <class Arch = xsimd::default_arch>
struct Simd : Scalar {};

using DefaultBackend = Simd<>;
#else
using DefaultBackend = Scalar;
#endif

/// A backend whose kernels work on spans of host memory. For your own, derive from Scalar and overload any kernels.
template <class B>
concept HostBackend = std::derived_from<B, Scalar> && std::default_initializable<B>;

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel
