// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/ann/eligible.hpp>
#include <funnel/ann/filters.hpp>
#include <funnel/ann/index_search.hpp>
#include <funnel/ann/index_structure.hpp>
#include <funnel/ann/vectors.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/item_filter.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/core/top_k.hpp>
#include <funnel/io/container.hpp>
#include <funnel/io/graph_file.hpp>
#include <funnel/io/mapped_file.hpp>

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

/// An index of vectors: what Flat and HNSW have in common. The structure is the rest: a graph, or nothing
/// (ann/index_structure.hpp).
///
/// add() assigns the next id. remove() excludes a vector from results, but it keeps its memory (an inverted file gives
/// back that of its lists) until replace() gives its id to another vector. An index whose removed ids are all used
/// again does not grow; Keyed does that for you. Concurrent searches are safe if each has its own scratch; add, remove
/// and replace need exclusive access (ann/concurrent.hpp).
template <class Structure>
class Index {
public:
    using Metric = typename Structure::Metric;
    using BuildOptions = typename Structure::BuildOptions;
    using SearchOptions = typename Structure::SearchOptions;

    using Scratch = detail::IndexScratch<Structure>;

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
        index.drop_rows_if_unused();
        return index;
    }
    template <Executor E>
    [[nodiscard]] static Index build(MatrixView<const float> vectors, E&& executor) {
        return build(vectors, BuildOptions{}, executor);
    }

    /// For ann/import.hpp: an index whose structure S::import(vectors, parts...) makes of what another library built,
    /// and its way back, of a graph. `vectors` is a matrix, or detail::Vectors without rows.
    template <class Rows, class... Parts>
    [[nodiscard]] static Index import(const Rows& vectors, const Parts&... parts) {
        Index index;
        index.vectors_ = detail::Vectors<Metric>(vectors);
        index.structure_ = Structure::import(index.vectors_, parts...);
        return index;
    }
    [[nodiscard]] io::GraphFile to_graph_file() const { return structure_.to_graph_file(vectors_); }

    [[nodiscard]] std::size_t size() const noexcept { return vectors_.live(); }
    [[nodiscard]] std::size_t dimension() const noexcept { return vectors_.dimension(); }

    /// The options of build.
    [[nodiscard]] BuildOptions options() const noexcept { return structure_.options(); }

    /// The id that add() would assign: how many were assigned so far, removed ones included.
    [[nodiscard]] std::size_t next_id() const noexcept { return vectors_.count(); }

    /// Whether an id is in the index: it was assigned, and not removed.
    [[nodiscard]] bool contains(std::uint32_t id) const noexcept {
        return id < vectors_.count() && vectors_.is_live(id);
    }

    /// The vector of an id, as it is stored and compared: under Cosine, it has unit length. It is valid until the index
    /// changes.
    ///
    /// Errors    InvalidArgument if the id is not in the index, or if the index does not keep its vectors
    [[nodiscard]] std::span<const float> vector(std::uint32_t id) const& FUNNEL_LIFETIMEBOUND {
        if (!contains(id)) {
            raise<InvalidArgument>("Index::vector: id " + std::to_string(id) + " is not in the index");
        }
        require(vectors_.has_rows(), "Index::vector: this index does not keep its vectors");
        return vectors_.rows().row(id);
    }
    [[nodiscard]] std::span<const float> vector(std::uint32_t id) const&& = delete;  // the index is destroyed first

    /// Bytes used by the vectors and the structure, without spare capacity and without the tables that only add() uses.
    [[nodiscard]] std::size_t memory_bytes() const noexcept {
        return vectors_.memory_bytes() + structure_.memory_bytes();
    }

    /// About what memory_bytes() will be for n vectors. It does not know how often a random draw will hit, nor how many
    /// vectors are equal.
    ///
    /// Errors    InvalidArgument if options are out of range, n is not below 2^31, or dimension is not below 2^28
    [[nodiscard]] static std::size_t memory_estimate(std::size_t n, std::size_t dimension,
                                                     const BuildOptions& options = {}) {
        Structure::check(options);
        require_below(n, detail::max_vectors, "Index::memory_estimate: n");
        require_below(dimension, detail::max_dimension, "Index::memory_estimate: dimension");
        return detail::Vectors<Metric>::memory_estimate(n, dimension, detail::keeps_rows<Structure>(options)) +
               Structure::memory_estimate(n, dimension, options);
    }

    /// Of a graph: the number of vectors that no search can reach. It is always 0; tests check this guarantee by it.
    [[nodiscard]] std::size_t unreachable() const
        requires requires(const Structure& graph) { graph.unreachable(); }
    {
        return structure_.unreachable();
    }
    /// The share of the vectors that a search can reach, removed ones included: always 1, as unreachable() is 0.
    [[nodiscard]] double reachable_fraction() const
        requires requires(const Structure& graph) { graph.unreachable(); }
    {
        return next_id() == 0 ? 1.0 : 1.0 - static_cast<double>(unreachable()) / static_cast<double>(next_id());
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
        funnel::detail::keep_first(out, searcher().find(query, options, filter, scratch, out));
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
            funnel::detail::exception_of([&] { searcher().make_room(scratch, options, excludes_any); })) {
            return 0;
        }
        return searcher().find(query, options, filter, scratch, out);
    }

    /// Scratch memory for searches of this index with these or smaller options and any filter. It may have to grow
    /// after vectors are added.
    [[nodiscard]] Scratch scratch(const SearchOptions& options = {}) const {
        Scratch scratch;
        grow(scratch, options);
        return scratch;
    }
    /// Makes a scratch as large as scratch(options) would be.
    void grow(Scratch& scratch, const SearchOptions& options = {}) const {
        searcher().make_room(scratch, options, true);
    }

    /// One search per row, in parallel.
    ///
    /// Returns   one sorted list per query
    template <Executor E = Serial>
    [[nodiscard]] std::vector<std::vector<Scored<>>> search_batch(MatrixView<const float> queries,
                                                                  const SearchOptions& options = {},
                                                                  E&& executor = E{}) const {
        return search_batch(queries, options, AcceptAll{}, executor);
    }

    /// The same with one filter for all queries. Threads call it at the same time.
    template <ItemFilter F, Executor E = Serial>
    [[nodiscard]] std::vector<std::vector<Scored<>>> search_batch(MatrixView<const float> queries,
                                                                  const SearchOptions& options, const F& filter,
                                                                  E&& executor = E{}) const {
        check_batch(queries, options);
        std::vector<std::vector<Scored<>>> results(queries.rows());
        std::vector<Scratch> scratch(executor.concurrency());
        executor.for_range(queries.rows(), Structure::batch_grain,
                           [&](std::size_t begin, std::size_t end, std::size_t worker) {
                               FUNNEL_ASSERT(worker < scratch.size());
                               searcher().find_some(queries.rows_from(begin, end - begin), options, filter,
                                                    scratch[worker], std::span(results).subspan(begin, end - begin));
                           });
        return results;
    }

    /// The same with a filter per query, such as a std::vector<ann::Bitmap> or a std::vector<std::function<...>>.
    ///
    /// Errors    also InvalidArgument if there are not as many filters as queries
    template <FilterList L, Executor E = Serial>
    [[nodiscard]] std::vector<std::vector<Scored<>>> search_batch(MatrixView<const float> queries,
                                                                  const SearchOptions& options, const L& filters,
                                                                  E&& executor = E{}) const {
        check_batch(queries, options);
        if (filters.size() != queries.rows()) {
            raise<InvalidArgument>(std::string(Structure::names.search_batch) + ": " + std::to_string(filters.size()) +
                                   " filters for " + std::to_string(queries.rows()) + " queries");
        }
        std::vector<std::vector<Scored<>>> results(queries.rows());
        std::vector<Scratch> scratch(executor.concurrency());
        executor.for_range(
            queries.rows(), Structure::batch_grain, [&](std::size_t begin, std::size_t end, std::size_t worker) {
                for (std::size_t i = begin; i < end; ++i) {
                    searcher().find_list(queries.row(i), options, filters[i], scratch[worker], results[i]);
                }
            });
        return results;
    }

    /// Adds a vector and returns its id: the number of vectors added before it, removed ones included.
    ///
    /// Errors    as build, and InvalidArgument if the dimension differs; on any failure the index is unchanged
    std::uint32_t add(std::span<const float> vector) {
        const std::uint32_t id = vectors_.append(vector, Structure::names.add);
        const auto append = [&] {
            own();
            structure_.append(vectors_);
        };
        if (const auto error = funnel::detail::exception_of(append)) {
            vectors_.keep_first(id);
            std::rethrow_exception(error);
        }
        drop_rows_if_unused();
        return id;
    }

    /// Excludes a vector from all results; false if it was already removed.
    ///
    /// Errors    InvalidArgument if the id was never assigned
    bool remove(std::uint32_t id) {
        const bool was_live = vectors_.remove(id, Structure::names.remove);
        if constexpr (requires { structure_.remove(id); }) {
            if (was_live) {
                structure_.remove(id);
            }
        }
        return was_live;
    }

    /// Gives an id another vector. If the id was removed, it is in the index again.
    ///
    /// Cost      about that of add(), in an HNSW up to twice; an HNSW traverses all links if the vector, or the one
    ///           before it, equals another
    /// Errors    as add, and InvalidArgument if the id was never assigned; on any failure the index is unchanged
    void replace(std::uint32_t id, std::span<const float> vector) {
        vectors_.check_id(id, Structure::names.replace);
        vectors_.check(vector, "the vector", Structure::names.replace);
        std::vector<float> prepared(vector.size());  // `vector` may be one of the index itself
        detail::prepare<Metric>(vector, prepared);
        own();
        structure_.replace(id, prepared, vectors_);
    }

    /// Errors    IOError
    void save(const std::string& path) const {
        io::ContainerWriter file(Structure::kind, Structure::layout_version);
        write(file);
        file.save(path);
    }

    /// Errors    IOError; CorruptData if the file is damaged, or was saved under another metric or dimension
    [[nodiscard]] static Index load(const std::string& path) {
        return read(io::ContainerReader(path, Structure::kind, Structure::layout_version));
    }

    /// Loads an index whose vectors, and the links of an HNSW graph on level 0, stay in the file: they are mapped into
    /// memory (io::MappedFile), and all processes that map the file share them. Codes, lists and all else are loaded.
    ///
    /// All checks of load() hold. From then on nobody may write into the file or truncate it: a search would read what
    /// was not checked, or end the process. save() is safe, also to the same path: it replaces the file, and the index
    /// keeps the old one. Copies share the file. The first add() or replace() copies what is mapped, and lets go of the
    /// file.
    ///
    /// Cost      one pass over the file, and the checks;  memory_bytes() does not count what is mapped
    /// Errors    as load
    [[nodiscard]] static Index map(const std::string& path) {
        return read(io::ContainerReader(io::MappedFile(path), Structure::kind, Structure::layout_version));
    }

    /// The sections of save and load, for a file that holds more. The index must outlive the call of file.save.
    template <class Writer>
    void write(Writer& file) const {
        vectors_.write(file);
        structure_.write(file);
    }
    template <class Reader>
    [[nodiscard]] static Index read(const Reader& file) {
        Index index;
        index.vectors_ = detail::Vectors<Metric>::read(file, !can_drop_rows || file.has("vectors"));
        index.structure_ = Structure::read(file, index.vectors_);
        if constexpr (can_drop_rows) {
            file.check(index.vectors_.has_rows() == Structure::keeps_rows(index.options()), "is_removed",
                       "the vectors must be there, or not, as the options say");
        }
        return index;
    }

    /// The kind and the layout of its files.
    static constexpr std::string_view file_kind = Structure::kind;
    static constexpr std::uint32_t file_layout = Structure::layout_version;

private:
    static constexpr bool can_drop_rows = requires(const BuildOptions& options) { Structure::keeps_rows(options); };

    Index() = default;

    // Copies what is mapped from a file, so that it can change.
    void own() {
        vectors_.own();
        if constexpr (requires { structure_.own(); }) {
            structure_.own();
        }
    }

    void drop_rows_if_unused() {
        if constexpr (can_drop_rows) {
            if (!Structure::keeps_rows(options())) {
                vectors_.drop_rows();
            }
        }
    }

    static void check(const SearchOptions& options, const char* function) {
        if (!Structure::accepts(options)) {
            Structure::reject(options, function);
        }
    }

    void check_batch(MatrixView<const float> queries, const SearchOptions& options) const {
        check(options, Structure::names.search_batch);
        for (std::size_t i = 0; i < queries.rows(); ++i) {
            vectors_.check(queries.row(i), "query " + std::to_string(i), Structure::names.search_batch);
        }
    }

    [[nodiscard]] detail::IndexSearch<Structure> searcher() const noexcept { return {vectors_, structure_}; }

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
