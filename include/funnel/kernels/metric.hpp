// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/distance.hpp>
#include <funnel/kernels/dot.hpp>

#include <concepts>
#include <cstddef>
#include <span>
#include <string_view>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

/// Similarity of two vectors: a higher score means more similar. Saved files contain the name, so it must never change.
///
/// If normalises is true, an index scales the vectors it stores to length 1. It compares stored vectors by Stored, a
/// metric that ranks them in the same order as M itself.
template <class M>
concept Metric = requires(std::span<const float> a) {
    { M::template score<Scalar>(a, a) } noexcept -> std::same_as<float>;
    { M::normalises } -> std::convertible_to<bool>;
    { M::name } -> std::convertible_to<std::string_view>;
    typename M::Stored;
};

/// Negated squared Euclidean distance: 0 for equal vectors, negative otherwise.
struct L2 {
    using Stored = L2;
    static constexpr bool normalises = false;
    static constexpr std::string_view name = "L2";

    template <HostBackend Backend = DefaultBackend>
    [[nodiscard]] static constexpr float score(std::span<const float> a, std::span<const float> b) noexcept {
        return 0.0F - squared_l2<Backend>(a, b);  // equal vectors score 0, not -0
    }
    template <HostBackend Backend = DefaultBackend, std::size_t Dim>
        requires(Dim != std::dynamic_extent)
    [[nodiscard]] static constexpr float score(std::span<const float, Dim> a, std::span<const float, Dim> b) noexcept {
        return 0.0F - squared_l2<Backend>(a, b);
    }
};

/// Inner product.
struct InnerProduct {
    using Stored = InnerProduct;
    static constexpr bool normalises = false;
    static constexpr std::string_view name = "InnerProduct";

    template <HostBackend Backend = DefaultBackend>
    [[nodiscard]] static constexpr float score(std::span<const float> a, std::span<const float> b) noexcept {
        return dot<Backend>(a, b);
    }
    template <HostBackend Backend = DefaultBackend, std::size_t Dim>
        requires(Dim != std::dynamic_extent)
    [[nodiscard]] static constexpr float score(std::span<const float, Dim> a, std::span<const float, Dim> b) noexcept {
        return dot<Backend>(a, b);
    }
};

/// Cosine of the angle; 0 if a vector is zero. For vectors of length 1 it equals the inner product.
struct Cosine {
    using Stored = InnerProduct;
    static constexpr bool normalises = true;
    static constexpr std::string_view name = "Cosine";

    template <HostBackend Backend = DefaultBackend>
    [[nodiscard]] static float score(std::span<const float> a, std::span<const float> b) noexcept {
        return cosine<Backend>(a, b);
    }
    template <HostBackend Backend = DefaultBackend, std::size_t Dim>
        requires(Dim != std::dynamic_extent)
    [[nodiscard]] static float score(std::span<const float, Dim> a, std::span<const float, Dim> b) noexcept {
        return cosine<Backend>(a, b);
    }
};

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel
