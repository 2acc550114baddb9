// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/ann/code_types.hpp>
#include <funnel/ann/codes_rows.hpp>
#include <funnel/ann/hnsw_build.hpp>
#include <funnel/ann/hnsw_copies.hpp>
#include <funnel/ann/hnsw_graph.hpp>
#include <funnel/ann/hnsw_import.hpp>
#include <funnel/ann/hnsw_query.hpp>
#include <funnel/ann/hnsw_replace.hpp>
#include <funnel/ann/hnsw_search.hpp>
#include <funnel/ann/hnsw_similarity.hpp>
#include <funnel/ann/index.hpp>
#include <funnel/ann/scan.hpp>
#include <funnel/ann/vectors.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/io/graph_file.hpp>
#include <funnel/kernels/backend.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ann {

namespace detail {

/// The structure of HNSW: a graph of the vectors that are not copies of others.
template <ann::Metric M, std::size_t Dim, CodeType Codes, kernels::HostBackend Backend>
class HNSWStructure {
public:
    using Metric = M;
    using BuildOptions = HNSWOptions;
    using SearchOptions = HNSWSearchOptions;
    using Kernels = Backend;
    using Scratch = GraphScratch<CodeRows<M, Dim, Codes, Backend>>;
    static constexpr IndexNames names{"HNSW::build", "HNSW::search", "HNSW::search_batch",
                                      "HNSW::add",   "HNSW::remove", "HNSW::replace"};
    static constexpr std::string_view kind = std::same_as<Codes, F32>    ? "ann.HNSW"
                                             : std::same_as<Codes, Int8> ? "ann.HNSWInt8"
                                                                         : "ann.HNSWF16";
    static constexpr std::uint32_t layout_version = 1;
    static constexpr bool is_exact = false;
    static constexpr bool scans_codes = std::same_as<Codes, Int8>;
    static constexpr bool has_host_search = true;
    static constexpr std::size_t batch_grain = 8;

    static void check(const HNSWOptions& options) {
        require_between(options.M, 2, HNSWGraph::max_M, "HNSW::build: M");
        require_at_least(options.ef_construction, 1, "HNSW::build: ef_construction");
    }

    template <class E>
    [[nodiscard]] static HNSWStructure build(const Vectors<M>& vectors, const HNSWOptions& options, E&& executor) {
        const auto rows = vectors.rows();
        HNSWStructure structure = without_graph(rows, options, "HNSW::build");
        const std::vector<std::uint8_t> is_copy = structure.copies_.flags();
        structure.graph_ = HNSWGraph(options.M, HNSWGraph::draw_levels(options.M, options.seed, rows.rows(), is_copy));
        build_links(structure.graph_, is_copy, NormAugmentation<M>::longest(rows), options.ef_construction,
                    options.seed, structure.similarity(rows), executor);
        return structure;
    }

    /// A graph that another library built.
    [[nodiscard]] static HNSWStructure import(const Vectors<M>& vectors, const io::GraphFile& file) {
        const auto rows = vectors.rows();
        HNSWStructure structure =
            without_graph(rows, {.M = file.M, .ef_construction = file.ef_construction}, "HNSW::import");
        const std::vector<std::uint8_t> is_copy = structure.copies_.flags();
        structure.graph_ = graph_of(file, structure.copies_, is_copy);
        connect(structure.graph_, is_copy, file.ef_construction, structure.similarity(rows));
        return structure;
    }

    [[nodiscard]] io::GraphFile to_graph_file(const Vectors<M>& vectors) const {
        io::GraphFile file = file_of(graph_, copies_, options_.ef_construction);
        file.vectors = Matrix<float>(vectors.rows());
        for (std::size_t id = 0; id < vectors.count(); ++id) {
            file.labels.push_back(id);
            file.is_removed.push_back(vectors.is_live(id) ? 0 : 1);
        }
        return file;
    }

    [[nodiscard]] HNSWOptions options() const noexcept { return options_; }

    [[nodiscard]] std::size_t memory_bytes() const noexcept {
        return graph_.memory_bytes() + codes_.memory_bytes() + norms_.memory_bytes() + copies_.memory_bytes() +
               parents_.size() * sizeof(std::uint32_t);
    }

    [[nodiscard]] static std::size_t memory_estimate(std::size_t n, std::size_t dimension,
                                                     const HNSWOptions& options) noexcept {
        const std::size_t stride = Matrix<std::uint32_t>(0, 2 * options.M).stride();
        const std::size_t per_node = stride * sizeof(std::uint32_t) + sizeof(std::size_t) + 1 +
                                     (NormAugmentation<M>::is_used ? sizeof(float) : 0);
        const double upper_nodes = static_cast<double>(n) / static_cast<double>(options.M - 1);  // over all levels
        return CodeRows<M, Dim, Codes, Backend>::memory_estimate(n, dimension) + n * per_node +
               static_cast<std::size_t>(upper_nodes) * options.M * sizeof(std::uint32_t);
    }

    [[nodiscard]] std::size_t unreachable() const {
        const auto parents = graph_.spanning_tree();
        return static_cast<std::size_t>(std::count(parents.begin(), parents.end(), no_node)) - copies_.count();
    }

    [[nodiscard]] static bool accepts(const HNSWSearchOptions& options) noexcept { return options.ef >= 1; }
    static void reject(const HNSWSearchOptions& options, const char* function) {
        require_at_least(options.ef, 1, (std::string(function) + ": ef").c_str());
    }

    // A search that returns all vectors needs less.
    void reserve(Scratch& scratch, const HNSWSearchOptions& options, bool excludes_any) const {
        const std::size_t ef = std::max(options.ef, options.k);
        scratch.reserve(graph_, excludes_any ? largest_pool(graph_, ef) : ef);
        codes_.reserve(scratch.query);
    }

    // cost: of a scan, per vector.
    [[nodiscard]] bool prefers_scan(const HNSWSearchOptions& options, double share, double cost) const noexcept {
        return cost * static_cast<double>(graph_.size()) < walk_cost(graph_, wanted_pool(pool_of(options), share));
    }

    template <class Passes>
    std::size_t find(std::span<const float> query, const Vectors<M>& vectors, const HNSWSearchOptions& options,
                     const Passes& eligible, double share, Scratch& scratch, std::span<Scored<>> out) const {
        const auto walk = [&](std::size_t ef, std::size_t hits = 1) {
            return find_in_graph(graph_, vectors.rows(), codes_, copies_, std::span<const float, Dim>(query), ef, hits,
                                 eligible, scratch, out);
        };
        const bool has_filter = Passes::has_filter;
        if (!has_filter && share == 1.0) {
            return walk(options.ef, out.size());
        }
        const std::size_t ef = has_filter ? pool_of(options) : options.ef;
        const std::size_t most = largest_pool(graph_, pool_of(options));
        const std::size_t room = std::min(most, pool_for_hits(out.size(), share, has_filter));
        if (share == 1.0) {
            return walk(ef, room);
        }
        // The vectors near the query may pass more or less often than others, so the first pool costs at most a sixth
        // of a scan. If it has fewer than k hits, a scan costs little more than it would have at once. If it has k, so
        // has a larger one, and the share near the query tells how large that must be.
        const double cost = Passes::scan_cost(share, scans_codes);
        const std::size_t probe = probe_pool(graph_, cost * static_cast<double>(graph_.size()));
        const std::size_t first = std::min(probe, static_cast<std::size_t>(wanted_pool(ef, share)) + 1);
        const std::size_t hits = walk(first, first < probe ? room : 1);
        if (hits < out.size()) {
            return hits;
        }
        std::size_t passed = 0;
        for (std::size_t i = 0; i < scratch.pool.size(); ++i) {
            passed += eligible(scratch.pool[i].id) ? 1U : 0U;
        }
        const double near = static_cast<double>(passed) / static_cast<double>(scratch.pool.size());
        const double wanted = wanted_pool(ef, near);
        if (static_cast<double>(first) >= 0.75 * wanted || scratch.pool.size() == graph_.size()) {
            return hits;
        }
        return prefers_scan(options, near, cost) ? 0 : walk(std::min(most, static_cast<std::size_t>(wanted) + 1), room);
    }

    template <class Passes>
    std::size_t scan(std::span<const float> query, const Vectors<M>& vectors, const Passes& eligible,
                     [[maybe_unused]] Scratch& scratch, std::span<Scored<>> out) const {
        if constexpr (scans_codes) {
            return codes_.scan(query, vectors.rows(), eligible, scratch.query, out).size();
        } else {
            return detail::scan<M, Backend>(query, vectors.rows(), eligible, out).size();
        }
    }

    void own() { graph_.own(); }

    // Adds the last vector. Rolls a partial insertion back.
    void append(const Vectors<M>& vectors) {
        const std::size_t before = vectors.count() - 1;
        const std::size_t parents = parents_.size();
        const bool radius_changes = NormAugmentation<M>::recomputes_radius(vectors.count());
        NormAugmentation<M> old = radius_changes ? norms_ : NormAugmentation<M>();
        if (const auto error = funnel::detail::exception_of([&] { insert(vectors.rows()); })) {
            if (radius_changes) {
                norms_ = std::move(old);
            }
            codes_.keep_first(before);
            norms_.keep_first(before);
            graph_.keep_first(before);
            parents_.resize(parents);
            std::rethrow_exception(error);
        }
    }

    // The node of the old vector is unlinked, and the new vector becomes a node, unless there are equal ones.
    // Everything that may fail comes first.
    void replace(std::uint32_t id, std::span<const float> vector, Vectors<M>& vectors) {
        const auto rows = vectors.rows();
        copies_.reserve_changes(rows);
        const bool has_tree = parents_.size() == graph_.size();
        std::vector<std::uint32_t> tree = has_tree ? std::vector<std::uint32_t>() : graph_.spanning_tree();
        const std::uint32_t twin = copies_.node_of(rows, vector);  // the node of vectors that equal the new one
        const std::uint32_t old_node = copies_.node_of(rows, rows.row(id));
        if (twin == old_node) {
            codes_.set(id, vector);
            vectors.set(id, vector);
            return;
        }
        const std::uint32_t heir = old_node == id && copies_.next(id) != id ? copies_.next(id) : no_node;
        const bool is_node = old_node == id && heir == no_node;
        const bool radius_changes = NormAugmentation<M>::recomputes_radius(id + std::size_t{1});
        NormAugmentation<M> norms =
            radius_changes ? NormAugmentation<M>::replaced(rows, copies_, id, vector) : NormAugmentation<M>();
        std::size_t level = 0;
        std::vector<Offer> offers;
        if (twin == no_node) {
            level = is_node ? graph_.level(id) : HNSWGraph::draw_level(options_.M, options_.seed, id);
            offers = find_links_of(heir == no_node ? id : heir, level, vector, {rows, radius_changes ? norms : norms_});
        }
        MergeScratch merge;
        merge.reserve(graph_.capacity(0), 1);
        UnlinkScratch unlink;
        unlink.reserve(graph_);
        graph_.reserve_levels(level + graph_.level(old_node) + (twin == no_node ? 0 : graph_.level(twin)));

        if (!has_tree) {
            parents_ = std::move(tree);
        }
        if (heir != no_node) {
            relabel_node(graph_, id, heir, parents_);
            for (Offer& offer : offers) {
                offer.target = offer.target == id ? heir : offer.target;
                offer.source = id;
            }
        } else if (is_node) {
            unlink_node(graph_, id, twin != no_node, parents_, similarity(rows), unlink);
        }
        copies_.leave(rows, id);
        vectors.set(id, vector);
        codes_.set(id, vector);
        if (radius_changes) {
            norms_ = std::move(norms);
        } else {
            norms_.set(id, vector);
        }
        copies_.enter(rows, id);
        if (twin == no_node) {
            graph_.set_level(id, level);
            accept_links(graph_, id, offers, parents_, similarity(rows), merge);
        } else if (twin > id) {
            relabel_node(graph_, twin, id, parents_);
        } else {
            graph_.set_level(id, 0);
        }
    }

    template <class Writer>
    void write(Writer& file) const {
        codes_.write(file);
        norms_.write(file);
        file.value("ef_construction", std::uint64_t{options_.ef_construction});
        file.value("seed", options_.seed);
        graph_.write(file);
    }

    template <class Reader>
    [[nodiscard]] static HNSWStructure read(const Reader& file, const Vectors<M>& vectors) {
        const std::string defect = defect_of_dimension<Dim, Codes>(vectors.dimension());
        file.check(defect.empty(), "vectors", defect);
        HNSWStructure structure;
        structure.codes_ = CodeRows<M, Dim, Codes, Backend>::read(file, vectors.rows());
        structure.norms_ = NormAugmentation<M>::read(file, vectors.rows());
        structure.copies_ = Copies(vectors.rows());
        structure.graph_ = HNSWGraph::read(file, vectors.count(), structure.copies_.flags());
        structure.options_.M = structure.graph_.M();
        structure.options_.ef_construction = file.template value<std::uint64_t>("ef_construction");
        structure.options_.seed = file.template value<std::uint64_t>("seed");
        file.check(structure.options_.ef_construction >= 1, "ef_construction", "must be at least 1");
        return structure;
    }

private:
    // Everything but the graph.
    [[nodiscard]] static HNSWStructure without_graph(MatrixView<const float> rows, const HNSWOptions& options,
                                                     const char* function) {
        if (const std::string defect = defect_of_dimension<Dim, Codes>(rows.cols()); !defect.empty()) {
            raise<InvalidArgument>(std::string(function) + ": " + defect);
        }
        HNSWStructure structure;
        structure.options_ = options;
        structure.codes_ = CodeRows<M, Dim, Codes, Backend>(rows);
        structure.copies_ = Copies(rows);
        structure.norms_ = NormAugmentation<M>(rows, structure.copies_);
        return structure;
    }

    [[nodiscard]] NodeSimilarity<M, Dim, Backend> similarity(MatrixView<const float> rows) const noexcept {
        return {rows, norms_};
    }

    // For a vector that is not stored yet: offers of the links that it should have as a node of this level.
    [[nodiscard]] std::vector<Offer> find_links_of(std::uint32_t node, std::size_t level, std::span<const float> vector,
                                                   const NodeSimilarity<M, Dim, Backend>& similarity) const {
        std::vector<Offer> offers;
        InsertScratch scratch;
        const float drop = similarity.augmentation.drop_of(vector);
        const auto score = [&](std::span<const std::uint32_t> ids, std::span<float> out) {
            similarity.of(vector, drop, ids, out);
        };
        find_links(graph_, node, level, options_.ef_construction, score, similarity, scratch, offers);
        return offers;
    }

    [[nodiscard]] std::size_t pool_of(const HNSWSearchOptions& options) const noexcept {
        return std::min(std::max(options.ef, options.k), graph_.size());
    }

    void insert(MatrixView<const float> rows) {
        const std::size_t id = rows.rows() - 1;
        codes_.append(rows);
        norms_.append(rows, copies_);
        copies_.reserve(rows);
        if (parents_.size() != graph_.size()) {
            parents_ = graph_.spanning_tree();
        }
        if (copies_.has_equal(rows)) {
            reserve_more(parents_, 1);
            graph_.append(0);
            parents_.push_back(no_node);
        } else {
            insert_node(graph_, HNSWGraph::draw_level(options_.M, options_.seed, id), parents_,
                        options_.ef_construction, similarity(rows));
        }
        copies_.append(rows);  // last: it cannot fail
    }

    HNSWOptions options_;
    CodeRows<M, Dim, Codes, Backend> codes_;
    NormAugmentation<M> norms_;
    Copies copies_;
    HNSWGraph graph_;
    std::vector<std::uint32_t> parents_;  // spanning tree of level 0; empty until the first append()
};

}  // namespace detail

/// Approximate nearest neighbours by best-first search in a hierarchical graph of the vectors (HNSW).
///
///     auto index = HNSW<Cosine>::build(vectors, {.M = 16, .ef_construction = 200, .seed = 1}, pool);
///     for (auto [id, score] : index.search(query, {.k = 10, .ef = 64})) { ... }
///
/// A search returns min(k, size()) hits. A filtered search returns k hits whenever at least k vectors pass the filter.
/// A larger ef increases recall; if ef is at least the number of vectors, the result is exact. With a filter, an ef
/// below k counts as k. The graph is bit-identical for any number of threads.
///
/// Under Cosine, vectors are stored with unit length and scores lie in [-1, 1]. Under InnerProduct, links are chosen
/// after norm augmentation, which gives 97 % of the vectors the same norm, so that short vectors are found as well.
///
/// Equal vectors share one node of the graph: the first is linked, and a search returns its copies together with it.
/// Near-duplicates are separate nodes. Thousands of them in one place can hide the other vectors nearby.
///
/// Dim       the dimension of all vectors, if it is known at compile time: searches are a little faster
/// Codes     F32, or Int8: searches score a copy of the vectors with one byte per element, which they read in less
///           time, and then the best max(ef, k) of them exactly; or F16: the same with a float of 16 bits per element
///
/// See Index for the functions. A removed vector stays in the graph: searches pass through it. replace() takes the old
/// vector out, and its neighbours link to each other in its place. The first add() or replace() after build or load
/// traverses all links once, and creates a table to find equal vectors, about 8 to 24 bytes per vector.
///
/// Cost      build: O(n log n) distances in practice;  memory 4 (d + 2 M) + about 14 bytes per vector, 4 more under
///           InnerProduct, with d and 2 M rounded up to a multiple of 16; Int8 adds d + 4 bytes, d rounded up to a
///           multiple of 64 (L2: d + 12); F16 adds 2 d bytes, d rounded up to a multiple of 32 (InnerProduct: 4 more,
///           L2: 8);  search: about 15 ef distances
/// Source    Malkov & Yashunin, "Efficient and robust approximate nearest neighbor search using hierarchical navigable
///           small world graphs", TPAMI 2020
template <Metric M, std::size_t Dim = std::dynamic_extent, CodeType Codes = F32,
          kernels::HostBackend Backend = kernels::DefaultBackend>
using HNSW = Index<detail::HNSWStructure<M, Dim, Codes, Backend>>;

}  // namespace ann
}  // namespace FUNNEL_ABI
}  // namespace funnel
