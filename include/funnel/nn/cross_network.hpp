// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/executor.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/nn/dense.hpp>
#include <funnel/nn/layer.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <span>
#include <type_traits>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn {

/// The cross network of DCN v2: products of features of rising order, learned without naming them.
///
///     x_(l+1) = x_0 * (W_l x_l + b_l) + x_l,   * element by element
///
/// The parameters are W_0, b_0, W_1, b_1, ...: kernels.0, bias.0, kernels.1, ... of torchrec's CrossNet.
///
/// Cost      O(rows Depth Width^2)
/// Source    Wang et al., "DCN V2: improved deep & cross network", WWW 2021 (equation 1)
template <std::size_t Width, std::size_t Depth>
    requires(Width > 0 && Depth > 0)
struct CrossNetwork {
    static constexpr const char* name = "CrossNetwork";
    static constexpr std::size_t in = Width;
    static constexpr std::size_t out = Width;
    static constexpr std::size_t parameters = Depth * Dense<Width, Width>::parameters;
    static constexpr std::size_t statistics = 0;
    static constexpr auto tensors = [] {
        std::array<LayerTensor, 2 * Depth> all{};
        for (std::size_t l = 0; l < Depth; ++l) {
            // With the type, or nvcc would put l into the first member that is left out.
            all[2 * l] = LayerTensor{.name = "kernels", .rows = Width, .cols = Width, .position = l};
            all[2 * l + 1] = LayerTensor{.name = "bias", .rows = Width, .cols = 1, .position = l};
        }
        return all;
    }();

    /// The products W_l x_l + b_l and the outputs of all layers but the last; then two gradients of a row.
    [[nodiscard]] static constexpr std::size_t memory(std::size_t rows) noexcept {
        return (2 * Depth + 1) * rows * detail::padded_width(Width);
    }
    [[nodiscard]] static constexpr std::size_t scratch(std::size_t rows) noexcept {
        return 2 * rows * detail::padded_width(Width);
    }

    template <std::floating_point T>
    static void initialise(std::span<T> trained, std::span<T> collected, Random& random) {
        for (std::size_t l = 0; l < Depth; ++l) {
            Product::template initialise<T>(part(trained, l), collected, random);
        }
    }

    template <kernels::HostBackend Backend, std::floating_point T>
    static void infer(std::span<const T> trained, std::span<const T> collected, MatrixView<const T> x, MatrixView<T> y,
                      std::span<T> scratch) noexcept {
        run<Backend, T>(trained, collected, x, y, scratch, [&](MatrixView<T> product) {
            Product::template infer<Backend, T>(part(trained, 0), collected, x, product, {});
        });
    }

    [[nodiscard]] static constexpr std::size_t split_scratch(std::size_t rows) noexcept {
        return 3 * rows * detail::padded_width(Width) + Width;
    }

    /// Only the first product can be split: later ones have rows that differ everywhere.
    template <kernels::HostBackend Backend, std::size_t Head, std::floating_point T>
    static void infer_split(std::span<const T> trained, std::span<const T> collected, std::span<const T> head,
                            MatrixView<const T> tail, MatrixView<T> y, std::span<T> scratch) noexcept {
        const MatrixView<T> x = detail::take_rows(scratch, tail.rows(), Width);
        for (std::size_t i = 0; i < tail.rows(); ++i) {
            std::copy(head.begin(), head.end(), x.row(i).begin());
            std::copy(tail.row(i).begin(), tail.row(i).end(), x.row(i).begin() + Head);
        }
        const std::span<T> shared = detail::take(scratch, Width);
        run<Backend, T>(trained, collected, x, y, scratch, [&](MatrixView<T> product) {
            Product::template infer_split<Backend, Head, T>(part(trained, 0), collected, head, tail, product, shared);
        });
    }

    template <kernels::HostBackend Backend, std::floating_point T, Executor E>
    static void forward(const Step& step, std::span<const T> trained, std::span<T> collected, MatrixView<const T> x,
                        MatrixView<T> y, std::span<T> memory, E& executor) {
        MatrixView<const T> below = x;
        for (std::size_t l = 0; l < Depth; ++l) {
            const MatrixView<T> product = detail::take_rows(memory, x.rows(), Width);
            const MatrixView<T> above = l + 1 == Depth ? y : detail::take_rows(memory, x.rows(), Width);
            Product::template forward<Backend, T>(step, part(trained, l), collected, below, product, {}, executor);
            executor.for_range(x.rows(), detail::row_grain, [&](std::size_t begin, std::size_t end, std::size_t) {
                combine(x, below, product, above, begin, end);
            });
            below = above;
        }
    }

    template <kernels::HostBackend Backend, std::floating_point T, Executor E>
    static void backward(const Step& step, std::span<const T> trained, MatrixView<const T> x, MatrixView<const T> /*y*/,
                         MatrixView<const T> dy, MatrixView<T> dx, std::span<T> gradient, std::span<T> memory,
                         E& executor) {
        const std::size_t n = x.rows();
        const auto kept = [&](std::size_t position) {  // products and outputs, as forward has left them
            std::span<T> from = memory.subspan(position * n * detail::padded_width(Width));
            return detail::take_rows(from, n, Width);
        };
        // d = dy of the layer above; after each layer, d = d + W^T (x_0 * d), and the gradient of x_0 grows by
        // d * (W x + b). The two gradients lie where the last forward pass left no output.
        const MatrixView<T> d = kept(2 * Depth - 1);
        const MatrixView<T> inner = kept(2 * Depth);
        copy(dy, d);
        const bool is_wanted = dx.rows() > 0;
        for (std::size_t i = 0; i < dx.rows(); ++i) {
            std::fill(dx.row(i).begin(), dx.row(i).end(), T{0});
        }
        for (std::size_t l = Depth; l-- > 0;) {
            const MatrixView<T> product = kept(2 * l);
            const MatrixView<const T> below = l == 0 ? x : MatrixView<const T>(kept(2 * l - 1));
            executor.for_range(n, detail::row_grain, [&](std::size_t begin, std::size_t end, std::size_t) {
                for (std::size_t i = begin; i < end; ++i) {
                    for (std::size_t j = 0; j < Width; ++j) {
                        if (is_wanted) {
                            dx(i, j) += d(i, j) * product(i, j);
                        }
                        inner(i, j) = d(i, j) * x(i, j);
                    }
                }
            });
            // The product is not needed any more: its memory takes the gradient of the input of W.
            Product::template backward<Backend, T>(step, part(trained, l), below, {}, inner, product, part(gradient, l),
                                                   {}, executor);
            executor.for_range(n, detail::row_grain, [&](std::size_t begin, std::size_t end, std::size_t) {
                for (std::size_t i = begin; i < end; ++i) {
                    for (std::size_t j = 0; j < Width; ++j) {
                        d(i, j) += product(i, j);
                    }
                }
            });
        }
        for (std::size_t i = 0; i < dx.rows(); ++i) {
            for (std::size_t j = 0; j < Width; ++j) {
                dx(i, j) += d(i, j);
            }
        }
    }

private:
    using Product = Dense<Width, Width>;

    // Serves all layers; first(product) computes W_0 x_0 + b_0.
    template <kernels::HostBackend Backend, std::floating_point T, class First>
    static void run(std::span<const T> trained, std::span<const T> collected, MatrixView<const T> x, MatrixView<T> y,
                    std::span<T> scratch, const First& first) noexcept {
        const MatrixView<T> product = detail::take_rows(scratch, x.rows(), Width);
        const MatrixView<T> other = detail::take_rows(scratch, x.rows(), Width);
        MatrixView<const T> below = x;
        for (std::size_t l = 0; l < Depth; ++l) {
            // The last output is y; those before take turns, so that no layer overwrites its input.
            const MatrixView<T> above = (Depth - l) % 2 == 1 ? y : other;
            if (l == 0) {
                first(product);
            } else {
                Product::template infer<Backend, T>(part(trained, l), collected, below, product, {});
            }
            combine<T>(x, below, product, above, 0, x.rows());
            below = above;
        }
    }

    template <class T>
    [[nodiscard]] static std::span<T> part(std::span<T> all, std::size_t l) noexcept {
        return all.subspan(l * Product::parameters, Product::parameters);
    }

    template <class T>
    static void copy(MatrixView<const T> from, MatrixView<T> to) noexcept {
        for (std::size_t i = 0; i < from.rows(); ++i) {
            std::copy(from.row(i).begin(), from.row(i).end(), to.row(i).begin());
        }
    }

    template <class T>
    static void combine(std::type_identity_t<MatrixView<const T>> x, std::type_identity_t<MatrixView<const T>> below,
                        std::type_identity_t<MatrixView<const T>> product, MatrixView<T> above, std::size_t begin,
                        std::size_t end) noexcept {
        for (std::size_t i = begin; i < end; ++i) {
            for (std::size_t j = 0; j < Width; ++j) {
                above(i, j) = x(i, j) * product(i, j) + below(i, j);
            }
        }
    }
};

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel
