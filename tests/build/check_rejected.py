#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Mistakes that must not compile, and what the user is told.

Each file of compile_fail/ has a line `// expect: REGEX`. It must compile as it stands; with FUNNEL_EXPECT_FAILURE defined
it must not, and the compiler's messages must match the expression.
"""

import re
import sys

from toolchain import ROOT, SKIPPED, Toolchain, in_parallel

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


paths = sorted((ROOT / "tests/build/compile_fail").glob("*.cpp"))
if not paths:
    print("rejected: no files")
    sys.exit(SKIPPED)
problems = [problem for problem in in_parallel(check, paths) if problem]
print("\n".join(problems) or f"rejected: {len(paths)} ok")
sys.exit(bool(problems))
