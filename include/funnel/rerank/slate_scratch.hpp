// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/feature_blocks.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace rerank {

namespace detail {

// Memory that is written before it is read, so that parts which are never needed cost nothing.
template <class T>
struct Buffer {
    std::unique_ptr<T[]> data;  // NOLINT(modernize-avoid-c-arrays): the only form that is not cleared
    std::size_t size = 0;

    void grow(std::size_t n) {
        if (n > size) {
            data = std::make_unique_for_overwrite<T[]>(n);  // NOLINT(modernize-avoid-c-arrays)
            size = n;
        }
    }
};

// The memory of BlockGreedy (greedy.hpp) and its measures.
struct GreedyMemory {
    // Per slot: a place in the order of falling relevance, padded to whole blocks.
    std::size_t slots = 0;
    std::vector<std::uint32_t> order;       // its candidate
    std::vector<std::uint32_t> contested;   // list of slots that may hold the best score
    std::vector<float> scale;               // 1 / length of its row
    std::vector<float> weight;              // its level, relative to the base of the block
    std::vector<float> scaled;              // per candidate: relevance, if MMR scales it
    std::vector<float> state;               // residual or redundancy, in float, as of upto[block]
    std::vector<double> level;              // the part of its score that does not depend on picks
    std::vector<double> exact;              // residual or redundancy, in double, as of exact_upto
    std::vector<double> score;              // in double, while it is contested
    std::vector<std::uint32_t> exact_upto;  // number of picks in `exact`
    std::vector<std::uint8_t> gone;         // 1: picked, or can never be picked
    // Per block.
    std::vector<double> base;
    std::vector<double> bound;
    std::vector<double> base_quality;  // exp(base)
    std::vector<std::uint32_t> upto;   // number of picks in `state`
    // Per pick.
    std::vector<double> gains;
    Buffer<float> features;
    Buffer<float> narrow;
    Buffer<double> wide;
    std::size_t dimension = 0;

    [[nodiscard]] static std::size_t rounded_up(std::size_t n) noexcept {
        constexpr std::size_t width = kernels::widest_feature_block;
        return math::saturating_add(n, width - 1) / width * width;
    }

    void reserve(std::size_t n, std::size_t d, std::size_t k) {
        const std::size_t needed = rounded_up(n);
        if (needed > order.size()) {
            for (auto* numbers : {&order, &contested, &exact_upto, &upto}) {
                numbers->resize(needed);
            }
            for (auto* numbers : {&scale, &weight, &scaled, &state}) {
                numbers->resize(needed);
            }
            for (auto* numbers : {&level, &exact, &score, &base, &bound, &base_quality}) {
                numbers->resize(needed);
            }
            gone.resize(needed);
        }
        k = std::min(k, n);
        gains.resize(std::max(gains.size(), k));
        features.grow(math::saturating_multiply(needed, d));
        narrow.grow(math::saturating_multiply(k, d));
        wide.grow(math::saturating_multiply(k, d));
    }

    [[nodiscard]] bool holds(std::size_t n, std::size_t d, std::size_t k) const noexcept {
        k = std::min(k, n);
        return rounded_up(n) <= order.size() && math::saturating_multiply(rounded_up(n), d) <= features.size &&
               math::saturating_multiply(k, d) <= narrow.size && k <= gains.size();
    }

    void begin(std::size_t n, std::size_t d) noexcept {
        slots = rounded_up(n);
        dimension = d;
    }

    [[nodiscard]] std::span<float> block(std::size_t b, std::size_t width) noexcept {
        return {features.data.get() + b * width * dimension, width * dimension};
    }
    [[nodiscard]] std::span<float> vector(std::size_t t) noexcept {
        return {narrow.data.get() + t * dimension, dimension};
    }
    [[nodiscard]] std::span<double> wide_vector(std::size_t t) noexcept {
        return {wide.data.get() + t * dimension, dimension};
    }
    [[nodiscard]] MatrixView<const float> vectors(std::size_t from, std::size_t to) const {
        return {std::span<const float>(narrow.data.get() + from * dimension, (to - from) * dimension), to - from,
                dimension};
    }
};

}  // namespace detail

/// The working memory of selections from embeddings, for calls that must not allocate.
///
///     SlateScratch scratch(candidates.size(), candidates.dimension(), 10);
///
/// It serves any number of calls, one at a time, with up to n candidates, d features and k picks.
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
