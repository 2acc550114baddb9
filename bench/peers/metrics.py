#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Ranking metrics of lists of 100 recommendations, beside ranx, and of scores of candidates, beside scikit-learn.

Labels are 0 and 1, each list has 100 distinct items without ties, and each user has 1 to 40 relevant items, 10 on average.
On such data the libraries define these metrics alike. They differ where a user has more than k relevant items: ranx divides
the average precision by all of them, funnel by k, so it is compared at 100 only. In the same pass funnel also computes what
ranx lacks: capped recall, expected reciprocal rank, novelty, coverage, Gini index and entropy.

ranx takes its objects Qrels and Run, or typed lists of arrays, which users seldom make but which it evaluates faster.
scikit-learn takes one array of labels and one of scores; all relevant items are among the candidates.
"""

import sys
import warnings

from common import Comparison, seconds

USERS, ITEMS, LENGTH, MOST_MISSED = 1_000_000, 10_007, 100, 20
RANX_USERS, SKLEARN_USERS = 20_000, 2_000  # ranx needs tens of KB for each user in its objects, scikit-learn a millisecond for an AUC
CUTOFFS = (10, 20, 50, 100)  # as in metrics_side.cpp
METRICS = [f"{name}@{k}" for k in CUTOFFS for name in ("ndcg", "mrr", "recall", "precision", "hit_rate")] + [f"map@{LENGTH}", "rbp.80"]
TOLERANCE = 1e-9


def data(numpy, users):
    """The lists, and for each place in a list and behind it whether that item is relevant. Half of the relevant items are in the
    list, on average. Items ascend by a fixed step modulo a prime number, so no list has an item twice."""
    random = numpy.random.default_rng(1)
    first, step = random.integers(ITEMS, size=users), random.integers(1, ITEMS, size=users)
    shown, missed = random.binomial(20, 0.25, (2, users))
    missed = numpy.maximum(missed, 1 - shown)
    candidates = numpy.empty((users, LENGTH + MOST_MISSED), dtype=numpy.uint32)
    relevant = numpy.zeros(candidates.shape, dtype=bool)
    for begin in range(0, users, 50_000):  # in parts, which take less memory
        part = slice(begin, begin + 50_000)
        candidates[part] = (first[part, None] + step[part, None] * numpy.arange(candidates.shape[1])) % ITEMS
        order = numpy.argsort(random.random((len(first[part]), LENGTH)), axis=1)
        relevant[part, :LENGTH] = order < shown[part, None]
        relevant[part, LENGTH:] = numpy.arange(MOST_MISSED) < missed[part, None]
    return candidates, relevant


class Bench:
    def __init__(self):
        self.comparison = Comparison("metrics", program="bench_peers_metrics_side", peers=["ranx", "scikit-learn"])
        import numba
        import numpy
        import ranx
        import sklearn.metrics

        warnings.simplefilter("ignore")  # numba warns of a cast in ranx
        self.comparison.describe("ranx", f"numba {numba.__version__}, compiled for this processor")
        self.numpy, self.numba, self.ranx, self.sklearn = numpy, numba, ranx, sklearn.metrics

    def load(self, users):
        """Both sides get the lists and pairs (user, item) of the relevant items."""
        self.users = users
        self.candidates, self.relevant = data(self.numpy, users)
        self.pairs = self.numpy.argwhere(self.relevant)
        self.pairs[:, 1] = self.candidates[self.relevant]
        self.pairs = self.pairs.astype(self.numpy.uint32)
        save = self.comparison.save
        lists = save("metrics_lists", self.candidates[:, :LENGTH])
        self.comparison.call("load", lists=lists, relevant=save("metrics_relevant", self.pairs), items=ITEMS)

    def relevant_of_users(self):
        return self.numpy.split(self.pairs[:, 1], self.numpy.flatnonzero(self.numpy.diff(self.pairs[:, 0])) + 1)

    def typed_lists(self):
        """What ranx makes of its own objects before it computes: arrays of pairs (id, label) and (id, score)."""
        numpy = self.numpy
        scores = numpy.arange(LENGTH, 0, -1, dtype=numpy.float64)
        ones = [numpy.ones(n) for n in range(LENGTH)]
        qrels, run = self.numba.typed.List(), self.numba.typed.List()
        for items, relevant in zip(self.candidates[:, :LENGTH].astype(numpy.float64), self.relevant_of_users()):
            run.append(numpy.column_stack([items, scores]))
            qrels.append(numpy.column_stack([relevant.astype(numpy.float64), ones[len(relevant)]]))
        return qrels, run

    def objects(self):
        """From ids to the two objects that ranx evaluates."""
        users = [f"{user:05}" for user in range(self.users)]  # ranx sorts them as text
        names = [str(item) for item in range(ITEMS)]
        scores = range(LENGTH, 0, -1)
        qrels = self.ranx.Qrels({user: {names[item]: 1 for item in items} for user, items in zip(users, self.relevant_of_users())})
        lists = self.candidates[:, :LENGTH].tolist()
        return qrels, self.ranx.Run({user: dict(zip([names[item] for item in items], scores)) for user, items in zip(users, lists)})

    def add(self, name, peer, command, work, rounds, **more):
        pairs = self.comparison.paired(lambda: self.comparison.call(command)["cpu"], lambda: seconds(work), rounds, warm_up=False)
        setup = f"{self.users} users x {LENGTH}; CPU time of one thread"
        self.comparison.add(name, peer, pairs, unit="us/user", per=self.users, setup=setup, **more)

    def results(self, command):
        path = self.comparison.folder / "data/metrics_values.npy"
        self.comparison.call(command, path=path)
        return self.numpy.load(path)

    def differing(self, ours, theirs):
        return {"differing": int(self.numpy.sum(~(self.numpy.abs(ours - theirs) <= TOLERANCE))), "of": ours.size}

    def beside_ranx(self):
        found = {}

        def evaluate(qrels, run):
            found.update(self.ranx.evaluate(qrels, run, METRICS, return_mean=False))

        self.load(RANX_USERS)
        self.comparison.call("metrics")
        self.comparison.call("convert_and_evaluate")
        qrels, run = self.objects()
        evaluate(qrels, run)  # also compiles
        theirs = self.numpy.stack([found[metric] for metric in METRICS])
        self.add("22 metrics; ranx: Qrels, Run", "ranx", "metrics", lambda: evaluate(qrels, run), 5, target=30.0, **self.differing(self.results("results"), theirs))
        self.add("22 metrics, from arrays of ids", "ranx", "convert_and_evaluate", lambda: evaluate(*self.objects()), 3, target=30.0)
        del qrels, run

        self.load(USERS)
        typed = self.typed_lists()
        self.add("22 metrics; ranx: typed lists", "ranx", "metrics", lambda: evaluate(*typed), 3, target=30.0)
        theirs = self.numpy.stack([found[metric] for metric in METRICS])
        check = self.differing(self.results("results"), theirs)
        if check["differing"]:
            sys.exit(f"metrics: {check['differing']} of {check['of']} values of a million users differ from those of ranx")

    def beside_sklearn(self):
        numpy, sklearn = self.numpy, self.sklearn
        self.load(SKLEARN_USERS)
        order = numpy.random.default_rng(2).permuted(numpy.tile(numpy.arange(self.candidates.shape[1]), (self.users, 1)), axis=1)
        labels = numpy.take_along_axis(self.relevant, order, axis=1).astype(numpy.float32)
        scores = (-order).astype(numpy.float32)
        save = self.comparison.save
        self.comparison.call("load_scores", labels=save("metrics_labels", labels), scores=save("metrics_scores", scores), k=LENGTH)
        found = {}

        def add(name, command, work, rounds):
            self.comparison.call(command)
            found[command] = numpy.asarray(work())
            values = self.results("results_of_scores")[0]
            ours = values if found[command].ndim else values.mean()  # scikit-learn has only the mean of ndcg_score
            self.add(name, "scikit-learn", command, work, rounds, target=1.0, **self.differing(ours, found[command]))

        add("NDCG@100 of scores", "ndcg_of_scores", lambda: sklearn.ndcg_score(labels, scores, k=LENGTH), 3)
        # Users are the columns: the only form that returns a value for each.
        add("AUC of scores", "auc_of_scores", lambda: sklearn.roc_auc_score(labels.T, scores.T, average=None), 3)
        add("average precision of scores", "ap_of_scores", lambda: sklearn.average_precision_score(labels.T, scores.T, average=None), 3)


def main():
    bench = Bench()
    bench.beside_ranx()
    bench.beside_sklearn()
    sys.exit(bench.comparison.finish())


if __name__ == "__main__":
    main()
