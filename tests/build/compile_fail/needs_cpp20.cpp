// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// expect: funnel needs C\+\+20: compile with -std=c\+\+20
// flags: -std=c++17
// lines: 12
#include <funnel/core/matrix.hpp>

int main() {}
