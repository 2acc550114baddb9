// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/ann/index.hpp>
#include <funnel/ann/scan.hpp>
#include <funnel/ann/vectors.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/kernels/backend.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ann {

struct FlatOptions {};

struct FlatSearchOptions {
    std::size_t k = 10;  ///< number of hits
};

namespace detail {

/// The structure of Flat: none, but for a backend's copy of the vectors.
template <ann::Metric M, ScanBackend<M> Backend>
class FlatStructure {
public:
    using Metric = M;
    using BuildOptions = FlatOptions;
    using SearchOptions = FlatSearchOptions;
    using Kernels = Backend;
    struct Scratch {};
    static constexpr IndexNames names{"Flat::build", "Flat::search", "Flat::search_batch", "Flat::add", "Flat::remove"};
    static constexpr std::string_view kind = "ann.Flat";
    static constexpr std::uint32_t layout_version = 1;
    static constexpr bool is_exact = true;
    static constexpr bool has_host_search = kernels::HostBackend<Backend>;
    static constexpr std::size_t batch_grain = 1;

    static void check(const FlatOptions&) noexcept {}
    template <class E>
    [[nodiscard]] static FlatStructure build(const Vectors<M>& vectors, const FlatOptions&, E&&) {
        FlatStructure structure;
        structure.scan_rows_.append(vectors.rows());
        return structure;
    }

    [[nodiscard]] FlatOptions options() const noexcept { return {}; }
    [[nodiscard]] std::size_t memory_bytes() const noexcept { return 0; }
    [[nodiscard]] static std::size_t memory_estimate(std::size_t, std::size_t, const FlatOptions&) noexcept {
        return 0;
    }
    [[nodiscard]] static bool accepts(const FlatSearchOptions&) noexcept { return true; }
    static void reject(const FlatSearchOptions&, const char*) noexcept {}
    void reserve(Scratch&, const FlatSearchOptions&, bool) const noexcept {}

    template <class Passes>
    std::size_t scan(std::span<const float> query, const Vectors<M>& vectors, const Passes& eligible, Scratch&,
                     std::span<Scored<>> out) const {
        return scan_rows_.search(query, vectors.rows(), eligible, out).size();
    }

    void append(const Vectors<M>& vectors) { scan_rows_.append(vectors.rows().rows_from(vectors.count() - 1, 1)); }

    template <class Writer>
    void write(Writer&) const noexcept {}
    template <class Reader>
    [[nodiscard]] static FlatStructure read(const Reader&, const Vectors<M>& vectors) {
        return build(vectors, {}, 0);
    }

private:
    ScanRows<M, Backend> scan_rows_;
};

}  // namespace detail

/// Exact nearest neighbours: compares the query with every vector.
///
///     auto index = Flat<Cosine>::build(vectors);
///     for (auto [id, score] : index.search(query, {.k = 10})) { ... }
///
/// Under Cosine, vectors are stored with unit length and scores lie in [-1, 1]. See Index for the functions.
///
/// Backend   a HostBackend, or kernels::Device<System> (include ann/cuda/scan.cuh), which keeps a second copy of the
///           vectors in its own memory and has no allocation-free search
/// Cost      search: O(n d);  memory 4 d + 1 bytes per vector, with d rounded up to a multiple of 16
template <Metric M, ScanBackend<M> Backend = kernels::DefaultBackend>
using Flat = Index<detail::FlatStructure<M, Backend>>;

}  // namespace ann
}  // namespace FUNNEL_ABI
}  // namespace funnel
