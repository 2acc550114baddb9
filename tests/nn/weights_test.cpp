// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/nn/weights.hpp>

#include "support/backends.hpp"
#include "support/temp_dir.hpp"

#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/io/safetensors.hpp>
#include <funnel/io/safetensors_writer.hpp>
#include <funnel/nn/activations.hpp>
#include <funnel/nn/batch_norm.hpp>
#include <funnel/nn/dense.hpp>
#include <funnel/nn/dropout.hpp>
#include <funnel/nn/layer_norm.hpp>
#include <funnel/nn/tower.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <string>
#include <vector>

using funnel::CorruptData;
using funnel::InvalidArgument;
using funnel::Matrix;
using funnel::MatrixView;
using funnel::io::Safetensors;
using funnel::io::SafetensorsWriter;
using funnel::io::Tensor;
using namespace funnel::nn;
using namespace funnel::testing;

namespace {

// What make_weights.py trained with PyTorch.
using Trained = Tower<Dense<5, 6>, ReLU, BatchNorm<6>, Dropout<6>, Dense<6, 3>>;

Safetensors fixture(const std::string& name) {
    return Safetensors::read(std::filesystem::path(__FILE__).parent_path() / "data" / (name + ".safetensors"));
}

// The largest difference from the outputs of PyTorch, which computed them in double.
template <class Backend>
double error_of_outputs(const Trained& tower) {
    const Safetensors io = fixture("torch_io");
    const std::vector<float> x = io.numbers<float>("x");
    const std::vector<double> y = io.numbers<double>("y");
    const Matrix<float> found = tower.infer<Backend>(MatrixView<const float>(x, 4, 5));
    double error = 0.0;
    for (std::size_t i = 0; i < y.size(); ++i) {
        error = std::max(error, std::abs(static_cast<double>(found(i / 3, i % 3)) - y[i]));
    }
    return error;
}

// The error of loading a copy of the file of PyTorch; edit changes a tensor, or says by false that it is left out.
std::string error_after(const std::function<bool(Tensor&, std::vector<std::byte>&)>& edit,
                        const char* extra = nullptr) {
    SafetensorsWriter out;
    const Safetensors file = fixture("torch");
    for (Tensor tensor : file.tensors()) {
        std::vector<std::byte> bytes(tensor.bytes.begin(), tensor.bytes.end());
        if (edit(tensor, bytes)) {
            out.add(tensor.name, tensor.type, tensor.shape, bytes);
        }
    }
    if (extra != nullptr) {
        out.add<float>(extra, {1, 2}, std::vector<float>(2));
    }
    const TempDir dir;
    const std::string path = dir / "model";
    out.save(path);
    Trained tower(3);
    const std::vector<float> before(tower.parameters().begin(), tower.parameters().end());
    try {
        load_weights(tower, Safetensors::read(path));
    } catch (const CorruptData& error) {
        CHECK(std::vector<float>(tower.parameters().begin(), tower.parameters().end()) == before);
        return std::string(error.what()).substr(path.size());
    }
    return "none";
}

bool keep(const Tensor&, const std::vector<std::byte>&) {
    return true;
}

}  // namespace

TEST_CASE_TEMPLATE_DEFINE("load_weights: the outputs are those of PyTorch", Backend, weights_of_torch) {
    Trained tower(7);
    CHECK(error_of_outputs<Backend>(tower) > 0.1);
    load_weights(tower, fixture("torch"));
    CHECK(error_of_outputs<Backend>(tower) < 1e-6);
    load_weights(tower, fixture("torch_f16"));  // 11 bits
    CHECK(error_of_outputs<Backend>(tower) < 4e-3);
    CHECK(error_of_outputs<Backend>(tower) > 1e-6);
    load_weights(tower, fixture("torch_bf16"));  // 8 bits
    CHECK(error_of_outputs<Backend>(tower) < 4e-2);
    CHECK(error_of_outputs<Backend>(tower) > 1e-6);
}
TEST_CASE_TEMPLATE_APPLY(weights_of_torch, HostBackends);

TEST_CASE("save_weights: the tensors of PyTorch's file, but for num_batches_tracked") {
    Trained tower;
    load_weights(tower, fixture("torch"));
    const TempDir dir;
    save_weights(tower, dir / "a");
    const Safetensors expected = fixture("torch");
    const Safetensors found = Safetensors::read(dir / "a");
    CHECK(found.tensors().size() + 1 == expected.tensors().size());
    for (const Tensor& tensor : found.tensors()) {
        CHECK(expected.numbers<float>(tensor.name) == found.numbers<float>(tensor.name));
        CHECK(expected.find(tensor.name)->shape == tensor.shape);
    }
    Trained again(9);
    load_weights(again, found);
    CHECK(again.infer(Matrix<float>(1, 5))(0, 0) == tower.infer(Matrix<float>(1, 5))(0, 0));
}

TEST_CASE("load_weights: names of modules, and two towers in one file") {
    using Small = Tower<Dense<2, 3>, LayerNorm<3>, Tanh>;
    const TempDir dir;
    const Small tower(4);
    const WeightNames names{.prefix = "user.", .modules = {"input", "norm", ""}};
    save_weights(tower, dir / "a", names);
    const Safetensors file = Safetensors::read(dir / "a");
    std::vector<std::string> found;
    for (const Tensor& tensor : file.tensors()) {
        found.push_back(tensor.name);
    }
    CHECK(found ==
          std::vector<std::string>{"user.input.bias", "user.input.weight", "user.norm.bias", "user.norm.weight"});
    SafetensorsWriter both;
    for (const Tensor& tensor : file.tensors()) {
        both.add<float>(tensor.name, tensor.shape, file.numbers<float>(tensor.name));
    }
    both.add<float>("item.bias", {1}, std::vector<float>{1.0F});
    both.save(dir / "b");
    Small loaded(5);
    load_weights(loaded, Safetensors::read(dir / "b"), names);
    CHECK(std::vector<float>(loaded.parameters().begin(), loaded.parameters().end()) ==
          std::vector<float>(tower.parameters().begin(), tower.parameters().end()));
    CHECK_THROWS_WITH_AS(load_weights(loaded, file, {.modules = {"a"}}),
                         "WeightNames: number of modules must be 3, got 1", InvalidArgument);
    CHECK_THROWS_AS(save_weights(tower, dir / "c", {.modules = {"a"}}), InvalidArgument);
    CHECK_THROWS_AS(save_weights(tower, dir / "c", {.modules = {"a", "a", "b"}}), InvalidArgument);
}

TEST_CASE("load_weights: errors name the tensor, its shape and the expected one") {
    CHECK(error_after(keep) == "none");
    const auto lacks = [](const Tensor& tensor, const std::vector<std::byte>&) {
        return tensor.name != "2.running_var";
    };
    CHECK(error_after(lacks) == ": tensor \"2.running_var\": expected shape [6], found no such tensor");
    const auto transposed = [](Tensor& tensor, const std::vector<std::byte>&) {
        if (tensor.name == "0.weight") {
            tensor.shape = {5, 6};
        }
        return true;
    };
    CHECK(error_after(transposed) == ": tensor \"0.weight\": expected shape [6, 5], found [5, 6]");
    CHECK(error_after(keep, "5.weight") == ": tensor \"5.weight\" of shape [1, 2]: expected no such tensor");
    CHECK(error_after(keep, "0.num_batches_tracked") ==
          ": tensor \"0.num_batches_tracked\" of shape [1, 2]: expected no such tensor");
    const auto whole = [](Tensor& tensor, const std::vector<std::byte>&) {
        if (tensor.name == "4.bias") {
            tensor.type = funnel::io::TensorType::I32;
        }
        return true;
    };
    CHECK(error_after(whole) == ": tensor \"4.bias\": expected type F32, F64, F16 or BF16, found I32");
    const auto with = [](const char* name, float number) {
        return [=](const Tensor& tensor, std::vector<std::byte>& bytes) {
            if (tensor.name == name) {
                const auto raw = funnel::io::number_bytes(number);
                std::copy(raw.begin(), raw.end(), bytes.begin() + 4);
            }
            return true;
        };
    };
    CHECK(error_after(with("4.bias", std::numeric_limits<float>::quiet_NaN())) ==
          ": tensor \"4.bias\": expected finite numbers that a float can hold, found another one at 1");
    CHECK(error_after(with("2.running_var", -1.0F)) == ": running_var: expected variances >= 0, found a negative one");
    const auto huge = [](Tensor& tensor, std::vector<std::byte>& bytes) {
        if (tensor.name == "4.bias") {
            tensor.type = funnel::io::TensorType::F64;
            bytes.assign(24, std::byte{0x40});
            bytes[7] = std::byte{0x7e};
        }
        return true;
    };
    CHECK(error_after(huge).find("finite numbers that a float can hold, found another one at 0") != std::string::npos);
}
