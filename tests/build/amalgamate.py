#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes all host headers into one: amalgamate.py OUTPUT

Headers that need Eigen are there if FUNNEL_WITH_EIGEN is defined as 1. The kernels are plain loops: with xsimd, or for
CUDA, use the library as it is.
"""

import pathlib
import re
import sys

from toolchain import INCLUDE, all_headers, includes, is_simd, needs

output = pathlib.Path(sys.argv[1])
done = {"funnel/funnel.hpp"}
parts = [
    "// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception\n"
    "// Made by tests/build/amalgamate.py out of include/funnel: do not edit.\n"
    "#pragma once\n\n"
    "#if defined(FUNNEL_WITH_XSIMD) && FUNNEL_WITH_XSIMD\n"
    '#error "the single header has plain loops only: with xsimd, use the headers of the library"\n'
    "#endif\n"
]


def add(header):
    """Adds a header after those that it includes."""
    if header in done:
        return
    done.add(header)
    for included in includes(header):
        if not is_simd(included):
            add(included)
    body = re.sub(r"^\s*(#pragma once|// SPDX-.*|#\s*include\s*<funnel/.*>.*)\n", "", (INCLUDE / header).read_text(), flags=re.MULTILINE)
    body = re.sub(r"\n{3,}", "\n\n", body).strip("\n")
    if "eigen" in needs(header):
        body = f"#if defined(FUNNEL_WITH_EIGEN) && FUNNEL_WITH_EIGEN\n{body}\n#endif"
    parts.append(f"\n// ---- {header}\n{body}\n")


for header in all_headers():
    if not is_simd(header):
        add(header)
output.parent.mkdir(parents=True, exist_ok=True)
output.write_text("".join(parts))
print(f"{output}: {len(parts) - 1} headers, {sum(part.count(chr(10)) for part in parts)} lines")
