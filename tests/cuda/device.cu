// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The checks of device_test.cpp on a CUDA device, and on the host through nvcc. Ends with 77 where there is no device.
#include "cuda/device_checks.hpp"

#include <cuda_runtime.h>

#include <cstdio>
#include <string>
#include <vector>

namespace {

int report(const char* system, const std::vector<std::string>& failures) {
    for (const std::string& failure : failures) {
        std::printf("%s: %s\n", system, failure.c_str());
    }
    return failures.empty() ? 0 : 1;
}

}  // namespace

int main() {
    const int on_host = report("host", funnel::testing::check_device<funnel::kernels::CppSystem>());
    if (!funnel::kernels::cuda_available()) {
        std::printf("no CUDA device: skipped\n");
        return on_host != 0 ? on_host : 77;
    }
    cudaDeviceProp properties{};
    if (cudaGetDeviceProperties(&properties, 0) == cudaSuccess) {
        std::printf("device: %s\n", properties.name);
    }
    return on_host + report("device", funnel::testing::check_device<funnel::kernels::CudaSystem>());
}
