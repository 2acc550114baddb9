// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A network that was trained with PyTorch: load its weights by name, serve it, and see what a wrong file says. In Python:
//
//     model = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1))
//     safetensors.torch.save_file(model.state_dict(), "model.safetensors")
//
// The example writes such a file itself.
//
//     g++ -std=c++20 -O2 -I include examples/20_load_pytorch_weights.cpp -o /tmp/example
//     /tmp/example
#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/io/safetensors.hpp>
#include <funnel/io/safetensors_writer.hpp>
#include <funnel/nn/activations.hpp>
#include <funnel/nn/dense.hpp>
#include <funnel/nn/tower.hpp>
#include <funnel/nn/weights.hpp>

#include <cstddef>
#include <cstdio>
#include <string>
#include <vector>

#include <stdlib.h>
#include <unistd.h>

namespace {

// The weights of "one of the two, not both": relu(a + b) - 2 relu(a + b - 1).
void write_file_of_pytorch(const std::string& path) {
    funnel::io::SafetensorsWriter file;
    file.add<float>("0.weight", {2, 2}, std::vector<float>{1, 1, 1, 1});
    file.add<float>("0.bias", {2}, std::vector<float>{0, -1});
    file.add<float>("2.weight", {1, 2}, std::vector<float>{1, -2});
    file.add<float>("2.bias", {1}, std::vector<float>{0});
    file.save(path);
}

}  // namespace

int main() {
    using namespace funnel;

    std::string path = "/tmp/funnel_example_XXXXXX";
    const int descriptor = ::mkstemp(path.data());
    if (descriptor < 0) {
        std::perror("mkstemp");
        return 1;
    }
    ::close(descriptor);
    write_file_of_pytorch(path);

    // The same layers as types. Their positions are the names in the file: "0.weight", "2.bias".
    nn::Tower<nn::Dense<2, 2>, nn::ReLU, nn::Dense<2, 1>> tower;
    nn::load_weights(tower, io::Safetensors::read(path));

    Matrix<float> rows(4, 2);
    for (std::size_t i = 0; i < 4; ++i) {
        rows(i, 0) = static_cast<float>(i / 2);
        rows(i, 1) = static_cast<float>(i % 2);
    }
    const Matrix<float> y = tower.infer(rows);
    bool is_right = true;
    for (std::size_t i = 0; i < 4; ++i) {
        std::printf("%.0f %.0f -> %.0f\n", static_cast<double>(rows(i, 0)), static_cast<double>(rows(i, 1)),
                    static_cast<double>(y(i, 0)));
        is_right = is_right && (y(i, 0) == 1.0F) == (rows(i, 0) != rows(i, 1));
    }

    // A tower of other sizes names the tensor and both shapes.
    nn::Tower<nn::Dense<2, 3>, nn::ReLU, nn::Dense<3, 1>> other;
    try {
        nn::load_weights(other, io::Safetensors::read(path));
        is_right = false;
    } catch (const CorruptData& error) {
        std::printf("%s\n", error.what());
    }
    ::unlink(path.c_str());
    return is_right ? 0 : 1;
}
