// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// funnel's side of bench/peers/neural.py.

#include "support/bench.hpp"
#include "support/side.hpp"

#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/io/npy.hpp>
#include <funnel/kernels/half_floats.hpp>
#include <funnel/nn/activations.hpp>
#include <funnel/nn/dense.hpp>
#include <funnel/nn/freeze.hpp>
#include <funnel/nn/l2_normalize.hpp>

#include <algorithm>
#include <cstddef>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

using namespace funnel;
using bench::Side;
using kernels::BFloat16;
using nn::Dense;
using nn::ReLU;

namespace {

/// A network of one of the types that this program knows, with the numbers of a file.
class Network {
public:
    virtual ~Network() = default;
    virtual void infer(MatrixView<const float> x, MatrixView<float> y) = 0;
    [[nodiscard]] virtual std::size_t out() const = 0;
};

template <class Frozen>
class NetworkOf final : public Network {
public:
    explicit NetworkOf(std::span<const float> parameters) : frozen_(parameters, {}) {}

    void infer(MatrixView<const float> x, MatrixView<float> y) override {
        memory_.resize(std::max(memory_.size(), Frozen::scratch(x.rows())));
        frozen_.infer(x, memory_, y);
    }
    [[nodiscard]] std::size_t out() const override { return Frozen::out; }

private:
    Frozen frozen_;
    std::vector<float> memory_;
};

template <class Frozen>
std::unique_ptr<Network> make(std::span<const float> parameters) {
    return std::make_unique<NetworkOf<Frozen>>(parameters);
}

template <class Storage>
using ItemTower = nn::Frozen<Storage, Dense<136, 256>, ReLU, Dense<256, 64>, nn::L2Normalize<64>>;

using Maker = std::unique_ptr<Network> (*)(std::span<const float>);
const std::map<std::string, Maker> makers = {{"tower", &make<ItemTower<float>>},
                                             {"tower, bf16", &make<ItemTower<BFloat16>>}};

// ---- Inference: load a network, then infer rows and write the outputs ----------------------------------------------

void add_inference(Side& side) {
    struct State {
        std::unique_ptr<Network> network;
        Matrix<float> x;
        Matrix<float> y;
    };
    const auto state = std::make_shared<State>();
    side.on("network", [state](const Side::Arguments& arguments) -> Side::Answer {
        const Matrix<float> parameters = io::read_npy<float>(arguments.text("parameters"));
        require(parameters.rows() == 1, "parameters must be an array of one row");
        state->network = makers.at(arguments.text("type"))(parameters.row(0));
        return {};
    });
    side.on("rows", [state](const Side::Arguments& arguments) -> Side::Answer {
        state->x = io::read_npy<float>(arguments.text("path"));
        state->y = Matrix<float>(state->x.rows(), state->network->out());
        return {};
    });
    side.on("infer", [state](const Side::Arguments& arguments) {
        const std::size_t times = arguments.number("times");
        Side::Answer time = Side::timed([&] {
            for (std::size_t i = 0; i < times; ++i) {
                state->network->infer(state->x, state->y);
                bench::keep(state->y);
            }
        });
        for (auto& [clock, seconds] : time) {
            seconds /= static_cast<double>(times);
        }
        return time;
    });
    side.on("write", [state](const Side::Arguments& arguments) -> Side::Answer {
        io::write_npy(arguments.text("path"), state->y);
        return {};
    });
}

}  // namespace

int main() {
    Side side;
    add_inference(side);
    return side.serve();
}
