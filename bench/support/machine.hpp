// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <fstream>
#include <string>
#include <thread>

namespace funnel::bench {

/// Processor, number of threads, compiler and instruction sets, to be reported with every figure.
[[nodiscard]] inline std::string machine() {
    std::string description = "unknown processor";
    std::ifstream cpu("/proc/cpuinfo");
    for (std::string line; std::getline(cpu, line);) {
        if (line.starts_with("model name")) {
            description = line.substr(line.find(':') + 2);
            break;
        }
    }
    description += ", " + std::to_string(std::thread::hardware_concurrency()) + " threads; ";
#if defined(__clang__)
    description += "clang " __clang_version__;
#elif defined(__GNUC__)
    description += "g++ " __VERSION__;
#endif
#if !defined(__OPTIMIZE__)
    description += ", NOT OPTIMISED";
#endif
#if defined(__AVX512F__)
    description += ", AVX-512";
#elif defined(__AVX2__)
    description += ", AVX2";
#elif defined(__SSE2__)
    description += ", SSE2";
#endif
#if defined(__FMA__)
    description += ", FMA";
#endif
#if defined(FUNNEL_WITH_XSIMD) && FUNNEL_WITH_XSIMD
    description += ", xsimd";
#endif
    return description;
}

}  // namespace funnel::bench
