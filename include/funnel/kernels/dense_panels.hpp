// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/half_floats.hpp>

#include <concepts>
#include <cstddef>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

/// How packed weights are stored.
template <class W>
concept PackedWeight = std::same_as<W, float> || std::same_as<W, BFloat16>;

/// The weights of a dense layer in the order in which packed_dense reads them, on every backend: panels of 32 outputs.
/// In a panel, the 32 weights of one input lie side by side. With BFloat16, they are pairs, of two inputs: each pair is
/// a word of 32 bits. What fills up the last panel and the last pair is zero.
template <PackedWeight Weight>
struct DensePanels {
    static constexpr std::size_t width = 32;
    static constexpr std::size_t per_word = sizeof(float) / sizeof(Weight);  ///< inputs

    std::size_t in = 0;
    std::size_t out = 0;
    std::span<const Weight> weights;  ///< weights_of(in, out)
    std::span<const float> bias;      ///< bias_of(out), of which those from `out` on are not used
    std::size_t first = 0;            ///< the input of the layer that is the first one here, a multiple of per_word

    /// The layer without some of its inputs: `count` of them, from `first_input` on, with this bias. So the inputs that
    /// all rows share are multiplied once: their outputs are the bias of the other inputs.
    [[nodiscard]] DensePanels part(std::size_t first_input, std::size_t count,
                                   std::span<const float> other_bias) const noexcept {
        return {count, out, weights, other_bias, first + first_input};
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
    [[nodiscard]] static constexpr std::size_t position(std::size_t in, std::size_t k, std::size_t j) noexcept {
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

/// What packed_dense does with each output.
enum class Epilogue {
    Identity,
    ReLU,  ///< max(y, 0), and 0 for NaN
};

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel
