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
#include <funnel/embedding/two_tower_trainer.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/dot.hpp>
#include <funnel/kernels/gemv.hpp>
#include <funnel/nn/activations.hpp>
#include <funnel/nn/dense.hpp>
#include <funnel/nn/embedding_bag.hpp>
#include <funnel/nn/l2_normalize.hpp>
#include <funnel/nn/layer.hpp>
#include <funnel/nn/sequential.hpp>

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

    /// The vectors of the present weights of a trainer.
    template <Executor E = Serial>
    TwoTowerScorer(const Trainer& trainer, const Options& options, E&& executor = E{})
        : user_(trainer.weights().user),
          item_(trainer.weights().item),
          histories_(trainer.weights().histories),
          history_(options.history),
          users_(trainer.sequences().users(), dimension),
          items_(histories_.rows(), dimension) {
        std::vector<std::uint8_t> is_known(items());
        for (const std::uint32_t item : trainer.sequences().items()) {
            is_known[item] = 1;
        }
        executor.for_range(items(), row_grain, [&](std::size_t begin, std::size_t end, std::size_t) {
            Matrix<float> rows(end - begin, ItemNetwork::in);
            for (std::size_t i = begin; i < end; ++i) {
                // Nothing has trained the id of an item that nobody took: only its features describe it.
                if (is_known[i] != 0) {
                    const std::span<const float> id = trainer.weights().ids.row(i);
                    std::copy(id.begin(), id.end(), rows.row(i - begin).begin());
                }
                copy_features(options.item_features, i, rows.row(i - begin));
            }
            copy_rows(item_.template infer<Backend>(rows), items_, begin);
            for (std::size_t i = begin; i < end && Weights::item_features == 0; ++i) {
                if (is_known[i] == 0) {
                    std::fill(items_.row(i).begin(), items_.row(i).end(), 0.0F);  // nothing is known about it
                }
            }
        });
        executor.for_range(users_.rows(), row_grain, [&](std::size_t begin, std::size_t end, std::size_t) {
            Matrix<float> rows(end - begin, UserNetwork::in);
            for (std::size_t i = begin; i < end; ++i) {
                detail::pool_last<Backend>(histories_, history_, trainer.sequences().of(i), rows.row(i - begin));
                copy_features(options.user_features, i, rows.row(i - begin));
            }
            copy_rows(user_.template infer<Backend>(rows), users_, begin);
        });
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

    /// The vector of a user with this history, oldest item first, and these features.
    ///
    /// Cost      one pass of the user network
    /// Errors    InvalidArgument if an item is unknown, or there are too few or too many features
    [[nodiscard]] std::vector<float> user_vector(std::span<const std::uint32_t> history,
                                                 std::span<const float> features = {}) const {
        for (const std::uint32_t item : history) {
            require_below(item, histories_.rows(), "TwoTower::user_vector: item of the history");
        }
        nn::detail::require_size(features.size(), Weights::user_features, "TwoTower::user_vector",
                                 "number of features");
        const std::vector<float> vector = pass(history, features);
        require(math::all_finite(vector), "TwoTower::user_vector: the network must give finite numbers");
        return vector;
    }

    /// The vector of an item that is not in the catalogue, from its features alone. Train with id_dropout > 0 for this.
    ///
    /// Cost      one pass of the item network
    /// Errors    InvalidArgument if there are too few or too many features
    [[nodiscard]] std::vector<float> item_vector(std::span<const float> features) const {
        nn::detail::require_size(features.size(), Weights::item_features, "TwoTower::item_vector",
                                 "number of features");
        Matrix<float> row(1, ItemNetwork::in);
        std::copy(features.begin(), features.end(), row.row(0).begin() + Width);
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
        file.array("user_parameters", user_.parameters());
        file.array("user_statistics", user_.statistics());
        file.array("item_parameters", item_.parameters());
        file.array("item_statistics", item_.statistics());
        file.matrix("history_embeddings", histories_.view());
        file.matrix("user_factors", users_.view());
        file.matrix("item_factors", items_.view());
    }

    template <class Reader>
    static TwoTowerScorer read(const Reader& file, const cf::Histories& histories) {
        TwoTowerScorer scorer;
        scorer.history_ = file.template value<std::uint64_t>("history");
        file.check(scorer.history_ > 0, "history", "must be at least 1");
        scorer.user_.read_numbers(file, "user_parameters", "user_statistics");
        scorer.item_.read_numbers(file, "item_parameters", "item_statistics");
        const auto rows = [&](const char* name, std::size_t count, std::size_t width) {
            Matrix<float> matrix = file.template matrix<float>(name, count, width);
            for (std::size_t i = 0; i < matrix.rows(); ++i) {
                file.check(math::all_finite(matrix.row(i)), name, "must be finite");
                // So is then the inner product of two rows.
                const float square = kernels::dot<Backend>(matrix.row(i), matrix.row(i));
                file.check(math::is_finite(square), name, "must have rows of finite length");
            }
            return matrix;
        };
        scorer.histories_ = rows("history_embeddings", histories.items(), Width);
        scorer.users_ = rows("user_factors", histories.users(), dimension);
        scorer.items_ = rows("item_factors", histories.items(), dimension);
        if (scorer.items() > 0) {
            scorer.nobody_ = scorer.pass({}, std::vector<float>(Weights::user_features));
            file.check(math::all_finite(scorer.nobody_), "user_parameters", "must give finite vectors");
        }
        return scorer;
    }

private:
    static constexpr std::size_t row_grain = 256;

    TwoTowerScorer() = default;

    // One pass of the user network.
    [[nodiscard]] std::vector<float> pass(std::span<const std::uint32_t> history,
                                          std::span<const float> features) const {
        Matrix<float> row(1, UserNetwork::in);
        detail::pool_last<Backend>(histories_, history_, history, row.row(0));
        std::copy(features.begin(), features.end(), row.row(0).begin() + Width);
        return vector_of(user_.template infer<Backend>(row));
    }

    static void copy_features(MatrixView<const float> features, std::size_t i, std::span<float> row) {
        if (features.cols() > 0) {
            std::copy(features.row(i).begin(), features.row(i).end(), row.begin() + Width);
        }
    }

    static void copy_rows(const Matrix<float>& rows, Matrix<float>& into, std::size_t first) {
        for (std::size_t i = 0; i < rows.rows(); ++i) {
            std::copy(rows.row(i).begin(), rows.row(i).end(), into.row(first + i).begin());
        }
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
///     auto items = index.search(model.user_vector(history), {.k = 100});
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
