// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/ann/code_types.hpp>
#include <funnel/ann/codes.hpp>
#include <funnel/ann/vectors.hpp>
#include <funnel/core/item_filter.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/top_k.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/int8_blocks.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ann::detail {

/// The rows of an exact index as int8 codes, beside the rows themselves. A search scans the codes and scores the rows
/// that they do not rule out, so its results are those of a scan of the rows.
template <Metric M, kernels::HostBackend Backend>
class Int8Rows {
    using Sequence = CodeSequence<Int8, M, std::dynamic_extent, Backend>;
    static constexpr std::size_t block = Sequence::block;
    static constexpr std::size_t tile = Sequence::tile;

public:
    using Scratch = std::vector<typename Sequence::Query>;

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
        quantiser_.reserve(scratch[0]);
    }

    /// As scan of scan.hpp, for the k best; k is the room of each best.
    template <ItemFilter Passes>
    void search(MatrixView<const float> queries, MatrixView<const float> rows, const Passes& passes, std::size_t k,
                Scratch& scratch, std::span<TopK<>> best) const {
        if (scratch.size() < queries.rows()) {
            scratch.resize(queries.rows());
        }
        for (std::size_t q = 0; q < queries.rows(); ++q) {
            quantiser_.prepare(queries.row(q), scratch[q]);
            scratch[q].candidates.start(
                {scratch[q], queries.cols(), quantiser_.mean_length(), codes_.longest(), codes_.largest_error()}, k);
        }
        const auto itself = [](std::size_t position) { return static_cast<std::uint32_t>(position); };
        for (std::size_t begin = 0; begin < rows.rows(); begin += block) {
            const std::size_t end = std::min(begin + block, rows.rows());
            for (std::size_t q = 0; q < queries.rows(); q += tile) {
                const std::size_t count = std::min(tile, queries.rows() - q);
                const auto some = std::span(scratch).subspan(q, count);
                codes_.offer(some, begin, end, itself, passes);
                for (std::size_t i = 0; i < count; ++i) {
                    some[i].candidates.end_block(queries.row(q + i), rows, best[q + i]);
                }
            }
        }
        for (std::size_t q = 0; q < queries.rows(); ++q) {
            scratch[q].candidates.finish(queries.row(q), rows, best[q]);
        }
    }

private:
    typename Sequence::Quantiser quantiser_;
    Sequence codes_;
};

}  // namespace ann::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel
