#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes the index files beside it, with hnswlib 0.8.0 and faiss-cpu 1.15.1, and what these libraries find in them: NAME.npy
holds the ids of the 5 nearest vectors of each query. Builds run in one thread, so the files do not change."""

import pathlib

import faiss
import hnswlib
import numpy

FOLDER = pathlib.Path(__file__).resolve().parent
N, DIM, QUERIES, K = 120, 6, 20, 5


def save(name, ids):
    numpy.save(FOLDER / f"{name}.npy", ids.astype(numpy.uint32))


def main():
    faiss.omp_set_num_threads(1)
    random = numpy.random.default_rng(1)
    items = random.standard_normal((N, DIM)).astype(numpy.float32)
    queries = random.standard_normal((QUERIES, DIM)).astype(numpy.float32)
    numpy.save(FOLDER / "foreign_items.npy", items)
    numpy.save(FOLDER / "foreign_queries.npy", queries)

    graph = hnswlib.Index("l2", DIM)
    graph.init_index(N, M=4, ef_construction=40, random_seed=1)
    graph.add_items(items, 3 * numpy.arange(N) + 1000, num_threads=1)  # labels that are no row numbers
    graph.mark_deleted(1000)
    graph.mark_deleted(1033)
    graph.set_ef(20)
    graph.save_index(str(FOLDER / "hnswlib_l2.bin"))
    save("hnswlib_l2", graph.knn_query(queries, K, num_threads=1)[0])

    for name, factory in (("flat", "Flat"), ("ivf_flat", "IVF4,Flat"), ("ivf_pq8", "IVF4,PQ3x8"), ("ivf_pq4", "IVF4,PQ3x4"), ("hnsw", "HNSW4,Flat")):
        for metric, kind in (("l2", faiss.METRIC_L2), ("ip", faiss.METRIC_INNER_PRODUCT)):
            if name in ("ivf_pq8", "ivf_pq4") and metric == "ip":
                continue
            index = faiss.index_factory(DIM, factory, kind)
            if name == "ivf_pq8":
                index.pq.cp.min_points_per_centroid = 1
                many = random.standard_normal((1000, DIM)).astype(numpy.float32)
                index.train(many)
            else:
                index.train(items)
            index.add(items)
            if "ivf" in name:
                index.nprobe = 2
            if name == "hnsw":
                index.hnsw.efSearch = 20
            faiss.write_index(index, str(FOLDER / f"faiss_{name}_{metric}.bin"))
            save(f"faiss_{name}_{metric}", index.search(queries, K)[1])


if __name__ == "__main__":
    main()
