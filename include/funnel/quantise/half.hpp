// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/half_floats.hpp>
#include <funnel/kernels/metric.hpp>
#include <funnel/quantise/mean.hpp>

#include <algorithm>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace quantise {

/// Codes of d elements are padded with zeros to this length, whole cache lines.
[[nodiscard]] constexpr std::size_t padded_halves(std::size_t d) noexcept {
    constexpr std::size_t step = row_alignment / sizeof(kernels::Float16);
    return (d + step - 1) / step * step;
}

/// What belongs to the halves of one vector.
struct HalfTerms {
    float scale = 0.0F;    ///< a power of two: the vector is about mean + scale * half
    double squares = 0.0;  ///< of scale * half
};

/// A query, prepared by HalfQuantiser. Reuse it: then prepare allocates nothing.
struct HalfPreparedQuery {
    std::vector<float> elements;  ///< of the query (under L2: minus the mean), padded with zeros to padded_halves(d)
    double length = 0.0;          ///< of the query (under L2: minus the mean)
    double at_mean = 0.0;         ///< inner product of the query with the mean; 0 under L2
};

/// Rounds vectors to floats of 16 bits: subtracts the mean of all vectors, and divides by a scale of the vector's own.
///
///     vector[j] ~ mean[j] + scale * half[j],  scale = 2^e,  2^14 <= max_j |half[j]| <= 2^15
///
/// A power of two changes no digit, and this one uses the upper end of the range of 16 bits: no element becomes
/// infinite, however long the vector is, and one of 2^-28 of the largest still has 11 digits. A scale per vector keeps
/// that true beside an outlier. The mean keeps the digits for the differences between vectors that are far from 0.
class HalfQuantiser {
public:
    HalfQuantiser() = default;

    /// Shapes    rows: n x d, finite
    [[nodiscard]] static HalfQuantiser train(MatrixView<const float> rows) { return HalfQuantiser(Mean(rows)); }

    [[nodiscard]] std::size_t dimension() const noexcept { return mean_.values().size(); }
    [[nodiscard]] std::size_t memory_bytes() const noexcept { return mean_.memory_bytes(); }

    /// A scale for all vectors of unit length, less the mean of such vectors: no half is above 2^14.
    /// Elements below 2^-27 lose digits, but a float of such a vector is no more exact.
    static constexpr float unit_scale = 0x1p-13F;

    /// The scale of a vector's own.
    ///
    /// Shapes    row: d, not longer than 2^62
    [[nodiscard]] float scale_of(std::span<const float> row) const noexcept {
        double largest = 0.0;
        for (std::size_t j = 0; j < row.size(); ++j) {
            largest = std::max(largest, math::abs(mean_.centred(row, j)));
        }
        return scale_for(largest);
    }

    [[nodiscard]] HalfTerms encode(std::span<const float> row, std::span<kernels::Float16> out) const noexcept {
        return encode(row, scale_of(row), out);
    }

    /// Shapes    row: d;  scale: a power of two, not smaller than scale_of(row);  out: d or more, of which
    ///           only the first d are written
    [[nodiscard]] HalfTerms encode(std::span<const float> row, float scale,
                                   std::span<kernels::Float16> out) const noexcept {
        FUNNEL_ASSERT(row.size() == dimension() && out.size() >= row.size());
        const double per_scale = 1.0 / static_cast<double>(scale);
        double squares = 0.0;
        for (std::size_t j = 0; j < row.size(); ++j) {
            out[j] = kernels::Float16::nearest(static_cast<float>(mean_.centred(row, j) * per_scale));
            const auto half = static_cast<double>(out[j].value());
            squares += half * half;
        }
        return {scale, squares * static_cast<double>(scale) * static_cast<double>(scale)};
    }

    /// Shapes    query: prepared, d
    template <kernels::Metric M>
    void prepare(std::span<const float> query, HalfPreparedQuery& out) const {
        FUNNEL_ASSERT(query.size() == dimension());
        constexpr bool is_centred = std::same_as<typename M::Stored, kernels::L2>;
        out.elements.assign(padded_halves(query.size()), 0.0F);
        out.at_mean = 0.0;
        double squares = 0.0;
        for (std::size_t j = 0; j < query.size(); ++j) {
            const double x = is_centred ? mean_.centred(query, j) : static_cast<double>(query[j]);
            squares += x * x;
            out.elements[j] = static_cast<float>(x);
            if constexpr (!is_centred) {
                out.at_mean += x * static_cast<double>(mean_.values()[j]);
            }
        }
        out.length = math::sqrt(squares);
    }

    /// Reserves memory, so that prepare does not allocate.
    void reserve(HalfPreparedQuery& query) const { query.elements.reserve(padded_halves(dimension())); }

    template <class Writer>
    void write(Writer& file) const {
        mean_.write(file);
    }
    template <class Reader>
    [[nodiscard]] static HalfQuantiser read(const Reader& file, std::size_t dimension) {
        return HalfQuantiser(Mean::read(file, dimension));
    }

private:
    explicit HalfQuantiser(Mean mean) : mean_(std::move(mean)) {}

    // largest / scale lies in [2^14, 2^15), if the scale is above the smallest normal float.
    [[nodiscard]] static float scale_for(double largest) noexcept {
        const int exponent = static_cast<int>(std::bit_cast<std::uint64_t>(largest) >> 52) - 1023;
        const int biased = std::max(exponent - 14 + 127, 1);
        return std::bit_cast<float>(static_cast<std::uint32_t>(biased) << 23);
    }

    Mean mean_;
};

}  // namespace quantise
}  // namespace FUNNEL_ABI
}  // namespace funnel
