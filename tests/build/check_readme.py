#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Programs in README.md and docs/ compile without a warning and run.

A program is a block of cpp code with a main function. After ```cpp, `no-run` means: compile only. A block that is followed
by a block of text is expected to print exactly that text.
"""

import pathlib
import re
import subprocess
import sys
import tempfile

from toolchain import ROOT, SKIPPED, WARNINGS, Toolchain, in_parallel

toolchain = Toolchain(__doc__)


def programs(path):
    """(place, code, whether to run it, what it prints or None)"""
    text = path.read_text()
    pattern = r"^```cpp([^\n]*)\n(.*?)^```[ \t]*\n(?:\s*```text\n(.*?)^```)?"
    for block in re.finditer(pattern, text, re.MULTILINE | re.DOTALL):
        if "int main(" in block[2] and not block[2].startswith("--8<--"):  # else it comes from a file that is compiled
            place = f"{path.relative_to(ROOT)}:{text.count(chr(10), 0, block.start()) + 1}"
            yield place, block[2], "no-run" not in block[1], block[3]


def check(program):
    place, code, is_run, printed = program
    needed = ("eigen",) if toolchain.has("eigen") else ()
    with tempfile.TemporaryDirectory() as folder:
        binary = pathlib.Path(folder) / "program"
        succeeded, messages = toolchain.run(code, *toolchain.flags(needed), *WARNINGS, "-O1", "-pthread", "-o", str(binary))
        if not succeeded:
            return f"{place} does not compile:\n{messages}"
        if is_run:
            done = subprocess.run([binary], cwd=folder, capture_output=True, text=True, timeout=300)
            if done.returncode:
                return f"{place} ends with {done.returncode}:\n{done.stdout}{done.stderr}"
            if printed is not None and printed.strip() != done.stdout.strip():
                return f"{place} prints\n{done.stdout}instead of\n{printed}"
    return ""


files = [path for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))) if path.exists()]
found = [program for path in files for program in programs(path)]
if not found:
    print("readme: no programs")
    sys.exit(SKIPPED)
problems = [problem for problem in in_parallel(check, found) if problem]
print("\n".join(problems) or f"readme: {len(found)} programs ok")
sys.exit(bool(problems))
