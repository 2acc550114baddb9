// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix_view.hpp>

// A host compiler must not include the CUDA runtime. Thrust does so by default, unless this is defined before its first
// header.
#if !defined(__CUDACC__) && !defined(THRUST_DEVICE_SYSTEM)
#define THRUST_DEVICE_SYSTEM 4  // THRUST_DEVICE_SYSTEM_CPP, not defined before that header
#endif
#include <thrust/system/cpp/execution_policy.h>
#include <thrust/system/cpp/memory.h>
#include <thrust/system/cpp/vector.h>
#ifdef _OPENMP
#include <thrust/system/omp/execution_policy.h>
#include <thrust/system/omp/vector.h>
#endif
#ifdef __CUDACC__
#include <cuda_runtime_api.h>
#include <thrust/system/cuda/execution_policy.h>
#include <thrust/system/cuda/vector.h>
#endif

#include <thrust/copy.h>

#include <cstddef>
#include <exception>
#include <span>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

/// Thrust in the calling thread. It runs the logic of the device code without a GPU.
struct CppSystem {
    template <class T>
    using Vector = thrust::cpp::vector<T>;
    static auto policy() { return thrust::cpp::par; }
};

#ifdef _OPENMP
/// Thrust on OpenMP threads.
struct OmpSystem {
    template <class T>
    using Vector = thrust::omp::vector<T>;
    static auto policy() { return thrust::omp::par; }
};
#endif

#ifdef __CUDACC__
/// Thrust on the current CUDA device.
struct CudaSystem {
    template <class T>
    using Vector = thrust::cuda::vector<T>;
    static auto policy() { return thrust::cuda::par; }
};

/// Whether a CUDA device is available. Without one, allocating a buffer throws std::bad_alloc.
[[nodiscard]] inline bool cuda_available() noexcept {
    int devices = 0;
    return cudaGetDeviceCount(&devices) == cudaSuccess && devices > 0;
}
#endif

/// A backend for whole scans. Its kernels take DeviceSpans, which refer to the memory of a Thrust system ("device
/// memory"), so passing host memory does not compile. It is not a HostBackend, because graph search and re-ranking of
/// ten items would not gain from it.
template <class System>
struct Device {};

#ifdef __CUDACC__
using Cuda = Device<CudaSystem>;
#endif

/// Non-owning view of contiguous elements in device memory.
template <class T>
struct DeviceSpan {
    T* data = nullptr;
    std::size_t size = 0;

    [[nodiscard]] FUNNEL_HOST_DEVICE T* begin() const noexcept { return data; }
    [[nodiscard]] FUNNEL_HOST_DEVICE T* end() const noexcept { return data + size; }
};

/// Non-owning view of a row-major matrix in device memory, rows without padding.
struct DeviceRows {
    const float* data = nullptr;
    std::size_t rows = 0;
    std::size_t cols = 0;
};

/// The elements of rows without padding, for a single copy to the device.
[[nodiscard]] inline std::vector<float> packed(MatrixView<const float> rows) {
    std::vector<float> elements;
    elements.reserve(math::saturating_multiply(rows.rows(), rows.cols()));
    for (std::size_t i = 0; i < rows.rows(); ++i) {
        elements.insert(elements.end(), rows.row(i).begin(), rows.row(i).end());
    }
    return elements;
}

/// Owning buffer in device memory.
template <class T, class System>
class DeviceBuffer {
public:
    DeviceBuffer() = default;
    explicit DeviceBuffer(std::size_t size) : elements_(size) {}
    /// Copies host memory to the device.
    explicit DeviceBuffer(std::span<const T> host) { append(host); }

    [[nodiscard]] std::size_t size() const noexcept { return elements_.size(); }
    [[nodiscard]] DeviceSpan<T> span() & noexcept FUNNEL_LIFETIMEBOUND {
        return {thrust::raw_pointer_cast(elements_.data()), size()};
    }
    [[nodiscard]] DeviceSpan<const T> span() const& noexcept FUNNEL_LIFETIMEBOUND {
        return {thrust::raw_pointer_cast(elements_.data()), size()};
    }

    /// Appends a copy of host memory. If it fails, the buffer is unchanged.
    void append(std::span<const T> host) {
        const std::size_t before = size();
        elements_.resize(before + host.size());
        const auto error = funnel::detail::exception_of(
            [&] { thrust::copy(host.begin(), host.end(), elements_.begin() + static_cast<std::ptrdiff_t>(before)); });
        if (error) {
            elements_.resize(before);
            std::rethrow_exception(error);
        }
    }

    /// Copies host memory over the elements from `begin` on; they must be there (not checked).
    void set(std::size_t begin, std::span<const T> host) {
        FUNNEL_ASSERT(begin + host.size() <= size());
        thrust::copy(host.begin(), host.end(), elements_.begin() + static_cast<std::ptrdiff_t>(begin));
    }

    /// Copies the first out.size() elements to host memory; out.size() <= size() (not checked).
    void copy_to(std::span<T> out) const {
        FUNNEL_ASSERT(out.size() <= size());
        thrust::copy(elements_.begin(), elements_.begin() + static_cast<std::ptrdiff_t>(out.size()), out.begin());
    }

private:
    typename System::template Vector<T> elements_;
};

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel
