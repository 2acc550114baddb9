#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""All headers together: in two files of one program, in opposite orders, nothing is defined twice; without exceptions
they still compile. Once with plain loops, once with xsimd."""

import pathlib
import subprocess
import sys
import tempfile

from toolchain import WARNINGS, Toolchain, in_parallel

toolchain = Toolchain(__doc__)


def source(headers, main):
    return "".join(f"#include <{header}>\n" for header in headers) + main


def check(job):
    name, text, needed, flags = job
    succeeded, messages = toolchain.run(text, *toolchain.flags(needed), *WARNINGS, *flags)
    return "" if succeeded else f"{name}:\n{messages}"


with tempfile.TemporaryDirectory() as folder:
    jobs = []
    programs = {}
    eigen = ("eigen",) if toolchain.has("eigen") else ()
    for name, needed in (("plain", eigen), ("xsimd", (*eigen, "xsimd"))):
        if not toolchain.has(*needed):
            print(f"{name}: skipped, not found")
            continue
        headers = toolchain.headers(*needed)
        files = [str(pathlib.Path(folder) / f"{name}_{i}.o") for i in range(2)]
        jobs += [
            (f"{name}, all headers", source(headers, "int main() {}\n"), needed, ["-c", "-o", files[0]]),
            (f"{name}, in reverse", source(reversed(headers), "int other() { return 0; }\n"), needed, ["-c", "-o", files[1]]),
            (f"{name}, -fno-exceptions", source(headers, ""), needed, ["-fno-exceptions", "-fsyntax-only"]),
        ]
        programs[name] = files
    problems = [problem for problem in in_parallel(check, jobs) if problem]
    if not problems:
        for name, files in programs.items():
            linked = subprocess.run([toolchain.compiler, *files, "-pthread", "-o", files[0] + ".out"], capture_output=True, text=True)
            if linked.returncode:
                problems.append(f"{name} does not link:\n{linked.stderr}")

print("\n".join(problems) or f"links: {len(jobs)} files ok")
sys.exit(bool(problems))
