#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What must hold for files as text: licence lines, length of headers and lines, lists that are complete, one version."""

import re
import sys

from toolchain import INCLUDE, ROOT, all_headers, includes

LICENCE = "SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception"
SUFFIXES = {".hpp", ".cpp", ".cuh", ".cu", ".py", ".cmake", ".sh"}
NAMES = {"CMakeLists.txt", "meson.build", "meson_options.txt", "dev", "run"}

problems = []


def is_ours(path):
    parts = path.relative_to(ROOT).parts
    return path.is_file() and not parts[0].startswith("build") and parts[0] not in (".git", ".cache")


def listed(name):
    lines = (ROOT / name).read_text().splitlines()
    return [line.split()[0] for line in lines if line.strip() and not line.startswith("#")]


def reaches_kernels(path, seen):
    if path in seen:
        return False
    seen.add(path)
    named = re.findall(r'^#include (?:<(funnel/[^>]+)>|"([^"]+)")', path.read_text(), re.MULTILINE)
    beside = [path.parent / other for _, other in named]
    paths = [INCLUDE / ours if ours else there if there.exists() else ROOT / "tests" / other for (ours, other), there in zip(named, beside)]
    return any("funnel/kernels/" in str(path) or reaches_kernels(path, seen) for path in paths)


for path in sorted(filter(is_ours, ROOT.rglob("*"))):
    if path.suffix in SUFFIXES or path.name in NAMES:
        text = path.read_text()
        if LICENCE not in "\n".join(text.splitlines()[:3]):
            problems.append(f"{path.relative_to(ROOT)}: the licence line is missing:  {LICENCE}")
        if path.suffix in (".hpp", ".cuh") and INCLUDE in path.parents:
            if text.count("\n") > 400 and path.name != "funnel.hpp":  # a list of headers
                problems.append(f"{path.relative_to(ROOT)}: {text.count(chr(10))} lines; past 400 it is two headers")
            for number, line in enumerate(text.splitlines(), 1):
                if len(line) > 120:
                    problems.append(f"{path.relative_to(ROOT)}:{number}: {len(line)} columns, more than 120")
            if re.search(r"^namespace funnel::inline", text, re.MULTILINE):
                problems.append(f"{path.relative_to(ROOT)}: open the namespaces one by one: ctags and editors see no others")
            if "#pragma once" not in text:
                problems.append(f"{path.relative_to(ROOT)}: #pragma once is missing")

for folder, pattern, name in (
    ("tests", "**/*_test.cpp", "tests/tests.txt"),
    ("bench", "**/*.cpp", "bench/benches.txt"),
    ("examples", "*.cpp", "examples/examples.txt"),
):
    there = {str(path.relative_to(ROOT / folder)) for path in (ROOT / folder).glob(pattern)}
    names = listed(name)
    problems += [f"{name} names {file}, which does not exist" for file in names if not (ROOT / folder / file).exists()]
    problems += [f"{name} names {file} twice" for file in sorted(set(names)) if names.count(file) > 1]
    problems += [f"{name} lacks {file}" for file in sorted(there - set(names))]

for line in (ROOT / "tests/tests.txt").read_text().splitlines():
    file, *mark = line.split()
    if file.endswith("_test.cpp") and not file.startswith("cuda/"):
        reaches = reaches_kernels(ROOT / "tests" / file, set())
        if reaches != (mark == ["simd"]):
            why = "reaches the kernels, so simd must follow" if reaches else "does not reach the kernels, so nothing may follow"
            problems.append(f"tests/tests.txt: {file} {why}")

# A SIMD overload with other parameters than the scalar one is never called: Simd falls back to Scalar without a message.
def overloads(path, backend):
    """{name: parameter types after the backend}, of the kernels in a header."""
    code = re.sub(r"//.*", "", path.read_text())
    found = {}
    for name, rest in re.findall(r"\b(\w+)\(\s*(?:" + backend + r")(?: \w+)?,([^{;]*?)\)\s*noexcept", code):
        types = re.sub(r",\s*Dim>", ">", " ".join(rest.split()))  # a fixed extent is a form of the same parameter
        types = re.sub(r"\bT\b", "float", types)  # of a template over floats and doubles, SIMD takes the floats
        found.setdefault(name, set()).add(re.sub(r"(?<=[>\w]) \w+(?=,|$)", "", types))
    return found


for path in sorted((INCLUDE / "funnel/kernels/simd").glob("*.hpp")):
    plain = INCLUDE / "funnel/kernels/scalar" / path.name
    if plain.exists():
        fast, slow = overloads(path, "Simd<Arch>"), overloads(plain, "Backend|Scalar")
        for name, types in sorted(fast.items()):
            for parameters in sorted(types - slow.get(name, set())):
                problems.append(f"{path.relative_to(ROOT)}: {name}({parameters}) has no scalar overload with these parameters")
        if not fast:
            problems.append(f"{path.relative_to(ROOT)} overloads no kernel on Simd<Arch>")

# Whoever reads bytes from outside must be fuzzed: readers of files, and classes with a kind of saved file.
fuzzed = "".join(path.read_text() for path in (ROOT / "tests/fuzz").glob("*_fuzz.cpp"))
for path in (ROOT / "tests/fuzz").glob("*_fuzz.cpp"):
    target = path.name.removesuffix("_fuzz.cpp")
    if f'"{target}"' not in path.read_text():
        problems.append(f"tests/fuzz/{path.name} must register the target {target}: ./dev fuzz knows targets by their files")
READS = r"\bread_\w+\(const std::string& path|\bkind = \"\w+\.|ContainerReader file\(path, \""
for path in sorted(INCLUDE.rglob("*.hpp")):
    name = str(path.relative_to(INCLUDE))
    code = re.sub(r"//.*", "", path.read_text())
    if name != "funnel/io/file.hpp" and re.search(READS, code) and f"#include <{name}>" not in fuzzed:
        problems.append(f"{name} reads bytes from outside, but no tests/fuzz/*_fuzz.cpp includes it")

# Two algorithms that use the same random stream would draw the same numbers from the same seed.
places = {}
for path in sorted(INCLUDE.rglob("*.hpp")):
    for name in re.findall(r'\bstream\("([^"]*)"\)', path.read_text()):
        places.setdefault(name, []).append(str(path.relative_to(ROOT)))
problems += [f"the random stream {name} is used {len(at)} times: {', '.join(at)}" for name, at in places.items() if len(at) > 1]

# Files that the documentation names exist. The changelog also names files of earlier versions, and the front page of the API
# links to pages that `./dev docs` writes and checks.
for path in sorted(filter(is_ours, ROOT.rglob("*.md"))):
    if path.parent == ROOT / "docs/site":
        continue
    text = path.read_text()
    at = path.relative_to(ROOT)
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)  # a lambda looks like a link
    links = [link for link in re.findall(r"\]\(([^)#\s]+)", prose) if "://" not in link]
    problems += [f"{at}: the link {link} leads nowhere" for link in links if not (path.parent / link).exists()]
    if at.name != "CHANGELOG.md":
        named = re.findall(r"`((?:\w+/)+\w+\.(?:hpp|cuh|cpp|py|sh|txt|md))`", text)
        bases = (ROOT, ROOT / "tests", INCLUDE, INCLUDE / "funnel")
        problems += [f"{at}: names {name}, which does not exist" for name in named if not any((base / name).exists() for base in bases)]

umbrella = "funnel/funnel.hpp"
everything = [header for header in all_headers() if header != umbrella and not {"scalar", "simd"} & set(header.split("/"))]
included = includes(umbrella)
problems += [f"{umbrella} lacks {header}" for header in everything if header not in included]
problems += [f"{umbrella} includes {header}, which is no public header" for header in included if header not in everything]
if sorted(set(included)) == sorted(everything) and included != everything:
    first = next((header for header, at in zip(included, everything) if header != at), included[-1])
    problems.append(f"{umbrella} must be sorted, each header once: {first} is out of place")

config = (INCLUDE / "funnel/core/config.hpp").read_text()
version = ".".join(re.search(rf"FUNNEL_VERSION_{part} (\d+)", config)[1] for part in ("MAJOR", "MINOR", "PATCH"))
citation = ROOT / "CITATION.cff"
if citation.exists():
    cited = re.search(r'^version:\s*"?([\d.]+)', citation.read_text(), re.MULTILINE)
    if not cited or cited[1] != version:
        problems.append(f"CITATION.cff: version is {cited[1] if cited else 'missing'}, the headers say {version}")
changelog = ROOT / "CHANGELOG.md"
if changelog.exists() and version not in changelog.read_text():
    problems.append(f"CHANGELOG.md has no section for {version}")

print("\n".join(problems) or f"sources: ok, version {version}")
sys.exit(bool(problems))
