// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/model_target.hpp"

#include <funnel/embedding/two_tower.hpp>
#include <funnel/nn/dense.hpp>
#include <funnel/nn/l2_normalize.hpp>
#include <funnel/nn/sequential.hpp>

namespace funnel::fuzz::two_tower_target {
namespace {

using Network = nn::Sequential<nn::Dense<4, 3>, nn::L2Normalize<3>>;
using Model = embedding::BasicTwoTower<Network, Network, 4>;

const Registered two_tower({
    .name = "two_tower",
    .run = load_and_recommend<Model>,
    .seeds = [] { return model_seeds<Model>({.epochs = 1}); },
    .is_container = true,
});

}  // namespace
}  // namespace funnel::fuzz::two_tower_target
