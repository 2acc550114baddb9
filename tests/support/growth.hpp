// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "support/allocations.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <limits>

#include <time.h>

namespace funnel::testing {

/// Seconds that this thread computed for body(), the least of several runs: other programs do not count.
template <class Body>
[[nodiscard]] double cpu_seconds_of(const Body& body, int runs = 3) {
    const auto now = [] {
        timespec time{};
        ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
        return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
    };
    double least = std::numeric_limits<double>::max();
    for (int run = 0; run < runs; ++run) {
        const double begin = now();
        body();
        least = std::min(least, now() - begin);
    }
    return least;
}

/// Checks that work grows with its input and not with the square of it: make(n) returns the work on an input of size n.
/// 32 times the input may take at most 128 times the computing time (the square would be 1024 times) and 64 times the
/// allocated bytes.
template <class Make>
void check_linear(const Make& make, std::size_t n) {
    constexpr std::size_t times = 32;
    const auto small = make(n);
    const auto large = make(times * n);
    const double seconds = std::max(cpu_seconds_of(small, 5), 1e-5);
    CHECK(cpu_seconds_of(large, 1) < 4 * times * seconds);
    CHECK(allocated_bytes_of(large) < 2 * times * (allocated_bytes_of(small) + 1024));
}

}  // namespace funnel::testing
