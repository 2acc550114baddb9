// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/ann/hnsw_build.hpp>
#include <funnel/ann/hnsw_copies.hpp>
#include <funnel/ann/hnsw_graph.hpp>
#include <funnel/ann/hnsw_query.hpp>
#include <funnel/ann/hnsw_search.hpp>
#include <funnel/ann/hnsw_similarity.hpp>
#include <funnel/ann/vectors.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/item_filter.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/io/container.hpp>
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

/// Approximate nearest neighbours by best-first search in a hierarchical graph of the vectors (HNSW).
///
///     auto index = HNSW<Cosine>::build(vectors, {.M = 16, .ef_construction = 200, .seed = 1}, pool);
///     for (auto [id, score] : index.search(query, {.k = 10, .ef = 64})) { ... }
///
/// A search returns min(k, size()) hits. A filtered search returns k hits whenever at least k vectors pass the filter.
/// A larger ef increases recall; if ef is at least the number of vectors, the result is exact. The graph is
/// bit-identical for any number of threads.
///
/// Under Cosine, vectors are stored with unit length and scores lie in [-1, 1]. Under InnerProduct, links are chosen
/// after norm augmentation, which gives 97 % of the vectors the same norm, so that short vectors are found as well.
///
/// Equal vectors share one node of the graph: the first is linked, and a search returns its copies together with it.
/// Near-duplicates are separate nodes. Thousands of them in one place can hide the other vectors nearby.
///
/// add() assigns the next id. remove() excludes a vector from results, but the vector stays in the graph, keeps its
/// memory, and its id is not reused: rebuild the index after many removals. Concurrent searches are safe if each has
/// its own scratch; add and remove need exclusive access.
///
/// Cost      build: O(n log n) distances in practice;  memory 4 (d + 2 M) + about 14 bytes per vector, 4 more under
///           InnerProduct, with d and 2 M rounded up to a multiple of 16;  search: about 15 ef distances
/// Source    Malkov & Yashunin, "Efficient and robust approximate nearest neighbor search using hierarchical navigable
///           small world graphs", TPAMI 2020
template <Metric M, kernels::HostBackend Backend = kernels::DefaultBackend>
class HNSW {
public:
    using Scratch = HNSWScratch;

    HNSW(const HNSW&) = default;
    /// The moved-from index is empty and has dimension 0.
    HNSW(HNSW&& other) noexcept : HNSW() { swap(other); }
    HNSW& operator=(const HNSW& other) { return *this = HNSW(other); }  // strong guarantee
    HNSW& operator=(HNSW&& other) noexcept {
        HNSW taken(std::move(other));
        swap(taken);
        return *this;
    }
    ~HNSW() = default;

    /// Builds an index of the rows; the id of a vector is its row number.
    ///
    /// Shapes    vectors: n x d
    /// Errors    InvalidArgument if a row is not finite, is longer than 2^62 or, under Cosine, is zero; or if options
    ///           are out of range
    template <Executor E = Serial>
    [[nodiscard]] static HNSW build(MatrixView<const float> vectors, const HNSWOptions& options = {},
                                    E&& executor = E{}) {
        require_between(options.M, 2, detail::HNSWGraph::max_M, "HNSW::build: M");
        require_at_least(options.ef_construction, 1, "HNSW::build: ef_construction");
        HNSW index;
        index.options_ = options;
        index.vectors_ = detail::Vectors<M>(vectors, "HNSW::build");
        index.copies_ = detail::Copies(index.vectors_.rows());
        index.norms_ = detail::NormAugmentation<M>(index.vectors_.rows(), index.copies_);
        const std::vector<std::uint8_t> is_copy = index.copies_.flags();
        index.graph_ = detail::HNSWGraph(
            options.M, detail::HNSWGraph::draw_levels(options.M, options.seed, vectors.rows(), is_copy));
        detail::build_links(index.graph_, is_copy, detail::NormAugmentation<M>::longest(index.vectors_.rows()),
                            options.ef_construction, options.seed, index.similarity(), executor);
        return index;
    }

    [[nodiscard]] std::size_t size() const noexcept { return vectors_.live(); }
    [[nodiscard]] std::size_t dimension() const noexcept { return vectors_.dimension(); }
    [[nodiscard]] HNSWOptions options() const noexcept { return options_; }

    /// Bytes used by the vectors and links. This excludes spare capacity and the table that add() creates to find equal
    /// vectors, about 8 to 24 bytes per vector.
    [[nodiscard]] std::size_t memory_bytes() const noexcept {
        return vectors_.memory_bytes() + graph_.memory_bytes() + norms_.memory_bytes() + copies_.memory_bytes() +
               parents_.size() * sizeof(std::uint32_t);
    }

    /// The number of vectors that no search can reach; always 0. Tests use it to check this guarantee.
    [[nodiscard]] std::size_t unreachable() const {
        const auto parents = graph_.spanning_tree();
        return static_cast<std::size_t>(std::count(parents.begin(), parents.end(), detail::no_node)) - copies_.count();
    }

    /// The nearest vectors, best first.
    ///
    /// Shapes    query: d
    /// Returns   min(k, size()) hits; ties among the vectors found go to the smaller id
    /// Errors    InvalidArgument if build would reject the query as a row, its dimension differs, or ef is 0
    [[nodiscard]] std::vector<Scored<>> search(std::span<const float> query,
                                               const HNSWSearchOptions& options = {}) const {
        return search(query, options, AcceptAll{});
    }

    /// The nearest vectors that pass a filter. If few vectors pass, all of them are scored, without the graph.
    template <ItemFilter F>
    [[nodiscard]] std::vector<Scored<>> search(std::span<const float> query, const HNSWSearchOptions& options,
                                               const F& filter) const {
        require_at_least(options.ef, 1, "HNSW::search: ef");
        vectors_.check(query, "the query", "HNSW::search");
        Scratch scratch;
        std::vector<Scored<>> out(std::min(options.k, size()));
        funnel::detail::keep_first(out, find(query, options, filter, scratch, out));
        return out;
    }

    /// The same for hot paths. It does not allocate if the scratch comes from scratch() with these options, or was used
    /// for a search of this index that was at least as large; otherwise the scratch grows first. noexcept unless the
    /// filter may throw.
    ///
    /// Returns   the number of hits in out, at most its size; 0 also for arguments that the overloads above reject, and
    ///           if the scratch cannot grow for lack of memory
    std::size_t search(std::span<const float> query, const HNSWSearchOptions& options, Scratch& scratch,
                       std::span<Scored<>> out) const noexcept {
        return search(query, options, AcceptAll{}, scratch, out);
    }
    template <ItemFilter F>
    std::size_t search(std::span<const float> query, const HNSWSearchOptions& options, const F& filter,
                       Scratch& scratch, std::span<Scored<>> out) const noexcept(is_nothrow_filter<F>) {
        constexpr bool is_filtered = !std::same_as<F, AcceptAll>;
        if (options.ef < 1 || !vectors_.accepts(query) ||
            funnel::detail::exception_of([&] { make_room(scratch, options, is_filtered); })) {
            return 0;
        }
        return find(query, options, filter, scratch, out);
    }

    /// Scratch memory for searches of this index with these or smaller options and any filter. It may have to grow
    /// after vectors are added.
    [[nodiscard]] Scratch scratch(const HNSWSearchOptions& options = {}) const {
        Scratch scratch;
        make_room(scratch, options, true);
        return scratch;
    }

    /// One search per row, in parallel.
    ///
    /// Returns   one sorted list per query
    template <Executor E = Serial>
    [[nodiscard]] std::vector<std::vector<Scored<>>> search_batch(MatrixView<const float> queries,
                                                                  const HNSWSearchOptions& options = {},
                                                                  E&& executor = E{}) const {
        require_at_least(options.ef, 1, "HNSW::search_batch: ef");
        for (std::size_t i = 0; i < queries.rows(); ++i) {
            vectors_.check(queries.row(i), "query " + std::to_string(i), "HNSW::search_batch");
        }
        std::vector<std::vector<Scored<>>> results(queries.rows());
        std::vector<Scratch> scratch(executor.concurrency());
        executor.for_range(queries.rows(), 8, [&](std::size_t begin, std::size_t end, std::size_t worker) {
            FUNNEL_ASSERT(worker < scratch.size());
            for (std::size_t i = begin; i < end; ++i) {
                results[i].resize(std::min(options.k, size()));
                const std::size_t hits = find(queries.row(i), options, AcceptAll{}, scratch[worker], results[i]);
                funnel::detail::keep_first(results[i], hits);
            }
        });
        return results;
    }

    /// Adds a vector and returns its id: the number of vectors added before it, removed ones included.
    ///
    /// Cost      one insertion of build; the first call after build or load also traverses all links once
    /// Errors    as build, and InvalidArgument if the dimension differs; on any failure the index is unchanged
    std::uint32_t add(std::span<const float> vector) {
        const std::size_t count = vectors_.count();
        const std::size_t parents = parents_.size();
        const bool radius_changes = detail::NormAugmentation<M>::recomputes_radius(count + 1);
        detail::NormAugmentation<M> old = radius_changes ? norms_ : detail::NormAugmentation<M>();
        if (const auto error = funnel::detail::exception_of([&] { insert(vector); })) {
            vectors_.keep_first(count);
            if (radius_changes) {
                norms_ = std::move(old);
            }
            norms_.keep_first(count);
            graph_.keep_first(count);
            parents_.resize(parents);
            std::rethrow_exception(error);
        }
        return static_cast<std::uint32_t>(count);
    }

    /// Excludes a vector from all results; false if it was already removed.
    ///
    /// Errors    InvalidArgument if the id was never assigned
    bool remove(std::uint32_t id) { return vectors_.remove(id, "HNSW::remove"); }

    /// Errors    IOError
    void save(const std::string& path) const {
        io::ContainerWriter file(kind, layout_version);
        vectors_.write(file);
        norms_.write(file);
        file.value("ef_construction", std::uint64_t{options_.ef_construction});
        file.value("seed", options_.seed);
        graph_.write(file);
        file.save(path);
    }

    /// Errors    IOError; CorruptData if the file is damaged or was saved under another metric
    [[nodiscard]] static HNSW load(const std::string& path) {
        const io::ContainerReader file(path, kind, layout_version);
        HNSW index;
        index.vectors_ = detail::Vectors<M>::read(file);
        index.norms_ = detail::NormAugmentation<M>::read(file, index.vectors_.rows());
        index.copies_ = detail::Copies(index.vectors_.rows());
        index.graph_ = detail::HNSWGraph::read(file, index.vectors_.count(), index.copies_.flags());
        index.options_.M = index.graph_.M();
        index.options_.ef_construction = file.value<std::uint64_t>("ef_construction");
        index.options_.seed = file.value<std::uint64_t>("seed");
        file.check(index.options_.ef_construction >= 1, "ef_construction", "must be at least 1");
        return index;
    }

private:
    static constexpr std::string_view kind = "ann.HNSW";
    static constexpr std::uint32_t layout_version = 1;

    HNSW() = default;

    [[nodiscard]] detail::NodeSimilarity<M, Backend> similarity() const noexcept { return {vectors_.rows(), norms_}; }

    // Reserves the memory of one search, so that find() does not allocate. A search without a filter and without
    // removed vectors needs less.
    void make_room(Scratch& scratch, const HNSWSearchOptions& options, bool is_filtered) const {
        if (size() == 0) {
            return;  // a file without vectors may state any dimension: do not allocate for it
        }
        const std::size_t ef = std::max(options.ef, options.k);
        const bool excludes_any = is_filtered || size() < vectors_.count();
        scratch.query_.resize(dimension());
        scratch.walk_.reserve(graph_, excludes_any ? detail::largest_pool(graph_, ef) : ef);
    }

    template <ItemFilter F>
    std::size_t find(std::span<const float> query, const HNSWSearchOptions& options, const F& filter, Scratch& scratch,
                     std::span<Scored<>> out) const {
        out = out.first(std::min({options.k, out.size(), size()}));
        if (out.empty()) {
            return 0;
        }
        scratch.query_.resize(dimension());
        detail::prepare<M>(query, scratch.query_);
        return detail::find_nearest<M, Backend>(graph_, vectors_, copies_, scratch.query_,
                                                std::max(options.ef, options.k), filter, scratch.walk_, out);
    }

    // Adds a vector. If this throws, add() rolls back the partial insertion.
    void insert(std::span<const float> vector) {
        const std::uint32_t id = vectors_.append(vector, "HNSW::add");
        const auto rows = vectors_.rows();
        norms_.append(rows, copies_);
        copies_.reserve(rows);
        if (parents_.size() != graph_.size()) {
            parents_ = graph_.spanning_tree();
        }
        if (copies_.has_equal(rows)) {
            detail::reserve_more(parents_, 1);
            graph_.append(0);
            parents_.push_back(detail::no_node);
        } else {
            detail::insert_node(graph_, detail::HNSWGraph::draw_level(options_.M, options_.seed, id), parents_,
                                options_.ef_construction, similarity());
        }
        copies_.append(rows);  // last: it cannot fail
    }

    void swap(HNSW& other) noexcept {
        std::swap(options_, other.options_);
        std::swap(vectors_, other.vectors_);
        std::swap(copies_, other.copies_);
        std::swap(norms_, other.norms_);
        std::swap(graph_, other.graph_);
        std::swap(parents_, other.parents_);
    }

    HNSWOptions options_;
    detail::Vectors<M> vectors_;
    detail::NormAugmentation<M> norms_;
    detail::Copies copies_;
    detail::HNSWGraph graph_;
    std::vector<std::uint32_t> parents_;  // spanning tree of level 0; empty until the first add()
};

}  // namespace ann
}  // namespace FUNNEL_ABI
}  // namespace funnel
