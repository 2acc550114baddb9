// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/gemm.hpp>
#include <funnel/nn/dense.hpp>
#include <funnel/nn/embedding_bag.hpp>
#include <funnel/nn/layer.hpp>
#include <funnel/nn/mlp.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <span>
#include <tuple>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn {

/// Turns a pair of vectors into what an activation unit compares.
///
///     [q | k]  ->  [q | k | q - k | q * k],   the last one element by element
///
/// Shapes    rows of 2 Width numbers; gives rows of 4 Width
template <std::size_t Width>
    requires(Width > 0)
struct PairFeatures {
    static constexpr const char* name = "PairFeatures";
    static constexpr std::size_t in = 2 * Width;
    static constexpr std::size_t out = 4 * Width;
    static constexpr std::size_t parameters = 0;
    static constexpr std::size_t statistics = 0;

    [[nodiscard]] static constexpr std::size_t memory(std::size_t /*rows*/) noexcept { return 0; }
    [[nodiscard]] static constexpr std::size_t scratch(std::size_t /*rows*/) noexcept { return 0; }

    template <std::floating_point T>
    static void initialise(std::span<T> /*trained*/, std::span<T> /*collected*/, Random& /*random*/) noexcept {}

    template <kernels::HostBackend Backend, std::floating_point T>
    static void infer(std::span<const T> /*trained*/, std::span<const T> /*collected*/, MatrixView<const T> x,
                      MatrixView<T> y, std::span<T> /*scratch*/) noexcept {
        for (std::size_t i = 0; i < x.rows(); ++i) {
            for (std::size_t j = 0; j < Width; ++j) {
                const T q = x(i, j);
                const T k = x(i, Width + j);
                y(i, j) = q;
                y(i, Width + j) = k;
                y(i, 2 * Width + j) = q - k;
                y(i, 3 * Width + j) = q * k;
            }
        }
    }

    template <kernels::HostBackend Backend, std::floating_point T, Executor E>
    static void forward(const Step& /*step*/, std::span<const T> trained, std::span<T> collected, MatrixView<const T> x,
                        MatrixView<T> y, std::span<T> memory, E& executor) {
        executor.for_range(x.rows(), detail::row_grain, [&](std::size_t begin, std::size_t end, std::size_t) {
            infer<Backend, T>(trained, collected, x.rows_from(begin, end - begin), y.rows_from(begin, end - begin),
                              memory);
        });
    }

    template <kernels::HostBackend Backend, std::floating_point T, Executor E>
    static void backward(const Step& /*step*/, std::span<const T> /*trained*/, MatrixView<const T> x,
                         MatrixView<const T> /*y*/, MatrixView<const T> dy, MatrixView<T> dx, std::span<T> /*gradient*/,
                         std::span<T> /*memory*/, E& executor) {
        executor.for_range(dx.rows(), detail::row_grain, [&](std::size_t begin, std::size_t end, std::size_t) {
            for (std::size_t i = begin; i < end; ++i) {
                for (std::size_t j = 0; j < Width; ++j) {
                    const T of_difference = dy(i, 2 * Width + j);
                    const T of_product = dy(i, 3 * Width + j);
                    dx(i, j) = dy(i, j) + of_difference + x(i, Width + j) * of_product;
                    dx(i, Width + j) = dy(i, Width + j) - of_difference + x(i, j) * of_product;
                }
            }
        });
    }
};

/// The activation unit of a Deep Interest Network: how much an item k of a history says about a candidate q.
///
///     a(q, k) = MLP([q, k, q - k, q * k]),   with Activation between its layers
///     vector of a history for a candidate = sum over j of a(q, k_j) k_j
///
/// The weights a are not normalized: their sum says how strong the interest is.
///
/// In service, the first dense layer W = [W1 W2 W3 W4] is applied without pairs. For a candidate,
///
///     W [q, k, q - k, q * k] = (W1 + W3) q + (W2 - W3 + W4 diag(q)) k
///
/// is one matrix product over the history, a quarter as wide as that of the pairs.
///
/// Source    Zhou et al., "Deep interest network for click-through rate prediction", KDD 2018
template <std::size_t Width, class Activation, std::size_t First, std::size_t... Hidden>
struct ActivationUnit {
    static constexpr std::size_t width = Width;

    /// The layer from a pair [q | k] to a(q, k), for training.
    using Network = typename detail::DenseLayers<Activation, false, std::tuple<PairFeatures<Width>>, 4 * Width, First,
                                                 Hidden..., 1>::type;

    /// The matrices of one network that do not depend on the candidate.
    template <class T>
    struct Folded {
        MatrixView<T> query;  ///< W1 + W3
        MatrixView<T> key;    ///< W2 - W3
    };

    /// Numbers of memory that fold needs.
    static constexpr std::size_t folded_size = 2 * First * detail::padded_width(Width);

    /// Computes the matrices in `memory`, of folded_size numbers.
    template <std::floating_point T>
    [[nodiscard]] static Folded<const T> fold(std::span<const T> trained, std::span<T> memory) noexcept {
        FUNNEL_ASSERT(trained.size() == Network::parameters && memory.size() >= folded_size);
        const MatrixView<const T> weights = Layer0::weights(trained.first(Layer0::parameters));
        const MatrixView<T> query = detail::take_rows(memory, First, Width);
        const MatrixView<T> key = detail::take_rows(memory, First, Width);
        for (std::size_t h = 0; h < First; ++h) {
            for (std::size_t j = 0; j < Width; ++j) {
                query(h, j) = weights(h, j) + weights(h, 2 * Width + j);
                key(h, j) = weights(h, Width + j) - weights(h, 2 * Width + j);
            }
        }
        return {query, key};
    }

    /// Numbers of scratch memory that attend needs for a history of that many items.
    [[nodiscard]] static constexpr std::size_t scratch(std::size_t history) noexcept {
        return First * detail::padded_width(Width) + detail::padded_width(First) +
               history * detail::padded_width(First) + history + Rest::scratch(history);
    }

    /// The vector of a history for a candidate: zeros if the history is empty.
    ///
    /// Shapes    query: Width;  keys: T x Width;  vector: Width;  scratch: scratch(T) or more (not checked)
    /// Cost      O(T times the parameters of the network, a quarter of those of its first layer)
    template <kernels::HostBackend Backend, std::floating_point T>
    static void attend(std::span<const T> trained, std::span<const T> collected, const Folded<const T>& folded,
                       std::span<const T> query, MatrixView<const T> keys, std::span<T> vector,
                       std::span<T> scratch) noexcept {
        FUNNEL_ASSERT(scratch.size() >= ActivationUnit::scratch(keys.rows()) && vector.size() == Width);
        const std::span<const T> layer0 = trained.first(Layer0::parameters);
        const MatrixView<const T> of_product = detail::columns(Layer0::weights(layer0), 3 * Width, Width);
        const MatrixView<T> of_key = detail::take_rows(scratch, First, Width);
        const std::span<T> bias = detail::take(scratch, detail::padded_width(First)).first(First);
        const MatrixView<T> hidden = detail::take_rows(scratch, keys.rows(), First);
        const std::span<T> weights = detail::take(scratch, keys.rows());
        for (std::size_t h = 0; h < First; ++h) {
            for (std::size_t j = 0; j < Width; ++j) {
                of_key(h, j) = folded.key(h, j) + of_product(h, j) * query[j];
            }
        }
        kernels::gemm_nt<Backend>(MatrixView<const T>(query, 1, Width), folded.query, Layer0::bias(layer0),
                                  MatrixView<T>(bias, 1, First));
        kernels::gemm_nt<Backend>(keys, of_key, bias, hidden);
        Rest::template infer<Backend, T>(trained.subspan(Layer0::parameters), collected, hidden,
                                         MatrixView<T>(weights, keys.rows(), 1), scratch);
        std::fill(vector.begin(), vector.end(), T{0});
        for (std::size_t t = 0; t < keys.rows(); ++t) {
            detail::add_scaled<Backend, T>(weights[t], keys.row(t), vector);
        }
    }

private:
    using Layer0 = Dense<4 * Width, First>;
    // The layers of Network after the first dense one.
    using Rest = typename detail::DenseLayers<Activation, false, std::tuple<typename Activation::template bind<First>>,
                                              First, Hidden..., 1>::type;
    static_assert(Rest::parameters + Layer0::parameters == Network::parameters);
};

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel
