// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <doctest/doctest.h>

#include <cstddef>
#include <exception>
#include <limits>
#include <new>
#include <type_traits>

// The thread sanitizer has an operator new of its own, and no second one beside it.
#if defined(__SANITIZE_THREAD__)
#define FUNNEL_TEST_COUNTS_ALLOCATIONS 0
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define FUNNEL_TEST_COUNTS_ALLOCATIONS 0
#endif
#endif
#ifndef FUNNEL_TEST_COUNTS_ALLOCATIONS
#define FUNNEL_TEST_COUNTS_ALLOCATIONS 1
#endif

namespace funnel::testing {

/// Whether allocations are counted and can be made to fail: not under the thread sanitizer.
inline constexpr bool allocations_are_counted = FUNNEL_TEST_COUNTS_ALLOCATIONS == 1;

/// What operator new was asked for since the program began. tests/main.cpp replaces it for every test program.
struct Allocations {
    std::size_t count;
    std::size_t bytes;  ///< asked for, whether or not they were given back
};

[[nodiscard]] Allocations allocations() noexcept;

/// How many allocations body() makes.
template <class Body>
[[nodiscard]] std::size_t allocations_of(const Body& body) {
    const std::size_t before = allocations().count;
    body();
    return allocations().count - before;
}

/// How many bytes body() asks for, all together.
template <class Body>
[[nodiscard]] std::size_t allocated_bytes_of(const Body& body) {
    const std::size_t before = allocations().bytes;
    body();
    return allocations().bytes - before;
}

/// While it lives, allocation number n from here on (0 is the next one) throws std::bad_alloc, once.
class FailingAllocation {
public:
    explicit FailingAllocation(std::size_t n) noexcept;
    FailingAllocation(const FailingAllocation&) = delete;
    FailingAllocation& operator=(const FailingAllocation&) = delete;
    ~FailingAllocation();

    [[nodiscard]] bool has_failed() const noexcept;
};

/// A class of a user, with a member of type T and implicit copies.
template <class T>
struct Holding {
    T value;
};

/// Checks the strong guarantee of a call: when an allocation fails inside it, the object is as it was before.
///
/// Fails each allocation of mutate(object) in turn, on a new object each time, until the call succeeds. After a failure
/// state(object) must equal the state before, and the same call, repeated, must lead to the state that it leads to at
/// once.
///
/// make() -> object;  mutate(object);  state(object) -> all that a caller can see of it, comparable with ==
///
/// Returns   how many allocations were made to fail; a test should check that it is not 0. Where allocations are not
///           counted: 1, and nothing has been checked
template <class Make, class Mutate, class State>
std::size_t check_strong_guarantee(const Make& make, const Mutate& mutate, const State& state) {
    if (!allocations_are_counted) {
        return 1;
    }
    auto untouched = make();
    // An assignment that takes its argument by value and is noexcept would make that of a class around it noexcept too,
    // although it copies: without memory, the program would end.
    static_assert(std::is_trivially_copyable_v<decltype(untouched)> ||
                  !std::is_nothrow_copy_assignable_v<Holding<decltype(untouched)>>);
    const auto before = state(untouched);
    mutate(untouched);
    const auto after = state(untouched);
    for (std::size_t n = 0; n < std::numeric_limits<std::size_t>::max(); ++n) {
        CAPTURE(n);
        auto object = make();
        bool has_failed = false;
        bool has_thrown = false;
        {
            const FailingAllocation failing(n);
            try {
                mutate(object);
            } catch (const std::bad_alloc&) {
                has_thrown = true;
            }
            has_failed = failing.has_failed();
        }
        if (!has_failed) {
            return n;
        }
        if (has_thrown) {  // else the code did without the memory
            REQUIRE(state(object) == before);
            mutate(object);
        }
        REQUIRE(state(object) == after);
    }
    return 0;
}

}  // namespace funnel::testing
