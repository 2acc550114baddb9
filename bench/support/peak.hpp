// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "support/timing.hpp"

#include <cstddef>
#include <vector>

namespace funnel::bench {

/// What one core can do at most: arithmetic, and reading data from its first cache.
struct Peak {
    double gflop_s = 0.0;  ///< float multiply-adds, each counted as 2
    double l1_gb_s = 0.0;  ///< reading 16 KiB over and over
};

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
        const std::vector<Vector> data(256, factor);
        const auto read = [&data, keep_total] {
            Vector sums[8] = {};
            for (std::size_t pass = 0; pass < 100; ++pass) {
                for (std::size_t i = 0; i < data.size(); i += 8) {
                    for (std::size_t j = 0; j < 8; ++j) {
                        sums[j] += data[i + j];
                    }
                }
                asm volatile("" : : : "memory");  // the data must be read again
            }
            keep_total(sums);
        };
        return Peak{.gflop_s = 2.0 * lanes * chains * steps / time_ns(multiply_add, options).least,
                    .l1_gb_s = 100.0 * 256.0 * sizeof(Vector) / time_ns(read, options).least};
    }();
    return measured;
}

}  // namespace funnel::bench
