// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/ann/flat.hpp>
#include <funnel/ann/hnsw.hpp>
#include <funnel/ann/ivf.hpp>
#include <funnel/ann/vectors.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/io/faiss.hpp>
#include <funnel/io/graph_file.hpp>
#include <funnel/io/hnswlib.hpp>
#include <funnel/io/little_endian.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ann {

/// An index that was read from a file of another library, and what that library calls its vectors.
template <class Index>
struct Imported {
    Index index;
    std::vector<std::uint64_t> labels;  ///< of ids 0 .. n-1 of the index; ann::Keyed searches by them
};

namespace detail {

// Rows from a file: what they may not hold is the file's fault. `what` names one of them.
template <Metric M>
void check_imported(const std::string& path, MatrixView<const float> rows, const char* what = "vector") {
    for (std::size_t i = 0; i < rows.rows(); ++i) {
        if (const char* defect = defect_of<M>(rows.row(i))) {
            raise<CorruptData>(path + ": " + what + " " + std::to_string(i) + " " + defect);
        }
        if (M::normalises && math::abs(squared_length(rows.row(i)) - 1.0) > 1e-3) {
            raise<CorruptData>(path + ": " + what + " " + std::to_string(i) + " has not length 1, as Cosine needs");
        }
    }
}

template <Metric M>
void check_metric(const std::string& path, io::FaissMetric metric) {
    const bool is_l2 = std::same_as<typename M::Stored, L2>;
    if (is_l2 != (metric == io::FaissMetric::l2)) {
        raise<CorruptData>(path + ": the index is for " + (is_l2 ? "inner products" : "L2") + ", not for " +
                           std::string(M::name));
    }
}

// Lists are chosen by the metric of the index, so an index that chooses by another one would give other hits.
inline void check_centroids(const std::string& path, const io::FaissIVF& file) {
    if (file.centroid_metric != file.metric) {
        raise<CorruptData>(path + ": the coarse quantiser is for another metric than the index");
    }
    check_imported<L2>(path, file.centroids, "centroid");
}

// Where an inverted file of FAISS has a vector.
struct FaissPlace {
    std::int64_t id;
    std::uint32_t list;
    std::size_t position;

    /// Its code.
    [[nodiscard]] std::span<const std::uint8_t> code(const io::FaissIVF& file) const noexcept FUNNEL_LIFETIMEBOUND {
        return std::span(file.lists[list].codes).subspan(position * file.code_bytes, file.code_bytes);
    }
};

// All vectors, in the order of their ids, which are not negative and differ.
[[nodiscard]] inline std::vector<FaissPlace> places_of(const std::string& path, const io::FaissIVF& file) {
    std::vector<FaissPlace> places;
    places.reserve(file.size);
    for (std::size_t list = 0; list < file.lists.size(); ++list) {
        for (std::size_t i = 0; i < file.lists[list].ids.size(); ++i) {
            places.push_back({file.lists[list].ids[i], static_cast<std::uint32_t>(list), i});
        }
    }
    std::sort(places.begin(), places.end(), [](const FaissPlace& a, const FaissPlace& b) { return a.id < b.id; });
    for (std::size_t i = 0; i < places.size(); ++i) {
        if (places[i].id < 0 || (i > 0 && places[i].id == places[i - 1].id)) {
            raise<CorruptData>(path + ": ids of vectors must differ and not be negative, found " +
                               std::to_string(places[i].id) + (places[i].id < 0 ? "" : " twice"));
        }
    }
    return places;
}

template <class Graph>
[[nodiscard]] Graph import_graph(const std::string& path, const io::GraphFile& file) {
    check_imported<typename Graph::Metric>(path, file.vectors);
    Graph index = Graph::import(file.vectors, file);
    for (std::uint32_t id = 0; id < file.size(); ++id) {
        if (file.is_removed[id] != 0) {
            index.remove(id);
        }
    }
    return index;
}

}  // namespace detail

/// Reads an index that hnswlib 0.8 saved: its vectors, its graph, and its labels. Deleted vectors are removed. The file
/// does not say for which metric it is.
///
///     auto [index, labels] = import_hnswlib<HNSW<L2>>("index.bin");
///
/// Under Cosine the vectors must have unit length; that is how the Python package of hnswlib stores them. On the same
/// graph, a search with the same ef, at least k, visits the nodes that hnswlib visits, and from a second start more.
/// Nodes that nothing links to get a link.
///
/// Errors    IOError; CorruptData if the file is damaged, or its vectors cannot be of this metric
template <class Graph>
[[nodiscard]] Imported<Graph> import_hnswlib(const std::string& path) {
    io::GraphFile file = io::read_hnswlib(path);
    Graph index = detail::import_graph<Graph>(path, file);
    return {std::move(index), std::move(file.labels)};
}

/// Writes an HNSW index so that hnswlib 0.8 loads it, with the ids as labels. Removed vectors are marked as deleted.
///
/// Errors    IOError
template <class Graph>
void export_hnswlib(const std::string& path, const Graph& index) {
    io::write_hnswlib(path, index.to_graph_file());
}

/// Reads an index that FAISS saved (write_index): an IndexFlat, an IndexIVFFlat, or an IndexHNSWFlat. An index of FAISS
/// for inner products may be read under Cosine if all vectors have unit length.
///
///     auto flat = import_faiss_flat<Flat<InnerProduct>>("flat.index");
///     auto [index, labels] = import_faiss_ivf<IVFFlat<L2>>("ivf.index");
///
/// The ids of an inverted file become labels, in ascending order. Its coarse quantiser must be for the metric of the
/// index. ann/import_ivfpq.hpp reads an IndexIVFPQ.
///
/// Errors    IOError; CorruptData if the file is damaged, of another kind or metric, or an id repeats
template <class FlatIndex>
[[nodiscard]] FlatIndex import_faiss_flat(const std::string& path) {
    const io::FaissFlat file = io::read_faiss_flat(path);
    detail::check_metric<typename FlatIndex::Metric>(path, file.metric);
    detail::check_imported<typename FlatIndex::Metric>(path, file.vectors);
    return FlatIndex::build(file.vectors);
}

template <class Graph>
[[nodiscard]] Graph import_faiss_hnsw(const std::string& path) {
    const io::FaissHNSW file = io::read_faiss_hnsw(path);
    detail::check_metric<typename Graph::Metric>(path, file.metric);
    return detail::import_graph<Graph>(path, file.graph);
}

template <class IVF>
[[nodiscard]] Imported<IVF> import_faiss_ivf(const std::string& path) {
    using M = typename IVF::Metric;
    const io::FaissIVF file = io::read_faiss_ivf(path);
    detail::check_metric<M>(path, file.metric);
    detail::check_centroids(path, file);
    if (file.sub_quantisers != 0) {
        raise<CorruptData>(path +
                           ": the index holds codes of product quantisation, no vectors: see import_faiss_ivfpq");
    }
    const std::vector<detail::FaissPlace> places = detail::places_of(path, file);
    Matrix<float> rows(places.size(), file.centroids.cols());
    std::vector<std::uint32_t> list_of;
    std::vector<std::uint64_t> labels;
    for (std::size_t i = 0; i < places.size(); ++i) {
        io::load_numbers<float>(std::as_bytes(places[i].code(file)), rows.row(i));
        list_of.push_back(places[i].list);
        labels.push_back(static_cast<std::uint64_t>(places[i].id));
    }
    detail::check_imported<M>(path, rows);
    return {IVF::import(rows, file.centroids, list_of), std::move(labels)};
}

}  // namespace ann
}  // namespace FUNNEL_ABI
}  // namespace funnel
