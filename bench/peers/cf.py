#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The models of cf/ beside implicit, and EASE beside NumPy and SciPy, on a synthetic log. Every row compares results, too.

Times of one thread are CPU time of the process, which is valid on a busy machine; times of two threads are elapsed time.
"""

import sys
import time
import warnings

from common import Comparison, seconds

comparison = Comparison("cf", program="bench_peers_cf_side", peers=["implicit", "numpy", "scipy"])

import implicit.cpu.als
import implicit.cpu.bpr
import implicit.nearest_neighbours
import implicit.utils
import numpy
import scipy.linalg.lapack
import scipy.sparse
import threadpoolctl

USERS, ITEMS = 4000, 2500
LENGTH = 20  # of the lists
ALS_LAMBDA = 20.0
ALS_SWEEPS = 2
NEIGHBOURS = 200
EASE_LAMBDA = 200.0

warnings.filterwarnings("ignore", category=implicit.utils.ParameterWarning)  # about a conversion inside implicit

for blas in threadpoolctl.threadpool_info():
    for peer in ("numpy", "scipy"):
        if f"/{peer}.libs/" in blas["filepath"]:
            comparison.describe(peer, f"{blas['internal_api']} {blas['version']}, {blas['architecture']}")


# ---- Data and clocks -----------------------------------------------------------------------------------------------------


def synthetic_log():
    """Pairs (user, item) of a training and a test part. Users differ in activity, items in popularity (a power law), and the
    choice of a user also depends on 16 hidden traits."""
    random = numpy.random.default_rng(1)
    traits = random.standard_normal((USERS, 16), dtype="f4") @ random.standard_normal((16, ITEMS), dtype="f4")
    popularity = random.permutation(-0.8 * numpy.log(numpy.arange(ITEMS) + 10.0))
    utility = 0.375 * traits + popularity + random.gumbel(size=(USERS, ITEMS))
    ranked = numpy.argsort(-utility, axis=1)
    counts = numpy.clip(random.lognormal(4.0, 0.9, USERS).astype(int), 20, ITEMS // 2)
    pairs = numpy.concatenate([numpy.column_stack([numpy.full(n, u), ranked[u, :n]]) for u, n in enumerate(counts)])
    is_test = random.random(len(pairs)) < 0.1
    return pairs[~is_test].astype("u4"), pairs[is_test].astype("u4")


def matrix_of(pairs):
    return scipy.sparse.csr_matrix((numpy.ones(len(pairs), "f4"), (pairs[:, 0], pairs[:, 1])), shape=(USERS, ITEMS))


def file_of(name):
    return str(comparison.folder / "data" / f"cf_{name}.npy")


def clock_of(threads):
    return time.process_time if threads == 1 else time.perf_counter


def seconds_of(work, threads):
    return seconds(work, clock_of(threads))


def ours(command, threads, **arguments):
    return comparison.call(command, threads=threads, **arguments)["cpu" if threads == 1 else "wall"]


def setup_of(threads):
    return "1 thread, CPU time" if threads == 1 else f"{threads} threads, elapsed time"


def different_lists(items, scores, their_items, their_scores):
    """How many lists differ. Items may trade places if their scores differ by less than rounding in float explains."""
    tolerance = 1e-5 * scores[:, :1]
    near = numpy.abs(numpy.diff(scores, axis=1)) <= tolerance
    edge = numpy.ones((len(items), 1), bool)
    may_move = numpy.hstack([near, edge]) | numpy.hstack([numpy.zeros_like(edge), near])
    same = (numpy.abs(scores - their_scores) <= tolerance) & ((items == their_items) | may_move)
    return int(numpy.sum(~same.all(axis=1)))


train_pairs, test_pairs = synthetic_log()
train, test = matrix_of(train_pairs), matrix_of(test_pairs)
rows = comparison.call("load", pairs=comparison.save("cf_train", train_pairs), users=USERS, items=ITEMS)["rows"]
if rows != train.nnz:
    sys.exit(f"cf: our side has read {rows} pairs of {train.nnz}")
print(f"data: synthetic; {USERS} users, {ITEMS} items, {train.nnz} pairs, and {test.nnz} held out; lists of {LENGTH}", flush=True)


# ---- ImplicitALS beside implicit -----------------------------------------------------------------------------------------
#
# With s = user . item, alpha0 = 1, nu = 0 and a confidence of 2:
#
#     funnel    sum over observed of (1 - s)^2 + sum over all of s^2 + lambda (|users|^2 + |items|^2)
#     implicit  sum over observed of 2 (1 - s)^2 + sum over the others of s^2 + regularization (|users|^2 + |items|^2)
#
# For regularization = 2 lambda, implicit at sqrt(2) users and sqrt(2) items is 4 times funnel at users and items, plus a
# constant. Thus both have the same minimum. They even take the same steps, because implicit starts from our factors. funnel
# solves the items first, and implicit what it calls users, so it gets the transposed matrix.

SCALE = numpy.sqrt(2.0, dtype="f4")


def objective(users, items):
    """What funnel minimizes."""
    users, items = users.astype("f8"), items.astype("f8")
    observed = numpy.einsum("ij,ij->i", users[train_pairs[:, 0]], items[train_pairs[:, 1]])
    everything = numpy.sum((users.T @ users) * (items.T @ items))
    return numpy.sum((1.0 - observed) ** 2) + everything + ALS_LAMBDA * (numpy.sum(users**2) + numpy.sum(items**2))


def recall(users, items):
    """Mean over users of the share of held-out items in the list."""
    scores = users @ items.T
    scores[train.nonzero()] = -numpy.inf
    best = numpy.argpartition(-scores, LENGTH, axis=1)[:, :LENGTH]
    wanted = test.toarray() > 0
    hits = numpy.take_along_axis(wanted, best, axis=1).sum(axis=1)
    has_test = wanted.any(axis=1)
    return numpy.mean(hits[has_test] / wanted[has_test].sum(axis=1))


def our_als(factors, solver, threads, sweeps=ALS_SWEEPS):
    return ours("als", threads, factors=factors, solver=solver, sweeps=sweeps, **{"lambda": ALS_LAMBDA})


def our_factors(model="als"):
    comparison.call(f"{model}_write", users=file_of("users"), items=file_of("items"))
    return numpy.load(file_of("users")), numpy.load(file_of("items"))


class TheirALS(implicit.cpu.als.AlternatingLeastSquares):
    """Times the sweeps alone: fit asks for the solver when all is set up."""

    @property
    def solver(self):
        self.now = clock_of(self.num_threads)
        self.begin = self.now()
        return super().solver

    def sweeps(self, confidence):
        def keep_time(iteration, elapsed, loss):
            self.seconds = self.now() - self.begin

        self.fit(confidence, show_progress=False, callback=keep_time)
        return self.seconds


def measure_als(factors, solver, threads):
    our_als(factors, solver, threads, sweeps=0)
    start = our_factors()
    confidence = 2.0 * train.T.tocsr()
    model = None

    def their_als():
        nonlocal model
        model = TheirALS(factors=factors, regularization=2.0 * ALS_LAMBDA, use_cg=solver == "CG", iterations=ALS_SWEEPS, num_threads=threads)
        model.item_factors, model.user_factors = (SCALE * side for side in start)
        return model.sweeps(confidence)

    is_fast = solver == "CG"
    pairs = comparison.paired(lambda: our_als(factors, solver, threads), their_als, rounds=7 if is_fast else 3, warm_up=is_fast)
    users, items = our_factors()
    their_users, their_items = model.item_factors / SCALE, model.user_factors / SCALE
    value, their_value = objective(users, items), objective(their_users, their_items)
    apart = abs(value / their_value - 1.0)
    setup = f"{setup_of(threads)}; objective {value:.7g}, apart by {apart:.0e} (tolerance 1e-5); recall {recall(users, items):.4f}, theirs {recall(their_users, their_items):.4f}"
    comparison.add(f"ALS {solver}, d {factors}, threads {threads}", "implicit", pairs, unit="ms/sweep", per=ALS_SWEEPS, target=4.0, differing=int(not apart < 1e-5), of=1, setup=setup)


for solver in ("CG", "Cholesky"):
    for factors in (32, 64, 128):
        for threads in (1, 2):
            measure_als(factors, solver, threads)


# ---- Lists of ImplicitALS ------------------------------------------------------------------------------------------------


def measure_lists(name, command, model, threads, target):
    files = {"items": file_of("list_items"), "scores": file_of("list_scores")}
    everyone = numpy.arange(USERS)
    theirs = None

    def their_lists():
        nonlocal theirs
        theirs = model.recommend(everyone, train, N=LENGTH)

    pairs = comparison.paired(lambda: ours(command, threads, k=LENGTH, **files), lambda: seconds_of(their_lists, threads))
    differing = different_lists(*map(numpy.load, files.values()), *theirs)
    comparison.add(f"{name}, threads {threads}", "implicit", pairs, unit="us/user", per=USERS, target=target, differing=differing, of=USERS, setup=setup_of(threads))


our_als(64, "CG", 1)
for threads in (1, 2):
    model = implicit.cpu.als.AlternatingLeastSquares(factors=64, num_threads=threads)
    model.user_factors, model.item_factors = our_factors()
    measure_lists("ALS lists, d 64", "als_recommend", model, threads, target=None)


# ---- BPR beside implicit -------------------------------------------------------------------------------------------------
#
# Both take a step per like and epoch, and check their negatives. They draw differently: funnel takes each like once, and
# uniform negatives that the user did not take; implicit draws likes with replacement and negatives by popularity, and skips
# those that the user took. So no two results are equal: funnel must not have a lower recall. The time is that of the epochs.
# After them, funnel learns the rows of all users once more, for the final items.

BPR_EPOCHS = 15
BPR_RATES = {"learning_rate": 0.05, "regularisation": 0.01}


def measure_bpr(factors, threads):
    model = None

    def their_bpr():
        nonlocal model
        times = []
        model = implicit.cpu.bpr.BayesianPersonalizedRanking(factors=factors, learning_rate=BPR_RATES["learning_rate"], regularization=BPR_RATES["regularisation"], iterations=BPR_EPOCHS, num_threads=threads)
        model.fit(train, show_progress=False, callback=lambda *_: times.append(clock_of(threads)()))
        return (times[-1] - times[0]) * BPR_EPOCHS / (BPR_EPOCHS - 1)  # from the end of the first epoch

    pairs = comparison.paired(lambda: ours("bpr", threads, factors=factors, epochs=BPR_EPOCHS, **BPR_RATES), their_bpr, rounds=3, warm_up=False)
    ours_found, theirs_found = recall(*our_factors("bpr")), recall(model.user_factors, model.item_factors)
    setup = f"{setup_of(threads)}; recall {ours_found:.4f}, theirs {theirs_found:.4f}"
    comparison.add(f"BPR epochs, d {factors}, threads {threads}", "implicit", pairs, unit="ns/like", per=BPR_EPOCHS * train.nnz, target=3.0, differing=int(not ours_found >= 0.95 * theirs_found), of=1, setup=setup)


for factors, threads in ((64, 1), (64, 2), (128, 1)):
    measure_bpr(factors, threads)


# ---- ItemKNN beside implicit ---------------------------------------------------------------------------------------------


def our_similarities():
    """One row per item: its neighbours, and how similar they are."""
    comparison.call("item_knn_write", pairs=file_of("pairs"), values=file_of("values"))
    pairs = numpy.load(file_of("pairs"))
    return scipy.sparse.csr_matrix((numpy.load(file_of("values"))[0], (pairs[:, 1], pairs[:, 0])), shape=(ITEMS, ITEMS))


def different_neighbours(mine, other, tolerance=1e-6):
    """How many items differ in the similarities of their neighbours, or in a neighbour that is not tied with the last one."""
    differing = 0
    for item in range(ITEMS):
        a, b = (dict(zip(m.indices[m.indptr[item] : m.indptr[item + 1]], m.data[m.indptr[item] : m.indptr[item + 1]])) for m in (mine, other))
        last = min(a.values(), default=0.0)
        far = [abs(x - y) > tolerance for x, y in zip(sorted(a.values()), sorted(b.values()))]
        far += [abs(a[key] - b[key]) > tolerance if key in a and key in b else abs(a.get(key, b.get(key)) - last) > tolerance for key in a.keys() | b.keys()]
        differing += len(a) != len(b) or any(far)
    return differing


for threads in (1, 2):
    model = implicit.nearest_neighbours.CosineRecommender(K=NEIGHBOURS + 1, num_threads=threads)  # an item is its own neighbour
    pairs = comparison.paired(lambda: ours("item_knn", threads, k=NEIGHBOURS), lambda: seconds_of(lambda: model.fit(train, show_progress=False), threads))
    similarities = model.similarity.tolil()
    similarities.setdiag(0.0)
    similarities = similarities.tocsr()
    similarities.eliminate_zeros()
    differing = different_neighbours(our_similarities(), similarities)
    comparison.add(f"ItemKNN fit, threads {threads}", "implicit", pairs, unit="ms", target=3.0, differing=differing, of=ITEMS, setup=f"{NEIGHBOURS} neighbours; {setup_of(threads)}")

# funnel scores an item by its own neighbours, implicit by the items that it is a neighbour of. Our similarities, transposed,
# make implicit compute what funnel does, also where neighbours are tied. It always makes lists in one thread.
model.similarity = our_similarities().T.tocsr().astype("f8")
model.scorer = implicit.nearest_neighbours.NearestNeighboursScorer(model.similarity)
measure_lists("ItemKNN lists", "item_knn_recommend", model, 1, target=3.0)


# ---- EASE beside NumPy and SciPy -----------------------------------------------------------------------------------------


def inverse_by_lapack(gram):
    factor, status = scipy.linalg.lapack.dpotrf(gram, lower=1, overwrite_a=1)
    assert status == 0
    half, status = scipy.linalg.lapack.dpotri(factor, lower=1, overwrite_c=1)
    assert status == 0
    return numpy.tril(half) + numpy.tril(half, -1).T


# In one thread only: the threads of OpenBLAS wait actively for each other, which takes several times as long if the machine is
# busy with something else.
def measure_ease(peer, how, inverse, target):
    theirs = None

    def their_ease():
        nonlocal theirs
        x = train.astype("f8")
        gram = (x.T @ x).toarray(order="F")
        gram[numpy.diag_indices(ITEMS)] += EASE_LAMBDA
        precision = inverse(gram)
        theirs = (precision / -numpy.diag(precision)).astype("f4")
        numpy.fill_diagonal(theirs, 0.0)

    pairs = comparison.paired(lambda: ours("ease", 1, **{"lambda": EASE_LAMBDA}), lambda: seconds_of(their_ease, 1), rounds=5)
    comparison.call("ease_write", weights=file_of("weights"))
    differing = int(numpy.sum(~(numpy.abs(numpy.load(file_of("weights")) - theirs) <= 1e-6)))
    comparison.add(f"EASE fit, {how}", peer, pairs, unit="s", target=target, differing=differing, of=ITEMS * ITEMS, setup=f"in double; {setup_of(1)}")


measure_ease("scipy", "potrf, potri", inverse_by_lapack, target=1.0)
measure_ease("numpy", "linalg.inv", numpy.linalg.inv, target=2.0)

sys.exit(comparison.finish())
