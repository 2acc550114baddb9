// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/io/container.hpp>
#include <funnel/kernels/axpy.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/quantise/integer_tables.hpp>
#include <funnel/quantise/kmeans.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace quantise {

struct ProductOptions {
    std::uint64_t seed = 0;               ///< draws the training rows and the first codewords
    std::size_t iterations = 15;          ///< of k-means, per subspace
    std::size_t rows_per_codeword = 256;  ///< trains on at most this many rows per codeword, at least 1
};

/// Stores vectors in M codes of 8 or 4 bits (product quantisation). Each vector is cut into M parts of equal length,
/// and each part is replaced by the nearest of 2^Bits codewords, which k-means learns from the parts of all rows.
///
///     auto quantiser = ProductQuantiser<64, 8>::train(rows);
///     std::vector<std::uint8_t> codes = quantiser.encode(rows);   // 8 bytes per row instead of 256
///
/// The inner product of a query and a decoded vector is a sum of M entries of a table, one per code. So a query is
/// prepared once, and then each score takes M look-ups instead of Dim multiplications.
///
/// Cost      train: 2^Bits Dim per row of the sample and iteration;  encode: 2^Bits Dim per row;  tables: 2^Bits Dim
/// Source    Jegou, Douze & Schmid, "Product quantization for nearest neighbor search", TPAMI 2011
template <std::size_t Dim, std::size_t M, std::size_t Bits = 8, kernels::HostBackend Backend = kernels::DefaultBackend>
    requires(M > 0 && M <= 256 && Dim % M == 0 && (Bits == 4 || Bits == 8))
class ProductQuantiser {
public:
    static constexpr std::string_view kind = "quantise.Product";
    static constexpr std::uint32_t layout_version = 1;
    static constexpr std::size_t codewords = std::size_t{1} << Bits;
    static constexpr std::size_t part = Dim / M;
    static constexpr std::size_t table_size = M * codewords;

    /// Without codewords, as a moved-from quantiser: only something to assign to.
    ProductQuantiser() = default;

    /// Learns the codewords. The result is bit-identical for any number of threads.
    ///
    /// Shapes    rows: n x Dim
    /// Errors    InvalidArgument if the dimension differs, an option is out of range, or a row is not finite or longer
    ///           than 2^62
    template <Executor E = Serial>
    [[nodiscard]] static ProductQuantiser train(MatrixView<const float> rows, const ProductOptions& options = {},
                                                E&& executor = E{}) {
        require_equal(rows.cols(), Dim, "ProductQuantiser::train: number of columns");
        require_at_least(options.rows_per_codeword, 1, "ProductQuantiser::train: rows_per_codeword");
        ProductQuantiser quantiser;
        quantiser.codebooks_.resize(table_size * part);  // without rows, all codewords are zero
        for (std::size_t m = 0; rows.rows() > 0 && m < M; ++m) {
            const std::uint64_t seed = Random(options.seed, stream("product.parts"), m)();
            quantiser.set_codewords(m, KMeans<Backend>::fit(part_of(rows, m),
                                                            {.clusters = codewords,
                                                             .iterations = options.iterations,
                                                             .seed = seed,
                                                             .rows_per_cluster = options.rows_per_codeword},
                                                            executor)
                                           .centroids());
        }
        return quantiser;
    }

    /// Codewords that another library learned, those of part m in rows m 2^Bits and after.
    ///
    /// Shapes    given: M 2^Bits x Dim / M
    /// Errors    InvalidArgument if the shape differs, or a number is not in [-2^62, 2^62]
    [[nodiscard]] static ProductQuantiser import(MatrixView<const float> given) {
        require_equal(given.rows(), table_size, "ProductQuantiser::import: number of rows");
        require_equal(given.cols(), part, "ProductQuantiser::import: number of columns");
        ProductQuantiser quantiser;
        quantiser.codebooks_.resize(table_size * part);
        for (std::size_t m = 0; m < M; ++m) {
            quantiser.set_codewords(m, given.rows_from(m * codewords, codewords));
        }
        require(std::all_of(quantiser.codebooks_.begin(), quantiser.codebooks_.end(), is_valid),
                "ProductQuantiser::import: numbers must lie in [-2^62, 2^62]");
        return quantiser;
    }

    /// One more iteration of k-means on all rows. A codeword that is nearest to no row stays.
    ///
    /// Shapes    rows: n x Dim, finite (checked)
    /// Errors    InvalidArgument if the dimension differs, a row is not finite, or there are no codewords
    template <Executor E = Serial>
    void improve(MatrixView<const float> rows, E&& executor = E{}) {
        require_codewords("ProductQuantiser::improve: there must be codewords");
        require_equal(rows.cols(), Dim, "ProductQuantiser::improve: number of columns");
        for (std::size_t m = 0; m < M; ++m) {
            Matrix<float> centroids = codewords_of(m);
            const std::vector<std::uint32_t> nearest = KMeans<Backend>(centroids).assign(part_of(rows, m), executor);
            detail::move_to_means(part_of(rows, m), nearest, centroids, executor);
            set_codewords(m, centroids);
        }
    }

    /// The nearest codewords; ties within rounding go to either.
    ///
    /// Shapes    rows: n x Dim
    /// Returns   n x M codes, one per byte
    /// Errors    InvalidArgument if the dimension differs, a row is not finite or longer than 2^62, or there are no
    ///           codewords
    template <Executor E = Serial>
    [[nodiscard]] std::vector<std::uint8_t> encode(MatrixView<const float> rows, E&& executor = E{}) const {
        require_codewords("ProductQuantiser::encode: there must be codewords");
        require_equal(rows.cols(), Dim, "ProductQuantiser::encode: number of columns");
        std::vector<std::uint8_t> codes(rows.rows() * M);
        for (std::size_t m = 0; m < M; ++m) {
            const std::vector<std::uint32_t> nearest =
                KMeans<Backend>(codewords_of(m)).assign(part_of(rows, m), executor);
            for (std::size_t i = 0; i < nearest.size(); ++i) {
                codes[i * M + m] = static_cast<std::uint8_t>(nearest[i]);
            }
        }
        return codes;
    }

    /// The vector that codes stand for.
    ///
    /// Shapes    codes: M, each below 2^Bits (not checked);  out: Dim
    void decode(std::span<const std::uint8_t> codes, std::span<float> out) const noexcept {
        FUNNEL_ASSERT(codes.size() == M && out.size() == Dim);
        for (std::size_t m = 0; m < M; ++m) {
            FUNNEL_ASSERT(codes[m] < codewords);
            for (std::size_t j = 0; j < part; ++j) {
                out[m * part + j] = element(m * part + j)[codes[m]];
            }
        }
    }

    /// The table of a query for inner products.
    ///
    ///     out[m 2^Bits + c] = <part m of query, codeword c of part m>,   so <query, decode(codes)> = sum of M entries
    ///
    /// Shapes    query: Dim;  out: M x 2^Bits
    void inner_products(std::span<const float> query, std::span<float> out) const noexcept {
        FUNNEL_ASSERT(query.size() == Dim && out.size() == table_size);
        std::fill(out.begin(), out.end(), 0.0F);
        for (std::size_t j = 0; j < Dim; ++j) {
            kernels::axpy<Backend>(query[j], element(j), out.subspan(j / part * codewords, codewords));
        }
    }

    /// The table of a query for negated squared distances.
    ///
    ///     out[m 2^Bits + c] = - |part m of query - codeword c of part m|^2
    ///
    /// Shapes    query: Dim;  out: M x 2^Bits
    void negated_distances(std::span<const float> query, std::span<float> out) const noexcept {
        FUNNEL_ASSERT(query.size() == Dim && out.size() == table_size);
        std::fill(out.begin(), out.end(), 0.0F);
        for (std::size_t j = 0; j < Dim; ++j) {
            const std::span<const float> elements = element(j);
            const std::span<float> table = out.subspan(j / part * codewords, codewords);
            for (std::size_t c = 0; c < codewords; ++c) {
                const float difference = query[j] - elements[c];
                table[c] -= difference * difference;
            }
        }
    }

    [[nodiscard]] std::size_t memory_bytes() const noexcept { return codebooks_.size() * sizeof(float); }

    /// Adds the section of the codewords to a file.
    void write(io::ContainerWriter& file) const { file.array("codebooks", codebooks_); }

    [[nodiscard]] static ProductQuantiser read(const io::ContainerReader& file) {
        ProductQuantiser quantiser;
        quantiser.codebooks_ = file.array<float>("codebooks", table_size * part);
        for (const float x : quantiser.codebooks_) {
            file.check(is_valid(x), "codebooks", "must lie in [-2^62, 2^62]");
        }
        return quantiser;
    }

    /// Errors    IOError;  InvalidArgument if there are no codewords
    void save(const std::string& path) const {
        require_codewords("ProductQuantiser::save: there must be codewords");
        io::ContainerWriter file(kind, layout_version);
        file.value("parts", std::uint64_t{M});
        file.value("bits", std::uint64_t{Bits});
        write(file);
        file.save(path);
    }

    /// Errors    IOError; CorruptData if the file is damaged, or was saved for other Dim, M or Bits
    [[nodiscard]] static ProductQuantiser load(const std::string& path) {
        const io::ContainerReader file(path, kind, layout_version);
        file.check(file.value<std::uint64_t>("parts") == M, "parts", "must be " + std::to_string(M));
        file.check(file.value<std::uint64_t>("bits") == Bits, "bits", "must be " + std::to_string(Bits));
        return read(file);
    }

private:
    [[nodiscard]] static bool is_valid(const float& x) noexcept {
        return math::is_finite(x) && math::abs(x) <= 0x1p62F;
    }

    void require_codewords(const char* message) const { require(codebooks_.size() == table_size * part, message); }

    // Element j of all codewords of its part, one after another: so that tables are computed by full registers.
    [[nodiscard]] std::span<const float> element(std::size_t j) const noexcept {
        return std::span(codebooks_).subspan(j * codewords, codewords);
    }

    [[nodiscard]] static MatrixView<const float> part_of(MatrixView<const float> rows, std::size_t m) {
        if (rows.rows() == 0) {
            return {{}, 0, part};
        }
        const std::size_t size = (rows.rows() - 1) * rows.stride() + part;
        return {std::span(rows.data() + m * part, size), rows.rows(), part, rows.stride()};
    }

    [[nodiscard]] Matrix<float> codewords_of(std::size_t m) const {
        Matrix<float> centroids(codewords, part);
        for (std::size_t c = 0; c < codewords; ++c) {
            for (std::size_t j = 0; j < part; ++j) {
                centroids(c, j) = element(m * part + j)[c];
            }
        }
        return centroids;
    }

    // If rows repeat, k-means returns fewer: the last codeword repeats, and no row is encoded by a copy.
    void set_codewords(std::size_t m, MatrixView<const float> centroids) {
        for (std::size_t c = 0; c < codewords; ++c) {
            const std::span<const float> centroid = centroids.row(std::min(c, centroids.rows() - 1));
            for (std::size_t j = 0; j < part; ++j) {
                codebooks_[(m * part + j) * codewords + c] = centroid[j];
            }
        }
    }

    std::vector<float> codebooks_;
};

}  // namespace quantise
}  // namespace FUNNEL_ABI
}  // namespace funnel
