// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/embedding/hard_pools.hpp>
#include <funnel/nn/embedding_bag.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace embedding {

/// Which items a user of a batch should rank below the own one. All users of a batch share them.
///
/// With log_q_correction, each score is corrected by the probability of its item in the mixture of all kinds, so that
/// the loss stays an estimate of the softmax over all items. Without it, hard negatives count more.
struct NegativeOptions {
    bool in_batch = true;            ///< the items of the other pairs of the batch
    std::size_t uniform = 0;         ///< per batch: every item is equally likely
    std::size_t popular = 0;         ///< per batch: by popularity^alpha
    double alpha = 0.75;             ///< of `popular`, >= 0
    std::size_t hard = 0;            ///< per batch: from pools of items that the model scores high for its users
    HardPoolOptions hard_pool = {};  ///< how large the pools are
    bool leaves_out_taken = false;   ///< whether an item that a user took at another time is no negative of this user;
                                     ///< of hard negatives, such items are always left out
};

/// Texts in words, for example of features::HashedText: a bag of ids for each item or user.
struct TextFeatures {
    nn::Bags bags{};
    std::size_t rows = 0;  ///< of the table of word embeddings: ids of bags are below it; 0: there are no texts
};

struct TwoTowerOptions {
    std::size_t epochs = 15;       ///< passes over all training pairs
    std::size_t batch = 1024;      ///< pairs per step, at least 1
    std::size_t history = 50;      ///< most recent items of a user that describe the user, at least 1
    float learning_rate = 1e-3F;   ///< of Adam, > 0
    double temperature = 0.07;     ///< > 0; for networks without L2Normalize, 1 is usual
    bool log_q_correction = true;  ///< whether the loss corrects for how likely each negative is
    NegativeOptions negatives = {};
    float id_dropout = 0.0F;   ///< in [0, 1): share of item ids that are hidden in training, so that features and
                               ///< text alone can describe an item; for catalogues with new items
    float init_scale = 0.05F;  ///< standard deviation of the initial embeddings, > 0
    std::uint64_t seed = 1;
    MatrixView<const float> item_features{};  ///< one row per item; as many columns as the item network wants
    MatrixView<const float> user_features{};  ///< one row per user; as many columns as the user network wants
    TextFeatures item_text{};                 ///< one bag per item
    TextFeatures user_text{};                 ///< one bag per user
};

namespace detail {

inline void check(const TwoTowerOptions& options, const std::string& model) {
    require_at_least(options.batch, 1, (model + ": batch").c_str());
    require_at_least(options.history, 1, (model + ": history").c_str());
    require_positive(options.learning_rate, (model + ": learning_rate").c_str());
    require_positive(options.temperature, (model + ": temperature").c_str());
    require_positive(options.init_scale, (model + ": init_scale").c_str());
    require(options.id_dropout >= 0.0F && options.id_dropout < 1.0F,
            (model + ": id_dropout must lie in [0, 1)").c_str());
    const NegativeOptions& negatives = options.negatives;
    require_not_negative(negatives.alpha, (model + ": negatives.alpha").c_str());
    const bool has_mixture = negatives.in_batch || negatives.uniform > 0 || negatives.popular > 0;
    require(has_mixture || negatives.hard > 0, (model + ": negatives must not all be off").c_str());
    require(
        has_mixture || !options.log_q_correction,
        (model + ": negatives.hard alone has no probability of the own items; set log_q_correction to false, or add "
                 "other negatives")
            .c_str());
    if (negatives.hard > 0) {
        require_at_least(negatives.hard_pool.size, 1, (model + ": negatives.hard_pool.size").c_str());
    }
}

/// Checks that there is a row of `columns` finite features for each user or item. what: "TwoTower: item_features".
inline void require_features(MatrixView<const float> features, std::size_t rows, std::size_t columns,
                             const std::string& what) {
    if (features.cols() != columns || (columns > 0 && features.rows() != rows)) {
        raise<InvalidArgument>(what + " must be " + std::to_string(rows) + " x " + std::to_string(columns) + ", got " +
                               std::to_string(features.rows()) + " x " + std::to_string(features.cols()));
    }
    for (std::size_t i = 0; columns > 0 && i < rows; ++i) {
        for (const float& x : features.row(i)) {
            require_finite(x, what.c_str());
        }
    }
}

/// Checks that there is a bag of known words for each user or item, or no text at all. what: "TwoTower: item_text".
inline void require_text(const TextFeatures& text, std::size_t count, const std::string& what) {
    const nn::Bags& bags = text.bags;
    if (text.rows == 0 && bags.ids.empty() && bags.starts.empty()) {
        return;
    }
    require_equal(bags.size(), count, (what + ": number of bags").c_str());
    require(bags.weights.empty() || bags.weights.size() == bags.ids.size(),
            (what + ": there must be one weight per word, or none").c_str());
    require(!bags.starts.empty() && bags.starts.front() == 0 && bags.starts.back() == bags.ids.size() &&
                std::is_sorted(bags.starts.begin(), bags.starts.end()),
            (what + ": starts must ascend from 0 to the number of words").c_str());
    for (const std::uint32_t id : bags.ids) {
        require_below(id, text.rows, (what + ": id of a word").c_str());
    }
    for (const float& weight : bags.weights) {
        require_finite(weight, (what + ": weight of a word").c_str());
    }
}

/// Whether a user or an item has words.
[[nodiscard]] inline bool has_words(const TextFeatures& text, std::size_t i) noexcept {
    return text.rows > 0 && text.bags.starts[i + 1] > text.bags.starts[i];
}

}  // namespace detail

}  // namespace embedding
}  // namespace FUNNEL_ABI
}  // namespace funnel
