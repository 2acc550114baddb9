// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>
#include <funnel/core/error.hpp>

// A host compiler must not reach for the CUDA runtime: Thrust does so unless it is told otherwise before its first
// header.
#if !defined(__CUDACC__) && !defined(THRUST_DEVICE_SYSTEM)
#define THRUST_DEVICE_SYSTEM 4  // THRUST_DEVICE_SYSTEM_CPP, which has no name before that header
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

/// Thrust in the calling thread: the logic of the device code, where there is no device.
struct CppSystem {
    template <class T>
    using Vector = thrust::cpp::vector<T>;
    static auto policy() { return thrust::cpp::par; }
};

#ifdef _OPENMP
/// Thrust on the threads of OpenMP.
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

/// Whether there is a device to run on. Without one, allocating a buffer throws std::bad_alloc.
[[nodiscard]] inline bool cuda_available() noexcept {
    int devices = 0;
    return cudaGetDeviceCount(&devices) == cudaSuccess && devices > 0;
}
#endif

/// A backend for whole scans: its kernels work on DeviceSpans, the memory of a system, so that host memory does not
/// compile. It is no HostBackend; what walks a graph or re-ranks ten items has nothing to gain from it.
template <class System>
struct Device {};

#ifdef __CUDACC__
using Cuda = Device<CudaSystem>;
#endif

/// Contiguous elements in the memory of a system, owned by someone else.
template <class T>
struct DeviceSpan {
    T* data = nullptr;
    std::size_t size = 0;

    [[nodiscard]] FUNNEL_HOST_DEVICE T* begin() const noexcept { return data; }
    [[nodiscard]] FUNNEL_HOST_DEVICE T* end() const noexcept { return data + size; }
};

/// A row-major matrix in the memory of a system, rows without padding.
struct DeviceRows {
    const float* data = nullptr;
    std::size_t rows = 0;
    std::size_t cols = 0;
};

/// Elements in the memory of a system.
template <class T, class System>
class DeviceBuffer {
public:
    DeviceBuffer() = default;
    explicit DeviceBuffer(std::size_t size) : elements_(size) {}
    /// A copy of host memory.
    explicit DeviceBuffer(std::span<const T> host) { append(host); }

    [[nodiscard]] std::size_t size() const noexcept { return elements_.size(); }
    [[nodiscard]] DeviceSpan<T> span() & noexcept FUNNEL_LIFETIMEBOUND {
        return {thrust::raw_pointer_cast(elements_.data()), size()};
    }
    [[nodiscard]] DeviceSpan<const T> span() const& noexcept FUNNEL_LIFETIMEBOUND {
        return {thrust::raw_pointer_cast(elements_.data()), size()};
    }

    /// Copies host memory to the end. If it fails, nothing has changed.
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

    /// The first elements, back in host memory; out.size() <= size() (not checked).
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
