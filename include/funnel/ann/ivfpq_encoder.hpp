// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/ann/centroid_codes.hpp>
#include <funnel/ann/ivf_lists.hpp>
#include <funnel/ann/ivfpq_codes.hpp>
#include <funnel/ann/vectors.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/dot.hpp>
#include <funnel/quantise/integer_tables.hpp>
#include <funnel/quantise/kmeans.hpp>
#include <funnel/quantise/opq.hpp>
#include <funnel/quantise/product.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ann::detail {

/// What another library learned, for IVFPQStructure::import. A vector x is stored in the codes of R (x - centroid), or
/// of R x.
struct ProductParts {
    MatrixView<const float> centroids;  ///< lists x Dim, valid under L2
    MatrixView<const float> codewords;  ///< M 2^Bits x Dim / M, those of a part one after another
    MatrixView<const float> rotation;   ///< R: Dim x Dim, orthogonal; none: no rows
    bool codes_residuals = true;        ///< false: codes are of R x
};

/// What all lists of an IVFPQIndex share: their centroids, the codewords and, if there is one, the rotation.
template <Metric Kind, std::size_t Dim, std::size_t M, std::size_t Bits, kernels::HostBackend Backend>
class ProductEncoder {
public:
    using Codes = ProductCodes<Kind, M, Bits>;
    using Quantiser = quantise::ProductQuantiser<Dim, M, Bits, Backend>;

    /// No lists.
    ProductEncoder() = default;

    /// One list, and all codewords are zero.
    [[nodiscard]] static ProductEncoder untrained(bool has_rotation) {
        ProductEncoder encoder;
        encoder.has_rotation_ = has_rotation;
        const Matrix<float> no_rows(0, Dim);
        encoder.quantiser_ = Quantiser::train(no_rows);
        if (has_rotation) {
            encoder.opq_ = Rotation::train(no_rows);
        }
        encoder.set_centroids(Matrix<float>(1, Dim));
        return encoder;
    }

    /// Shapes    rows: n x Dim, prepared, n > 0
    template <class E>
    [[nodiscard]] static ProductEncoder train(MatrixView<const float> rows, const quantise::KMeansOptions& lists,
                                              bool has_rotation, E& executor) {
        ProductEncoder encoder;
        encoder.has_rotation_ = has_rotation;
        encoder.kmeans_ = KMeans::fit(rows, lists, executor);
        // Rows at an even distance.
        const std::size_t count = std::min(rows.rows(), training_rows);
        Matrix<float> sample(count, Dim);
        for (std::size_t i = 0; i < count; ++i) {
            const std::span<const float> row = rows.row(i * rows.rows() / count);
            std::copy(row.begin(), row.end(), sample.row(i).begin());
        }
        Matrix<float> residuals = encoder.residuals(sample, encoder.kmeans_.assign(sample, executor));
        if (has_rotation) {
            encoder.opq_ = Rotation::train(residuals, {.seed = lists.seed}, executor);
            residuals = encoder.opq_.rotate(residuals, executor);
        }
        encoder.quantiser_ = Quantiser::train(residuals, {.seed = lists.seed}, executor);
        encoder.set_centroids(Matrix<float>(encoder.kmeans_.centroids()));
        return encoder;
    }

    /// Errors    InvalidArgument if shapes differ, the rotation is none, or codewords are out of range
    [[nodiscard]] static ProductEncoder import(const ProductParts& parts) {
        require_equal(parts.centroids.cols(), Dim, "IVFPQIndex::import: number of columns of centroids");
        ProductEncoder encoder;
        encoder.codes_residuals_ = parts.codes_residuals;
        encoder.has_rotation_ = parts.rotation.rows() > 0;
        encoder.quantiser_ = Quantiser::import(parts.codewords);
        if (encoder.has_rotation_) {
            encoder.opq_ = Rotation::import(parts.rotation);
        }
        encoder.set_centroids(Matrix<float>(parts.centroids));
        return encoder;
    }

    [[nodiscard]] MatrixView<const float> centroids() const noexcept FUNNEL_LIFETIMEBOUND {
        return kmeans_.centroids();
    }
    [[nodiscard]] const CentroidCodes<Kind, Backend>& centroid_codes() const noexcept FUNNEL_LIFETIMEBOUND {
        return centroid_codes_;
    }

    /// Whether scores of codes lack that of the centroid of their list.
    [[nodiscard]] bool codes_residuals() const noexcept { return codes_residuals_; }

    /// The list of each row.
    template <class E>
    [[nodiscard]] std::vector<std::uint32_t> assign(MatrixView<const float> rows, E& executor) const {
        return kmeans_.assign(rows, executor);
    }

    /// The same for all rows of a new index.
    template <class E>
    [[nodiscard]] std::vector<std::uint32_t> divide(MatrixView<const float> rows, const std::optional<double>& balance,
                                                    E& executor) const {
        return detail::divide(kmeans_, rows, balance, executor);
    }

    /// The codes of rows in their lists.
    template <class E>
    [[nodiscard]] std::vector<std::uint8_t> encode(MatrixView<const float> rows, std::span<const std::uint32_t> list_of,
                                                   E& executor) const {
        const Matrix<float> differences = residuals(rows, list_of);
        return has_rotation_ ? quantiser_.encode(opq_.rotate(differences, executor), executor)
                             : quantiser_.encode(differences, executor);
    }

    /// See ProductCodes.
    [[nodiscard]] float penalty(std::uint32_t list, std::span<const std::uint8_t> codes) const noexcept {
        if constexpr (Codes::has_penalties) {
            // Whole blocks of four batches: g++ 12 warns of loads after the end of a shorter array, though none runs.
            std::array<float, (Dim + 63) / 64 * 64> memory;
            const auto residual = std::span<float>(memory).first(Dim);
            quantiser_.decode(codes, residual);
            const std::span<const float> r = residual;
            float sum = kernels::dot<Backend>(r, r);
            float squares = 0.0F;
            if (codes_residuals_) {
                const std::span<const float> c = rotated_centroids_.view().row(list);
                sum += 2.0F * kernels::dot<Backend>(c, r);
                squares = kernels::dot<Backend>(c, c);
            }
            return Codes::is_l2 ? sum : (sum + squares - 1.0F) / 2.0F;
        } else {
            return 0.0F;
        }
    }

    static void reserve(typename Codes::Query& prepared) {
        prepared.rotated.resize(Dim);
        prepared.floats.resize(Quantiser::table_size);
        prepared.table.resize(Quantiser::table_size);
    }

    /// Fills the tables of a query. Allocates nothing after reserve.
    void prepare(std::span<const float> query, typename Codes::Query& prepared) const noexcept {
        const float origin = codes_residuals_ || !Codes::is_l2 ? 0.0F : -kernels::dot<Backend>(query, query);
        if (has_rotation_) {
            opq_.rotate(query, prepared.rotated);
            query = prepared.rotated;
        }
        quantiser_.inner_products(query, prepared.floats);
        const quantise::TableScale scale =
            quantise::round_tables<typename Codes::Entry>(prepared.floats, M, prepared.table);
        constexpr float factor = Codes::is_l2 ? 2.0F : 1.0F;
        prepared.scale = factor * scale.scale;
        prepared.offset = factor * scale.offset + origin;
    }

    [[nodiscard]] std::size_t memory_bytes() const noexcept {
        const auto bytes = [](MatrixView<const float> matrix) {
            return matrix.rows() * matrix.stride() * sizeof(float);
        };
        return quantiser_.memory_bytes() + centroid_codes_.memory_bytes() + bytes(centroids()) +
               bytes(rotated_centroids_) + bytes(opq_.rotation());
    }
    [[nodiscard]] static std::size_t memory_estimate(std::size_t lists, bool has_rotation) {
        const std::size_t row = Matrix<float>(0, Dim).stride() * sizeof(float);
        return Quantiser::table_size * Quantiser::part * sizeof(float) + lists * (Codes::has_penalties ? 2 : 1) * row +
               (has_rotation ? Dim * row : 0) + CentroidCodes<Kind, Backend>::memory_estimate(lists, Dim);
    }

    template <class Writer>
    void write(Writer& file) const {
        file.matrix("centroids", kmeans_.centroids());
        if (centroids().rows() > 0) {
            quantiser_.write(file);
            if (has_rotation_) {
                opq_.write(file);
            }
        }
        file.value("codes_residuals", std::uint8_t{codes_residuals_});
    }

    /// Shapes    lists: the most that there may be;  dimension: Dim, or 0 if there must be no lists
    template <class Reader>
    [[nodiscard]] static ProductEncoder read(const Reader& file, std::size_t lists, std::size_t dimension,
                                             bool has_rotation) {
        ProductEncoder encoder;
        encoder.has_rotation_ = has_rotation;
        if (file.has("codes_residuals")) {  // since layout 2
            const auto value = file.template value<std::uint8_t>("codes_residuals");
            file.check(value <= 1, "codes_residuals", "must be 0 or 1");
            encoder.codes_residuals_ = value == 1;
        }
        const auto centroids = file.template matrix<float>("centroids", {}, dimension);
        file.check(centroids.rows() <= lists && (centroids.rows() > 0) == (dimension > 0), "centroids",
                   "must be at least 1, and not more than lists");
        for (std::size_t i = 0; i < centroids.rows(); ++i) {
            file.check(defect_of<L2>(centroids.row(i)) == nullptr, "centroids", "must be finite and not too long");
        }
        if (dimension > 0) {
            encoder.quantiser_ = Quantiser::read(file);
            if (has_rotation) {
                encoder.opq_ = Rotation::read(file);
            }
            encoder.set_centroids(centroids);
        }
        return encoder;
    }

private:
    using KMeans = quantise::KMeans<Backend>;
    using Rotation = quantise::OPQ<Dim, M, Bits, Backend>;
    static constexpr std::size_t training_rows = 65536;

    void set_centroids(const Matrix<float>& centroids) {
        kmeans_ = KMeans(centroids);
        centroid_codes_ = CentroidCodes<Kind, Backend>(centroids);
        if (Codes::has_penalties && codes_residuals_) {
            rotated_centroids_ = has_rotation_ ? opq_.rotate(centroids) : centroids;
        }
    }

    [[nodiscard]] Matrix<float> residuals(MatrixView<const float> rows, std::span<const std::uint32_t> list_of) const {
        Matrix<float> differences(rows.rows(), Dim);
        for (std::size_t i = 0; i < rows.rows(); ++i) {
            const std::span<const float> row = rows.row(i);
            if (codes_residuals_) {
                const std::span<const float> centroid = centroids().row(list_of[i]);
                std::transform(row.begin(), row.end(), centroid.begin(), differences.row(i).begin(), std::minus<>());
            } else {
                std::copy(row.begin(), row.end(), differences.row(i).begin());
            }
        }
        return differences;
    }

    bool has_rotation_ = false;
    bool codes_residuals_ = true;  // false: of whole vectors, as an import may bring
    KMeans kmeans_;
    CentroidCodes<Kind, Backend> centroid_codes_;
    Matrix<float> rotated_centroids_;  // for penalties
    Rotation opq_;
    Quantiser quantiser_;
};

}  // namespace ann::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel
