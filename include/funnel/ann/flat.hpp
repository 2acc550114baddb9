// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/ann/code_types.hpp>
#include <funnel/ann/index.hpp>
#include <funnel/ann/int8_scan.hpp>
#include <funnel/ann/scan.hpp>
#include <funnel/ann/vectors.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/item_filter.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/core/top_k.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/quantise/int8.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ann {

struct FlatOptions {};

struct FlatSearchOptions {
    std::size_t k = 10;  ///< number of hits
};

namespace detail {

// Chosen by name, because only one of the two is valid for a backend.
template <Metric M, class Backend>
struct PlainRows {
    using Rows = ScanRows<M, Backend>;
};
template <Metric M, class Backend>
struct CodedRows {
    using Rows = Int8Rows<M, Backend>;
};

template <bool HasCodes, class Rows>
struct FlatScratch {
    std::vector<TopK<>> best;  // of a batch
};
template <class Rows>
struct FlatScratch<true, Rows> {
    std::vector<TopK<>> best;
    typename Rows::Scratch codes;
};

/// The structure of Flat: none, but for codes or a backend's copy of the vectors.
template <ann::Metric M, std::size_t Dim, class Codes, class Backend>
class FlatStructure {
    static constexpr bool has_codes = std::same_as<Codes, Int8>;
    using Rows = typename std::conditional_t<has_codes, CodedRows<M, Backend>, PlainRows<M, Backend>>::Rows;

public:
    using Metric = M;
    using BuildOptions = FlatOptions;
    using SearchOptions = FlatSearchOptions;
    using Kernels = Backend;
    using Scratch = FlatScratch<has_codes, Rows>;
    static constexpr IndexNames names{"Flat::build", "Flat::search", "Flat::search_batch",
                                      "Flat::add",   "Flat::remove", "Flat::replace"};
    static constexpr std::string_view kind = "ann.Flat";
    static constexpr std::uint32_t layout_version = 1;
    static constexpr bool is_exact = true;
    static constexpr bool scans_codes = has_codes;
    static constexpr bool has_host_search = kernels::HostBackend<Backend>;
    static constexpr std::size_t batch_grain = has_host_search ? 64 : 1;  // queries that share a pass over the vectors

    static void check(const FlatOptions&) noexcept {}
    template <class E>
    [[nodiscard]] static FlatStructure build(const Vectors<M>& vectors, const FlatOptions&, E&&) {
        if (const std::string defect = defect_of_dimension<Dim, Codes>(vectors.dimension()); !defect.empty()) {
            raise<InvalidArgument>("Flat::build: " + defect);
        }
        FlatStructure structure;
        structure.rows_.append(vectors.rows());
        return structure;
    }

    [[nodiscard]] FlatOptions options() const noexcept { return {}; }
    [[nodiscard]] std::size_t memory_bytes() const noexcept {
        if constexpr (has_codes) {
            return rows_.memory_bytes();
        } else {
            return 0;
        }
    }
    [[nodiscard]] static std::size_t memory_estimate(std::size_t n, std::size_t dimension,
                                                     const FlatOptions&) noexcept {
        if constexpr (has_codes) {
            return Rows::memory_estimate(n, dimension);
        } else {
            return 0;
        }
    }
    [[nodiscard]] static bool accepts(const FlatSearchOptions&) noexcept { return true; }
    static void reject(const FlatSearchOptions&, const char*) noexcept {}
    void reserve(Scratch& scratch, const FlatSearchOptions&, bool) const {
        if constexpr (has_codes) {
            rows_.reserve(scratch.codes);
        }
    }

    template <class Passes>
    std::size_t scan(std::span<const float> query, const Vectors<M>& vectors, const Passes& eligible, Scratch& scratch,
                     std::span<Scored<>> out) const {
        if constexpr (has_codes) {
            TopK<> best(out);
            rows_.search(MatrixView<const float>(query, 1, query.size()), vectors.rows(), eligible, out.size(),
                         scratch.codes, std::span(&best, 1));
            return best.finish().size();
        } else {
            return rows_.search(query, vectors.rows(), eligible, out).size();
        }
    }

    template <class Passes>
    void find_batch(MatrixView<const float> queries, const Vectors<M>& vectors, const FlatSearchOptions&,
                    const Passes& eligible, double, Scratch& scratch, std::span<std::vector<Scored<>>> results) const
        requires has_host_search
    {
        scratch.best.clear();
        for (std::vector<Scored<>>& list : results) {
            scratch.best.emplace_back(list);
        }
        if (eligible.excludes_any()) {
            search(queries, vectors, eligible, results[0].size(), scratch);
        } else {
            search(queries, vectors, AcceptAll{}, results[0].size(), scratch);  // asks nobody
        }
        for (std::size_t q = 0; q < results.size(); ++q) {
            funnel::detail::keep_first(results[q], scratch.best[q].finish().size());
        }
    }

    void append(const Vectors<M>& vectors) { rows_.append(vectors.rows().rows_from(vectors.count() - 1, 1)); }

    void replace(std::uint32_t id, std::span<const float> vector, Vectors<M>& vectors) {
        rows_.set(id, vector);
        vectors.set(id, vector);
    }

    // Codes follow from the vectors and are not saved.
    template <class Writer>
    void write(Writer&) const noexcept {}
    template <class Reader>
    [[nodiscard]] static FlatStructure read(const Reader& file, const Vectors<M>& vectors) {
        const std::string defect = defect_of_dimension<Dim, Codes>(vectors.dimension());
        file.check(defect.empty(), "vectors", defect);
        FlatStructure structure;
        structure.rows_.append(vectors.rows());
        return structure;
    }

private:
    template <class Passes>
    void search(MatrixView<const float> queries, const Vectors<M>& vectors, const Passes& eligible,
                [[maybe_unused]] std::size_t k, Scratch& scratch) const {
        if constexpr (has_codes) {
            rows_.search(queries, vectors.rows(), eligible, k, scratch.codes, scratch.best);
        } else {
            detail::scan<M, Backend>(queries, vectors.rows(), eligible, std::span(scratch.best));
        }
    }

    Rows rows_;
};

}  // namespace detail

/// Exact nearest neighbours: compares the query with every vector.
///
///     auto index = Flat<Cosine>::build(vectors);
///     for (auto [id, score] : index.search(query, {.k = 10})) { ... }
///
/// Under Cosine, vectors are stored with unit length and scores lie in [-1, 1]. See Index for the functions.
///
/// Codes     F32: a search reads the vectors. Int8: it reads a copy of a quarter of the size, and scores those vectors
///           exactly that the copy cannot rule out. Results are the same to the bit. A scan of many vectors takes
///           a quarter of the time or less; of few, or with a large k, the gain is smaller.
///           Codes are not saved: both kinds of Flat read each other's files. At most 2^14 dimensions
/// Dim       the dimension of all vectors, or std::dynamic_extent
/// Backend   a HostBackend, or with F32 kernels::Device<System> (include ann/cuda/scan.cuh), which keeps a second copy
///           of the vectors in its own memory and has no allocation-free search
/// Cost      search: O(n d), and a batch reads the vectors once for up to 64 queries
///           memory: 4 d + 1 bytes per vector, with d rounded up to a multiple of 16; Int8: also d + 4 (L2: d + 8)
/// Errors    build: InvalidArgument also if the vectors do not have Dim elements, or more than Int8 can have
template <Metric M, std::size_t Dim = std::dynamic_extent, class Codes = F32, class Backend = kernels::DefaultBackend>
    requires((std::same_as<Codes, F32> && ScanBackend<Backend, M>) ||
             (std::same_as<Codes, Int8> && kernels::HostBackend<Backend>))
using Flat = Index<detail::FlatStructure<M, Dim, Codes, Backend>>;

}  // namespace ann
}  // namespace FUNNEL_ABI
}  // namespace funnel
