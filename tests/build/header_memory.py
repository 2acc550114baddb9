#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Memory that g++ takes to read a header, in MB: says what a header costs without the flicker of a clock.

    python3 tests/build/header_memory.py funnel/cf/ease.hpp ranges

prints each header and what it adds to those before it; without arguments, each of ours alone, the largest first.
"""

import re
import subprocess
import sys

from toolchain import INCLUDE, all_headers, in_parallel


def megabytes(headers):
    source = "".join(f"#include <{header}>\n" for header in headers)
    command = ["g++", "-std=c++20", f"-I{INCLUDE}", "-isystem", "/usr/include/eigen3", "-fsyntax-only", "-ftime-report"]
    done = subprocess.run([*command, "-x", "c++", "-"], input=source, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr)
    number, unit = re.search(r"^ *TOTAL .*?(\d+)([kM])\s*$", done.stderr, re.MULTILINE).groups()
    return int(number) / (1024 if unit == "k" else 1)


if given := sys.argv[1:]:
    before = 0.0
    for count, header in enumerate(given, start=1):
        now = megabytes(given[:count])
        print(f"{now:6.0f} MB {now - before:+6.0f}  {header}")
        before = now
else:
    ours = [header for header in all_headers() if "/simd/" not in header]
    costs = in_parallel(lambda header: megabytes([header]), ours)
    for cost, header in sorted(zip(costs, ours), reverse=True):
        print(f"{cost:6.0f} MB  {header}")
