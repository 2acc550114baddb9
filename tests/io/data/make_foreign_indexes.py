#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes the index files beside it, with hnswlib 0.8.0 and faiss-cpu 1.15.1, and what these libraries find in them: NAME.npy
holds the ids of the 5 nearest vectors of each query. Of product codes they are 10, with their scores in NAME_scores.npy. Builds
run in one thread, so the files do not change."""

import pathlib

import faiss
import hnswlib
import numpy

FOLDER = pathlib.Path(__file__).resolve().parent
N, DIM, QUERIES, K = 120, 6, 20, 5


def save(name, ids):
    numpy.save(FOLDER / f"{name}.npy", ids.astype(numpy.uint32))


def save_product_codes(name, index, queries):
    """The scores are those of funnel: the largest is the best."""
    faiss.write_index(index, str(FOLDER / f"faiss_{name}.bin"))
    numbers, ids = index.search(queries, 2 * K)
    assert ids.min() >= 0
    save(f"faiss_{name}", ids)
    numpy.save(FOLDER / f"faiss_{name}_scores.npy", numbers if index.metric_type == faiss.METRIC_INNER_PRODUCT else -numbers)


def make_product_codes(items, queries):
    labels = 5000 - 3 * numpy.arange(N)  # in another order than the rows
    training = numpy.random.default_rng(2).standard_normal((1000, DIM)).astype(numpy.float32)
    for name, factory, kind, by_residual in (
        ("ivf_pq8_ip", "IVF4,PQ3x8", faiss.METRIC_INNER_PRODUCT, True),
        ("ivf_pq4_ip", "IVF4,PQ3x4", faiss.METRIC_INNER_PRODUCT, True),
        ("ivf_pq8_whole_l2", "IVF4,PQ3x8", faiss.METRIC_L2, False),
        ("ivf_pq4_whole_ip", "IVF4,PQ3x4", faiss.METRIC_INNER_PRODUCT, False),
        ("opq_ivf_pq4_l2", "OPQ3,IVF4,PQ3x4", faiss.METRIC_L2, True),
        ("opq_ivf_pq8_ip", "OPQ3,IVF4,PQ3x8", faiss.METRIC_INNER_PRODUCT, True),
        ("opq_ivf_pq4_whole_l2", "OPQ3,IVF4,PQ3x4", faiss.METRIC_L2, False),
        ("rotated_ivf_pq4_whole_ip", "RR6,IVF4,PQ3x4", faiss.METRIC_INNER_PRODUCT, False),
    ):
        index = faiss.index_factory(DIM, factory, kind)
        ivf = faiss.downcast_index(faiss.extract_index_ivf(index))
        ivf.by_residual = by_residual
        ivf.pq.cp.min_points_per_centroid = 1
        index.train(training)
        index.add_with_ids(items, labels)
        ivf.nprobe = 2
        save_product_codes(name, index, queries)


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
            if "pq" in name:
                save_product_codes(f"{name}_{metric}", index, queries)
                continue
            faiss.write_index(index, str(FOLDER / f"faiss_{name}_{metric}.bin"))
            save(f"faiss_{name}_{metric}", index.search(queries, K)[1])
    make_product_codes(items, queries)


if __name__ == "__main__":
    main()
