// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// expect: funnel needs a machine of 64 bits
// flags: -m32
// lines: 12
#include <funnel/core/matrix.hpp>

int main() {}
