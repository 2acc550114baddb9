// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/byte_scale.hpp>
#include <funnel/kernels/half_floats.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

/// How packed_dense stores weights.
template <class W>
concept PackedWeight = std::same_as<W, float> || HalfFloat<W>;

/// A weight of 8 bits, as int8_dense stores it: plus_128 - 128, in [-127, 127], times the scale of its output.
struct ScaledInt8 {
    std::uint8_t plus_128 = 128;
};

/// How packed weights are stored.
template <class W>
concept StoredWeight = PackedWeight<W> || std::same_as<W, ScaledInt8>;

/// The weights of a dense layer in the order in which packed_dense and int8_dense read them, on every backend: panels
/// of 32 outputs. In a panel, the 32 weights of one input lie side by side. With BFloat16, they are pairs, of two
/// inputs: each pair is a word of 32 bits. With ScaledInt8, a word has the weights of four inputs. What fills up the
/// last panel and the last word is zero.
template <StoredWeight Weight>
struct DensePanels {
    static constexpr std::size_t width = 32;
    static constexpr std::size_t per_word =
        std::same_as<Weight, Float16> ? 1 : sizeof(float) / sizeof(Weight);  ///< inputs

    std::size_t in = 0;
    std::size_t out = 0;
    std::span<const Weight> weights;     ///< weights_of(in, out)
    std::span<const float> bias;         ///< bias_of(out), of which those from `out` on are not used
    std::size_t first = 0;               ///< the input of the layer that is the first one here, a multiple of per_word
    std::span<const float> scales = {};  ///< with ScaledInt8: bias_of(out)

    /// The layer without some of its inputs: `count` of them, from `first_input` on, with this bias. So the inputs that
    /// all rows share are multiplied once: their outputs are the bias of the other inputs.
    [[nodiscard]] DensePanels part(std::size_t first_input, std::size_t count,
                                   std::span<const float> other_bias) const noexcept {
        return {count, out, weights, other_bias, first + first_input, scales};
    }

    /// Where the weight from input k to output j is.
    [[nodiscard]] std::size_t position(std::size_t k, std::size_t j) const noexcept {
        return position(weights.size() / bias_of(out), first + k, j);
    }

    [[nodiscard]] static constexpr std::size_t bias_of(std::size_t out) noexcept {
        return (out + width - 1) / width * width;
    }
    [[nodiscard]] static constexpr std::size_t weights_of(std::size_t in, std::size_t out) noexcept {
        return (in + per_word - 1) / per_word * per_word * bias_of(out);
    }

    /// The same in the weights of a whole layer of `in` inputs.
    [[nodiscard]] FUNNEL_HOST_DEVICE static constexpr std::size_t position(std::size_t in, std::size_t k,
                                                                           std::size_t j) noexcept {
        const std::size_t words = (in + per_word - 1) / per_word;
        return ((j / width * words + k / per_word) * width + j % width) * per_word + k % per_word;
    }
};

/// Packs the weights of a dense layer, rounded to the nearest Weight.
///
/// Shapes    weights: out x in;  packed: DensePanels<Weight>::weights_of(in, out)
template <PackedWeight Weight>
void pack_dense(MatrixView<const float> weights, std::span<Weight> packed) noexcept {
    using Panels = DensePanels<Weight>;
    FUNNEL_ASSERT(packed.size() == Panels::weights_of(weights.cols(), weights.rows()));
    for (Weight& weight : packed) {
        weight = Weight{};
    }
    for (std::size_t j = 0; j < weights.rows(); ++j) {
        for (std::size_t k = 0; k < weights.cols(); ++k) {
            Weight& to = packed[Panels::position(weights.cols(), k, j)];
            if constexpr (std::same_as<Weight, float>) {
                to = weights(j, k);
            } else {
                to = Weight::nearest(weights(j, k));
            }
        }
    }
}

/// Packs the weights of a dense layer as bytes. Each output has its own scale, the largest of its weights / 127:
///
///     weight[j][k] ~ scales[j] byte[j][k],  byte in [-127, 127],  scales[j] >= 2^-60
///
/// The scale of an output that has a weight that is not finite is NaN, and its bytes are 0.
///
/// Shapes    weights: out x in;  packed: DensePanels<ScaledInt8>::weights_of(in, out);  scales: bias_of(out)
inline void pack_dense(MatrixView<const float> weights, std::span<ScaledInt8> packed,
                       std::span<float> scales) noexcept {
    using Panels = DensePanels<ScaledInt8>;
    FUNNEL_ASSERT(packed.size() == Panels::weights_of(weights.cols(), weights.rows()));
    FUNNEL_ASSERT(scales.size() == Panels::bias_of(weights.rows()));
    std::fill(packed.begin(), packed.end(), ScaledInt8{});
    std::fill(scales.begin(), scales.end(), 0.0F);
    for (std::size_t j = 0; j < weights.rows(); ++j) {
        const detail::ByteScale scale = detail::byte_scale(detail::largest_magnitude(weights.row(j)));
        scales[j] = scale.step;
        for (std::size_t k = 0; k < weights.cols(); ++k) {
            packed[Panels::position(weights.cols(), k, j)].plus_128 =
                static_cast<std::uint8_t>(128 + scale.byte(weights(j, k)));
        }
    }
}

/// What a dense layer does with each output.
enum class Epilogue {
    Identity,
    ReLU,  ///< max(y, 0), and 0 for NaN
};

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel
