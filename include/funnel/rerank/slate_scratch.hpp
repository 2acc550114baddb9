// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/feature_blocks.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace rerank {

namespace detail {

// Numbers that are written before they are read: not cleared, and from the start of a cache line, so that no load of a
// vector register touches two lines.
template <class T>
class Buffer {
public:
    void grow(std::size_t n) {
        if (n > size_) {
            data_.reset(new (std::align_val_t(row_alignment)) T[n]);
            size_ = n;
        }
    }

    [[nodiscard]] T& operator[](std::size_t i) noexcept {
        FUNNEL_ASSERT(i < size_);
        return data_[i];
    }
    [[nodiscard]] const T& operator[](std::size_t i) const noexcept {
        FUNNEL_ASSERT(i < size_);
        return data_[i];
    }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] T* data() noexcept { return data_.get(); }
    [[nodiscard]] const T* data() const noexcept { return data_.get(); }
    [[nodiscard]] T* begin() noexcept { return data(); }
    [[nodiscard]] T* end() noexcept { return data() + size_; }
    [[nodiscard]] const T* begin() const noexcept { return data(); }
    [[nodiscard]] const T* end() const noexcept { return data() + size_; }

private:
    struct Free {
        void operator()(T* p) const noexcept { ::operator delete[](p, std::align_val_t(row_alignment)); }
    };

    std::unique_ptr<T[], Free> data_;  // NOLINT(modernize-avoid-c-arrays): the only form that is not cleared
    std::size_t size_ = 0;
};

// The memory of BlockGreedy (greedy.hpp) and its measures.
struct GreedyMemory {
    // Per slot: a place in the order of falling relevance, padded to whole blocks.
    std::size_t slots = 0;
    Buffer<std::uint32_t> order;       // its candidate
    Buffer<std::uint32_t> contested;   // list of slots that may hold the best score
    Buffer<float> scale;               // 1 / length of its row
    Buffer<float> weight;              // its level, relative to the base of the block
    Buffer<float> scaled;              // per candidate: relevance, if MMR scales it
    Buffer<float> state;               // residual or redundancy, in float, as of upto[block]
    Buffer<double> level;              // the part of its score that does not depend on picks
    Buffer<double> exact;              // residual or redundancy, in double, as of exact_upto
    Buffer<double> score;              // in double, while it is contested
    Buffer<std::uint32_t> exact_upto;  // number of picks in `exact`
    Buffer<std::uint8_t> gone;         // 1: picked, or can never be picked
    // Per block.
    Buffer<double> base;
    Buffer<double> bound;
    Buffer<double> base_quality;  // exp(base)
    Buffer<std::uint32_t> upto;   // number of picks in `state`
    // Per pick.
    Buffer<double> gains;
    Buffer<float> narrow;
    Buffer<double> wide;
    std::size_t dimension = 0;

    [[nodiscard]] static std::size_t rounded_up(std::size_t n) noexcept {
        constexpr std::size_t width = kernels::widest_feature_block;
        return math::saturating_add(n, width - 1) / width * width;
    }

    void reserve(std::size_t n, std::size_t d, std::size_t k) {
        const std::size_t needed = rounded_up(n);
        for (auto* numbers : {&order, &contested, &exact_upto, &upto}) {
            numbers->grow(needed);
        }
        for (auto* numbers : {&scale, &weight, &scaled, &state}) {
            numbers->grow(needed);
        }
        for (auto* numbers : {&level, &exact, &score, &base, &bound, &base_quality}) {
            numbers->grow(needed);
        }
        gone.grow(needed);
        k = std::min(k, n);
        gains.grow(k);
        narrow.grow(math::saturating_multiply(k, d));
        wide.grow(math::saturating_multiply(k, d));
    }

    [[nodiscard]] bool holds(std::size_t n, std::size_t d, std::size_t k) const noexcept {
        k = std::min(k, n);
        return rounded_up(n) <= order.size() && math::saturating_multiply(k, d) <= narrow.size() && k <= gains.size();
    }

    void begin(std::size_t n, std::size_t d) noexcept {
        slots = rounded_up(n);
        dimension = d;
    }

    [[nodiscard]] std::span<float> vector(std::size_t t) noexcept { return {narrow.data() + t * dimension, dimension}; }
    [[nodiscard]] std::span<double> wide_vector(std::size_t t) noexcept {
        return {wide.data() + t * dimension, dimension};
    }
    [[nodiscard]] MatrixView<const float> vectors(std::size_t from, std::size_t to) const {
        return {std::span<const float>(narrow.data() + from * dimension, (to - from) * dimension), to - from,
                dimension};
    }
};

}  // namespace detail

/// The working memory of selections from embeddings, for calls that must not allocate.
///
///     SlateScratch scratch(candidates.size(), candidates.dimension(), 10);
///
/// It serves any number of calls, one at a time, with up to n candidates, d features and k picks. It takes 81 bytes per
/// candidate and 12 per element of the vectors of the picks, k x d; embeddings are read in place.
class SlateScratch {
public:
    SlateScratch() = default;
    SlateScratch(std::size_t n, std::size_t d, std::size_t k) { reserve(n, d, k); }

    /// Grows the memory if it is too small for k of n candidates with d features.
    void reserve(std::size_t n, std::size_t d, std::size_t k) { memory_.reserve(n, d, k); }

    /// Whether it is large enough for k of n candidates with d features.
    [[nodiscard]] bool holds(std::size_t n, std::size_t d, std::size_t k) const noexcept {
        return memory_.holds(n, d, k);
    }

    /// For the selections of this folder; its members are not promised.
    [[nodiscard]] detail::GreedyMemory& memory() noexcept { return memory_; }

private:
    detail::GreedyMemory memory_;
};

}  // namespace rerank
}  // namespace FUNNEL_ABI
}  // namespace funnel
