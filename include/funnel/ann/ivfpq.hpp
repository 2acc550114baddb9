// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/ann/index.hpp>
#include <funnel/ann/ivf_lists.hpp>
#include <funnel/ann/ivfpq_codes.hpp>
#include <funnel/ann/ivfpq_encoder.hpp>
#include <funnel/ann/list_search.hpp>
#include <funnel/ann/refine.hpp>
#include <funnel/ann/reservoir.hpp>
#include <funnel/ann/scan.hpp>
#include <funnel/ann/vectors.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/pq_scan.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ann {

struct IVFPQOptions {
    std::optional<std::size_t> lists = {};  ///< 1 to 2^24, fewer if there are fewer vectors; none: 2 sqrt(n)
    bool opq = false;                       ///< rotates the vectors first, so that codes lose less
    std::uint64_t seed = 0;                 ///< draws the training rows and the first centroids and codewords
    bool keep_vectors = true;               ///< false: keeps only codes, and a search returns their scores
    std::optional<double> balance = {};  ///< if set, build() makes no list larger than this many mean ones, at least 1
};

struct IVFPQSearchOptions {
    std::size_t k = 10;       ///< number of hits
    std::size_t nprobe = 16;  ///< lists to read, at least 1
    std::size_t refine = 10;  ///< scores up to this many candidates per hit exactly; 0: returns the scores of the codes
};

namespace detail {

/// The structure of IVFPQIndex: k-means lists of product codes.
template <ann::Metric Kind, std::size_t Dim, std::size_t M, std::size_t Bits, kernels::HostBackend Backend>
class IVFPQStructure {
    using Codes = ProductCodes<Kind, M, Bits>;

public:
    using Metric = Kind;
    using BuildOptions = IVFPQOptions;
    using SearchOptions = IVFPQSearchOptions;
    using Kernels = Backend;
    using Scratch = ListScratch<typename Codes::Query>;
    static constexpr IndexNames names{"IVFPQIndex::build", "IVFPQIndex::search", "IVFPQIndex::search_batch",
                                      "IVFPQIndex::add",   "IVFPQIndex::remove", "IVFPQIndex::replace"};
    static constexpr std::string_view kind = "ann.IVFPQ";
    static constexpr std::uint32_t layout_version = 2;  // 1: without codes_residuals
    static constexpr bool is_exact = false;
    static constexpr bool has_host_search = true;
    static constexpr std::size_t batch_grain = 8;

    static void check(const IVFPQOptions& options) { check_lists(options.lists, options.balance, "IVFPQIndex::build"); }
    [[nodiscard]] static bool keeps_rows(const IVFPQOptions& options) noexcept { return options.keep_vectors; }

    template <class E>
    [[nodiscard]] static IVFPQStructure build(const Vectors<Kind>& vectors, const IVFPQOptions& options, E&& executor) {
        const MatrixView<const float> rows = vectors.rows();
        const bool has_dimension = rows.rows() > 0 || rows.cols() > 0;
        require_equal(has_dimension ? rows.cols() : Dim, Dim, "IVFPQIndex::build: number of columns");
        IVFPQStructure structure;
        structure.options_ = options;
        structure.options_.lists = number_of_lists(options.lists, rows.rows());
        if (!has_dimension) {
            return structure;
        }
        structure.encoder_ =
            rows.rows() == 0
                ? Encoder::untrained(options.opq)
                : Encoder::train(
                      rows, {.clusters = *structure.options_.lists, .seed = options.seed, .balance = options.balance},
                      options.opq, executor);
        structure.lists_ = InvertedLists<Codes>(structure.encoder_.centroids().rows(), Codes());
        const std::vector<std::uint32_t> list_of = structure.encoder_.divide(rows, options.balance, executor);
        for (std::size_t begin = 0; begin < rows.rows(); begin += encoded_together) {
            const std::size_t count = std::min(encoded_together, rows.rows() - begin);
            structure.append(rows.rows_from(begin, count), std::span(list_of).subspan(begin, count), executor);
        }
        return structure;
    }

    /// Lists and codes that another library made.
    ///
    /// Shapes    list_of: n, below the number of centroids;  codes: n x M, below 2^Bits
    [[nodiscard]] static IVFPQStructure import(const Vectors<Kind>& vectors, const ProductParts& parts,
                                               std::span<const std::uint32_t> list_of,
                                               std::span<const std::uint8_t> codes) {
        const std::size_t lists = parts.centroids.rows();
        require_between(lists, 1, most_lists, "IVFPQIndex::import: number of centroids");
        require_equal(list_of.size(), vectors.count(), "IVFPQIndex::import: size of list_of");
        require_equal(codes.size(), M * vectors.count(), "IVFPQIndex::import: number of codes");
        IVFPQStructure structure;
        structure.options_ = {.lists = lists, .opq = parts.rotation.rows() > 0, .keep_vectors = vectors.has_rows()};
        structure.encoder_ = Encoder::import(parts);
        structure.lists_ = InvertedLists<Codes>(lists, Codes());
        for (std::size_t id = 0; id < list_of.size(); ++id) {
            require_below(list_of[id], lists, "IVFPQIndex::import: list of a vector");
            const auto own = codes.subspan(id * M, M);
            for (const std::uint8_t code : own) {
                require_below(code, Quantiser::codewords, "IVFPQIndex::import: code");
            }
            structure.append(list_of[id], own);
        }
        return structure;
    }

    [[nodiscard]] IVFPQOptions options() const noexcept { return options_; }

    [[nodiscard]] std::size_t memory_bytes() const noexcept { return lists_.memory_bytes() + encoder_.memory_bytes(); }

    [[nodiscard]] static std::size_t memory_estimate(std::size_t n, std::size_t, const IVFPQOptions& options) {
        const std::size_t lists = std::clamp<std::size_t>(n, 1, number_of_lists(options.lists, n));
        const std::size_t half_a_block = kernels::code_block / 2 * M * Bits / 8;
        return n * (Codes::bytes_per_vector() + 3 * sizeof(std::uint32_t)) + lists * half_a_block +
               Encoder::memory_estimate(lists, options.opq);
    }

    [[nodiscard]] static bool accepts(const IVFPQSearchOptions& options) noexcept { return options.nprobe >= 1; }
    static void reject(const IVFPQSearchOptions& options, const char* function) {
        require_at_least(options.nprobe, 1, (std::string(function) + ": nprobe").c_str());
    }

    void reserve(Scratch& scratch, const IVFPQSearchOptions& options, bool) const {
        scratch.reserve(lists_.size(), wanted(options, options.k));
        encoder_.centroid_codes().reserve(scratch.centroid_query);
        Encoder::reserve(scratch.query);
    }

    // Scoring the codes of all lists takes less time than asking the filter about all vectors.
    [[nodiscard]] bool prefers_scan(const IVFPQSearchOptions& options, double share, double) const noexcept {
        const auto n = static_cast<double>(lists_.list_of().size());
        return options_.keep_vectors && share * n <= static_cast<double>(wanted(options, options.k));
    }

    template <class Passes>
    std::size_t find(std::span<const float> query, const Vectors<Kind>& vectors, const IVFPQSearchOptions& options,
                     const Passes& eligible, double share, Scratch& scratch, std::span<Scored<>> out) const {
        reserve(scratch, options, true);
        const bool refines = options.refine > 0 && vectors.has_rows();
        Reservoir candidates = scratch.reservoir(wanted(options, out.size()));
        read(query, options.nprobe, share, out.size(), eligible, candidates, scratch);
        if (refines) {
            return refine_likely<Kind, Backend>(query, vectors.rows(), candidates.best(), scratch.exact, out,
                                                scratch.stats.distances)
                .size();
        }
        return take_best(candidates, out);
    }

    template <class Passes>
    std::size_t scan(std::span<const float> query, const Vectors<Kind>& vectors, const Passes& eligible,
                     Scratch& scratch, std::span<Scored<>> out) const {
        if (vectors.has_rows()) {
            return detail::scan<Kind, Backend>(query, vectors.rows(), eligible, out).size();
        }
        const IVFPQSearchOptions all{.k = out.size(), .nprobe = lists_.size(), .refine = 0};
        reserve(scratch, all, true);
        Reservoir candidates = scratch.reservoir(out.size());
        read(query, all.nprobe, 1.0, out.size(), eligible, candidates, scratch);
        return take_best(candidates, out);
    }

    void append(const Vectors<Kind>& vectors) {
        const MatrixView<const float> row(vectors.last(), 1, Dim);
        Serial serial;
        append(row, encoder_.assign(row, serial), serial);
    }

    void remove(std::uint32_t id) noexcept { lists_.remove(id); }

    void replace(std::uint32_t id, std::span<const float> vector, Vectors<Kind>& vectors) {
        const MatrixView<const float> row(vector, 1, Dim);
        Serial serial;
        const std::vector<std::uint32_t> list = encoder_.assign(row, serial);
        const std::vector<std::uint8_t> codes = encoder_.encode(row, list, serial);
        lists_.replace(id, list[0], [&](Codes& sequence) { sequence.append(codes, encoder_.penalty(list[0], codes)); });
        vectors.set(id, vector);
    }

    template <class Writer>
    void write(Writer& file) const {
        file.value("parts", std::uint64_t{M});
        file.value("bits", std::uint64_t{Bits});
        file.value("lists", std::uint64_t{options_.lists.value_or(1)});
        file.value("opq", std::uint8_t{options_.opq});
        file.value("seed", options_.seed);
        file.value("keep_vectors", std::uint8_t{options_.keep_vectors});
        write_balance(file, options_.balance);
        encoder_.write(file);
        file.array("list_of", lists_.list_of());
        std::vector<std::size_t> rank(lists_.list_of().size());  // among the vectors that were not removed
        std::size_t live = 0;
        for (std::size_t id = 0; id < rank.size(); ++id) {
            rank[id] = live;
            live += lists_.list_of()[id] == no_list ? 0U : 1U;
        }
        std::vector<std::uint8_t> codes(live * M);
        for (std::size_t list = 0; list < lists_.size(); ++list) {
            for (std::size_t i = 0; i < lists_.ids(list).size(); ++i) {
                for (std::size_t m = 0; m < M; ++m) {
                    codes[rank[lists_.ids(list)[i]] * M + m] = lists_.codes(list).code(i, m);
                }
            }
        }
        file.array_copy("codes", std::span<const std::uint8_t>(codes));
    }

    template <class Reader>
    [[nodiscard]] static IVFPQStructure read(const Reader& file, const Vectors<Kind>& vectors) {
        const auto flag = [&](const char* name) {
            const auto value = file.template value<std::uint8_t>(name);
            file.check(value <= 1, name, "must be 0 or 1");
            return value == 1;
        };
        IVFPQStructure structure;
        file.check(file.template value<std::uint64_t>("parts") == M, "parts", "must be " + std::to_string(M));
        file.check(file.template value<std::uint64_t>("bits") == Bits, "bits", "must be " + std::to_string(Bits));
        const bool has_dimension = vectors.count() > 0 || vectors.dimension() > 0;
        file.check(!has_dimension || vectors.dimension() == Dim, "centroids",
                   "the dimension must be " + std::to_string(Dim));
        const auto most = file.template value<std::uint64_t>("lists");
        file.check(most >= 1 && most <= most_lists, "lists", "must lie in [1, 2^24]");
        structure.options_ = {.lists = most,
                              .opq = flag("opq"),
                              .seed = file.template value<std::uint64_t>("seed"),
                              .keep_vectors = flag("keep_vectors"),
                              .balance = read_balance(file)};
        structure.encoder_ = Encoder::read(file, most, vectors.dimension(), structure.options_.opq);
        const std::size_t lists = structure.encoder_.centroids().rows();
        structure.lists_ = InvertedLists<Codes>(lists, Codes());
        const auto list_of = file.template array<std::uint32_t>("list_of", vectors.count());
        const auto codes = file.template array<std::uint8_t>("codes", vectors.live() * M);
        std::size_t at = 0;
        for (std::size_t id = 0; id < list_of.size(); ++id) {
            file.check(vectors.is_live(id) ? list_of[id] < lists : list_of[id] == no_list, "list_of",
                       "must name a list for each vector that was not removed");
            const std::size_t size = list_of[id] == no_list ? 0 : M;
            const auto own = std::span(codes).subspan(at, size);
            for (const std::uint8_t code : own) {
                file.check(code < Quantiser::codewords, "codes", "must be below 2^bits");
            }
            structure.append(list_of[id], own);
            at += size;
        }
        return structure;
    }

private:
    using Encoder = ProductEncoder<Kind, Dim, M, Bits, Backend>;
    using Quantiser = typename Encoder::Quantiser;
    static constexpr std::size_t encoded_together = 4096;

    template <class E>
    void append(MatrixView<const float> rows, std::span<const std::uint32_t> list_of, E& executor) {
        const std::vector<std::uint8_t> codes = encoder_.encode(rows, list_of, executor);
        for (std::size_t i = 0; i < rows.rows(); ++i) {
            append(list_of[i], std::span(codes).subspan(i * M, M));
        }
    }

    void append(std::uint32_t list, std::span<const std::uint8_t> codes) {
        lists_.append(list, [&](Codes& sequence) { sequence.append(codes, encoder_.penalty(list, codes)); });
    }

    [[nodiscard]] std::size_t wanted(const IVFPQSearchOptions& options, std::size_t hits) const noexcept {
        const std::size_t per_hit = options_.keep_vectors ? std::max<std::size_t>(options.refine, 1) : 1;
        return wanted_candidates(lists_.list_of().size(), per_hit, hits);
    }

    template <class Passes>
    void read(std::span<const float> query, std::size_t nprobe, double share, std::size_t hits, const Passes& eligible,
              Reservoir& candidates, Scratch& scratch) const {
        encoder_.prepare(query, scratch.query);
        const auto above = [&](float centroid, const Codes& codes, std::size_t begin, std::size_t end, float threshold,
                               std::span<Scored<>> survivors) {
            const float offset = encoder_.codes_residuals() ? centroid : 0.0F;
            const std::size_t count =
                codes.template above<Backend>(scratch.query, offset, begin, end, threshold, survivors);
            for (Scored<>& survivor : survivors.first(count)) {
                survivor.score = bounded<Kind>(survivor.score);
            }
            return count;
        };
        read_lists<Kind, Backend, Codes::block>(lists_, encoder_.centroids(), encoder_.centroid_codes(), query, nprobe,
                                                share, hits, lists_.list_of().size(), eligible, candidates, scratch,
                                                above);
    }

    IVFPQOptions options_;
    Encoder encoder_;
    InvertedLists<Codes> lists_;
};

}  // namespace detail

/// Approximate nearest neighbours in little memory: an inverted file whose lists store each vector in M codes of 8 or 4
/// bits (product quantisation of the difference to the centroid of its list).
///
///     auto index = IVFPQIndex<64, 8, Cosine>::build(vectors, {.lists = 256, .opq = true}, pool);
///     for (auto [id, score] : index.search(query, {.k = 10, .nprobe = 16})) { ... }
///
/// A search scores codes, and then the best refine * k candidates exactly, from the vectors. It passes over candidates
/// that are unlikely to be hits: those of the best codes, scored first, show how large the errors of codes are. With
/// refine = 0, and without vectors (keep_vectors = false), the scores are those of the codes. Codes of 8 bytes per
/// vector alone find about two thirds of the 100 nearest of 100,000 vectors, so refine is on by default.
///
/// A search returns min(k, size()) hits: it reads more lists if those hold fewer. A filtered search returns k hits
/// whenever at least k vectors pass the filter. The index is bit-identical for any number of threads, and a search does
/// not depend on the order in which vectors were added or removed.
///
/// See Index for the functions. build rejects vectors of another dimension than Dim. remove() takes a vector out of its
/// list. Lists and codewords do not change when vectors are added: build again after the data has changed its shape. An
/// index that was built without vectors has one list, and all its codes are equal. See IVFFlat for `balance`.
/// ann/import_ivfpq.hpp reads an IndexIVFPQ of FAISS.
///
/// build copies all vectors before it drops them. Dim must be a multiple of M. This header needs Eigen, for opq.
///
/// Bits      8: tables of 256 entries, 16 bits each;  4: tables of 16 entries in registers, 8 bits each. At the same
///           number of bytes per vector, 4 bits are faster and lose more
/// Cost      search: Dim (lists + 2^Bits) + M n nprobe / lists look-ups;  memory: M Bits / 8 bytes per vector, 4 more
///           unless Kind is InnerProduct, 13 for ids, and 4 Dim for the vectors unless keep_vectors is false
/// Source    Jegou, Douze & Schmid, "Product quantization for nearest neighbor search", TPAMI 2011 (section IV)
template <std::size_t Dim, std::size_t M, Metric Kind = L2, std::size_t Bits = 8,
          kernels::HostBackend Backend = kernels::DefaultBackend>
using IVFPQIndex = Index<detail::IVFPQStructure<Kind, Dim, M, Bits, Backend>>;

}  // namespace ann
}  // namespace FUNNEL_ABI
}  // namespace funnel
