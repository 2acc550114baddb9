// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/ann/codes_rows.hpp>
#include <funnel/ann/hnsw_copies.hpp>
#include <funnel/ann/hnsw_graph.hpp>
#include <funnel/ann/vectors.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/prefetch.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/one_to_many.hpp>

#include <algorithm>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ann::detail {

/// Norm augmentation: the similarity of two stored vectors by which links are chosen. The inner product is unsuitable
/// for this: the links would concentrate on the longest vectors, and a search could not leave them. Under InnerProduct,
/// each vector therefore gets one more coordinate, `lift`, which places it on a sphere. This coordinate is 0 for a
/// query, so its inner products do not change.
///
///     similarity(a, b) = a . b + lift(a) lift(b) - radius^2,  lift(a) = sqrt(max(0, radius^2 - |a|^2))
///
/// The radius is the 97th percentile of the lengths. The longest 3 % of the vectors have lift 0 and attract links as
/// under the plain inner product; this leads a search to the few vectors that are hits of most queries. If the radius
/// were the greatest length, one long vector would make the lifts of all others nearly equal. Recall@10 with ef 64 on
/// 20,000 vectors with log-normal lengths (`./dev bench ann`, "products"): 0.16 with the greatest length, 0.86 with
/// this radius. A lower percentile increases that, but decreases recall@100 where similar vectors form clusters.
///
/// Source    Bachrach et al., "Speeding up the Xbox recommender system using a Euclidean transformation for
///           inner-product spaces", RecSys 2014
template <Metric M>
class NormAugmentation {
public:
    static constexpr bool is_used = std::same_as<M, InnerProduct>;

    NormAugmentation() = default;

    /// Computes the radius from the rows, or uses a given one (from a file).
    NormAugmentation(MatrixView<const float> rows, const Copies& copies)
        : NormAugmentation(
              rows, choose_radius_squared(rows, copies, [&](std::size_t i) { return squared_length(rows.row(i)); })) {}
    NormAugmentation(MatrixView<const float> rows, double radius_squared)
        : radius_squared_(radius_squared), radius_(math::sqrt(radius_squared)) {
        extend(rows);
    }

    /// Whether the radius is recomputed at this number of rows: at every power of two. Otherwise an index that starts
    /// empty would keep the radius of its first vector.
    [[nodiscard]] static constexpr bool recomputes_radius(std::size_t rows) noexcept {
        return is_used && std::has_single_bit(rows);
    }

    /// Adds the rows that are new since the last call. `copies` need not contain the last row yet. On failure nothing
    /// has changed.
    void append(MatrixView<const float> rows, const Copies& copies) {
        if (recomputes_radius(rows.rows())) {
            *this = NormAugmentation(rows, copies);
        }
        extend(rows);
    }

    /// What is stored of a vector: radius - lift.
    [[nodiscard]] float drop_of(std::span<const float> vector) const noexcept {
        if constexpr (is_used) {
            const double squared = std::min(squared_length(vector), radius_squared_);
            // radius - lift = |a|^2 / (radius + lift); the difference itself would lose its digits for short rows.
            const double sum = radius_ + math::sqrt(radius_squared_ - squared);
            return sum == 0.0 ? 0.0F : static_cast<float>(squared / sum);
        } else {
            return 0.0F;
        }
    }

    /// Row id has changed to this vector.
    void set(std::uint32_t id, std::span<const float> vector) noexcept {
        if constexpr (is_used) {
            drop_[id] = drop_of(vector);
        }
    }

    /// That of the rows if row id were this vector, with a new radius.
    [[nodiscard]] static NormAugmentation replaced(MatrixView<const float> rows, const Copies& copies, std::uint32_t id,
                                                   std::span<const float> vector) {
        NormAugmentation next(rows, choose_radius_squared(rows, copies, [&](std::size_t i) {
                                  return squared_length(i == id ? vector : rows.row(i));
                              }));
        next.set(id, vector);
        return next;
    }

    /// Removes all rows except the first `count`.
    void keep_first(std::size_t count) { drop_.resize(std::min(drop_.size(), count)); }

    /// The longest vector, or the first of equally long ones; no_node if M does not use norm augmentation. It is a good
    /// start node, because a vector much longer than all others is a hit of half of the queries.
    [[nodiscard]] static std::uint32_t longest(MatrixView<const float> rows) noexcept {
        std::uint32_t longest = no_node;
        if constexpr (is_used) {
            double most = -1.0;
            for (std::uint32_t i = 0; i < rows.rows(); ++i) {
                const double squared = squared_length(rows.row(i));
                if (squared > most) {
                    most = squared;
                    longest = i;
                }
            }
        }
        return longest;
    }

    /// The term to add to a . b: similarity(a, b) - a . b = lift(a) lift(b) - radius^2, with lift = radius - drop.
    /// Vector b is stored; of a, only the drop is known.
    [[nodiscard]] double operator()(double drop_a, std::size_t b) const noexcept {
        FUNNEL_ASSERT(b < drop_.size());
        const double drop_b = drop_[b];
        return drop_a * drop_b - radius_ * (drop_a + drop_b);
    }
    /// The drop of a stored vector; 0 if M does not use norm augmentation.
    [[nodiscard]] float drop(std::size_t id) const noexcept { return is_used ? drop_[id] : 0.0F; }

    [[nodiscard]] double radius_squared() const noexcept { return radius_squared_; }
    [[nodiscard]] std::size_t memory_bytes() const noexcept { return drop_.size() * sizeof(float); }

    /// Adds the section of the norm augmentation to a file.
    template <class Writer>
    void write(Writer& file) const {
        file.value("radius_squared", radius_squared_);
    }

    template <class Reader>
    [[nodiscard]] static NormAugmentation read(const Reader& file, MatrixView<const float> rows) {
        const auto radius_squared = file.template value<double>("radius_squared");
        file.check(math::is_finite(radius_squared) && radius_squared >= 0.0 && radius_squared <= max_squared_length,
                   "radius_squared", "must lie in [0, 2^124]");
        return NormAugmentation(rows, radius_squared);
    }

private:
    // Equal vectors count once, because one long vector may make up half of a catalogue.
    template <class SquaredLength>
    [[nodiscard]] static double choose_radius_squared(MatrixView<const float> rows, const Copies& copies,
                                                      const SquaredLength& squared_length_of) {
        std::vector<double> squares;
        if constexpr (is_used) {
            const std::vector<std::uint8_t> is_copy = copies.flags();
            for (std::size_t i = 0; i < rows.rows(); ++i) {
                if (i >= is_copy.size() || is_copy[i] == 0) {
                    squares.push_back(squared_length_of(i));
                }
            }
        }
        if (squares.empty()) {
            return 0.0;
        }
        const auto radius = squares.begin() + static_cast<std::ptrdiff_t>((squares.size() - 1) * 97 / 100);
        std::nth_element(squares.begin(), radius, squares.end());
        return *radius;
    }

    void extend(MatrixView<const float> rows) {
        if constexpr (is_used) {
            reserve_more(drop_, rows.rows() - drop_.size());
            for (std::size_t i = drop_.size(); i < rows.rows(); ++i) {
                drop_.push_back(drop_of(rows.row(i)));
            }
        }
    }

    // One value per row: radius - lift. As floats, the lifts of all short vectors would round to the radius.
    std::vector<float> drop_;
    double radius_squared_ = 0.0;
    double radius_ = 0.0;
};

/// The stored vectors with the similarity by which links are chosen: that of the metric, plus the norm augmentation.
/// They have Dim elements each.
template <Metric M, std::size_t Dim, kernels::HostBackend Backend>
struct NodeSimilarity {
    MatrixView<const float> rows;
    const NormAugmentation<M>& augmentation;

    void operator()(std::uint32_t node, std::span<const std::uint32_t> ids, std::span<float> out) const noexcept {
        of(rows.row(node), augmentation.drop(node), ids, out);
    }

    /// The same for a vector that is not stored, or not yet.
    void of(std::span<const float> vector, float drop, std::span<const std::uint32_t> ids,
            std::span<float> out) const noexcept {
        const std::span<const float, Dim> from(vector);
        kernels::score_rows<typename M::Stored, Backend>(from, rows, ids, out);
        if constexpr (NormAugmentation<M>::is_used) {
            for (std::size_t i = 0; i < ids.size(); ++i) {
                const double similarity = double{out[i]} + augmentation(double{drop}, ids[i]);
                out[i] = static_cast<float>(std::max(similarity, -double{std::numeric_limits<float>::max()}));
            }
        }
    }

    /// Whether a node needs no link to a candidate with this similarity to it, because it has one to another node that
    /// is alike to the candidate: `alpha` times as near, in squared distances. With 1, links to the far side of a
    /// cluster are missing, and a search needs a larger pool for the same recall.
    ///
    /// Source    Subramanya et al., "DiskANN: fast accurate billion-point nearest neighbor search on a single node",
    ///           NeurIPS 2019 (algorithm 2, alpha)
    [[nodiscard]] static bool replaces_link(float alike, float candidate) noexcept {
        constexpr float alpha = 1.2F;
        constexpr float of_equals = M::normalises ? 1.0F : 0.0F;
        // Squared distances are of_equals - similarity, times 2 if it is a product. Where those under InnerProduct are
        // negative, the first condition decides.
        return alike >= candidate && alpha * (alike - of_equals) >= candidate - of_equals;
    }

    void prefetch(std::uint32_t id) const noexcept {
        prefetch_elements(rows.data() + id * rows.stride(), Dim == std::dynamic_extent ? rows.cols() : Dim);
    }
};

}  // namespace ann::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel
