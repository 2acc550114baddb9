// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>
#include <funnel/core/error.hpp>
#include <funnel/kernels/cuda/system.cuh>
#include <funnel/kernels/metric.hpp>

#include <thrust/logical.h>
#include <thrust/tabulate.h>

#include <cmath>
#include <cstddef>
#include <cstdint>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

namespace cuda {

// The metrics again, on pointers, because a device function may call only device functions.
FUNNEL_HOST_DEVICE inline float score(InnerProduct, const float* a, const float* b, std::size_t n) noexcept {
    float sum = 0.0F;
    for (std::size_t i = 0; i < n; ++i) {
        sum += a[i] * b[i];
    }
    return sum;
}

FUNNEL_HOST_DEVICE inline float score(L2, const float* a, const float* b, std::size_t n) noexcept {
    float sum = 0.0F;
    for (std::size_t i = 0; i < n; ++i) {
        sum += (a[i] - b[i]) * (a[i] - b[i]);
    }
    return 0.0F - sum;
}

FUNNEL_HOST_DEVICE inline float score(Cosine, const float* a, const float* b, std::size_t n) noexcept {
    const float aa = score(InnerProduct{}, a, a, n);
    const float bb = score(InnerProduct{}, b, b, n);
    // Two square roots, as on the host: the product of the two squared lengths overflows or underflows too early.
    return aa > 0.0F && bb > 0.0F ? score(InnerProduct{}, a, b, n) / (std::sqrt(aa) * std::sqrt(bb)) : 0.0F;
}

// A functor, not a lambda: lambdas in device code are an extension of nvcc.
template <class M>
struct ScoreOfRow {
    const float* query;
    DeviceRows rows;
    const std::uint32_t* ids;  // null: score row i

    FUNNEL_HOST_DEVICE float operator()(std::size_t i) const noexcept {
        const std::size_t row = ids == nullptr ? i : ids[i];
        return score(M{}, query, rows.data + row * rows.cols, rows.cols);
    }
};

struct IsBelow {
    std::size_t n;

    FUNNEL_HOST_DEVICE bool operator()(std::uint32_t id) const noexcept { return id < n; }
};

}  // namespace cuda

/// score_rows of kernels/one_to_many.hpp on device memory, one thread per row.
///
/// Shapes    query: d;  rows: n x d;  out: n (not checked)
template <Metric M, class System>
void score_rows(Device<System>, M, DeviceSpan<const float> query, DeviceRows rows, DeviceSpan<float> out) {
    FUNNEL_ASSERT(query.size == rows.cols && out.size == rows.rows);
    thrust::tabulate(System::policy(), out.begin(), out.end(), cuda::ScoreOfRow<M>{query.data, rows, nullptr});
}

/// The same for the rows with the given ids.
///
/// Shapes    ids: m, each < n;  out: m (not checked)
template <Metric M, class System>
void score_rows(Device<System>, M, DeviceSpan<const float> query, DeviceRows rows, DeviceSpan<const std::uint32_t> ids,
                DeviceSpan<float> out) {
    FUNNEL_ASSERT(query.size == rows.cols && out.size == ids.size);
    FUNNEL_ASSERT(thrust::all_of(System::policy(), ids.begin(), ids.end(), cuda::IsBelow{rows.rows}));
    thrust::tabulate(System::policy(), out.begin(), out.end(), cuda::ScoreOfRow<M>{query.data, rows, ids.data});
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel
