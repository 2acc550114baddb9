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
#include <utility>
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
    read();
    double ns = ns_of(read, 1, Clock::ThreadCPU);
    ns = std::min(ns, ns_of(read, 1, Clock::ThreadCPU));
    return static_cast<double>(blocks.size()) * words_per_block * 8.0 / ns;
}

[[nodiscard]] inline Memory measured_memory() {
    constexpr std::size_t block_bytes = 256;
    const std::size_t largest = largest_working_set();
    const std::vector<std::uint64_t> words(largest / 8 + 8, 1);
    std::vector<std::uint32_t> blocks(largest / block_bytes);
    std::iota(blocks.begin(), blocks.end(), 0U);
    Memory memory{.stream_gb_s = read_gb_s(words, blocks)};

    // The same number of blocks for each size, without repetition at the largest, so that only the caches differ.
    std::vector<std::pair<std::size_t, double>> speeds;
    std::uint64_t state = 1;
    for (std::size_t bytes = largest; bytes >= std::size_t{16} << 20; bytes /= 2) {
        const std::size_t count = bytes / block_bytes;
        std::vector<std::uint32_t> some(largest / block_bytes / 4);
        for (std::uint32_t& block : some) {
            state = state * 6364136223846793005U + 1442695040888963407U;
            block = static_cast<std::uint32_t>((state >> 33) % count);
        }
        speeds.emplace_back(bytes, read_gb_s(words, some));
    }
    memory.scattered_gb_s = speeds.front().second;
    memory.bytes = largest;
    for (const auto& [bytes, speed] : speeds) {
        if (speed > 1.15 * memory.scattered_gb_s) {
            break;
        }
        memory.bytes = bytes;
    }
    return memory;
}

}  // namespace detail

/// Measures main memory once per program, in about two seconds. A virtual machine may report caches that it shares with
/// many others. Therefore the size that misses the caches is measured: it is the smallest one, by powers of two, from
/// which on random reads get no faster.
[[nodiscard]] inline const Memory& memory() {
    static const Memory measured = detail::measured_memory();
    return measured;
}

}  // namespace funnel::bench
