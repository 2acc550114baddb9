// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/options.hpp>
#include <funnel/io/little_endian.hpp>
#include <funnel/io/safetensors.hpp>
#include <funnel/io/safetensors_writer.hpp>
#include <funnel/io/tensor_type.hpp>
#include <funnel/kernels/half_floats.hpp>
#include <funnel/nn/layer.hpp>
#include <funnel/nn/tower.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn {

struct WeightNames {
    std::string prefix = "";  ///< of all names, for example "user."; tensors without it are not read
    /// One name per layer, also of layers without weights; if empty: the positions "0", "1", ..., as nn.Sequential.
    std::vector<std::string> modules = {};
};

namespace detail {

[[nodiscard]] inline std::vector<std::uint64_t> shape_of(const LayerTensor& tensor) {
    return tensor.cols == 0 ? std::vector<std::uint64_t>{tensor.rows}
                            : std::vector<std::uint64_t>{tensor.rows, tensor.cols};
}

[[nodiscard]] inline std::string words_of(std::span<const std::uint64_t> shape) {
    std::string list;
    for (const std::uint64_t length : shape) {
        list += (list.empty() ? "" : ", ") + std::to_string(length);
    }
    return "[" + list + "]";
}

[[nodiscard]] inline std::string module_name(const WeightNames& names, std::size_t layer) {
    return names.prefix + (names.modules.empty() ? std::to_string(layer) : names.modules[layer]) + ".";
}

inline void require_modules(const WeightNames& names, std::size_t depth) {
    if (!names.modules.empty()) {
        require_equal(names.modules.size(), depth, "WeightNames: number of modules");
    }
}

/// each_tensor with the names that a file has.
template <class Network, class Visit>
void each_named_tensor(const WeightNames& names, const Visit& visit) {
    std::size_t layer = 0;
    Network::each_part([&]<class L>(const std::string&, std::size_t parameter, std::size_t statistic) {
        each_tensor<L>(visit, module_name(names, layer), parameter, statistic);
        ++layer;
    });
}

/// Number i of a tensor as a float; the tensor has a type of floats.
[[nodiscard]] inline float float_at(const io::Tensor& tensor, std::size_t i) {
    const auto bytes = tensor.bytes.subspan(i * io::size_of(tensor.type));
    switch (tensor.type) {
        case io::TensorType::F16:
            return kernels::Float16{io::load_number<std::uint16_t>(bytes)}.value();
        case io::TensorType::BF16:
            return kernels::BFloat16{io::load_number<std::uint16_t>(bytes)}.value();
        case io::TensorType::F64:
            return static_cast<float>(io::load_number<double>(bytes));
        default:
            return io::load_number<float>(bytes);
    }
}

[[nodiscard]] inline bool is_float(io::TensorType type) noexcept {
    return type == io::TensorType::F32 || type == io::TensorType::F64 || type == io::TensorType::F16 ||
           type == io::TensorType::BF16;
}

/// Fills numbers with the tensor of a name.
inline void load_tensor(const io::Safetensors& file, const std::string& name, const LayerTensor& expected,
                        std::span<float> numbers) {
    const auto shape = shape_of(expected);
    const auto check = [&](bool holds, const std::string& wanted, const std::string& found) {
        if (!holds) {
            raise<CorruptData>(file.source() + ": tensor \"" + name + "\": expected " + wanted + ", found " + found);
        }
    };
    const io::Tensor* const tensor = file.find(name);
    check(tensor != nullptr, "shape " + words_of(shape), "no such tensor");
    check(tensor->shape == shape, "shape " + words_of(shape), words_of(tensor->shape));
    check(is_float(tensor->type), "type F32, F64, F16 or BF16", std::string(io::name_of(tensor->type)));
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        numbers[i] = float_at(*tensor, i);
        check(math::is_finite(numbers[i]), "finite numbers that a float can hold",
              "another one at " + std::to_string(i));
    }
}

}  // namespace detail

/// Loads the weights of a tower by name, for example those that PyTorch saved of an nn.Sequential with the same layers:
///
///     safetensors.torch.save_file(model.state_dict(), "model.safetensors")                             (in Python)
///     load_weights(tower, io::Safetensors::read("model.safetensors"));
///
/// Positions count all layers, also those without weights. Layers inside Parallel, Blocks and Sequential add their
/// position, and the one inside Residual adds "layer": "2.0.weight", "3.layer.bias". Numbers of 16 bits are widened,
/// those of 64 bits rounded. num_batches_tracked of BatchNorm is not needed. If it throws, the tower is unchanged.
///
/// Errors    CorruptData, with the name of the tensor, if one is missing or unexpected, has another shape (the message
///           has both) or type, or numbers that are not finite, or if a variance is negative;  InvalidArgument if
///           there are modules, but not one per layer
template <class... Layers>
void load_weights(Tower<Layers...>& tower, const io::Safetensors& file, const WeightNames& names = {}) {
    using Network = typename Tower<Layers...>::Network;
    detail::require_modules(names, Network::depth);
    Tower<Layers...> loaded = tower;
    std::set<std::string> known;
    detail::each_named_tensor<Network>(
        names, [&](const std::string& name, const LayerTensor& tensor, std::size_t first) {
            const std::span<float> all = tensor.is_statistic ? loaded.statistics() : loaded.parameters();
            detail::load_tensor(file, name, tensor, all.subspan(first, tensor.size()));
            known.insert(name);
            if (tensor.is_statistic) {
                known.insert(name.substr(0, name.rfind('.') + 1) + "num_batches_tracked");
            }
        });
    for (const io::Tensor& tensor : file.tensors()) {
        if (tensor.name.starts_with(names.prefix) && known.count(tensor.name) == 0) {
            raise<CorruptData>(file.source() + ": tensor \"" + tensor.name + "\" of shape " +
                               detail::words_of(tensor.shape) + ": expected no such tensor");
        }
    }
    if (!loaded.has_valid_variances()) {
        raise<CorruptData>(file.source() + ": running_var: expected variances >= 0, found a negative one");
    }
    tower = std::move(loaded);
}

/// Saves the weights of a tower as safetensors, with the names that load_weights reads. PyTorch loads the file into an
/// nn.Sequential with the same layers:
///
///     model.load_state_dict(safetensors.torch.load_file("model.safetensors"))
///
/// Errors    IOError;  InvalidArgument if there are modules, but not one per layer, or if two names are equal
template <class... Layers>
void save_weights(const Tower<Layers...>& tower, const std::string& path, const WeightNames& names = {}) {
    using Network = typename Tower<Layers...>::Network;
    detail::require_modules(names, Network::depth);
    io::SafetensorsWriter file;
    detail::each_named_tensor<Network>(
        names, [&](const std::string& name, const LayerTensor& tensor, std::size_t first) {
            const std::span<const float> all = tensor.is_statistic ? tower.statistics() : tower.parameters();
            file.add<float>(name, detail::shape_of(tensor), all.subspan(first, tensor.size()));
        });
    file.metadata("format", "pt");
    file.save(path);
}

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel
