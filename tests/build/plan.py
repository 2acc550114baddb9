#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Chooses the areas (folders of tests/) whose deep checks run this time, and prints them on one line.

A run has time for a fixed number of lines of tests, however large the library is. The areas that the commits of the last
day touched come first. The others follow in turns: the first one moves on by one per day. The choice depends on the commit
alone, so repeating a run repeats its checks. Without git, the choice depends on today's date.

    plan.py          areas on stdout; the explanation on stderr
    plan.py --all    all areas
"""

import argparse
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
DAY = 24 * 60 * 60
LINES = 10000  # of tests that a run has time for


def git(*arguments):
    """The lines that git prints, or none without git."""
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    except FileNotFoundError:
        return []
    return done.stdout.splitlines() if done.returncode == 0 else []


def area_of(path):
    """The area to which a file belongs: include/funnel/cf/ease.hpp and tests/cf/ease_test.cpp are both of cf."""
    parts = pathlib.PurePath(path).parts
    if len(parts) > 3 and parts[:2] == ("include", "funnel"):
        return parts[2]
    return parts[1] if len(parts) > 2 and parts[0] == "tests" else None


def areas_with_lines():
    """{area: lines of its tests} in the order of tests.txt."""
    lines = {}
    for line in (ROOT / "tests/tests.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            file = line.split()[0]
            lines.setdefault(file.split("/")[0], 0)
            lines[file.split("/")[0]] += (ROOT / "tests" / file).read_text().count("\n")
    return lines


def plan(lines, touched, day, limit):
    """(areas touched, areas in their turn). The first may take two thirds of `limit`; one area has its turn in any case."""
    areas = list(lines)
    start = day % len(areas)
    used = 0
    recent = []
    for area in touched:
        if area in lines and used + lines[area] <= limit * 2 // 3:
            recent.append(area)
            used += lines[area]
    turns = []
    for area in areas[start:] + areas[:start]:
        if area not in recent and (not turns or used + lines[area] <= limit):
            turns.append(area)
            used += lines[area]
    return recent, turns


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true")
    arguments = parser.parse_args()
    lines = areas_with_lines()
    if arguments.all:
        print(*lines)
        return

    head = git("log", "-1", "--format=%ct")
    now = int(head[0]) if head else int(time.time())
    changes = {}  # area -> number of files that changed, most of them first
    for path in git("log", f"--since={now - DAY}", "--format=", "--name-only", "--no-merges"):
        if area := area_of(path):
            changes[area] = changes.get(area, 0) + 1
    touched = sorted(changes, key=lambda area: -changes[area])

    recent, turns = plan(lines, touched, now // DAY, LINES)
    skipped = [area for area in lines if area not in recent + turns]
    explanation = f"deep checks of the areas that the last commits touched: {' '.join(recent) or 'none'}; whose turn it is: {' '.join(turns) or 'none'}"
    if skipped:
        explanation += f"\nskipped this time: {' '.join(skipped)}; to run them: ./dev check {' '.join(skipped)}"
    print(explanation, file=sys.stderr)
    print(*recent, *turns)


if __name__ == "__main__":
    main()
