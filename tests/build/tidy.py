#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""clang-tidy 19 over all headers, or over the source files given.

One file includes all headers. Nearly all the time goes into what they include, the standard library, Eigen and xsimd, so
that half of the headers takes as long as all of them: a file a processor would cost more and end no sooner.
"""

import pathlib
import subprocess
import sys

from toolchain import ROOT, Toolchain, in_parallel

files = [pathlib.Path(name) for name in sys.argv[1:]]
sys.argv[1:] = []
toolchain = Toolchain(__doc__)
needed = [name for name in ("eigen", "xsimd") if toolchain.has(name)]

if not files:
    checked = toolchain.headers(*needed)
    unit = ROOT / "build/lint/headers.cpp"
    unit.parent.mkdir(parents=True, exist_ok=True)
    unit.write_text("".join(f"#include <{header}>\n" for header in checked))
    files = [unit]
else:
    checked = files = [file for file in files if file.suffix in (".cpp", ".hpp")]


def check(file):
    """What clang-tidy has to say against a file, or nothing."""
    command = ["clang-tidy-19", "--quiet", str(file), "--", *toolchain.flags(needed), f"-I{ROOT / 'tests'}", f"-I{ROOT / 'bench'}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return done.stdout + (done.stderr if not done.stdout else "") if done.returncode else ""


problems = [problem for problem in in_parallel(check, files) if problem]
print("\n".join(problems) or f"clang-tidy: {len(checked)} files ok")
sys.exit(bool(problems))
