// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/math.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/data/splits.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace data {

/// What one fold is made of.
enum class FoldBy : std::uint8_t {
    RandomRow,  ///< rows, in random order; the sizes of two folds differ by at most one
    RowIndex,   ///< row i belongs to fold i % folds
    RandomUser  ///< users, in random order, with all their rows: strong generalisation
};

struct FoldOptions {
    std::size_t folds = 5;  ///< at least 2
    FoldBy by = FoldBy::RandomRow;
    std::uint64_t seed = 1;  ///< without effect on RowIndex
};

/// Assigns each row to one of k folds, for cross-validation.
///
///     const auto folds = assign_folds(log, {.folds = 5});
///     for (std::uint32_t fold = 0; fold < 5; ++fold) { const Split split = split_fold(log, folds, fold); ... }
///
/// Returns   one number below `folds` per row of the log, the same on every machine
/// Errors    InvalidArgument if folds is below 2 or above 2^32 - 1
[[nodiscard]] inline std::vector<std::uint32_t> assign_folds(const Interactions& log, const FoldOptions& options = {}) {
    require_between(options.folds, 2, std::numeric_limits<std::uint32_t>::max(), "assign_folds: folds");
    const bool is_by_user = options.by == FoldBy::RandomUser;
    std::vector<std::uint32_t> fold(is_by_user ? log.users() : log.size());
    if (options.by == FoldBy::RowIndex) {
        for (std::size_t row = 0; row < fold.size(); ++row) {
            fold[row] = static_cast<std::uint32_t>(row % options.folds);
        }
        return fold;
    }
    const auto order = Random(options.seed, stream("folds.order")).permutation<std::size_t>(fold.size());
    for (std::size_t i = 0; i < order.size(); ++i) {
        fold[order[i]] = static_cast<std::uint32_t>(i % options.folds);
    }
    if (!is_by_user) {
        return fold;
    }
    std::vector<std::uint32_t> of_rows(log.size());
    std::transform(log.begin(), log.end(), of_rows.begin(), [&](const Interaction& row) { return fold[row.user]; });
    return of_rows;
}

/// The rows of one fold are the test part, all others the training part.
///
/// Errors    InvalidArgument if there is not one fold per row
[[nodiscard]] inline Split split_fold(const Interactions& log, std::span<const std::uint32_t> folds,
                                      std::uint32_t fold) {
    require_equal(folds.size(), log.size(), "split_fold: number of folds");
    return split_where(log, [&](std::size_t row) { return folds[row] == fold; });
}

struct HeldOutSplitOptions {
    double user_fraction = 0.1;     ///< share of the users that are held out, in (0, 1)
    double fold_in_fraction = 0.8;  ///< share of the rows of a held-out user that the model may see, in (0, 1)
    std::uint64_t seed = 1;
};

/// Three parts of one log, each in the order of the log, with all users and items of the log and the same ids.
struct HeldOutSplit {
    Interactions train;    ///< all rows of the other users
    Interactions fold_in;  ///< of held-out users: what the fitted model sees of them, through fold_in
    Interactions test;     ///< of held-out users: the rest
};

/// Holds out users: the model is fitted without them, sees a part of their rows afterwards, and is tested on the rest
/// (strong generalisation). Papers on variational autoencoders and linear item models use this protocol.
///
/// Of n rows of a held-out user, round(fold_in_fraction * n) random ones are for fold_in, but at least one, and if n >
/// 1 at least one is for the test. Pass fold_in as the training part of evaluate().
///
/// Returns   the same parts on every machine; round(user_fraction * users with rows) users are held out
/// Errors    InvalidArgument if a fraction is not in (0, 1)
/// Source    Marlin, "Collaborative filtering: a machine learning perspective", 2004; Liang et al., "Variational
///           autoencoders for collaborative filtering", WWW 2018
[[nodiscard]] inline HeldOutSplit split_held_out_users(const Interactions& log,
                                                       const HeldOutSplitOptions& options = {}) {
    require_inside(options.user_fraction, 0.0, 1.0, "split_held_out_users: user_fraction");
    require_inside(options.fold_in_fraction, 0.0, 1.0, "split_held_out_users: fold_in_fraction");
    std::vector<std::vector<std::size_t>> rows_of(log.users());
    for (std::size_t row = 0; row < log.size(); ++row) {
        rows_of[log[row].user].push_back(row);
    }
    std::vector<std::uint32_t> users;
    for (std::uint32_t user = 0; user < log.users(); ++user) {
        if (!rows_of[user].empty()) {
            users.push_back(user);
        }
    }
    Random(options.seed, stream("folds.held_out_users")).shuffle(std::span(users));
    users.resize(static_cast<std::size_t>(math::round(options.user_fraction * static_cast<double>(users.size()))));

    enum class Part : std::uint8_t { Train, FoldIn, Test };
    std::vector<Part> part(log.size(), Part::Train);
    for (const std::uint32_t user : users) {
        std::vector<std::size_t>& rows = rows_of[user];
        Random(options.seed, stream("folds.held_out_rows"), user).shuffle(std::span(rows));
        const double share = math::round(options.fold_in_fraction * static_cast<double>(rows.size()));
        const std::size_t most = std::max<std::size_t>(1, rows.size() - 1);
        const std::size_t seen = std::clamp<std::size_t>(static_cast<std::size_t>(share), 1, most);
        for (std::size_t i = 0; i < rows.size(); ++i) {
            part[rows[i]] = i < seen ? Part::FoldIn : Part::Test;
        }
    }
    const auto rows_in = [&](Part wanted) { return where(log, [&](std::size_t row) { return part[row] == wanted; }); };
    return {rows_in(Part::Train), rows_in(Part::FoldIn), rows_in(Part::Test)};
}

}  // namespace data
}  // namespace FUNNEL_ABI
}  // namespace funnel
