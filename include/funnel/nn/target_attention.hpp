// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/executor.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/gemm.hpp>
#include <funnel/nn/layer.hpp>
#include <funnel/nn/sequence_rows.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn {

/// Multi-head attention of one vector, such as a candidate, over a sequence, such as a history.
///
///     q = W_q x_q + b_q;   k_j = W_k x_j + b_k;   v_j = W_v x_j + b_v
///     head h:  o_h = sum over j < length of softmax(<q_h, k_jh> / sqrt(Width / Heads))_j v_jh
///     y = W_o [o_1 ... o_Heads] + b_o
///
/// q_h is the h-th part of q, of Width / Heads numbers; so are k_jh and v_jh. An empty sequence gives y = b_o.
///
/// A row has the vector x_q; then Steps vectors of Width numbers; then the length, how many of them are read: it is
/// rounded down, 0 if it is below 0 or not finite, at most Steps. The rest is padding and may be anything.
///
/// The parameters are those of PyTorch's MultiheadAttention, with its names: in_proj_weight (3 Width x Width: W_q, W_k,
/// W_v), in_proj_bias, out_proj.weight, out_proj.bias. They start as there: in_proj_weight uniform by Xavier, W_o
/// uniform in [-1 / sqrt(Width), 1 / sqrt(Width)], biases 0.
///
/// ActivationUnit is the attention of DIN, whose weights are not normalized.
///
/// Shapes    rows of (1 + Steps) Width + 1 numbers;  gives rows of Width
/// Cost      O(rows Steps Width^2), also for short sequences
/// Source    Vaswani et al., "Attention is all you need", NeurIPS 2017 (section 3.2)
template <std::size_t Width, std::size_t Heads, std::size_t Steps>
    requires(Width > 0 && Heads > 0 && Width % Heads == 0 && Steps > 0)
struct TargetAttention {
    static constexpr const char* name = "TargetAttention";
    static constexpr std::size_t in = (1 + Steps) * Width + 1;
    static constexpr std::size_t out = Width;
    static constexpr std::size_t parameters = 4 * Width * (Width + 1);
    static constexpr std::size_t statistics = 0;
    static constexpr std::array tensors{
        LayerTensor{"in_proj_weight", 3 * Width, Width}, LayerTensor{"in_proj_bias", 3 * Width},
        LayerTensor{"out_proj.weight", Width, Width}, LayerTensor{"out_proj.bias", Width}};

    /// What scratch has, and the gradients of q and of the heads.
    [[nodiscard]] static constexpr std::size_t memory(std::size_t rows) noexcept {
        return scratch(rows) + 2 * rows * detail::padded_width(Width);
    }
    /// The sequences without gaps, k and v of each step, q, the weights of the steps, and the outputs of the heads.
    [[nodiscard]] static constexpr std::size_t scratch(std::size_t rows) noexcept {
        return rows * (Steps * (detail::padded_width(Width) + detail::padded_width(2 * Width)) +
                       2 * detail::padded_width(Width) + detail::padded_width(Heads * Steps));
    }

    template <std::floating_point T>
    static void initialise(std::span<T> trained, std::span<T> /*collected*/, Random& random) {
        const Weights<T> weights(trained);
        const auto fill = [&](MatrixView<T> matrix, double bound) {
            for (std::size_t i = 0; i < matrix.rows(); ++i) {
                for (T& weight : matrix.row(i)) {
                    weight = static_cast<T>(bound * (2.0 * random.uniform() - 1.0));
                }
            }
        };
        const auto width = static_cast<double>(Width);
        std::fill(trained.begin(), trained.end(), T{0});
        fill(weights.of_query, math::sqrt(1.5 / width));  // sqrt(6 / (Width + 3 Width))
        fill(weights.of_steps, math::sqrt(1.5 / width));
        fill(weights.of_output, 1.0 / math::sqrt(width));
    }

    template <kernels::HostBackend Backend, std::floating_point T>
    static void infer(std::span<const T> trained, std::span<const T> /*collected*/, MatrixView<const T> x,
                      MatrixView<T> y, std::span<T> scratch) noexcept {
        attend<Backend, T>(Weights<const T>(trained), x, Kept<T>(scratch, x.rows()), y, 0, x.rows());
    }

    template <kernels::HostBackend Backend, std::floating_point T, Executor E>
    static void forward(const Step& /*step*/, std::span<const T> trained, std::span<T> /*collected*/,
                        MatrixView<const T> x, MatrixView<T> y, std::span<T> memory, E& executor) {
        const Kept<T> kept(memory, x.rows());
        executor.for_range(x.rows(), detail::row_grain, [&](std::size_t begin, std::size_t end, std::size_t) {
            attend<Backend, T>(Weights<const T>(trained), x, kept, y, begin, end);
        });
    }

    template <kernels::HostBackend Backend, std::floating_point T, Executor E>
    static void backward(const Step& /*step*/, std::span<const T> trained, MatrixView<const T> x,
                         MatrixView<const T> /*y*/, MatrixView<const T> dy, MatrixView<T> dx, std::span<T> gradient,
                         std::span<T> memory, E& executor) {
        const Weights<const T> weights(trained);
        const Weights<T> slopes(gradient);
        const Kept<T> kept(memory, x.rows());
        const MatrixView<T> d_query = detail::take_rows(memory, x.rows(), Width);
        const MatrixView<T> d_heads = detail::take_rows(memory, x.rows(), Width);
        executor.for_range(x.rows(), detail::row_grain, [&](std::size_t begin, std::size_t end, std::size_t) {
            kernels::gemm_nn<Backend, T>(dy.rows_from(begin, end - begin), weights.of_output,
                                         d_heads.rows_from(begin, end - begin));
            for (std::size_t i = begin; i < end; ++i) {
                turn_into_gradients<T>(kept, i, length(x, i), d_heads.row(i), d_query.row(i));
            }
        });
        add_gradient<Backend, T>(dy, kept.heads, slopes.of_output, slopes.bias_of_output, executor);
        add_gradient<Backend, T>(d_query, x.columns_from(0, Width), slopes.of_query, slopes.bias_of_query, executor);
        add_gradient<Backend, T>(kept.keys_values, kept.steps, slopes.of_steps, slopes.bias_of_steps, executor);
        executor.for_range(dx.rows(), detail::row_grain, [&](std::size_t begin, std::size_t end, std::size_t) {
            const std::size_t n = end - begin;
            kernels::gemm_nn<Backend, T>(d_query.rows_from(begin, n), weights.of_query,
                                         dx.columns_from(0, Width).rows_from(begin, n));
            // The sequences are not needed any more: their memory takes their gradients.
            kernels::gemm_nn<Backend, T>(kept.keys_values.rows_from(begin * Steps, n * Steps), weights.of_steps,
                                         kept.steps.rows_from(begin * Steps, n * Steps));
            for (std::size_t i = begin; i < end; ++i) {
                for (std::size_t t = 0; t < Steps; ++t) {
                    const std::span<const T> from = kept.steps.row(i * Steps + t);
                    std::copy(from.begin(), from.end(), step_of(dx.row(i), t).begin());
                }
                dx.row(i).back() = T{0};
            }
        });
    }

private:
    static constexpr std::size_t head_width = Width / Heads;

    template <class T>
    struct Weights {
        MatrixView<T> of_query;
        MatrixView<T> of_steps;  // W_k, then W_v
        std::span<T> bias_of_query;
        std::span<T> bias_of_steps;
        MatrixView<T> of_output;
        std::span<T> bias_of_output;

        explicit Weights(std::span<T> all)
            : of_query(detail::take(all, Width * Width), Width, Width),
              of_steps(detail::take(all, 2 * Width * Width), 2 * Width, Width),
              bias_of_query(detail::take(all, Width)),
              bias_of_steps(detail::take(all, 2 * Width)),
              of_output(detail::take(all, Width * Width), Width, Width),
              bias_of_output(all) {}
    };

    // What forward leaves for backward.
    template <class T>
    struct Kept {
        MatrixView<T> steps;        // Steps rows per row; padding is 0
        MatrixView<T> keys_values;  // of the steps
        MatrixView<T> query;
        MatrixView<T> heads;
        MatrixView<T> shares;  // the softmax of each head

        Kept(std::span<T>& memory, std::size_t rows)
            : steps(detail::take_rows(memory, rows * Steps, Width)),
              keys_values(detail::take_rows(memory, rows * Steps, 2 * Width)),
              query(detail::take_rows(memory, rows, Width)),
              heads(detail::take_rows(memory, rows, Width)),
              shares(detail::take_rows(memory, rows, Heads * Steps)) {}
    };

    template <class T>
    [[nodiscard]] static std::size_t length(MatrixView<const T> x, std::size_t row) noexcept {
        return detail::length_of(x(row, in - 1), Steps);
    }

    template <class T>
    [[nodiscard]] static std::span<T> step_of(std::span<T> row, std::size_t t) noexcept {
        return row.subspan((1 + t) * Width, Width);
    }

    template <kernels::HostBackend Backend, class T>
    static void attend(const Weights<const T>& weights, MatrixView<const T> x, const Kept<T>& kept, MatrixView<T> y,
                       std::size_t begin, std::size_t end) noexcept {
        const std::size_t n = end - begin;
        for (std::size_t i = begin; i < end; ++i) {
            for (std::size_t t = 0; t < Steps; ++t) {
                const std::span<T> to = kept.steps.row(i * Steps + t);
                if (t < length(x, i)) {
                    const std::span<const T> from = step_of(x.row(i), t);
                    std::copy(from.begin(), from.end(), to.begin());
                } else {
                    std::fill(to.begin(), to.end(), T{0});
                }
            }
        }
        kernels::gemm_nt<Backend, T>(x.columns_from(0, Width).rows_from(begin, n), weights.of_query,
                                     weights.bias_of_query, kept.query.rows_from(begin, n));
        kernels::gemm_nt<Backend, T>(kept.steps.rows_from(begin * Steps, n * Steps), weights.of_steps,
                                     weights.bias_of_steps, kept.keys_values.rows_from(begin * Steps, n * Steps));
        for (std::size_t i = begin; i < end; ++i) {
            mix<Backend, T>(kept, i, length(x, i));
        }
        kernels::gemm_nt<Backend, T>(kept.heads.rows_from(begin, n), weights.of_output, weights.bias_of_output,
                                     y.rows_from(begin, n));
    }

    // The parts of head h.
    template <class T>
    [[nodiscard]] static std::span<T> key(const Kept<T>& kept, std::size_t i, std::size_t t, std::size_t h) noexcept {
        return kept.keys_values.row(i * Steps + t).subspan(h * head_width, head_width);
    }
    template <class T>
    [[nodiscard]] static std::span<T> value(const Kept<T>& kept, std::size_t i, std::size_t t, std::size_t h) noexcept {
        return kept.keys_values.row(i * Steps + t).subspan(Width + h * head_width, head_width);
    }

    template <class T>
    [[nodiscard]] static T score_scale() noexcept {
        return static_cast<T>(1.0 / math::sqrt(static_cast<double>(head_width)));
    }

    // The softmax of each head, and the outputs of the heads.
    template <kernels::HostBackend Backend, class T>
    static void mix(const Kept<T>& kept, std::size_t i, std::size_t length) noexcept {
        std::fill(kept.heads.row(i).begin(), kept.heads.row(i).end(), T{0});
        if (length == 0) {
            return;
        }
        for (std::size_t h = 0; h < Heads; ++h) {
            const std::span<T> shares = kept.shares.row(i).subspan(h * Steps, length);
            const std::span<const T> query = kept.query.row(i).subspan(h * head_width, head_width);
            for (std::size_t t = 0; t < length; ++t) {
                shares[t] = score_scale<T>() * detail::dot_of<Backend, T>(query, key(kept, i, t, h));
            }
            const T largest = *std::max_element(shares.begin(), shares.end());
            T sum{0};
            for (T& share : shares) {
                share = math::exp(share - largest);
                sum += share;
            }
            const std::span<T> output = kept.heads.row(i).subspan(h * head_width, head_width);
            for (std::size_t t = 0; t < length; ++t) {
                shares[t] /= sum;
                const std::span<const T> values = value(kept, i, t, h);
                for (std::size_t j = 0; j < head_width; ++j) {
                    output[j] += shares[t] * values[j];
                }
            }
        }
    }

    // The gradient of the query of one row; keys and values become their gradients, 0 for padding.
    template <class T>
    static void turn_into_gradients(const Kept<T>& kept, std::size_t i, std::size_t length, std::span<const T> d_heads,
                                    std::span<T> d_query) noexcept {
        std::fill(d_query.begin(), d_query.end(), T{0});
        for (std::size_t t = length; t < Steps; ++t) {
            const std::span<T> padding = kept.keys_values.row(i * Steps + t);
            std::fill(padding.begin(), padding.end(), T{0});
        }
        for (std::size_t h = 0; h < Heads; ++h) {
            const std::span<const T> shares = kept.shares.row(i).subspan(h * Steps, length);
            const std::span<const T> query = kept.query.row(i).subspan(h * head_width, head_width);
            const std::span<const T> d_output = d_heads.subspan(h * head_width, head_width);
            const std::span<T> d_of_head = d_query.subspan(h * head_width, head_width);
            T mean{0};  // of the gradients of the shares; heads = sum of shares times values
            for (std::size_t j = 0; j < head_width; ++j) {
                mean += d_output[j] * kept.heads(i, h * head_width + j);
            }
            for (std::size_t t = 0; t < length; ++t) {
                const std::span<T> keys = key(kept, i, t, h);
                const std::span<T> values = value(kept, i, t, h);
                T d_share{0};
                for (std::size_t j = 0; j < head_width; ++j) {
                    d_share += d_output[j] * values[j];
                }
                const T d_score = shares[t] * (d_share - mean) * score_scale<T>();
                for (std::size_t j = 0; j < head_width; ++j) {
                    d_of_head[j] += d_score * keys[j];
                    keys[j] = d_score * query[j];
                    values[j] = shares[t] * d_output[j];
                }
            }
        }
    }

    // slopes += d^T x, bias += the sums of d: each number is one sum over all rows in their order.
    template <kernels::HostBackend Backend, class T, Executor E>
    static void add_gradient(MatrixView<const T> d, MatrixView<const T> x, MatrixView<T> slopes, std::span<T> bias,
                             E& executor) {
        constexpr std::size_t output_grain = 32;
        executor.for_range(slopes.rows(), output_grain, [&](std::size_t begin, std::size_t end, std::size_t) {
            kernels::gemm_tn<Backend, T>(d.columns_from(begin, end - begin), x, slopes.rows_from(begin, end - begin));
            for (std::size_t i = 0; i < d.rows(); ++i) {
                for (std::size_t j = begin; j < end; ++j) {
                    bias[j] += d(i, j);
                }
            }
        });
    }
};

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel
