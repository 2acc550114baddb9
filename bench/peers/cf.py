#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The models of cf/ beside implicit and LensKit, EASE beside NumPy and SciPy, too, and models of ratings beside Surprise, LensKit
and LIBMF, on a synthetic log. Every row compares results, too.

Times of one thread are CPU time of the process, which is valid on a busy machine; times of two threads are elapsed time. The
package of LIBMF is built without SIMD, so it is compiled again from its source package, with AVX.
"""

import collections
import gc
import os
import subprocess
import sys
import tarfile
import time
import warnings

from common import ROOT, Comparison, seconds

for name in ("LK_NUM_THREADS", "LK_NUM_BACKEND_THREADS"):
    os.environ[name] = "1"  # LensKit reads them once

comparison = Comparison("cf", program="bench_peers_cf_side", peers=["implicit", "numpy", "scipy", "lenskit", "scikit-surprise", "libmf"])

import implicit.cpu.als
import implicit.cpu.bpr
import implicit.nearest_neighbours
import implicit.utils
import lenskit.als
import lenskit.data
import lenskit.knn
import lenskit.training
import numpy
import pandas
import scipy.linalg.lapack
import scipy.sparse
import surprise
import threadpoolctl

USERS, ITEMS = 4000, 2500
LENGTH = 20  # of the lists
ALS_LAMBDA = 20.0
ALS_SWEEPS = 2
NEIGHBOURS = 200
EASE_LAMBDA = 200.0
RATING_USERS = 1500  # of the log, who give about 100,000 ratings: SVDpp of Surprise is slow

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


def lenskit_data(users, items, pairs, ratings=None):
    """A data set in which ids are places, also of users and items without pairs."""
    builder = lenskit.data.DatasetBuilder()
    builder.add_entities("user", numpy.arange(users))
    builder.add_entities("item", numpy.arange(items))
    columns = {"user_id": pairs[:, 0].astype("i8"), "item_id": pairs[:, 1].astype("i8")}
    if ratings is not None:
        columns["rating"] = ratings
    builder.add_interactions("rating", pandas.DataFrame(columns), entities=["user", "item"], missing="error", default=True)
    return builder.build()


lenskit_options = lenskit.training.TrainingOptions(device="cpu", rng=1)
lenskit_train = lenskit_data(USERS, ITEMS, train_pairs)
gc.freeze()  # ItemKNN of LensKit collects garbage: it shall not search what stands here already


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


def measure_als_scaling(factors, solver):
    arguments = {"factors": factors, "solver": solver, "sweeps": ALS_SWEEPS, "lambda": ALS_LAMBDA}
    elapsed = lambda threads: comparison.call("als", threads=threads, **arguments)["wall"]
    pairs = comparison.paired(lambda: elapsed(2), lambda: elapsed(1), rounds=9)
    comparison.add(f"ALS {solver}, d {factors}, threads 2", "funnel, 1 thread", pairs, unit="ms/sweep", per=ALS_SWEEPS, target=1.8, setup="elapsed time")


for factors in (64, 128):
    for solver in ("CG", "Cholesky"):
        measure_als_scaling(factors, solver)


# ---- ImplicitALS beside LensKit ------------------------------------------------------------------------------------------
#
# LensKit minimizes what implicit does, for a weight of 1, and starts with the users; so it gets the transposed data and our
# factors, too. It has Cholesky alone.


def measure_lenskit_als(factors, solver, target):
    our_als(factors, solver, 1, sweeps=0)
    start = our_factors()
    transposed = lenskit_data(ITEMS, USERS, train_pairs[:, ::-1])
    model = lenskit.als.ImplicitMFScorer(embedding_size=factors, epochs=ALS_SWEEPS, regularization=2.0 * ALS_LAMBDA, weight=1.0)

    def their_als():
        trainer = model.create_trainer(transposed, lenskit_options)
        users, items = (SCALE * side for side in start)
        trainer.load_parameters({"user_embeddings": items, "item_embeddings": users})
        return seconds_of(lambda: [trainer.train_epoch() for _ in range(ALS_SWEEPS)], 1)

    pairs = comparison.paired(lambda: our_als(factors, solver, 1), their_als, rounds=3)
    users, items = our_factors()
    their_users, their_items = model.item_embeddings / SCALE, model.user_embeddings / SCALE
    value = objective(users, items)
    apart = abs(value / objective(their_users, their_items) - 1.0)
    setup = f"theirs by Cholesky; {setup_of(1)}; objective {value:.7g}, apart by {apart:.0e} (tolerance 1e-5); recall {recall(users, items):.4f}, theirs {recall(their_users, their_items):.4f}"
    comparison.add(f"ALS {solver}, d {factors}, threads 1", "lenskit", pairs, unit="ms/sweep", per=ALS_SWEEPS, target=target, differing=int(not apart < 1e-5), of=1, setup=setup)


for factors in (32, 64, 128):
    measure_lenskit_als(factors, "CG", target=8.0 if factors >= 64 else None)
    measure_lenskit_als(factors, "Cholesky", target=None)


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


# ---- ItemKNN beside implicit and LensKit ---------------------------------------------------------------------------------------------


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

knn = lenskit.knn.ItemKNNScorer(save_nbrs=NEIGHBOURS, feedback="implicit")
pairs = comparison.paired(lambda: ours("item_knn", 1, k=NEIGHBOURS), lambda: seconds_of(lambda: knn.train(lenskit_train, lenskit_options), 1))
differing = different_neighbours(our_similarities(), knn.sim_matrix.to_scipy(), tolerance=5e-6)
comparison.add("ItemKNN fit, threads 1", "lenskit", pairs, unit="ms", differing=differing, of=ITEMS, setup=f"{NEIGHBOURS} neighbours; theirs in float; {setup_of(1)}")

# funnel scores an item by its own neighbours, implicit by the items that it is a neighbour of. Our similarities, transposed,
# make implicit compute what funnel does, also where neighbours are tied. It always makes lists in one thread.
model.similarity = our_similarities().T.tocsr().astype("f8")
model.scorer = implicit.nearest_neighbours.NearestNeighboursScorer(model.similarity)
measure_lists("ItemKNN lists", "item_knn_recommend", model, 1, target=3.0)


# ---- EASE beside NumPy, SciPy and LensKit --------------------------------------------------------------------------------


def inverse_by_lapack(gram):
    factor, status = scipy.linalg.lapack.dpotrf(gram, lower=1, overwrite_a=1)
    assert status == 0
    half, status = scipy.linalg.lapack.dpotri(factor, lower=1, overwrite_c=1)
    assert status == 0
    return numpy.tril(half) + numpy.tril(half, -1).T


def weights_by(inverse):
    x = train.astype("f8")
    gram = (x.T @ x).toarray(order="F")
    gram[numpy.diag_indices(ITEMS)] += EASE_LAMBDA
    precision = inverse(gram)
    weights = (precision / -numpy.diag(precision)).astype("f4")
    numpy.fill_diagonal(weights, 0.0)
    return weights


def weights_by_lenskit():
    model = lenskit.knn.EASEScorer(regularization=EASE_LAMBDA)
    model.train(lenskit_train, lenskit_options)
    return model.weights


# In one thread only: the threads of OpenBLAS wait actively for each other, which takes several times as long if the machine is
# busy with something else.
def measure_ease(peer, how, weights, target, precision="double", tolerance=1e-6):
    theirs = None

    def their_ease():
        nonlocal theirs
        theirs = weights()

    pairs = comparison.paired(lambda: ours("ease", 1, **{"lambda": EASE_LAMBDA}), lambda: seconds_of(their_ease, 1), rounds=5)
    comparison.call("ease_write", weights=file_of("weights"))
    differing = int(numpy.sum(~(numpy.abs(numpy.load(file_of("weights")) - theirs) <= tolerance)))
    comparison.add(f"EASE fit, {how}", peer, pairs, unit="s", target=target, differing=differing, of=ITEMS * ITEMS, setup=f"theirs in {precision}; {setup_of(1)}")


measure_ease("scipy", "potrf, potri", lambda: weights_by(inverse_by_lapack), target=1.0)
measure_ease("numpy", "linalg.inv", lambda: weights_by(numpy.linalg.inv), target=2.0)
measure_ease("lenskit", "LensKit", weights_by_lenskit, target=1.0, precision="float", tolerance=1e-5)


# ---- Models of ratings beside Surprise, LensKit and LIBMF ----------------------------------------------------------------
#
# No two of them draw the same initial vectors, so they are compared by the RMSE of held-out ratings. "fit" is the time of
# everything; ours includes that each user is learned once more after the epochs. All times are divided by ratings and epochs.


def synthetic_ratings(*parts):
    """For each part of the pairs, stars from 1 to 5, which depend on biases, 8 hidden traits and chance."""
    random = numpy.random.default_rng(2)
    user_bias, item_bias = (0.4 * random.standard_normal(n) for n in (RATING_USERS, ITEMS))
    user_taste, item_taste = (0.4 * random.standard_normal((n, 8)) for n in (RATING_USERS, ITEMS))

    def stars(pairs):
        users, items = pairs.T
        taste = (user_taste[users] * item_taste[items]).sum(axis=1)
        exact = 3.6 + user_bias[users] + item_bias[items] + taste + 0.8 * random.standard_normal(len(pairs))
        return numpy.clip(numpy.round(exact), 1, 5).astype("f4")

    return [stars(pairs) for pairs in parts]


rated, asked = (pairs[pairs[:, 0] < RATING_USERS] for pairs in (train_pairs, test_pairs))
ratings, answers = synthetic_ratings(rated, asked)
asked_files = {"predict": comparison.save("cf_asked", asked), "predicted": file_of("predicted")}
comparison.call("load_ratings", pairs=comparison.save("cf_rated", rated), values=comparison.save("cf_ratings", ratings[None]), users=RATING_USERS, items=ITEMS)


def rmse(predicted):
    return float(numpy.sqrt(numpy.mean((numpy.clip(predicted, 1, 5) - answers) ** 2)))


mean = float(ratings.mean())
print(f"\nratings: {len(rated)} by {RATING_USERS} users, and {len(asked)} held out; RMSE of the mean rating {rmse(mean):.4f}")


def measure_ratings(name, peer, command, options, epochs, theirs, predict, ours="cpu", target=None, may_be_better=True):
    """theirs() returns seconds, and predict() the ratings of what is asked. Our RMSE must not be higher by more than 0.005, nor
    lower unless it may be better."""
    pairs = comparison.paired(lambda: comparison.call(command, **options, **asked_files)[ours], theirs, rounds=3)
    found, their_rmse = rmse(numpy.load(file_of("predicted"))[0]), rmse(predict())
    differs = not found <= their_rmse + 0.005 or not (may_be_better or found >= their_rmse - 0.005)
    setup = f"{epochs} epochs; RMSE {found:.4f}, theirs {their_rmse:.4f}; {setup_of(1)}"
    comparison.add(name, peer, pairs, unit="ns/rating", per=epochs * len(rated), target=target, differing=int(differs), of=1, setup=setup)


def measure_surprise(name, command, model, factors, rate):
    """With the options that Surprise has by default."""
    by_user, by_item = collections.defaultdict(list), collections.defaultdict(list)
    for user, item, rating in zip(*rated.T.tolist(), ratings.tolist()):
        by_user[user].append((item, rating))
        by_item[item].append((user, rating))
    data = surprise.Trainset(by_user, by_item, RATING_USERS, ITEMS, len(rated), (1, 5), {}, {})
    options = {"factors": factors, "epochs": 20, "learning_rate": rate, "regularisation": 0.02}
    theirs = model(n_factors=factors, n_epochs=20, lr_all=rate, reg_all=0.02, init_std_dev=0.1, random_state=1)
    predict = lambda: numpy.array([theirs.estimate(user, item) for user, item in asked.tolist()])
    measure_ratings(name, "scikit-surprise", command, options, 20, lambda: seconds_of(lambda: theirs.fit(data), 1), predict, may_be_better=False)


measure_surprise("BiasedMF fit, d 100", "biased_mf", surprise.SVD, 100, 0.005)
measure_surprise("SVDpp fit, d 20", "svdpp", surprise.SVDpp, 20, 0.007)


# LensKit fits the biases first, with 5 ratings of 0 added, and funnel with the vectors.
def measure_explicit_als(factors, sweeps=10, penalty=0.1):
    data = lenskit_data(RATING_USERS, ITEMS, rated, ratings)
    model = lenskit.als.BiasedMFScorer(embedding_size=factors, epochs=sweeps, regularization=penalty)

    def predict():
        bias = model.bias
        products = (model.user_embeddings[asked[:, 0]] * model.item_embeddings[asked[:, 1]]).sum(axis=1)
        return bias.global_bias + bias.user_biases[asked[:, 0]] + bias.item_biases[asked[:, 1]] + products

    options = {"factors": factors, "lambda": penalty, "sweeps": sweeps}
    measure_ratings(f"ExplicitALS fit, d {factors}", "lenskit", "explicit_als", options, sweeps, lambda: seconds_of(lambda: model.train(data, lenskit_options), 1), predict)


for factors in (16, 64):
    measure_explicit_als(factors)


def libmf_of_this_machine():
    """Compiles LIBMF with AVX, as its makefile does. Returns the library."""
    folder = ROOT / "build/peers/libmf_src"
    library = folder / "libmf.so"
    if not library.exists():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", "libmf", "--dest", str(folder), "libmf==0.9.2"], check=True)
        with tarfile.open(next(folder.glob("libmf-0.9.2.tar.gz"))) as archive:
            archive.extractall(folder, filter="data")
        sources = [str(folder / "libmf-0.9.2/src_cpp" / name) for name in ("libmf_interface.cpp", "mf.cpp")]
        flags = ["-std=c++11", "-O3", "-DNDEBUG", "-march=native", "-DUSEAVX", "-pthread", "-fPIC", "-shared"]
        subprocess.run([os.environ.get("CXX", "g++"), *flags, *sources, "-o", str(library)], check=True)
    return str(library)


# LIBMF has neither a mean nor biases, so the mean is subtracted for it, and it adapts its learning rates. Ours are the default
# options; the penalty of LIBMF is the default of its program, and the rate, half of that, gives it a lower RMSE. Its factors are
# read since the predictions of the package take pairs for columns.
def measure_libmf(factors, epochs=20):
    triples = numpy.column_stack([rated, ratings - mean]).astype("f4")
    model_of = lambda n: libmf.mf.MF(k=factors, nr_threads=1, nr_iters=n, eta=0.05, lambda_p1=0.0, lambda_q1=0.0, lambda_p2=0.1, lambda_q2=0.1, quiet=True)
    model = model_of(epochs)
    fit = lambda: seconds_of(lambda: model.fit(triples), 1)
    without_start = lambda: (fit() - seconds_of(lambda: model_of(1).fit(triples), 1)) * epochs / (epochs - 1)
    predict = lambda: mean + (model.p_factors()[asked[:, 0]] * model.q_factors()[asked[:, 1]]).sum(axis=1)
    options = {"factors": factors, "epochs": epochs, "learning_rate": 0.01, "regularisation": 0.1}
    measure_ratings(f"BiasedMF fit, d {factors}", "libmf", "biased_mf", options, epochs, fit, predict)
    measure_ratings(f"BiasedMF epochs, d {factors}", "libmf", "biased_mf", options, epochs, without_start, predict, ours="epochs_cpu", target=2.0)


os.environ["LIBMF_OBJ"] = libmf_of_this_machine()
import libmf.mf

comparison.describe("libmf", "compiled with AVX for this machine")
for factors in (32, 64, 128):
    measure_libmf(factors)

sys.exit(comparison.finish())
