// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>

#include <concepts>
#include <cstddef>
#include <stdexcept>
#include <stop_token>
#include <utility>

namespace funnel::inline FUNNEL_ABI {

/// Thrown out of long work whose stop token was set. Objects that existed before are as they were.
class Cancelled : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// An executor that tells how far the work has come, and that can be stopped.
///
///     std::stop_source stop;
///     auto model = cf::EASE::fit(train, {}, Monitored(pool, print_progress, stop.get_token()));
///
/// The stop token is looked at before each chunk. Progress is reported by the thread that called the algorithm.
template <Executor E, std::invocable<const Progress&> Report>
class Monitored {
public:
    Monitored(E& executor, Report report, std::stop_token stop = {})
        : executor_(executor), report_(std::move(report)), stop_(std::move(stop)) {}

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
            raise<Cancelled>("cancelled: the stop token was set");
        }
    }

    E& executor_;
    Report report_;
    std::stop_token stop_;
};

}  // namespace funnel
