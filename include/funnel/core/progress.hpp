// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>

#include <concepts>
#include <cstddef>
#include <stdexcept>
#include <utility>

namespace funnel {
inline namespace FUNNEL_ABI {

/// Thrown by a long computation after a stop was requested. Existing objects are unchanged.
class Cancelled : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Tells a long computation whether to stop: std::stop_token, or another type with a member stop_requested() that
/// several threads may call concurrently.
template <class S>
concept StopToken = std::move_constructible<S> && requires(const S& token) {
    { token.stop_requested() } -> std::convertible_to<bool>;
};

/// A stop token that never requests a stop.
struct NeverStops {
    [[nodiscard]] static constexpr bool stop_requested() noexcept { return false; }
};

/// An executor that reports progress and can be stopped.
///
///     std::stop_source stop;  // of <stop_token>
///     auto model = cf::EASE::fit(train, {}, Monitored(pool, print_progress, stop.get_token()));
///
/// It checks the stop token before each chunk. The thread that called the algorithm reports the progress.
template <Executor E, std::invocable<const Progress&> Report, StopToken Stop = NeverStops>
class Monitored {
public:
    Monitored(E& executor FUNNEL_LIFETIMEBOUND, Report on_progress, Stop stop = {})
        : executor_(executor), report_(std::move(on_progress)), stop_(std::move(stop)) {}

    [[nodiscard]] std::size_t concurrency() const { return executor_.concurrency(); }

    template <class Body>
    void for_range(std::size_t n, std::size_t grain, Body&& body) {
        executor_.for_range(n, grain, [&](std::size_t begin, std::size_t end, std::size_t worker) {
            throw_if_stopped();
            body(begin, end, worker);
        });
    }

    void report(const Progress& progress) {
        throw_if_stopped();
        report_(progress);
    }

private:
    void throw_if_stopped() const {
        if (stop_.stop_requested()) {
            raise<Cancelled>("cancelled: a stop was requested");
        }
    }

    E& executor_;
    Report report_;
    Stop stop_;
};

}  // namespace FUNNEL_ABI
}  // namespace funnel
