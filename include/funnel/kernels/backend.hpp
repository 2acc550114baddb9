// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>

// xsimd does not pass nvcc's front end: what a .cu file includes sees the Scalar backend only.
#if FUNNEL_WITH_XSIMD && !defined(__CUDACC__)
#define FUNNEL_HAS_SIMD 1
#if defined(__GNUC__) && !defined(__clang__)
// g++ 12 takes its own AVX-512 intrinsics for uses of uninitialised registers (GCC bug 105593).
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

// The tags live in the namespace of the kernels: an unqualified call finds their overloads wherever they are declared.

/// Plain loops: the specification that every other backend is tested against.
struct Scalar {};

#if FUNNEL_HAS_SIMD
/// Vectors of xsimd. A kernel without a version for Simd falls back to the one for Scalar, its base.
/// The instruction set is part of the type, so vector code built for different machines never shares a symbol.
template <class Arch = xsimd::default_arch>
struct Simd : Scalar {};

using DefaultBackend = Simd<>;
#else
using DefaultBackend = Scalar;
#endif

/// A backend whose kernels work on spans of host memory. Derive from Scalar and overload what you do better.
template <class B>
concept HostBackend = std::derived_from<B, Scalar> && std::default_initializable<B>;

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel
