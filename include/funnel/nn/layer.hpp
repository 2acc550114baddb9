// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/dot.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn {

/// What a layer needs to know about a step of training. Dropout draws its masks from it: the same seed, step and layer
/// give the same masks for any number of threads.
struct Step {
    std::uint64_t seed = 1;
    std::uint64_t number = 0;           ///< of the step, from 0
    Stream layer = stream("nn.layer");  ///< of the random draws of this layer

    /// The same step for layer `position` of several.
    [[nodiscard]] constexpr Step of(std::size_t position) const noexcept {
        return {.seed = seed, .number = number, .layer = layer.substream(position)};
    }
};

/// A part of the numbers of a layer that has a name in files: "weight", of rows x cols numbers, row-major.
struct LayerTensor {
    const char* name;
    std::size_t rows;
    std::size_t cols = 0;                      ///< 0: a vector of `rows` numbers
    bool is_statistic = false;                 ///< a part of the statistics, not of the parameters
    std::optional<std::size_t> position = {};  ///< of several of that name: the file has "weight.0", "weight.1"

    [[nodiscard]] constexpr std::size_t size() const noexcept { return cols == 0 ? rows : rows * cols; }
};

/// A layer of a neural network: a type without state. It holds sizes and formulas; parameters, statistics and memory
/// are handed in. So all numbers of a network lie in one array, and an optimiser, a checkpoint and clipping are one
/// loop each.
///
///     name                                 "Dense"
///     in, out                              lengths of the rows that it takes and gives
///     parameters, statistics               how many numbers are trained, and how many only collected (BatchNorm)
///     memory(rows), scratch(rows)          how many numbers `memory` and `scratch` must hold
///     initialise(trained, collected, random)                                the parameters, the statistics
///     infer<B>(trained, collected, x, y, scratch)                           in service; noexcept
///     forward<B>(step, trained, collected, x, y, memory, executor)          in training; may update the statistics
///     backward<B>(step, trained, x, y, dy, dx, gradient, memory, executor)  memory: what forward left there
///
/// x and dx are n x in, y and dy n x out; an empty dx (no rows) is not wanted. backward adds to `gradient` (one number
/// per parameter) and overwrites dx. Layers work for float, through the kernels of backend B, and for double, with
/// which tests compare gradients with central differences. Results do not depend on the executor.
///
/// A layer with parameters or statistics has an array `tensors` of LayerTensor. It names all of them, in their order,
/// as PyTorch does, so that weights can be loaded from files. A layer of layers has each_part(visit) instead. It calls
/// the member template operator() of visit, with the type of the part as its argument, for (name, first parameter,
/// first statistic) of each of its parts.
///
/// A layer without a size, such as ReLU, has a member template bind<In>, which is the layer for rows of length In.
template <class L>
concept Layer = requires {
    { L::name } -> std::convertible_to<const char*>;
    { L::in } -> std::convertible_to<std::size_t>;
    { L::out } -> std::convertible_to<std::size_t>;
    { L::parameters } -> std::convertible_to<std::size_t>;
    { L::statistics } -> std::convertible_to<std::size_t>;
    { L::memory(std::size_t{1}) } -> std::convertible_to<std::size_t>;
    { L::scratch(std::size_t{1}) } -> std::convertible_to<std::size_t>;
};

/// Calls visit(name, tensor, first) for each tensor of a layer and of its parts. `first` is the place of the tensor
/// among all parameters, or among all statistics. Names of parts are in front: "0.weight".
template <Layer L, class Visit>
void each_tensor(const Visit& visit, const std::string& prefix = "", std::size_t first_parameter = 0,
                 std::size_t first_statistic = 0) {
    if constexpr (requires { L::tensors; }) {
        for (const LayerTensor& tensor : L::tensors) {
            std::size_t& first = tensor.is_statistic ? first_statistic : first_parameter;
            std::string name = prefix + tensor.name;
            if (tensor.position) {
                name += "." + std::to_string(*tensor.position);
            }
            visit(name, tensor, first);
            first += tensor.size();
        }
    } else if constexpr (L::parameters + L::statistics > 0) {
        L::each_part([&]<class Part>(const std::string& name, std::size_t parameter, std::size_t statistic) {
            each_tensor<Part>(visit, prefix + name + ".", first_parameter + parameter, first_statistic + statistic);
        });
    }
}

namespace detail {

/// Rows of a batch that one call of an executor's body gets. A matrix product packs its second factor once per call, so
/// fewer rows would cost more.
inline constexpr std::size_t row_grain = 256;

/// The distance of rows of that many numbers in the memory of a layer: whole cache lines, also for double.
[[nodiscard]] constexpr std::size_t padded_width(std::size_t width) noexcept {
    constexpr std::size_t line = row_alignment / sizeof(float);
    return (width + line - 1) / line * line;
}

/// Takes a rows x width matrix from the front of memory.
template <class T>
[[nodiscard]] MatrixView<T> take_rows(std::span<T>& memory, std::size_t rows, std::size_t width) {
    const std::size_t stride = padded_width(width);
    const MatrixView<T> matrix(memory.first(rows * stride), rows, width, stride);
    memory = memory.subspan(rows * stride);
    return matrix;
}

/// Takes `count` numbers from the front of memory.
template <class T>
[[nodiscard]] std::span<T> take(std::span<T>& memory, std::size_t count) {
    const std::span<T> front = memory.first(count);
    memory = memory.subspan(count);
    return front;
}

inline void require_width(std::size_t width, std::size_t expected, const char* what) {
    if (width != expected) [[unlikely]] {
        raise<InvalidArgument>(std::string(what) + " must have " + std::to_string(expected) + " columns, got " +
                               std::to_string(width));
    }
}

/// The inner product, through the kernels for float.
template <kernels::HostBackend Backend, std::floating_point T>
[[nodiscard]] T dot_of(std::span<const T> a, std::span<const T> b) noexcept {
    if constexpr (std::same_as<T, float>) {
        return kernels::dot<Backend>(a, b);
    } else {
        T sum{0};
        for (std::size_t i = 0; i < a.size(); ++i) {
            sum += a[i] * b[i];
        }
        return sum;
    }
}

// ---- what files of networks check

template <Layer L>
[[nodiscard]] std::vector<std::string> parts_in_words();

/// A layer in words: "Dense 136 -> 256". One that consists of others names them, too:
/// "Sequential 4 -> 2 [Dense 4 -> 2, ReLU 2 -> 2]".
template <Layer L>
[[nodiscard]] std::string words_of_layer() {
    std::string words = std::string(L::name) + " " + std::to_string(L::in) + " -> " + std::to_string(L::out);
    if constexpr (!requires { L::tensors; } && L::parameters + L::statistics > 0) {
        const char* before = " [";
        for (const std::string& inner : parts_in_words<L>()) {
            words += before + inner;
            before = ", ";
        }
        words += "]";
    }
    return words;
}

/// The parts of a layer of layers, in words.
template <Layer L>
[[nodiscard]] std::vector<std::string> parts_in_words() {
    std::vector<std::string> words;
    L::each_part(
        [&]<class Part>(const std::string&, std::size_t, std::size_t) { words.push_back(words_of_layer<Part>()); });
    return words;
}

// ---- rows that begin with the same numbers

/// Numbers of scratch memory that infer_split needs for that many rows.
template <Layer L>
[[nodiscard]] constexpr std::size_t split_scratch(std::size_t rows) noexcept {
    if constexpr (requires { L::split_scratch(rows); }) {
        return L::split_scratch(rows);
    } else {
        return rows * padded_width(L::in) + L::scratch(rows);
    }
}

/// infer for rows that all begin with the same Head numbers, such as the features of a user whose candidates are
/// scored. A layer with a member infer_split does that part of its work once; for others, the rows are put together.
///
/// Shapes    head: Head;  tail: n x (in - Head), the rest of each row;  y: n x out;  scratch: split_scratch<L>(n)
template <Layer L, kernels::HostBackend Backend, std::size_t Head, std::floating_point T>
void infer_split(std::span<const T> trained, std::span<const T> collected, std::span<const T> head,
                 MatrixView<const T> tail, MatrixView<T> y, std::span<T> scratch) noexcept {
    if constexpr (requires { L::template infer_split<Backend, Head, T>(trained, collected, head, tail, y, scratch); }) {
        L::template infer_split<Backend, Head, T>(trained, collected, head, tail, y, scratch);
    } else {
        const MatrixView<T> rows = take_rows(scratch, tail.rows(), L::in);
        for (std::size_t i = 0; i < tail.rows(); ++i) {
            std::copy(head.begin(), head.end(), rows.row(i).begin());
            std::copy(tail.row(i).begin(), tail.row(i).end(), rows.row(i).begin() + Head);
        }
        L::template infer<Backend, T>(trained, collected, rows, y, scratch);
    }
}

}  // namespace detail

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel
