#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Slates by DPP, MMR and calibration, and draws from a k-DPP, beside NumPy, LangChain and DPPy.

No library has greedy MAP of a DPP from features; DPPy only draws. So the peers of DPP, of MMR beside LangChain and of
calibrated slates are short functions in this file, each in the fastest form of NumPy that we know. "numpy" computes in float64,
"numpy f32" in float32, as funnel stores features.

A row "prepared" starts from checked candidates, on NumPy's side from unit vectors; the others start from raw embeddings.
`differing` counts the positions of all slates that hold another pick than those of the peer. Draws are compared by how often
each candidate occurs: `differing` counts the candidates whose frequency, on either side, contradicts the probability that
KDPP::inclusion_probabilities() gives, and all of them if the sum of squares is improbable.

All times are CPU time of one thread.
"""

import contextlib
import io
import sys

from common import Comparison, seconds

comparison = Comparison("rerank", program="bench_peers_rerank_side", peers=["numpy", "dppy", "langchain-core"])

import numpy
import scipy.stats
from dppy.finite_dpps import FiniteDPP
from langchain_core.vectorstores.utils import maximal_marginal_relevance

PICKS = str(comparison.folder / "data/rerank_picks.npy")
ALPHA, LAMBDA, WEIGHT = 1.0, 0.7, 0.5
PROBABILITY = 1e-6  # of a test that rejects what is right


# ---- Data ----------------------------------------------------------------------------------------------------------------


class Requests:
    """Candidates and relevances of several requests, on both sides. `others` is one more row for each request."""

    def __init__(self, features, relevance, others):
        self.features, self.relevance, self.others = (x.astype("f4") for x in (features, relevance, others))
        self.count, self.n, self.d = features.shape
        files = {"features": self.features.reshape(-1, self.d), "relevance": self.relevance, "others": self.others}
        comparison.call("load", **{name: comparison.save(f"rerank_{name}", array) for name, array in files.items()})

    def __iter__(self):
        return zip(self.relevance, self.features, self.others)


def embeddings(kind, count, n, d):
    """Requests with normal embeddings, or with embeddings around 50 centers."""
    random = numpy.random.default_rng(1)
    features = random.standard_normal((count, n, d))
    if kind == "clusters":
        centers = random.standard_normal((count, 50, d))
        features = 0.5 * features + centers[numpy.arange(count)[:, None], random.integers(0, 50, (count, n))]
    return Requests(features, random.random((count, n)), random.standard_normal((count, d)))


def genres(count, n, size):
    """Requests whose candidates have one to three genres each; the target is what the user likes."""
    random = numpy.random.default_rng(2)
    shares = numpy.zeros((count, n, size))
    for request, candidate in numpy.ndindex(count, n):
        of_item = random.choice(size, random.integers(1, 4), replace=False)
        shares[request, candidate, of_item] = 1 / len(of_item)
    return Requests(shares, random.random((count, n)), random.dirichlet(numpy.full(size, 0.5), count))


# ---- Peers ---------------------------------------------------------------------------------------------------------------


def unit_rows(embeddings, dtype):
    rows = embeddings.astype(dtype)
    return rows / numpy.linalg.norm(rows, axis=1, keepdims=True)


def dense_dpp(relevance, unit, k):
    """Builds L, then picks greedily: algorithm 1 of Chen, Zhang & Zhou, "Fast greedy MAP inference for determinantal point
    process", NeurIPS 2018, with k picks in place of a threshold."""
    rows = numpy.exp(ALPHA * relevance.astype(unit.dtype))[:, None] * unit
    kernel = rows @ rows.T
    parts = numpy.empty((k, len(kernel)), unit.dtype)  # rows of the Cholesky factor
    left = kernel.diagonal().copy()
    picks = []
    for t in range(k):
        pick = int(left.argmax())
        picks.append(pick)
        part = (kernel[pick] - parts[:t, pick] @ parts[:t]) / numpy.sqrt(left[pick])
        parts[t] = part
        left -= part * part
        left[pick] = -numpy.inf
    return picks


def feature_dpp(relevance, unit, k):
    """As dense_dpp, without L: Gram-Schmidt in the space of the features, which is the algorithm of funnel's dpp."""
    rows = numpy.exp(ALPHA * relevance.astype(unit.dtype))[:, None] * unit
    basis = numpy.empty((k, unit.shape[1]), unit.dtype)
    left = numpy.einsum("ij,ij->i", rows, rows)
    picks = []
    for t in range(k):
        pick = int(left.argmax())
        picks.append(pick)
        direction = rows[pick].copy()
        for _ in range(2):  # the second time removes what rounding has left
            direction -= basis[:t].T @ (basis[:t] @ direction)
        basis[t] = direction / numpy.sqrt(direction @ direction)
        part = rows @ basis[t]
        left -= part * part
        left[pick] = -numpy.inf
    return picks


def incremental_mmr(relevance, unit, k):
    """Keeps the similarity of each candidate to the most similar pick: one product of matrix and vector per pick."""
    weighted = (LAMBDA * relevance).astype(unit.dtype)
    nearest = numpy.full(len(unit), -numpy.inf, unit.dtype)
    pick = int(relevance.argmax())
    picks = [pick]
    while len(picks) < k:
        numpy.maximum(nearest, unit @ unit[pick], out=nearest)
        scores = weighted - unit.dtype.type(1 - LAMBDA) * nearest
        scores[picks] = -numpy.inf
        pick = int(scores.argmax())
        picks.append(pick)
    return picks


def incremental_calibrated(relevance, shares, target, k, smoothing=0.01):
    """Steck, "Calibrated recommendations", RecSys 2018, with the divisor k: computes all gains at once for each pick."""
    liked = target > 0
    weighted = (1 - WEIGHT) * relevance.astype("f8")
    shares, target = shares[:, liked].astype("f8"), target[liked].astype("f8")
    added = (1 - smoothing) / k * shares
    mix = smoothing * target
    picks = []
    for _ in range(k):
        scores = weighted + WEIGHT * (numpy.log1p(added / mix) @ target)
        scores[picks] = -numpy.inf
        pick = int(scores.argmax())
        picks.append(pick)
        mix += added[pick]
    return picks


# ---- Measuring -----------------------------------------------------------------------------------------------------------


def compare(name, peer, requests, command, k, work, target=None, rounds=7, times=20, **settings):
    """A row. work(relevance, features, other, prepared) is the slate of the peer; a command that ends with "_prepared" lets it
    begin with unit vectors."""
    dtype = "f4" if peer == "numpy f32" else "f8"
    is_prepared = command.endswith("_prepared")
    inputs = [(relevance, unit_rows(features, dtype) if is_prepared else features, other) for relevance, features, other in requests]
    slates = []

    def theirs():
        slates.clear()
        return seconds(lambda: slates.extend(work(*request) for request in inputs)) / requests.count

    pairs = comparison.paired(lambda: comparison.call(command, k=k, times=times, **settings)["cpu"], theirs, rounds)
    comparison.call("picks", path=PICKS)
    ours = numpy.load(PICKS)
    differing = int((ours != numpy.array(slates)).sum())
    setup = f"n {requests.n:,}, d {requests.d}, k {k}; {requests.count} requests"
    comparison.add(name, peer, pairs, unit="ms", target=target, differing=differing, of=ours.size, setup=setup)


def compare_selection(command, name, settings, forms, k, requests, rounds, times):
    """Rows of dpp or mmr beside each form: (peer, what the peer does, function, target, target if prepared or None for no such
    row)."""
    for peer, how, form, target, target_prepared in forms:
        dtype = "f4" if peer == "numpy f32" else "f8"
        raw = lambda relevance, features, other: form(relevance, unit_rows(features, dtype), k)
        prepared = lambda relevance, unit, other: form(relevance, unit, k)
        compare(f"{name}; {how}", peer, requests, command, k, raw, target, rounds, times, **settings)
        if target_prepared is not None:
            compare(f"{name}, prepared; {how}", peer, requests, f"{command}_prepared", k, prepared, target_prepared, rounds, times, **settings)


def compare_dpp():
    settings = {"alpha": ALPHA}
    forms = [("numpy", "with L", dense_dpp, 20.0, 20.0), ("numpy", "no L", feature_dpp, 8.0, 8.0), ("numpy f32", "no L", feature_dpp, None, None)]
    compare_selection("dpp", "DPP 1,000", settings, forms, 50, embeddings("normal", 10, 1_000, 64), 7, 20)
    forms = [("numpy", "with L", dense_dpp, 300.0, 500.0), ("numpy", "no L", feature_dpp, 18.0, 30.0), ("numpy f32", "no L", feature_dpp, None, None)]
    compare_selection("dpp", "DPP 10,000", settings, forms, 100, embeddings("normal", 1, 10_000, 256), 9, 10)
    for n, d, k, count in ((1_000, 64, 50, 10), (10_000, 256, 100, 1)):
        forms = [("numpy", "no L", feature_dpp, None, None)]
        compare_selection("dpp", f"DPP {n:,}, clusters", settings, forms, k, embeddings("clusters", count, n, d), 3, 10)


def langchain_mmr(k):
    """It takes the query, and its relevance is the cosine. An array of float64 is the fastest input."""
    return lambda relevance, features, query: maximal_marginal_relevance(query.astype("f8"), features.astype("f8"), LAMBDA, k)


def compare_mmr():
    settings = {"lambda": LAMBDA}
    requests = embeddings("normal", 10, 1_000, 64)
    forms = [("numpy f32", "incremental", incremental_mmr, 15.0, 15.0), ("numpy", "incremental", incremental_mmr, None, None)]
    compare_selection("mmr", "MMR 1,000", settings, forms, 20, requests, 7, 50)
    compare("MMR 1,000; loops", "langchain-core", requests, "mmr_of_query", 20, langchain_mmr(20), 3000.0, 5, 50, **settings)
    forms = [("numpy f32", "incremental", incremental_mmr, 16.0, 16.0)]
    compare_selection("mmr", "MMR 10,000", settings, forms, 100, embeddings("normal", 1, 10_000, 256), 5, 10)
    for n, d, k, count in ((1_000, 64, 20, 10), (10_000, 256, 100, 1)):
        forms = [("numpy f32", "incremental", incremental_mmr, None, None)]
        compare_selection("mmr", f"MMR {n:,}, clusters", settings, forms, k, embeddings("clusters", count, n, d), 3, 10)


def compare_calibrated():
    for n, k in ((1_000, 20), (10_000, 100)):
        requests = genres(2, n, 20)
        work = lambda relevance, shares, target: incremental_calibrated(relevance, shares, target, k)
        compare(f"calibrated {n:,}, 20 genres", "numpy", requests, "calibrated", k, work, rounds=5, weight=WEIGHT)


def differing_frequencies(counts, draws, exact):
    """How many candidates were drawn too often or too rarely; all of them if the frequencies together are improbable. The count
    of a candidate is binomial. Those of one draw repel each other, so squares vary no more than if they were independent."""
    tail = numpy.minimum(scipy.stats.binom.cdf(counts, draws, exact), scipy.stats.binom.sf(counts - 1, draws, exact))
    too_far = int((~(tail >= PROBABILITY / len(exact))).sum())
    often = draws * exact * (1 - exact) > 5
    squares = ((counts - draws * exact) ** 2 / (draws * exact * (1 - exact)))[often].sum()
    chi2 = scipy.stats.chi2(often.sum())
    return too_far if min(chi2.cdf(squares), chi2.sf(squares)) >= PROBABILITY else len(exact)


def compare_kdpp():
    n, d, k, draws = 1_000, 64, 50, 1_000
    requests = embeddings("normal", 1, n, d)
    quality = requests.relevance[0].astype("f8")  # the relevance is used as it is
    factor = (quality[:, None] * unit_rows(requests.features[0], "f8")).T.copy()
    random = numpy.random.RandomState(1)

    def sampler(**kernel):
        with contextlib.redirect_stdout(io.StringIO()):  # it prints how it computes
            return FiniteDPP("likelihood", **kernel)

    def cold(make):
        make().sample_exact_k_dpp(size=k, mode="GS_bis", random_state=random)

    comparison.call("kdpp", k=k)
    warm = sampler(L_gram_factor=factor)
    paths = {"path": str(comparison.folder / "data/rerank_inclusion.npy")}
    comparison.call("kdpp_inclusion", draws=20 * draws, **paths)
    ours, exact = numpy.load(paths["path"])
    for _ in range(draws):
        warm.sample_exact_k_dpp(size=k, mode="GS_bis", random_state=random)
    theirs = numpy.bincount(numpy.concatenate(warm.list_of_samples), minlength=n)
    differing = differing_frequencies(ours, 20 * draws, exact) + differing_frequencies(theirs, draws, exact)

    ours_warm = lambda: comparison.call("kdpp_warm", times=20)["cpu"]
    ours_cold = lambda: comparison.call("kdpp_cold", k=k)["cpu"]
    setup = f"n {n:,}, d {d}, k {k}; mode "
    for mode, target in (("GS_bis", 16.0), ("GS", None)):
        draw = lambda: warm.sample_exact_k_dpp(size=k, mode=mode, random_state=random)
        pairs = comparison.paired(ours_warm, lambda: seconds(lambda: [draw() for _ in range(20)]) / 20)
        compared = {"differing": differing, "of": 2 * n} if mode == "GS_bis" else {}
        comparison.add(f"k-DPP, warm draw; {mode}", "dppy", pairs, unit="ms", target=target, setup=setup + mode, **compared)
    pairs = comparison.paired(ours_cold, lambda: seconds(lambda: cold(lambda: sampler(L_gram_factor=factor))))
    comparison.add("k-DPP, first draw; from features", "dppy", pairs, unit="ms", target=8.0, setup=f"{setup}GS_bis, dual form")
    pairs = comparison.paired(ours_cold, lambda: seconds(lambda: cold(lambda: sampler(L=factor.T @ factor))), rounds=3)
    comparison.add("k-DPP, first draw; from L", "dppy", pairs, unit="ms", setup=f"{setup}GS_bis; DPPy builds L, funnel does not")


def main():
    compare_dpp()
    compare_mmr()
    compare_calibrated()
    compare_kdpp()
    sys.exit(comparison.finish())


if __name__ == "__main__":
    main()
