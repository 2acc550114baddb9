// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/math.hpp>
#include <funnel/nn/elementwise.hpp>
#include <funnel/nn/loss.hpp>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <numbers>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn {

/// max(x, 0). Its derivative at 0 is 0.
struct ReLU {
    static constexpr const char* name = "ReLU";
    template <std::size_t Width>
    using bind = Elementwise<ReLU, Width>;

    template <std::floating_point T>
    [[nodiscard]] static constexpr T value(T x) noexcept {
        return x > T{0} ? x : T{0};
    }
    template <std::floating_point T>
    [[nodiscard]] static constexpr T slope(T x, T /*y*/) noexcept {
        return x > T{0} ? T{1} : T{0};
    }
};

/// x for x > 0, else x / 100, as PyTorch's default. Its derivative at 0 is 1 / 100.
struct LeakyReLU {
    static constexpr const char* name = "LeakyReLU";
    template <std::size_t Width>
    using bind = Elementwise<LeakyReLU, Width>;

    template <std::floating_point T>
    [[nodiscard]] static constexpr T value(T x) noexcept {
        return x > T{0} ? x : static_cast<T>(0.01) * x;
    }
    template <std::floating_point T>
    [[nodiscard]] static constexpr T slope(T x, T /*y*/) noexcept {
        return x > T{0} ? T{1} : static_cast<T>(0.01);
    }
};

/// 1 / (1 + exp(-x)).
struct Sigmoid {
    static constexpr const char* name = "Sigmoid";
    template <std::size_t Width>
    using bind = Elementwise<Sigmoid, Width>;

    template <std::floating_point T>
    [[nodiscard]] static T value(T x) noexcept {
        return detail::sigmoid(x);
    }
    template <std::floating_point T>
    [[nodiscard]] static T slope(T /*x*/, T y) noexcept {
        return y * (T{1} - y);
    }
};

/// The hyperbolic tangent.
struct Tanh {
    static constexpr const char* name = "Tanh";
    template <std::size_t Width>
    using bind = Elementwise<Tanh, Width>;

    template <std::floating_point T>
    [[nodiscard]] static T value(T x) noexcept {
        return std::tanh(x);
    }
    template <std::floating_point T>
    [[nodiscard]] static T slope(T /*x*/, T y) noexcept {
        return T{1} - y * y;
    }
};

/// The smooth ReLU log(1 + exp(x)), without overflow.
struct Softplus {
    static constexpr const char* name = "Softplus";
    template <std::size_t Width>
    using bind = Elementwise<Softplus, Width>;

    template <std::floating_point T>
    [[nodiscard]] static T value(T x) noexcept {
        return std::max(x, T{0}) + std::log1p(math::exp(-math::abs(x)));
    }
    template <std::floating_point T>
    [[nodiscard]] static T slope(T x, T /*y*/) noexcept {
        return detail::sigmoid(x);
    }
};

/// SiLU, also called swish: x sigmoid(x).
///
/// Source    Elfwing et al., "Sigmoid-weighted linear units for neural network function approximation", 2017
struct SiLU {
    static constexpr const char* name = "SiLU";
    template <std::size_t Width>
    using bind = Elementwise<SiLU, Width>;

    template <std::floating_point T>
    [[nodiscard]] static T value(T x) noexcept {
        return x * detail::sigmoid(x);
    }
    template <std::floating_point T>
    [[nodiscard]] static T slope(T x, T y) noexcept {
        const T p = detail::sigmoid(x);
        return p + y * (T{1} - p);
    }
};

/// GELU by the error function, as in BERT, RecBole and PyTorch's default.
///
///     x / 2 (1 + erf(x / sqrt(2)))
///
/// Source    Hendrycks and Gimpel, "Gaussian error linear units (GELUs)", 2016
struct GELU {
    static constexpr const char* name = "GELU";
    template <std::size_t Width>
    using bind = Elementwise<GELU, Width>;

    template <std::floating_point T>
    [[nodiscard]] static T value(T x) noexcept {
        return x * distribution(x);
    }
    template <std::floating_point T>
    [[nodiscard]] static T slope(T x, T /*y*/) noexcept {
        constexpr T density_factor = std::numbers::inv_sqrtpi_v<T> / std::numbers::sqrt2_v<T>;
        return distribution(x) + x * density_factor * math::exp(-x * x / T{2});
    }

private:
    template <std::floating_point T>
    [[nodiscard]] static T distribution(T x) noexcept {
        return (T{1} + std::erf(x / std::numbers::sqrt2_v<T>)) / T{2};
    }
};

/// GELU by the hyperbolic tangent, as in GPT-2 and the original BERT4Rec. It differs from GELU by up to 5e-4: weights
/// must be used with the form that they were trained with.
///
///     x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))
struct GELUTanh {
    static constexpr const char* name = "GELUTanh";
    template <std::size_t Width>
    using bind = Elementwise<GELUTanh, Width>;

    template <std::floating_point T>
    [[nodiscard]] static T value(T x) noexcept {
        return x / T{2} * (T{1} + std::tanh(inner(x)));
    }
    template <std::floating_point T>
    [[nodiscard]] static T slope(T x, T /*y*/) noexcept {
        const T t = std::tanh(inner(x));
        const T inner_slope = factor<T> * (T{1} + T{3} * cubic<T> * x * x);
        return (T{1} + t) / T{2} + x / T{2} * (T{1} - t * t) * inner_slope;
    }

private:
    template <class T>
    static constexpr T factor = std::numbers::sqrt2_v<T> * std::numbers::inv_sqrtpi_v<T>;
    template <class T>
    static constexpr T cubic = static_cast<T>(0.044715);

    template <std::floating_point T>
    [[nodiscard]] static T inner(T x) noexcept {
        return factor<T> * (x + cubic<T> * x * x * x);
    }
};

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel
