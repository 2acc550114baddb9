# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the gates share: where the headers are, what each needs, and how to run the compiler."""

import argparse
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys

import plan

ROOT = pathlib.Path(__file__).resolve().parents[2]
INCLUDE = ROOT / "include"
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror"]
HEADER_WARNINGS = ["-Wsign-conversion", "-Wold-style-cast"]  # some users compile with these, our own programs do without
GCC_HEADER_WARNINGS = ["-Wuseless-cast"]
SKIPPED = 77  # the exit code that ctest and Meson take for "skipped"


def includes(header):
    """The funnel headers that a header (a path below include/) or another file names, as paths below include/."""
    return re.findall(r"^\s*#\s*include\s*<(funnel/[^>]+)>", (INCLUDE / header).read_text(), re.MULTILINE)


def is_simd(header):
    return "/simd/" in header


def needs(header, seen=None):
    """What a header cannot do without: a subset of {"eigen", "xsimd"}. Fronts include simd/ only if xsimd is on."""
    seen = set() if seen is None else seen
    if header in seen or not (INCLUDE / header).exists():
        return set()
    seen.add(header)
    found = {"xsimd"} if is_simd(header) else set()
    if re.search(r"^\s*#\s*include\s*<(unsupported/)?Eigen/", (INCLUDE / header).read_text(), re.MULTILINE):
        found.add("eigen")
    for included in includes(header):
        if is_simd(header) or not is_simd(included):
            found |= needs(included, seen)
    return found


def all_headers():
    """Every host header, as a path below include/. CUDA headers are compiled by `./dev cuda`."""
    return sorted(str(path.relative_to(INCLUDE)) for path in (INCLUDE / "funnel").rglob("*.hpp"))


class Toolchain:
    def __init__(self, description):
        parser = argparse.ArgumentParser(description=description)
        parser.add_argument("--compiler", default=os.environ.get("CXX", "g++"))
        parser.add_argument("--eigen", default="/usr/include/eigen3", help="include paths, separated by colons")
        parser.add_argument("--xsimd", default="/usr/include")
        parser.add_argument("--thrust", default="")
        parser.add_argument("--flag", action="append", default=[], help="a flag for the compiler, as --flag=-stdlib=libc++")
        parser.add_argument("--areas", default="", help="folders separated by spaces, to check only headers and tests there")
        parser.add_argument("--all", action="store_true", help="check_headers.py, check_rejected.py: all, not only this day's share")
        parser.add_argument("compilers", nargs="*", help="check_compilers.py: the compilers that read everything")
        self.arguments = arguments = parser.parse_args()
        self.areas = set(arguments.areas.split())
        self.compiler = arguments.compiler
        self.paths = {}
        for name, file in (("eigen", "Eigen/Core"), ("xsimd", "xsimd/xsimd.hpp")):
            paths = [path for path in getattr(arguments, name).split(":") if path]
            if any((pathlib.Path(path) / file).exists() for path in paths):
                self.paths[name] = paths

    def has(self, *names):
        return all(name in self.paths for name in names)

    def is_chosen(self, path):
        """Whether a header (funnel/cf/ease.hpp) or a source (tests/cf/ease_test.cpp) lies in one of the areas asked for."""
        return not self.areas or pathlib.PurePath(path).parts[1] in self.areas

    def share(self, names, limit):
        """Those headers or programs among {name: headers that it includes} that are checked this time: all with --all, those of
        --areas, or at most `limit`, which plan.py chooses. Says what is left out."""
        if self.arguments.all:
            return set(names)
        everything = {header: includes(header) for header in all_headers()} | names
        if self.areas:  # a header is of the area where it lies, a program of those whose headers it includes
            return {name for name in names if any(map(self.is_chosen, [name, *(names[name] if "/build/" in name else [])]))}
        changed = {path.removeprefix("include/") for path in plan.changed_files()}
        chosen = plan.share(names, plan.reached(changed, everything), plan.now() // plan.DAY, limit)
        if len(chosen) < len(names):
            script = pathlib.Path(sys.argv[0]).name
            print(f"skipped this time: {len(names) - len(chosen)} of {len(names)} in {script}; all: python3 tests/build/{script} --all")
        return chosen

    def flags(self, needed=()):
        """Flags for C++20 with our headers and those of the dependencies named."""
        flags = ["-std=c++20", f"-I{INCLUDE}", *self.arguments.flag]
        for name in sorted(needed):
            for path in self.paths[name]:
                if path != "/usr/include":  # as a system directory it would come too early
                    flags += ["-isystem", path]
        if "xsimd" in needed:
            flags += ["-DFUNNEL_WITH_XSIMD=1", "-march=native"]
        return flags

    def header_warnings(self):
        """All warnings that headers must be free of."""
        return [*WARNINGS, *HEADER_WARNINGS, *([] if "clang" in self.compiler else GCC_HEADER_WARNINGS)]

    def headers(self, *given):
        """The headers that compile with the given dependencies and no others."""
        return [header for header in all_headers() if needs(header) <= set(given) and self.has(*given)]

    def run(self, source, *flags):
        """Compiles source text; returns (succeeded, messages)."""
        command = [self.compiler, "-x", "c++", "-", *flags]
        done = subprocess.run(command, input=source, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return done.returncode == 0, done.stdout


def memory_of_gcc(source, *flags):
    """(messages, MB) of g++ reading source text. Memory follows the time and, unlike it, does not flicker."""
    command = ["g++", "-x", "c++", "-", "-std=c++20", f"-I{INCLUDE}", *flags, "-fsyntax-only"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdin.write(source)
    process.stdin.close()
    messages = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)  # the only way to learn what this one process took
    process.returncode = os.waitstatus_to_exitcode(status)
    return messages if process.returncode else "", used.ru_maxrss / 1024


def in_parallel(function, values):
    """[function(value) for value in values] by as many workers as there are processors, in order."""
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        return list(pool.map(function, values))
