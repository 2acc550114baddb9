// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

// Older modes of a compiler would print hundreds of errors, none of which says this.
#if (defined(_MSVC_LANG) ? _MSVC_LANG : __cplusplus) < 202002L
#error "funnel needs C++20: compile with -std=c++20"
#endif

// The one place where the version is written down; CMake, Meson and the citation file are read from or checked against
// it.
#define FUNNEL_VERSION_MAJOR 0
#define FUNNEL_VERSION_MINOR 1
#define FUNNEL_VERSION_PATCH 0

// Switches. The build sets them, the same for every file of a program; nothing is guessed from what happens to be
// installed.
#ifndef FUNNEL_WITH_XSIMD
#define FUNNEL_WITH_XSIMD 0  // 1: kernels::DefaultBackend is Simd<>, and xsimd must be on the include path
#endif
#ifndef FUNNEL_CHECKS
#define FUNNEL_CHECKS 0  // 1: FUNNEL_ASSERT checks what hot loops take for granted
#endif

#if defined(__AVX512BW__) && defined(__AVX512VL__)
#define FUNNEL_DETAIL_ISA _avx512
#elif defined(__AVX2__) && defined(__FMA__)
#define FUNNEL_DETAIL_ISA _avx2
#elif defined(__AVX__)
#define FUNNEL_DETAIL_ISA _avx
#else
#define FUNNEL_DETAIL_ISA
#endif

#if FUNNEL_WITH_XSIMD
#define FUNNEL_DETAIL_XSIMD _xsimd
#else
#define FUNNEL_DETAIL_XSIMD
#endif

#if FUNNEL_CHECKS
#define FUNNEL_DETAIL_CHECKS _checked
#else
#define FUNNEL_DETAIL_CHECKS
#endif

#if defined(__cpp_exceptions) && __cpp_exceptions
#define FUNNEL_DETAIL_EXCEPTIONS
#else
#define FUNNEL_DETAIL_EXCEPTIONS _noexcept
#endif

// The innermost name of every funnel namespace. It carries the version, the instruction set and the switches that
// change code, so that two files of one program built for different machines fail to link instead of sharing a function
// that one of them cannot run. Spelled once per header:  namespace funnel::inline FUNNEL_ABI::rerank { ... }
#define FUNNEL_DETAIL_JOIN_(major, minor, isa, xsimd, checks, exceptions) \
    v##major##_##minor##isa##xsimd##checks##exceptions
#define FUNNEL_DETAIL_JOIN(...) FUNNEL_DETAIL_JOIN_(__VA_ARGS__)
#define FUNNEL_ABI                                                                                         \
    FUNNEL_DETAIL_JOIN(FUNNEL_VERSION_MAJOR, FUNNEL_VERSION_MINOR, FUNNEL_DETAIL_ISA, FUNNEL_DETAIL_XSIMD, \
                       FUNNEL_DETAIL_CHECKS, FUNNEL_DETAIL_EXCEPTIONS)

// Marks a function that returns or keeps a view of an argument (in front of it: of the object): clang warns where that
// argument is a temporary. The compilers without such a warning need deleted overloads for temporaries.
#if defined(__clang__)
#define FUNNEL_LIFETIMEBOUND [[clang::lifetimebound]]
#else
#define FUNNEL_LIFETIMEBOUND
#endif

// Code that nvcc also compiles for the device.
#ifdef __CUDACC__
#define FUNNEL_HOST_DEVICE __host__ __device__
#else
#define FUNNEL_HOST_DEVICE
#endif
