#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Ranking metrics of 20,000 users x 100 recommendations, beside ranx.

Labels are 0 and 1, each list has 100 distinct items without ties, and each user has 1 to 40 relevant items, 10 on average.
On such data both libraries define the seven metrics alike. They differ where a user has more than k relevant items: ranx divides
the average precision by all of them, funnel by k. In the same pass funnel also computes what ranx lacks: capped recall,
expected reciprocal rank, novelty, coverage, Gini index and entropy.
"""

import sys
import warnings

from common import Comparison, seconds

USERS, ITEMS, LENGTH = 20_000, 10_000, 100
METRICS = [f"{name}@{LENGTH}" for name in ("ndcg", "mrr", "map", "recall", "precision", "hit_rate")] + ["rbp.80"]  # as in metrics_side.cpp
TOLERANCE = 1e-9


def data(numpy):
    """The lists, and the pairs (user, item) that are relevant. On average half of the relevant items are in the list."""
    random = numpy.random.default_rng(1)
    lists = numpy.empty((USERS, LENGTH), dtype=numpy.uint32)
    pairs = []
    for user in range(USERS):
        items = random.choice(ITEMS, 2 * LENGTH, replace=False, shuffle=True)
        lists[user] = items[:LENGTH]
        shown, missed = random.binomial(20, 0.25, 2)
        relevant = numpy.concatenate([random.choice(items[:LENGTH], shown, replace=False), items[LENGTH : LENGTH + max(missed, 1 - shown)]])
        pairs.append(numpy.stack([numpy.full_like(relevant, user), relevant], axis=1))
    return lists, numpy.concatenate(pairs).astype(numpy.uint32)


def main():
    comparison = Comparison("metrics", program="bench_peers_metrics_side", peers=["ranx"])
    import numba
    import numpy
    import ranx

    warnings.simplefilter("ignore")  # numba warns of a cast in ranx
    comparison.describe("ranx", f"numba {numba.__version__}, compiled for this processor")
    lists, pairs = data(numpy)
    comparison.call("load", lists=comparison.save("metrics_lists", lists), relevant=comparison.save("metrics_relevant", pairs), items=ITEMS)

    def convert():
        """From ids to the two objects that ranx evaluates."""
        users = [f"{user:05}" for user in range(USERS)]  # ranx sorts them as text
        names = [str(item) for item in range(ITEMS)]
        relevant = numpy.split(pairs[:, 1], numpy.flatnonzero(numpy.diff(pairs[:, 0])) + 1)
        qrels = ranx.Qrels({user: {names[item]: 1 for item in items} for user, items in zip(users, relevant)})
        scores = range(LENGTH, 0, -1)
        run = ranx.Run({user: dict(zip([names[item] for item in items], scores)) for user, items in zip(users, lists.tolist())})
        return qrels, run

    qrels, run = convert()
    typed = qrels.to_typed_list(), run.to_typed_list()
    results = {}

    def evaluate(qrels, run):
        results.update(ranx.evaluate(qrels, run, METRICS, return_mean=False))

    def add(name, command, work, rounds, **more):
        pairs = comparison.paired(lambda: comparison.call(command)["cpu"], lambda: seconds(work), rounds, warm_up=False)
        setup = f"{USERS} users x {LENGTH}; CPU time of one thread"
        comparison.add(name, "ranx", pairs, unit="us/user", per=USERS, target=1.0, setup=setup, **more)

    path = comparison.folder / "data/metrics_values.npy"
    comparison.call("metrics")
    comparison.call("results", path=path)
    comparison.call("convert_and_evaluate")
    evaluate(*typed)  # also compiles
    evaluate(qrels, run)
    ours = numpy.load(path)
    theirs = numpy.stack([results[metric] for metric in METRICS])
    differing = int(numpy.sum(~(numpy.abs(ours - theirs) <= TOLERANCE)))
    add("seven metrics; ranx: typed lists", "metrics", lambda: evaluate(*typed), 7, differing=differing, of=ours.size)
    add("seven metrics; ranx: Qrels, Run", "metrics", lambda: evaluate(qrels, run), 7)
    add("seven metrics, from arrays of ids", "convert_and_evaluate", lambda: evaluate(*convert()), 3)
    sys.exit(comparison.finish())


if __name__ == "__main__":
    main()
