// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/ann/filter.hpp>
#include <funnel/ann/hnsw_build.hpp>
#include <funnel/ann/hnsw_copies.hpp>
#include <funnel/ann/hnsw_graph.hpp>
#include <funnel/ann/hnsw_query.hpp>
#include <funnel/ann/hnsw_search.hpp>
#include <funnel/ann/hnsw_similarity.hpp>
#include <funnel/ann/vectors.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/matrix_view.hpp>
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
#include <utility>
#include <vector>

namespace funnel::inline FUNNEL_ABI::ann {

/// Approximate nearest neighbours by a walk through a graph of the vectors, coarse levels first.
///
///     auto index = HNSW<Cosine>::build(vectors, {.M = 16, .ef_construction = 200, .seed = 1}, pool);
///     for (auto [id, score] : index.search(query, {.k = 10, .ef = 64})) { ... }
///
/// A search returns min(k, size()) hits; with a filter, k hits if so many vectors pass it, however few do. More ef
/// finds more of the true neighbours; with ef of at least the number of vectors the result is exact. The graph is the
/// same, bit for bit, for any number of threads.
///
/// Under Cosine vectors are stored with length 1, and scores lie in [-1, 1]. Under InnerProduct the links are chosen in
/// a space in which 97 of 100 vectors are equally long, so that short ones are found as well.
///
/// Equal vectors are one node of the graph: the first is linked, and its copies are results together with it. Vectors
/// that are only nearly equal are ordinary ones: thousands of them in one place can hide what is near that place.
///
/// add() hands out the next id. remove() hides a vector from results; it still leads to others, keeps its memory, and
/// its id is never used again: build anew when many are removed. Searches may run at the same time, each with a scratch
/// of its own; add and remove need the index for themselves.
///
/// Cost      build: O(n log n) distances in practice, memory 4 (d + 2 M) + about 5 bytes a vector;  search: some
///           15 ef distances
/// Source    Malkov & Yashunin, "Efficient and robust approximate nearest neighbor search using hierarchical navigable
///           small world graphs", TPAMI 2020
template <Metric M, kernels::HostBackend Backend = kernels::DefaultBackend>
class HNSW {
public:
    using Scratch = HNSWScratch;

    HNSW(const HNSW&) = default;
    /// Leaves an empty index of dimension 0 behind.
    HNSW(HNSW&& other) noexcept : HNSW() { swap(other); }
    HNSW& operator=(HNSW other) noexcept {
        swap(other);
        return *this;
    }
    ~HNSW() = default;

    /// Ids are the numbers of the rows.
    ///
    /// Shapes    vectors: n x d
    /// Errors    InvalidArgument if a row is not finite, is longer than 2^62 or, under Cosine, is zero; or if options
    ///           are out of range
    template <Executor E = Serial>
    [[nodiscard]] static HNSW build(MatrixView<const float> vectors, const HNSWOptions& options = {},
                                    E&& executor = E{}) {
        require(options.M >= 2 && options.M <= detail::HNSWGraph::max_M, "HNSW::build: M must lie in [2, 4096]");
        require(options.ef_construction >= 1, "HNSW::build: ef_construction must be at least 1");
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

    /// Bytes that the vectors and links take, without what std::vector keeps in reserve and the table by which add()
    /// finds equal vectors: some 8 to 24 bytes a vector once add() was called.
    [[nodiscard]] std::size_t memory_bytes() const noexcept {
        return vectors_.memory_bytes() + graph_.memory_bytes() + norms_.memory_bytes() + copies_.memory_bytes() +
               parents_.size() * sizeof(std::uint32_t);
    }

    /// How many vectors no search can reach: 0, always. For tests of this promise.
    [[nodiscard]] std::size_t unreachable() const {
        const auto parents = graph_.spanning_tree();
        return static_cast<std::size_t>(std::count(parents.begin(), parents.end(), detail::no_node)) - copies_.count();
    }

    /// The nearest vectors, best first.
    ///
    /// Shapes    query: d
    /// Returns   min(k, size()) hits; ties among those found go to the smaller id
    /// Errors    InvalidArgument if a build would refuse the query, or it has another dimension; if ef is 0
    [[nodiscard]] std::vector<Scored<>> search(std::span<const float> query,
                                               const HNSWSearchOptions& options = {}) const {
        return search(query, options, AcceptAll{});
    }

    /// The nearest vectors that pass a filter. Where few pass, it scores all of those instead of walking.
    template <Filter F>
    [[nodiscard]] std::vector<Scored<>> search(std::span<const float> query, const HNSWSearchOptions& options,
                                               const F& filter) const {
        require(options.ef >= 1, "HNSW::search: ef must be at least 1");
        vectors_.check(query, "the query", "HNSW::search");
        Scratch scratch;
        std::vector<Scored<>> out(std::min(options.k, size()));
        funnel::detail::keep_first(out, find(query, options, filter, scratch, out));
        return out;
    }

    /// The same for hot paths: allocates nothing with a scratch() of these options, or one that has served as large a
    /// search of this index before. Another one grows first. noexcept unless the filter may throw.
    ///
    /// Returns   the number of hits in out, at most its size; 0 also for arguments that the forms above reject, and if
    ///           there is no memory for the scratch to grow
    std::size_t search(std::span<const float> query, const HNSWSearchOptions& options, Scratch& scratch,
                       std::span<Scored<>> out) const noexcept {
        return search(query, options, AcceptAll{}, scratch, out);
    }
    template <Filter F>
    std::size_t search(std::span<const float> query, const HNSWSearchOptions& options, const F& filter,
                       Scratch& scratch, std::span<Scored<>> out) const noexcept(is_nothrow_filter<F>) {
        constexpr bool is_filtered = !std::same_as<F, AcceptAll>;
        if (options.ef < 1 || !vectors_.accepts(query) ||
            funnel::detail::exception_of([&] { make_room(scratch, options, is_filtered); })) {
            return 0;
        }
        return find(query, options, filter, scratch, out);
    }

    /// Memory for searches of this index with these options, or less, and any filter. Once vectors are added, it may
    /// have to grow.
    [[nodiscard]] Scratch scratch(const HNSWSearchOptions& options = {}) const {
        Scratch scratch;
        make_room(scratch, options, true);
        return scratch;
    }

    /// One search for each row, in parallel.
    ///
    /// Returns   one sorted list a query
    template <Executor E = Serial>
    [[nodiscard]] std::vector<std::vector<Scored<>>> search_batch(MatrixView<const float> queries,
                                                                  const HNSWSearchOptions& options = {},
                                                                  E&& executor = E{}) const {
        require(options.ef >= 1, "HNSW::search_batch: ef must be at least 1");
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

    /// Takes one more vector in and returns its id: the number of vectors ever added before it.
    ///
    /// Cost      as one insertion of the build; the first call after build or load also goes once through all links
    /// Errors    as build, and if the vector has another dimension; whatever fails, the index is as it was before
    std::uint32_t add(std::span<const float> vector) {
        const std::size_t count = vectors_.count();
        const std::size_t parents = parents_.size();
        const bool is_chosen_anew = detail::NormAugmentation<M>::chooses_anew(count + 1);
        detail::NormAugmentation<M> old = is_chosen_anew ? norms_ : detail::NormAugmentation<M>();
        if (const auto error = funnel::detail::exception_of([&] { insert(vector); })) {
            vectors_.keep_first(count);
            if (is_chosen_anew) {
                norms_ = std::move(old);
            }
            norms_.keep_first(count);
            graph_.keep_first(count);
            parents_.resize(parents);
            std::rethrow_exception(error);
        }
        return static_cast<std::uint32_t>(count);
    }

    /// Hides a vector from all results; false if it was removed before.
    ///
    /// Errors    InvalidArgument if there never was such an id
    bool remove(std::uint32_t id) { return vectors_.remove(id, "HNSW::remove"); }

    /// Errors    IOError
    void save(const std::string& path) const {
        io::ContainerWriter file("ann.HNSW", 1);
        vectors_.write(file);
        norms_.write(file);
        file.value("ef_construction", std::uint64_t{options_.ef_construction});
        file.value("seed", options_.seed);
        graph_.write(file);
        file.save(path);
    }

    /// Errors    IOError; CorruptData if the file is damaged or was saved under another metric
    [[nodiscard]] static HNSW load(const std::string& path) {
        const io::ContainerReader file(path, "ann.HNSW", 1);
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
    HNSW() = default;

    [[nodiscard]] detail::Similarity<M, Backend> similarity() const noexcept { return {vectors_.rows(), norms_}; }

    // What one search needs, so that find() allocates nothing. Without a filter and removed vectors, that is less.
    void make_room(Scratch& scratch, const HNSWSearchOptions& options, bool is_filtered) const {
        if (size() == 0) {
            return;  // also for a dimension that a file without vectors claims
        }
        const std::size_t ef = std::max(options.ef, options.k);
        const bool is_any_shut_out = is_filtered || size() < vectors_.count();
        scratch.query_.resize(dimension());
        scratch.walk_.reserve(graph_, is_any_shut_out ? detail::largest_pool(graph_, ef) : ef);
    }

    template <Filter F>
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

    // Adds a vector; if that fails, add() takes out again what is there already.
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
        copies_.append(rows);  // last, because it cannot fail
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
    std::vector<std::uint32_t> parents_;  // spanning tree of level 0, once add() needs it
};

}  // namespace funnel::ann
