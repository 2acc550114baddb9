// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/cf/histories.hpp>
#include <funnel/cf/model.hpp>
#include <funnel/cf/rating_factors.hpp>
#include <funnel/cf/sgd_blocks.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/sparse.hpp>
#include <funnel/data/interaction_log.hpp>
#include <funnel/kernels/backend.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace cf {

/// The learned part of BiasedMF.
template <kernels::HostBackend Backend = kernels::DefaultBackend>
class BiasedMFScorer : public RatingFactorsScorer<Backend> {
public:
    static constexpr std::string_view kind = "cf.BiasedMF";

    /// The vector and the bias of a user with these ratings, by descent with the items fixed: fold_in_epochs passes
    /// over the history, from zero. fit() gives each training user this row.
    ///
    /// Shapes    history: item ids, ascending;  values: one rating per item
    /// Cost      O(fold_in_epochs |history| factors)
    /// Errors    InvalidArgument if an item is unknown, there are more or fewer values than items, or scores would not
    ///           be finite
    [[nodiscard]] std::vector<float> fold_in_factors(std::span<const std::uint32_t> history,
                                                     std::span<const float> values) const {
        std::vector<float> row = this->learn_user(history, this->without_means(history, values));
        this->require_finite_scores(row);
        return row;
    }

    template <data::InteractionLog Log, Executor E>
    static BiasedMFScorer learn(const Log&, const CSRMatrix<float>& user_item, const RatingFactorsOptions& options,
                                E& executor) {
        return BiasedMFScorer().descend(user_item, options, executor);
    }

    /// From the vectors and biases at hand; those of new users and items are drawn.
    template <data::InteractionLog Log, Executor E>
    [[nodiscard]] BiasedMFScorer relearn(const Log&, const CSRMatrix<float>& user_item,
                                         const RatingFactorsOptions& options, E& executor) const {
        require_equal(options.factors, this->options_.factors, "BiasedMF: factors of an update");
        return descend(user_item, options, executor);
    }

    template <class Writer>
    void write(Writer& file) const {
        this->write_ratings(file);
    }
    template <class Reader>
    static BiasedMFScorer read(const Reader& file, const Histories& histories) {
        BiasedMFScorer scorer;
        scorer.read_ratings(file, histories);
        return scorer;
    }

private:
    BiasedMFScorer() = default;

    using RatingFactorsScorer<Backend>::users_;
    using RatingFactorsScorer<Backend>::items_;

    // The scorer that epochs over user_item lead to, from the rows of this one.
    template <Executor E>
    [[nodiscard]] BiasedMFScorer descend(const CSRMatrix<float>& user_item, const RatingFactorsOptions& options,
                                         E& executor) const {
        BiasedMFScorer scorer;
        scorer.start(user_item, options, "BiasedMF");
        const std::size_t columns = options.factors + 1;
        Matrix<float>& users = scorer.users_;
        Matrix<float>& items = scorer.items_;
        users = scorer.rows_of(users_, columns, user_item, stream("biased_mf.users"), executor);
        items = scorer.rows_of(items_, columns, user_item.transposed(), stream("biased_mf.items"), executor);

        SGDBlocks blocks(user_item, options.seed, stream("biased_mf.blocks"));
        const float rate = options.learning_rate;
        const float decay = 1.0F - rate * options.regularisation;
        const float mean = scorer.mean();
        for (std::size_t epoch = 0; epoch < options.epochs; ++epoch) {
            report_progress(executor, "BiasedMF: epochs", epoch, options.epochs);
            blocks.run(epoch, executor, [&users, &items, rate, decay, mean](const SGDBlock& block, std::size_t) {
                // The steps of one user wait for each other, those of four users in turn overlap.
                const std::size_t quarter = (block.entries.size() + 3) / 4;
                for (std::size_t first = 0; first < quarter; ++first) {
                    for (std::size_t at = first; at < block.entries.size(); at += quarter) {
                        const SGDEntry& entry = block.entries[at];
                        detail::rating_step<Backend>(entry.value - mean, rate, decay, users.row(entry.user),
                                                     items.row(entry.item));
                    }
                }
            });
        }
        report_progress(executor, "BiasedMF: epochs", options.epochs, options.epochs);
        scorer.finish(
            user_item, "BiasedMF",
            [&](const auto& history, const auto& values) { return scorer.fold_in_factors(history, values); }, executor);
        return scorer;
    }
};

/// Matrix factorization with biases, learned from ratings by stochastic gradient descent (Koren; often called SVD).
///
///     min over p, q, b of  sum over ratings r_ui of  (r_ui - mu - b_u - b_i - p_u . q_i)^2
///                                                    + regularisation (|p_u|^2 + |q_i|^2 + b_u^2 + b_i^2)
///
/// predict() gives the rating of any user for any item; recommend() lists the items with the highest predicted ratings,
/// whatever their number of ratings. Every value of the log is a rating, also 0 and below. A user without ratings gets
/// the items with the highest biases. Items that nobody rated are not recommended, and their score is 0.
///
/// An epoch takes one step per rating, on the block schedule of SGDBlocks. After the epochs, the row of each user is
/// learned again for the final items, so fold_in with the ratings of a training user gives the row of that user, to the
/// bit. update() takes more epochs from the rows at hand.
///
/// Shapes    user_factors(): rows (p_u, b_u), item_factors(): rows (q_i, b_i), of factors + 1 floats. In an ANN index,
///           use item_factors() and the inner product with (p_u, 1): the order is that of score()
/// Cost      fit: O((epochs + fold_in_epochs) ratings factors);  recommend: items x factors
/// Source    Koren, Bell, Volinsky, "Matrix factorization techniques for recommender systems", IEEE Computer 2009
template <kernels::HostBackend Backend = kernels::DefaultBackend>
using BasicBiasedMF = Model<BiasedMFScorer<Backend>>;

using BiasedMF = BasicBiasedMF<>;

}  // namespace cf
}  // namespace FUNNEL_ABI
}  // namespace funnel
