// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/cf/histories.hpp>
#include <funnel/cf/model.hpp>
#include <funnel/cf/scorer.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/sparse.hpp>
#include <funnel/data/interaction_log.hpp>
#include <funnel/embedding/sequences.hpp>
#include <funnel/embedding/two_tower_options.hpp>
#include <funnel/embedding/two_tower_sides.hpp>
#include <funnel/embedding/two_tower_trainer.hpp>
#include <funnel/embedding/two_tower_weights.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/dot.hpp>
#include <funnel/kernels/gemv.hpp>
#include <funnel/nn/activations.hpp>
#include <funnel/nn/dense.hpp>
#include <funnel/nn/l2_normalize.hpp>
#include <funnel/nn/layer.hpp>
#include <funnel/nn/sequential.hpp>
#include <funnel/nn/tower.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace embedding {

/// The learned part of TwoTower: a vector per user and per item, the networks and the embeddings that made them.
template <nn::Layer UserNetwork, nn::Layer ItemNetwork, std::size_t Width,
          kernels::HostBackend Backend = kernels::DefaultBackend>
class TwoTowerScorer {
    using Weights = TwoTowerWeights<UserNetwork, ItemNetwork, Width>;

public:
    using Options = TwoTowerOptions;
    using Trainer = TwoTowerTrainer<UserNetwork, ItemNetwork, Width, Backend>;
    static constexpr std::string_view kind = "embedding.TwoTower";
    static constexpr bool needs_history = Weights::user_features == 0;
    static constexpr bool reads_histories_in_order = true;
    static constexpr std::size_t dimension = UserNetwork::out;
    static constexpr std::size_t width = Width;  ///< of the embeddings

    /// The vectors of the present weights of a trainer.
    template <Executor E = Serial>
    TwoTowerScorer(const Trainer& trainer, const Options& options, E&& executor = E{})
        : user_(trainer.weights().user),
          item_(trainer.weights().item),
          histories_(trainer.weights().histories),
          user_words_(trainer.weights().user_words),
          item_words_(trainer.weights().item_words),
          history_(options.history),
          users_(detail::user_vectors<Backend>(trainer.weights(), trainer.sequences(), options, executor)),
          items_(detail::item_vectors<Backend>(trainer.weights(), trainer.sequences(), options, executor)) {
        nobody_ = fold_in_factors({});
    }

    [[nodiscard]] std::size_t items() const noexcept { return items_.rows(); }
    /// One row per training user: the vector of the user's last items.
    [[nodiscard]] MatrixView<const float> user_factors() const& noexcept FUNNEL_LIFETIMEBOUND { return users_.view(); }
    /// One row per item. With these rows in an index, search(user vector) finds the items for a user: HNSW<Cosine> if
    /// the networks end with L2Normalize, else HNSW<InnerProduct>.
    [[nodiscard]] MatrixView<const float> item_factors() const& noexcept FUNNEL_LIFETIMEBOUND { return items_.view(); }
    void user_factors() const&& = delete;
    void item_factors() const&& = delete;

    /// The networks and what users are described with, for a service of your own, for example with nn::freeze.
    [[nodiscard]] const nn::Tower<UserNetwork>& user_tower() const noexcept FUNNEL_LIFETIMEBOUND { return user_; }
    [[nodiscard]] const nn::Tower<ItemNetwork>& item_tower() const noexcept FUNNEL_LIFETIMEBOUND { return item_; }
    [[nodiscard]] MatrixView<const float> history_embeddings() const noexcept FUNNEL_LIFETIMEBOUND {
        return histories_.view();
    }
    /// How many of the last items of a user describe the user.
    [[nodiscard]] std::uint64_t history_length() const noexcept { return history_; }

    /// The vector of a user with this history, oldest item first, these features, and a text of these words.
    ///
    /// Shapes    words: ids below options.user_text.rows
    /// Cost      one pass of the user network
    /// Errors    InvalidArgument if an item or a word is unknown, or there are too few or too many features
    [[nodiscard]] std::vector<float> user_vector(std::span<const std::uint32_t> history,
                                                 std::span<const float> features = {},
                                                 std::span<const std::uint32_t> words = {}) const {
        for (const std::uint32_t item : history) {
            require_below(item, histories_.rows(), "TwoTower::user_vector: item of the history");
        }
        for (const std::uint32_t word : words) {
            require_below(word, user_words_.rows(), "TwoTower::user_vector: word");
        }
        nn::detail::require_size(features.size(), Weights::user_features, "TwoTower::user_vector",
                                 "number of features");
        const std::vector<float> vector = pass(history, features, words);
        require(math::all_finite(vector), "TwoTower::user_vector: the network must give finite numbers");
        return vector;
    }

    /// The vector of an item that is not in the catalogue, from its features and its words alone. Train with
    /// id_dropout > 0 for this.
    ///
    /// Shapes    words: ids below options.item_text.rows
    /// Cost      one pass of the item network
    /// Errors    InvalidArgument if a word is unknown, or there are too few or too many features
    [[nodiscard]] std::vector<float> item_vector(std::span<const float> features,
                                                 std::span<const std::uint32_t> words = {}) const {
        nn::detail::require_size(features.size(), Weights::item_features, "TwoTower::item_vector",
                                 "number of features");
        for (const std::uint32_t word : words) {
            require_below(word, item_words_.rows(), "TwoTower::item_vector: word");
        }
        Matrix<float> row(1, ItemNetwork::in);
        detail::add_words<Backend>(item_words_, words, {}, row.row(0));
        std::copy_n(features.begin(), Weights::item_features, row.row(0).begin() + Width);
        const std::vector<float> vector = vector_of(item_.template infer<Backend>(row));
        require(math::all_finite(vector), "TwoTower::item_vector: the network must give finite numbers");
        return vector;
    }

    /// For cf::Model: a new user without features, the history in the order of time.
    [[nodiscard]] std::vector<float> fold_in_factors(std::span<const std::uint32_t> history) const {
        if (items() == 0) {
            return std::vector<float>(users_.cols());  // there is nothing to score; a moved-from model has no networks
        }
        return user_vector(history, std::vector<float>(Weights::user_features));
    }

    void score_all(const cf::Profile& profile, std::span<float> scores) const noexcept {
        kernels::gemv<Backend>(items_, vector_of(profile), scores);
    }

    /// For cf::Model: the user has the vector of a user about whom nothing is known.
    void forget_user(std::size_t user) noexcept { std::copy(nobody_.begin(), nobody_.end(), users_.row(user).begin()); }

    // An item that nobody took, without features, has a vector of zeros: its score of 0 is not evidence.
    void keep_known_zeros(const cf::Profile& /*profile*/, std::span<float> scores) const noexcept {
        for (std::size_t item = 0; item < scores.size(); ++item) {
            const std::span<const float> row = items_.row(item);
            const bool is_trained = std::any_of(row.begin(), row.end(), [](float x) { return x != 0.0F; });
            scores[item] = scores[item] == 0.0F && is_trained ? 0.0F : 1.0F;
        }
    }

    [[nodiscard]] float score_one(const cf::Profile& profile, std::uint32_t item) const noexcept {
        float score = 0.0F;
        const std::uint32_t only = item;
        score_some(profile, {&only, 1}, {&score, 1});
        return score;
    }

    void score_some(const cf::Profile& profile, std::span<const std::uint32_t> items,
                    std::span<float> scores) const noexcept {
        for (std::size_t i = 0; i < items.size(); ++i) {
            kernels::gemv<Backend>(items_.view().rows_from(items[i], 1), vector_of(profile), scores.subspan(i, 1));
        }
    }

    template <data::InteractionLog Log, Executor E>
    [[nodiscard]] static TwoTowerScorer learn(const Log& log, const CSRMatrix<float>& /*user_item*/,
                                              const Options& options, E&& executor) {
        Trainer trainer(log, options);
        for (std::size_t epoch = 0; epoch < options.epochs; ++epoch) {
            const double loss = trainer.epoch(executor);
            require(math::is_finite(loss), "TwoTower: training diverged; try a smaller learning_rate");
            report_progress(executor, "TwoTower", epoch + 1, options.epochs);
        }
        return TwoTowerScorer(trainer, options, executor);
    }

    template <class Writer>
    void write(Writer& file) const {
        file.value("history", std::uint64_t{history_});
        user_.write(file, "user");
        item_.write(file, "item");
        file.matrix("history_embeddings", histories_.view());
        file.matrix("user_words", user_words_.view());
        file.matrix("item_words", item_words_.view());
        file.matrix("user_factors", users_.view());
        file.matrix("item_factors", items_.view());
    }

    template <class Reader>
    static TwoTowerScorer read(const Reader& file, const cf::Histories& histories) {
        TwoTowerScorer scorer;
        scorer.history_ = file.template value<std::uint64_t>("history");
        file.check(scorer.history_ > 0, "history", "must be at least 1");
        scorer.user_ = nn::Tower<UserNetwork>::read(file, "user");
        scorer.item_ = nn::Tower<ItemNetwork>::read(file, "item");
        const auto checked = [&](const char* name, Matrix<float> rows) {
            for (std::size_t i = 0; i < rows.rows(); ++i) {
                file.check(math::all_finite(rows.row(i)), name, "must be finite");
                // So is then the inner product of two rows.
                const float square = kernels::dot<Backend>(rows.row(i), rows.row(i));
                file.check(math::is_finite(square), name, "must have rows of finite length");
            }
            return rows;
        };
        const auto matrix = [&](const char* name, std::size_t rows, std::size_t width) {
            return checked(name, file.template matrix<float>(name, rows, width));
        };
        scorer.histories_ = matrix("history_embeddings", histories.items(), Width);
        scorer.user_words_ = checked("user_words", file.template matrix<float>("user_words", {}, Width));
        scorer.item_words_ = checked("item_words", file.template matrix<float>("item_words", {}, Width));
        scorer.users_ = matrix("user_factors", histories.users(), dimension);
        scorer.items_ = matrix("item_factors", histories.items(), dimension);
        if (scorer.items() > 0) {
            scorer.nobody_ = scorer.pass({}, std::vector<float>(Weights::user_features), {});
            file.check(math::all_finite(scorer.nobody_), "user.parameters", "must give finite vectors");
        }
        return scorer;
    }

private:
    TwoTowerScorer() = default;

    // One pass of the user network.
    [[nodiscard]] std::vector<float> pass(std::span<const std::uint32_t> history, std::span<const float> features,
                                          std::span<const std::uint32_t> words) const {
        Matrix<float> row(1, UserNetwork::in);
        detail::pool_last<Backend>(histories_, history_, history, row.row(0));
        detail::add_words<Backend>(user_words_, words, {}, row.row(0));
        std::copy_n(features.begin(), Weights::user_features, row.row(0).begin() + Width);
        return vector_of(user_.template infer<Backend>(row));
    }

    [[nodiscard]] static std::vector<float> vector_of(const Matrix<float>& row) {
        return {row.row(0).begin(), row.row(0).end()};
    }

    // Of a profile; a user who is not known has no factors.
    [[nodiscard]] std::span<const float> vector_of(const cf::Profile& profile) const noexcept {
        return profile.factors.empty() ? std::span<const float>(nobody_) : profile.factors;
    }

    nn::Tower<UserNetwork> user_;
    nn::Tower<ItemNetwork> item_;
    Matrix<float> histories_;
    Matrix<float> user_words_;
    Matrix<float> item_words_;
    std::uint64_t history_ = 1;
    Matrix<float> users_;
    Matrix<float> items_;
    std::vector<float> nobody_;  // the vector of a user about whom nothing is known
};

/// A two-tower model with networks of your own. UserNetwork takes Width numbers (the mean of the embeddings of the
/// user's last items) and the user's features; ItemNetwork takes Width numbers (the embedding of its id) and the item's
/// features. Both give vectors of the same length.
template <nn::Layer UserNetwork, nn::Layer ItemNetwork, std::size_t Width = 64,
          kernels::HostBackend Backend = kernels::DefaultBackend>
using BasicTwoTower = cf::Model<TwoTowerScorer<UserNetwork, ItemNetwork, Width, Backend>>;

/// Two-tower retrieval: a network turns a user's history into a vector, another one turns an item into a vector, and
/// the score is the cosine of both. Item vectors go into an index; at a request, only the user's vector is computed.
///
///     auto model = TwoTower<18>::fit(train, {.item_features = genres});
///     auto index = ann::HNSW<Cosine>::build(model.item_factors());
///     auto items = index.search(model.user_vector(history), {.k = 100, .ef = 200});
///
/// The user's tower is 64 + UserFeatures -> 128 -> 64, the item's tower 64 + ItemFeatures -> 128 -> 64, with ReLU. Both
/// are trained by the in-batch softmax with log Q correction (nn::in_batch_softmax). It is a model like those of cf:
/// recommend, score, fold_in (history oldest first), save and load.
///
/// Cost      fit: per pair O(history + parameters of both towers + batch x 64);  recommend: items x 64
/// Source    Covington et al., "Deep neural networks for YouTube recommendations", RecSys 2016;  Yi et al.,
///           "Sampling-bias-corrected neural modeling for large corpus item recommendations", RecSys 2019
template <std::size_t ItemFeatures = 0, std::size_t UserFeatures = 0>
using TwoTower =
    BasicTwoTower<nn::Sequential<nn::Dense<64 + UserFeatures, 128>, nn::ReLU, nn::Dense<128, 64>, nn::L2Normalize<64>>,
                  nn::Sequential<nn::Dense<64 + ItemFeatures, 128>, nn::ReLU, nn::Dense<128, 64>, nn::L2Normalize<64>>>;

}  // namespace embedding
}  // namespace FUNNEL_ABI
}  // namespace funnel
