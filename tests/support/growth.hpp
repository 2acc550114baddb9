// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "support/allocations.hpp"

#include <doctest/doctest.h>

#include <cstddef>

namespace funnel::testing {

/// Checks that work grows with its input and not with the square of it: make(n) returns the work on an input of size n,
/// which is done for a small and for a large n.
///
/// The allocated bytes are compared. Time is not measured; instead `large` should be so large, millions say, that work
/// which looks at the rest of the input from each of its parts would not end before the test is stopped.
template <class Make>
void check_linear(const Make& make, std::size_t small, std::size_t large) {
    const std::size_t few = allocated_bytes_of(make(small));
    const std::size_t many = allocated_bytes_of(make(large));
    CHECK(many / 2 < (few + 1024) * (large / small));
}

}  // namespace funnel::testing
