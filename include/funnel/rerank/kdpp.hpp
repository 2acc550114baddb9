// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/linalg/symmetric_eigen.hpp>
#include <funnel/rerank/elementary_symmetric.hpp>
#include <funnel/rerank/projection_dpp.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace rerank {

struct KDPPOptions {
    std::size_t k = 10;      ///< size of each set; at most the rank of the kernel
    std::uint64_t seed = 1;  ///< seed of the draws
};

/// Draws random sets of k candidates that are good and diverse: a determinantal point process of fixed size (k-DPP).
/// Each call of sample() draws another set, so that repeated visits show different slates.
///
///     P(Y) = det L_Y / e_k,   L_ij = quality_i quality_j cosine(embeddings_i, embeddings_j)
///
/// e_k is the elementary symmetric polynomial of the eigenvalues of L. Similar candidates rarely appear together, and
/// duplicates never do. The draws are exact, not those of a Markov chain:
///
///     1. Draw k eigenvectors of L, each set in proportion to the product of its eigenvalues (ElementarySymmetric).
///     2. Draw k candidates from the projection on these eigenvectors (ProjectionDPP).
///
/// Eigenvectors come from the d x d matrix of the features (dual form). L itself is never built. Needs Eigen.
///
/// Cost      constructor: O(n d min(n, d) + min(n, d)^3) time, two n x rank matrices of doubles;  draw: O(rank +
///           k^3 log k + k log(k) log(n))
/// Source    Kulesza & Taskar, "Determinantal point processes for machine learning", 2012 (5.2; 3.3 for the dual form)
class KDPP {
public:
    /// Embeddings need not be unit vectors. A row of zeros, or one with quality 0, is never drawn. Where relevance is a
    /// score, use quality_i = exp(alpha relevance_i).
    ///
    /// Shapes    embeddings: n x d;  quality: n
    /// Errors    InvalidArgument if the shapes do not match, an embedding or a quality is not finite, a quality is
    ///           negative, or k exceeds the rank of the kernel
    KDPP(MatrixView<const float> embeddings, std::span<const float> quality, const KDPPOptions& options = {})
        : KDPP(linalg::gram_eigen(feature_rows(embeddings, quality)), options) {}

    /// From a kernel: any symmetric positive semi-definite matrix.
    ///
    /// Shapes    kernel: n x n
    /// Cost      O(n^3); prefer features where they exist
    /// Errors    InvalidArgument if the kernel is not square, finite and symmetric, has a negative eigenvalue, or k
    ///           exceeds its rank
    [[nodiscard]] static KDPP from_kernel(MatrixView<const double> kernel, const KDPPOptions& options = {}) {
        require_symmetric(kernel);
        linalg::EigenPairs pairs = linalg::symmetric_eigen(kernel);
        if (!pairs.values.empty()) {
            const double least = pairs.values.front();
            const double limit = linalg::eigen_tolerance(kernel.rows()) * std::max(pairs.values.back(), -least);
            if (least < -limit) {
                raise<InvalidArgument>("KDPP: kernel must be positive semi-definite, but its smallest eigenvalue is " +
                                       funnel::detail::shortest(least));
            }
            keep_above(limit, pairs);
        }
        return KDPP(std::move(pairs), options);
    }

    /// Draws a set: k positions, ascending. Two samplers with the same input and seed draw the same sequence of sets.
    /// To draw a set again, use one sampler per request, with the number of the request as its seed.
    [[nodiscard]] std::vector<std::size_t> sample() {
        std::vector<std::size_t> picks(k());
        sample(picks);
        return picks;
    }

    /// As above, into the caller's memory; allocates nothing.
    ///
    /// Shapes    picks: k() (not checked)
    void sample(std::span<std::size_t> picks) noexcept {
        FUNNEL_ASSERT(picks.size() == k());
        Random random(seed_, draw_stream, draws_++);
        spectrum_.draw(random, columns_);
        projection_.draw(random, columns_, picks);
        std::sort(picks.begin(), picks.end());
    }

    [[nodiscard]] std::size_t k() const noexcept { return columns_.size(); }
    [[nodiscard]] std::size_t candidates() const noexcept { return vectors().rows(); }
    [[nodiscard]] std::size_t rank() const noexcept { return vectors().cols(); }

    /// log e_k, the logarithm of the sum of det L_Y over all sets Y of k candidates.
    [[nodiscard]] double log_normalizer() const noexcept { return spectrum_.log_value(); }

    /// The logarithm of the probability that sample() draws this set; minus infinity if it cannot.
    ///
    /// Shapes    set: k() distinct positions, in any order
    /// Cost      O(k^2 rank)
    /// Errors    InvalidArgument if the set has another size, or a position is out of range or occurs twice
    [[nodiscard]] double log_probability(std::span<const std::size_t> set) const {
        require_equal(set.size(), k(), "KDPP::log_probability: size of set");
        for (std::size_t i = 0; i < set.size(); ++i) {
            require_below(set[i], candidates(), "KDPP::log_probability: positions of set");
            require(std::find(set.begin(), set.begin() + static_cast<std::ptrdiff_t>(i), set[i]) ==
                        set.begin() + static_cast<std::ptrdiff_t>(i),
                    "KDPP::log_probability: positions of set must be distinct");
        }
        // det L_Y is the product of the squared lengths that rows of V diag(sqrt(lambda)) keep beside the rows before
        // them. The largest goes first, and each is orthogonalized twice.
        Matrix<double> rows(k(), rank());
        std::vector<double> squared(k());
        for (std::size_t i = 0; i < k(); ++i) {
            for (std::size_t c = 0; c < rank(); ++c) {
                rows(i, c) = vectors()(set[i], c) * math::sqrt(values_[c]);
            }
            squared[i] = product(rows.row(i), rows.row(i));
        }
        const std::vector<double> whole = squared;
        double log_determinant = 0.0;
        std::vector<std::size_t> order(k());
        for (std::size_t t = 0; t < k(); ++t) {
            order[t] = t;
        }
        for (std::size_t t = 0; t < k(); ++t) {
            const auto best = std::max_element(order.begin() + static_cast<std::ptrdiff_t>(t), order.end(),
                                               [&](std::size_t a, std::size_t b) { return squared[a] < squared[b]; });
            std::swap(order[t], *best);
            const auto pivot = rows.row(order[t]);
            for (std::size_t s = 0; s < t; ++s) {
                subtract_part(rows.row(order[s]), pivot);
            }
            const double length = product(pivot, pivot);
            if (!(length > linalg::eigen_tolerance(rank()) * whole[order[t]])) {
                return -std::numeric_limits<double>::infinity();
            }
            log_determinant += math::log(length);
            for (double& x : pivot) {
                x /= math::sqrt(length);
            }
            for (std::size_t s = t + 1; s < k(); ++s) {
                subtract_part(pivot, rows.row(order[s]));
                squared[order[s]] = product(rows.row(order[s]), rows.row(order[s]));
            }
        }
        return log_determinant - log_normalizer();
    }

    /// The probability of each candidate to be in a set (marginals); their sum is k. This is the propensity of a
    /// candidate, for off-policy evaluation.
    ///
    /// Cost      O(n rank + k rank)
    [[nodiscard]] std::vector<double> inclusion_probabilities() const {
        const std::vector<double> weights = spectrum_.inclusion_probabilities();
        std::vector<double> probabilities(candidates(), 0.0);
        for (std::size_t i = 0; i < candidates(); ++i) {
            for (std::size_t c = 0; c < rank(); ++c) {
                probabilities[i] += weights[c] * vectors()(i, c) * vectors()(i, c);
            }
        }
        for (double& probability : probabilities) {
            probability = std::min(probability, 1.0);  // sums are rounded
        }
        return probabilities;
    }

private:
    static constexpr Stream draw_stream = stream("kdpp.draw");

    [[nodiscard]] const Matrix<double>& vectors() const noexcept { return projection_.vectors(); }

    KDPP(linalg::EigenPairs&& pairs, const KDPPOptions& options)
        : values_(std::move(pairs.values)),
          spectrum_(values_, require_rank(options.k, values_.size())),
          projection_(std::move(pairs.vectors), options.k),
          seed_(options.seed),
          columns_(options.k) {}

    [[nodiscard]] static std::size_t require_rank(std::size_t k, std::size_t rank) {
        if (k > rank) {
            raise<InvalidArgument>("KDPP: k must be at most the rank of the kernel, " + std::to_string(rank) +
                                   ", got " + std::to_string(k) + "; larger sets have probability 0");
        }
        return k;
    }

    [[nodiscard]] static Matrix<double> feature_rows(MatrixView<const float> embeddings,
                                                     std::span<const float> quality) {
        require_equal(quality.size(), embeddings.rows(), "KDPP: size of quality");
        Matrix<double> rows(embeddings.rows(), embeddings.cols());
        for (std::size_t i = 0; i < rows.rows(); ++i) {
            require_not_negative(quality[i], "KDPP: quality");
            double squared = 0.0;
            for (const float& x : embeddings.row(i)) {
                if (!math::is_finite(x)) {
                    raise<InvalidArgument>("KDPP: row " + std::to_string(i) + " of embeddings must be finite");
                }
                squared += static_cast<double>(x) * static_cast<double>(x);
            }
            const double scale = squared > 0.0 ? static_cast<double>(quality[i]) / math::sqrt(squared) : 0.0;
            for (std::size_t c = 0; c < rows.cols(); ++c) {
                rows(i, c) = scale * static_cast<double>(embeddings(i, c));
            }
        }
        return rows;
    }

    static void require_symmetric(MatrixView<const double> kernel) {
        require(kernel.rows() == kernel.cols(), "KDPP: kernel must be square");
        double largest = 0.0;
        for (std::size_t i = 0; i < kernel.rows(); ++i) {
            for (const double& x : kernel.row(i)) {
                require_finite(x, "KDPP: elements of kernel");
                largest = std::max(largest, math::abs(x));
            }
        }
        for (std::size_t i = 0; i < kernel.rows(); ++i) {
            for (std::size_t j = 0; j < i; ++j) {
                if (!(math::abs(kernel(i, j) - kernel(j, i)) <= 1e-10 * largest)) {
                    raise<InvalidArgument>("KDPP: kernel must be symmetric, but elements (" + std::to_string(i) + ", " +
                                           std::to_string(j) + ") and (" + std::to_string(j) + ", " +
                                           std::to_string(i) + ") differ");
                }
            }
        }
    }

    // Keeps the pairs with eigenvalues above the limit.
    static void keep_above(double limit, linalg::EigenPairs& pairs) {
        const auto first = std::upper_bound(pairs.values.begin(), pairs.values.end(), limit);
        const auto dropped = static_cast<std::size_t>(first - pairs.values.begin());
        pairs.values.erase(pairs.values.begin(), first);
        Matrix<double> kept(pairs.vectors.rows(), pairs.values.size());
        for (std::size_t i = 0; i < kept.rows(); ++i) {
            const auto row = pairs.vectors.row(i).subspan(dropped);
            std::copy(row.begin(), row.end(), kept.row(i).begin());
        }
        pairs.vectors = std::move(kept);
    }

    [[nodiscard]] static double product(std::span<const double> a, std::span<const double> b) noexcept {
        double sum = 0.0;
        for (std::size_t i = 0; i < a.size(); ++i) {
            sum += a[i] * b[i];
        }
        return sum;
    }

    // Subtracts the part of a vector in the direction of a unit vector.
    static void subtract_part(std::span<const double> unit, std::span<double> vector) noexcept {
        const double part = product(unit, vector);
        for (std::size_t i = 0; i < unit.size(); ++i) {
            vector[i] -= part * unit[i];
        }
    }

    std::vector<double> values_;  // eigenvalues of L above zero
    ElementarySymmetric spectrum_;
    ProjectionDPP projection_;  // holds their eigenvectors
    std::uint64_t seed_;
    std::uint64_t draws_ = 0;
    std::vector<std::size_t> columns_;  // the chosen eigenvectors of the current draw
};

}  // namespace rerank
}  // namespace FUNNEL_ABI
}  // namespace funnel
