// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/ann/eligible.hpp>
#include <funnel/ann/vectors.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/item_filter.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/core/top_k.hpp>
#include <funnel/io/container.hpp>

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

/// The names of the functions of an index, for errors: "Flat::build", ...
struct IndexNames {
    const char* build;
    const char* search;
    const char* search_batch;
    const char* add;
    const char* remove;
};

}  // namespace detail

/// An index of vectors: what Flat and HNSW have in common. The structure is the rest: a graph, or nothing.
///
/// add() assigns the next id. remove() excludes a vector from results, but the vector keeps its memory and its id is
/// not reused: rebuild the index after many removals. Concurrent searches are safe if each has its own scratch; add and
/// remove need exclusive access.
///
/// A structure S has:
///
///     S::build(vectors, options, executor)   the structure of these vectors; checks the options
///     find(query, vectors, options, eligible, share, scratch, out)
///                                            some of the nearest eligible vectors, best first
///     scan(query, vectors, eligible, out)    the nearest eligible vectors, by scoring all of them
///     prefers_scan(options, share)           whether scan costs less than find, if this share is eligible
///     reserve(scratch, options, excludes_any)  memory for find
///     append(vectors)                        the last vector is new; on failure the structure has not changed
///     S::accepts(options), S::reject(options, function)  search options that are out of range
///     write(file), S::read(file, vectors), memory_bytes()
template <class Structure>
class Index {
public:
    using Metric = typename Structure::Metric;
    using BuildOptions = typename Structure::BuildOptions;
    using SearchOptions = typename Structure::SearchOptions;

    /// Scratch memory of a search, reused between searches but not shared by concurrent ones. An empty one works with
    /// any index and grows on first use; scratch() returns one that is large enough.
    class Scratch {
        friend class Index;
        std::vector<float> query_;
        typename Structure::Scratch structure_;
    };

    Index(const Index&) = default;
    /// The moved-from index is empty and has dimension 0.
    Index(Index&& other) noexcept : Index() { swap(other); }
    Index& operator=(const Index& other) { return *this = Index(other); }  // strong guarantee
    Index& operator=(Index&& other) noexcept {
        Index taken(std::move(other));
        swap(taken);
        return *this;
    }
    ~Index() = default;

    /// Builds an index of the rows; the id of a vector is its row number.
    ///
    /// Shapes    vectors: n x d
    /// Errors    InvalidArgument if a row is not finite, is zero under Cosine, or is longer than 2^62 under the other
    ///           metrics; or if options are out of range
    template <Executor E = Serial>
    [[nodiscard]] static Index build(MatrixView<const float> vectors, const BuildOptions& options = {},
                                     E&& executor = E{}) {
        Structure::check(options);
        Index index;
        index.vectors_ = detail::Vectors<Metric>(vectors, Structure::names.build);
        index.structure_ = Structure::build(index.vectors_, options, executor);
        return index;
    }
    template <Executor E>
    [[nodiscard]] static Index build(MatrixView<const float> vectors, E&& executor) {
        return build(vectors, BuildOptions{}, executor);
    }

    [[nodiscard]] std::size_t size() const noexcept { return vectors_.live(); }
    [[nodiscard]] std::size_t dimension() const noexcept { return vectors_.dimension(); }

    /// The options of build.
    [[nodiscard]] BuildOptions options() const noexcept { return structure_.options(); }

    /// Bytes used by the vectors and the structure, without spare capacity and without the tables that only add() uses.
    [[nodiscard]] std::size_t memory_bytes() const noexcept {
        return vectors_.memory_bytes() + structure_.memory_bytes();
    }

    /// Of a graph: the number of vectors that no search can reach. It is always 0; tests check this guarantee by it.
    [[nodiscard]] std::size_t unreachable() const
        requires requires(const Structure& graph) { graph.unreachable(); }
    {
        return structure_.unreachable();
    }

    /// The nearest vectors, best first.
    ///
    /// Shapes    query: d
    /// Returns   min(k, size()) hits; ties among the vectors found go to the smaller id
    /// Errors    InvalidArgument if build would reject the query as a row, its dimension differs, or an option is out
    ///           of range
    [[nodiscard]] std::vector<Scored<>> search(std::span<const float> query, const SearchOptions& options = {}) const {
        return search(query, options, AcceptAll{});
    }

    /// The nearest vectors that pass a filter: k hits if at least k vectors pass. Where scoring all of them is cheaper
    /// than the structure's way, they are scored, and the result is exact.
    template <ItemFilter F>
    [[nodiscard]] std::vector<Scored<>> search(std::span<const float> query, const SearchOptions& options,
                                               const F& filter) const {
        check(options, Structure::names.search);
        vectors_.check(query, "the query", Structure::names.search);
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
    std::size_t search(std::span<const float> query, const SearchOptions& options, Scratch& scratch,
                       std::span<Scored<>> out) const noexcept
        requires Structure::has_host_search
    {
        return search(query, options, AcceptAll{}, scratch, out);
    }
    template <ItemFilter F>
    std::size_t search(std::span<const float> query, const SearchOptions& options, const F& filter, Scratch& scratch,
                       std::span<Scored<>> out) const noexcept(is_nothrow_filter<F>)
        requires Structure::has_host_search
    {
        const bool excludes_any = detail::Eligible(vectors_, filter).excludes_any();
        if (!Structure::accepts(options) || !vectors_.accepts(query) ||
            funnel::detail::exception_of([&] { make_room(scratch, options, excludes_any); })) {
            return 0;
        }
        return find(query, options, filter, scratch, out);
    }

    /// Scratch memory for searches of this index with these or smaller options and any filter. It may have to grow
    /// after vectors are added.
    [[nodiscard]] Scratch scratch(const SearchOptions& options = {}) const {
        Scratch scratch;
        make_room(scratch, options, true);
        return scratch;
    }

    /// One search per row, in parallel.
    ///
    /// Returns   one sorted list per query
    template <Executor E = Serial>
    [[nodiscard]] std::vector<std::vector<Scored<>>> search_batch(MatrixView<const float> queries,
                                                                  const SearchOptions& options = {},
                                                                  E&& executor = E{}) const {
        check(options, Structure::names.search_batch);
        for (std::size_t i = 0; i < queries.rows(); ++i) {
            vectors_.check(queries.row(i), "query " + std::to_string(i), Structure::names.search_batch);
        }
        std::vector<std::vector<Scored<>>> results(queries.rows());
        std::vector<Scratch> scratch(executor.concurrency());
        executor.for_range(
            queries.rows(), Structure::batch_grain, [&](std::size_t begin, std::size_t end, std::size_t worker) {
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
    /// Errors    as build, and InvalidArgument if the dimension differs; on any failure the index is unchanged
    std::uint32_t add(std::span<const float> vector) {
        const std::uint32_t id = vectors_.append(vector, Structure::names.add);
        if (const auto error = funnel::detail::exception_of([&] { structure_.append(vectors_); })) {
            vectors_.keep_first(id);
            std::rethrow_exception(error);
        }
        return id;
    }

    /// Excludes a vector from all results; false if it was already removed.
    ///
    /// Errors    InvalidArgument if the id was never assigned
    bool remove(std::uint32_t id) { return vectors_.remove(id, Structure::names.remove); }

    /// Errors    IOError
    void save(const std::string& path) const {
        io::ContainerWriter file(Structure::kind, Structure::layout_version);
        vectors_.write(file);
        structure_.write(file);
        file.save(path);
    }

    /// Errors    IOError; CorruptData if the file is damaged or was saved under another metric
    [[nodiscard]] static Index load(const std::string& path) {
        const io::ContainerReader file(path, Structure::kind, Structure::layout_version);
        Index index;
        index.vectors_ = detail::Vectors<Metric>::read(file);
        index.structure_ = Structure::read(file, index.vectors_);
        return index;
    }

private:
    Index() = default;

    static void check(const SearchOptions& options, const char* function) {
        if (!Structure::accepts(options)) {
            Structure::reject(options, function);
        }
    }

    // Reserves the memory of one search, so that find() does not allocate.
    void make_room(Scratch& scratch, const SearchOptions& options, bool excludes_any) const {
        if (size() > 0) {  // a file without vectors may state any dimension: do not allocate for it
            scratch.query_.resize(dimension());
            structure_.reserve(scratch.structure_, options, excludes_any);
        }
    }

    template <ItemFilter F>
    std::size_t find(std::span<const float> query, const SearchOptions& options, const F& filter, Scratch& scratch,
                     std::span<Scored<>> out) const {
        out = out.first(std::min({options.k, out.size(), size()}));
        if (out.empty()) {
            return 0;
        }
        scratch.query_.resize(dimension());
        detail::prepare<Metric>(query, scratch.query_);
        const detail::Eligible eligible(vectors_, filter);
        if constexpr (!Structure::is_exact) {
            const double share = eligible.excludes_any() ? eligible.share() : 1.0;
            if (!eligible.excludes_any() || !structure_.prefers_scan(options, share)) {
                const std::size_t hits =
                    structure_.find(scratch.query_, vectors_, options, eligible, share, scratch.structure_, out);
                if (hits == out.size()) {
                    return hits;
                }  // else the eligible vectors are far from the query
            }
        }
        if (!eligible.excludes_any()) {
            return structure_.scan(scratch.query_, vectors_, AcceptAll{}, out);  // asks nobody
        }
        return structure_.scan(scratch.query_, vectors_, eligible, out);
    }

    void swap(Index& other) noexcept {
        std::swap(vectors_, other.vectors_);
        std::swap(structure_, other.structure_);
    }

    detail::Vectors<Metric> vectors_;
    Structure structure_;
};

}  // namespace ann
}  // namespace FUNNEL_ABI
}  // namespace funnel
