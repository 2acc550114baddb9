// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/ann/import.hpp>
#include <funnel/ann/index.hpp>
#include <funnel/ann/ivf_lists.hpp>
#include <funnel/ann/ivfpq.hpp>
#include <funnel/ann/ivfpq_encoder.hpp>
#include <funnel/ann/vectors.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/io/faiss.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/quantise/opq.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ann {

namespace detail {

/// What the type of an IVFPQIndex fixes.
struct IVFPQShape {
    std::size_t dimension = 0;
    std::size_t parts = 0;
    std::size_t bits = 0;
};

template <class Index>
inline constexpr IVFPQShape ivfpq_shape{};
template <Metric Kind, std::size_t Dim, std::size_t M, std::size_t Bits, kernels::HostBackend Backend>
inline constexpr IVFPQShape ivfpq_shape<Index<IVFPQStructure<Kind, Dim, M, Bits, Backend>>>{Dim, M, Bits};

inline void check_shape(const std::string& path, const IVFPQShape& shape, const io::FaissIVF& file) {
    const auto check = [&](const char* what, std::size_t found, std::size_t expected) {
        if (found != expected) {
            raise<CorruptData>(path + ": the index has " + std::to_string(found) + " " + what + ", not " +
                               std::to_string(expected) + " as the IVFPQIndex");
        }
    };
    if (file.sub_quantisers == 0) {
        raise<CorruptData>(path + ": the index holds vectors, no codes of product quantisation: see import_faiss_ivf");
    }
    check("dimensions", file.centroids.cols(), shape.dimension);
    check("parts per code", file.sub_quantisers, shape.parts);
    check("bits per part", file.bits, shape.bits);
}

// Codewords of which no combination is longer than a vector may be.
inline void check_codewords(const std::string& path, MatrixView<const float> codewords, std::size_t parts) {
    check_imported<L2>(path, codewords, "codeword");
    const std::size_t size = codewords.rows() / parts;
    double squares = 0.0;
    for (std::size_t m = 0; m < parts; ++m) {
        double longest = 0.0;
        for (std::size_t c = 0; c < size; ++c) {
            longest = std::max(longest, squared_length(codewords.row(m * size + c)));
        }
        squares += longest;
    }
    if (squares > max_squared_length) {
        raise<CorruptData>(path + ": codewords are too long: a decoded vector must not be longer than 2^62");
    }
}

// FAISS rotates vectors before it divides them into lists, IVFPQIndex what remains of them: so centroids are turned
// back by the transposed rotation.
[[nodiscard]] inline Matrix<float> turned_back(MatrixView<const float> centroids, MatrixView<const float> rotation) {
    Matrix<float> turned(centroids.rows(), centroids.cols());
    for (std::size_t i = 0; i < centroids.rows(); ++i) {
        std::vector<double> sum(centroids.cols());
        for (std::size_t k = 0; k < centroids.cols(); ++k) {
            for (std::size_t j = 0; j < sum.size(); ++j) {
                sum[j] += static_cast<double>(centroids(i, k)) * static_cast<double>(rotation(k, j));
            }
        }
        std::transform(sum.begin(), sum.end(), turned.row(i).begin(), [](double x) { return static_cast<float>(x); });
    }
    return turned;
}

// Adds the parts of a code, which FAISS packs from the lowest bits on.
inline void unpack(std::span<const std::uint8_t> code, const IVFPQShape& shape, std::vector<std::uint8_t>& out) {
    for (std::size_t m = 0; m < shape.parts; ++m) {
        const unsigned byte = code[m * shape.bits / 8];
        out.push_back(static_cast<std::uint8_t>(shape.bits == 8 ? byte : byte >> (m % 2 * 4) & 15U));
    }
}

}  // namespace detail

/// Reads an IndexIVFPQ that FAISS saved (write_index), also behind an OPQMatrix or a RandomRotationMatrix.
///
///     auto [index, labels] = import_faiss_ivfpq<IVFPQIndex<64, 8, L2>>("ivfpq.index");
///     auto hits = index.search(query, {.k = 10, .nprobe = 16});   // labels[hits[0].id] is the id of FAISS
///
/// The file has codes, but no vectors: the index is as one that was built with keep_vectors = false, and `refine` does
/// nothing. Scores differ from those of FAISS by the rounding of tables (quantise::round_tables) and of floats; under
/// L2 they are negated. Vectors can be added and removed. Codes of whole vectors (by_residual = false) stay so. The ids
/// become labels, in ascending order. A search reads the lists that FAISS reads; give nprobe to it, the file's is not
/// used. Cosine is excluded, because codes do not tell whether the vectors had unit length: use InnerProduct, and
/// queries of unit length.
///
/// Errors    IOError; CorruptData if the file is damaged, of another kind, dimension, number of parts, bits or metric,
///           if an id repeats, or a transform is no rotation: inner products of its rows must be within 1e-4 of 0 or 1
template <class Index>
    requires(detail::ivfpq_shape<Index>.parts > 0 && !Index::Metric::normalises)
[[nodiscard]] Imported<Index> import_faiss_ivfpq(const std::string& path) {
    constexpr detail::IVFPQShape shape = detail::ivfpq_shape<Index>;
    const io::FaissIVF file = io::read_faiss_ivf(path);
    detail::check_metric<typename Index::Metric>(path, file.metric);
    if (file.centroids.rows() == 0 || file.centroids.rows() > detail::most_lists) {
        raise<CorruptData>(path + ": the index has " + std::to_string(file.centroids.rows()) + " lists, not 1 to 2^24");
    }
    detail::check_shape(path, shape, file);
    detail::check_centroids(path, file);
    detail::check_codewords(path, file.codewords, shape.parts);
    Matrix<float> centroids = file.centroids;
    if (file.transform.rows() > 0) {
        const double deviation = quantise::OPQ<shape.dimension, shape.parts>::deviation(file.transform);
        if (deviation > 1e-4) {
            raise<CorruptData>(path + ": the transform is no rotation: an inner product of two rows is " +
                               std::to_string(deviation) + " from 0, or of a row with itself from 1");
        }
        centroids = detail::turned_back(centroids, file.transform);
        detail::check_imported<L2>(path, centroids, "centroid");
    }
    std::vector<std::uint32_t> list_of;
    std::vector<std::uint8_t> codes;
    std::vector<std::uint64_t> labels;
    for (const detail::FaissPlace& place : detail::places_of(path, file)) {
        list_of.push_back(place.list);
        detail::unpack(place.code(file), shape, codes);
        labels.push_back(static_cast<std::uint64_t>(place.id));
    }
    const detail::ProductParts parts{centroids, file.codewords, file.transform, file.codes_residuals};
    const auto vectors = detail::Vectors<typename Index::Metric>::without_rows(list_of.size(), shape.dimension);
    return {
        Index::import(vectors, parts, std::span<const std::uint32_t>(list_of), std::span<const std::uint8_t>(codes)),
        std::move(labels)};
}

}  // namespace ann
}  // namespace FUNNEL_ABI
}  // namespace funnel
