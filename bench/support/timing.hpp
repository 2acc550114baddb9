// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <cstddef>
#include <ctime>
#include <vector>

namespace funnel::bench {

/// Keeps the compiler from optimizing the value away, and makes it assume that memory has changed.
template <class T>
inline void keep(const T& value) {
    asm volatile("" : : "g"(&value) : "memory");
}

enum class Clock {
    Wall,       // elapsed time: for work in several threads
    ThreadCPU,  // CPU time of this thread: for work in one thread, also on a busy machine
};

struct TimingOptions {
    std::size_t samples = 7;       ///< number of samples; the median is reported
    double sample_seconds = 0.02;  ///< minimum duration of a sample; it repeats the work
    Clock clock = Clock::Wall;
};

/// Summary of samples: the median, and the quartiles as the spread.
struct Samples {
    double median = 0.0;
    double q25 = 0.0;
    double q75 = 0.0;
    double least = 0.0;
    std::size_t count = 0;
};

/// The samples in another unit, or per unit of work.
[[nodiscard]] inline Samples scaled(Samples samples, double by) {
    for (double* value : {&samples.median, &samples.q25, &samples.q75, &samples.least}) {
        *value *= by;
    }
    return samples;
}

/// Two ways to do the same work, timed alternately so that both are subject to the same noise.
struct Comparison {
    Samples ours;    ///< nanoseconds per call
    Samples theirs;  ///< nanoseconds per call
    Samples ratio;   ///< theirs / ours of each pair; above 1, ours is faster
};

namespace detail {

[[nodiscard]] inline double now_ns(Clock clock) {
    std::timespec now{};
    clock_gettime(clock == Clock::Wall ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1.0e9 + static_cast<double>(now.tv_nsec);
}

template <class Work>
[[nodiscard]] double ns_of(Work& work, std::size_t calls, Clock clock) {
    const double begin = now_ns(clock);
    for (std::size_t i = 0; i < calls; ++i) {
        work();
    }
    return now_ns(clock) - begin;
}

// Number of calls per sample. Finding it also warms up caches and branch prediction.
template <class Work>
[[nodiscard]] std::size_t calls_per_sample(Work& work, const TimingOptions& options) {
    const double wanted = options.sample_seconds * 1.0e9;
    std::size_t calls = 1;
    for (double ns = ns_of(work, calls, options.clock); ns < wanted; ns = ns_of(work, calls, options.clock)) {
        const double growth = ns > 0.0 ? std::clamp(1.2 * wanted / ns, 1.5, 10.0) : 10.0;
        calls = static_cast<std::size_t>(static_cast<double>(calls) * growth) + 1;
    }
    return calls;
}

[[nodiscard]] inline Samples summary_of(std::vector<double> samples) {
    std::sort(samples.begin(), samples.end());
    const std::size_t n = samples.size();
    return {samples[n / 2], samples[(n - 1) / 4], samples[n - 1 - (n - 1) / 4], samples.front(), n};
}

}  // namespace detail

/// Nanoseconds per call of work(), which must keep() its results.
template <class Work>
[[nodiscard]] Samples time_ns(Work&& work, const TimingOptions& options = {}) {
    const std::size_t calls = detail::calls_per_sample(work, options);
    std::vector<double> samples;
    for (std::size_t i = 0; i < options.samples; ++i) {
        samples.push_back(detail::ns_of(work, calls, options.clock) / static_cast<double>(calls));
    }
    return detail::summary_of(samples);
}

/// Times two pieces of work alternately.
template <class Ours, class Theirs>
[[nodiscard]] Comparison compare(Ours&& ours, Theirs&& theirs, const TimingOptions& options = {}) {
    const std::size_t our_calls = detail::calls_per_sample(ours, options);
    const std::size_t their_calls = detail::calls_per_sample(theirs, options);
    std::vector<double> our_samples;
    std::vector<double> their_samples;
    std::vector<double> ratios;
    for (std::size_t i = 0; i < options.samples; ++i) {
        our_samples.push_back(detail::ns_of(ours, our_calls, options.clock) / static_cast<double>(our_calls));
        their_samples.push_back(detail::ns_of(theirs, their_calls, options.clock) / static_cast<double>(their_calls));
        ratios.push_back(their_samples.back() / our_samples.back());
    }
    return {detail::summary_of(our_samples), detail::summary_of(their_samples), detail::summary_of(ratios)};
}

/// Seconds that one call takes, for work that is too long to repeat.
template <class Work>
[[nodiscard]] double time_once_s(Work&& work) {
    return detail::ns_of(work, 1, Clock::Wall) * 1.0e-9;
}

}  // namespace funnel::bench
