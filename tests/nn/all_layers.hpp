// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "nn/gradient_check.hpp"

#include <funnel/nn/activation_unit.hpp>
#include <funnel/nn/activations.hpp>
#include <funnel/nn/batch_norm.hpp>
#include <funnel/nn/columns.hpp>
#include <funnel/nn/cross_network.hpp>
#include <funnel/nn/dense.hpp>
#include <funnel/nn/dice.hpp>
#include <funnel/nn/dot_interaction.hpp>
#include <funnel/nn/dropout.hpp>
#include <funnel/nn/fm_interaction.hpp>
#include <funnel/nn/gated_experts.hpp>
#include <funnel/nn/gru.hpp>
#include <funnel/nn/l2_normalize.hpp>
#include <funnel/nn/layer_norm.hpp>
#include <funnel/nn/masked_softmax.hpp>
#include <funnel/nn/parallel_layers.hpp>
#include <funnel/nn/prelu.hpp>
#include <funnel/nn/residual.hpp>
#include <funnel/nn/sequential.hpp>
#include <funnel/nn/target_attention.hpp>

#include <cstddef>

namespace funnel::testing {

/// Sets the mask of MaskedSoftmax<Width>: every third number is left out.
template <std::size_t Width>
inline constexpr auto mask = [](auto& run) {
    for (std::size_t i = 0; i < run.rows; ++i) {
        for (std::size_t j = 0; j < Width; ++j) {
            run.x[(2 * i + 1) * Width + j] = (i + j) % 3 == 0 ? 0.0 : 1.0;
        }
    }
};

/// Calls visit.template operator()<L>(prepare) for each kind of layer; prepare changes a random LayerRun<L> so that
/// central differences exist. tests/nn/gradient_table_test.cpp fails if a layer of include/funnel/nn is not here.
template <class Visit>
void each_layer(const Visit& visit) {
    using namespace nn;
    visit.template operator()<Dense<5, 7>>(unchanged);
    visit.template operator()<ReLU::bind<6>>(unchanged);
    visit.template operator()<LeakyReLU::bind<6>>(unchanged);
    visit.template operator()<Sigmoid::bind<6>>(unchanged);
    visit.template operator()<Tanh::bind<6>>(unchanged);
    visit.template operator()<Softplus::bind<6>>(unchanged);
    visit.template operator()<SiLU::bind<6>>(unchanged);
    visit.template operator()<GELU::bind<6>>(unchanged);
    visit.template operator()<GELUTanh::bind<6>>(unchanged);
    visit.template operator()<PReLU<6, 6>>(unchanged);
    visit.template operator()<Dice<6>>(unchanged);
    visit.template operator()<BatchNorm<6>>(unchanged);
    visit.template operator()<LayerNorm<6>>(unchanged);
    visit.template operator()<Dropout<6>>(unchanged);
    visit.template operator()<L2Normalize<6>>(unchanged);
    visit.template operator()<MaskedSoftmax<6>>(mask<6>);
    visit.template operator()<FMInteraction<3, 2>>(unchanged);
    visit.template operator()<DotInteraction<3, 2>>(unchanged);
    visit.template operator()<CrossNetwork<5, 3>>(unchanged);
    visit.template operator()<PairFeatures<3>>(unchanged);
    visit.template operator()<Columns<6, 1, 3>>(unchanged);
    visit.template operator()<AddUp<2, 3>>(unchanged);
    visit.template operator()<GatedExperts<2, 2, 1, 2>>(unchanged);
    visit.template operator()<TargetAttention<4, 2, 3>>(lengths<3>);
    visit.template operator()<GRU<3, 4, 3>>(lengths<3>);
    visit.template operator()<Sequential<Dense<5, 4>, Tanh, BatchNorm<4>, Dense<4, 3>>>(unchanged);
    visit.template operator()<Parallel<Dense<5, 4>, Sequential<Dense<5, 3>, Dice<3>>, CrossNetwork<5, 2>>>(unchanged);
    visit.template operator()<Blocks<Dense<2, 3>, BatchNorm<3>, Parallel<Dense<2, 1>, Dense<2, 2>>>>(unchanged);
    visit.template operator()<Residual<Sequential<Dense<5, 3>, Sigmoid, BatchNorm<3>, Dense<3, 5>>>>(unchanged);
}

}  // namespace funnel::testing
