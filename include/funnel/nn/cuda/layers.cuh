// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>
#include <funnel/nn/activations.hpp>
#include <funnel/nn/columns.hpp>
#include <funnel/nn/dice.hpp>
#include <funnel/nn/dot_interaction.hpp>
#include <funnel/nn/elementwise.hpp>
#include <funnel/nn/fm_interaction.hpp>
#include <funnel/nn/gated_experts.hpp>
#include <funnel/nn/l2_normalize.hpp>
#include <funnel/nn/layer.hpp>
#include <funnel/nn/layer_norm.hpp>
#include <funnel/nn/prelu.hpp>

#include <cmath>
#include <cstddef>
#include <numbers>

// Layers again, because a device function may call only device functions. Each formula is that of the layer on the
// host, in the same order and precision.

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn {
namespace detail {

// ---- activations

template <class F>
struct ElementThere {
    static_assert(sizeof(F) == 0,
                  "nn: an activation of your own has no form on a device; those of nn/activations.hpp have one");
};
template <>
struct ElementThere<ReLU> {
    FUNNEL_HOST_DEVICE float operator()(float x) const noexcept { return x > 0.0F ? x : 0.0F; }
};
template <>
struct ElementThere<LeakyReLU> {
    FUNNEL_HOST_DEVICE float operator()(float x) const noexcept { return x > 0.0F ? x : 0.01F * x; }
};
template <>
struct ElementThere<Sigmoid> {
    FUNNEL_HOST_DEVICE float operator()(float x) const noexcept { return 1.0F / (1.0F + std::exp(-x)); }
};
template <>
struct ElementThere<Tanh> {
    FUNNEL_HOST_DEVICE float operator()(float x) const noexcept { return std::tanh(x); }
};
template <>
struct ElementThere<Softplus> {
    FUNNEL_HOST_DEVICE float operator()(float x) const noexcept {
        return (x > 0.0F ? x : 0.0F) + std::log1p(std::exp(-std::fabs(x)));
    }
};
template <>
struct ElementThere<SiLU> {
    FUNNEL_HOST_DEVICE float operator()(float x) const noexcept { return x * ElementThere<Sigmoid>{}(x); }
};
template <>
struct ElementThere<GELU> {
    FUNNEL_HOST_DEVICE float operator()(float x) const noexcept {
        constexpr float sqrt_of_2 = std::numbers::sqrt2_v<float>;
        return x * ((1.0F + std::erf(x / sqrt_of_2)) / 2.0F);
    }
};
template <>
struct ElementThere<GELUTanh> {
    FUNNEL_HOST_DEVICE float operator()(float x) const noexcept {
        constexpr float factor = std::numbers::sqrt2_v<float> * std::numbers::inv_sqrtpi_v<float>;
        return x / 2.0F * (1.0F + std::tanh(factor * (x + 0.044715F * x * x * x)));
    }
};

// ---- layers that are kept as they are

/// What a layer works on, in device memory.
struct LayerMemory {
    const float* x;
    float* y;
    const float* trained;
    const float* collected;
};

/// A layer on a device: operator()(i) does part i of the work, of which each row has `parts`. Parts do not depend on
/// each other.
template <Layer L>
struct LayerThere {
    static_assert(sizeof(L) == 0,
                  "nn: a layer has no form on a device; these have one: Dense, BatchNorm, Dropout, the activations, "
                  "PReLU, Dice, LayerNorm, L2Normalize, CrossNetwork, FMInteraction, DotInteraction, "
                  "GatedExperts, Columns, AddUp, Sequential, Parallel, Blocks and Residual");
};

template <class F, std::size_t Width>
struct LayerThere<Elementwise<F, Width>> : LayerMemory {
    static constexpr std::size_t parts = Width;

    FUNNEL_HOST_DEVICE void operator()(std::size_t i) const noexcept { y[i] = ElementThere<F>{}(x[i]); }
};

template <std::size_t Width, std::size_t Slopes>
struct LayerThere<PReLU<Width, Slopes>> : LayerMemory {
    static constexpr std::size_t parts = Width;

    FUNNEL_HOST_DEVICE void operator()(std::size_t i) const noexcept {
        y[i] = x[i] > 0.0F ? x[i] : trained[i % Slopes] * x[i];
    }
};

template <std::size_t Width>
struct LayerThere<Dice<Width>> : LayerMemory {
    static constexpr std::size_t parts = Width;

    FUNNEL_HOST_DEVICE void operator()(std::size_t i) const noexcept {
        constexpr auto epsilon = static_cast<float>(Dice<Width>::epsilon);
        const std::size_t j = i % Width;
        const float scale = 1.0F / std::sqrt(collected[Width + j] + epsilon);
        const float p = ElementThere<Sigmoid>{}((x[i] - collected[j]) * scale);
        y[i] = x[i] * (p + (1.0F - p) * trained[j]);
    }
};

template <std::size_t Width, class Epsilon>
struct LayerThere<LayerNorm<Width, Epsilon>> : LayerMemory {
    static constexpr std::size_t parts = 1;

    FUNNEL_HOST_DEVICE void operator()(std::size_t i) const noexcept {
        constexpr auto width = static_cast<double>(Width);
        constexpr double epsilon = LayerNorm<Width, Epsilon>::epsilon;
        const float* from = x + i * Width;
        double sum = 0.0;
        for (std::size_t j = 0; j < Width; ++j) {
            sum += static_cast<double>(from[j]);
        }
        const double center = sum / width;
        double squares = 0.0;
        for (std::size_t j = 0; j < Width; ++j) {
            const double gap = static_cast<double>(from[j]) - center;
            squares += gap * gap;
        }
        const auto mean = static_cast<float>(center);
        const auto scale = static_cast<float>(1.0 / std::sqrt(squares / width + epsilon));
        for (std::size_t j = 0; j < Width; ++j) {
            y[i * Width + j] = trained[j] * ((from[j] - mean) * scale) + trained[Width + j];
        }
    }
};

template <std::size_t Width>
struct LayerThere<L2Normalize<Width>> : LayerMemory {
    static constexpr std::size_t parts = 1;

    FUNNEL_HOST_DEVICE void operator()(std::size_t i) const noexcept {
        const float* from = x + i * Width;
        float squares = 0.0F;
        for (std::size_t j = 0; j < Width; ++j) {
            squares += from[j] * from[j];
        }
        const float length = std::sqrt(squares);
        const float inverse = 1.0F / (length > 1e-12F ? length : 1e-12F);
        for (std::size_t j = 0; j < Width; ++j) {
            y[i * Width + j] = from[j] * inverse;
        }
    }
};

template <std::size_t Fields, std::size_t Width>
struct LayerThere<FMInteraction<Fields, Width>> : LayerMemory {
    static constexpr std::size_t parts = 1;

    FUNNEL_HOST_DEVICE void operator()(std::size_t i) const noexcept {
        const float* from = x + i * Fields * Width;
        float pairs = 0.0F;
        for (std::size_t k = 0; k < Width; ++k) {
            float sum = 0.0F;
            float squares = 0.0F;
            for (std::size_t f = 0; f < Fields; ++f) {
                const float number = from[f * Width + k];
                sum += number;
                squares += number * number;
            }
            pairs += sum * sum - squares;
        }
        y[i] = pairs / 2.0F;
    }
};

/// A part is the products of one vector with those before it, or the copy of the first vector.
template <std::size_t Vectors, std::size_t Width>
struct LayerThere<DotInteraction<Vectors, Width>> : LayerMemory {
    static constexpr std::size_t parts = Vectors;

    FUNNEL_HOST_DEVICE void operator()(std::size_t i) const noexcept {
        const std::size_t a = i % Vectors;
        const float* from = x + i / Vectors * Vectors * Width;
        float* to = y + i / Vectors * DotInteraction<Vectors, Width>::out;
        for (std::size_t k = 0; a == 0 && k < Width; ++k) {
            to[k] = from[k];
        }
        for (std::size_t b = 0; b < a; ++b) {
            float sum = 0.0F;
            for (std::size_t k = 0; k < Width; ++k) {
                sum += from[a * Width + k] * from[b * Width + k];
            }
            to[Width + a * (a - 1) / 2 + b] = sum;
        }
    }
};

/// A part is one number of one mixture.
template <std::size_t Width, std::size_t Tasks, std::size_t Own, std::size_t Shared, bool HasSharedMixture>
struct LayerThere<GatedExperts<Width, Tasks, Own, Shared, HasSharedMixture>> : LayerMemory {
    using Row = GatedRow<Width, Tasks, Own, Shared, HasSharedMixture>;
    static constexpr std::size_t parts = Row::out;

    FUNNEL_HOST_DEVICE void operator()(std::size_t i) const noexcept {
        const float* from = x + i / parts * Row::in;
        const std::size_t mixture = i % parts / Width;
        const float* logits = from + Row::gate(mixture);
        const std::size_t mixed = Row::mixed(mixture);
        float largest = logits[0];
        for (std::size_t e = 1; e < mixed; ++e) {
            largest = logits[e] > largest ? logits[e] : largest;
        }
        float total = 0.0F;
        for (std::size_t e = 0; e < mixed; ++e) {
            total += std::exp(logits[e] - largest);
        }
        float sum = 0.0F;
        for (std::size_t e = 0; e < mixed; ++e) {
            sum += std::exp(logits[e] - largest) / total * from[Row::place(mixture, e) * Width + i % Width];
        }
        y[i] = sum;
    }
};

template <std::size_t In, std::size_t First, std::size_t Count>
struct LayerThere<Columns<In, First, Count>> : LayerMemory {
    static constexpr std::size_t parts = Count;

    FUNNEL_HOST_DEVICE void operator()(std::size_t i) const noexcept { y[i] = x[i / Count * In + First + i % Count]; }
};

template <std::size_t Count, std::size_t Width>
struct LayerThere<AddUp<Count, Width>> : LayerMemory {
    static constexpr std::size_t parts = Width;

    FUNNEL_HOST_DEVICE void operator()(std::size_t i) const noexcept {
        float sum = 0.0F;
        for (std::size_t c = 0; c < Count; ++c) {
            sum += x[(i / Width * Count + c) * Width + i % Width];
        }
        y[i] = sum;
    }
};

}  // namespace detail
}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel
