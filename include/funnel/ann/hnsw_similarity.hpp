// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/ann/hnsw_copies.hpp>
#include <funnel/ann/hnsw_graph.hpp>
#include <funnel/ann/vectors.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix_view.hpp>
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

namespace funnel::inline FUNNEL_ABI::ann::detail {

/// How alike two stored vectors are where links are chosen. The inner product is no measure of that: a graph of the
/// largest products crowds around the longest vectors and cannot be left again. So under InnerProduct each vector gets
/// one more coordinate, which lifts it onto a sphere; a query has 0 there, so its products stay what they were.
///
///     similarity(a, b) = a . b + lift(a) lift(b) - radius^2,  lift(a) = sqrt(max(0, radius^2 - |a|^2))
///
/// The radius is the length that 97 of 100 vectors do not exceed. The longest vectors have lift 0 and attract links as
/// under the plain inner product, which leads a walk to the few vectors that are hits of most queries. With the
/// greatest length as radius, one long vector would flatten the sphere under all others: of 20,000 vectors with
/// log-normal lengths, a walk with ef 64 then finds 0.18 of the ten best, and 0.85 with this radius. A smaller radius
/// finds more of those, but fewer of the hundred best where similar vectors form clusters.
///
/// Source    Bachrach et al., "Speeding up the Xbox recommender system using a Euclidean transformation for
///           inner-product spaces", RecSys 2014
template <Metric M>
class NormAugmentation {
public:
    static constexpr bool is_used = std::same_as<M, InnerProduct>;

    NormAugmentation() = default;

    /// Chooses the radius.
    NormAugmentation(MatrixView<const float> rows, const Copies& copies)
        : NormAugmentation(rows, choose_radius_squared(rows, copies)) {}
    NormAugmentation(MatrixView<const float> rows, double radius_squared)
        : radius_squared_(radius_squared), radius_(math::sqrt(radius_squared)) {
        extend(rows);
    }

    /// Whether the radius is chosen anew when there are so many rows: at every power of two. An index that grew from
    /// nothing would otherwise keep the radius of its first vector.
    [[nodiscard]] static constexpr bool chooses_anew(std::size_t rows) noexcept {
        return is_used && std::has_single_bit(rows);
    }

    /// Takes in the rows that came since the last time; copies may not know the last one yet. If it fails, nothing has
    /// changed.
    void append(MatrixView<const float> rows, const Copies& copies) {
        if (chooses_anew(rows.rows())) {
            *this = NormAugmentation(rows, copies);
        }
        extend(rows);
    }

    /// Forgets the rows from `count` on.
    void keep_first(std::size_t count) { drop_.resize(std::min(drop_.size(), count)); }

    /// The first of the longest vectors, where it is good to start from: one that is much longer than all others is a
    /// hit of half of the queries. no_node if lengths do not matter.
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

    /// What to add to a . b.
    [[nodiscard]] double operator()(std::size_t a, std::size_t b) const noexcept {
        FUNNEL_ASSERT(a < drop_.size() && b < drop_.size());
        const double drop_a = drop_[a];
        const double drop_b = drop_[b];
        return drop_a * drop_b - radius_ * (drop_a + drop_b);
    }

    [[nodiscard]] double radius_squared() const noexcept { return radius_squared_; }
    [[nodiscard]] std::size_t memory_bytes() const noexcept { return drop_.size() * sizeof(float); }

    /// Adds its section to a file.
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
    // Copies count once: half of a catalogue may be one vector that is longer than all others.
    [[nodiscard]] static double choose_radius_squared(MatrixView<const float> rows, const Copies& copies) {
        std::vector<double> squares;
        if constexpr (is_used) {
            const std::vector<std::uint8_t> is_copy = copies.flags();
            for (std::size_t i = 0; i < rows.rows(); ++i) {
                if (i >= is_copy.size() || is_copy[i] == 0) {
                    squares.push_back(squared_length(rows.row(i)));
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
                const double squared = std::min(squared_length(rows.row(i)), radius_squared_);
                const double sum = radius_ + math::sqrt(radius_squared_ - squared);
                drop_.push_back(sum == 0.0 ? 0.0F : static_cast<float>(squared / sum));
            }
        }
    }

    // radius - lift: of short vectors on a large sphere, the lifts would all round to the radius.
    std::vector<float> drop_;
    double radius_squared_ = 0.0;
    double radius_ = 0.0;
};

/// A view of the stored vectors with that similarity.
template <Metric M, kernels::HostBackend Backend>
struct Similarity {
    MatrixView<const float> rows;
    const NormAugmentation<M>& augmentation;

    void operator()(std::uint32_t node, std::span<const std::uint32_t> ids, std::span<float> out) const noexcept {
        kernels::score_rows<typename M::Stored, Backend>(rows.row(node), rows, ids, out);
        if constexpr (NormAugmentation<M>::is_used) {
            for (std::size_t i = 0; i < ids.size(); ++i) {
                const double similarity = double{out[i]} + augmentation(node, ids[i]);
                out[i] = static_cast<float>(std::max(similarity, -double{std::numeric_limits<float>::max()}));
            }
        }
    }
};

}  // namespace funnel::ann::detail
