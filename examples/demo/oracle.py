#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The rankers of the demo, calculated again by other means.  oracle.py LOG ROWS MODEL PRINTED

LOG is a RecBole log, ROWS the folder of --rows, MODEL the file of --model, PRINTED what the demo printed. The metrics and
the paired intervals come from the log and the scores, the scores of the forest from the model file. Where NumPy and
LightGBM are installed, logistic regression and LambdaMART are also trained again, on the same rows.
"""

import csv
import math
import pathlib
import re
import struct
import sys

log_path, rows_folder, model_path, printed_path = map(pathlib.Path, sys.argv[1:])
printed = printed_path.read_text()
differing = 0


def compare(name, expected, got, tolerance):
    global differing
    agrees = abs(expected - got) <= tolerance
    differing += not agrees
    print(f"{name:58} {expected:10.4f} {got:10.4f} {'agrees' if agrees else 'DIFFERS':>9}")


def as_float(x):
    return struct.unpack("f", struct.pack("f", x))[0]


# ---- who chose what, from the log alone
with open(log_path) as file:
    log = [(user, item, float(time)) for user, item, _, time in csv.reader(list(file)[1:], delimiter="\t")]
cut = sorted(time for _, _, time in log)[len(log) - round(0.2 * len(log))]
history, later = {}, {}
for user, item, time in log:
    (history if time < cut else later).setdefault(user, set()).add(item)
relevant = {user: items - history[user] for user, items in later.items() if user in history}
relevant = {user: items for user, items in relevant.items() if items}

# ---- the lists of the rankers
with open(rows_folder / "ranked.csv") as file:
    head, *lines = csv.reader(file)
lists = {}
for user, item, number, *values in lines:
    lists.setdefault(user, []).append((item, int(number), [float(value) for value in values]))
known = sum(item in history[user] for user, rows in lists.items() for item, _, _ in rows)
compare("candidates that the user had chosen before", 0, known, 0)
compare("warm users", len(relevant), len(lists), 0)


def per_user(order):
    ndcg, recall = [], []
    for user, items in sorted(relevant.items()):
        top = [item for item, _, _ in order(lists[user])[:10]]
        gains = [1 / math.log2(rank + 2) for rank in range(10)]
        ndcg.append(sum(gain for gain, item in zip(gains, top) if item in items) / sum(gains[: len(items)]))
        recall.append(sum(item in items for item in top) / len(items))
    return ndcg, recall


def by(score):  # higher score first, then smaller id; the funnel ranks floats
    return lambda rows: sorted(rows, key=lambda row: (-as_float(score(row[2])), row[1]))


mean = lambda values: sum(values) / len(values)


def paired(subject, baseline):
    """Mean difference, its standard error, and the mean of the baseline."""
    differences = [a - b for a, b in zip(subject, baseline)]
    center = mean(differences)
    error = math.sqrt(sum((d - center) ** 2 for d in differences) / (len(differences) - 1) / len(differences))
    return center, error, mean(baseline)


results = {
    "all five, merged": per_user(lambda rows: rows),
    "logistic regression": per_user(by(lambda values: values[0])),
    "factorization machine": per_user(by(lambda values: values[1])),
    "lambdamart": per_user(by(lambda values: values[2])),
}
print(f"{'warm users':58} {'expected':>10} {'got':>10}")
for name, (ndcg, _) in results.items():
    shown = re.search(rf"^  \w+ +{re.escape(name)} +[\d.]+ +([\d.]+)", printed, re.MULTILINE)
    compare(f"NDCG@10, {name}", mean(ndcg), float(shown[1]), 0.5e-4)
for name in list(results)[1:]:
    said = re.search(rf"For warm users, {name} [a-zA-Z ]+ the order of retrieval: (.*)", printed)[1]
    for metric, numbers in zip((0, 1), re.findall(r"([-+][\d.]+) % \(95 % interval ([-+][\d.]+) to ([-+][\d.]+)", said)):
        center, error, base = paired(results[name][metric], results["all five, merged"][metric])
        what = f"gain of {name}, {('NDCG@10', 'recall@10')[metric]}"
        for part, value, text in zip(("", ", low", ", high"), (center, center - 1.96 * error, center + 1.96 * error), numbers):
            compare(f"{what}{part}, %", 100 * value / base, float(text), 0.051)

# ---- the figures of the page, which other backends may round to other ranks
page = (pathlib.Path(__file__).resolve().parents[2] / "docs/interview/gbdt_or_neural_network.md").read_text()
for name, start in zip(results, ("retrieval", "logistic", "factorization", "LambdaMART")):
    figure = float(re.search(rf"^\| {start}[^|]*\| ([\d.]+) \|", page, re.MULTILINE)[1])
    compare(f"NDCG@10 on docs/interview/, {name}", mean(results[name][0]), figure, 0.005)

# ---- the forest, from its file: splits on numbers, none of which is missing
def numbers(tree, key, kind):
    return [kind(text) for text in re.search(rf"^{key}=(.*)$", tree, re.MULTILINE)[1].split()]


trees = []
for tree in model_path.read_text().split("end of trees")[0].split("\nTree=")[1:]:
    leaves = numbers(tree, "leaf_value", float)
    keys = (("split_feature", int), ("threshold", float), ("left_child", int), ("right_child", int))
    trees.append((leaves, list(zip(*(numbers(tree, *key) for key in keys))) if len(leaves) > 1 else []))


def forest_score(row):
    total = 0.0
    for leaves, splits in trees:
        at = 0 if splits else -1
        while at >= 0:
            feature, threshold, left, right = splits[at]
            at = left if row[feature] <= threshold else right
        total += leaves[~at]
    return total


wrong = sum(forest_score(values[3:]) != values[2] for rows in lists.values() for _, _, values in rows)
compare("scores that differ in any bit from those of the model file", 0, wrong, 0)

# ---- trained again
try:
    import lightgbm
    import numpy
except ImportError:
    print("NumPy or LightGBM is not installed: no ranker was trained again (./dev bench --peers forest installs both)")
    sys.exit(differing > 0)
with open(rows_folder / "learned.csv") as file:
    table = numpy.array([[float(value) for value in row] for row in list(csv.reader(file))[1:]])
labels, features = table[:, 1], table[:, 2:]
sizes = numpy.bincount(table[:, 0].astype(int))
center, scale = features.mean(0), features.std(0)
scale[scale == 0] = 1


def newton(columns):
    """Logistic regression on some columns, by Newton's method, with a trace of l2 so that the matrix can be inverted."""
    design = lambda x: numpy.hstack([((x - center) / scale)[:, columns], numpy.ones((len(x), 1))])
    x = design(features)
    weights = numpy.zeros(x.shape[1])
    for _ in range(30):
        p = 1 / (1 + numpy.exp(-x @ weights))
        hessian = (x * (p * (1 - p))[:, None]).T @ x + 1e-3 * numpy.eye(len(weights))
        weights -= numpy.linalg.solve(hessian, x.T @ (p - labels) + 1e-3 * weights)
    return lambda candidates: design(candidates) @ weights


every = newton(list(range(features.shape[1])))
by_hand = newton([*range(7), 13, 17, *range(21, 27)])  # popularity, scores, genres, age, and products with the length
settings = {"objective": "lambdarank", "num_leaves": 7, "learning_rate": 0.05, "min_data_in_leaf": 50, "lambda_l2": 1.0}
settings |= {"verbose": -1, "num_threads": 1, "deterministic": True}
booster = lightgbm.train(settings, lightgbm.Dataset(features, labels, group=sizes), 100)
for rows in lists.values():  # more scores, after the three of the demo
    candidates = numpy.array([values[3:] for _, _, values in rows])
    for (_, _, values), *scores in zip(rows, every(candidates), by_hand(candidates), booster.predict(candidates)):
        values[3:] = map(float, scores)
again = [per_user(by(lambda values, at=at: values[at])) for at in (3, 4, 5)]
lambdamart = results["lambdamart"][0]
compare("NDCG@10, logistic regression by Newton's method", mean(again[0][0]), mean(results["logistic regression"][0]), 0.02)
compare("NDCG@10, LightGBM's LambdaRank on the same rows", mean(again[2][0]), mean(lambdamart), 0.02)
figure = re.search(r"chosen by hand, it reaches ([\d.]+)", page.replace("\n", " "))[1]
compare("NDCG@10 on docs/interview/, 15 features chosen by hand", mean(again[1][0]), float(figure), 0.005)
center, error, base = paired(lambdamart, again[1][0])
print(f"lambdamart against these 15: {100 * center / base:+.1f} %, {100 * (center - 1.96 * error) / base:+.1f} to {100 * (center + 1.96 * error) / base:+.1f} %")
sys.exit(differing > 0)
