// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

// All executors: the concept, Serial, and the thread pool Threads. For programs. Algorithms include only executor.hpp,
// because the executor is a template parameter, and <thread> is slow to compile.
#include <funnel/core/executor.hpp>
#include <funnel/core/threads.hpp>
