// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "support/allocations.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace {

constexpr std::size_t never = static_cast<std::size_t>(-1);

std::atomic<std::size_t> count{0};
std::atomic<std::size_t> bytes{0};
std::atomic<std::size_t> failing{never};  // the value of `count` at which an allocation fails
std::atomic<bool> failed{false};

#if FUNNEL_TEST_COUNTS_ALLOCATIONS
// Every allocation of the program comes through here. Null if it fails.
void* allocate(std::size_t size, std::size_t alignment) noexcept {
    bytes += size;
    if (count++ == failing) {
        failed = true;
        return nullptr;
    }
    const std::size_t rounded = (size + alignment - 1) / alignment * alignment;  // aligned_alloc asks for multiples
    return alignment <= alignof(std::max_align_t) ? std::malloc(size == 0 ? 1 : size)
                                                  : std::aligned_alloc(alignment, rounded == 0 ? alignment : rounded);
}

void* allocate_or_throw(std::size_t size, std::size_t alignment) {
    if (void* memory = allocate(size, alignment)) {
        return memory;
    }
    throw std::bad_alloc();
}
#endif

}  // namespace

namespace funnel::testing {

Allocations allocations() noexcept {
    return {count, bytes};
}

FailingAllocation::FailingAllocation(std::size_t n) noexcept {
    failed = false;
    failing = count + n;
}

FailingAllocation::~FailingAllocation() {
    failing = never;
}

bool FailingAllocation::has_failed() const noexcept {
    return failed;
}

}  // namespace funnel::testing

#if FUNNEL_TEST_COUNTS_ALLOCATIONS
// Not inlined, or g++ takes malloc and delete for a mismatched pair. The forms for arrays call these.
[[gnu::noinline]] void* operator new(std::size_t size) {
    return allocate_or_throw(size, 1);
}
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    return allocate(size, 1);
}
[[gnu::noinline]] void* operator new(std::size_t size, std::align_val_t alignment) {
    return allocate_or_throw(size, static_cast<std::size_t>(alignment));
}
[[gnu::noinline]] void* operator new(std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
    return allocate(size, static_cast<std::size_t>(alignment));
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
    std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, const std::nothrow_t&) noexcept {
    std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::align_val_t) noexcept {
    std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
    std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::align_val_t, const std::nothrow_t&) noexcept {
    std::free(memory);
}
#endif
