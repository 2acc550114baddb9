// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/ann/centroid_codes.hpp>
#include <funnel/ann/code_types.hpp>
#include <funnel/ann/codes.hpp>
#include <funnel/ann/index.hpp>
#include <funnel/ann/ivf_lists.hpp>
#include <funnel/ann/list_search.hpp>
#include <funnel/ann/refine.hpp>
#include <funnel/ann/reservoir.hpp>
#include <funnel/ann/scan.hpp>
#include <funnel/ann/vectors.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/core/top_k.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/quantise/int8.hpp>
#include <funnel/quantise/kmeans.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ann {

struct IVFOptions {
    std::optional<std::size_t> lists = {};  ///< 1 to 2^24, fewer if there are fewer vectors; none: 2 sqrt(n)
    std::uint64_t seed = 0;                 ///< draws the training rows and the first centroids
    std::size_t rows_per_list = 128;        ///< k-means trains on at most this many rows per list
    std::optional<double> balance = {};  ///< if set, build() makes no list larger than this many mean ones, at least 1
};

struct IVFSearchOptions {
    std::size_t k = 10;       ///< number of hits
    std::size_t nprobe = 16;  ///< lists to read, at least 1
    std::size_t refine = 3;   ///< scores up to this many candidates per hit exactly; 0: returns the scores of the codes
};

namespace detail {

/// The structure of IVFFlat: k-means lists of codes.
template <ann::Metric M, std::size_t Dim, CodeType Codes, kernels::HostBackend Backend>
class IVFStructure {
    using Sequence = CodeSequence<Codes, M, Dim, Backend>;

public:
    using Metric = M;
    using BuildOptions = IVFOptions;
    using SearchOptions = IVFSearchOptions;
    using Kernels = Backend;
    using Scratch = ListScratch<typename Sequence::Query>;
    static constexpr IndexNames names{"IVFFlat::build", "IVFFlat::search", "IVFFlat::search_batch",
                                      "IVFFlat::add",   "IVFFlat::remove", "IVFFlat::replace"};
    static constexpr std::string_view kind = "ann.IVFFlat";
    static constexpr std::uint32_t layout_version = 1;
    static constexpr bool is_exact = false;
    static constexpr bool scans_codes = std::same_as<Codes, Int8>;
    static constexpr bool has_host_search = true;
    static constexpr std::size_t batch_grain = 8;

    static void check(const IVFOptions& options) {
        check_lists(options.lists, options.balance, "IVFFlat::build");
        require_at_least(options.rows_per_list, 1, "IVFFlat::build: rows_per_list");
    }

    template <class E>
    [[nodiscard]] static IVFStructure build(const Vectors<M>& vectors, const IVFOptions& options, E&& executor) {
        const auto rows = vectors.rows();
        if (const std::string defect = defect_of_dimension<Dim, Codes>(rows.cols()); !defect.empty()) {
            raise<InvalidArgument>("IVFFlat::build: " + defect);
        }
        IVFStructure structure;
        structure.options_ = options;
        structure.options_.lists = number_of_lists(options.lists, rows.rows());
        structure.kmeans_ = KMeans::fit(rows,
                                        {.clusters = *structure.options_.lists,
                                         .iterations = iterations,
                                         .seed = options.seed,
                                         .rows_per_cluster = options.rows_per_list,
                                         .balance = options.balance},
                                        executor);
        if (rows.rows() == 0 && rows.cols() > 0) {
            structure.kmeans_ = KMeans(Matrix<float>(1, rows.cols()));  // one list for all that is added
        }
        structure.quantiser_ = Quantiser::train(rows);
        if (rows.rows() > 0) {
            structure.fill(vectors, divide(structure.kmeans_, rows, options.balance, executor));
        } else {
            structure.fill(vectors, {});
        }
        return structure;
    }

    /// Lists that another library made: their centroids, and the list of each vector.
    [[nodiscard]] static IVFStructure import(const Vectors<M>& vectors, MatrixView<const float> centroids,
                                             std::span<const std::uint32_t> list_of) {
        IVFStructure structure;
        structure.options_.lists = std::max<std::size_t>(centroids.rows(), 1);
        structure.kmeans_ = centroids.rows() > 0 ? KMeans(centroids) : KMeans(Matrix<float>(1, centroids.cols()));
        structure.quantiser_ = Quantiser::train(vectors.rows());
        structure.fill(vectors, list_of);
        return structure;
    }

    [[nodiscard]] IVFOptions options() const noexcept { return options_; }

    [[nodiscard]] std::size_t memory_bytes() const noexcept {
        const auto centroids = kmeans_.centroids();
        return lists_.memory_bytes() + quantiser_.memory_bytes() + centroid_codes_.memory_bytes() +
               centroids.rows() * centroids.stride() * sizeof(float);
    }

    [[nodiscard]] static std::size_t memory_estimate(std::size_t n, std::size_t dimension, const IVFOptions& options) {
        const std::size_t centroids = std::clamp<std::size_t>(n, 1, number_of_lists(options.lists, n));
        return n * (Sequence::bytes_per_vector(dimension) + 3 * sizeof(std::uint32_t)) +
               centroids * Matrix<float>(0, dimension).stride() * sizeof(float) +
               CentroidCodes<M, Backend>::memory_estimate(centroids, dimension);
    }

    [[nodiscard]] static bool accepts(const IVFSearchOptions& options) noexcept { return options.nprobe >= 1; }
    static void reject(const IVFSearchOptions& options, const char* function) {
        require_at_least(options.nprobe, 1, (std::string(function) + ": nprobe").c_str());
    }

    void reserve(Scratch& scratch, const IVFSearchOptions& options, bool) const {
        scratch.reserve(lists_.size(), wanted(options, options.k));
        centroid_codes_.reserve(scratch.centroid_query);
        quantiser_.reserve(scratch.query);
    }

    // Reading lists scores all of their vectors, at a fraction of the cost each, and asks the filter only about those
    // that are candidates.
    [[nodiscard]] bool prefers_scan(const IVFSearchOptions& options, double share, double cost) const noexcept {
        const auto n = static_cast<double>(lists_.list_of().size());
        const auto few = static_cast<double>(wanted(options, options.k));
        const std::size_t lists = wanted_lists(lists_.size(), options.nprobe, share);
        const double read = static_cast<double>(lists) / static_cast<double>(lists_.size());
        return share * n <= few || read * reading_cost(Sequence::cost, share) >= cost;
    }

    template <class Passes>
    std::size_t find(std::span<const float> query, const Vectors<M>& vectors, const IVFSearchOptions& options,
                     const Passes& eligible, double share, Scratch& scratch, std::span<Scored<>> out) const {
        const bool refines = !Sequence::is_exact && options.refine > 0;
        if (refines && options.nprobe >= lists_.size()) {
            return 0;  // all lists, exactly: a scan
        }
        reserve(scratch, options, true);
        quantiser_.prepare(query, scratch.query);
        Reservoir candidates = reservoir(options, scratch, out.size());
        const auto above = [&](float, const Sequence& codes, std::size_t begin, std::size_t end, float threshold,
                               std::span<Scored<>> survivors) {
            const std::size_t count = codes.above(scratch.query, begin, end, threshold, survivors);
            if constexpr (Sequence::is_exact) {
                bound_scores(survivors.first(count));
            }
            return count;
        };
        // Per vector. A callable may be asked about most of them if codes are floats, and not in the order of ids, as a
        // scan asks.
        const double asking = scans_codes || Passes::lists_ids ? 0.0 : 2.0 * call_cost;
        const double most = Passes::scan_cost(share, scans_codes) / (Sequence::cost + asking);
        if (!read_lists<M, Backend, Sequence::block>(
                lists_, kmeans_.centroids(), centroid_codes_, query, options.nprobe, share, out.size(),
                static_cast<std::size_t>(most * static_cast<double>(lists_.list_of().size())), eligible, candidates,
                scratch, above)) {
            return 0;
        }
        if (refines) {
            scratch.stats.distances += candidates.best().size();
            return refine<M, Backend>(query, vectors.rows(), candidates.best(), out).size();
        }
        if constexpr (!Sequence::is_exact) {
            bound_scores(candidates.best());
        }
        return take_best(candidates, out);
    }

    template <class Passes>
    std::size_t scan(std::span<const float> query, const Vectors<M>& vectors, const Passes& eligible,
                     [[maybe_unused]] Scratch& scratch, std::span<Scored<>> out) const {
        if constexpr (scans_codes) {
            return scan_codes(query, vectors.rows(), eligible, scratch.query, out);
        } else {
            return detail::scan<M, Backend>(query, vectors.rows(), eligible, out).size();
        }
    }

    void append(const Vectors<M>& vectors) {
        const MatrixView<const float> row(vectors.last(), 1, vectors.dimension());
        append(kmeans_.assign(row)[0], vectors.last());
    }

    void remove(std::uint32_t id) noexcept { lists_.remove(id); }

    void replace(std::uint32_t id, std::span<const float> vector, Vectors<M>& vectors) {
        const MatrixView<const float> row(vector, 1, vector.size());
        lists_.replace(id, kmeans_.assign(row)[0], [&](Sequence& codes) { append(codes, vector); });
        vectors.set(id, vector);
    }

    template <class Writer>
    void write(Writer& file) const {
        file.value("lists", std::uint64_t{options_.lists.value_or(1)});
        file.value("seed", options_.seed);
        file.value("rows_per_list", std::uint64_t{options_.rows_per_list});
        write_balance(file, options_.balance);
        file.matrix("centroids", kmeans_.centroids());
        file.array("list_of", lists_.list_of());
        quantiser_.write(file);
    }

    template <class Reader>
    [[nodiscard]] static IVFStructure read(const Reader& file, const Vectors<M>& vectors) {
        const std::string defect = defect_of_dimension<Dim, Codes>(vectors.dimension());
        file.check(defect.empty(), "vectors", defect);
        IVFStructure structure;
        const auto lists = file.template value<std::uint64_t>("lists");
        structure.options_.lists = lists;
        structure.options_.seed = file.template value<std::uint64_t>("seed");
        structure.options_.rows_per_list = file.template value<std::uint64_t>("rows_per_list");
        structure.options_.balance = read_balance(file);
        const auto centroids = file.template matrix<float>("centroids");
        file.check(
            lists <= most_lists && centroids.rows() <= lists && (centroids.rows() > 0 || vectors.dimension() == 0),
            "centroids", "must be 1 to 2^24, and not more than lists");
        file.check(structure.options_.rows_per_list >= 1, "rows_per_list", "must be at least 1");
        file.check(centroids.cols() == vectors.dimension(), "centroids", "must have the dimension of the vectors");
        for (std::size_t i = 0; i < centroids.rows(); ++i) {
            file.check(defect_of<L2>(centroids.row(i)) == nullptr, "centroids", "must be finite and not too long");
        }
        structure.kmeans_ = KMeans(centroids);
        structure.quantiser_ = Quantiser::read(file, vectors.dimension());
        const auto list_of = file.template array<std::uint32_t>("list_of", vectors.count());
        for (std::size_t id = 0; id < list_of.size(); ++id) {
            file.check(vectors.is_live(id) ? list_of[id] < centroids.rows() : list_of[id] == no_list, "list_of",
                       "must name a list for each vector that was not removed");
        }
        structure.fill(vectors, list_of);
        return structure;
    }

private:
    using KMeans = quantise::KMeans<Backend>;
    using Quantiser = typename Sequence::Quantiser;
    static constexpr std::size_t iterations = 10;
    static constexpr bool has_margin =
        requires(const typename Sequence::Query& query) { Sequence::margin(query, 1.0F); };

    void fill(const Vectors<M>& vectors, std::span<const std::uint32_t> list_of) {
        centroid_codes_ = CentroidCodes<M, Backend>(kmeans_.centroids());
        lists_ = InvertedLists<Sequence>(kmeans_.centroids().rows(), Sequence(vectors.dimension()));
        for (std::size_t id = 0; id < list_of.size(); ++id) {
            append(list_of[id], vectors.rows().row(id));
        }
    }

    void append(std::uint32_t list, std::span<const float> row) {
        lists_.append(list, [&](Sequence& codes) { append(codes, row); });
    }

    void append(Sequence& codes, std::span<const float> row) {
        codes.append(quantiser_, row);
        if constexpr (has_margin) {
            largest_scale_ = std::max(largest_scale_, codes.largest_scale());
        }
    }

    [[nodiscard]] std::size_t wanted(const IVFSearchOptions& options, std::size_t hits) const noexcept {
        const std::size_t per_hit = Sequence::is_exact ? 1 : std::max<std::size_t>(options.refine, 1);
        return wanted_candidates(lists_.list_of().size(), per_hit, hits);
    }

    [[nodiscard]] Reservoir reservoir(const IVFSearchOptions& options, Scratch& scratch, std::size_t hits) const {
        if constexpr (has_margin) {
            return scratch.reservoir(wanted(options, hits), hits, Sequence::margin(scratch.query, largest_scale_));
        } else {
            return scratch.reservoir(wanted(options, hits));
        }
    }

    // All lists, exactly.
    template <class Passes>
    std::size_t scan_codes(std::span<const float> query, MatrixView<const float> rows, const Passes& eligible,
                           typename Sequence::Query& prepared, std::span<Scored<>> out) const {
        TopK<> best(out);
        double longest = 0.0;
        double largest_error = 0.0;
        for (std::size_t list = 0; list < lists_.size(); ++list) {
            longest = std::max(longest, lists_.codes(list).longest());
            largest_error = std::max(largest_error, lists_.codes(list).largest_error());
        }
        quantiser_.prepare(query, prepared);
        prepared.candidates.start({prepared, query.size(), quantiser_.mean_length(), longest, largest_error},
                                  out.size());
        for (std::size_t list = 0; list < lists_.size(); ++list) {
            const std::span<const std::uint32_t> ids = lists_.ids(list);
            const auto id_of = [&](std::size_t position) { return ids[position]; };
            for (std::size_t begin = 0; begin < ids.size(); begin += Sequence::block) {
                const std::size_t end = std::min(ids.size(), begin + Sequence::block);
                lists_.codes(list).offer(std::span(&prepared, 1), begin, end, id_of, eligible);
                prepared.candidates.end_block(query, rows, best);
            }
        }
        prepared.candidates.finish(query, rows, best);
        return best.finish().size();
    }

    static void bound_scores(std::span<Scored<>> hits) noexcept {
        for (Scored<>& hit : hits) {
            hit.score = bounded<M>(hit.score);
        }
    }

    IVFOptions options_;
    KMeans kmeans_;
    CentroidCodes<M, Backend> centroid_codes_;
    Quantiser quantiser_;
    InvertedLists<Sequence> lists_;
    float largest_scale_ = 0.0F;  // of all codes, removed ones included
};

}  // namespace detail

/// Approximate nearest neighbours by an inverted file: k-means divides the vectors into lists, and a search reads only
/// the lists whose centroids are nearest to the query.
///
///     auto index = IVFFlat<Cosine>::build(vectors, {.lists = 256, .seed = 1}, pool);
///     for (auto [id, score] : index.search(query, {.k = 10, .nprobe = 16})) { ... }
///
/// A search returns min(k, size()) hits: it reads more lists if those hold fewer. A filtered search returns k hits
/// whenever at least k vectors pass the filter; it reads more lists if few of the vectors near the query pass. A larger
/// nprobe increases recall; with nprobe >= lists the result is exact, unless the lists hold codes and refine is 0. The
/// index is bit-identical for any number of threads, and a search does not depend on the order in which vectors were
/// added or removed.
///
/// Lists are those of k-means under Euclidean distance, whatever the metric; under Cosine, of the vectors of unit
/// length. Under InnerProduct and Cosine, a search reads the lists whose centroids have the largest inner product with
/// the query.
///
/// Codes     how lists store a copy of their vectors. F32: exactly. Int8, F16: a byte or a float of 16 bits per element
///           and a scale per vector; a search then scores up to refine * k candidates again, exactly: those that the
///           errors of their codes may have kept from the hits
///
/// See Index for the functions. remove() takes a vector out of its list, so that later searches are faster. The lists
/// do not change when vectors are added or replaced: build again after the data has changed its shape. An index that
/// was built without vectors has one list.
///
/// Balance   bounds the lists that build() makes: vectors of a list that would have more go to the list of a centroid
///           that is less near. add() and replace() choose the nearest centroid, whatever the size of its list
///
/// Cost      build: 14 rows_per_list lists^2 d + n lists d;  search: d (lists + n nprobe / lists);  memory: codes, and
///           4 d + 13 bytes per vector, with d rounded up to a multiple of 16
/// Source    Sivic & Zisserman, "Video Google", ICCV 2003; Jegou, Douze & Schmid, "Product quantization for nearest
///           neighbor search", TPAMI 2011 (section IV)
template <Metric M, std::size_t Dim = std::dynamic_extent, CodeType Codes = F32,
          kernels::HostBackend Backend = kernels::DefaultBackend>
using IVFFlat = Index<detail::IVFStructure<M, Dim, Codes, Backend>>;

}  // namespace ann
}  // namespace FUNNEL_ABI
}  // namespace funnel
