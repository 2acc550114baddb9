// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/gemm.hpp>
#include <funnel/nn/dense.hpp>
#include <funnel/nn/embedding_bag.hpp>
#include <funnel/nn/layer.hpp>
#include <funnel/nn/mlp.hpp>
#include <funnel/nn/row_wise.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <span>
#include <tuple>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn {

namespace detail {

template <std::size_t Width>
struct PairRow {
    static constexpr const char* name = "PairFeatures";
    static constexpr std::size_t in = 2 * Width;
    static constexpr std::size_t out = 4 * Width;

    template <kernels::HostBackend Backend, std::floating_point T>
    static void infer(std::span<const T> x, std::span<T> y) noexcept {
        for (std::size_t j = 0; j < Width; ++j) {
            const T q = x[j];
            const T k = x[Width + j];
            y[j] = q;
            y[Width + j] = k;
            y[2 * Width + j] = q - k;
            y[3 * Width + j] = q * k;
        }
    }

    template <kernels::HostBackend Backend, std::floating_point T>
    static void backward(std::span<const T> x, std::span<const T> /*y*/, std::span<const T> dy,
                         std::span<T> dx) noexcept {
        for (std::size_t j = 0; j < Width; ++j) {
            const T of_difference = dy[2 * Width + j];
            const T of_product = dy[3 * Width + j];
            dx[j] = dy[j] + of_difference + x[Width + j] * of_product;
            dx[Width + j] = dy[Width + j] - of_difference + x[j] * of_product;
        }
    }
};

}  // namespace detail

/// Turns a pair of vectors into what an activation unit compares.
///
///     [q | k]  ->  [q | k | q - k | q * k],   the last one element by element
///
/// Shapes    rows of 2 Width numbers; gives rows of 4 Width
template <std::size_t Width>
    requires(Width > 0)
struct PairFeatures : detail::RowWise<detail::PairRow<Width>> {};

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
        const MatrixView<const T> of_product = Layer0::weights(layer0).columns_from(3 * Width, Width);
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
