#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Nearest neighbours of 50,000 vectors of 64 dimensions, beside hnswlib, FAISS and USearch.

Exact: Flat beside hnswlib BFIndex, FAISS IndexFlat and the exact search of USearch. Each query whose hits differ counts. Hits
are the same if their exact scores are; ids may differ where scores tie up to rounding.

HNSW at equal recall: M 16 and ef_construction 200 for all. Every round searches with each library at each ef; between two values
of ef, the logarithm of the time is interpolated linearly in the recall. If the smallest ef reaches the recall, its time counts.
Under Cosine, all get vectors of unit length. All libraries get all queries in one call, and search for one after the other in
one thread, so the Python interpreter costs nothing.

Searches and builds in one thread are CPU time, builds in two threads are elapsed time.
"""

import sys
import time

import common

ITEMS, QUERIES, DIM = 50_000, 1000, 64
BATCH, SINGLES = 256, 50  # queries of an exact search, in one call and one by one
M, EF_CONSTRUCTION, SEED = 16, 200, 1
EFS = (10, 14, 20, 28, 40, 56, 80, 112, 160, 224)
RECALLS = (0.90, 0.95, 0.99)
TOLERANCE = 1e-5  # of |query| * |item|


def vectors(numpy):
    """Items and users of a shop: 500 clusters of Zipf-distributed sizes in a space of 16 factors, mapped to 64 dimensions, with
    noise. Popular items are longer; users mix the tastes of three clusters."""
    random = numpy.random.default_rng(SEED)
    centers = random.standard_normal((500, 16))
    mix = random.standard_normal((16, DIM)) / 4 * (1.5 - numpy.arange(16) / 16)[:, None]
    share = 1 / numpy.arange(1, 501)
    share /= share.sum()

    def emit(tastes):
        return (tastes @ mix + 0.25 * random.standard_normal((len(tastes), DIM))).astype(numpy.float32)

    tastes = centers[random.choice(500, ITEMS, p=share)] + 0.6 * random.standard_normal((ITEMS, 16))
    items = emit(tastes * numpy.exp(0.35 * random.standard_normal(ITEMS))[:, None])
    mixed = centers[random.choice(500, (QUERIES, 3), p=share)] * random.dirichlet((1, 1, 1), QUERIES)[:, :, None]
    return items, emit(mixed.sum(axis=1) + 0.4 * random.standard_normal((QUERIES, 16)))


def in_turns(actions, rounds):
    """Calls the actions, which return seconds, by name; the order turns round after each round. Returns {name: list}."""
    times = {name: [] for name in actions}
    for i in range(rounds):
        for name in list(actions)[:: 1 if i % 2 == 0 else -1]:
            times[name].append(actions[name]())
    return times


def beside(times, peer):
    return common.pairs_of(times["funnel"], times[peer])


def time_at(recall, recalls, times):
    """The time at this recall, from the times at all EFS; None if no ef reaches it."""
    import math

    for i, reached in enumerate(recalls):
        if reached >= recall:
            if i == 0:
                return times[0]
            part = (recall - recalls[i - 1]) / (reached - recalls[i - 1])
            return math.exp((1 - part) * math.log(times[i - 1]) + part * math.log(times[i]))
    return None


def ef_at(recall, recalls):
    """The smallest of EFS that reaches this recall."""
    return next(ef for ef, reached in zip(EFS, recalls) if reached >= recall)


class HnswlibGraph:
    def __init__(self, metric, items, threads):
        import hnswlib

        self.index = hnswlib.Index("l2" if metric == "L2" else "ip", DIM)
        self.index.init_index(len(items), M=M, ef_construction=EF_CONSTRUCTION, random_seed=SEED)
        self.index.add_items(items, num_threads=threads)

    def search(self, queries, k, ef):
        self.index.set_ef(ef)
        return self.index.knn_query(queries, k, num_threads=1)[0]

    def bytes(self):
        return self.index.index_file_size()


class FaissGraph:
    def __init__(self, metric, items, threads):
        import faiss

        self.faiss = faiss
        self.index = faiss.IndexHNSWFlat(DIM, M, faiss.METRIC_L2 if metric == "L2" else faiss.METRIC_INNER_PRODUCT)
        self.index.hnsw.efConstruction = EF_CONSTRUCTION
        faiss.omp_set_num_threads(threads)
        self.index.add(items)
        faiss.omp_set_num_threads(1)

    def search(self, queries, k, ef):
        self.index.hnsw.efSearch = ef
        return self.index.search(queries, k)[1]

    def bytes(self):
        return len(self.faiss.serialize_index(self.index))


class USearchGraph:
    def __init__(self, metric, items, threads):
        import numpy
        import usearch.index

        self.index = usearch.index.Index(ndim=DIM, metric="l2sq" if metric == "L2" else "ip", dtype="f32", connectivity=M, expansion_add=EF_CONSTRUCTION)
        self.index.add(numpy.arange(len(items)), items, threads=threads)

    def search(self, queries, k, ef):
        self.index.expansion_search = ef
        return self.index.search(queries, k, threads=1).keys

    def bytes(self):
        return self.index.serialized_length


GRAPHS = {"hnswlib": HnswlibGraph, "faiss-cpu": FaissGraph, "usearch": USearchGraph}


class Task:
    """Vectors under one metric, on both sides."""

    def __init__(self, comparison, metric, items, queries):
        import numpy

        self.numpy, self.comparison, self.metric = numpy, comparison, metric
        if metric == "Cosine":
            items, queries = (rows / numpy.linalg.norm(rows, axis=1, keepdims=True) for rows in (items, queries))
        self.items, self.queries = items, queries
        self.hits_path = comparison.folder / "data/ann_hits.npy"
        comparison.call("items", path=comparison.save(f"ann_items_{metric}", items))
        self.ask(queries)

    def ask(self, queries):
        """Sets the queries of our side."""
        self.comparison.call("queries", path=self.comparison.save("ann_queries", queries))

    def ours(self, command, **arguments):
        return self.comparison.call(f"{self.metric} {command}", **arguments)["cpu"]

    def our_hits(self):
        self.comparison.call("hits", path=self.hits_path)
        return self.numpy.load(self.hits_path).astype(self.numpy.int64)

    def exact_scores(self, queries):
        """Queries x items, in double; higher is better."""
        queries, items = queries.astype(float), self.items.astype(float)
        scores = queries @ items.T
        if self.metric == "L2":
            scores = 2 * scores - (queries**2).sum(axis=1)[:, None] - (items**2).sum(axis=1)
        return scores

    def truth(self, k):
        parts = []
        for begin in range(0, len(self.queries), 100):
            scores = self.exact_scores(self.queries[begin : begin + 100])
            parts.append(self.numpy.argpartition(-scores, k - 1, axis=1)[:, :k])
        return self.numpy.concatenate(parts)

    def compare_scans(self, k, is_single=False):
        """Exact search; one query per call if is_single."""
        import faiss
        import hnswlib
        import usearch.index

        numpy = self.numpy
        count = SINGLES if is_single else BATCH
        queries = self.queries[:count]
        # FAISS: a matrix product for a batch, which is its fastest search, but by default only for 128,000 numbers and more.
        faiss.cvar.distance_compute_blas_threshold = 1_000_000 if is_single else 1
        flat = (faiss.IndexFlatL2 if self.metric == "L2" else faiss.IndexFlatIP)(DIM)
        flat.add(self.items)
        brute = hnswlib.BFIndex("l2" if self.metric == "L2" else "ip", DIM)
        brute.init_index(len(self.items))
        brute.add_items(self.items)
        # The index of USearch scans four times as fast as usearch.index.search if queries come one by one. Its graph is not used.
        unlinked = usearch.index.Index(ndim=DIM, metric="l2sq" if self.metric == "L2" else "ip", dtype="f32", connectivity=2, expansion_add=1)
        unlinked.add(numpy.arange(len(self.items)), self.items, threads=1)
        peers = {
            "hnswlib": lambda q: brute.knn_query(q, k, num_threads=1)[0],
            "faiss-cpu": lambda q: flat.search(q, k)[1],
            "usearch": lambda q: unlinked.search(q, k, exact=True, threads=1).keys,
        }
        self.ask(queries)
        hits = {}

        def search(peer):
            if is_single:
                hits[peer] = numpy.concatenate([peers[peer](q.reshape(1, -1)).reshape(1, -1) for q in queries])
            else:
                hits[peer] = peers[peer](queries)

        actions = {"funnel": lambda: self.ours("scan", k=k)}
        actions |= {peer: lambda peer=peer: common.seconds(lambda: search(peer)) for peer in peers}
        times = in_turns(actions, 3)
        scores = self.exact_scores(queries)
        rounding = TOLERANCE * numpy.linalg.norm(queries, axis=1) * numpy.linalg.norm(self.items, axis=1).max()
        ours = numpy.take_along_axis(scores, self.our_hits(), axis=1)
        for peer in peers:
            theirs = numpy.take_along_axis(scores, hits[peer].astype(numpy.int64), axis=1)
            differing = int((abs(ours - theirs) > rounding[:, None]).any(axis=1).sum())
            name = f"Flat, {self.metric}, k {k}, " + ("single" if is_single else "batch")
            self.comparison.add(name, peer, beside(times, peer), "us/query", count, target=1.0, differing=differing, of=count, setup=f"{len(self.items)} x {DIM}, queries per call: {1 if is_single else count}")

    def compare_graphs(self, k, builds):
        """HNSW: `builds` holds the numbers of threads; searches use the first build."""
        self.ask(self.queries)
        graphs = {}

        def build(peer, threads):
            graphs.pop(peer, None)  # its memory is free before the next one is built
            graphs[peer] = GRAPHS[peer](self.metric, self.items, threads)

        for threads in builds:
            clock, key = (time.process_time, "cpu") if threads == 1 else (time.perf_counter, "wall")
            actions = {"funnel": lambda: self.comparison.call(f"{self.metric} build", M=M, ef=EF_CONSTRUCTION, threads=threads)[key]}
            actions |= {peer: lambda peer=peer: common.seconds(lambda: build(peer, threads), clock) for peer in GRAPHS}
            times = in_turns(actions, 1)
            for peer in GRAPHS:
                self.comparison.add(f"HNSW build, {self.metric}, {threads} thread" + "s" * (threads > 1), peer, beside(times, peer), "s", target=1.0, setup=f"{len(self.items)} x {DIM}, M {M}, one build, " + ("CPU time" if threads == 1 else "elapsed time"))
            if threads == builds[0]:
                self.compare_searches(k, graphs)
                self.compare_memory(graphs)

    def compare_memory(self, graphs):
        once = lambda value: common.Samples(value, value, value, 1)
        ours = self.comparison.call(f"{self.metric} memory")["bytes"]
        for peer, graph in graphs.items():
            pairs = common.Pairs(once(ours), once(graph.bytes()), once(graph.bytes() / ours))
            self.comparison.add(f"HNSW size, {self.metric}", peer, pairs, "bytes/vector", len(self.items), setup="peers: saved form")

    def compare_searches(self, k, graphs):
        numpy, comparison = self.numpy, self.comparison
        truth = self.truth(k)
        names = ["funnel", *graphs]
        recalls = {name: [] for name in names}
        for ef in EFS:
            for name in names:
                if name == "funnel":
                    self.ours("search", k=k, ef=ef)
                    hits = self.our_hits()
                else:
                    hits = graphs[name].search(self.queries, k, ef)
                found = sum(len(numpy.intersect1d(a, b)) for a, b in zip(truth, hits.astype(numpy.int64)))
                recalls[name].append(found / truth.size)

        def sweep(name):
            if name == "funnel":
                return [self.ours("search", k=k, ef=ef) for ef in EFS]
            return [common.seconds(lambda: graphs[name].search(self.queries, k, ef)) for ef in EFS]

        sweeps = in_turns({name: lambda name=name: sweep(name) for name in names}, 5)  # seconds per round and ef
        title = f"HNSW, {self.metric}"
        for name in names:
            rates = [len(self.queries) / common.summary(times).median for times in zip(*sweeps[name])]
            comparison.curve(title, name, recalls[name], rates, f"recall@{k}", "queries per second")
            print(f"{title}, {name}: " + ", ".join(f"ef {ef}: {recall:.3f}" for ef, recall in zip(EFS, recalls[name])))
        for recall in RECALLS:
            times = {name: [time_at(recall, recalls[name], times) for times in sweeps[name]] for name in names}
            if times["funnel"][0] is None:
                sys.exit(f"{title}: funnel does not reach a recall of {recall}")
            for peer in graphs:
                if times[peer][0] is None:
                    print(f"{title}: {peer} does not reach a recall of {recall}")
                    continue
                setup = f"ef {ef_at(recall, recalls['funnel'])}, peer {ef_at(recall, recalls[peer])}"
                comparison.add(f"{title}, recall {recall:.2f}", peer, beside(times, peer), "us/query", len(self.queries), target=1.0, setup=setup)


def main():
    comparison = common.Comparison("ann", program="bench_peers_ann_side", peers=["hnswlib", "faiss-cpu", "usearch"])
    import faiss
    import numpy
    import usearch.index

    comparison.describe("hnswlib", "its setup.py compiles it for this processor")
    comparison.describe("faiss-cpu", f"wheel, compiled with {faiss.get_compile_options().strip()}; it chooses at run time")
    comparison.describe("usearch", f"wheel, uses {usearch.index.Index(ndim=DIM, metric='ip', dtype='f32').hardware_acceleration}")
    faiss.omp_set_num_threads(1)
    items, queries = vectors(numpy)
    for metric in ("Cosine", "InnerProduct", "L2"):
        task = Task(comparison, metric, items, queries)
        task.compare_scans(10)
        if metric == "Cosine":
            task.compare_scans(100)
            task.compare_scans(10, is_single=True)
            task.compare_scans(100, is_single=True)
    Task(comparison, "InnerProduct", items, queries).compare_graphs(10, builds=(2,))
    Task(comparison, "Cosine", items, queries).compare_graphs(10, builds=(1, 2))
    sys.exit(comparison.finish())


if __name__ == "__main__":
    main()
