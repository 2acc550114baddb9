// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/nn/columns.hpp>
#include <funnel/nn/cross_network.hpp>
#include <funnel/nn/dense.hpp>
#include <funnel/nn/dot_interaction.hpp>
#include <funnel/nn/fm_interaction.hpp>
#include <funnel/nn/layer.hpp>
#include <funnel/nn/mlp.hpp>
#include <funnel/nn/parallel_layers.hpp>
#include <funnel/nn/sequential.hpp>
#include <funnel/ranking/field_ranker.hpp>
#include <funnel/ranking/fields.hpp>

#include <cstddef>
#include <type_traits>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ranking {

namespace detail {

// The layer that takes the dense features out of a row.
template <class Schema, bool HasUser = (Schema::user_dense > 0), bool HasItem = (Schema::item_dense > 0)>
struct DenseFeatures;
template <class Schema>
struct DenseFeatures<Schema, true, false> {
    using type = nn::Columns<Schema::columns, 0, Schema::user_dense>;
};
template <class Schema>
struct DenseFeatures<Schema, false, true> {
    using type = nn::Columns<Schema::columns, Schema::columns - Schema::item_dense, Schema::item_dense>;
};
template <class Schema>
struct DenseFeatures<Schema, true, true> {
    using type = nn::Parallel<nn::Columns<Schema::columns, 0, Schema::user_dense>,
                              nn::Columns<Schema::columns, Schema::columns - Schema::item_dense, Schema::item_dense>>;
};

// Parts with one output each, and a linear part if there are dense features: the sum of all.
template <class Schema, bool HasDense, nn::Layer... Parts>
struct SumOfParts {
    using type = nn::Sequential<nn::Parallel<Parts...>, nn::AddUp<sizeof...(Parts), 1>>;
};
template <class Schema, nn::Layer... Parts>
struct SumOfParts<Schema, true, Parts...> {
    using Linear = nn::Sequential<typename DenseFeatures<Schema>::type, nn::Dense<Schema::dense, 1>>;
    using type = nn::Sequential<nn::Parallel<Parts..., Linear>, nn::AddUp<sizeof...(Parts) + 1, 1>>;
};

template <class Schema, nn::Layer... Parts>
using PartsSum = typename SumOfParts<Schema, (Schema::dense > 0), Parts...>::type;

template <class Schema>
using FieldPairs = nn::Sequential<typename Schema::Embeddings, nn::FMInteraction<Schema::fields, Schema::width>>;

template <class Schema, nn::Layer Bottom, std::size_t... Top>
struct DLRMNetwork {
    static_assert(Bottom::in == Schema::dense && Bottom::out == Schema::width,
                  "DLRM: the bottom network must turn the dense features into a vector of the width of the embeddings");
    using Dots = nn::DotInteraction<Schema::fields + 1, Schema::width>;
    using type = nn::Sequential<
        nn::Parallel<nn::Sequential<typename DenseFeatures<Schema>::type, Bottom>, typename Schema::Embeddings>, Dots,
        nn::MLP<Dots::out, Top..., 1>>;
};

template <class Schema, std::size_t CrossLayers, std::size_t... Hidden>
struct DCNNetwork {
    using Deep = nn::HiddenLayers<Schema::columns, Hidden...>;
    using type = nn::Sequential<nn::Parallel<nn::CrossNetwork<Schema::columns, CrossLayers>, Deep>,
                                nn::Dense<Schema::columns + Deep::out, 1>>;
};

}  // namespace detail

/// Wide & Deep: a linear model remembers what often occurs together, a network generalizes.
///
///     logit = linear(ids, dense) + MLP(row)
///
///     using Features = Fields<2, 3, 16, 0, 5>;  // 2 fields of the user, 3 of the item, 5 dense features of the item
///     auto ranker = WideAndDeep<Features, 64, 32>::fit({.ids = ids, .dense = dense}, labels);
///
/// Source    Cheng et al., "Wide & deep learning for recommender systems", DLRS 2016
template <class Schema, std::size_t... Hidden>
using WideAndDeep = FieldRanker<Schema, detail::PartsSum<Schema, nn::MLP<Schema::columns, Hidden..., 1>>, true>;

/// DeepFM: Wide & Deep plus the inner products of all pairs of embeddings.
///
///     logit = linear(ids, dense) + FM(embeddings) + MLP(row)
///
/// Source    Guo et al., "DeepFM: a factorization-machine based neural network for CTR prediction", IJCAI 2017
template <class Schema, std::size_t... Hidden>
using DeepFM =
    FieldRanker<Schema, detail::PartsSum<Schema, detail::FieldPairs<Schema>, nn::MLP<Schema::columns, Hidden..., 1>>,
                true>;

/// DCN v2, the parallel form: a cross network and a deep one side by side, then a dense layer on both.
///
///     logit = Dense([CrossNetwork(row) | HiddenLayers(row)])
///
/// Source    Wang et al., "DCN V2: improved deep & cross network", WWW 2021
template <class Schema, std::size_t CrossLayers, std::size_t... Hidden>
using DCNv2 = FieldRanker<Schema, typename detail::DCNNetwork<Schema, CrossLayers, Hidden...>::type>;

/// DLRM: a bottom network turns the dense features into a vector; the inner products of all pairs of this vector and
/// the embeddings go, with the vector, through a top network.
///
///     using Features = Fields<2, 3, 16, 0, 5>;
///     using Ranker = DLRM<Features, nn::HiddenLayers<5, 32, 16>, 64, 32>;
///
/// Source    Naumov et al., "Deep learning recommendation model for personalization and recommendation systems", 2019
template <class Schema, nn::Layer Bottom, std::size_t... Top>
using DLRM = FieldRanker<Schema, typename detail::DLRMNetwork<Schema, Bottom, Top...>::type>;

}  // namespace ranking
}  // namespace FUNNEL_ABI
}  // namespace funnel
