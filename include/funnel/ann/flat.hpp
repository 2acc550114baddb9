// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/ann/scan.hpp>
#include <funnel/ann/vectors.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/item_filter.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/core/top_k.hpp>
#include <funnel/io/container.hpp>
#include <funnel/kernels/backend.hpp>

#include <algorithm>
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

struct FlatSearchOptions {
    std::size_t k = 10;  ///< number of hits
};

/// Exact nearest neighbours: compares the query with every vector.
///
///     auto index = Flat<Cosine>::build(vectors);
///     for (auto [id, score] : index.search(query, {.k = 10})) { ... }
///
/// Under Cosine, vectors are stored with unit length and scores lie in [-1, 1].
///
/// add() assigns the next id. remove() excludes a vector from results, but the vector keeps its memory and its id is
/// not reused: rebuild the index after many removals. Concurrent searches are safe if each has its own scratch; add and
/// remove need exclusive access.
///
/// Backend   a HostBackend, or kernels::Device<System> (include ann/cuda/scan.cuh), which keeps a second copy of the
///           vectors in its own memory and has no allocation-free search
/// Cost      search: O(n d);  memory 4 d + 1 bytes per vector, with d rounded up to a multiple of 16
template <Metric M, ScanBackend<M> Backend = kernels::DefaultBackend>
class Flat {
public:
    /// Scratch memory of a search, reused between searches but not shared by concurrent ones. An empty one works with
    /// any index and grows on first use; scratch() returns one that is large enough.
    class Scratch {
        friend class Flat;
        std::vector<float> query_;
    };

    Flat(const Flat&) = default;
    /// The moved-from index is empty and has dimension 0.
    Flat(Flat&& other) noexcept : Flat() { swap(other); }
    Flat& operator=(Flat other) noexcept {
        swap(other);
        return *this;
    }
    ~Flat() = default;

    /// Builds an index of the rows; the id of a vector is its row number.
    ///
    /// Shapes    vectors: n x d
    /// Errors    InvalidArgument if a row is not finite, is zero under Cosine, or is longer than 2^62 under the other
    ///           metrics
    template <Executor E = Serial>
    [[nodiscard]] static Flat build(MatrixView<const float> vectors, E&& = E{}) {
        Flat index;
        index.vectors_ = detail::Vectors<M>(vectors, "Flat::build");
        index.scan_rows_.append(index.vectors_.rows());
        return index;
    }

    [[nodiscard]] std::size_t size() const noexcept { return vectors_.live(); }
    [[nodiscard]] std::size_t dimension() const noexcept { return vectors_.dimension(); }
    /// Bytes used by the vectors, without spare capacity.
    [[nodiscard]] std::size_t memory_bytes() const noexcept { return vectors_.memory_bytes(); }

    /// The nearest vectors, best first.
    ///
    /// Shapes    query: d
    /// Returns   min(k, size()) hits; ties go to the smaller id
    /// Errors    InvalidArgument if build would reject the query as a row, or its dimension differs
    [[nodiscard]] std::vector<Scored<>> search(std::span<const float> query,
                                               const FlatSearchOptions& options = {}) const {
        return search(query, options, AcceptAll{});
    }

    /// The nearest vectors that pass a filter: k hits if at least k vectors pass. Other vectors are not scored.
    template <ItemFilter F>
    [[nodiscard]] std::vector<Scored<>> search(std::span<const float> query, const FlatSearchOptions& options,
                                               const F& filter) const {
        vectors_.check(query, "the query", "Flat::search");
        Scratch scratch;
        std::vector<Scored<>> out(std::min(options.k, size()));
        funnel::detail::keep_first(out, find(query, options, filter, scratch, out));
        return out;
    }

    /// The same for hot paths. It does not allocate if the scratch comes from scratch() of this index or was used for a
    /// search of it; otherwise the scratch grows first. noexcept unless the filter may throw.
    ///
    /// Returns   the number of hits in out, at most its size; 0 also for a query that the overloads above reject, and
    ///           if the scratch cannot grow for lack of memory
    std::size_t search(std::span<const float> query, const FlatSearchOptions& options, Scratch& scratch,
                       std::span<Scored<>> out) const noexcept
        requires kernels::HostBackend<Backend>
    {
        return search(query, options, AcceptAll{}, scratch, out);
    }
    template <ItemFilter F>
    std::size_t search(std::span<const float> query, const FlatSearchOptions& options, const F& filter,
                       Scratch& scratch, std::span<Scored<>> out) const noexcept(is_nothrow_filter<F>)
        requires kernels::HostBackend<Backend>
    {
        if (!vectors_.accepts(query) || funnel::detail::exception_of([&] { make_room(scratch); })) {
            return 0;
        }
        return find(query, options, filter, scratch, out);
    }

    /// Scratch memory for searches of this index with any options and filter.
    [[nodiscard]] Scratch scratch(const FlatSearchOptions& = {}) const {
        Scratch scratch;
        make_room(scratch);
        return scratch;
    }

    /// One search per row, in parallel.
    ///
    /// Returns   one sorted list per query
    template <Executor E = Serial>
    [[nodiscard]] std::vector<std::vector<Scored<>>> search_batch(MatrixView<const float> queries,
                                                                  const FlatSearchOptions& options = {},
                                                                  E&& executor = E{}) const {
        for (std::size_t i = 0; i < queries.rows(); ++i) {
            vectors_.check(queries.row(i), "query " + std::to_string(i), "Flat::search_batch");
        }
        std::vector<std::vector<Scored<>>> results(queries.rows());
        std::vector<Scratch> scratch(executor.concurrency());
        executor.for_range(queries.rows(), 1, [&](std::size_t begin, std::size_t end, std::size_t worker) {
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
        const std::uint32_t id = vectors_.append(vector, "Flat::add");
        const auto error = funnel::detail::exception_of([&] { scan_rows_.append(vectors_.rows().rows_from(id, 1)); });
        if (error) {
            vectors_.keep_first(id);
            std::rethrow_exception(error);
        }
        return id;
    }

    /// Excludes a vector from all results; false if it was already removed.
    ///
    /// Errors    InvalidArgument if the id was never assigned
    bool remove(std::uint32_t id) { return vectors_.remove(id, "Flat::remove"); }

    /// Errors    IOError
    void save(const std::string& path) const {
        io::ContainerWriter file(kind, layout_version);
        vectors_.write(file);
        file.save(path);
    }

    /// Errors    IOError; CorruptData if the file is damaged or was saved under another metric
    [[nodiscard]] static Flat load(const std::string& path) {
        const io::ContainerReader file(path, kind, layout_version);
        Flat index;
        index.vectors_ = detail::Vectors<M>::read(file);
        index.scan_rows_.append(index.vectors_.rows());
        return index;
    }

private:
    static constexpr std::string_view kind = "ann.Flat";
    static constexpr std::uint32_t layout_version = 1;

    Flat() = default;

    void make_room(Scratch& scratch) const {
        if (size() > 0) {  // a file without vectors may state any dimension: do not allocate for it
            scratch.query_.resize(dimension());
        }
    }

    template <ItemFilter F>
    std::size_t find(std::span<const float> query, const FlatSearchOptions& options, const F& filter, Scratch& scratch,
                     std::span<Scored<>> out) const {
        out = out.first(std::min({options.k, out.size(), size()}));
        if (out.empty()) {
            return 0;
        }
        make_room(scratch);
        detail::prepare<M>(query, scratch.query_);
        const auto passes = [&](std::uint32_t id) { return vectors_.is_live(id) && filter(id); };
        return scan_rows_.search(std::span<const float>(scratch.query_), vectors_.rows(), passes, out).size();
    }

    void swap(Flat& other) noexcept {
        std::swap(vectors_, other.vectors_);
        std::swap(scan_rows_, other.scan_rows_);
    }

    detail::Vectors<M> vectors_;
    detail::ScanRows<M, Backend> scan_rows_;
};

}  // namespace ann
}  // namespace FUNNEL_ABI
}  // namespace funnel
