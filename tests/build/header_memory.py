#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What each of several headers adds to those before it, in MB of memory of g++: what a header costs to read, and why.

    python3 tests/build/header_memory.py string vector funnel/cf/popularity.hpp
"""

import sys

from toolchain import memory_of_gcc

source = ""
before = empty = memory_of_gcc(source)[1]
for header in sys.argv[1:]:
    source += f"#include <{header}>\n"
    messages, megabytes = memory_of_gcc(source, "-isystem", "/usr/include/eigen3")
    print(messages or f"{megabytes - empty:6.0f} MB {megabytes - before:+6.0f}  {header}")
    before = megabytes
