#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Each header compiles alone and twice in a row, without a warning, within its share of compile time.

Of many headers, a run checks those that changed in the last day or include one that did, and the others in turns; --all checks
all of them.

The budget is 220 MB of the compiler's memory for a header on std alone and 640 MB with Eigen or xsimd, with g++ 12, which takes
51 MB for <ranges>; for another compiler, as much more or less as it takes for <ranges>. See docs/decisions/0009-parse-budget.md.
"""

import sys

from toolchain import Toolchain, all_headers, in_parallel, includes, memory_of_gcc, needs

HEADERS = 100  # that a run has time for
MEGABYTES_OF_RANGES = 51
MEGABYTES = {"std": 220, "Eigen or xsimd": 640}

toolchain = Toolchain(__doc__)
is_gnu = "clang" not in toolchain.compiler
empty, ranges = (memory_of_gcc(source)[1] if is_gnu else 0.0 for source in ("", "#include <ranges>\n"))


def check(header):
    """(header, its part of the budget, messages)"""
    source = f"#include <{header}>\n" * 2
    flags = [*toolchain.flags(needs(header)), *toolchain.header_warnings()]
    if not is_gnu:
        succeeded, messages = toolchain.run(source, *flags, "-fsyntax-only")
        return header, 0.0, "" if succeeded else messages
    messages, megabytes = memory_of_gcc(source, *flags)
    if header == "funnel/funnel.hpp":  # everything at once, for a first try
        return header, 0.0, messages
    budget = MEGABYTES["Eigen or xsimd" if needs(header) else "std"] / MEGABYTES_OF_RANGES * (ranges - empty)
    return header, (megabytes - empty) / budget, messages


chosen = sorted(toolchain.share({header: includes(header) for header in all_headers()}, HEADERS))
usable = [header for header in chosen if toolchain.has(*needs(header))]
if len(usable) < len(chosen):
    print(f"{len(chosen) - len(usable)} headers left out: a dependency is missing")
results = sorted(in_parallel(check, usable), key=lambda result: -result[1])
for header, part, _ in results:
    print(f"{100 * part:4.0f} % of its budget  {header}")
problems = [f"{header} does not compile alone:\n{messages}" for header, _, messages in results if messages]
problems += [f"{header} takes too long to read; see header_memory.py" for header, part, _ in results if part > 1]
print("\n".join(problems) or f"headers: {len(results)} ok")
sys.exit(bool(problems))
