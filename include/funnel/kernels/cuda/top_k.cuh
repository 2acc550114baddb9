// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/kernels/cuda/system.cuh>

#include <thrust/copy.h>
#include <thrust/sort.h>
#include <thrust/tabulate.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

namespace cuda {

// Packs a score and its position into one integer. Ascending keys give the order of every result: score descending,
// then position ascending. Read as integers, the bits of positive floats ascend with the value; those of negative
// floats descend.
FUNNEL_HOST_DEVICE inline std::uint64_t key_of(float score, std::uint32_t position) noexcept {
    score += 0.0F;  // turns -0 into 0, so that equal scores have equal bits
    std::uint32_t bits = 0;
    memcpy(&bits, &score, sizeof bits);
    const std::uint32_t ascending = (bits >> 31) != 0 ? ~bits : bits | 0x80000000U;
    return static_cast<std::uint64_t>(~ascending) << 32 | position;
}

inline Scored<> scored_of(std::uint64_t key) noexcept {
    const std::uint32_t ascending = ~static_cast<std::uint32_t>(key >> 32);
    const std::uint32_t bits = (ascending >> 31) != 0 ? ascending & 0x7FFFFFFFU : ~ascending;
    float score = 0.0F;
    memcpy(&score, &bits, sizeof score);
    return {static_cast<std::uint32_t>(key), score};
}

inline constexpr std::uint64_t no_key = ~std::uint64_t{0};

struct KeyOfScore {
    const float* scores;
    const unsigned char* passes;  // null: all rows pass

    FUNNEL_HOST_DEVICE std::uint64_t operator()(std::size_t i) const noexcept {
        const bool counts = (passes == nullptr || passes[i] != 0) && !math::is_nan(scores[i]);
        return counts ? key_of(scores[i], static_cast<std::uint32_t>(i)) : no_key;
    }
};

}  // namespace cuda

/// top_k of core/top_k.hpp on device memory, by sorting 64-bit keys.
///
/// Shapes    scores: n < 2^32 - 1;  passes: n flags, 0 excludes a position, or a null span for no filter (not checked)
/// Returns   the filled part of out, best first; ties go to the smaller position; NaN scores are skipped
/// Cost      O(n) with CUDA's radix sort, O(n log n) on the host; 8 n bytes of device memory
template <class System>
std::span<Scored<>> top_k(Device<System>, DeviceSpan<const float> scores, DeviceSpan<const unsigned char> passes,
                          std::span<Scored<>> out) {
    FUNNEL_ASSERT(scores.size < std::numeric_limits<std::uint32_t>::max());
    FUNNEL_ASSERT(passes.data == nullptr || passes.size == scores.size);
    DeviceBuffer<std::uint64_t, System> keys(scores.size);
    const auto span = keys.span();
    thrust::tabulate(System::policy(), span.begin(), span.end(), cuda::KeyOfScore{scores.data, passes.data});
    thrust::sort(System::policy(), span.begin(), span.end());

    std::vector<std::uint64_t> best(std::min(out.size(), scores.size));
    keys.copy_to(best);
    std::size_t count = 0;
    while (count < best.size() && best[count] != cuda::no_key) {
        out[count] = cuda::scored_of(best[count]);
        ++count;
    }
    return out.first(count);
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel
