// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/int8_blocks.hpp>
#include <funnel/kernels/metric.hpp>
#include <funnel/quantise/mean.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <numeric>
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
        const auto element = [&](std::size_t j) { return mean_.centred(row, j); };
        const Size size = size_of(row.size(), element);
        const float scale = scale_for(size.largest);
        const Sums sums = round(row.size(), scale, element, put);
        const auto unit = static_cast<double>(scale);
        return {scale, size.squares, math::sqrt(sums.byte_squares), math::sqrt(sums.error_squares) / unit};
    }

    /// Shapes    query: prepared, d
    template <kernels::Metric M>
    void prepare(std::span<const float> query, Int8PreparedQuery& out) const {
        FUNNEL_ASSERT(query.size() == dimension());
        constexpr bool is_centred = std::same_as<typename M::Stored, kernels::L2>;
        const auto element = [&](std::size_t j) {
            return is_centred ? mean_.centred(query, j) : static_cast<double>(query[j]);
        };
        const Size size = size_of(query.size(), element);
        out.at_mean = 0.0;
        if constexpr (!is_centred) {
            Lanes at_mean{};
            in_groups(
                query.size(), [&](std::size_t j) { return element(j) * static_cast<double>(mean()[j]); },
                [&](std::size_t, std::size_t, const Lanes& x) {
                    for (std::size_t i = 0; i < lanes; ++i) {
                        at_mean[i] += x[i];
                    }
                });
            out.at_mean = sum_of(at_mean);
        }
        out.bytes.assign(kernels::int8_groups(query.size()) * kernels::int8_group, 0);
        out.step = scale_for(size.largest);
        const std::span<std::int8_t> bytes = out.bytes;
        std::int32_t sum = 0;
        const Sums sums = round(query.size(), out.step, element, [&](std::size_t j, int byte) {
            bytes[j] = static_cast<std::int8_t>(byte);
            sum += byte;
        });
        out.sum = sum;
        out.length = math::sqrt(size.squares);
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
    // Elements are taken 32 at a time, and each of the 32 has sums and maxima of its own: compilers turn such loops
    // into vector instructions. Loops of 16 they unroll instead.
    static constexpr std::size_t lanes = 32;
    using Lanes = std::array<double, lanes>;

    [[nodiscard]] static double sum_of(const Lanes& values) noexcept {
        return std::accumulate(values.begin(), values.end(), 0.0);
    }

    // Calls visit(first, count, elements) for each group of elements, of which the last is filled up with zeros.
    template <class Element, class Visit>
    static void in_groups(std::size_t n, const Element& element, const Visit& visit) {
        Lanes group;
        std::size_t first = 0;
        for (; first + lanes <= n; first += lanes) {
            for (std::size_t i = 0; i < lanes; ++i) {
                group[i] = element(first + i);
            }
            visit(first, lanes, group);
        }
        if (first < n) {
            group = {};
            for (std::size_t i = 0; first + i < n; ++i) {
                group[i] = element(first + i);
            }
            visit(first, n - first, group);
        }
    }

    struct Size {
        double largest = 0.0;  // element, without its sign
        double squares = 0.0;
    };

    template <class Element>
    [[nodiscard]] static Size size_of(std::size_t n, const Element& element) {
        Lanes largest{};
        Lanes squares{};
        in_groups(n, element, [&](std::size_t, std::size_t, const Lanes& x) {
            for (std::size_t i = 0; i < lanes; ++i) {
                const double size = math::abs(x[i]);
                largest[i] = largest[i] < size ? size : largest[i];
                squares[i] += x[i] * x[i];
            }
        });
        return {*std::max_element(largest.begin(), largest.end()), sum_of(squares)};
    }

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
        Lanes byte_squares{};
        Lanes error_squares{};
        in_groups(n, element, [&](std::size_t first, std::size_t count, const Lanes& x) {
            Lanes steps;
            for (std::size_t i = 0; i < lanes; ++i) {
                steps[i] = std::min(127.0, x[i] * per_unit);
            }
            for (std::size_t i = 0; i < lanes; ++i) {  // a loop for each bound: GCC does not vectorize both in one
                steps[i] = std::max(-127.0, steps[i]);
            }
            std::array<int, lanes> bytes;
            for (std::size_t i = 0; i < lanes; ++i) {
                bytes[i] = static_cast<int>(steps[i] + math::copysign(0.5, steps[i]));  // 127.5 becomes 127
                const auto byte = static_cast<double>(bytes[i]);
                const double error = x[i] - unit * byte;
                byte_squares[i] += byte * byte;
                error_squares[i] += error * error;
            }
            for (std::size_t i = 0; i < count; ++i) {
                put(first + i, bytes[i]);
            }
        });
        return {sum_of(byte_squares), sum_of(error_squares)};
    }

    Mean mean_;
};

}  // namespace quantise
}  // namespace FUNNEL_ABI
}  // namespace funnel
