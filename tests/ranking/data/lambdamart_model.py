#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Confirms a model that save_lightgbm wrote with LightGBM, and writes lambdamart_model.hpp: its text and LightGBM's scores.

    lambdamart_model.py MODEL.txt > lambdamart_model.hpp

MODEL.txt is what the test "saved models are those that LightGBM has read" saves. Written with LightGBM 4.7.
"""

import sys

import lightgbm
import numpy

i = numpy.arange(96)[:, None]
j = numpy.arange(3)[None, :]
rows = ((i * 7 + j * 13 + i * i * (j + 1)) % 23 / 4.0 - 2.0).astype(numpy.float32)
rows[((i * i + j) % 6 == 0) & (j > 0)] = numpy.nan

text = open(sys.argv[1]).read()
scores = lightgbm.Booster(model_str=text).predict(rows, raw_score=True)
print("// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception")
print("#pragma once\n\n// Written by lambdamart_model.py: a model of LambdaMART, and how LightGBM scores it.\n")
print("#include <array>\n#include <string_view>\n\nnamespace funnel::testing {\n\n// clang-format off")
print(f'inline constexpr std::string_view lambdamart_model = R"({text})";\n')
print(f"inline constexpr std::array<double, {len(scores)}> lambdamart_scores{{")
for at in range(0, len(scores), 4):
    print("    " + ", ".join(float(x).hex() for x in scores[at : at + 4]) + ",")
print("};\n// clang-format on\n\n}  // namespace funnel::testing")
