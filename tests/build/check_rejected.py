#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Mistakes that must not compile, and what the user is told.

Each file of compile_fail/ compiles as it stands. With FUNNEL_EXPECT_FAILURE defined it must not, and the messages must
match every expression that it names:

    // expect: REGEX          any compiler
    // expect-clang: REGEX    what only clang finds out, with -Werror=dangling; left out where there is no clang
    // flags: FLAG...         instead of FUNNEL_EXPECT_FAILURE; left out where the compiler does not know them
    // lines: N               the messages have at most so many lines

Of many programs, a run checks those that changed in the last day or include a header that did, and the others in turns; --all
checks all of them.
"""

import re
import shutil
import sys

from toolchain import ROOT, SKIPPED, Toolchain, in_parallel, includes

PROGRAMS = 24  # that a run has time for

toolchain = Toolchain(__doc__)
clang = Toolchain(__doc__)
clang.compiler = next(filter(shutil.which, ("clang++-19", "clang++-14", "clang++")), None)


def directive(text, name):
    return re.findall(rf"^// {name}: (.+)$", text, re.MULTILINE)


def check(job):
    """(what is wrong, why it was left out)"""
    path, compiler, expressions, warnings = job
    text = path.read_text()
    needed = ("eigen",) if toolchain.has("eigen") else ()
    flags = [*toolchain.flags(needed), *warnings, "-fsyntax-only"]
    mistake = directive(text, "flags")[0].split() if directive(text, "flags") else ["-DFUNNEL_EXPECT_FAILURE"]
    if not compiler.run("", *flags, *mistake)[0]:
        return "", f"{path.name}: left out, {compiler.compiler} does not know {' '.join(mistake)}"
    succeeded, messages = compiler.run(text, *flags)
    if not succeeded:
        return f"{path.name} does not compile without the mistake, {compiler.compiler}:\n{messages}", ""
    succeeded, messages = compiler.run(text, *flags, *mistake)
    if succeeded:
        return f"{path.name} compiles with {compiler.compiler}, although it must not", ""
    for expression in expressions:
        if not re.search(expression, messages):
            return f"{path.name}: nothing in the messages of {compiler.compiler} matches {expression!r}:\n{messages}", ""
    most = directive(text, "lines")
    if most and len(messages.splitlines()) > int(most[0]):
        return f"{path.name}: more than {most[0]} lines from {compiler.compiler}:\n{messages}", ""
    return "", ""


jobs = []
problems = []
left_out = []
programs = {str(path.relative_to(ROOT)): includes(path) for path in sorted((ROOT / "tests/build/compile_fail").glob("*.cpp"))}
for path in sorted(map(ROOT.joinpath, toolchain.share(programs, PROGRAMS))):
    text = path.read_text()
    expected, by_clang = directive(text, "expect"), directive(text, "expect-clang")
    if not expected and not by_clang or "FUNNEL_EXPECT_FAILURE" not in text and not directive(text, "flags"):
        problems.append(f"{path.name}: needs a line `// expect: REGEX`, and code that FUNNEL_EXPECT_FAILURE breaks")
    if expected:
        jobs.append((path, toolchain, expected, []))
    if by_clang and clang.compiler:
        jobs.append((path, clang, by_clang, ["-Werror=dangling"]))
    elif by_clang:
        left_out.append(f"{path.name}: left out, there is no clang")
if not jobs and not problems:
    print("rejected: no files")
    sys.exit(SKIPPED)
for problem, reason in in_parallel(check, jobs):
    problems += [problem] if problem else []
    left_out += [reason] if reason else []
print("\n".join(left_out + problems) or f"rejected: {len(jobs)} ok")
sys.exit(bool(problems))
