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

/// Who does the work. An executor cuts [0, n) into chunks of grain elements (the last may be shorter), calls
/// body(begin, end, worker) once for each, where begin is a multiple of grain and worker < concurrency(), and returns
/// when all are done. Two calls with the same worker never overlap.
///
/// The cut does not depend on who does the work. So: index scratch memory by worker, but floating-point partial sums by
/// chunk (begin / grain); then results are the same for any number of threads.
template <class E>
concept Executor = requires(std::remove_reference_t<E>& executor, std::size_t n, detail::ExampleBody body) {
    { executor.concurrency() } -> std::convertible_to<std::size_t>;
    executor.for_range(n, n, body);
};

/// Does everything in the calling thread, first chunk first. The default everywhere.
struct Serial {
    [[nodiscard]] static constexpr std::size_t concurrency() noexcept { return 1; }

    template <class Body>
    void for_range(std::size_t n, std::size_t grain, Body&& body) const {
        require(grain > 0, "for_range: grain must be positive");
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

/// How far a long piece of work has come: `done` of `total` steps of a stage.
struct Progress {
    std::string_view stage;
    std::size_t done;
    std::size_t total;
};

/// For algorithms: says that `done` of `total` steps of `stage` are done. Nothing happens, at no cost, unless the
/// executor is Monitored (or a user's own executor with a member report).
template <Executor E>
void report_progress(E& executor, std::string_view stage, std::size_t done, std::size_t total) {
    if constexpr (requires(Progress progress) { executor.report(progress); }) {
        executor.report(Progress{stage, done, total});
    }
}

}  // namespace FUNNEL_ABI
}  // namespace funnel
