// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "support/timing.hpp"

#if defined(__AVX512VNNI__)
#include <immintrin.h>
#endif

#include <cstddef>
#include <limits>
#include <vector>

namespace funnel::bench {

/// What one core can do at most: arithmetic, and reading data from its first cache.
struct Peak {
    double gflop_s = 0.0;  ///< float multiply-adds, each counted as 2
    double l1_gb_s = 0.0;  ///< reading 16 KiB over and over
    /// Products of bytes that are added to sums of 32 bits, each counted as 2. Infinite without VNNI: not measured.
    double int8_gop_s = std::numeric_limits<double>::infinity();
};

/// Reading `bytes` over and over, in GB/s: the speed of the cache that they fit into.
[[nodiscard]] inline double stream_gb_s(std::size_t bytes) {
    using Vector = float __attribute__((vector_size(64)));  // split by the compiler if registers are narrower
    const std::vector<Vector> data(bytes / sizeof(Vector) / 8 * 8, Vector{} + 0.999F);
    const auto read = [&data] {
        Vector sums[8] = {};
        for (std::size_t i = 0; i < data.size(); i += 8) {
            for (std::size_t j = 0; j < 8; ++j) {
                sums[j] += data[i + j];
            }
        }
        // The address of the sums must not escape, or each step would store them.
        Vector total = {};
        for (const Vector& sum : sums) {
            total += sum;
        }
        keep(total);  // and the data must be read again
    };
    const TimingOptions options{.samples = 7, .sample_seconds = 0.005, .clock = Clock::ThreadCPU};
    return static_cast<double>(data.size() * sizeof(Vector)) / time_ns(read, options).least;
}

namespace detail {

[[nodiscard]] inline double int8_gop_s() {
#if defined(__AVX512VNNI__)
    constexpr std::size_t chains = 10;
    constexpr std::size_t steps = 10'000;
    const TimingOptions options{.samples = 5, .sample_seconds = 0.005, .clock = Clock::ThreadCPU};
    const auto multiply = [] {
        __m512i sums[chains];
        for (std::size_t chain = 0; chain < chains; ++chain) {
            sums[chain] = _mm512_set1_epi32(static_cast<int>(chain));
        }
        __m512i bytes = _mm512_set1_epi8(3);
        for (std::size_t step = 0; step < steps; ++step) {
            asm("" : "+v"(bytes));
            for (__m512i& sum : sums) {
                sum = _mm512_dpbusd_epi32(sum, bytes, bytes);
            }
        }
        __m512i total = sums[0];
        for (std::size_t chain = 1; chain < chains; ++chain) {
            total = _mm512_add_epi32(total, sums[chain]);
        }
        keep(total);
    };
    return 2.0 * 64.0 * chains * steps / time_ns(multiply, options).least;
#else
    return std::numeric_limits<double>::infinity();
#endif
}

}  // namespace detail

/// Measures the peak once per program.
[[nodiscard]] inline const Peak& peak() {
    using Vector = float __attribute__((vector_size(64)));  // split by the compiler if registers are narrower
    static const Peak measured = [] {
        constexpr std::size_t lanes = 16;
        constexpr std::size_t chains = 10;
        constexpr std::size_t steps = 10'000;
        const TimingOptions options{.samples = 5, .sample_seconds = 0.005, .clock = Clock::ThreadCPU};
        Vector factor = Vector{} + 0.999F;
        keep(factor);
        // The address of the sums must not escape, or each step would store them.
        const auto keep_total = [](const auto& sums) {
            Vector total = {};
            for (const Vector& sum : sums) {
                total += sum;
            }
            keep(total);
        };
        const auto multiply_add = [factor, keep_total] {
            const Vector constant = factor;
            Vector sums[chains];
            for (std::size_t chain = 0; chain < chains; ++chain) {  // of equal sums, the compiler would compute one
                sums[chain] = Vector{} + static_cast<float>(chain);
            }
            for (std::size_t step = 0; step < steps; ++step) {
                for (Vector& sum : sums) {
                    sum = sum * constant + constant;
                }
            }
            keep_total(sums);
        };
        return Peak{.gflop_s = 2.0 * lanes * chains * steps / time_ns(multiply_add, options).least,
                    .l1_gb_s = stream_gb_s(std::size_t{16} << 10),
                    .int8_gop_s = detail::int8_gop_s()};
    }();
    return measured;
}

}  // namespace funnel::bench
