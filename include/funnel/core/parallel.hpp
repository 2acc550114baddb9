// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

// All executors: the concept, Serial, and the thread pool Threads. Algorithms include only executor.hpp, because
// <thread> would use a quarter of the compile-time budget of each.
#include <funnel/core/executor.hpp>
#include <funnel/core/threads.hpp>
