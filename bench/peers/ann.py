#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Nearest neighbours beside hnswlib, FAISS and USearch, on the sets of bench/peers/ann_data.py.

For each target, such as recall@10 0.99, every index gets the smallest ef or nprobe that reaches it. Then all of them search in
turns, one query after the other in one thread; a ratio is the median over the rounds. Graphs: M 16 and ef_construction 200.

hnswlib is compiled from its source package, with the flags of our release build, and runs in a C++ program as ours does. FAISS
and USearch get all queries in one call and search for one after the other, so the Python interpreter costs them nothing.
Searches and builds are CPU time, in one thread, but for the builds with two threads beside one. All sets take about an hour; FUNNEL_ANN_SETS="recsys64cos" measures that one.
"""

import os
import pathlib
import subprocess
import sys
import tarfile
import time

import ann_data
import common

M, EF_CONSTRUCTION = 16, 200
TARGETS = ((10, 0.90), (10, 0.95), (10, 0.99), (100, 0.95))
MOST_EF = 2000
ROUNDS = 5
TOLERANCE = 1e-5  # of |query| * |item|, between scores of exact searches


class Program:
    """An index in a C++ program: subclasses have call(command, **arguments) and hits_path."""

    def search(self, k, effort, command="search"):
        """Seconds for all queries."""
        return self.call(command, k=k, effort=effort, latencies=0)["cpu"]

    def latencies(self, k, effort):
        return self.call("search", k=k, effort=effort, latencies=1)

    def hits(self):
        import numpy

        self.call("hits", path=self.hits_path)
        return numpy.load(self.hits_path).astype(numpy.int64)

    def bytes(self):
        return self.call("memory")["bytes"]


class Ours(Program):
    """One of our indexes."""

    def __init__(self, comparison, engine, side=None, note=""):
        self.side, self.engine, self.name = side or comparison.side, engine, engine + note
        self.hits_path = comparison.folder / "data/ann_hits.npy"

    def call(self, command, **arguments):
        return self.side.call(command, {"engine": self.engine, "metric": self.metric, **arguments})

    def build(self, data, threads):
        self.metric = data.metric
        return self.call("build", threads=threads, M=M, ef=EF_CONSTRUCTION, lists=data.lists)


class Churned(Ours):
    """Our graph with keys, whose items are removed and added again."""

    def call(self, command, **arguments):
        names = {"search": "churn_search", "memory": "churn_memory"}
        return self.side.call(names.get(command, command), arguments)


class Hnswlib(Program):
    def __init__(self, comparison, architecture="native", note=""):
        self.name = "hnswlib" + note
        self.side = common.Side([str(program_of_hnswlib(architecture))], 3600)
        self.side.read("start")
        self.hits_path = comparison.folder / "data/ann_hits_hnswlib.npy"

    def call(self, command, **arguments):
        return self.side.call(command, arguments)

    def build(self, data, threads):
        return self.call("build", metric=data.metric, threads=threads, M=M, ef=EF_CONSTRUCTION)


class Faiss:
    """An index of FAISS, by its factory string."""

    def __init__(self, name, factory, effort, k_factor=None):
        self.name, self.factory, self.effort, self.k_factor = name, factory, effort, k_factor

    def build(self, data, threads):
        import faiss

        metric = faiss.METRIC_L2 if data.metric == "L2" else faiss.METRIC_INNER_PRODUCT
        text = self.factory.format(lists=data.lists, half=data.dimension() // 2)
        self.queries = data.queries
        faiss.omp_set_num_threads(threads)
        clocks = time.process_time(), time.perf_counter()
        self.index = faiss.index_factory(data.dimension(), text, metric)
        if "HNSW" in text:
            self.index.hnsw.efConstruction = EF_CONSTRUCTION
        self.index.train(data.items)
        self.index.add(data.items)
        answer = {"cpu": time.process_time() - clocks[0], "wall": time.perf_counter() - clocks[1]}
        faiss.omp_set_num_threads(1)
        return answer

    def search(self, k, effort, command="search"):
        import faiss

        base = self.index
        if "RFlat" in self.factory:
            self.index.k_factor = self.k_factor or (10 if k <= 10 else 6)
            base = faiss.downcast_index(self.index.base_index)
        if self.effort == "ef":
            base.hnsw.efSearch = effort
        elif self.effort == "nprobe":
            base.nprobe = effort
        return common.seconds(lambda: setattr(self, "found", self.index.search(self.queries, k)[1]))

    def hits(self):
        return self.found

    def bytes(self):
        import faiss

        return len(faiss.serialize_index(self.index))


class USearch:
    def __init__(self, name, kind):
        self.name, self.kind = name, kind

    def build(self, data, threads):
        import numpy
        import usearch.index

        self.queries = data.queries
        clocks = time.process_time(), time.perf_counter()
        metric = "l2sq" if data.metric == "L2" else "ip"
        self.index = usearch.index.Index(ndim=data.dimension(), metric=metric, dtype=self.kind, connectivity=M, expansion_add=EF_CONSTRUCTION)
        self.index.add(numpy.arange(len(data.items)), data.items, threads=threads)
        return {"cpu": time.process_time() - clocks[0], "wall": time.perf_counter() - clocks[1]}

    def search(self, k, effort, command="search"):
        self.index.expansion_search = effort
        return common.seconds(lambda: setattr(self, "found", self.index.search(self.queries, k, threads=1).keys))

    def hits(self):
        import numpy

        return self.found.astype(numpy.int64)

    def bytes(self):
        return self.index.serialized_length


def program_of_hnswlib(architecture):
    """Compiles bench/peers/hnswlib_side.cc. Returns the program."""
    folder = common.ROOT / "build/peers/hnswlib_src"
    program = folder / f"hnswlib_side_{architecture}"
    folder.mkdir(parents=True, exist_ok=True)
    if not list(folder.glob("hnswlib-0.8.0*/hnswlib")):
        subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", "hnswlib", "--dest", str(folder), "hnswlib==0.8.0"], check=True)
        with tarfile.open(next(folder.glob("hnswlib-0.8.0.tar.gz"))) as archive:
            archive.extractall(folder, filter="data")
    headers = next(folder.glob("hnswlib-0.8.0*/hnswlib")).parent
    sources = [common.ROOT / "bench/peers" / name for name in ("hnswlib_side.cc", "ann_search.hpp")]
    if not program.exists() or program.stat().st_mtime < max(source.stat().st_mtime for source in sources):
        compiler = os.environ.get("CXX", "g++")
        flags = ["-std=c++20", "-O3", "-DNDEBUG", f"-march={architecture}", "-pthread", f"-I{common.ROOT}/include", f"-I{common.ROOT}/bench", "-isystem", str(headers)]
        subprocess.run([compiler, *flags, str(sources[0]), "-o", str(program)], check=True)
    return program


def recall_of(truth, hits, k):
    import numpy

    return sum(len(numpy.intersect1d(a[:k], b)) for a, b in zip(truth, hits)) / (len(truth) * k)


def smallest_effort(index, truth, k, target, low, high):
    """By bisection the smallest effort that reaches the recall, or None. Recall grows with the effort, up to noise."""

    def reaches(effort):
        index.search(k, effort)
        return recall_of(truth, index.hits(), k) >= target

    if reaches(low):
        return low
    top = low
    while True:  # a large effort costs most, so it comes last
        top, below = min(2 * top, high), top
        if reaches(top):
            break
        if top == high:
            return None
    while top - below > 1:
        middle = (below + top) // 2
        below, top = (below, middle) if reaches(middle) else (middle, top)
    return top


class Task:
    """One set of vectors, on all sides."""

    def __init__(self, comparison, hnswlib, name):
        self.comparison = comparison
        self.data = ann_data.load(name)
        self.truth = ann_data.truth(self.data, 100)
        self.hnswlib = hnswlib
        self.send(comparison.side)
        self.send(hnswlib.side)
        self.setup = f"{name}, {len(self.data.items)} x {self.data.dimension()}"

    def send(self, side):
        """Gives the vectors to a program."""
        for what, rows in (("items", self.data.items), ("queries", self.data.queries)):
            side.call(what, {"path": self.comparison.save(f"ann_{what}", rows)})

    def build_all(self, indexes):
        """In one thread; a row per index of ours, and one for two threads."""
        once = lambda value: common.Samples(value, value, value, 1)
        seconds, walls = {}, {}
        for index in indexes:
            built = index.build(self.data, 1)
            seconds[index.name], walls[index.name] = built["cpu"], built["wall"]
            print(f"{self.data.name}: {index.name} built in {seconds[index.name]:.2f} s, {index.bytes() / len(self.data.items):.0f} bytes/vector", flush=True)
        for index in indexes:
            if isinstance(index, Ours):
                ours, theirs = seconds[index.name], seconds["hnswlib"]
                target = 4.0 if "IVF" in index.name else 1 / 0.7
                self.comparison.add(f"{self.data.name}: build {index.name}", "hnswlib", common.Pairs(once(ours), once(theirs), once(theirs / ours)), "s", target=target, setup=f"{self.setup}, one build each, CPU time")
                ours, theirs = index.bytes(), self.hnswlib.bytes()
                self.comparison.add(f"{self.data.name}: size {index.name}", "hnswlib", common.Pairs(once(ours), once(theirs), once(theirs / ours)), "bytes/vector", len(self.data.items), setup=f"{self.setup}; hnswlib: saved form")
                if "HNSW" in index.name:  # the same graph again, for the searches to come
                    ours, theirs = index.build(self.data, 2)["wall"], walls[index.name]
                    self.comparison.add(f"{self.data.name}: build {index.name}, 2 threads", "1 thread", common.Pairs(once(ours), once(theirs), once(theirs / ours)), "s", target=1.9, setup=f"{self.setup}, one build each, elapsed time; theirs: ours with 1 thread")

    def compare(self, indexes, pairs, targets=TARGETS):
        """For each target all indexes in turns. `pairs`: (our name, peer's name, ratio to reach)."""
        for k, target in targets:
            efforts = {}
            for index in indexes:
                is_graph = "IVF" not in index.name
                least = 1 if isinstance(index, Ours) or not is_graph else k  # the peers' graphs raise ef to k
                effort = smallest_effort(index, self.truth, k, target, least, MOST_EF if is_graph else self.data.lists)
                if effort is None:
                    print(f"{self.data.name}: {index.name} does not reach recall@{k} {target}", flush=True)
                else:
                    efforts[index.name] = effort
            times = {name: [] for name in efforts}
            for i in range(ROUNDS):
                for index in indexes[:: 1 if i % 2 == 0 else -1]:
                    if index.name in efforts:
                        times[index.name].append(index.search(k, efforts[index.name]))
            for ours, peer, needed in pairs:
                if ours not in times:
                    print(f"MISSED: {self.data.name}: {ours} does not reach recall@{k} {target}")
                elif peer in times:
                    self.comparison.add(f"{self.data.name}: {ours} @{k} {target:.2f}", peer, common.pairs_of(times[ours], times[peer]), "us/query", len(self.data.queries), target=needed, setup=f"{self.setup}; effort {efforts[ours]}, peer {efforts[peer]}")
            if (k, target) == (10, 0.99):
                self.print_latencies(indexes, k, efforts)

    def print_latencies(self, indexes, k, efforts):
        for index in indexes:
            if index.name in efforts and hasattr(index, "latencies"):
                found = index.latencies(k, efforts[index.name])
                print(f"{self.data.name}: {index.name}: p50 {found['p50'] / 1e3:.1f} us, p99 {found['p99'] / 1e3:.1f} us, p99 / p50 {found['p99'] / found['p50']:.2f}", flush=True)

    def curves(self, indexes):
        for index in indexes:
            efforts = [2**i for i in range(9)] if "IVF" in index.name else [10, 16, 25, 40, 64, 100, 160, 250, 400]
            recalls, rates = [], []
            for effort in efforts:
                if effort <= self.data.lists or "IVF" not in index.name:
                    rates.append(len(self.data.queries) / index.search(10, effort))
                    recalls.append(recall_of(self.truth, index.hits(), 10))
            self.comparison.curve(self.data.name, "funnel " + index.name if isinstance(index, Ours) else index.name, recalls, rates, "recall@10", "queries per second")

    def compare_flat(self):
        """Exact search beside FAISS, one query per call and in batches; FAISS uses BLAS where that is faster."""
        import faiss
        import numpy

        flat = (faiss.IndexFlatL2 if self.data.metric == "L2" else faiss.IndexFlatIP)(self.data.dimension())
        flat.add(self.data.items)
        ours = Ours(self.comparison, "Flat int8")
        ours.build(self.data, 1)
        queries = self.data.queries
        for k, batch, needed in ((k, *goal) for k in (10, 100) for goal in ((1, 7.0), (100, 3.0), (1000, 3.0))):
            faiss.cvar.distance_compute_blas_threshold = 1_000_000 if batch == 1 else 1
            found = {}

            def theirs():
                parts = [flat.search(queries[i : i + batch], k)[1] for i in range(0, len(queries), batch)]
                found["theirs"] = numpy.concatenate(parts)

            pairs = self.comparison.paired(lambda: ours.call("batches", k=k, effort=1, batch=batch)["cpu"], lambda: common.seconds(theirs), rounds=ROUNDS)
            mine = ours.hits()
            scores = lambda ids: numpy.stack([score_of(self.data, q, row) for q, row in zip(queries, ids)])
            rounding = TOLERANCE * numpy.linalg.norm(queries, axis=1) * numpy.linalg.norm(self.data.items, axis=1).max()
            differing = int((abs(scores(mine) - scores(found["theirs"])) > rounding[:, None]).any(axis=1).sum())
            self.comparison.add(f"{self.data.name}: Flat int8, k {k}, batch {batch}", "faiss-cpu", pairs, "us/query", len(queries), target=needed, differing=differing, of=len(queries), setup=f"{self.setup}, k {k}, exact")

    def compare_product_codes(self):
        """8 codes of 8 bits per vector, and the 10 best candidates per hit scored exactly."""
        peer = Faiss("FAISS IVF PQ8", "IVF{lists},PQ8,RFlat", "nprobe", k_factor=10)
        ours = [Ours(self.comparison, engine) for engine in ("IVF PQ8", "IVF OPQ8")]
        for index in (peer, *ours):
            index.build(self.data, 1)
        self.compare([peer, *ours], [(index.name, peer.name, 2.0) for index in ours], [(100, 0.95)])

    def compare_filtered(self, indexes):
        """Top 10 among the items that a filter lets pass; anti: the items least similar to the queries' mean."""
        import numpy

        n = len(self.data.items)
        random = numpy.random.default_rng(1)
        nearness = self.data.items @ self.data.queries.mean(axis=0)
        scan = Ours(self.comparison, "Flat int8")
        scan.build(self.data, 1)
        for share in (0.5, 0.1, 0.02, 0.005):
            for kind in ("random", "anti"):
                allowed = numpy.zeros(n, numpy.float32)
                chosen = random.permutation(n) if kind == "random" else numpy.argsort(nearness)
                allowed[chosen[: int(share * n)]] = 1
                path = self.comparison.save("ann_allowed", allowed.reshape(1, -1))
                self.comparison.call("allowed", path=path)
                self.hnswlib.call("allowed", path=path)
                ids = numpy.flatnonzero(allowed)
                part = self.data._replace(items=self.data.items[ids])
                truth = ids[ann_data.truth(part, 10)]
                rounds = {index.name: [] for index in (*indexes, scan)}
                for _ in range(3):
                    for index in (*indexes, scan):
                        rounds[index.name].append(index.search(10, 64, "filtered"))
                for index in indexes:
                    index.search(10, 64, "filtered")
                    recall = recall_of(truth, index.hits(), 10)
                    times = rounds[index.name]
                    note = f"{self.setup}, allowed {share:.1%} {kind}, recall {recall:.3f}, exact scan of all {1e6 * min(rounds[scan.name]) / len(self.data.queries):.0f} us"
                    if isinstance(index, Ours):
                        self.comparison.add(f"{self.data.name}: {index.name} filtered {share:.1%} {kind}", "hnswlib", common.pairs_of(times, rounds["hnswlib"]), "us/query", len(self.data.queries), setup=note)
                    else:
                        print(f"{index.name}: {1e6 * min(times) / len(self.data.queries):.0f} us; {note}", flush=True)


    def compare_churn(self, hnswlib, rounds=10, share=0.3):
        """Graphs of half of the items: each round removes some of them and adds others. Beside each stands a fresh graph of the
        items that are left."""
        import numpy

        random = numpy.random.default_rng(2)
        n = len(self.data.items)
        order = random.permutation(n)
        live, waiting, removed, added = order[: n // 2], order[n // 2 :], [], []
        for _ in range(rounds):
            live = random.permutation(live)
            count = int(share * len(live))
            removed.append(live[:count])
            added.append(waiting[:count])
            live, waiting = numpy.concatenate((live[count:], waiting[:count])), numpy.concatenate((waiting[count:], live[:count]))
        save = lambda name, rows: self.comparison.save(f"ann_{name}", numpy.array(rows, numpy.float32))
        fresh, first = save("live", [live]), save("first", [order[: n // 2]])
        lists = {"removed": save("removed", removed), "added": save("added", added)}
        truth = live[ann_data.truth(self.data._replace(items=self.data.items[live]), 10)]
        notes, seconds = [], []
        for index in (Churned(self.comparison, "HNSW f32"), hnswlib):
            for path in (fresh, first):
                index.call("churn_build", metric=self.data.metric, path=path, M=M, ef=EF_CONSTRUCTION)
                if path == first:
                    seconds.append(index.call("churn", **lists)["cpu"])
                cpu = min(index.search(10, 64) for _ in range(3))
                notes.append(f"{index.name} {'churned' if path == first else 'fresh'}: recall {recall_of(truth, index.hits(), 10):.4f}, {1e6 * cpu / len(self.data.queries):.1f} us, {index.bytes() / len(live):.0f} bytes/vector")
        once = lambda value: common.Samples(value, value, value, 1)
        pairs = common.Pairs(once(seconds[0]), once(seconds[1]), once(seconds[1] / seconds[0]))
        self.comparison.add(f"{self.data.name}: churn HNSW f32", "hnswlib", pairs, "us/item", rounds * len(removed[0]), setup=f"{len(live)} items, {rounds} rounds remove {share:.0%} of them and add others; ef 64; " + "; ".join(notes))

    def compare_avx2(self):
        """Our program and hnswlib without AVX-512."""
        note = " AVX2"
        side = common.Side([str(common.ROOT / "build/avx2/bench/bench_peers_ann_side")], 3600)
        side.read("start")
        hnswlib = Hnswlib(self.comparison, "x86-64-v3", note)
        ours = [Ours(self.comparison, engine, side, note) for engine in ("HNSW f32", "HNSW int8", "IVF int8")]
        for program in (side, hnswlib.side):
            self.send(program)
        for index in (hnswlib, *ours):
            index.build(self.data, 1)
        self.compare([hnswlib, *ours], [(index.name, hnswlib.name, None) for index in ours])
        side.close()


def score_of(data, query, ids):
    import numpy

    rows = data.items[ids].astype(float)
    return -((rows - query) ** 2).sum(axis=1) if data.metric == "L2" else numpy.asarray(rows @ query.astype(float))


def main():
    comparison = common.Comparison("ann", program="bench_peers_ann_side", peers=["hnswlib", "faiss-cpu", "usearch"], timeout=3600)
    import faiss
    import usearch.index

    comparison.describe("hnswlib", "compiled from source with our flags, called from C++")
    comparison.describe("faiss-cpu", f"wheel, compiled with {faiss.get_compile_options().strip()}; it chooses at run time")
    comparison.describe("usearch", f"wheel, uses {usearch.index.Index(ndim=64, metric='ip', dtype='f32').hardware_acceleration}")
    faiss.omp_set_num_threads(1)
    hnswlib = Hnswlib(comparison)
    for name in os.environ.get("FUNNEL_ANN_SETS", " ".join(ann_data.NAMES)).split():
        task = Task(comparison, hnswlib, name)
        wide = task.data.dimension() >= 100
        ours = [Ours(comparison, kind) for kind in ("HNSW f32", "HNSW int8", "IVF int8", "IVF PQ4")]
        peers = [hnswlib, Faiss("FAISS HNSW", f"HNSW{M},Flat", "ef"), Faiss("FAISS IVF", "IVF{lists},Flat", "nprobe"), Faiss("FAISS IVF fast scan", "IVF{lists},PQ{half}x4fs,RFlat", "nprobe"), USearch("USearch", "f32"), USearch("USearch bf16", "bf16")]
        task.build_all([*peers, *ours])
        graph, code = (2.5, 3.0) if wide else (2.2, 3.6 if name == "glove50cos" else 2.6)
        if name == "recsys64mips":
            graph = code = 1.0
        pairs = [("HNSW f32", "hnswlib", graph), ("HNSW f32", "FAISS HNSW", None), ("HNSW f32", "USearch", None), ("HNSW int8", "hnswlib", code), ("HNSW int8", "USearch bf16", None)]
        pairs += [("IVF int8", "hnswlib", 2.5 if name == "recsys64cos" else 3.0 if name == "glove50cos" else None), ("IVF int8", "FAISS IVF", 3.0), ("IVF PQ4", "FAISS IVF fast scan", 1.5)]
        task.compare([*peers, *ours], pairs)
        task.curves([*peers, *ours])
        task.compare_flat()
        if name == "recsys64cos":
            task.compare_product_codes()
            task.compare_filtered([hnswlib, ours[0], ours[2]])
            task.compare_churn(hnswlib)
            if "AVX-512" in comparison.environment["backend"]:
                task.compare_avx2()
    sys.exit(comparison.finish())


if __name__ == "__main__":
    main()
