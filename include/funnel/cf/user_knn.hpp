// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/cf/histories.hpp>
#include <funnel/cf/model.hpp>
#include <funnel/cf/nearest_rows.hpp>
#include <funnel/cf/row_weights.hpp>
#include <funnel/cf/scorer.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/core/sparse.hpp>
#include <funnel/data/interaction_log.hpp>
#include <funnel/io/sparse_sections.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace cf {

/// The learned part of UserKNN: what all users like, and the neighbours of each.
class UserKNNScorer {
public:
    using Options = KNNOptions;
    static constexpr std::string_view kind = "cf.UserKNN";
    static constexpr bool needs_history = true;

    [[nodiscard]] std::size_t items() const noexcept { return users_.rows().cols(); }

    /// The neighbours of each training user and how similar they are: users x users.
    [[nodiscard]] const CSRMatrix<float>& neighbours() const& noexcept FUNNEL_LIFETIMEBOUND { return neighbours_; }
    void neighbours() const&& = delete;

    /// The neighbours of a user who is not in the training log.
    ///
    /// Shapes    row: item ids, ascending, and values > 0
    /// Cost      the number of rows that the items have in the log, and O(users)
    /// Errors    InvalidArgument if an item is unknown, or weights are not finite
    [[nodiscard]] std::vector<Scored<>> fold_in_neighbours(const SparseRow<float>& row) const {
        for (const std::uint32_t item : row.columns) {
            require_below(item, items(), "fold_in_neighbours: every item of the history");
        }
        return users_.of(row);
    }

    void score_all(const Profile& profile, std::span<float> out) const noexcept {
        FUNNEL_ASSERT(out.size() == items());
        std::fill(out.begin(), out.end(), 0.0F);
        for (std::size_t i = 0; i < profile.neighbours.size(); ++i) {
            for (const std::uint32_t item : users_.rows().row(profile.neighbours.columns[i]).columns) {
                out[item] += profile.neighbours.values[i];
            }
        }
    }
    void keep_known_zeros(const Profile&, std::span<float> scores) const noexcept {
        std::fill(scores.begin(), scores.end(), 1.0F);  // a score of 0 is never evidence: neighbours add more than 0
    }
    [[nodiscard]] float score_one(const Profile& profile, std::uint32_t item) const noexcept {
        float score = 0.0F;
        for (std::size_t i = 0; i < profile.neighbours.size(); ++i) {
            if (std::ranges::binary_search(users_.rows().row(profile.neighbours.columns[i]).columns, item)) {
                score += profile.neighbours.values[i];
            }
        }
        return score;
    }

    /// The user is then nobody's neighbour, and the scores of others lose what the user added to them.
    void forget_user(std::size_t user) noexcept {
        users_.erase_row(user);
        neighbours_.erase_if(
            [&](std::size_t row, std::uint32_t neighbour) noexcept { return row == user || neighbour == user; });
    }

    template <data::InteractionLog Log, Executor E>
    static UserKNNScorer learn(const Log&, const CSRMatrix<float>& user_item, const KNNOptions& options, E& executor) {
        NearestRows users(user_item, options, "UserKNN");
        CSRMatrix<float> neighbours = users.all("UserKNN: neighbours", executor);
        return {std::move(users), std::move(neighbours)};
    }

    template <class Writer>
    void write(Writer& file) const {
        const KNNOptions& options = users_.options();
        file.value("neighbours", std::uint64_t{options.neighbours});
        file.value("similarity", static_cast<std::uint32_t>(options.similarity));
        file.value("weighting", static_cast<std::uint32_t>(options.weighting));
        file.value("shrinkage", options.shrinkage);
        file.value("significance", options.significance);
        file.value("k1", options.k1);
        file.value("b", options.b);
        users_.weights().write(file);
        if (!NearestRows::compares_sets(options)) {
            file.array("history_weights", users_.rows().values());
        }
        io::write_sparse(file, sections, neighbours_);
    }

    template <class Reader>
    static UserKNNScorer read(const Reader& file, const Histories& histories) {
        KNNOptions options;
        options.neighbours = file.template value<std::uint64_t>("neighbours");
        const auto similarity = file.template value<std::uint32_t>("similarity");
        const auto weighting = file.template value<std::uint32_t>("weighting");
        options.shrinkage = file.template value<float>("shrinkage");
        options.significance = file.template value<float>("significance");
        options.k1 = file.template value<float>("k1");
        options.b = file.template value<float>("b");
        file.check(options.neighbours > 0, "neighbours", "must be > 0");
        file.check(similarity <= static_cast<std::uint32_t>(Similarity::MSD), "similarity", "must be at most 4");
        file.check(weighting <= static_cast<std::uint32_t>(Weighting::BM25) && (weighting == 0 || similarity == 0),
                   "weighting", "must be at most 3, and 0 unless similarity is 0");
        for (const auto& [value, name] :
             {std::pair{options.shrinkage, "shrinkage"}, std::pair{options.significance, "significance"},
              std::pair{options.k1, "k1"}, std::pair{options.b, "b"}}) {
            file.check(math::is_finite(value) && value >= 0.0F, name, "must be finite and >= 0");
        }
        file.check(options.b <= 1.0F, "b", "must be at most 1");
        options.similarity = static_cast<Similarity>(similarity);
        options.weighting = static_cast<Weighting>(weighting);

        std::vector<std::size_t> offsets{0};
        std::vector<std::uint32_t> items;
        for (std::size_t user = 0; user < histories.users(); ++user) {
            items.insert(items.end(), histories.of(user).begin(), histories.of(user).end());
            offsets.push_back(items.size());
        }
        std::vector<float> weights(items.size(), 1.0F);
        if (!NearestRows::compares_sets(options)) {
            weights = file.template array<float>("history_weights", items.size());
            file.check(math::all_finite(weights), "history_weights", "must be finite");
        }
        RowWeights of_columns = RowWeights::read(file, options, histories.items());
        NearestRows users(
            options, std::move(of_columns),
            CSRMatrix<float>::from_parts(std::move(offsets), std::move(items), std::move(weights), histories.items()));
        CSRMatrix<float> neighbours = io::read_sparse(file, sections, histories.users(), histories.users());
        file.check(std::ranges::all_of(neighbours.values(), [](float s) { return s > 0.0F && s <= 1.001F; }),
                   sections.values, "must be > 0 and at most 1, up to rounding");
        return {std::move(users), std::move(neighbours)};
    }

private:
    static constexpr io::SparseSections sections{"neighbour_offsets", "neighbour_ids", "neighbour_similarities"};

    UserKNNScorer(NearestRows users, CSRMatrix<float> neighbours)
        : users_(std::move(users)), neighbours_(std::move(neighbours)) {}

    NearestRows users_;
    CSRMatrix<float> neighbours_;
};

/// User-based k-nearest neighbours: scores an item by the similarity of the users who like it.
///
///     score(u, i) = sum over users v who like i, v among the neighbours of u, of similarity(u, v)
///
/// By default, users are compared as sets of the items that they like (a value > 0), and other than that, values in the
/// log are ignored. Options choose among the similarities and weights of cf/similarity.hpp and cf/row_weights.hpp. The
/// neighbours of u are the `neighbours` other users most similar to u, with a similarity above 0; ties go to the
/// smaller id. Negative values are dislikes and add nothing, so that a rating of 1 speaks for an item as a rating of 5
/// does: leave low ratings out of the log if they should not.
///
/// fold_in finds the neighbours of a new user among all training users. If a training user has the same history, that
/// user is one of them. similar_users() gives the neighbours. forget_user() also changes the lists of those whose
/// neighbour the user was.
///
/// Cost      fit: sum over items of |users|^2 in time, O(users x neighbours) memory, and O(users) per thread;
///           recommend: the histories of the neighbours, O(items)
/// Source    Resnick, Iacovou, Suchak, Bergstrom, Riedl, "GroupLens: an open architecture for collaborative filtering
///           of netnews", CSCW 1994; Herlocker, Konstan, Borchers, Riedl, "An algorithmic framework for performing
///           collaborative filtering", SIGIR 1999
using UserKNN = Model<UserKNNScorer>;

}  // namespace cf
}  // namespace FUNNEL_ABI
}  // namespace funnel
