// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "support/timing.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <numeric>
#include <string>
#include <vector>

namespace funnel::bench {

/// Speed of main memory for one thread, in GB/s, and how large data must be to lie there.
struct Memory {
    std::size_t bytes = 0;        ///< data of this size is read at the speed of main memory
    double stream_gb_s = 0.0;     ///< reading one byte after the other
    double scattered_gb_s = 0.0;  ///< reading blocks of 256 bytes in random order
};

namespace detail {

// A quarter of the available memory, and at most 1 GiB.
[[nodiscard]] inline std::size_t largest_working_set() {
    std::size_t kilobytes = std::size_t{1} << 20;
    std::ifstream file("/proc/meminfo");
    for (std::string name; file >> name;) {
        if (name == "MemAvailable:") {
            file >> kilobytes;
            break;
        }
    }
    return std::min(std::size_t{1} << 30, kilobytes * 1024 / 4);
}

// Wide loads, and blocks requested ahead of time: memory shall be the limit, not the instructions of this loop.
[[nodiscard]] inline double read_gb_s(const std::vector<std::uint64_t>& words,
                                      const std::vector<std::uint32_t>& blocks) {
    using Vector = std::uint64_t __attribute__((vector_size(64)));
    constexpr std::size_t words_per_block = 32;
    constexpr std::size_t ahead = 16;
    // A block is four cache lines, not parts of five.
    const std::uint64_t* const begin =
        words.data() + (64 - reinterpret_cast<std::uintptr_t>(words.data()) % 64) % 64 / 8;
    const auto read = [&] {
        Vector sums[4] = {};
        for (std::size_t b = 0; b < blocks.size(); ++b) {
            const std::uint64_t* next =
                begin + std::size_t{blocks[std::min(b + ahead, blocks.size() - 1)]} * words_per_block;
            const std::uint64_t* at = begin + std::size_t{blocks[b]} * words_per_block;
            for (std::size_t i = 0; i < 4; ++i) {
                __builtin_prefetch(next + 8 * i);
                Vector line;
                std::memcpy(&line, at + 8 * i, sizeof line);
                sums[i] += line;
            }
        }
        keep(sums);
    };
    return static_cast<double>(blocks.size()) * words_per_block * 8.0 / ns_of(read, 1, Clock::ThreadCPU);
}

[[nodiscard]] inline Memory measured_memory() {
    constexpr std::size_t block_bytes = 256;
    constexpr std::size_t rounds = 7;
    const std::size_t largest = largest_working_set();
    const std::vector<std::uint64_t> words(largest / 8 + 8, 1);
    std::vector<std::uint32_t> in_order(largest / block_bytes);
    std::iota(in_order.begin(), in_order.end(), 0U);

    // The same number of random blocks for each size, few of them twice at the largest, so that only the caches differ.
    struct Size {
        std::size_t bytes;
        std::vector<std::uint32_t> blocks;
        std::vector<double> speeds;
    };
    std::vector<Size> sizes;
    std::uint64_t state = 1;
    for (std::size_t bytes = largest; bytes >= std::size_t{16} << 20; bytes /= 2) {
        sizes.push_back({bytes, std::vector<std::uint32_t>(largest / block_bytes / 8), {}});
        for (std::uint32_t& block : sizes.back().blocks) {
            state = state * 6364136223846793005U + 1442695040888963407U;
            block = static_cast<std::uint32_t>((state >> 33) % (bytes / block_bytes));
        }
    }
    // In turns: other programs on the machine slow down some samples of each size, not all samples of one.
    std::vector<double> streams;
    for (std::size_t round = 0; round < rounds; ++round) {
        streams.push_back(read_gb_s(words, in_order));
        for (Size& size : sizes) {
            size.speeds.push_back(read_gb_s(words, size.blocks));
        }
    }
    Memory memory{.bytes = largest,
                  .stream_gb_s = summary_of(streams).median,
                  .scattered_gb_s = summary_of(sizes.front().speeds).median};
    for (const Size& size : sizes) {
        if (summary_of(size.speeds).median > 1.15 * memory.scattered_gb_s) {
            break;
        }
        memory.bytes = size.bytes;
    }
    return memory;
}

}  // namespace detail

/// Measures main memory once per program, in about three seconds. A virtual machine may report caches that it shares with
/// many others. Therefore the size that misses the caches is measured: it is the smallest one, by powers of two, from
/// which on random reads get no faster.
[[nodiscard]] inline const Memory& memory() {
    static const Memory measured = detail::measured_memory();
    return measured;
}

}  // namespace funnel::bench
