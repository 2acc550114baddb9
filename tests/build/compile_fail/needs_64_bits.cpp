// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// expect: funnel needs a 64-bit platform
// flags: -m32
// lines: 12
#include <funnel/core/matrix.hpp>

int main() {}
