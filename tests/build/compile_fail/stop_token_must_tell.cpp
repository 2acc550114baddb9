// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// expect: (stop_requested|StopToken)
#include <funnel/core/executor.hpp>
#include <funnel/core/progress.hpp>

struct Button {
#ifndef FUNNEL_EXPECT_FAILURE
    static bool stop_requested() { return false; }
#endif
};

int main() {
    funnel::Serial serial;
    funnel::Monitored monitored(serial, [](const funnel::Progress&) {}, Button{});
    return static_cast<int>(monitored.concurrency()) - 1;
}
