// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "cuda/device_checks.hpp"

#include <funnel/kernels/backend.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

using funnel::kernels::CppSystem;
using funnel::kernels::Device;

static_assert(!funnel::kernels::HostBackend<Device<CppSystem>>);

TEST_CASE("Device: Thrust's host system gives what the plain loops give") {
    CHECK(funnel::testing::check_device<CppSystem>() == std::vector<std::string>{});
}

#ifdef _OPENMP
TEST_CASE("Device: Thrust on OpenMP gives what the plain loops give") {
    CHECK(funnel::testing::check_device<funnel::kernels::OmpSystem>() == std::vector<std::string>{});
}
#endif
