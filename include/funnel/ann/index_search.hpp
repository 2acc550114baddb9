// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/ann/eligible.hpp>
#include <funnel/ann/filters.hpp>
#include <funnel/ann/scan.hpp>
#include <funnel/ann/scan_ids.hpp>
#include <funnel/ann/search_stats.hpp>
#include <funnel/ann/vectors.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/item_filter.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/core/top_k.hpp>
#include <funnel/kernels/backend.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ann {

template <class Structure>
class Index;

namespace detail {

template <class Structure>
class IndexSearch;

/// Scratch memory of a search, reused between searches but not shared by concurrent ones. An empty one works with any
/// index and grows on first use; scratch() returns one that is large enough.
template <class Structure>
class IndexScratch {
public:
    /// What the last search with this scratch did.
    [[nodiscard]] const SearchStats& stats() const noexcept FUNNEL_LIFETIMEBOUND { return stats_; }

private:
    friend class IndexSearch<Structure>;
    std::vector<float> query_;
    std::vector<std::uint64_t> words_;  // a list of ids as a bitmap
    Matrix<float> queries_;             // of a batch
    typename Structure::Scratch structure_;
    SearchStats stats_;
};

/// How an index answers a query that is valid: it asks the structure, or scans.
template <class Structure>
class IndexSearch {
public:
    using Metric = typename Structure::Metric;
    using SearchOptions = typename Structure::SearchOptions;
    using Scratch = IndexScratch<Structure>;

    IndexSearch(const Vectors<Metric>& vectors FUNNEL_LIFETIMEBOUND,
                const Structure& structure FUNNEL_LIFETIMEBOUND) noexcept
        : vectors_(&vectors), structure_(&structure) {}

    /// Reserves the memory of one search, so that find() does not allocate.
    void make_room(Scratch& scratch, const SearchOptions& options, bool excludes_any) const {
        if (excludes_any && has_codes) {
            scratch.words_.reserve((vectors_->count() + 63) / 64);
        }
        if (vectors_->live() > 0) {  // a file without vectors may state any dimension: do not allocate for it
            scratch.query_.resize(vectors_->dimension());
            structure_->reserve(scratch.structure_, options, excludes_any);
        }
    }

    /// The hits of one query, at most k and as many as out has room for.
    template <ItemFilter F>
    std::size_t find(std::span<const float> query, const SearchOptions& options, const F& filter, Scratch& scratch,
                     std::span<Scored<>> out) const {
        scratch.stats_ = {};
        out = out.first(std::min({options.k, out.size(), vectors_->live()}));
        if (out.empty()) {
            return 0;
        }
        scratch.query_.resize(vectors_->dimension());
        prepare<Metric>(query, scratch.query_);
        const Eligible eligible(*vectors_, filter);
        const double share = share_of(eligible);
        if constexpr (!Structure::is_exact) {
            if (!scans(eligible, options, share)) {
                scratch.structure_.stats = {};
                const std::size_t hits =
                    structure_->find(scratch.query_, *vectors_, options, eligible, share, scratch.structure_, out);
                scratch.stats_ = scratch.structure_.stats;
                if (hits == out.size()) {
                    return hits;
                }  // else the eligible vectors are far from the query
            }
        }
        return scan(scratch.query_, filter, share, scratch, out);
    }

    /// As find, into a list of its size.
    template <ItemFilter F>
    void find_list(std::span<const float> query, const SearchOptions& options, const F& filter, Scratch& scratch,
                   std::vector<Scored<>>& list) const {
        list.resize(std::min(options.k, vectors_->live()));
        funnel::detail::keep_first(list, find(query, options, filter, scratch, list));
    }

    /// As find_list, for some rows of a batch.
    template <ItemFilter F>
    void find_some(MatrixView<const float> queries, const SearchOptions& options, const F& filter, Scratch& scratch,
                   std::span<std::vector<Scored<>>> results) const {
        using Passes = Eligible<Metric, F>;
        if constexpr (!Passes::is_list) {
            if (options.k > 0 && vectors_->live() > 0) {
                const Passes eligible(*vectors_, filter);
                const double share = share_of(eligible);
                if (scans(eligible, options, share)) {
                    if constexpr (!Passes::knows_share) {
                        scan_all(queries, options, filter, share, scratch, results);
                        return;
                    }
                } else if constexpr (has_find_batch) {
                    find_at_once(queries, options, filter, share, scratch, results);
                    return;
                }
            }
        }
        for (std::size_t i = 0; i < queries.rows(); ++i) {
            find_list(queries.row(i), options, filter, scratch, results[i]);
        }
    }

private:
    static constexpr bool has_find_batch =
        requires(const Structure& structure, MatrixView<const float> queries, const Vectors<Metric>& vectors,
                 const SearchOptions& options, const Eligible<Metric, AcceptAll>& all,
                 typename Structure::Scratch& scratch, std::span<std::vector<Scored<>>> results) {
            structure.find_batch(queries, vectors, options, all, 1.0, scratch, results);
        };

    static constexpr bool forgets_removed = requires(Structure& structure) { structure.remove(std::uint32_t{}); };

    // The queries of a batch read the vectors together, unless fewer than this share are eligible.
    static constexpr double few = 1.0 / 32.0;

    // Whether a structure has int8 codes that it scans.
    static constexpr bool has_codes = requires { requires Structure::scans_codes; };

    template <class Passes>
    [[nodiscard]] static double share_of(const Passes& eligible) {
        const bool is_asked = !Structure::is_exact || Passes::knows_share || has_codes;
        return is_asked && eligible.excludes_any() ? eligible.share() : 1.0;
    }

    // Whether a scan scores the eligible vectors one by one. Without codes, the scan of a structure does this for
    // callables.
    template <class Passes>
    [[nodiscard]] bool scans_by_ids(double share) const {
        if (!Passes::has_filter || !vectors_->has_rows()) {
            return false;
        }
        if (!kernels::HostBackend<typename Structure::Kernels>) {  // its own scan is faster, unless it is for few
            return Passes::is_list || (Passes::lists_ids && share < few);
        }
        return has_codes ? Passes::cost_by_ids(share) < reading_cost(code_cost, share) : Passes::lists_ids;
    }

    template <class Passes>
    [[nodiscard]] bool scans(const Passes& eligible, const SearchOptions& options, double share) const {
        if constexpr (Structure::is_exact) {
            return share < few && scans_by_ids<Passes>(share);  // else find_batch is a scan
        } else if (Passes::is_list && vectors_->has_rows()) {
            return true;
        } else if (!Passes::has_filter && forgets_removed) {
            return false;  // the structure has live vectors only
        } else {
            return eligible.excludes_any() &&
                   structure_->prefers_scan(options, share, Passes::scan_cost(share, has_codes));
        }
    }

    template <ItemFilter F>
    std::size_t scan(std::span<const float> query, const F& filter, double share, Scratch& scratch,
                     std::span<Scored<>> out) const {
        const Eligible eligible(*vectors_, filter);
        if (scans_by_ids<Eligible<Metric, F>>(share)) {
            return scan_ids(query, filter, scratch, out);
        }
        if constexpr (is_id_list<F> && has_codes) {
            return scan(query, bitmap_of(filter, scratch), 1.0, scratch, out);  // 1.0: scan the codes
        }
        scratch.stats_.scanned = true;
        scratch.stats_.distances += vectors_->count();
        if (!eligible.excludes_any()) {
            return structure_->scan(query, *vectors_, AcceptAll{}, scratch.structure_, out);  // asks nobody
        }
        return structure_->scan(query, *vectors_, eligible, scratch.structure_, out);
    }

    template <ItemFilter F>
    std::size_t scan_ids(std::span<const float> query, const F& filter, Scratch& scratch,
                         std::span<Scored<>> out) const {
        using Kernels = typename Structure::Kernels;
        using Host = std::conditional_t<kernels::HostBackend<Kernels>, Kernels, kernels::DefaultBackend>;
        scratch.stats_.scanned = true;
        if constexpr (Eligible<Metric, F>::lists_ids) {
            IdScan<Metric, Host> rows(query, vectors_->rows(), out);
            for_each_id(filter, vectors_->count(), [&](std::uint32_t id) {
                if (vectors_->is_live(id)) {
                    rows.push(id);
                }
            });
            const std::size_t hits = rows.finish().size();
            scratch.stats_.distances += rows.scored();
            return hits;
        } else {
            scratch.stats_.distances += vectors_->count();
            return detail::scan<Metric, Host>(query, vectors_->rows(), Eligible(*vectors_, filter), out).size();
        }
    }

    // Asks a callable about each vector once, for all queries.
    template <ItemFilter F>
    void scan_all(MatrixView<const float> queries, const SearchOptions& options, const F& filter, double share,
                  Scratch& scratch, std::span<std::vector<Scored<>>> results) const {
        const Bitmap passing = bitmap_of(filter, scratch);
        scratch.query_.resize(vectors_->dimension());
        for (std::size_t i = 0; i < queries.rows(); ++i) {
            prepare<Metric>(queries.row(i), scratch.query_);
            results[i].resize(std::min(options.k, vectors_->live()));
            funnel::detail::keep_first(results[i], scan(scratch.query_, passing, share, scratch, results[i]));
        }
    }

    template <ItemFilter F>
    [[nodiscard]] Bitmap bitmap_of(const F& filter, Scratch& scratch) const {
        const std::size_t count = vectors_->count();
        scratch.words_.assign((count + 63) / 64, 0);
        const auto add = [&](std::uint32_t id) { scratch.words_[id / 64] |= std::uint64_t{1} << (id % 64); };
        using Passes = Eligible<Metric, F>;
        if constexpr (Passes::is_list) {
            for_each_id(filter, count, add);
        } else {
            for_each_id(Passes(*vectors_, filter), count, add);  // a callable is not asked about removed vectors
        }
        return Bitmap(scratch.words_);
    }

    template <ItemFilter F>
    void find_at_once(MatrixView<const float> queries, const SearchOptions& options, const F& filter, double share,
                      Scratch& scratch, std::span<std::vector<Scored<>>> results) const {
        const Eligible eligible(*vectors_, filter);
        const std::size_t length = std::min(options.k, vectors_->live());
        if (scratch.queries_.cols() != vectors_->dimension() || scratch.queries_.rows() < queries.rows()) {
            scratch.queries_ = Matrix<float>(queries.rows(), vectors_->dimension());
        }
        for (std::size_t i = 0; i < queries.rows(); ++i) {
            prepare<Metric>(queries.row(i), scratch.queries_.row(i));
            results[i].resize(length);
        }
        const auto prepared = scratch.queries_.view().rows_from(0, queries.rows());
        structure_->find_batch(prepared, *vectors_, options, eligible, share, scratch.structure_, results);
        for (std::size_t i = 0; i < queries.rows() && !Structure::is_exact; ++i) {
            if (results[i].size() < length) {  // the eligible vectors are far from this query
                results[i].resize(length);
                funnel::detail::keep_first(results[i], scan(prepared.row(i), filter, share, scratch, results[i]));
            }
        }
    }

    const Vectors<Metric>* vectors_;
    const Structure* structure_;
};

}  // namespace detail
}  // namespace ann
}  // namespace FUNNEL_ABI
}  // namespace funnel
