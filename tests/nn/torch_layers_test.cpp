// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Every layer that PyTorch has loads its weights by name, and gives its outputs. tests/nn/data/make_weights.py wrote both.
#include "nn/all_layers.hpp"
#include "support/backends.hpp"

#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/io/safetensors.hpp>
#include <funnel/nn/activations.hpp>
#include <funnel/nn/batch_norm.hpp>
#include <funnel/nn/dense.hpp>
#include <funnel/nn/dropout.hpp>
#include <funnel/nn/gru.hpp>
#include <funnel/nn/l2_normalize.hpp>
#include <funnel/nn/layer_norm.hpp>
#include <funnel/nn/masked_softmax.hpp>
#include <funnel/nn/prelu.hpp>
#include <funnel/nn/residual.hpp>
#include <funnel/nn/sequential.hpp>
#include <funnel/nn/target_attention.hpp>
#include <funnel/nn/tower.hpp>
#include <funnel/nn/weights.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

using funnel::Matrix;
using funnel::MatrixView;
using funnel::io::Safetensors;
using namespace funnel::nn;
using namespace funnel::testing;

namespace {

Safetensors fixture() {
    return Safetensors::read(std::filesystem::path(__FILE__).parent_path() / "data/torch_layers.safetensors");
}

/// Calls visit.template operator()<L>() for each layer that PyTorch has, with the sizes of the fixture.
template <class Visit>
void each_layer_of_torch(const Visit& visit) {
    visit.template operator()<Dense<6, 4>>();
    visit.template operator()<ReLU::bind<6>>();
    visit.template operator()<LeakyReLU::bind<6>>();
    visit.template operator()<Sigmoid::bind<6>>();
    visit.template operator()<Tanh::bind<6>>();
    visit.template operator()<Softplus::bind<6>>();
    visit.template operator()<SiLU::bind<6>>();
    visit.template operator()<GELU::bind<6>>();
    visit.template operator()<GELUTanh::bind<6>>();
    visit.template operator()<PReLU<6, 6>>();
    visit.template operator()<BatchNorm<6>>();
    visit.template operator()<LayerNorm<6>>();
    visit.template operator()<Dropout<6>>();
    visit.template operator()<L2Normalize<6>>();
    visit.template operator()<MaskedSoftmax<6>>();
    visit.template operator()<GRU<3, 4, 3>>();
    visit.template operator()<TargetAttention<4, 2, 3>>();
    visit.template operator()<Residual<Sequential<Dense<6, 8>, GELU, Dense<8, 6>>>>();
    visit.template operator()<Sequential<Dense<6, 8>, ReLU, LayerNorm<8>, Dense<8, 3>>>();
}

}  // namespace

TEST_CASE_TEMPLATE_DEFINE("layers of PyTorch: weights load by name, and outputs agree to 1e-6", Backend,
                          layers_of_torch) {
    const Safetensors file = fixture();
    each_layer_of_torch([&]<class L>() {
        const std::string name = L::name;
        CAPTURE(name);
        Tower<L> tower(7);
        load_weights(tower, file, {.prefix = name + "."});
        const std::vector<float> x = file.numbers<float>("x." + name);
        const std::vector<double> y = file.numbers<double>("y." + name);
        const std::size_t rows = y.size() / L::out;
        REQUIRE(rows >= 4);
        REQUIRE(x.size() == rows * L::in);
        const Matrix<float> found = tower.template infer<Backend>(MatrixView<const float>(x, rows, L::in));
        double error = 0.0;
        for (std::size_t i = 0; i < y.size(); ++i) {
            const double difference = std::abs(static_cast<double>(found(i / L::out, i % L::out)) - y[i]);
            error = std::max(error, difference / (1.0 + std::abs(y[i])));
        }
        CHECK(error < 1e-6);
    });
}
TEST_CASE_TEMPLATE_APPLY(layers_of_torch, HostBackends);

TEST_CASE("layers of PyTorch: none is left out") {
    const std::set<std::string> not_of_torch{"Dice",         "FMInteraction", "DotInteraction", "CrossNetwork",
                                             "PairFeatures", "Columns",       "AddUp",          "GatedExperts",
                                             "Parallel",     "Blocks"};
    std::set<std::string> compared = not_of_torch;
    each_layer_of_torch([&]<class L>() { CHECK(compared.insert(L::name).second); });
    std::set<std::string> all;
    each_layer([&]<class L>(const auto&) { all.insert(L::name); });
    CHECK(compared == all);
}
