// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/metrics/item_list.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace metrics {

/// A distance between two items, given by id: symmetric, and 0 for identical items. A matrix of any type is not a
/// Distance: matrices are read as embeddings, one row per item. Wrap a matrix of distances in a lambda.
template <class D>
concept Distance = !funnel::detail::MatrixLike<D> && requires(const D& distance, std::uint32_t a, std::uint32_t b) {
    { distance(a, b) } -> std::convertible_to<double>;
};

/// Intra-list distance: the average distance between two items of one list. The larger, the more diverse the list.
///
///     intra_list_distance = mean over the n (n - 1) / 2 pairs of shown items of distance(a, b)
///
/// Shapes    shown: n item ids below 2^32, or a result of recommend();  distance: callable on pairs of them
/// Returns   NaN if there is no pair (n < 2); leave such lists out of means
/// Cost      n (n - 1) / 2 calls of distance
/// Errors    InvalidArgument if an id is not below 2^32, or if a distance or the sum of distances is not finite
/// Source    Ziegler et al., "Improving recommendation lists through topic diversification", WWW 2005 (as a mean)
template <ItemList L, Distance D>
[[nodiscard]] double intra_list_distance(const L& shown, const D& distance) {
    constexpr std::size_t ids = std::size_t{1} << 32;
    const auto id_of = [](const auto& entry) {
        return static_cast<std::uint32_t>(detail::checked_id(entry, ids, "intra_list_distance"));
    };
    double sum = 0.0;
    std::size_t pairs = 0;
    for (auto a = std::begin(shown); a != std::end(shown); ++a) {
        for (auto b = a; ++b != std::end(shown); ++pairs) {
            sum += static_cast<double>(distance(id_of(*a), id_of(*b)));
        }
    }
    require(math::is_finite(sum), "intra_list_distance: distances and their sum must be finite");
    return pairs > 0 ? sum / static_cast<double>(pairs) : std::numeric_limits<double>::quiet_NaN();
}

/// Intra-list distance with the cosine distance between embeddings.
///
///     intra_list_distance = 1 - mean over pairs of cos(a, b) = 1 - (|sum of unit vectors|^2 - n) / (n (n - 1))
///
/// The right-hand side does not loop over pairs. A zero vector has cosine 0 with every vector.
///
/// Shapes    shown: n item ids, or a result of recommend();  embeddings: one row per item of the catalogue
/// Returns   a value in [0, n / (n - 1)]; NaN if n < 2
/// Cost      O(n d) time, O(d) memory
/// Errors    InvalidArgument if an id has no row, or a row of a shown item is not finite
template <ItemList L>
[[nodiscard]] double intra_list_distance(const L& shown, MatrixView<const float> embeddings) {
    std::vector<double> sum(embeddings.cols(), 0.0);
    std::size_t count = 0;
    double units = 0.0;  // sum of squared lengths of the unit vectors: 1 each, 0 for a zero vector
    for (const auto& entry : shown) {
        const std::size_t item = detail::checked_id(entry, embeddings.rows(), "intra_list_distance");
        const std::span<const float> embedding = embeddings.row(item);
        require(math::all_finite(embedding), "intra_list_distance: embeddings must be finite");
        ++count;
        double squared_length = 0.0;
        for (const float x : embedding) {
            squared_length += static_cast<double>(x) * static_cast<double>(x);
        }
        if (squared_length > 0.0) {
            const double scale = 1.0 / math::sqrt(squared_length);
            for (std::size_t d = 0; d < sum.size(); ++d) {
                sum[d] += scale * static_cast<double>(embedding[d]);
            }
            units += 1.0;
        }
    }
    double squared_sum = 0.0;
    for (const double x : sum) {
        squared_sum += x * x;
    }
    const auto n = static_cast<double>(count);
    return count < 2 ? std::numeric_limits<double>::quiet_NaN()
                     : std::max(0.0, 1.0 - (squared_sum - units) / (n * (n - 1.0)));  // rounding may go below 0
}

}  // namespace metrics
}  // namespace FUNNEL_ABI
}  // namespace funnel
