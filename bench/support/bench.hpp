// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

// Everything that a benchmark needs: keep, time_ns, compare, time_once_s, environment, memory, Row and Report.
#include "support/machine.hpp"
#include "support/memory.hpp"
#include "support/report.hpp"
#include "support/timing.hpp"
