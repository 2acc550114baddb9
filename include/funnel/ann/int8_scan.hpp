// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/ann/codes.hpp>
#include <funnel/ann/vectors.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/item_filter.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/core/top_k.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/int8_scan.hpp>
#include <funnel/kernels/one_to_many.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ann::detail {

/// Which vectors the int8 codes rule out: those whose float score is below the k-th best so far, whatever the error of
/// the codes.
///
/// Let u = 2^-24, x a vector, m the mean, and x - m = s c + e, with the scale s, the bytes c and the error e. Let q be
/// the query (under L2: minus m) and q = t k + f, with the step t, the bytes k and the error f. Then, in real numbers,
///
///     <q, x - m> = t s <k, c> + <f, s c> + <q, e> <= s (t <k, c> + |f| C + |q| R)                                  (1)
///
/// by Cauchy-Schwarz, where C >= |c| and R >= |e| / s for all vectors. C is at most 127 sqrt d and R at most sqrt d / 2
/// for any data: outliers cannot spoil the bound of other vectors, because each has a scale of its own.
///
/// A float score differs from the real one, whatever the order of its additions and with or without fused operations
/// (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1). With g = (d + 2) u / (1 - (d + 2) u):
///
///     inner product   score <= <q, x> + g |q| |x|,  and |x| <= |m| + s (C + R)
///     L2              score <= -D (1 - g),  D = |q - (x - m)|^2, all differences without rounding
///
/// So a score can reach the k-th best, tau, only if
///
///     inner product   s (t <k, c> + A) >= tau - <q, m> - g |q| |m|,       A = |f| C + |q| R + g |q| (C + R)
///     L2              s (t <k, c> + A) - |x - m|^2 / 2 >= tau (1 + 2 g) / 2 + |q|^2 / 2,  A = |f| C + |q| R
///
/// (L2: D = |q|^2 - 2 <q, x - m> + |x - m|^2, tau <= 0, and 1 / (1 - g) <= 1 + 2 g.)
///
/// The kernel computes the left side in floats: at most four roundings of numbers up to s (t |k| C + A), where
/// t |k| <= |q| + |f|. A gains 2^-20 of them, which also covers the roundings of the doubles here. The last addition,
/// of -|x - m|^2 / 2 rounded up, and the comparison need nothing: rounding is monotone and the right side is a float,
/// rounded down. Numbers that underflow, or that the processor flushes to zero, change a score by less than
/// d 2^-120 (1 + |q|), which the right side loses. Left sides do not overflow downwards: |s c| <= |x - m| + |e|, which
/// is below 1.5 * 2^63 up to 2^14 dimensions, and so is t |k|.
template <Metric M>
class Int8Bound {
    static constexpr bool is_l2 = std::same_as<typename M::Stored, kernels::L2>;

public:
    Int8Bound() = default;

    /// longest: C, largest_error: R.
    Int8Bound(const quantise::Int8PreparedQuery& query, std::size_t dimension, double mean_length, double longest,
              double largest_error) noexcept {
        const auto d = static_cast<double>(dimension);
        const double g = 1.01 * (d + 16.0) * 0x1p-24;
        double offset = query.error * longest + query.length * largest_error;
        if constexpr (is_l2) {
            const double squares = query.length * query.length;
            factor_ = (1.0 + 2.0 * g) / 2.0;
            constant_ = squares / 2.0;
            slack_ = 0x1p-36 * squares;
        } else {
            offset += g * query.length * (longest + largest_error);
            factor_ = 1.0;
            constant_ = -query.at_mean - g * query.length * mean_length;
            slack_ = 0x1p-36 * query.length * mean_length;
        }
        slack_ += d * 0x1p-120 * (1.0 + query.length);
        offset += 0x1p-20 * ((query.length + query.error) * longest + offset);
        offset_ = CodeRounding::up(offset);
    }

    /// A, which is added to t <k, c>.
    [[nodiscard]] float offset() const noexcept { return offset_; }

    /// The right side, if `kth` is the k-th best score so far.
    [[nodiscard]] float threshold(float kth) const noexcept {
        const auto tau = static_cast<double>(kth);
        return CodeRounding::down(factor_ * tau + constant_ - slack_ - 0x1p-36 * math::abs(tau));
    }

private:
    float offset_ = 0.0F;
    double factor_ = 0.0;
    double constant_ = 0.0;
    double slack_ = 0.0;
};

/// The rows of an exact index as int8 codes, beside the rows themselves. A search scans the codes and scores the rows
/// that they do not rule out, so its results are those of a scan of the rows.
template <Metric M, kernels::HostBackend Backend>
class Int8Rows {
    using Sequence = CodeSequence<Int8, M, std::dynamic_extent, Backend>;
    static constexpr std::size_t block = 256;
    static constexpr std::size_t tile = 4;  // queries per pass of the kernel

public:
    struct Query {
        quantise::Int8PreparedQuery codes;
        Int8Bound<M> bound;
        // Vectors of the last block that are not ruled out. They are scored after the next block of codes, so that they
        // have arrived from memory.
        std::array<std::uint32_t, block> pending;
        std::size_t count = 0;
    };
    using Scratch = std::vector<Query>;

    void append(MatrixView<const float> rows) {
        if (codes_.size() == 0) {
            quantiser_ = Sequence::Quantiser::train(rows);
            codes_ = Sequence(rows.cols());
        }
        for (std::size_t i = 0; i < rows.rows(); ++i) {
            codes_.append(quantiser_, rows.row(i));
        }
    }

    /// Row id has changed to this vector.
    void set(std::uint32_t id, std::span<const float> vector) noexcept { codes_.set(id, quantiser_, vector); }

    [[nodiscard]] std::size_t memory_bytes() const noexcept {
        return quantiser_.memory_bytes() + codes_.memory_bytes();
    }
    [[nodiscard]] static std::size_t memory_estimate(std::size_t n, std::size_t dimension) noexcept {
        const std::size_t padded = kernels::int8_blocks(n) * kernels::int8_block;
        return dimension * sizeof(float) + padded * Sequence::bytes_per_vector(dimension);
    }

    /// Memory for one query.
    void reserve(Scratch& scratch) const {
        scratch.resize(std::max<std::size_t>(scratch.size(), 1));
        quantiser_.reserve(scratch[0].codes);
    }

    /// As scan of scan.hpp.
    template <ItemFilter Passes>
    void search(MatrixView<const float> queries, MatrixView<const float> rows, const Passes& passes, Scratch& scratch,
                std::span<TopK<>> best) const {
        scratch.resize(std::max(scratch.size(), queries.rows()));
        for (std::size_t q = 0; q < queries.rows(); ++q) {
            quantiser_.prepare(queries.row(q), scratch[q].codes);
            scratch[q].bound = {scratch[q].codes, queries.cols(), quantiser_.mean_length(), codes_.longest(),
                                codes_.largest_error()};
            scratch[q].count = 0;
        }
        for (std::size_t begin = 0; begin < rows.rows(); begin += block) {
            const std::size_t end = std::min(begin + block, rows.rows());
            for (std::size_t q = 0; q < queries.rows(); q += tile) {
                const std::size_t count = std::min(tile, queries.rows() - q);
                search_block(queries.rows_from(q, count), rows, passes, std::span(scratch).subspan(q, count),
                             best.subspan(q, count), begin, end);
            }
        }
        for (std::size_t q = 0; q < queries.rows(); ++q) {
            score_pending(queries.row(q), rows, scratch[q], best[q]);
        }
    }

private:
    template <ItemFilter Passes>
    void search_block(MatrixView<const float> queries, MatrixView<const float> rows, const Passes& passes,
                      std::span<Query> prepared, std::span<TopK<>> best, std::size_t begin, std::size_t end) const {
        for (std::size_t q = 0; q < best.size(); ++q) {
            score_pending(queries.row(q), rows, prepared[q], best[q]);
        }
        const auto keep = [&](Query& query, std::size_t id) {
            query.pending[query.count] = static_cast<std::uint32_t>(id);
            query.count += passes(static_cast<std::uint32_t>(id)) ? 1U : 0U;
        };
        const bool are_full = std::all_of(best.begin(), best.end(), [](const TopK<>& k) { return k.is_full(); });
        if (!are_full) {  // no score is too low yet
            for (Query& query : prepared) {
                for (std::size_t i = begin; i < end; ++i) {
                    keep(query, i);
                }
            }
            return;
        }
        std::array<std::array<Scored<>, block>, tile> hits;
        std::array<kernels::Int8Scan, tile> scans;
        for (std::size_t q = 0; q < best.size(); ++q) {
            const Int8Bound<M>& bound = prepared[q].bound;
            scans[q] = {prepared[q].codes.view(),
                        prepared[q].codes.step,
                        bound.offset(),
                        bound.threshold(best[q].threshold()),
                        hits[q],
                        0};
        }
        kernels::int8_scan<Backend>(codes_.range(begin, end), std::span(scans).first(best.size()));
        for (std::size_t q = 0; q < best.size(); ++q) {
            for (const Scored<>& hit : std::span(hits[q]).first(scans[q].count)) {
                keep(prepared[q], begin + hit.id);
            }
            for (const std::uint32_t id : std::span(prepared[q].pending).first(prepared[q].count)) {
                constexpr std::size_t line = 64 / sizeof(float);
                for (std::size_t j = 0; j < rows.cols(); j += line) {
                    __builtin_prefetch(rows.data() + id * rows.stride() + j);
                }
            }
        }
    }

    static void score_pending(std::span<const float> query, MatrixView<const float> rows, Query& prepared,
                              TopK<>& best) noexcept {
        const auto ids = std::span<const std::uint32_t>(prepared.pending).first(prepared.count);
        std::array<float, block> scores;
        kernels::score_rows<typename M::Stored, Backend>(query, rows, ids, std::span(scores).first(ids.size()));
        for (std::size_t i = 0; i < ids.size(); ++i) {
            best.push(ids[i], bounded<M>(scores[i]));
        }
        prepared.count = 0;
    }

    typename Sequence::Quantiser quantiser_;
    Sequence codes_;
};

}  // namespace ann::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel
