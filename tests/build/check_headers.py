#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Each header compiles alone and twice in a row, without a warning, within its share of compile time.

The budget is user CPU seconds of g++ -std=c++20 -fsyntax-only on the reference machine, where <ranges> takes 0.19 s:
0.4 s for a header on std alone, 1.0 s with Eigen or xsimd. Here it is scaled by what <ranges> takes on this machine.
"""

import sys

from toolchain import WARNINGS, Toolchain, all_headers, in_parallel, needs

RANGES = 0.19
BUDGET = {"std": 0.4, "Eigen or xsimd": 1.0}

toolchain = Toolchain(__doc__)
is_gnu = "clang" not in toolchain.compiler


def ranges_seconds(_):
    return toolchain.run("#include <ranges>\n", "-std=c++20", "-fsyntax-only")[2]


def check(header):
    """(header, class, seconds, messages)"""
    needed = needs(header)
    if not toolchain.has(*needed):
        return header, "skipped: needs " + " and ".join(sorted(needed)), 0.0, ""
    kind = "Eigen or xsimd" if needed else "std"
    source = f"#include <{header}>\n#include <{header}>\n"
    succeeded, messages, seconds = toolchain.run(source, *toolchain.flags(needed), *WARNINGS, "-fsyntax-only")
    return header, kind, seconds, "" if succeeded else messages


# Best of the runs that share the machine in the way the headers will.
machine = min(in_parallel(ranges_seconds, range(6))) / RANGES
results = in_parallel(check, all_headers())

problems = []
table = []
for header, kind, seconds, messages in results:
    if messages:
        problems.append(f"{header} does not compile alone:\n{messages}")
    elif kind in BUDGET:
        for _ in range(4):  # once more, in quiet, before it is called too slow
            if seconds > BUDGET[kind] * machine:
                seconds = min(seconds, check(header)[2])
        table.append((seconds / machine, kind, header))
        if is_gnu and seconds > BUDGET[kind] * machine:
            problems.append(f"{header} takes {seconds / machine:.2f} s to parse, over the {BUDGET[kind]} s for {kind}")
    else:
        print(f"{header}: {kind}")

print(f"This machine takes {machine:.2f} times as long as the reference machine. Reference seconds:")
for seconds, kind, header in sorted(table, reverse=True):
    print(f"{seconds:6.2f} of {BUDGET[kind]:.1f}  {header}")
print("\n".join(problems) or f"headers: {len(table)} ok")
sys.exit(bool(problems))
