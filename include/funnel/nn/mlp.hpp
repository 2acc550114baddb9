// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/nn/activations.hpp>
#include <funnel/nn/dense.hpp>
#include <funnel/nn/sequential.hpp>

#include <cstddef>
#include <tuple>
#include <type_traits>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn {

namespace detail {

template <class Activation, bool IsLastActive, class Done, std::size_t... Sizes>
struct DenseLayers;
template <class Activation, bool IsLastActive, class... Done, std::size_t In, std::size_t Out>
struct DenseLayers<Activation, IsLastActive, std::tuple<Done...>, In, Out> {
    using type = std::conditional_t<IsLastActive, Sequential<Done..., Dense<In, Out>, Activation>,
                                    Sequential<Done..., Dense<In, Out>>>;
};
template <class Activation, bool IsLastActive, class... Done, std::size_t In, std::size_t Out, std::size_t... Rest>
    requires(sizeof...(Rest) > 0)
struct DenseLayers<Activation, IsLastActive, std::tuple<Done...>, In, Out, Rest...> {
    using type = typename DenseLayers<Activation, IsLastActive, std::tuple<Done..., Dense<In, Out>, Activation>, Out,
                                      Rest...>::type;
};

}  // namespace detail

/// Dense layers with ReLU between them: MLP<136, 64, 32, 1> is Dense<136, 64>, ReLU, Dense<64, 32>, ReLU, Dense<32, 1>.
template <std::size_t In, std::size_t... Sizes>
    requires(sizeof...(Sizes) > 0)
using MLP = typename detail::DenseLayers<ReLU, false, std::tuple<>, In, Sizes...>::type;

/// The same with a ReLU after the last layer too: the hidden part of a larger network.
template <std::size_t In, std::size_t... Sizes>
    requires(sizeof...(Sizes) > 0)
using HiddenLayers = typename detail::DenseLayers<ReLU, true, std::tuple<>, In, Sizes...>::type;

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel
