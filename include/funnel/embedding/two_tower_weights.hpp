// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/executor.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/embedding/sequences.hpp>
#include <funnel/embedding/two_tower_options.hpp>
#include <funnel/embedding/two_tower_sides.hpp>
#include <funnel/kernels/axpy.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/nn/embedding_bag.hpp>
#include <funnel/nn/layer.hpp>
#include <funnel/nn/tower.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace embedding {

/// The numbers of a two-tower model.
///
///     user vector = UserNetwork([mean of the history embeddings + mean of the word embeddings | user features])
///     item vector = ItemNetwork([id embedding + mean of the word embeddings | item features])
template <nn::Layer UserNetwork, nn::Layer ItemNetwork, std::size_t Width>
struct TwoTowerWeights {
    static_assert(UserNetwork::out == ItemNetwork::out, "TwoTower: both networks must give vectors of the same length");
    static_assert(UserNetwork::in >= Width && ItemNetwork::in >= Width,
                  "TwoTower: the input of a network starts with an embedding of Width numbers");
    static constexpr std::size_t user_features = UserNetwork::in - Width;
    static constexpr std::size_t item_features = ItemNetwork::in - Width;

    nn::Tower<UserNetwork> user;
    nn::Tower<ItemNetwork> item;
    Matrix<float> histories;   // an embedding per item, for the histories of users
    Matrix<float> ids;         // an embedding per item, for the item network
    Matrix<float> user_words;  // an embedding per word of the texts of users
    Matrix<float> item_words;

    TwoTowerWeights(std::size_t items, const TwoTowerOptions& options)
        : user(seed_of(options.seed, "two_tower.user")),
          item(seed_of(options.seed, "two_tower.item")),
          histories(items, Width),
          ids(items, Width),
          user_words(options.user_text.rows, Width),
          item_words(options.item_text.rows, Width) {
        detail::draw(histories, options.init_scale, options.seed, stream("two_tower.histories"));
        detail::draw(ids, options.init_scale, options.seed, stream("two_tower.ids"));
        detail::draw(user_words, options.init_scale, options.seed, stream("two_tower.user_words"));
        detail::draw(item_words, options.init_scale, options.seed, stream("two_tower.item_words"));
    }

private:
    [[nodiscard]] static std::uint64_t seed_of(std::uint64_t seed, std::string_view name) noexcept {
        return stream(name).substream(seed).id;
    }
};

namespace detail {

/// Adds the mean of the embeddings of words to the front of a row.
///
/// Shapes    ids: below the rows of words (not checked);  weights: one per word, or empty
template <kernels::HostBackend Backend>
void add_words(MatrixView<const float> words, std::span<const std::uint32_t> ids, std::span<const float> weights,
               std::span<float> row) {
    if (!ids.empty()) {
        Matrix<float> mean(1, words.cols());
        const std::array<std::size_t, 2> starts{0, ids.size()};
        nn::pool_bags<Backend, float>(words, {.ids = ids, .starts = starts, .weights = weights}, nn::Pooling::Mean,
                                      mean.view());
        kernels::axpy<Backend>(1.0F, mean.row(0), row.first(words.cols()));
    }
}

template <kernels::HostBackend Backend>
void add_words(MatrixView<const float> words, const TextFeatures& text, std::size_t i, std::span<float> row) {
    if (has_words(text, i)) {
        const std::size_t begin = text.bags.starts[i];
        const std::size_t count = text.bags.starts[i + 1] - begin;
        add_words<Backend>(
            words, text.bags.ids.subspan(begin, count),
            text.bags.weights.empty() ? std::span<const float>{} : text.bags.weights.subspan(begin, count), row);
    }
}

inline void add_features(MatrixView<const float> features, std::size_t i, std::size_t width, std::span<float> row) {
    if (features.cols() > 0) {
        std::copy(features.row(i).begin(), features.row(i).end(), row.begin() + static_cast<std::ptrdiff_t>(width));
    }
}

inline constexpr std::size_t vector_grain = 256;

/// The vectors that a tower gives for `count` rows; fill(i, row) writes row i, which is zeros before.
template <kernels::HostBackend Backend, nn::Layer Network, class Fill, Executor E>
[[nodiscard]] Matrix<float> vectors_of(const nn::Tower<Network>& tower, std::size_t count, const Fill& fill,
                                       E& executor) {
    Matrix<float> vectors(count, Network::out);
    executor.for_range(count, vector_grain, [&](std::size_t begin, std::size_t end, std::size_t) {
        Matrix<float> rows(end - begin, Network::in);
        for (std::size_t i = begin; i < end; ++i) {
            fill(i, rows.row(i - begin));
        }
        std::vector<float, funnel::detail::RowAllocator<float>> memory(nn::Tower<Network>::scratch(rows.rows()));
        tower.template infer<Backend>(rows, memory, vectors.view().rows_from(begin, end - begin));
    });
    return vectors;
}

/// A vector per item; zeros for an item about which nothing is known.
template <kernels::HostBackend Backend, nn::Layer UserNetwork, nn::Layer ItemNetwork, std::size_t Width, Executor E>
[[nodiscard]] Matrix<float> item_vectors(const TwoTowerWeights<UserNetwork, ItemNetwork, Width>& weights,
                                         const Sequences& sequences, const TwoTowerOptions& options, E& executor) {
    std::vector<std::uint8_t> is_taken(weights.ids.rows());
    for (const std::uint32_t item : sequences.items()) {
        is_taken[item] = 1;
    }
    Matrix<float> vectors = vectors_of<Backend>(
        weights.item, weights.ids.rows(),
        [&](std::size_t i, std::span<float> row) {
            // Nothing has trained the id of an item that nobody took: only its features and its text describe it.
            if (is_taken[i] != 0) {
                std::copy(weights.ids.row(i).begin(), weights.ids.row(i).end(), row.begin());
            }
            add_words<Backend>(weights.item_words, options.item_text, i, row);
            add_features(options.item_features, i, Width, row);
        },
        executor);
    for (std::size_t i = 0; i < vectors.rows() && ItemNetwork::in == Width; ++i) {
        if (is_taken[i] == 0 && !has_words(options.item_text, i)) {
            std::fill(vectors.row(i).begin(), vectors.row(i).end(), 0.0F);
        }
    }
    return vectors;
}

/// A vector per user, of the last items of each.
template <kernels::HostBackend Backend, nn::Layer UserNetwork, nn::Layer ItemNetwork, std::size_t Width, Executor E>
[[nodiscard]] Matrix<float> user_vectors(const TwoTowerWeights<UserNetwork, ItemNetwork, Width>& weights,
                                         const Sequences& sequences, const TwoTowerOptions& options, E& executor) {
    return vectors_of<Backend>(
        weights.user, sequences.users(),
        [&](std::size_t i, std::span<float> row) {
            pool_last<Backend>(weights.histories, options.history, sequences.of(i), row);
            add_words<Backend>(weights.user_words, options.user_text, i, row);
            add_features(options.user_features, i, Width, row);
        },
        executor);
}

}  // namespace detail

}  // namespace embedding
}  // namespace FUNNEL_ABI
}  // namespace funnel
