#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""All headers together: in two files of one program, in opposite orders, nothing is defined twice; without exceptions
they still compile. Once with plain loops, once with xsimd. Files that were compiled for different machines do not link."""

import itertools
import pathlib
import platform
import subprocess
import sys
import tempfile

from toolchain import Toolchain, in_parallel

toolchain = Toolchain(__doc__)

MACHINES = {
    "x86_64": ["x86-64", "x86-64 -msse4.2", "x86-64-v3", "skylake-avx512", "icelake-server", "sapphirerapids"],
    "aarch64": ["armv8-a", "armv8.1-a", "armv8.2-a+dotprod", "armv8.2-a+sve"],
}


def source(headers, main):
    return "".join(f"#include <{header}>\n" for header in headers) + main


def check(job):
    name, text, needed, flags = job
    succeeded, messages = toolchain.run(text, *toolchain.flags(needed), *toolchain.header_warnings(), *flags)
    return "" if succeeded else f"{name}:\n{messages}"


def mixtures(folder):
    """What is wrong when a function with a type of ours is called in a file for one machine and defined in one for another."""
    files = {}
    for number, machine in enumerate(MACHINES.get(platform.machine(), [])):
        paths = [str(pathlib.Path(folder) / f"machine_{number}_{part}.o") for part in ("calls", "defines")]
        head = "#include <funnel/core/scored.hpp>\nfloat score(funnel::Scored<> hit)"
        texts = (f"{head};\nint main() {{ return static_cast<int>(score({{1, 0.0F}})); }}\n", f"{head} {{ return hit.score; }}\n")
        built = [toolchain.run(text, *toolchain.flags(), *f"-march={machine}".split(), "-c", "-o", path) for text, path in zip(texts, paths)]
        if all(succeeded for succeeded, _ in built):  # else the compiler does not know that machine
            files[machine] = paths
    for (calling, (calls, _)), (defining, (_, defines)) in itertools.product(files.items(), repeat=2):
        program = str(pathlib.Path(folder) / "mixture")
        linked = subprocess.run([toolchain.compiler, calls, defines, "-o", program], capture_output=True, text=True)
        if (linked.returncode == 0) != (calling == defining):
            yield f"a file with {calling} and one with {defining} {'do not link' if calling == defining else 'link'}:\n{linked.stderr}"
    print(f"links: files for {len(files)} machines do not mix")


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
    problems += mixtures(folder)

print("\n".join(problems) or f"links: {len(jobs)} files ok")
sys.exit(bool(problems))
