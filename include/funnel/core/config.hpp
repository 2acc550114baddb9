// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

// What the whole library agrees on: the version, the ABI namespace, and macros for the compiler.

// On an unsupported platform, the compiler must print the reason and stop, not print hundreds of follow-up errors.
// Compilers continue after #error; a missing include file stops them.
#if (defined(_MSVC_LANG) ? _MSVC_LANG : __cplusplus) < 202002L
#error "funnel needs C++20: compile with -std=c++20"
#include <stop/after/the/error/above>
#endif
#if defined(__SIZEOF_SIZE_T__) ? __SIZEOF_SIZE_T__ < 8 : (defined(_WIN32) && !defined(_WIN64))
#error "funnel needs a 64-bit platform: sizes and positions in files and indexes do not fit into a 32-bit size_t"
#include <stop/after/the/error/above>
#endif

// The only definition of the version. CMake, Meson and the citation file read it from here or are checked against it.
#define FUNNEL_VERSION_MAJOR 0
#define FUNNEL_VERSION_MINOR 1
#define FUNNEL_VERSION_PATCH 0

// Switches. The build sets them, with the same values for every file of a program. They never depend on what is
// installed.
#ifndef FUNNEL_WITH_XSIMD
#define FUNNEL_WITH_XSIMD 0  // 1: kernels::DefaultBackend is Simd<>, and xsimd must be on the include path
#endif
#ifndef FUNNEL_CHECKS
#define FUNNEL_CHECKS 0  // 1: FUNNEL_ASSERT checks preconditions in hot loops
#endif

// The instruction sets enabled for this file: one letter for each set that compilers use on their own, or on which our
// code or xsimd depends. FUNNEL_DETAIL_IF expands to the letter if the compiler defines the macro as 1, otherwise to
// nothing.
#define FUNNEL_DETAIL_SECOND_(first, second, ...) second
#define FUNNEL_DETAIL_SECOND(...) FUNNEL_DETAIL_SECOND_(__VA_ARGS__)
#define FUNNEL_DETAIL_SHIFT_1 ,
#define FUNNEL_DETAIL_IF_(value, letter) FUNNEL_DETAIL_SECOND(FUNNEL_DETAIL_SHIFT_##value letter, , )
#define FUNNEL_DETAIL_IF(macro, letter) FUNNEL_DETAIL_IF_(macro, letter)
#define FUNNEL_DETAIL_JOIN_(a, b, c, d, e, f, g, h) a##b##c##d##e##f##g##h
#define FUNNEL_DETAIL_JOIN(...) FUNNEL_DETAIL_JOIN_(__VA_ARGS__)

// clang-format off
#define FUNNEL_DETAIL_X86_SSE FUNNEL_DETAIL_JOIN( \
    FUNNEL_DETAIL_IF(__SSE2__, a), FUNNEL_DETAIL_IF(__SSE3__, b), FUNNEL_DETAIL_IF(__SSSE3__, c), \
    FUNNEL_DETAIL_IF(__SSE4_1__, d), FUNNEL_DETAIL_IF(__SSE4_2__, e), FUNNEL_DETAIL_IF(__SSE4A__, f), \
    FUNNEL_DETAIL_IF(__POPCNT__, g), FUNNEL_DETAIL_IF(__CRC32__, h))
#define FUNNEL_DETAIL_X86_AVX FUNNEL_DETAIL_JOIN( \
    FUNNEL_DETAIL_IF(__AVX__, i), FUNNEL_DETAIL_IF(__F16C__, j), FUNNEL_DETAIL_IF(__FMA__, k), \
    FUNNEL_DETAIL_IF(__FMA4__, l), FUNNEL_DETAIL_IF(__XOP__, m), FUNNEL_DETAIL_IF(__AVX2__, n), \
    FUNNEL_DETAIL_IF(__AVXVNNI__, o), FUNNEL_DETAIL_IF(__GFNI__, p))
#define FUNNEL_DETAIL_X86_BITS FUNNEL_DETAIL_JOIN( \
    FUNNEL_DETAIL_IF(__LZCNT__, q), FUNNEL_DETAIL_IF(__BMI__, r), FUNNEL_DETAIL_IF(__BMI2__, s), \
    FUNNEL_DETAIL_IF(__TBM__, t), FUNNEL_DETAIL_IF(__MOVBE__, u), , , )
#define FUNNEL_DETAIL_X86_AVX512 FUNNEL_DETAIL_JOIN( \
    FUNNEL_DETAIL_IF(__AVX512F__, A), FUNNEL_DETAIL_IF(__AVX512CD__, B), FUNNEL_DETAIL_IF(__AVX512BW__, C), \
    FUNNEL_DETAIL_IF(__AVX512DQ__, D), FUNNEL_DETAIL_IF(__AVX512VL__, E), FUNNEL_DETAIL_IF(__AVX512ER__, F), \
    FUNNEL_DETAIL_IF(__AVX512PF__, G), FUNNEL_DETAIL_IF(__AVX512IFMA__, H))
#define FUNNEL_DETAIL_X86_AVX512_LATER FUNNEL_DETAIL_JOIN( \
    FUNNEL_DETAIL_IF(__AVX512VBMI__, I), FUNNEL_DETAIL_IF(__AVX512VBMI2__, J), FUNNEL_DETAIL_IF(__AVX512VNNI__, K), \
    FUNNEL_DETAIL_IF(__AVX512BITALG__, L), FUNNEL_DETAIL_IF(__AVX512VPOPCNTDQ__, M), \
    FUNNEL_DETAIL_IF(__AVX512BF16__, N), FUNNEL_DETAIL_IF(__AVX512FP16__, O), FUNNEL_DETAIL_IF(__AVX10_1__, P))
#define FUNNEL_DETAIL_ARM FUNNEL_DETAIL_JOIN( \
    FUNNEL_DETAIL_IF(__ARM_NEON, a), FUNNEL_DETAIL_IF(__ARM_FEATURE_FMA, b), \
    FUNNEL_DETAIL_IF(__ARM_FEATURE_ATOMICS, c), FUNNEL_DETAIL_IF(__ARM_FEATURE_CRC32, d), \
    FUNNEL_DETAIL_IF(__ARM_FEATURE_DOTPROD, e), FUNNEL_DETAIL_IF(__ARM_FEATURE_FP16_VECTOR_ARITHMETIC, f), \
    FUNNEL_DETAIL_IF(__ARM_FEATURE_FP16_FML, g), FUNNEL_DETAIL_IF(__ARM_FEATURE_BF16_VECTOR_ARITHMETIC, h))
#define FUNNEL_DETAIL_ARM_LATER FUNNEL_DETAIL_JOIN( \
    FUNNEL_DETAIL_IF(__ARM_FEATURE_MATMUL_INT8, i), FUNNEL_DETAIL_IF(__ARM_FEATURE_COMPLEX, j), \
    FUNNEL_DETAIL_IF(__ARM_FEATURE_JCVT, k), FUNNEL_DETAIL_IF(__ARM_FEATURE_SVE, l), \
    FUNNEL_DETAIL_IF(__ARM_FEATURE_SVE2, m), FUNNEL_DETAIL_IF(__ARM_FEATURE_SME, n), , )
// clang-format on
#if defined(__ARM_FEATURE_SVE_BITS)  // the vector length; 0 if it is known only at run time
#define FUNNEL_DETAIL_VECTOR_BITS __ARM_FEATURE_SVE_BITS
#elif defined(__riscv_v_fixed_vlen)
#define FUNNEL_DETAIL_VECTOR_BITS __riscv_v_fixed_vlen
#else
#define FUNNEL_DETAIL_VECTOR_BITS
#endif
#define FUNNEL_DETAIL_ISA                                                                                              \
    FUNNEL_DETAIL_JOIN(FUNNEL_DETAIL_X86_SSE, FUNNEL_DETAIL_X86_AVX, FUNNEL_DETAIL_X86_BITS, FUNNEL_DETAIL_X86_AVX512, \
                       FUNNEL_DETAIL_X86_AVX512_LATER, FUNNEL_DETAIL_ARM, FUNNEL_DETAIL_ARM_LATER,                     \
                       FUNNEL_DETAIL_VECTOR_BITS)

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

// The inline namespace around all of funnel's names, such as v0_1_abcdegh_xsimd. It encodes the version, the
// instruction sets and the switches that change code. Two files of one program that are built for different machines
// then fail to link, instead of sharing a function that one of them cannot run. Headers open the three namespaces one
// by one, because editors and ctags do not understand the short form `namespace funnel::inline v0_1::rerank {`.
#define FUNNEL_DETAIL_VERSION FUNNEL_DETAIL_JOIN(v, FUNNEL_VERSION_MAJOR, _, FUNNEL_VERSION_MINOR, _, , , )
#define FUNNEL_ABI                                                                                          \
    FUNNEL_DETAIL_JOIN(FUNNEL_DETAIL_VERSION, FUNNEL_DETAIL_ISA, FUNNEL_DETAIL_XSIMD, FUNNEL_DETAIL_CHECKS, \
                       FUNNEL_DETAIL_EXCEPTIONS, , , )

// Marks a parameter of which a function returns or stores a view; after a member function, it marks the object. Clang
// warns if that argument is a temporary. Compilers without this warning need deleted overloads for temporaries.
#if defined(__clang__)
#define FUNNEL_LIFETIMEBOUND [[clang::lifetimebound]]
#else
#define FUNNEL_LIFETIMEBOUND
#endif

// Marks a function that nvcc also compiles for the device.
#ifdef __CUDACC__
#define FUNNEL_HOST_DEVICE __host__ __device__
#else
#define FUNNEL_HOST_DEVICE
#endif
