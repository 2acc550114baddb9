// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/ann/vectors.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/fast_scan.hpp>
#include <funnel/kernels/pq_scan.hpp>
#include <funnel/kernels/scores_at_least.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ann::detail {

/// What a list of an IVFPQIndex stores: M codes per vector, in blocks of 32, as the kernels read them.
///
/// The score of a vector that is stored as centroid c and decoded residual r needs one table per query, not per list:
///
///     InnerProduct    <q, c + r> = <q, c> + <q, r>
///     Cosine          1 - |q - c - r|^2 / 2 = <q, c> + <q, r> - penalty,   penalty = (|c + r|^2 - 1) / 2
///     L2              - |q - c - r|^2 = - |q - c|^2 + 2 <q, r> - penalty,   penalty = 2 <c, r> + |r|^2
///
/// If codes are of whole vectors, which an import may bring, c is 0, whatever the centroid of the list.
///
/// Under Cosine, vectors have unit length, but c + r is shorter. The inner product alone would prefer vectors that are
/// stored with a small loss to near ones.
template <Metric Kind, std::size_t M, std::size_t Bits>
class ProductCodes {
public:
    static constexpr bool is_l2 = std::same_as<typename Kind::Stored, L2>;
    static constexpr bool has_penalties = is_l2 || Kind::normalises;
    static constexpr std::size_t block = 256;  // vectors that above() scores at a time

    using Entry = std::conditional_t<Bits == 8, std::uint16_t, std::uint8_t>;

    /// A query with its tables.
    struct Query {
        std::vector<float> rotated;
        std::vector<float> floats;
        std::vector<Entry> table;
        float scale = 0.0F;
        float offset = 0.0F;
    };

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] std::size_t memory_bytes() const noexcept {
        return blocks_.size() + penalties_.size() * sizeof(float);
    }
    [[nodiscard]] static constexpr std::size_t bytes_per_vector() noexcept {
        return M * Bits / 8 + (M * Bits % 8 > 0 ? 1 : 0) + (has_penalties ? sizeof(float) : 0);
    }

    /// Code m of a vector. position < size(), m < M (not checked).
    [[nodiscard]] std::uint8_t code(std::size_t position, std::size_t m) const noexcept {
        const std::uint8_t byte = blocks_[byte_of(position, m)];
        if constexpr (Bits == 8) {
            return byte;
        } else {
            return is_high(position) ? byte >> 4 : byte & 15;
        }
    }

    /// Adds a vector. On failure nothing has changed.
    void append(std::span<const std::uint8_t> codes, float penalty) {
        if constexpr (has_penalties) {
            reserve_more(penalties_, 1);
        }
        if (size_ % kernels::code_block == 0) {
            reserve_more(blocks_, block_bytes);
            blocks_.resize(blocks_.size() + block_bytes);  // the last step that can fail
        }
        if constexpr (has_penalties) {
            penalties_.push_back(penalty);
        }
        for (std::size_t m = 0; m < M; ++m) {
            put(size_, m, codes[m]);
        }
        ++size_;
    }

    /// Moves the last vector to a position, and forgets it where it was. position < size() (not checked).
    void remove(std::size_t position) noexcept {
        FUNNEL_ASSERT(position < size_);
        const std::size_t last = size_ - 1;
        for (std::size_t m = 0; m < M; ++m) {
            put(position, m, code(last, m));
        }
        if constexpr (has_penalties) {
            penalties_[position] = penalties_[last];
            penalties_.pop_back();
        }
        size_ = last;
        blocks_.resize((size_ + kernels::code_block - 1) / kernels::code_block * block_bytes);
    }

    /// The vectors from begin to end whose score is at least the threshold.
    ///
    /// Shapes    begin: a multiple of block;  end: at most begin + block;  out: end - begin (not checked)
    /// Returns   their number; out[i].id is a position
    template <kernels::HostBackend Backend>
    [[nodiscard]] std::size_t above(const Query& query, float offset, std::size_t begin, std::size_t end,
                                    float threshold, std::span<Scored<>> out) const noexcept {
        std::array<std::uint16_t, block> all;
        std::array<std::uint32_t, block> positions;
        std::array<float, block> scores;
        const std::size_t count = end - begin;
        const std::size_t blocks = (count + kernels::code_block - 1) / kernels::code_block;
        const auto sums = std::span(all).first(blocks * kernels::code_block);
        const auto codes = std::span(blocks_).subspan(begin / kernels::code_block * block_bytes, blocks * block_bytes);
        if constexpr (Bits == 8) {
            kernels::pq_scan<Backend>(query.table, codes, sums);
        } else {
            kernels::fast_scan<Backend>(query.table, codes, sums);
        }
        const auto penalties = has_penalties ? std::span(penalties_).subspan(begin, count) : std::span<const float>{};
        const std::size_t found =
            kernels::scores_at_least<Backend>(sums.first(count), query.scale, query.offset + offset, penalties,
                                              threshold, std::span(positions), std::span(scores));
        for (std::size_t i = 0; i < found; ++i) {
            out[i] = {static_cast<std::uint32_t>(begin + positions[i]), scores[i]};
        }
        return found;
    }

private:
    static constexpr std::size_t block_bytes = M * kernels::code_block * Bits / 8;

    [[nodiscard]] static bool is_high(std::size_t position) noexcept { return position % kernels::code_block >= 16; }

    [[nodiscard]] static std::size_t byte_of(std::size_t position, std::size_t m) noexcept {
        const std::size_t first = position / kernels::code_block * block_bytes;
        constexpr std::size_t row = kernels::code_block * Bits / 8;
        return first + m * row + position % row;
    }

    void put(std::size_t position, std::size_t m, std::uint8_t code) noexcept {
        std::uint8_t& byte = blocks_[byte_of(position, m)];
        if constexpr (Bits == 8) {
            byte = code;
        } else {
            byte = static_cast<std::uint8_t>(is_high(position) ? (byte & 15) | (code << 4) : (byte & 0xF0) | code);
        }
    }

    std::size_t size_ = 0;
    std::vector<std::uint8_t> blocks_;
    std::vector<float> penalties_;
};

}  // namespace ann::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel
