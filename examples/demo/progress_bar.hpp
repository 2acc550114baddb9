// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/progress.hpp>
#include <funnel/core/threads.hpp>

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <functional>
#include <string>

namespace demo {

/// Draws how far the work has come on one line of the terminal, at most ten times a second, and wipes it when a stage
/// is done. Silent where stderr is not a terminal. Hand it to funnel::Monitored.
class ProgressBar {
public:
    void operator()(const funnel::Progress& progress) {
        if (!is_terminal_) {
            return;
        }
        const auto now = std::chrono::steady_clock::now();
        if (std::string(progress.stage) != stage_) {
            stage_ = progress.stage;
            start_ = now;
        }
        const bool is_done = progress.done >= progress.total;
        if (!is_done && now - drawn_ < std::chrono::milliseconds(100)) {
            return;
        }
        drawn_ = now;
        if (is_done) {
            std::fprintf(stderr, "\r\033[K");
            return;
        }
        constexpr std::size_t width = 30;
        const std::size_t filled = width * progress.done / progress.total;
        const double elapsed = std::chrono::duration<double>(now - start_).count();
        const auto done = static_cast<double>(progress.done);
        std::fprintf(stderr, "\r\033[K%-32s [%s%s] %3zu %%", stage_.c_str(), std::string(filled, '#').c_str(),
                     std::string(width - filled, '.').c_str(), 100 * progress.done / progress.total);
        if (progress.done > 0) {
            std::fprintf(stderr, "  %.0f s to go", elapsed * (static_cast<double>(progress.total) - done) / done);
        }
    }

private:
    bool is_terminal_ = isatty(STDERR_FILENO) != 0;
    std::string stage_;
    std::chrono::steady_clock::time_point start_;
    std::chrono::steady_clock::time_point drawn_;
};

/// The demo's executor: threads that show how far they are.
using Pool = funnel::Monitored<funnel::Threads, std::reference_wrapper<ProgressBar>>;

}  // namespace demo
