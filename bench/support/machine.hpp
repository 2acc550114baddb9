// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "support/json.hpp"
#include "support/memory.hpp"

#include <cstdlib>
#include <ctime>
#include <fstream>
#include <string>
#include <thread>

namespace funnel::bench {

/// What a figure depends on. It is reported with every figure.
struct Environment {
    std::string processor = "unknown processor";
    unsigned threads = std::thread::hardware_concurrency();
    std::string compiler;
    std::string flags;
    std::string backend;
    std::string commit;  ///< the environment variable FUNNEL_COMMIT, which ./dev sets
    std::string date;    ///< of this run, UTC
};

[[nodiscard]] inline const Environment& environment() {
    static const Environment found = [] {
        Environment made;
        std::ifstream cpu("/proc/cpuinfo");
        for (std::string line; std::getline(cpu, line);) {
            if (line.starts_with("model name")) {
                made.processor = line.substr(line.find(':') + 2);
                break;
            }
        }
#if defined(__clang__)
        made.compiler = "clang " __clang_version__;
#elif defined(__GNUC__)
        made.compiler = "g++ " __VERSION__;
#endif
#if defined(FUNNEL_BENCH_FLAGS)
        made.flags = FUNNEL_BENCH_FLAGS;
#endif
#if !defined(__OPTIMIZE__)
        made.flags += " NOT OPTIMIZED";
#endif
#if defined(FUNNEL_WITH_XSIMD) && FUNNEL_WITH_XSIMD
        made.backend = "xsimd";
#else
        made.backend = "Scalar";
#endif
#if defined(__AVX512F__)
        made.backend += ", AVX-512";
#elif defined(__AVX2__)
        made.backend += ", AVX2";
#elif defined(__SSE2__)
        made.backend += ", SSE2";
#endif
        const char* commit = std::getenv("FUNNEL_COMMIT");  // NOLINT(concurrency-mt-unsafe)
        made.commit = commit != nullptr ? commit : "unknown";
        const std::time_t now = std::time(nullptr);
        char text[32];
        std::tm utc{};
        std::strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", gmtime_r(&now, &utc));
        made.date = text;
        return made;
    }();
    return found;
}

/// The environment and the measured memory as a JSON object.
[[nodiscard]] inline std::string environment_json() {
    const Environment& here = environment();
    return "{\"processor\": " + json(here.processor) + ", \"threads\": " + json(here.threads) +
           ", \"compiler\": " + json(here.compiler) + ", \"flags\": " + json(here.flags) +
           ", \"backend\": " + json(here.backend) + ", \"commit\": " + json(here.commit) +
           ", \"date\": " + json(here.date) + ", \"memory_stream_gb_s\": " + json(memory().stream_gb_s) +
           ", \"memory_scattered_gb_s\": " + json(memory().scattered_gb_s) +
           ", \"memory_working_set_mib\": " + json(static_cast<double>(memory().bytes >> 20)) + "}";
}

}  // namespace funnel::bench
