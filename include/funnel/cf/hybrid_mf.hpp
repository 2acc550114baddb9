// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/cf/bpr.hpp>
#include <funnel/cf/feature_factors.hpp>
#include <funnel/cf/folded_user.hpp>
#include <funnel/cf/histories.hpp>
#include <funnel/cf/model.hpp>
#include <funnel/cf/sampled_factors.hpp>
#include <funnel/cf/scorer.hpp>
#include <funnel/cf/warp.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/sparse.hpp>
#include <funnel/data/interaction_log.hpp>
#include <funnel/kernels/axpy.hpp>
#include <funnel/kernels/backend.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace cf {

template <class LossOptions>
struct HybridMFOptions {
    CSRMatrix<float> item_features = {};  ///< a row per item of the log, finite; without rows: no features
    CSRMatrix<float> user_features = {};  ///< a row per user of the log, finite; without rows: no features
    LossOptions descent = {};             ///< factors, epochs, learning_rate, regularisation, seed, ... of the loss
    bool item_ids = true;                 ///< false: an item is what its features say, and nothing else
    float feature_steps = 64.0F;          ///< > 0: steps per round that a feature may take; see FeatureFactors
};

/// The learned part of HybridMF: a row of factors per user and item, and one per feature.
template <SampledLoss Loss, kernels::HostBackend Backend = kernels::DefaultBackend>
class HybridMFScorer : public SampledFactorsScorer<Loss, Backend> {
    using Base = SampledFactorsScorer<Loss, Backend>;
    using Base::items_;
    using Base::nobody_;
    using Base::options_;
    using Base::trained_;
    using Base::users_;

public:
    using Options = HybridMFOptions<typename Loss::Options>;
    static constexpr std::string_view kind = "cf.HybridMF";
    static constexpr bool needs_history = false;

    using Base::items;
    /// A row of factors per feature; the last column is 0 for users, and the bias of a feature for items.
    [[nodiscard]] MatrixView<const float> user_feature_factors() const& noexcept FUNNEL_LIFETIMEBOUND {
        return of_user_features_.view();
    }
    [[nodiscard]] MatrixView<const float> item_feature_factors() const& noexcept FUNNEL_LIFETIMEBOUND {
        return of_item_features_.view();
    }
    void user_feature_factors() const&& = delete;
    void item_feature_factors() const&& = delete;

    /// The row of an item that is not in the log, for an index: what its features say.
    ///
    /// Errors    InvalidArgument if a feature is unknown, or a number is not finite
    [[nodiscard]] std::vector<float> item_vector(const SparseRow<float>& features) const {
        return row_of(of_item_features_, features, std::vector<float>(items_.cols()), "HybridMF::item_vector");
    }

    /// The row of a user with this history and these features: starts from what the features say, and goes on by
    /// descent with the item factors fixed, as in BPR. Items that nobody took count if their features say something.
    ///
    /// Shapes    history: item ids, ascending
    /// Errors    InvalidArgument if an item or a feature is unknown, or a number is not finite
    [[nodiscard]] std::vector<float> fold_in_factors(std::span<const std::uint32_t> history,
                                                     const SparseRow<float>& features = {}) const {
        this->require_history(history);
        std::vector<float> row = row_of(of_user_features_, features, nobody_, "HybridMF::fold_in_factors");
        require(this->gives_finite_scores(row), "HybridMF::fold_in_factors: values of features are too large");
        std::vector<std::uint32_t> known;
        std::ranges::copy_if(history, std::back_inserter(known),
                             [&](std::uint32_t item) { return !Base::is_zero(items_.row(item)); });
        if (!known.empty()) {
            this->fold_in_from(row, known, trained_.size() - this->trained_among(known).size());
        }
        return row;
    }

    /// A user who is not in the log, with features and perhaps a history; see fold_in of the model. The returned object
    /// refers to this model.
    ///
    /// Shapes    history: item ids in any order
    /// Errors    InvalidArgument if an item or a feature is unknown, an item occurs twice, or a number is not finite
    [[nodiscard]] auto fold_in_features(const SparseRow<float>& features,
                                        std::span<const std::uint32_t> history = {}) const& FUNNEL_LIFETIMEBOUND {
        const std::vector<std::uint32_t> sorted = checked_history(history, items());
        return FoldedUser<HybridMFScorer>(*this, {.items = sorted}, fold_in_factors(sorted, features));
    }
    void fold_in_features(const SparseRow<float>&, std::span<const std::uint32_t> = {}) const&& = delete;

    template <data::InteractionLog Log, Executor E>
    static HybridMFScorer learn(const Log&, const CSRMatrix<float>& user_item, const Options& options, E& executor) {
        return HybridMFScorer().descended(user_item, options, executor);
    }

    /// From the rows at hand: users, items and features that the model knows start as they are, others are drawn. Known
    /// features keep their ids; there may be more of them.
    template <data::InteractionLog Log, Executor E>
    [[nodiscard]] HybridMFScorer relearn(const Log&, const CSRMatrix<float>& user_item, const Options& options,
                                         E& executor) const {
        this->require_same_factors(options.descent, name);
        require_at_least(options.item_features.cols(), of_item_features_.rows(),
                         "HybridMF: number of item features of an update");
        require_at_least(options.user_features.cols(), of_user_features_.rows(),
                         "HybridMF: number of user features of an update");
        return descended(user_item, options, executor);
    }

    template <class Writer>
    void write(Writer& file) const {
        Base::write(file);
        file.strings("loss", std::array{std::string(Loss::name)});
        file.array("trained_items", std::span(trained_));
        file.matrix("user_feature_factors", of_user_features_);
        file.matrix("item_feature_factors", of_item_features_);
    }

    template <class Reader>
    static HybridMFScorer read(const Reader& file, const Histories& histories) {
        HybridMFScorer scorer(Base::read(file, histories));
        file.check(file.strings("loss", 1)[0] == Loss::name, "loss", "must be that of this model");
        scorer.trained_ = file.template array<std::uint32_t>("trained_items");
        const auto& trained = scorer.trained_;
        file.check(std::ranges::adjacent_find(trained, std::ranges::greater_equal{}) == trained.end() &&
                       (trained.empty() || trained.back() < histories.items()),
                   "trained_items", "must be ascending item ids");
        for (const auto& [section, rows] : {std::pair{"user_feature_factors", &scorer.of_user_features_},
                                            std::pair{"item_feature_factors", &scorer.of_item_features_}}) {
            *rows = file.template matrix<float>(section, {}, scorer.items_.cols());
            file.check(math::is_finite(Base::longest_row(*rows)), section, "must be finite");
        }
        for (std::size_t i = 0; i < scorer.of_user_features_.rows(); ++i) {
            file.check(scorer.of_user_features_.row(i).back() == 0.0F, "user_feature_factors",
                       "must have zeros in the last column");
        }
        return scorer;
    }

private:
    static constexpr const char* name = "HybridMF";

    HybridMFScorer() = default;

    explicit HybridMFScorer(Base base) : Base(std::move(base)) { start_nobody(); }

    template <Executor E>
    HybridMFScorer(const HybridMFScorer& known, const CSRMatrix<float>& user_item,
                   const typename Loss::Options& options, E& executor)
        : Base(name, known, user_item, options, executor) {
        start_nobody();
    }

    // The scorer that epochs over user_item lead to, from the rows of this one.
    template <Executor E>
    [[nodiscard]] HybridMFScorer descended(const CSRMatrix<float>& user_item, const Options& options,
                                           E& executor) const {
        require_features(options.item_features, user_item.cols(), "item_features");
        require_features(options.user_features, user_item.rows(), "user_features");
        require_positive(options.feature_steps, "HybridMF: feature_steps");
        require(options.item_ids || options.item_features.cols() > 0,
                "HybridMF: item_ids must be true without item_features");
        HybridMFScorer scorer(*this, user_item, options.descent, executor);
        scorer.descend(*this, user_item, options, executor);
        scorer.find_longest_item();
        require(scorer.is_finite(),
                "HybridMF: factors must be finite: learning_rate, stddev, feature_steps or a feature is too large");
        parallel_for(executor, user_item.rows(), 16, [&](std::size_t user) {
            const SparseRow<float> features =
                options.user_features.rows() > 0 ? options.user_features.row(user) : SparseRow<float>{};
            const std::vector<float> row = scorer.fold_in_factors(user_item.row(user).columns, features);
            std::ranges::copy(row, scorer.users_.row(user).begin());
        });
        return scorer;
    }

    void start_nobody() {
        of_user_features_ = Matrix<float>(0, items_.cols());
        of_item_features_ = Matrix<float>(0, items_.cols());
        nobody_.resize(items_.cols());
        nobody_.back() = 1.0F;
    }

    static void require_features(const CSRMatrix<float>& features, std::size_t rows, const std::string& what) {
        if (features.rows() > 0 || features.cols() > 0) {
            require_equal(features.rows(), rows, ("HybridMF: number of rows of " + what).c_str());
        }
        require(math::all_finite(features.values()), ("HybridMF: " + what + " must be finite").c_str());
    }

    // Takes the part of the features out of rows that started() took from the known ones; constant: see there.
    static void keep_own(const Matrix<float>& known_rows, std::size_t constant, const Matrix<float>& known_features,
                         const CSRMatrix<float>& features, Matrix<float>& rows) {
        for (std::size_t i = 0; i < known_rows.rows(); ++i) {
            if (!Base::has_row(known_rows, i, constant) || Base::is_zero(std::as_const(rows).row(i))) {
                continue;
            }
            const SparseRow<float> weights = features.row(i);
            for (std::size_t at = 0; at < weights.size(); ++at) {
                if (weights.columns[at] < known_features.rows()) {
                    kernels::axpy<Backend>(-weights.values[at], known_features.row(weights.columns[at]), rows.row(i));
                }
            }
        }
    }

    template <Executor E>
    void descend(const HybridMFScorer& known, const CSRMatrix<float>& user_item, const Options& options, E& executor) {
        // A like is a step of its user, its item, and an item that is drawn. An epoch has as many rounds as groups.
        const auto rounds = static_cast<double>(SGDBlocks::groups_for(trained_.size()));
        std::vector<double> steps_of_users(user_item.rows());
        std::vector<double> steps_of_items(items());
        for (std::size_t user = 0; user < user_item.rows(); ++user) {
            steps_of_users[user] = static_cast<double>(user_item.row(user).size()) / rounds;
            for (const std::uint32_t item : user_item.row(user).columns) {
                steps_of_items[item] += 1.0 / rounds;
            }
        }
        for (const std::uint32_t item : trained_) {
            steps_of_items[item] +=
                static_cast<double>(user_item.nonzeros()) / static_cast<double>(trained_.size()) / rounds;
        }
        const FeatureDescentOptions how{.factors = options_.factors,
                                        .stddev = options_.stddev,
                                        .most_steps = options.feature_steps,
                                        .seed = options_.seed};
        FeatureDescentOptions of_users = how;
        of_users.stream = stream("hybrid_mf.user_features");
        FeatureDescentOptions of_items = how;
        of_items.stream = stream("hybrid_mf.item_features");
        of_items.keep_own_rows = options.item_ids;
        std::vector<std::pair<Matrix<float>*, FeatureFactors<Backend>>> sides;
        sides.reserve(2);
        if (options.user_features.cols() > 0) {
            keep_own(known.users_, 1, known.of_user_features_, options.user_features, users_);
            sides.emplace_back(&of_user_features_,
                               FeatureFactors<Backend>(options.user_features, users_, steps_of_users,
                                                       known.of_user_features_, of_users, executor));
        }
        if (options.item_features.cols() > 0) {
            keep_own(known.items_, 0, known.of_item_features_, options.item_features, items_);
            sides.emplace_back(&of_item_features_,
                               FeatureFactors<Backend>(options.item_features, items_, steps_of_items,
                                                       known.of_item_features_, of_items, executor));
        }
        Base::descend(user_item, executor, [&] {
            for (auto& side : sides) {
                side.second.end_round(executor);
            }
        });
        for (auto& [factors, learned] : sides) {
            *factors = std::move(learned).factors();
        }
    }

    // The sum of the rows of features, and a row.
    [[nodiscard]] static std::vector<float> row_of(const Matrix<float>& factors, const SparseRow<float>& features,
                                                   std::vector<float> row, const char* function) {
        const std::string what = std::string(function) + ": ";
        require_equal(features.values.size(), features.size(), (what + "number of values").c_str());
        for (const std::uint32_t feature : features.columns) {
            require_below(feature, factors.rows(), (what + "every feature").c_str());
        }
        require(math::all_finite(features.values), (what + "every value must be finite").c_str());
        FeatureFactors<Backend>::add_sum(factors, features, row);
        require(math::all_finite(row), (what + "values of features are too large").c_str());
        return row;
    }

    Matrix<float> of_user_features_;
    Matrix<float> of_item_features_;
};

/// Matrix factorization with features (LightFM): a user, and an item, is the sum of the embeddings of its features, one
/// of which is its own id.
///
///     s_ui = w_u . h_i + b_i
///     w_u  = own_u + sum over f of x_uf e_f;    (h_i, b_i) = own_i + sum over f of x_if e_f
///
///     auto model = HybridWARP::fit(log, {.item_features = genres, .descent = {.factors = 32}});
///     model.recommend(user);                                  // items that nobody took, too
///     model.fold_in_features(features.row(0)).recommend();    // a user without a history
///     index.add(model.item_vector(features_of_new_item));     // an item that is not in the log
///
/// Loss says how it learns: see BPR and WARP. The penalty is on w_u, h_i and b_i, as there. Without features, it is
/// that model, to the bit. Users have no biases: they would not change an order.
///
/// update() takes more epochs from the rows at hand: users, items and features may have been added. All features of
/// before must be given again.
///
/// Rows of features should have a length of about 1, such as 1 / sqrt(n) for each of n genres: then an item learns as
/// fast from its features as from its id.
///
/// Schedule. Items of different blocks share features, so blocks (SGDBlocks) change rows of users and items alone;
/// features take the steps of their items after each round, 8 times an epoch: see FeatureFactors. A step costs as much
/// as without features, and the result is the same for any number of threads.
///
/// Shapes    item_factors(), user_factors(): rows of factors + 1 floats; in an ANN index, use the inner product
/// Cost      fit: that of the loss, and 16 x entries of features x factors per epoch;  recommend: items x factors
/// Errors    InvalidArgument if features have another number of rows than the log, or are not finite
/// Source    Kula, "Metadata embeddings for user and item cold-start recommendations", CBRecSys 2015
template <SampledLoss Loss = BPRLoss, kernels::HostBackend Backend = kernels::DefaultBackend>
using HybridMF = Model<HybridMFScorer<Loss, Backend>>;

using HybridBPR = HybridMF<BPRLoss>;
using HybridWARP = HybridMF<WARPLoss>;

}  // namespace cf
}  // namespace FUNNEL_ABI
}  // namespace funnel
