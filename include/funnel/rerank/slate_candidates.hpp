// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/wide_dot.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace rerank {

namespace detail {

// The length of each row in double; 0 for a row that has no direction. Rejects rows that are not finite or too long.
template <kernels::HostBackend Backend>
void lengths_of_rows(MatrixView<const float> rows, std::span<double> lengths, std::string_view function) {
    kernels::row_lengths<Backend>(rows, lengths);
    const double longest = math::sqrt(static_cast<double>(std::numeric_limits<float>::max()));
    for (std::size_t i = 0; i < rows.rows(); ++i) {
        if (!math::is_finite(lengths[i]) || lengths[i] > longest) {
            raise<InvalidArgument>(std::string(function) + ": row " + std::to_string(i) +
                                   " of embeddings must be finite and have a norm below 1.8e19");
        }
        lengths[i] = lengths[i] > 1e-18 ? lengths[i] : 0.0;
    }
}

// Checked rows with their lengths: what the selections work on.
struct FeatureRows {
    MatrixView<const float> rows;
    std::span<const double> lengths;
};

// A DPP takes a candidate for a combination of the picks if the squared distance of its unit vector from their span is
// below this: 4 d times the rounding unit of float. It depends on no unit.
[[nodiscard]] inline double direction_tolerance(FeatureRows features) noexcept {
    return 4.0 * static_cast<double>(features.rows.cols()) * 0x1p-23;
}

// The cosine of two rows; 0 if one has no direction.
template <kernels::HostBackend Backend>
[[nodiscard]] auto cosine_of(FeatureRows features) {
    return [features](std::size_t i, std::size_t j) {
        const double lengths = features.lengths[i] * features.lengths[j];
        return lengths > 0.0 ? kernels::wide_dot<Backend>(features.rows.row(i), features.rows.row(j)) / lengths : 0.0;
    };
}

}  // namespace detail

/// Embeddings that have been checked once, for many selections from the same candidates.
///
///     const SlateCandidates candidates(embeddings);
///     mmr(relevance_of_this_request, candidates, {.k = 10});
///
/// A row of zeros, or with a norm below 1e-18, has no direction: its cosine with every row is 0, and a DPP never
/// picks it.
///
/// Cost      O(n d) time; a copy of the rows, and n doubles
/// Errors    InvalidArgument if a row is not finite or has a norm above 1.8e19, or if there are 2^32 - 1 rows or more
template <kernels::HostBackend Backend = kernels::DefaultBackend>
class SlateCandidates {
public:
    explicit SlateCandidates(MatrixView<const float> embeddings) : rows_(embeddings), lengths_(embeddings.rows()) {
        require(embeddings.rows() < std::numeric_limits<std::uint32_t>::max(),
                "SlateCandidates: there must be fewer than 2^32 - 1 rows");
        detail::lengths_of_rows<Backend>(rows_.view(), lengths_, "SlateCandidates");
    }

    [[nodiscard]] std::size_t size() const noexcept { return rows_.rows(); }
    [[nodiscard]] std::size_t dimension() const noexcept { return rows_.cols(); }
    [[nodiscard]] detail::FeatureRows features() const noexcept FUNNEL_LIFETIMEBOUND {
        return {rows_.view(), lengths_};
    }

private:
    Matrix<float> rows_;
    std::vector<double> lengths_;
};

}  // namespace rerank
}  // namespace FUNNEL_ABI
}  // namespace funnel
