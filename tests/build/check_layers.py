#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Each folder of include/funnel includes only the folders that layers.txt grants it.

A folder can only be granted folders listed above it, so what passes has no cycles.
"""

import re
import sys

from toolchain import INCLUDE, ROOT

granted = {}
problems = []

for line in (ROOT / "tests/build/layers.txt").read_text().splitlines():
    if line.startswith("#"):
        continue
    folder, _, below = line.partition(":")
    problems += [f"layers.txt: {folder} is granted {name}, which is not above it" for name in below.split() if name not in granted]
    granted[folder] = {folder, *below.split()}

headers = [path for path in sorted((INCLUDE / "funnel").glob("*/**/*")) if path.suffix in (".hpp", ".cuh")]
for header in headers:
    name = header.relative_to(INCLUDE / "funnel")
    text = header.read_text()
    for included in re.findall(r"^\s*#\s*include\s*<funnel/([^>]+)>", text, re.MULTILINE):
        folder = included.partition("/")[0]
        if folder not in granted.get(name.parts[0], ()):
            problems.append(f"{name} includes {included}, which {name.parts[0]}/ may not")
        if not (INCLUDE / "funnel" / included).exists():
            problems.append(f"{name} includes {included}, which does not exist")
    problems += [f"{name} includes {quoted}: write <funnel/...>" for quoted in re.findall(r'^\s*#\s*include\s*(".*")', text, re.MULTILINE)]

print("\n".join(problems) or f"layers: {len(headers)} headers ok")
sys.exit(bool(problems))
