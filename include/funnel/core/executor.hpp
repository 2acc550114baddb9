// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>

#include <concepts>
#include <cstddef>
#include <string_view>
#include <type_traits>

namespace funnel {
inline namespace FUNNEL_ABI {

namespace detail {

struct ExampleBody {
    void operator()(std::size_t, std::size_t, std::size_t) const {}
};

}  // namespace detail

/// Runs loops, possibly in parallel. An executor splits [0, n) into chunks of grain elements (the last may be shorter)
/// and calls body(begin, end, worker) once per chunk; begin is a multiple of grain, and worker < concurrency(). It
/// returns when all chunks are done. Two calls with the same worker never overlap.
///
/// The chunks do not depend on the executor. Index scratch memory by worker, but floating-point partial sums by chunk
/// (begin / grain): results are then the same for any number of threads.
template <class E>
concept Executor = requires(std::remove_reference_t<E>& executor, std::size_t n, detail::ExampleBody body) {
    { executor.concurrency() } -> std::convertible_to<std::size_t>;
    executor.for_range(n, n, body);
};

/// The default executor: runs all chunks in order in the calling thread.
struct Serial {
    [[nodiscard]] static constexpr std::size_t concurrency() noexcept { return 1; }

    template <class Body>
    void for_range(std::size_t n, std::size_t grain, Body&& body) const {
        require(grain > 0, "for_range: grain must be > 0, got 0");
        for (std::size_t begin = 0; begin < n;) {
            const std::size_t end = n - begin < grain ? n : begin + grain;
            body(begin, end, std::size_t{0});
            begin = end;
        }
    }
};

/// Calls body(i) for each i in [0, n).
template <Executor E, std::invocable<std::size_t> Body>
void parallel_for(E&& executor, std::size_t n, std::size_t grain, Body&& body) {
    executor.for_range(n, grain, [&](std::size_t begin, std::size_t end, std::size_t) {
        for (std::size_t i = begin; i < end; ++i) {
            body(i);
        }
    });
}

/// Progress of a long computation: `done` of `total` steps of a stage.
struct Progress {
    std::string_view stage;
    std::size_t done;
    std::size_t total;
};

/// Algorithms call this to report progress. It does nothing, at no cost, unless the executor has a member report, as
/// Monitored does.
template <Executor E>
void report_progress(E& executor, std::string_view stage, std::size_t done, std::size_t total) {
    if constexpr (requires(Progress progress) { executor.report(progress); }) {
        executor.report(Progress{stage, done, total});
    }
}

}  // namespace FUNNEL_ABI
}  // namespace funnel
