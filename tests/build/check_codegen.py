#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Kernels of a fixed size compile to what one would write by hand: so many instructions, in registers, without scalar steps.

The counts are those of hand-written intrinsics with four accumulators (g++ 12 and clang 19, 128 floats).
"""

import platform
import re
import sys

from toolchain import SKIPPED, Toolchain

ARCHITECTURES = {"AVX2": ["-mavx2", "-mfma"], "AVX-512": [f"-mavx512{part}" for part in ("f", "cd", "bw", "dq", "vl")] + ["-mfma"]}
MOST = {("dot", "AVX2"): 43, ("dot", "AVX-512"): 30, ("squared_l2", "AVX2"): 59, ("squared_l2", "AVX-512"): 38}
SOURCE = """
#include <funnel/kernels/distance.hpp>
#include <funnel/kernels/dot.hpp>
using Row = std::span<const float, 128>;
extern "C" float dot(Row a, Row b) { return funnel::kernels::dot(a, b); }
extern "C" float squared_l2(Row a, Row b) { return funnel::kernels::squared_l2(a, b); }
"""

toolchain = Toolchain(__doc__)
if platform.machine() != "x86_64" or not toolchain.has("xsimd"):
    print("codegen: needs x86-64 and xsimd")
    sys.exit(SKIPPED)

problems = []
for architecture, flags in ARCHITECTURES.items():
    without_native = [flag for flag in toolchain.flags(["xsimd"]) if flag != "-march=native"]
    succeeded, assembly = toolchain.run(SOURCE, *without_native, *flags, "-O3", "-S", "-o", "-")
    if not succeeded:
        sys.exit(f"codegen, {architecture}:\n{assembly}")
    for function in ("dot", "squared_l2"):
        body = re.search(rf"^{function}:[^\n]*\n(.*?)^\t\.size\t{function},", assembly, re.MULTILINE | re.DOTALL)[1]
        instructions = re.findall(r"^\t([a-z]\w*)(.*)$", body, re.MULTILINE)
        names = [name for name, _ in instructions]
        name = f"{function} of 128 floats, {architecture}, {toolchain.compiler}"
        print(f"{len(names):4d} instructions, at most {MOST[function, architecture]}: {name}")
        if len(names) > MOST[function, architecture]:
            problems.append(f"{name}: {len(names)} instructions")
        accumulators = {operands.split(",")[-1] for one, operands in instructions if re.fullmatch(r"vfmadd\d+ps", one)}
        if len(accumulators) < 3:  # of four, one may end up in the register of a difference
            problems.append(f"{name}: fused multiply-adds of vectors into {len(accumulators)} registers only")
        if any(re.fullmatch(r"v(mul|fmadd\d+)ss", one) for one in names):
            problems.append(f"{name}: products of single numbers")
        if any("%rsp" in operands or "%rbp" in operands for _, operands in instructions):
            problems.append(f"{name}: accumulators on the stack")

print("\n".join(problems) or "codegen: ok")
sys.exit(bool(problems))
