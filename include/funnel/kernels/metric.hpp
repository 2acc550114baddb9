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

/// How alike two vectors are: higher is more alike. The name goes into saved files, so it never changes.
///
/// An index may prepare the vectors it keeps: if normalises is true it scales them to length 1, and compares prepared
/// vectors by Stored, which then gives the same order as the metric itself.
template <class M>
concept Metric = requires(std::span<const float> a) {
    { M::template score<Scalar>(a, a) } noexcept -> std::same_as<float>;
    { M::normalises } -> std::convertible_to<bool>;
    { M::name } -> std::convertible_to<std::string_view>;
    typename M::Stored;
};

/// Squared Euclidean distance, negated: 0 for equal vectors, else less.
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

/// Cosine of the angle; 0 if a vector is zero. Between vectors of length 1 it is the inner product.
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
