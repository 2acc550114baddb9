// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/int8_blocks.hpp>
#include <funnel/kernels/metric.hpp>
#include <funnel/quantise/mean.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace quantise {

/// Int8 codes are for vectors of at most this many elements, each vector no longer than 2^62.
inline constexpr std::size_t max_int8_elements = std::size_t{1} << 14;

/// What belongs to the bytes of one vector. All numbers are exact but for the rounding of doubles.
struct Int8Terms {
    float scale = 0.0F;        ///< the vector is about mean + scale * byte
    double squares = 0.0;      ///< of the vector minus the mean
    double byte_length = 0.0;  ///< Euclidean length of the bytes
    double error = 0.0;        ///< distance of mean + scale * byte to the vector, in units of scale
};

/// A query as bytes, prepared by Int8Quantiser. Reuse it: then prepare allocates nothing.
struct Int8PreparedQuery {
    std::vector<std::int8_t> bytes;  ///< padded to whole groups
    std::int32_t sum = 0;            ///< of the bytes
    float step = 0.0F;               ///< the query is about step * bytes (plus the mean under L2)
    double length = 0.0;             ///< of the query (under L2: minus the mean)
    double error = 0.0;              ///< distance of step * bytes to the query (under L2: minus the mean)
    double at_mean = 0.0;            ///< inner product of the query with the mean; 0 under L2

    [[nodiscard]] kernels::Int8Query view() const noexcept FUNNEL_LIFETIMEBOUND { return {bytes, sum}; }
};

/// Rounds vectors to bytes: subtracts the mean of all vectors, and divides by a scale of the vector's own.
///
///     vector[j] ~ mean[j] + scale * byte[j],  byte[j] in [-127, 127],  scale = max_j |vector[j] - mean[j]| / 127
///
/// A scale per vector keeps short vectors as exact, relative to their length, as long ones, and an outlier spoils no
/// vector but itself. The mean costs one number per query, and takes away what all vectors share.
///
/// Source    Aguerrebere et al., Similarity search in the blink of an eye with compressed indices, VLDB 2023
class Int8Quantiser {
public:
    Int8Quantiser() = default;

    /// Shapes    rows: n x d, finite
    [[nodiscard]] static Int8Quantiser train(MatrixView<const float> rows) { return Int8Quantiser(Mean(rows)); }

    [[nodiscard]] std::size_t dimension() const noexcept { return mean_.values().size(); }
    [[nodiscard]] std::span<const float> mean() const noexcept FUNNEL_LIFETIMEBOUND { return mean_.values(); }
    [[nodiscard]] double mean_length() const noexcept { return mean_.length(); }
    [[nodiscard]] std::size_t memory_bytes() const noexcept { return mean_.memory_bytes(); }

    /// Calls put(j, byte) for each element of a vector.
    template <std::invocable<std::size_t, int> Put>
    Int8Terms encode(std::span<const float> row, const Put& put) const {
        FUNNEL_ASSERT(row.size() == dimension());
        double largest = 0.0;
        double squares = 0.0;
        for (std::size_t j = 0; j < row.size(); ++j) {
            const double x = mean_.centred(row, j);
            largest = std::max(largest, math::abs(x));
            squares += x * x;
        }
        const float scale = scale_for(largest);
        const Sums sums = round(row.size(), scale, [&](std::size_t j) { return mean_.centred(row, j); }, put);
        const auto unit = static_cast<double>(scale);
        return {scale, squares, math::sqrt(sums.byte_squares), math::sqrt(sums.error_squares) / unit};
    }

    /// Shapes    query: prepared, d
    template <kernels::Metric M>
    void prepare(std::span<const float> query, Int8PreparedQuery& out) const {
        FUNNEL_ASSERT(query.size() == dimension());
        constexpr bool is_centred = std::same_as<typename M::Stored, kernels::L2>;
        const auto element = [&](std::size_t j) {
            return is_centred ? mean_.centred(query, j) : static_cast<double>(query[j]);
        };
        double largest = 0.0;
        double squares = 0.0;
        out.at_mean = 0.0;
        for (std::size_t j = 0; j < query.size(); ++j) {
            const double x = element(j);
            largest = std::max(largest, math::abs(x));
            squares += x * x;
            if constexpr (!is_centred) {
                out.at_mean += x * static_cast<double>(mean()[j]);
            }
        }
        out.bytes.assign(kernels::int8_groups(query.size()) * kernels::int8_group, 0);
        out.step = scale_for(largest);
        out.sum = 0;
        const Sums sums = round(query.size(), out.step, element, [&](std::size_t j, int byte) {
            out.bytes[j] = static_cast<std::int8_t>(byte);
            out.sum += byte;
        });
        out.length = math::sqrt(squares);
        out.error = math::sqrt(sums.error_squares);
    }

    /// Reserves memory, so that prepare does not allocate.
    void reserve(Int8PreparedQuery& query) const { query.bytes.reserve(dimension() + kernels::int8_group); }

    template <class Writer>
    void write(Writer& file) const {
        mean_.write(file);
    }
    template <class Reader>
    [[nodiscard]] static Int8Quantiser read(const Reader& file, std::size_t dimension) {
        return Int8Quantiser(Mean::read(file, dimension));
    }

private:
    struct Sums {
        double byte_squares = 0.0;
        double error_squares = 0.0;
    };

    explicit Int8Quantiser(Mean mean) : mean_(std::move(mean)) {}

    // Products of two scales and an integer do not underflow.
    [[nodiscard]] static float scale_for(double largest) noexcept {
        return std::max(static_cast<float>(largest / 127.0), 0x1p-60F);
    }

    template <class Element, class Put>
    [[nodiscard]] static Sums round(std::size_t n, float scale, const Element& element, const Put& put) {
        const auto unit = static_cast<double>(scale);
        const double per_unit = 1.0 / unit;
        Sums sums;
        for (std::size_t j = 0; j < n; ++j) {
            const double x = element(j);
            const double steps = std::clamp(x * per_unit, -127.0, 127.0);
            const int byte = static_cast<int>(steps + (steps < 0.0 ? -0.5 : 0.5));  // 127.5 becomes 127
            const double error = x - unit * static_cast<double>(byte);
            sums.byte_squares += static_cast<double>(byte * byte);
            sums.error_squares += error * error;
            put(j, byte);
        }
        return sums;
    }

    Mean mean_;
};

}  // namespace quantise
}  // namespace FUNNEL_ABI
}  // namespace funnel
