// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/rng.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <span>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace rerank {

/// Draws k rows of a matrix with orthonormal columns, given k of its columns: a projection determinantal point process.
///
///     P(Y) = det(A_Y)^2,   A_Y: the rows Y of the chosen columns, k x k
///
/// Rows are drawn one by one. Let y_i be row i of the chosen columns. The probability of row i to be next is in
/// proportion to r_i, the squared length of y_i minus its part in the span of the rows that were drawn before. A row is
/// proposed in proportion to |y_i|^2, and accepted with probability r_i / |y_i|^2. Thus no step visits all rows, and no
/// step divides by a sum that rounding may have changed. Step t of 0 .. k - 1 takes k / (k - t) proposals on average.
///
/// Cost      O(n m) to build, one more n x m matrix;  O(k^3 log k + k log(k) log(n)) on average per draw
/// Source    Barthelme, Tremblay & Amblard, "A faster sampler for discrete determinantal point processes", AISTATS 2023
class ProjectionDPP {
public:
    /// Shapes    vectors: n x m, with orthonormal columns (not checked);  k: columns and rows per draw
    ProjectionDPP(Matrix<double> vectors, std::size_t k)
        : vectors_(std::move(vectors)),
          cumulative_(vectors_.cols(), vectors_.rows()),
          row_(k),
          products_((k + lanes - 1) / lanes),
          basis_(products_.size() * k),
          units_(k, k) {
        // A few columns at a time: more rows of cumulative_ than that would not stay in the cache together.
        for (std::size_t first = 0; first < vectors_.cols(); first += lanes) {
            Lanes sums{};
            const std::size_t count = std::min(lanes, vectors_.cols() - first);
            for (std::size_t i = 0; i < vectors_.rows(); ++i) {
                for (std::size_t c = 0; c < count; ++c) {
                    sums[c] += vectors_(i, first + c) * vectors_(i, first + c);
                    cumulative_(first + c, i) = sums[c];
                }
            }
        }
    }

    [[nodiscard]] const Matrix<double>& vectors() const noexcept FUNNEL_LIFETIMEBOUND { return vectors_; }

    /// Draws k distinct rows, in the order in which they were drawn. Allocates nothing.
    ///
    /// Shapes    columns: k, distinct and below m (not checked);  picks: k (not checked)
    void draw(Random& random, std::span<const std::size_t> columns, std::span<std::size_t> picks) noexcept {
        FUNNEL_ASSERT(columns.size() == k() && picks.size() == k());
        for (std::size_t t = 0; t < k(); ++t) {
            do {
                picks[t] = propose(random, columns);
            } while (!accept(random, t));
            append_to_basis(t);
        }
    }

private:
    static constexpr std::size_t lanes = 32;  // basis vectors that a loop handles at once
    using Lanes = std::array<double, lanes>;

    [[nodiscard]] std::size_t k() const noexcept { return row_.size(); }

    // Every column has the same sum of squares, 1: a uniform column and then a row in proportion to its square there.
    [[nodiscard]] std::size_t propose(Random& random, std::span<const std::size_t> columns) noexcept {
        const auto sums = cumulative_.row(columns[random.below(k())]);
        const double mark = random.uniform() * sums.back();
        const auto at = static_cast<std::size_t>(std::upper_bound(sums.begin(), sums.end() - 1, mark) - sums.begin());
        const auto elements = vectors_.row(at);
        for (std::size_t j = 0; j < k(); ++j) {
            row_[j] = elements[columns[j]];
        }
        return at;
    }

    // Accepts the proposed row with the share of its squared length that is outside the span of the basis. Stops as
    // soon as the part inside is too long. Rounding noise counts as inside, so rows in the span are never accepted.
    [[nodiscard]] bool accept(Random& random, std::size_t size) noexcept {
        const double noise = 4.0 * static_cast<double>(k()) * std::numeric_limits<double>::epsilon();
        const double squared = squared_length();
        const double limit = squared * std::min(random.uniform(), 1.0 - noise);
        double inside = 0.0;
        for (std::size_t block = 0; block * lanes < size; ++block) {
            products_[block] = block_products(block);
            for (const double x : products_[block]) {
                inside += x * x;
            }
            if (!(inside < limit)) {
                return false;
            }
        }
        return squared > 0.0;
    }

    // Makes the accepted row orthogonal to the basis, with the products that are known from there, and appends it. One
    // pass is enough: it leaves errors of about epsilon / sqrt(r) along the basis, where r is the share of the squared
    // length outside of its span, and such a row was accepted with probability r.
    void append_to_basis(std::size_t size) noexcept {
        subtract_products(size);
        const double length = math::sqrt(squared_length());
        const std::size_t block = size / lanes;
        for (std::size_t j = 0; j < k(); ++j) {
            Lanes& elements = basis_[block * k() + j];
            if (size % lanes == 0) {
                elements = {};  // those of an earlier draw
            }
            elements[size % lanes] = units_(size, j) = row_[j] / length;
        }
    }

    void subtract_products(std::size_t size) noexcept {
        for (std::size_t t = 0; t < size; ++t) {
            const double product = products_[t / lanes][t % lanes];
            const double* const unit = units_.row(t).data();
            double* const row = row_.data();
            for (std::size_t j = 0; j < k(); ++j) {
                row[j] -= product * unit[j];
            }
        }
    }

    // The products of the row with the basis vectors of a block.
    [[nodiscard]] Lanes block_products(std::size_t block) const noexcept {
        Lanes sums{};
        const Lanes* const elements = basis_.data() + block * k();
        for (std::size_t j = 0; j < k(); ++j) {
            for (std::size_t lane = 0; lane < lanes; ++lane) {
                sums[lane] += row_[j] * elements[j][lane];
            }
        }
        return sums;
    }

    [[nodiscard]] double squared_length() const noexcept {
        double sum = 0.0;
        for (const double x : row_) {
            sum += x * x;
        }
        return sum;
    }

    Matrix<double> vectors_;
    Matrix<double> cumulative_;  // m x n: row c holds the cumulative sums of the squares of column c

    // Of the current draw:
    std::vector<double> row_;      // the proposed row in the chosen columns
    std::vector<Lanes> products_;  // its products with the basis
    std::vector<Lanes> basis_;     // orthonormal basis of the rows so far; k elements for each block of basis vectors
    Matrix<double> units_;         // the same, one vector per row
};

}  // namespace rerank
}  // namespace FUNNEL_ABI
}  // namespace funnel
