#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Mistakes that must not compile, and what the user is told.

Each file of compile_fail/ has a line `// expect: REGEX`. It must compile as it stands; with FUNNEL_EXPECT_FAILURE defined
it must not, and the compiler's messages must match the expression.

Where the library cannot work at all, every header says so, and the compiler stops there.
"""

import re
import sys

from toolchain import ROOT, Toolchain, all_headers, in_parallel

MODES = {"-std=c++17": "funnel needs C\\+\\+20", "-m32": "funnel needs a machine of 64 bits"}
MOST_LINES = 16  # the way from header to header, then the message

toolchain = Toolchain(__doc__)


def check(path):
    text = path.read_text()
    expected = re.search(r"^// expect: (.+)$", text, re.MULTILINE)
    if not expected or "FUNNEL_EXPECT_FAILURE" not in text:
        return f"{path.name}: needs a line `// expect: REGEX`, and code that FUNNEL_EXPECT_FAILURE breaks"
    needed = ("eigen",) if toolchain.has("eigen") else ()
    flags = [*toolchain.flags(needed), "-fsyntax-only"]
    succeeded, messages = toolchain.run(text, *flags)
    if not succeeded:
        return f"{path.name} does not compile without the mistake:\n{messages}"
    succeeded, messages = toolchain.run(text, *flags, "-DFUNNEL_EXPECT_FAILURE")
    if succeeded:
        return f"{path.name} compiles, although it must not"
    if not re.search(expected[1], messages):
        return f"{path.name}: nothing in the messages matches {expected[1]!r}:\n{messages}"
    return ""


def check_mode(job):
    header, mode, expected = job
    succeeded, messages = toolchain.run(f"#include <{header}>\n", *toolchain.flags(), mode, "-fsyntax-only")
    if succeeded:
        return f"{header} compiles with {mode}, although it must not"
    if not re.search(expected, messages) or messages.count("\n") > MOST_LINES:
        return f"{header} with {mode}: {messages.count(chr(10))} lines, must be at most {MOST_LINES} and say {expected}:\n{messages[:1000]}"
    return ""


paths = sorted((ROOT / "tests/build/compile_fail").glob("*.cpp"))
modes = {mode: expected for mode, expected in MODES.items() if toolchain.run("", mode, "-fsyntax-only")[0]}
jobs = [(header, mode, expected) for mode, expected in modes.items() for header in all_headers()]
problems = [problem for problem in (*in_parallel(check, paths), *in_parallel(check_mode, jobs)) if problem]
print("\n".join(problems) or f"rejected: {len(paths)} files, {len(all_headers())} headers under {', '.join(modes)} ok")
sys.exit(bool(problems))
