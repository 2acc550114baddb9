#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Chooses what is checked this time, of checks that would take too long as the library grows.

A run has time for a fixed amount, however large the library is. What changed in the last day, or is not committed yet, comes
first. The rest follows in turns, which move on every day, so that no check is lost over time. The choice depends on the commit
and on what is not committed, so repeating a run repeats its checks. Without git, only the date counts.

The gates choose headers and rejected programs by this; run as a program, it chooses the areas (folders of tests/ or bench/) of
the deep checks and the benches.

    plan.py          areas on stdout, on one line; the explanation on stderr
    plan.py --all    all areas
"""

import argparse
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
DAY = 24 * 60 * 60
LINES = 7000  # of tests and benches that a run has time for


def git(*arguments):
    """The lines that git prints, or none without git."""
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    except FileNotFoundError:
        return []
    return done.stdout.splitlines() if done.returncode == 0 else []


def now():
    """The time of the commit in seconds, or that of the clock without git."""
    head = git("log", "-1", "--format=%ct")
    return int(head[0]) if head else int(time.time())


def changed_files():
    """Paths of the files that differ from what was here a day before the commit, new files too. In a clone without history,
    only what is not committed yet."""
    before = git("rev-list", "-1", "--first-parent", f"--before={now() - DAY}", "HEAD")
    return git("diff", "--name-only", *(before or ["HEAD"])) + git("ls-files", "--others", "--exclude-standard")


def area_of(path):
    """The area to which a file belongs: include/funnel/cf/ease.hpp, tests/cf/ease_test.cpp and bench/cf/cf_bench.cpp are of cf."""
    parts = pathlib.PurePath(path).parts
    if len(parts) > 3 and parts[:2] == ("include", "funnel"):
        return parts[2]
    return parts[1] if len(parts) > 2 and parts[0] in ("tests", "bench") else None


def areas_with_lines():
    """{area: lines of its tests and benches} in the order of tests.txt and benches.txt."""
    lines = {}
    for folder, name in (("tests", "tests.txt"), ("bench", "benches.txt")):
        for line in (ROOT / folder / name).read_text().splitlines():
            if line and not line.startswith("#"):
                file = line.split()[0]
                area = file.split("/")[0]
                lines[area] = lines.get(area, 0) + (ROOT / folder / file).read_text().count("\n")
    return lines


def plan(costs, touched, start, limit):
    """(those touched, those in their turn) of the names in costs = {name: cost}. The first may take two thirds of `limit`, in
    the order given; one of each kind is chosen in any case. Turns begin at name number `start`."""
    names = list(costs)
    used = 0
    recent = []
    for name in touched:
        if name in costs and (not recent or used + costs[name] <= limit * 2 // 3):
            recent.append(name)
            used += costs[name]
    chosen = set(recent)
    turns = []
    start %= max(len(names), 1)
    for name in names[start:] + names[:start]:
        if name not in chosen and (not turns or used + costs[name] <= limit):
            turns.append(name)
            used += costs[name]
    return recent, turns


def share(names, touched, day, limit):
    """At most `limit` of the names, each of the same cost: those touched, nearest first, and the others in turns. Each has its
    turn within len(names) / (limit / 3) days."""
    recent, turns = plan(dict.fromkeys(names, 1), touched, day * (limit // 3), limit)
    return set(recent + turns)


def reached(changed, includes):
    """The names in includes = {name: names that it includes} that changed, or include what did, the nearest first."""
    found = [name for name in includes if name in changed]
    seen = set(changed)
    while True:
        more = [name for name, named in includes.items() if name not in seen and not seen.isdisjoint(named)]
        if not more:
            return found
        found += more
        seen.update(more)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true")
    arguments = parser.parse_args()
    lines = areas_with_lines()
    if arguments.all:
        print(*lines)
        return

    changes = {}  # area -> number of files that changed, most of them first
    for path in changed_files():
        if area := area_of(path):
            changes[area] = changes.get(area, 0) + 1
    touched = sorted(changes, key=lambda area: -changes[area])

    recent, turns = plan(lines, touched, now() // DAY, LINES)
    skipped = [area for area in lines if area not in recent + turns]
    explanation = f"areas that the last commits touched: {' '.join(recent) or 'none'}; whose turn it is: {' '.join(turns) or 'none'}"
    if skipped:
        explanation += f"\nskipped this time: {' '.join(skipped)}; to run them: ./dev check {' '.join(skipped)}"
    print(explanation, file=sys.stderr)
    print(*recent, *turns)


if __name__ == "__main__":
    main()
