// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/executor.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/gemm.hpp>
#include <funnel/nn/layer.hpp>
#include <funnel/nn/loss.hpp>
#include <funnel/nn/sequence_rows.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn {

/// A gated recurrent unit: reads a sequence step by step, and gives its state after the last step.
///
///     r = sigmoid(W_ir x + b_ir + W_hr h + b_hr)
///     z = sigmoid(W_iz x + b_iz + W_hz h + b_hz)
///     n = tanh(W_in x + b_in + r * (W_hn h + b_hn))
///     h' = (1 - z) * n + z * h
///
/// A row has one sequence: the state before its first step, zeros for a new sequence; then Steps vectors of In numbers;
/// then the length, how many of them are read: it is rounded down, 0 if it is below 0 or not finite, at most Steps.
/// The rest is padding and may be anything finite. A row that begins with the state of an earlier one continues its
/// sequence, so a session takes one step per click.
///
/// The parameters are those of one layer of PyTorch's GRU, with its names and its order of gates, r, z, n: weight_ih_l0
/// (3 Hidden x In), weight_hh_l0 (3 Hidden x Hidden), bias_ih_l0 and bias_hh_l0. All start uniform in
/// [-1 / sqrt(Hidden), 1 / sqrt(Hidden)]. The reset gate multiplies a product, as in PyTorch and cuDNN; in the paper,
/// it multiplies h.
///
/// Shapes    rows of Hidden + Steps In + 1 numbers;  gives rows of Hidden
/// Cost      O(rows Steps Hidden (In + Hidden)), also for short sequences in a batch with long ones
/// Source    Cho et al., "Learning phrase representations using RNN encoder-decoder", EMNLP 2014
template <std::size_t In, std::size_t Hidden, std::size_t Steps>
    requires(In > 0 && Hidden > 0 && Steps > 0)
struct GRU {
    static constexpr std::size_t gates = 3 * Hidden;
    static constexpr const char* name = "GRU";
    static constexpr std::size_t in = Hidden + Steps * In + 1;
    static constexpr std::size_t out = Hidden;
    static constexpr std::size_t parameters = 3 * Hidden * (In + Hidden + 2);
    static constexpr std::size_t statistics = 0;
    static constexpr std::array tensors{LayerTensor{"weight_ih_l0", gates, In},
                                        LayerTensor{"weight_hh_l0", gates, Hidden}, LayerTensor{"bias_ih_l0", gates},
                                        LayerTensor{"bias_hh_l0", gates}};

    /// For each step: the gates r, z, n, the product W_h h + b_h, and the state before it; then two gradients of
    /// states.
    [[nodiscard]] static constexpr std::size_t memory(std::size_t rows) noexcept {
        return rows * (Steps * (2 * padded_gates + padded_state) + 2 * padded_state);
    }
    [[nodiscard]] static constexpr std::size_t scratch(std::size_t rows) noexcept { return 2 * rows * padded_gates; }

    template <std::floating_point T>
    static void initialise(std::span<T> trained, std::span<T> /*collected*/, Random& random) {
        const double bound = 1.0 / math::sqrt(static_cast<double>(Hidden));
        for (T& weight : trained) {
            weight = static_cast<T>(bound * (2.0 * random.uniform() - 1.0));
        }
    }

    template <kernels::HostBackend Backend, std::floating_point T>
    static void infer(std::span<const T> trained, std::span<const T> /*collected*/, MatrixView<const T> x,
                      MatrixView<T> y, std::span<T> scratch) noexcept {
        const MatrixView<T> input = detail::take_rows(scratch, x.rows(), gates);
        const MatrixView<T> product = detail::take_rows(scratch, x.rows(), gates);
        std::size_t longest = 0;
        for (std::size_t i = 0; i < x.rows(); ++i) {
            std::copy_n(x.row(i).begin(), Hidden, y.row(i).begin());
            longest = std::max(longest, length(x, i));
        }
        for (std::size_t t = 0; t < longest; ++t) {
            advance<Backend, T>(Weights<const T>(trained), t, x, y, input, product, y);
        }
    }

    template <kernels::HostBackend Backend, std::floating_point T, Executor E>
    static void forward(const Step& /*step*/, std::span<const T> trained, std::span<T> /*collected*/,
                        MatrixView<const T> x, MatrixView<T> y, std::span<T> memory, E& executor) {
        const Kept<T> kept(memory, x.rows());
        executor.for_range(x.rows(), detail::row_grain, [&](std::size_t begin, std::size_t end, std::size_t) {
            const std::size_t n = end - begin;
            for (std::size_t i = begin; i < end; ++i) {
                std::copy_n(x.row(i).begin(), Hidden, kept.states[0].row(i).begin());
            }
            for (std::size_t t = 0; t < Steps; ++t) {
                const MatrixView<T> next = t + 1 < Steps ? kept.states[t + 1] : y;
                advance<Backend, T>(Weights<const T>(trained), t, x.rows_from(begin, n),
                                    kept.states[t].rows_from(begin, n), kept.inputs[t].rows_from(begin, n),
                                    kept.products[t].rows_from(begin, n), next.rows_from(begin, n));
            }
        });
    }

    template <kernels::HostBackend Backend, std::floating_point T, Executor E>
    static void backward(const Step& /*step*/, std::span<const T> trained, MatrixView<const T> x,
                         MatrixView<const T> /*y*/, MatrixView<const T> dy, MatrixView<T> dx, std::span<T> gradient,
                         std::span<T> memory, E& executor) {
        const Weights<const T> weights(trained);
        const Kept<T> kept(memory, x.rows());
        const bool is_wanted = dx.rows() > 0;
        executor.for_range(x.rows(), detail::row_grain, [&](std::size_t begin, std::size_t end, std::size_t) {
            const std::size_t n = end - begin;
            for (std::size_t i = begin; i < end; ++i) {
                std::copy_n(dy.row(i).begin(), Hidden, kept.d_state.row(i).begin());
            }
            for (std::size_t t = Steps; t-- > 0;) {
                for (std::size_t i = begin; i < end; ++i) {
                    turn_into_gradients<T>(length(x, i) > t, kept.states[t].row(i), kept.inputs[t].row(i),
                                           kept.products[t].row(i), kept.d_state.row(i));
                }
                kernels::gemm_nn<Backend, T>(kept.products[t].rows_from(begin, n), weights.of_state,
                                             kept.d_through.rows_from(begin, n));
                for (std::size_t i = begin; i < end; ++i) {
                    for (std::size_t j = 0; j < Hidden; ++j) {
                        kept.d_state(i, j) += kept.d_through(i, j);
                    }
                }
                if (is_wanted) {
                    kernels::gemm_nn<Backend, T>(kept.inputs[t].rows_from(begin, n), weights.of_input,
                                                 step_of(dx.rows_from(begin, n), t));
                }
            }
            for (std::size_t i = begin; is_wanted && i < end; ++i) {
                std::copy_n(kept.d_state.row(i).begin(), Hidden, dx.row(i).begin());
                dx.row(i).back() = T{0};
            }
        });
        // Each number of the gradient is one sum over all steps and rows in their order.
        const Weights<T> slopes(gradient);
        executor.for_range(gates, gate_grain, [&](std::size_t begin, std::size_t end, std::size_t) {
            const std::size_t n = end - begin;
            for (std::size_t t = 0; t < Steps; ++t) {
                kernels::gemm_tn<Backend, T>(kept.inputs[t].columns_from(begin, n), step_of(x, t),
                                             slopes.of_input.rows_from(begin, n));
                kernels::gemm_tn<Backend, T>(kept.products[t].columns_from(begin, n), kept.states[t],
                                             slopes.of_state.rows_from(begin, n));
                for (std::size_t i = 0; i < x.rows(); ++i) {
                    for (std::size_t j = begin; j < end; ++j) {
                        slopes.bias_of_input[j] += kept.inputs[t](i, j);
                        slopes.bias_of_state[j] += kept.products[t](i, j);
                    }
                }
            }
        });
    }

private:
    static constexpr std::size_t gate_grain = 32;
    static constexpr std::size_t padded_gates = detail::padded_width(gates);
    static constexpr std::size_t padded_state = detail::padded_width(Hidden);

    template <class T>
    struct Weights {
        MatrixView<T> of_input;
        MatrixView<T> of_state;
        std::span<T> bias_of_input;
        std::span<T> bias_of_state;

        explicit Weights(std::span<T> all)
            : of_input(detail::take(all, gates * In), gates, In),
              of_state(detail::take(all, gates * Hidden), gates, Hidden),
              bias_of_input(detail::take(all, gates)),
              bias_of_state(all) {}
    };

    // What forward leaves for backward, which turns inputs and products into their gradients.
    template <class T>
    struct Kept {
        std::array<MatrixView<T>, Steps> inputs;    // r, z, n
        std::array<MatrixView<T>, Steps> products;  // of the state: only that of n is read
        std::array<MatrixView<T>, Steps> states;    // before the step
        MatrixView<T> d_state;
        MatrixView<T> d_through;  // the part of a gradient of a state that comes through the gates

        Kept(std::span<T> memory, std::size_t rows) {
            for (std::size_t t = 0; t < Steps; ++t) {
                inputs[t] = detail::take_rows(memory, rows, gates);
                products[t] = detail::take_rows(memory, rows, gates);
                states[t] = detail::take_rows(memory, rows, Hidden);
            }
            d_state = detail::take_rows(memory, rows, Hidden);
            d_through = detail::take_rows(memory, rows, Hidden);
        }
    };

    template <class T>
    [[nodiscard]] static std::size_t length(MatrixView<const T> x, std::size_t row) noexcept {
        return detail::length_of(x(row, in - 1), Steps);
    }

    template <class T>
    [[nodiscard]] static MatrixView<T> step_of(MatrixView<T> x, std::size_t t) {
        return x.columns_from(Hidden + t * In, In);
    }

    // One step of all rows: `input` becomes r, z, n. A row whose sequence is over keeps its state; next may be state.
    template <kernels::HostBackend Backend, class T>
    static void advance(const Weights<const T>& weights, std::size_t t, MatrixView<const T> x,
                        MatrixView<const T> state, MatrixView<T> input, MatrixView<T> product,
                        MatrixView<T> next) noexcept {
        kernels::gemm_nt<Backend, T>(step_of(x, t), weights.of_input, weights.bias_of_input, input);
        kernels::gemm_nt<Backend, T>(state, weights.of_state, weights.bias_of_state, product);
        for (std::size_t i = 0; i < x.rows(); ++i) {
            const bool is_read = length(x, i) > t;
            for (std::size_t j = 0; j < Hidden; ++j) {
                const T r = detail::sigmoid(input(i, j) + product(i, j));
                const T z = detail::sigmoid(input(i, Hidden + j) + product(i, Hidden + j));
                const T n = std::tanh(input(i, 2 * Hidden + j) + r * product(i, 2 * Hidden + j));
                input(i, j) = r;
                input(i, Hidden + j) = z;
                input(i, 2 * Hidden + j) = n;
                next(i, j) = is_read ? (T{1} - z) * n + z * state(i, j) : state(i, j);
            }
        }
    }

    // The gradients of both inputs of the gates of one row, and in d_state the direct part of that of the state.
    template <class T>
    static void turn_into_gradients(bool is_read, std::span<const T> state, std::span<T> input, std::span<T> product,
                                    std::span<T> d_state) noexcept {
        if (!is_read) {
            std::fill(input.begin(), input.end(), T{0});
            std::fill(product.begin(), product.end(), T{0});
            return;
        }
        for (std::size_t j = 0; j < Hidden; ++j) {
            const T r = input[j];
            const T z = input[Hidden + j];
            const T n = input[2 * Hidden + j];
            const T dn = d_state[j] * (T{1} - z) * (T{1} - n * n);
            input[j] = dn * product[2 * Hidden + j] * r * (T{1} - r);
            input[Hidden + j] = d_state[j] * (state[j] - n) * z * (T{1} - z);
            input[2 * Hidden + j] = dn;
            product[j] = input[j];
            product[Hidden + j] = input[Hidden + j];
            product[2 * Hidden + j] = dn * r;
            d_state[j] *= z;
        }
    }
};

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel
