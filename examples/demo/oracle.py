#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The rankers and the last mile of the demo, calculated again by other means.  oracle.py LOG ROWS MODEL PRINTED

LOG is a RecBole log, ROWS the folder of --rows, MODEL the file of --model, PRINTED what the demo printed. The metrics and
the paired intervals come from the log and the scores, the scores of the forest from the model file. Slates are selected
again in double, rules are counted in every slate, and propensities are integrated by another quadrature. Where NumPy and
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
    "all six, merged": per_user(lambda rows: rows),
    "logistic regression": per_user(by(lambda values: values[0])),
    "factorization machine": per_user(by(lambda values: values[1])),
    "deepfm": per_user(by(lambda values: values[2])),
    "lambdamart": per_user(by(lambda values: values[3])),
}
print(f"{'warm users':58} {'expected':>10} {'got':>10}")
for name, (ndcg, _) in results.items():
    shown = re.search(rf"^  \w+ +{re.escape(name)} +[\d.]+ +([\d.]+)", printed, re.MULTILINE)
    compare(f"NDCG@10, {name}", mean(ndcg), float(shown[1]), 0.5e-4)
for name in list(results)[1:]:
    said = re.search(rf"For warm users, {name} [a-zA-Z ]+ the order of retrieval: (.*)", printed)[1]
    for metric, numbers in zip((0, 1), re.findall(r"([-+][\d.]+) % \(95 % interval ([-+][\d.]+) to ([-+][\d.]+)", said)):
        center, error, base = paired(results[name][metric], results["all six, merged"][metric])
        what = f"gain of {name}, {('NDCG@10', 'recall@10')[metric]}"
        for part, value, text in zip(("", ", low", ", high"), (center, center - 1.96 * error, center + 1.96 * error), numbers):
            compare(f"{what}{part}, %", 100 * value / base, float(text), 0.051)

# ---- the figures of the page, which other backends may round to other ranks
page = (pathlib.Path(__file__).resolve().parents[2] / "docs/interview/gbdt_or_neural_network.md").read_text()
for name, start in zip(results, ("retrieval", "logistic", "factorization", "DeepFM", "LambdaMART")):
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


wrong = sum(forest_score(values[4:]) != values[3] for rows in lists.values() for _, _, values in rows)
compare("scores that differ in any bit from those of the model file", 0, wrong, 0)

# ---- the last mile: slates, rules, propensities and the value of other policies
def table(name):
    with open(rows_folder / name) as file:
        return list(csv.DictReader(file))


with open(log_path.with_suffix(".item")) as file:
    about = {row[0]: (row[1], set(row[3].split())) for row in csv.reader(list(file)[1:], delimiter="\t", quoting=csv.QUOTE_NONE)}
candidates, slates, arms, decisions = {}, {}, {}, {}
for row in table("candidates.csv"):
    candidates.setdefault(row["user"], []).append((row["item"], float(row["score"])))
for row in table("slates.csv"):
    slates.setdefault(row["slate"], {}).setdefault(row["user"], []).append(row)
for row in table("arms.csv"):
    arms.setdefault(row["user"], {})[row["item"]] = [float(row[name]) for name in ("alpha", "beta", "propensity")]
for row in table("decisions.csv"):
    decisions.setdefault(row["user"], []).append((row["item"], float(row["propensity"]), float(row["reward"])))


def cosine(a, b):
    a, b = about[a][1], about[b][1]
    return len(a & b) / math.sqrt(len(a) * len(b)) if a and b else 0.0


def relevance(user):
    scores = [score for _, score in candidates[user]]
    low, high = min(scores), max(scores)
    return {item: (score - low) / (high - low) if high > low else 1.0 for item, score in candidates[user]}


def regret(user, picks, score):
    """How much the worst pick falls behind the best candidate at its place."""
    worst, left = 0.0, set(relevance(user))
    for place, pick in enumerate(picks):
        scores = {item: score(item, picks[:place]) for item in left}
        worst = max(worst, max(scores.values()) - scores[pick])
        left.remove(pick)
    return worst


own, theta = 0.2, as_float(0.9)


def greedy_dpp(user, picks):
    """The regret of each pick under 2 alpha relevance + log det, by elimination in double."""
    weight = relevance(user)
    residual = {item: 1.0 if about[item][1] else own for item in weight}
    rows, worst = [], 0.0
    for pick in picks:
        scores = {item: theta / (1 - theta) * weight[item] + math.log(residual[item]) for item in residual}
        worst = max(worst, max(scores.values()) - scores[pick])
        row = {}
        for item in residual:
            value = (1 - own) * cosine(pick, item) if item != pick else residual[pick] + sum(r[pick] ** 2 for r in rows)
            row[item] = (value - sum(r[pick] * r[item] for r in rows)) / math.sqrt(residual[pick])
        for item in row:
            residual[item] -= row[item] ** 2
        del residual[pick]
        rows.append(row)
    return worst


lam = as_float(0.7)
picked = {name: {user: [row["item"] for row in rows] for user, rows in by_user.items()} for name, by_user in slates.items()}
worst = 0.0
for user, picks in picked["mmr"].items():
    weight = relevance(user)
    mmr = lambda item, before: lam * weight[item] - (1 - lam) * max(cosine(item, b) for b in before) if before else weight[item]
    worst = max(worst, regret(user, picks, mmr))
compare("MMR: largest regret of a pick", 0, worst, 1e-5)
compare("DPP: largest regret of a pick", 0, max(greedy_dpp(user, picks) for user, picks in picked["dpp"].items()), 1e-5)


def stem(title):
    words = title.split(":")[0].split(", The")[0].split(" ")
    return " ".join(words[:-1] if len(words) > 1 and set(words[-1]) <= set("0123456789IVX") else words)


missed, spurious, empty, by_rule = 0, 0, 0, {}
for name in ("rules", "shown"):
    for user, rows in slates[name].items():
        items = [row["item"] for row in rows]
        drawn = [bool(row["propensity"]) for row in rows]
        empty += len(items) != 10
        for place, row in enumerate(rows):
            # A drawn film counts from the first place on.
            others = [i for i in range(len(items)) if i != place and (i < place or drawn[i])]
            full = any(sum(genre in about[items[i]][1] for i in others) >= 3 for genre in about[items[place]][1])
            near = any(abs(i - place) <= 4 and stem(about[items[i]][0]) == stem(about[items[place]][0]) for i in others)
            said = row["set_aside"].split("+")
            missed += full and "films of a genre" not in said or near and "franchises apart" not in said
            spurious += not full and "films of a genre" in said
            if name == "shown":
                for rule in filter(None, said):
                    by_rule[rule] = by_rule.get(rule, 0) + 1
compare("slates under rules that are not full", 0, empty, 0)
compare("broken rules that are not reported", 0, missed, 0)
compare("reported caps that are not broken", 0, spurious, 0)
for rule, count in by_rule.items():
    compare(f'places without the rule "{rule}"', count, float(re.search(rf'"{rule}" was set aside at (\d+)', printed)[1]), 0)

end, start = max(t for _, _, t in log if t < cut), min(t for _, _, t in log)
recent, last_active, appeared = {}, {}, {}
for user, item, time in log:
    if time < cut:
        appeared[item] = min(time, appeared.get(item, time))
    if end - (end - start) / 12 < time < cut:
        recent.setdefault(user, set()).add(item)
        last_active[user] = max(time, last_active.get(user, time))
wrong = known = 0
for user, table_of_arms in arms.items():
    for item, (alpha, beta, _) in table_of_arms.items():
        wins = sum(item in items for items in recent.values())
        trials = sum(time >= appeared[item] for time in last_active.values())
        wrong += (alpha, beta) != (1 + wins, 1 + trials - wins)
        known += item in history[user] or item in relevance(user)
compare("posteriors that are not those of the log", 0, wrong, 0)
compare("arms that are known or candidates", 0, known, 0)
sums = [sum(p for _, _, p in table_of_arms.values()) for table_of_arms in arms.values()]
compare("largest error of a sum of propensities", 0, max(abs(total - 2) for total in sums), 1e-8)


def drawn_among_two(posteriors, steps=12000):
    """P(among the two largest draws), by the midpoint rule: its error falls with the square of the step, to 3e-6 here."""
    x = [(i + 0.5) / steps for i in range(steps)]
    density, below = [], []
    for a, b in posteriors:
        norm = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
        f = [math.exp(norm + (a - 1) * math.log(v) + (b - 1) * math.log1p(-v)) / steps for v in x]
        total, cumulative = 0.0, []
        for value in f:
            cumulative.append(total + value / 2)
            total += value
        density.append(f)
        below.append(cumulative)
    result = [0.0] * len(posteriors)
    for at in range(steps):
        column = [max(c[at], 1e-300) for c in below]
        product = math.exp(max(-700.0, sum(map(math.log, column))))
        if product > 1e-30:
            odds = sum((1 - value) / value for value in column)
            for i, value in enumerate(column):  # none of the others is larger, or one
                result[i] += density[i][at] * product / value * (1 + odds - (1 - value) / value)
    return result


worst = 0.0
for user in sorted(arms)[::40]:
    expected = drawn_among_two([(a, b) for a, b, _ in arms[user].values()])
    worst = max(worst, max(abs(p - e) for e, (_, _, p) in zip(expected, arms[user].values())))
compare("largest error of a propensity, by another quadrature", 0, worst, 1e-5)
wrong = 0
for user, rows in slates["shown"].items():
    explored = {int(row["place"]): row for row in rows if row["propensity"]}
    wrong += set(explored) != {4, 9}
    wrong += sum(arms[user][row["item"]][2] != float(row["propensity"]) for row in explored.values())
for user, rows in decisions.items():
    wrong += sum(arms[user][item][2] != p or reward != (item in relevant[user]) for item, p, reward in rows)
compare("places, propensities and rewards that differ", 0, wrong, 0)

uniform, best, truth = [], [], [[], []]
for user, rows in decisions.items():
    table_of_arms = arms[user]
    order = sorted(table_of_arms, key=lambda item: -table_of_arms[item][0] / sum(table_of_arms[item][:2]))  # stable
    for first, second in zip(rows[::2], rows[1::2]):
        pair = (first, second)
        uniform.append(sum(reward / len(order) / p for _, p, reward in pair))
        best.append(sum(reward / p / 2 for item, p, reward in pair if item in order[:2]))
    truth[0].append(mean([item in relevant[user] for item in order]))
    truth[1].append(mean([item in relevant[user] for item in order[:2]]))
for name, estimates, real in (("uniform draws", uniform, truth[0]), ("the films with the highest mean", best, truth[1])):
    said = re.search(rf"a rate of ([\d.]+) choices .* for {name}; by the test rows it is ([\d.]+)\.$", printed, re.MULTILINE)
    compare(f"estimated value: {name}", mean(estimates), float(said[1]), 0.51e-4)
    compare(f"value by the test rows: {name}", mean(real), float(said[2]), 0.51e-4)


def ndcg(picks):
    gains = [1 / math.log2(rank + 2) for rank in range(10)]
    return [
        sum(gain for gain, item in zip(gains, picks[user]) if item in items) / sum(gains[: len(items)])
        for user, items in sorted(relevant.items())
    ]


picked["fresh"] = {user: [item for item, _ in rows] for user, rows in candidates.items()}
for step, name, before in (("MMR", "mmr", "fresh"), ("DPP", "dpp", "fresh"), ("rules", "rules", "mmr"), ("two explored", "shown", "rules")):
    said = re.search(rf"^  {step} +against [a-z, ]+?([-+][\d.]+) % \(([-+][\d.]+) to ([-+][\d.]+)", printed, re.MULTILINE)
    center, error, base = paired(ndcg(picked[name]), ndcg(picked[before]))
    for part, value, text in zip(("", ", low", ", high"), (center, center - 1.96 * error, center + 1.96 * error), said.groups()):
        compare(f"NDCG@10 of {step}{part}, %", 100 * value / base, float(text), 0.051)

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
by_hand = newton([*range(8), 15, 19, *range(23, 30)])  # popularity, scores, genres, age, and products with the length
settings = {"objective": "lambdarank", "num_leaves": 7, "learning_rate": 0.05, "min_data_in_leaf": 50, "lambda_l2": 1.0}
settings |= {"verbose": -1, "num_threads": 1, "deterministic": True}
booster = lightgbm.train(settings, lightgbm.Dataset(features, labels, group=sizes), 100)
for rows in lists.values():  # more scores, after the four of the demo
    candidates = numpy.array([values[4:] for _, _, values in rows])
    for (_, _, values), *scores in zip(rows, every(candidates), by_hand(candidates), booster.predict(candidates)):
        values[4:] = map(float, scores)
again = [per_user(by(lambda values, at=at: values[at])) for at in (4, 5, 6)]
lambdamart = results["lambdamart"][0]
compare("NDCG@10, logistic regression by Newton's method", mean(again[0][0]), mean(results["logistic regression"][0]), 0.02)
compare("NDCG@10, LightGBM's LambdaRank on the same rows", mean(again[2][0]), mean(lambdamart), 0.02)
figure = re.search(r"chosen by hand, it reaches ([\d.]+)", page.replace("\n", " "))[1]
compare("NDCG@10 on docs/interview/, 17 features chosen by hand", mean(again[1][0]), float(figure), 0.005)
center, error, base = paired(lambdamart, again[1][0])
print(f"lambdamart against these 17: {100 * center / base:+.1f} %, {100 * (center - 1.96 * error) / base:+.1f} to {100 * (center + 1.96 * error) / base:+.1f} %")
sys.exit(differing > 0)
