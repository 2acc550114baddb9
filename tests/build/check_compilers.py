#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Other compilers read every test, bench and example without a warning: check_compilers.py clang++-14 clang++-19

Also all headers at once, plain, with xsimd, and as C++23. Nothing is built. With --areas "cf io", the tests and benches of
these folders are read, and all examples.
"""

import copy
import sys

from toolchain import ROOT, WARNINGS, Toolchain, in_parallel

given = Toolchain(__doc__)


def sources():
    for folder, name in (("tests", "tests/tests.txt"), ("bench", "bench/benches.txt"), ("examples", "examples/examples.txt")):
        for line in (ROOT / name).read_text().splitlines():
            if line.strip() and not line.startswith("#"):
                yield from (f"{folder}/{word}" for word in line.split() if word.endswith(".cpp"))


def check(job):
    toolchain, name, text, needed, more = job
    flags = [*toolchain.flags(needed), f"-I{ROOT / 'tests'}", f"-I{ROOT / 'bench'}", "-fsyntax-only", *more]
    succeeded, messages = toolchain.run(text, *flags, *WARNINGS)
    return "" if succeeded else f"{toolchain.compiler}, {name}:\n{messages}"


jobs = []
for compiler in given.arguments.compilers:
    toolchain = copy.copy(given)
    toolchain.compiler = compiler
    eigen = ("eigen",) if toolchain.has("eigen") else ()
    for needed in (eigen, (*eigen, "xsimd")):
        if toolchain.has(*needed):
            text = "".join(f"#include <{header}>\n" for header in toolchain.headers(*needed))
            jobs.append((toolchain, "all headers", text, needed, []))
            jobs.append((toolchain, "all headers, C++23", text, needed, ["-std=c++2b"]))
    for source in sources():
        chosen = source.startswith(("examples/", "bench/peers/")) or toolchain.is_chosen(source)
        if chosen and ".cuh>" not in (ROOT / source).read_text():
            jobs.append((toolchain, source, f'#include "{ROOT / source}"\n', eigen, []))

problems = [problem for problem in in_parallel(check, jobs) if problem]
print("\n".join(problems) or f"compilers: {len(jobs)} files ok")
sys.exit(bool(problems))
