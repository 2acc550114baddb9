// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/ann/filters.hpp>
#include <funnel/ann/prefixed_sections.hpp>
#include <funnel/ann/shard_filter.hpp>
#include <funnel/ann/vectors.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/item_filter.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/core/top_k.hpp>
#include <funnel/io/container.hpp>
#include <funnel/io/mapped_file.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ann {

/// Several indexes that answer as one. Vector id is number id / S of shard id % S, so that all shards grow evenly.
///
///     auto index = Sharded<HNSW<Cosine>>::build(vectors, 4, {.M = 16}, pool);
///     index.search(query, {.k = 10}, pool);  // the shards are searched at the same time
///
/// A search asks each shard for k hits and merges them: higher score first, then smaller id. Sharded<Flat> returns what
/// one Flat of all vectors returns. Graphs of shards are built in less time than one, and one search takes the time of
/// S smaller ones, which threads share; recall for the same ef is higher.
///
/// The functions are those of Index. Exclusive access is needed for add, remove and replace.
///
/// Cost      as Index; each shard goes through the whole list of a SortedIds, and through all words of a Bitmap
template <class Index>
class Sharded {
public:
    using Metric = typename Index::Metric;
    using BuildOptions = typename Index::BuildOptions;
    using SearchOptions = typename Index::SearchOptions;
    using Hits = std::vector<Scored<>>;
    static constexpr std::string_view kind = "ann.Sharded";
    static constexpr std::uint32_t layout_version = 1;
    static constexpr std::size_t max_shards = 256;

    class Scratch {
        friend class Sharded;
        std::vector<typename Index::Scratch> shards_;
        Hits hits_;  // of one shard
    };

    Sharded(const Sharded&) = default;
    /// The moved-from index has no shards: it is empty and has dimension 0.
    Sharded(Sharded&& other) noexcept : Sharded() { swap(other); }
    Sharded& operator=(const Sharded& other) { return *this = Sharded(other); }  // strong guarantee
    Sharded& operator=(Sharded&& other) noexcept {
        Sharded taken(std::move(other));
        swap(taken);
        return *this;
    }
    ~Sharded() = default;

    /// Builds the shards, at the same time if there are as many as threads; the id of a vector is its row number.
    ///
    /// Errors    as Index::build, and InvalidArgument if shards is not in [1, 256]
    template <Executor E = Serial>
    [[nodiscard]] static Sharded build(MatrixView<const float> vectors, std::size_t shards,
                                       const BuildOptions& options = {}, E&& executor = E{}) {
        require_between(shards, 1, max_shards, "Sharded::build: shards");
        require_below(vectors.rows(), detail::max_vectors, "Sharded::build: number of vectors");
        detail::check_rows<Metric>(vectors, "Sharded::build");  // a shard would name another row
        Sharded index;
        index.count_ = vectors.rows();
        const auto rows_of = [&](std::size_t shard) {
            const std::size_t rows = vectors.rows() / shards + (shard < vectors.rows() % shards ? 1 : 0);
            const std::size_t stride = vectors.stride() * shards;
            const std::size_t end = rows == 0 ? 0 : (rows - 1) * stride + vectors.cols();
            return MatrixView<const float>(std::span(rows == 0 ? nullptr : vectors.row(shard).data(), end), rows,
                                           vectors.cols(), stride);
        };
        const auto empty = Index::build(MatrixView<const float>({}, 0, vectors.cols()), options);
        index.shards_.assign(shards, empty);
        if (shards < executor.concurrency()) {
            for (std::size_t shard = 0; shard < shards; ++shard) {
                index.shards_[shard] = Index::build(rows_of(shard), options, executor);
            }
        } else {
            parallel_for(executor, shards, 1,
                         [&](std::size_t shard) { index.shards_[shard] = Index::build(rows_of(shard), options); });
        }
        return index;
    }

    [[nodiscard]] std::size_t size() const noexcept {
        return sum([](const Index& shard) { return shard.size(); });
    }
    [[nodiscard]] std::size_t dimension() const noexcept { return shards_.empty() ? 0 : shards_[0].dimension(); }
    [[nodiscard]] BuildOptions options() const { return shards_.empty() ? BuildOptions{} : shards_[0].options(); }
    [[nodiscard]] std::size_t shards() const noexcept { return shards_.size(); }
    [[nodiscard]] std::size_t next_id() const noexcept { return count_; }
    [[nodiscard]] std::size_t memory_bytes() const noexcept {
        return sum([](const Index& shard) { return shard.memory_bytes(); });
    }

    [[nodiscard]] bool contains(std::uint32_t id) const noexcept {
        return id < count_ && shards_[id % shards()].contains(local(id));
    }

    /// Errors    as Index::vector
    [[nodiscard]] std::span<const float> vector(std::uint32_t id) const& FUNNEL_LIFETIMEBOUND {
        if (!contains(id)) {
            raise<InvalidArgument>("Sharded::vector: id " + std::to_string(id) + " is not in the index");
        }
        return shards_[id % shards()].vector(local(id));
    }

    /// The nearest vectors, best first, as Index::search. The executor may search the shards at the same time.
    template <Executor E = Serial>
    [[nodiscard]] Hits search(std::span<const float> query, const SearchOptions& options = {},
                              E&& executor = E{}) const {
        return search(query, options, AcceptAll{}, executor);
    }

    /// The nearest vectors that pass a filter: k hits if at least k vectors pass. Threads call the filter at the same
    /// time.
    template <ItemFilter F, Executor E = Serial>
    [[nodiscard]] Hits search(std::span<const float> query, const SearchOptions& options, const F& filter,
                              E&& executor = E{}) const {
        check_without_shards(query, "the query", "Sharded::search");
        std::vector<Hits> lists(shards());
        parallel_for(executor, shards(), 1, [&](std::size_t shard) {
            lists[shard] = with_filter_of(shard, filter, [&](const auto& local_filter) {
                return shards_[shard].search(query, options, local_filter);
            });
        });
        return merge(lists, options.k);
    }

    /// The same for hot paths, without allocations and exceptions, as Index::search.
    std::size_t search(std::span<const float> query, const SearchOptions& options, Scratch& scratch,
                       std::span<Scored<>> out) const noexcept {
        return search(query, options, AcceptAll{}, scratch, out);
    }
    template <ItemFilter F>
    std::size_t search(std::span<const float> query, const SearchOptions& options, const F& filter, Scratch& scratch,
                       std::span<Scored<>> out) const noexcept(is_nothrow_filter<F>) {
        out = out.first(std::min({options.k, out.size(), size()}));
        if (funnel::detail::exception_of([&] { grow(scratch, options, out.size()); })) {
            return 0;
        }
        TopK<> best(out);
        for (std::size_t shard = 0; shard < shards(); ++shard) {
            const std::size_t hits = with_filter_of(shard, filter, [&](const auto& local_filter) {
                return shards_[shard].search(query, options, local_filter, scratch.shards_[shard],
                                             std::span(scratch.hits_).first(out.size()));
            });
            for (const Scored<>& hit : std::span(scratch.hits_).first(hits)) {
                best.push(global(hit.id, shard), hit.score);
            }
        }
        return best.finish().size();
    }

    /// As Index::scratch.
    [[nodiscard]] Scratch scratch(const SearchOptions& options = {}) const {
        Scratch scratch;
        grow(scratch, options, std::min(options.k, size()));
        return scratch;
    }

    /// One search per row. The shards answer one after another, each for all queries in parallel.
    ///
    /// Returns   one sorted list per query
    template <Executor E = Serial>
    [[nodiscard]] std::vector<Hits> search_batch(MatrixView<const float> queries, const SearchOptions& options = {},
                                                 E&& executor = E{}) const {
        return search_batch(queries, options, AcceptAll{}, executor);
    }
    template <ItemFilter F, Executor E = Serial>
    [[nodiscard]] std::vector<Hits> search_batch(MatrixView<const float> queries, const SearchOptions& options,
                                                 const F& filter, E&& executor = E{}) const {
        for (std::size_t i = 0; i < queries.rows(); ++i) {
            check_without_shards(queries.row(i), "query " + std::to_string(i), "Sharded::search_batch");
        }
        std::vector<std::vector<Hits>> lists(queries.rows(), std::vector<Hits>(shards()));
        for (std::size_t shard = 0; shard < shards(); ++shard) {
            auto batch = with_filter_of(shard, filter, [&](const auto& local_filter) {
                return shards_[shard].search_batch(queries, options, local_filter, executor);
            });
            for (std::size_t i = 0; i < queries.rows(); ++i) {
                lists[i][shard] = std::move(batch[i]);
            }
        }
        std::vector<Hits> merged(queries.rows());
        parallel_for(executor, queries.rows(), 16, [&](std::size_t i) { merged[i] = merge(lists[i], options.k); });
        return merged;
    }

    /// As Index::add: to the next shard.
    std::uint32_t add(std::span<const float> vector) {
        require(!shards_.empty(), "Sharded::add: the index was moved from");
        require_below(count_ + 1, detail::max_vectors, "Sharded::add: number of vectors");
        shards_[count_ % shards()].add(vector);
        return static_cast<std::uint32_t>(count_++);
    }

    /// As Index::remove.
    bool remove(std::uint32_t id) {
        check_id(id, "Sharded::remove");
        return shards_[id % shards()].remove(local(id));
    }

    /// As Index::replace.
    void replace(std::uint32_t id, std::span<const float> vector) {
        check_id(id, "Sharded::replace");
        shards_[id % shards()].replace(local(id), vector);
    }

    /// Errors    IOError
    void save(const std::string& path) const {
        io::ContainerWriter file(kind, layout_version);
        write(file);
        file.save(path);
    }

    /// Errors    IOError; CorruptData if the file is damaged, or of another index or metric
    [[nodiscard]] static Sharded load(const std::string& path) {
        return read(io::ContainerReader(path, kind, layout_version));
    }

    /// As load, but what Index::map maps stays in the file: see there.
    [[nodiscard]] static Sharded map(const std::string& path) {
        return read(io::ContainerReader(io::MappedFile(path), kind, layout_version));
    }

    /// The sections of save and load, as Index::write.
    template <class Writer>
    void write(Writer& file) const {
        const std::string inside(Index::file_kind);
        file.strings("shard_kind", std::span(&inside, 1));
        file.value("shard_layout", Index::file_layout);
        file.value("shards", static_cast<std::uint32_t>(shards()));
        file.value("count", static_cast<std::uint32_t>(count_));
        for (std::size_t shard = 0; shard < shards(); ++shard) {
            detail::PrefixedSections sections(file, prefix(shard));
            shards_[shard].write(sections);
        }
    }
    template <class Reader>
    [[nodiscard]] static Sharded read(const Reader& file) {
        const std::string inside = file.strings("shard_kind", 1)[0];
        const std::string expected(Index::file_kind);
        file.check(inside == expected, "shard_kind", "expected " + expected + ", found " + inside);
        const auto layout = file.template value<std::uint32_t>("shard_layout");
        file.check(layout >= 1 && layout <= Index::file_layout, "shard_layout", "was written by a newer funnel");
        const auto shards = file.template value<std::uint32_t>("shards");
        Sharded index;
        index.count_ = file.template value<std::uint32_t>("count");
        file.check(shards <= max_shards && (shards > 0 || index.count_ == 0), "shards", "must lie in [1, 256]");
        file.check(index.count_ < detail::max_vectors, "count", "must be below 2^31");
        for (std::size_t shard = 0; shard < shards; ++shard) {
            const detail::PrefixedSections sections(file, prefix(shard));
            index.shards_.push_back(Index::read(sections));
            const std::size_t rows = index.count_ / shards + (shard < index.count_ % shards ? 1 : 0);
            file.check(index.shards_[shard].next_id() == rows, "count", "must be that of all shards");
            file.check(index.shards_[shard].dimension() == index.dimension(), "shards", "must have one dimension");
        }
        return index;
    }

    static constexpr std::string_view file_kind = kind;
    static constexpr std::uint32_t file_layout = layout_version;

private:
    Sharded() = default;

    void check_id(std::uint32_t id, const char* function) const {
        if (id >= count_) {
            raise<InvalidArgument>(std::string(function) + ": id " + std::to_string(id) + " is out of range");
        }
    }

    // Else the first shard checks.
    void check_without_shards(std::span<const float> query, const std::string& which, const char* function) const {
        if (shards_.empty()) {
            detail::Vectors<Metric>().check(query, which, function);
        }
    }

    void grow(Scratch& scratch, const SearchOptions& options, std::size_t hits) const {
        scratch.shards_.resize(shards());
        for (std::size_t shard = 0; shard < shards(); ++shard) {
            shards_[shard].grow(scratch.shards_[shard], options);
        }
        if (scratch.hits_.size() < hits) {
            scratch.hits_.resize(hits);
        }
    }

    [[nodiscard]] std::uint32_t local(std::uint32_t id) const noexcept {
        return id / static_cast<std::uint32_t>(shards());
    }
    [[nodiscard]] static std::string prefix(std::size_t shard) { return std::to_string(shard) + "."; }

    template <class Of>
    [[nodiscard]] std::size_t sum(const Of& of) const noexcept {
        std::size_t total = 0;
        for (const Index& shard : shards_) {
            total += of(shard);
        }
        return total;
    }

    // Calls search(filter of the ids of a shard).
    template <class F, class Search>
    auto with_filter_of(std::size_t shard, const F& filter, const Search& search) const {
        if constexpr (std::same_as<F, AcceptAll>) {
            return search(filter);
        } else {
            return search(detail::ShardFilter<F>(filter, shards(), shard));
        }
    }

    [[nodiscard]] std::uint32_t global(std::uint32_t local, std::size_t shard) const noexcept {
        return local * static_cast<std::uint32_t>(shards()) + static_cast<std::uint32_t>(shard);
    }

    // The best k of the lists of the shards, whose ids become those of all vectors.
    [[nodiscard]] Hits merge(std::span<const Hits> lists, std::size_t k) const {
        std::size_t length = 0;
        for (const Hits& list : lists) {
            length += list.size();
        }
        Hits merged(std::min(k, length));
        TopK<> best(merged);
        for (std::size_t shard = 0; shard < lists.size(); ++shard) {
            for (const Scored<>& hit : lists[shard]) {
                best.push(global(hit.id, shard), hit.score);
            }
        }
        best.finish();
        return merged;
    }

    void swap(Sharded& other) noexcept {
        std::swap(shards_, other.shards_);
        std::swap(count_, other.count_);
    }

    std::vector<Index> shards_;
    std::size_t count_ = 0;  // ids assigned so far
};

}  // namespace ann
}  // namespace FUNNEL_ABI
}  // namespace funnel
