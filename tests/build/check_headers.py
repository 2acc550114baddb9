#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Each header compiles alone and twice in a row, without a warning, within its share of compile time.

The budget is user CPU seconds of g++ -std=c++20 -fsyntax-only on the reference machine, where <ranges> takes 0.19 s:
0.4 s for a header on std alone, 1.0 s with Eigen or xsimd. Here it is scaled by what <ranges> takes on this machine.
Headers that are over it are listed in parse_debts.txt with what they take, and may not take more.
"""

import math
import sys

from toolchain import ROOT, WARNINGS, Toolchain, all_headers, in_parallel, needs

RANGES = 0.19
BUDGET = {"std": 0.4, "Eigen or xsimd": 1.0}

toolchain = Toolchain(__doc__)
is_gnu = "clang" not in toolchain.compiler


def ranges_seconds(_):
    return toolchain.run("#include <ranges>\n", "-std=c++20", "-fsyntax-only")[2]


def check(header):
    """(header, seconds, messages)"""
    source = f"#include <{header}>\n#include <{header}>\n"
    flags = [*toolchain.flags(needs(header)), *WARNINGS, "-fsyntax-only"]
    succeeded, messages, seconds = toolchain.run(source, *flags)
    return header, seconds, "" if succeeded else messages


DEBTS = {
    line.split()[0]: float(line.split()[1])
    for line in (ROOT / "tests/build/parse_debts.txt").read_text().splitlines()
    if line and not line.startswith("#")
}


def budget(header):
    if header == "funnel/funnel.hpp":  # everything at once, for a first try
        return math.inf
    return DEBTS.get(header, BUDGET["Eigen or xsimd" if needs(header) else "std"])


pattern = toolchain.arguments.headers
left = [header for header in all_headers() if toolchain.has(*needs(header)) and pattern in header]
print(f"{len(all_headers()) - len(left)} headers left out (--headers, or a dependency is missing)")
reference_seconds = {}
problems = []
# Who is over the budget may try again, at last one by one: other programs disturb the clock.
for each in (in_parallel, in_parallel, map):
    # The machine, best of runs that share it in the way the headers will.
    machine = min(each(ranges_seconds, range(6))) / RANGES
    for header, seconds, messages in each(check, left):
        reference_seconds[header] = min(seconds / machine, reference_seconds.get(header, seconds / machine))
        if messages:
            problems.append(f"{header} does not compile alone:\n{messages}")
    left = [header for header in left if is_gnu and reference_seconds[header] > budget(header)]
    if problems or not left:
        break
problems += [f"{header} takes {reference_seconds[header]:.2f} s to parse, of {budget(header)} s" for header in left]

print(f"This machine takes {machine:.2f} times as long as the reference machine. Seconds there:")
for header, seconds in sorted(reference_seconds.items(), key=lambda entry: -entry[1]):
    print(f"{seconds:6.2f} of {budget(header):.1f}  {header}")
print("\n".join(problems) or f"headers: {len(reference_seconds)} ok")
sys.exit(bool(problems))
