// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>
#include <funnel/core/math.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/nn/row_wise.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn {

namespace detail {

template <std::size_t Width, std::size_t Tasks, std::size_t Own, std::size_t Shared, bool HasSharedMixture>
struct GatedRow {
    static constexpr const char* name = "GatedExperts";
    static constexpr std::size_t experts = Tasks * Own + Shared;
    static constexpr std::size_t of_task = Own + Shared;
    static constexpr std::size_t mixtures = Tasks + (HasSharedMixture ? 1 : 0);
    static constexpr std::size_t in = experts * Width + Tasks * of_task + (HasSharedMixture ? experts : 0);
    static constexpr std::size_t out = mixtures * Width;

    /// The number of the expert that is in place e of a mixture. That of the shared mixture, the last, is e.
    [[nodiscard]] FUNNEL_HOST_DEVICE static constexpr std::size_t place(std::size_t mixture, std::size_t e) noexcept {
        // Not e < Own: nvcc warns where Own is 0.
        return mixture == Tasks ? e : e + 1 <= Own ? mixture * Own + e : Tasks * Own + (e - Own);
    }
    /// Where the gate logits of a mixture begin in a row, and how many they are.
    [[nodiscard]] FUNNEL_HOST_DEVICE static constexpr std::size_t gate(std::size_t mixture) noexcept {
        return experts * Width + mixture * of_task;
    }
    [[nodiscard]] FUNNEL_HOST_DEVICE static constexpr std::size_t mixed(std::size_t mixture) noexcept {
        return mixture == Tasks ? experts : of_task;
    }

    template <kernels::HostBackend Backend, std::floating_point T>
    static void infer(std::span<const T> x, std::span<T> y) noexcept {
        for (std::size_t mixture = 0; mixture < mixtures; ++mixture) {
            Weights<T> numbers;
            const auto weights = weights_of(x, mixture, numbers);
            for (std::size_t k = 0; k < Width; ++k) {
                T sum{0};
                for (std::size_t e = 0; e < weights.size(); ++e) {
                    sum += weights[e] * x[place(mixture, e) * Width + k];
                }
                y[mixture * Width + k] = sum;
            }
        }
    }

    template <kernels::HostBackend Backend, std::floating_point T>
    static void backward(std::span<const T> x, std::span<const T> /*y*/, std::span<const T> dy,
                         std::span<T> dx) noexcept {
        std::fill(dx.begin(), dx.end(), T{0});
        for (std::size_t mixture = 0; mixture < mixtures; ++mixture) {
            Weights<T> numbers;
            const auto weights = weights_of(x, mixture, numbers);
            Weights<T> slopes{};
            T mean{0};
            for (std::size_t e = 0; e < weights.size(); ++e) {
                const std::size_t expert = place(mixture, e) * Width;
                for (std::size_t k = 0; k < Width; ++k) {
                    dx[expert + k] += weights[e] * dy[mixture * Width + k];
                    slopes[e] += x[expert + k] * dy[mixture * Width + k];
                }
                mean += weights[e] * slopes[e];
            }
            for (std::size_t e = 0; e < weights.size(); ++e) {
                dx[gate(mixture) + e] = weights[e] * (slopes[e] - mean);
            }
        }
    }

private:
    // Room for the weights of the mixture of most experts.
    template <class T>
    using Weights = std::array<T, HasSharedMixture ? experts : of_task>;

    template <class T>
    [[nodiscard]] static std::span<const T> weights_of(std::span<const T> row, std::size_t mixture,
                                                       Weights<T>& numbers) noexcept {
        const std::span<T> weights = std::span<T>(numbers).first(mixed(mixture));
        const std::span<const T> logits = row.subspan(gate(mixture), weights.size());
        std::copy(logits.begin(), logits.end(), weights.begin());
        const T largest = *std::max_element(weights.begin(), weights.end());
        T sum{0};
        for (T& weight : weights) {
            weight = math::exp(weight - largest);
            sum += weight;
        }
        for (T& weight : weights) {
            weight /= sum;
        }
        return weights;
    }
};

}  // namespace detail

/// Mixes the outputs of experts for each of several tasks, as the gates of MMoE and PLE do.
///
///     out_t = sum over the experts e of task t of softmax(gate logits of t)_e expert_e
///
/// Each task has Own experts, and all tasks have Shared ones. With Own = 0 this is MMoE. A row holds the own experts of
/// each task, then the shared experts (Width numbers each), then the gate logits of each task (own experts, then
/// shared). The output is one mixture per task. With HasSharedMixture, a last gate mixes all experts, for the shared
/// experts of the next level of PLE.
///
/// Source    Ma et al., "Modeling task relationships in multi-task learning with multi-gate mixture-of-experts", KDD
///           2018; Tang et al., "Progressive layered extraction (PLE)", RecSys 2020
template <std::size_t Width, std::size_t Tasks, std::size_t Own, std::size_t Shared, bool HasSharedMixture = false>
    requires(Width > 0 && Tasks > 0 && Own + Shared > 0)
struct GatedExperts : detail::RowWise<detail::GatedRow<Width, Tasks, Own, Shared, HasSharedMixture>> {
    static constexpr std::size_t experts = Tasks * Own + Shared;
    static constexpr std::size_t of_task = Own + Shared;  ///< experts that a task mixes
};

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel
