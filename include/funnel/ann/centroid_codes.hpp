// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/ann/codes.hpp>
#include <funnel/ann/int8_bound.hpp>
#include <funnel/ann/int8_scan.hpp>
#include <funnel/ann/scan_ids.hpp>
#include <funnel/ann/select_best.hpp>
#include <funnel/ann/vectors.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/int8_blocks.hpp>
#include <funnel/kernels/int8_scan.hpp>
#include <funnel/kernels/scores_not_below.hpp>
#include <funnel/quantise/int8.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ann::detail {

/// The centroids of an inverted file as int8 codes, beside the centroids themselves. The codes rule out most of them,
/// and only the others are scored from their floats. So a search reads a quarter of the memory to find the nearest
/// ones, which are those of a scan of the floats.
template <Metric M, kernels::HostBackend Backend>
class CentroidCodes {
    using Stored = typename M::Stored;
    using Sequence = CodeSequence<Int8, Stored, std::dynamic_extent, Backend>;
    static constexpr std::size_t fewest = 64;  // of fewer centroids, the floats are read in no more time

public:
    using Query = quantise::Int8PreparedQuery;

    CentroidCodes() = default;

    /// Shapes    centroids: n x d, valid under L2
    explicit CentroidCodes(MatrixView<const float> centroids) {
        if (has_codes(centroids.rows(), centroids.cols())) {
            quantiser_ = Sequence::Quantiser::train(centroids);
            codes_ = Sequence(centroids.cols());
            for (std::size_t i = 0; i < centroids.rows(); ++i) {
                codes_.append(quantiser_, centroids.row(i));
            }
        }
    }

    [[nodiscard]] std::size_t memory_bytes() const noexcept {
        return quantiser_.memory_bytes() + codes_.memory_bytes();
    }
    [[nodiscard]] static std::size_t memory_estimate(std::size_t n, std::size_t dimension) noexcept {
        return has_codes(n, dimension) ? Int8Rows<Stored, Backend>::memory_estimate(n, dimension) : 0;
    }

    void reserve(Query& query) const { quantiser_.reserve(query); }

    /// Whether nearest() takes less time than to score all centroids. nearest() must not be called otherwise.
    [[nodiscard]] bool pays(std::size_t count) const noexcept { return count <= codes_.size() / 4; }

    /// The `count` centroids nearest to a query, best first: their positions and scores. Ties go to the smaller
    /// position. It allocates nothing if `prepared` is reserved.
    ///
    /// Shapes    query: d, valid under Stored;  centroids: those of the constructor, n x d;  count >= 1, and it
    ///           pays;  lefts, out: n, of which the rest is lost (not checked)
    void nearest(std::span<const float> query, MatrixView<const float> centroids, std::size_t count, Query& prepared,
                 std::span<float> lefts, std::span<Scored<>> out) const {
        FUNNEL_ASSERT(count >= 1 && pays(count) && lefts.size() >= codes_.size() && out.size() >= codes_.size());
        quantiser_.prepare(query, prepared);
        const Int8Bound<Stored> bound(prepared, query.size(), quantiser_.mean_length(), codes_.longest(),
                                      codes_.largest_error());
        const kernels::Int8Vectors vectors = codes_.range(0, codes_.size());
        kernels::Int8Scan scan{
            prepared.view(), prepared.step, bound.offset(), -std::numeric_limits<float>::infinity(), out, 0};
        kernels::int8_scan<Backend>(vectors, std::span(&scan, 1));  // all are hits

        const std::span<float> least = lefts.first(vectors.size);
        for (std::size_t i = 0; i < least.size(); ++i) {
            least[i] = bound.least_product(out[i].score, vectors.scales[i]);
        }
        // At least `count` centroids have no smaller product, so what cannot have a higher score is ruled out.
        const float product = score_reached_by(least, count, 2 * count).value_or(std::numeric_limits<float>::lowest());
        const float threshold = bound.threshold(bound.least_score(product));
        for (std::size_t i = 0; i < least.size(); ++i) {
            lefts[i] = out[i].score;
        }
        const std::span<Scored<>> some =
            out.first(kernels::scores_not_below<Backend>(lefts.first(vectors.size), threshold, out));
        score_ids<Stored, Backend>(
            query, centroids, some.size(), [&](std::size_t i) { return some[i].id; },
            [&](std::size_t i, float score) { some[i].score = score; });
        select_best(some, count);
        std::sort(some.begin(), some.begin() + static_cast<std::ptrdiff_t>(count), ranks_before);
    }

private:
    [[nodiscard]] static constexpr bool has_codes(std::size_t n, std::size_t dimension) noexcept {
        return n >= fewest && dimension > 0 && dimension <= quantise::max_int8_elements;
    }

    typename Sequence::Quantiser quantiser_;
    Sequence codes_;
};

}  // namespace ann::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel
