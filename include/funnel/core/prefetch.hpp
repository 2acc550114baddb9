// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>

#include <cstddef>

namespace funnel {
inline namespace FUNNEL_ABI {

/// May load the first `size` elements at p into the cache. It reads nothing, so p need not be valid.
// Inlined, because g++ takes a function that only prefetches for one without effect, and drops its calls.
template <class T>
[[gnu::always_inline]] inline void prefetch_elements(const T* p, std::size_t size) noexcept {
    constexpr std::size_t cache_line = 64;
    for (std::size_t i = 0; i < size; i += cache_line / sizeof(T)) {
        __builtin_prefetch(p + i);
    }
}

}  // namespace FUNNEL_ABI
}  // namespace funnel
