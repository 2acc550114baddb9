// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

// Executors: the concept, Serial, and a pool of Threads. Algorithms include executor.hpp alone, because <thread> would
// cost each of them a quarter of their share of compile time.
#include <funnel/core/executor.hpp>
#include <funnel/core/threads.hpp>
