// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/dense_panels.hpp>
#include <funnel/kernels/half_floats.hpp>
#include <funnel/kernels/int8_dense.hpp>
#include <funnel/kernels/packed_dense.hpp>
#include <funnel/nn/activations.hpp>
#include <funnel/nn/dense.hpp>
#include <funnel/nn/elementwise.hpp>
#include <funnel/nn/layer.hpp>
#include <funnel/nn/sequential.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <span>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn {

/// A layer that gives its input in service, such as Dropout. Frozen leaves it out.
template <class L>
concept IdentityInService = Layer<L> && requires { requires L::is_identity_in_service; };

/// A layer that multiplies and adds in service, number by number, such as BatchNorm: y[j] = scale[j] x[j] + shift[j].
/// Frozen makes it a part of a Dense layer.
template <class L>
concept ScalesInService =
    Layer<L> && requires(std::span<const float> parameters, std::span<const float> statistics, std::span<double> of) {
        L::scale_and_shift(parameters, statistics, of, of);
    };

namespace detail {

template <class T>
using Aligned = std::vector<T, funnel::detail::RowAllocator<T>>;

// Layers that are Sequential themselves are replaced by their layers. Parameters and statistics keep their places.
template <class L>
struct Flatten {
    using type = std::tuple<L>;
};
template <class... Layers>
struct Flatten<std::tuple<Layers...>> {
    using type = decltype(std::tuple_cat(std::declval<typename Flatten<Layers>::type>()...));
};
template <class First, class... Rest>
struct Flatten<Sequential<First, Rest...>> : Flatten<typename Sequential<First, Rest...>::Layers> {};

template <class Layers>
struct SequenceOf;
template <class... Layers>
struct SequenceOf<std::tuple<Layers...>> {
    using type = Sequential<Layers...>;
};

template <class L>
inline constexpr bool is_dense = false;
template <std::size_t In, std::size_t Out>
inline constexpr bool is_dense<Dense<In, Out>> = true;

template <class L>
inline constexpr bool is_relu = false;
template <std::size_t Width>
inline constexpr bool is_relu<Elementwise<ReLU, Width>> = true;

/// What becomes of a layer.
enum class Role {
    Dense,        // packed, with what is folded into it
    LeftOut,      // gives its input
    FoldedBack,   // into the Dense before it
    FoldedAhead,  // into the Dense after it
    Epilogue,     // of the Dense before it
    Scale,        // there is no Dense to fold it into
    Kept,
};

template <class Layers>
struct Roles;

template <class... Layers>
struct Roles<std::tuple<Layers...>> {
    static constexpr std::size_t depth = sizeof...(Layers);

    static constexpr std::array<Role, depth> of = [] {
        constexpr std::array<bool, depth> dense{is_dense<Layers>...};
        constexpr std::array<bool, depth> relu{is_relu<Layers>...};
        constexpr std::array<bool, depth> identity{IdentityInService<Layers>...};
        constexpr std::array<bool, depth> scales{ScalesInService<Layers>...};
        std::array<Role, depth> roles{};
        bool follows_dense = false;  // with nothing but folded layers between them
        for (std::size_t i = 0; i < depth; ++i) {
            if (dense[i]) {
                roles[i] = Role::Dense;
                follows_dense = true;
            } else if (identity[i]) {
                roles[i] = Role::LeftOut;
            } else if (scales[i]) {
                std::size_t next = i + 1;
                while (next < depth && (identity[next] || scales[next])) {
                    ++next;
                }
                const bool precedes_dense = next < depth && dense[next];
                roles[i] = follows_dense ? Role::FoldedBack : precedes_dense ? Role::FoldedAhead : Role::Scale;
            } else {
                roles[i] = relu[i] && follows_dense ? Role::Epilogue : Role::Kept;
                follows_dense = false;
            }
        }
        return roles;
    }();

    /// Whether the epilogue of the Dense layer at that position is ReLU.
    [[nodiscard]] static constexpr bool ends_with_relu(std::size_t dense) noexcept {
        std::size_t i = dense + 1;
        while (i < depth && (of[i] == Role::LeftOut || of[i] == Role::FoldedBack)) {
            ++i;
        }
        return i < depth && of[i] == Role::Epilogue;
    }
};

/// The affine map of a Dense layer in double, into which others are folded.
struct FoldedDense {
    std::size_t in;
    std::size_t out;
    std::vector<double> weights;  // out x in
    std::vector<double> bias;

    /// For an input that is scaled and shifted before: W' = W diag(scale), b' = b + W shift.
    void fold_before(std::span<const double> scale, std::span<const double> shift) {
        for (std::size_t j = 0; j < out; ++j) {
            for (std::size_t k = 0; k < in; ++k) {
                double& weight = weights[j * in + k];
                bias[j] += weight * shift[k];
                weight *= scale[k];
            }
        }
    }

    /// For an output that is scaled and shifted after: W' = diag(scale) W, b' = scale b + shift.
    void fold_after(std::span<const double> scale, std::span<const double> shift) {
        for (std::size_t j = 0; j < out; ++j) {
            for (std::size_t k = 0; k < in; ++k) {
                weights[j * in + k] *= scale[j];
            }
            bias[j] = scale[j] * bias[j] + shift[j];
        }
    }
};

/// For a network whose errors are measured before anyone gets it.
struct Measured {};

// The steps of a frozen network. Each has in, out, scratch(rows) and infer<Backend>(x, y, scratch).

template <std::size_t In, std::size_t Out, kernels::Epilogue E, kernels::StoredWeight Storage>
class PackedStep {
public:
    static constexpr std::size_t in = In;
    static constexpr std::size_t out = Out;

    explicit PackedStep(const FoldedDense& dense) : weights_(Panels::weights_of(In, Out)), bias_(Panels::bias_of(Out)) {
        const std::vector<float> rounded(dense.weights.begin(), dense.weights.end());
        const MatrixView<const float> weights(rounded, Out, In);
        if constexpr (has_bytes) {
            scales_.resize(Panels::bias_of(Out));
            kernels::pack_dense(weights, weights_, scales_);
        } else {
            require_range(rounded);
            kernels::pack_dense<Storage>(weights, weights_);
        }
        std::copy(dense.bias.begin(), dense.bias.end(), bias_.begin());
    }

    [[nodiscard]] static constexpr std::size_t scratch(std::size_t /*rows*/) noexcept { return 0; }

    template <kernels::HostBackend Backend>
    void infer(MatrixView<const float> x, MatrixView<float> y, std::span<float> /*scratch*/) const noexcept {
        apply<E, Backend>(panels(), x, y);
    }

    // The products of the head are the bias of those of the tail. Pairs of inputs are not torn.
    template <std::size_t Head>
        requires(Head % kernels::DensePanels<Storage>::per_word == 0)
    [[nodiscard]] static constexpr std::size_t shared() noexcept {
        return Panels::bias_of(Out);
    }
    template <std::size_t Head>
        requires(Head % kernels::DensePanels<Storage>::per_word == 0)
    [[nodiscard]] static constexpr std::size_t tail_scratch(std::size_t /*rows*/) noexcept {
        return 0;
    }

    template <kernels::HostBackend Backend, std::size_t Head>
        requires(Head % kernels::DensePanels<Storage>::per_word == 0)
    void share(std::span<const float> head, std::span<float> kept) const noexcept {
        apply<kernels::Epilogue::Identity, Backend>(panels().part(0, Head, bias_),
                                                    MatrixView<const float>(head, 1, Head),
                                                    MatrixView<float>(kept.first(Out), 1, Out));
    }

    template <kernels::HostBackend Backend, std::size_t Head>
        requires(Head % kernels::DensePanels<Storage>::per_word == 0)
    void infer_tail(std::span<const float> kept, MatrixView<const float> tail, MatrixView<float> y,
                    std::span<float> /*scratch*/) const noexcept {
        apply<E, Backend>(panels().part(Head, In - Head, kept.first(Panels::bias_of(Out))), tail, y);
    }

    [[nodiscard]] kernels::DensePanels<Storage> panels() const noexcept {
        return {In, Out, weights_, bias_, 0, scales_};
    }

private:
    using Panels = kernels::DensePanels<Storage>;
    static constexpr bool has_bytes = std::same_as<Storage, kernels::ScaledInt8>;
    static_assert(!has_bytes || In <= kernels::max_int8_inputs, "nn: a layer of bytes has at most 32,768 inputs");

    template <kernels::Epilogue F, kernels::HostBackend Backend>
    static void apply(const Panels& panels, MatrixView<const float> x, MatrixView<float> y) noexcept {
        if constexpr (has_bytes) {
            kernels::int8_dense<F, Backend>(panels, x, y);
        } else {
            kernels::packed_dense<F, Backend>(panels, x, y);
        }
    }

    static void require_range(std::span<const float> weights) {
        if constexpr (std::same_as<Storage, kernels::Float16>) {
            for (const float& weight : weights) {
                const float stored = kernels::Float16::nearest(weight).value();
                if (math::is_finite(weight) && !math::is_finite(stored)) {
                    funnel::detail::reject_option("Frozen: weights of Float16", "lie in [-65504, 65504]",
                                                  funnel::detail::shortest(static_cast<double>(weight)));
                }
            }
        }
    }

    Aligned<Storage> weights_;
    Aligned<float> bias_;
    Aligned<float> scales_;  // with bytes
};

template <std::size_t Width>
class ScaleStep {
public:
    static constexpr std::size_t in = Width;
    static constexpr std::size_t out = Width;

    ScaleStep(std::span<const double> scale, std::span<const double> shift)
        : scale_(scale.begin(), scale.end()), shift_(shift.begin(), shift.end()) {}

    [[nodiscard]] static constexpr std::size_t scratch(std::size_t /*rows*/) noexcept { return 0; }

    template <kernels::HostBackend Backend>
    void infer(MatrixView<const float> x, MatrixView<float> y, std::span<float> /*scratch*/) const noexcept {
        for (std::size_t i = 0; i < x.rows(); ++i) {
            for (std::size_t j = 0; j < Width; ++j) {
                y(i, j) = scale_[j] * x(i, j) + shift_[j];
            }
        }
    }

    [[nodiscard]] std::span<const float> scale() const noexcept { return scale_; }
    [[nodiscard]] std::span<const float> shift() const noexcept { return shift_; }

private:
    std::vector<float> scale_;
    std::vector<float> shift_;
};

template <Layer L>
class KeptStep {
public:
    static constexpr std::size_t in = L::in;
    static constexpr std::size_t out = L::out;

    KeptStep(std::span<const float> parameters, std::span<const float> statistics)
        : parameters_(parameters.begin(), parameters.end()), statistics_(statistics.begin(), statistics.end()) {}

    [[nodiscard]] static constexpr std::size_t scratch(std::size_t rows) noexcept { return L::scratch(rows); }

    template <kernels::HostBackend Backend>
    void infer(MatrixView<const float> x, MatrixView<float> y, std::span<float> scratch) const noexcept {
        L::template infer<Backend, float>(std::span<const float>(parameters_), std::span<const float>(statistics_), x,
                                          y, scratch);
    }

    template <std::size_t Head>
    [[nodiscard]] static constexpr std::size_t tail_scratch(std::size_t rows) noexcept {
        return split_scratch<L>(rows);
    }

    template <kernels::HostBackend Backend, std::size_t Head>
    void infer_tail(std::span<const float> head, MatrixView<const float> tail, MatrixView<float> y,
                    std::span<float> scratch) const noexcept {
        infer_split<L, Backend, Head, float>(parameters_, statistics_, head.first(Head), tail, y, scratch);
    }

    [[nodiscard]] std::span<const float> parameters() const noexcept { return parameters_; }
    [[nodiscard]] std::span<const float> statistics() const noexcept { return statistics_; }

private:
    Aligned<float> parameters_;
    Aligned<float> statistics_;
};

}  // namespace detail

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel
