#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What plan.py chooses: never more than its limit, what changed first, and everything in its turn."""

import sys

import plan

problems = []


def check(claim, is_true):
    if not is_true:
        problems.append(f"plan.py: {claim}: this does not hold")


names = [f"header {i}" for i in range(760)]
for touched in ([], names[:300], names[::2]):
    turns = [plan.share(names, touched, day, 100) for day in range(1000, 1000 + 760 // 33 + 1)]
    check("a share has as many names as a run has time for", all(len(chosen) == 100 for chosen in turns))
    check("what changed is in every share, the first of it if it is much", all(chosen.issuperset(touched[:66]) for chosen in turns))
    check("each name has its turn within len(names) / (limit / 3) days", set().union(*turns) == set(names))
check("the share of a few names is all of them", plan.share(names[:40], [], 7, 100) == set(names[:40]))
check("the share of no names is empty", plan.share([], [], 7, 100) == set())

costs = {"large": 500, "a": 40, "b": 30, "c": 30}
check("the turn of what is too large comes too", plan.plan(costs, [], 0, 100) == ([], ["large"]))
check("turns go round", plan.plan(costs, [], 2, 100) == ([], ["b", "c", "a"]))
check("what changed comes first, and takes two thirds at most", plan.plan(costs, ["c", "large", "a"], 1, 100) == (["c"], ["a", "b"]))
check("what changed is checked, however large", plan.plan(costs, ["large", "a"], 1, 100) == (["large"], ["a"]))
check("names that do not exist are left out", plan.plan(costs, ["gone"], 0, 30)[0] == [])

includes = {"all": ["a", "c"], "a": ["b"], "b": ["a", "core"], "c": ["other"], "core": [], "other": []}
check("a header is touched by what it includes, the nearest first", plan.reached({"core"}, includes) == ["core", "b", "a", "all"])
check("a header that includes nothing changed is not touched", plan.reached({"c"}, includes) == ["c", "all"])
check("a file that was deleted reaches what includes it", plan.reached({"gone"}, {"x": ["gone"], "y": []}) == ["x"])

for path, area in (
    ("include/funnel/cf/ease.hpp", "cf"),
    ("include/funnel/kernels/simd/dot.hpp", "kernels"),
    ("tests/io/crc32c_test.cpp", "io"),
    ("bench/quality/quality_bench.cpp", "quality"),
    ("include/funnel/funnel.hpp", None),
    ("tests/main.cpp", None),
):
    check(f"the area of {path} is {area}", plan.area_of(path) == area)

print("\n".join(problems) or "plan: ok")
sys.exit(bool(problems))
