#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The demo on logs that people have: small, odd or broken ones.  check_demo.py PROGRAM

It ends with a report or with one line that says what is wrong, and shows nothing that means nothing.
"""

import pathlib
import random
import re
import subprocess
import sys
import tempfile

program = pathlib.Path(sys.argv[1]).resolve()
problems = []
draws = random.Random(1)


def table(rows, header="user_id,item_id,timestamp"):
    return "\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n"


def many(time):  # 2,000 rows of 60 users and 40 items, the n-th at time(n)
    return table((draws.randrange(60), draws.randrange(40), time(n)) for n in range(2000))


def check(name, text, says, lacks=(), succeeds=True, arguments=()):
    with tempfile.TemporaryDirectory() as folder:
        if text is not None:
            (pathlib.Path(folder) / "log.csv").write_text(text)
        command = [program, "--data", "log.csv", *arguments]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100)
        printed = done.stdout + done.stderr
        report = pathlib.Path(folder) / "report.html"
        page = report.read_text() if report.exists() else ""
        if (done.returncode == 0) != succeeds or (page != "") != succeeds:
            problems.append(f"{name}: ends with {done.returncode}, {'a' if page else 'no'} report:\n{printed}")
        problems.extend(f'{name}: does not say "{words}":\n{printed}' for words in says if words not in printed)
        problems.extend(f'{name}: says "{words}"' for words in lacks if words in printed or words in page)
        model = pathlib.Path(folder) / "lambdamart.txt"
        return page, done.stdout, model.read_text() if model.exists() else ""


def refused(name, text, *says, **more):
    check(name, text, says, succeeds=False, **more)


no_genres = ("diversity", "genre distance", "-nan", "MMR", "DPP")
check("no genres", many(lambda n: n), ["lists show item keys", "whole request"], no_genres)
rows = [(draws.randrange(60), draws.randrange(300), n) for n in range(4000)]
page, printed, _ = check("last mile", table(rows), ["two explored  against", "logged decisions"], no_genres)
if "The last mile" not in page or not re.search(r"Of the \d+ places shown to warm users, [1-9]\d* have a film", printed):
    problems.append(f"last mile: not on the page, or nothing is explored:\n{printed}")
check("times before 1970", many(lambda n: n - 10**6), ["whole request"], no_genres)
check("few users", table((u, i, 100 * u + i) for u in range(3) for i in range(4)), ["1 user is evaluated"], ("1 users",))
keys = [(f"<b>{draws.randrange(30)}", f"<script>{draws.randrange(40)}", n) for n in range(600)]
if "<script>" in check("keys that look like HTML", table(keys), ["<script>"])[0]:
    problems.append("keys that look like HTML: they are HTML in the page")

# Nothing before the evaluation may know the test part. If its rows swap their items, the ranker and a user's list stay.
rows = [(draws.randrange(60), draws.randrange(40), n) for n in range(2000)]
items = [item for _, item, _ in rows[1600:]]
draws.shuffle(items)
swapped = rows[:1600] + [(user, item, n) for (user, _, n), item in zip(rows[1600:], items)]
answers = []
for log in (rows, swapped):
    _, printed, model = check("test part", table(log), [" 0 of "], arguments=("--user", "7"))
    lines = printed.replace("*", " ").split("For user 7 (")[-1].splitlines()
    choice = [line for line in printed.splitlines() if " ranks: " in line]
    answers.append((model, choice, [line for line in lines if not line.startswith(("Whole run", "Plots"))]))
if not answers[0][0].startswith("tree") or len(answers[0][1]) != 1 or len(answers[0][2]) < 10 or answers[0] != answers[1]:
    problems.append(f"test part: the ranker or the list changes with it, or there is none: {[a[1:] for a in answers]}")

new_to_all = table((1, item, item) for item in range(30))
refused("only items that nobody had before", new_to_all, "too small to learn a ranker")
refused("every user comes once", table((u, u % 7, 10 * u + k) for u in range(50) for k in range(4)), "too small to learn")
refused("one time", many(lambda n: 7), "have the same time, or none")
refused("two times", many(lambda n: n // 1000), "have the same time, or none")
refused("no times", table(((n % 9, n % 7) for n in range(90)), "user_id,item_id"), "have the same time, or none")
refused("empty", "", "log.csv:1: expected a row, found an empty file")
refused("only a header", table([]), "expected a row, found the end of the file")
refused("unknown columns", "foo,bar\n1,2\n", "user, user_id, customer", '"foo", "bar"')
refused("no such file", None, "log.csv: cannot open")
refused("unknown user", many(lambda n: n), 'no user "x"', arguments=("--user", "x"))

print("\n".join(problems) or "demo: ok")
sys.exit(bool(problems))
