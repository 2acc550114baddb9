// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/pipeline/trace.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <string>

using funnel::pipeline::to_string;
using funnel::pipeline::Trace;

TEST_CASE("to_string of a trace: an aligned table of stages, worked by hand") {
    Trace trace;
    trace.stages = {{"ease", 0, 200, 412'345}, {"popular", 0, 1000, 7'500}, {"merge", 1200, 331, 12'031'000}};
    trace.sources = {"ease", "popular"};
    CHECK(to_string(trace) ==
          "stage      in   out      ms\n"
          "ease        0   200   0.412\n"
          "popular     0  1000   0.008\n"
          "merge    1200   331  12.031\n"
          "fallback level: none\n");
    trace.fallback_level = 1;
    CHECK(to_string(trace).ends_with("\nfallback level: 1\n"));
}

TEST_CASE("to_string of a trace: edges") {
    CHECK(to_string(Trace{}) == "stage  in  out  ms\nfallback level: none\n");

    Trace trace;
    trace.stages = {
        {"", 0, 0, 499}, {"für dich", 0, 0, 999'999}, {"last", 0, 0, std::numeric_limits<std::uint64_t>::max()}};
    CHECK(to_string(trace) ==
          "stage     in  out                  ms\n"
          "           0    0               0.000\n"
          "für dich   0    0               1.000\n"  // as wide as it looks
          "last       0    0  18446744073709.552\n"
          "fallback level: none\n");
}
