// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/cf/histories.hpp>
#include <funnel/cf/scorer.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/sparse.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/dot.hpp>
#include <funnel/kernels/metric.hpp>
#include <funnel/kernels/one_to_many.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace cf {

/// Base class of scorers that have a row of factors per user and per item, such as ImplicitALS, BPR and PureSVD.
///
///     score(u, i) = user_factors().row(u) . item_factors().row(i)
///
/// A user or an item without rows to learn from has zero factors: a score of 0 is then not evidence. A model that says
/// something about users whom it does not know sets nobody_, their row; a profile without factors has it then.
///
/// A model adds kind, Options, needs_history, learn, read, write and fold_in_factors (see LearnedScorer);
/// cf/pure_svd.hpp is an example.
template <kernels::HostBackend Backend>
class FactorScorer {
public:
    [[nodiscard]] std::size_t items() const noexcept { return items_.rows(); }
    [[nodiscard]] MatrixView<const float> user_factors() const& noexcept FUNNEL_LIFETIMEBOUND { return users_.view(); }
    [[nodiscard]] MatrixView<const float> item_factors() const& noexcept FUNNEL_LIFETIMEBOUND { return items_.view(); }
    void user_factors() const&& = delete;
    void item_factors() const&& = delete;

    void score_all(const Profile& profile, std::span<float> out) const noexcept {
        FUNNEL_ASSERT(out.size() == items());
        score_range(profile, 0, out);
    }
    void score_range(const Profile& profile, std::size_t first, std::span<float> out) const noexcept {
        const std::span<const float> user = factors_of(profile);
        FUNNEL_ASSERT(user.size() == items_.cols());
        kernels::score_rows<kernels::InnerProduct, Backend>(user, items_.view().rows_from(first, out.size()), out);
    }
    [[nodiscard]] float score_one(const Profile& profile, std::uint32_t item) const noexcept {
        const std::span<const float> user = factors_of(profile);
        FUNNEL_ASSERT(user.size() == items_.cols() && item < items());
        return kernels::dot<Backend>(user, items_.row(item));
    }
    void keep_known_zeros(const Profile& profile, std::span<float> scores) const noexcept {
        FUNNEL_ASSERT(scores.size() == items());
        const bool is_known = !is_zero(factors_of(profile));
        for (std::size_t item = 0; item < scores.size(); ++item) {
            scores[item] = scores[item] == 0.0F && is_known && !is_zero(items_.row(item)) ? 0.0F : 1.0F;
        }
    }
    /// The user has the row of a user about whom nothing is known: zeros, or nobody_.
    void forget_user(std::size_t user) noexcept {
        std::fill(users_.row(user).begin(), users_.row(user).end(), 0.0F);
        std::copy(nobody_.begin(), nobody_.end(), users_.row(user).begin());
    }

protected:
    FactorScorer() = default;

    /// Adds the sections of the factors to a file.
    template <class Writer>
    void write_factors(Writer& file) const {
        file.matrix("user_factors", user_factors());
        file.matrix("item_factors", item_factors());
    }
    /// Reads them. What the numbers must be is for the model to check.
    template <class Reader>
    void read_factors(const Reader& file, const Histories& histories) {
        users_ = file.template matrix<float>("user_factors", histories.users());
        items_ = file.template matrix<float>("item_factors", histories.items(), users_.cols());
    }

    /// Of fold_in_factors.
    ///
    /// Errors    InvalidArgument if an item is unknown, or there are more or fewer values than items
    void require_history(std::span<const std::uint32_t> history) const {
        for (const std::uint32_t item : history) {
            require_below(item, items(), "fold_in_factors: every item of the history");
        }
    }
    void require_history(std::span<const std::uint32_t> history, std::span<const float> values) const {
        require_equal(values.size(), history.size(), "fold_in_factors: number of values");
        require_history(history);
    }

    [[nodiscard]] std::span<const float> factors_of(const Profile& profile) const noexcept {
        return profile.factors.empty() ? std::span<const float>(nobody_) : profile.factors;
    }

    [[nodiscard]] static bool is_zero(std::span<const float> row) noexcept {
        return std::all_of(row.begin(), row.end(), [](float x) { return x == 0.0F; });
    }

    /// Infinity if an element is not finite. Squares of floats cannot overflow a double.
    [[nodiscard]] static double norm(std::span<const float> row) noexcept {
        double squares = 0.0;
        for (const float x : row) {
            squares += static_cast<double>(x) * static_cast<double>(x);
        }
        return math::is_finite(squares) ? math::sqrt(squares) : std::numeric_limits<double>::infinity();
    }
    [[nodiscard]] static double longest_row(MatrixView<const float> rows) noexcept {
        double longest = 0.0;
        for (std::size_t i = 0; i < rows.rows(); ++i) {
            longest = std::max(longest, norm(rows.row(i)));
        }
        return longest;
    }

    /// Of a file: the L2 penalty of a model that learns by steps.
    ///
    /// Errors    CorruptData if it is missing, negative, not finite, or not below 1 / learning_rate
    template <class Reader>
    [[nodiscard]] static float read_regularisation(const Reader& file, float learning_rate) {
        const float regularisation = file.template value<float>("regularisation");
        file.check(math::is_finite(regularisation) && regularisation >= 0.0F &&
                       is_weight_decay(double{learning_rate}, double{regularisation}),
                   "regularisation", "must be finite, >= 0 and < 1 / learning_rate");
        return regularisation;
    }

    /// More factors than rows do not improve the fit, and memory grows with them.
    [[nodiscard]] static std::size_t most_factors(std::size_t users, std::size_t items) noexcept {
        return std::max<std::size_t>(1024, users + items);
    }

    /// How new rows of a model begin: normal numbers in the first `drawn` columns, each row from its own index.
    struct Draws {
        std::size_t columns;
        std::size_t drawn;
        double stddev;
        std::uint64_t seed;
        Stream stream;
        std::size_t constant = 0;  // last columns that say nothing: all known rows have the same numbers there
    };
    /// Whether started() takes the known row: it exists, and is not zeros but for the constant columns.
    [[nodiscard]] static bool has_row(const Matrix<float>& known, std::size_t index, std::size_t constant) noexcept {
        return index < known.rows() && !is_zero(known.row(index).first(known.cols() - constant));
    }
    /// The known rows, and drawn ones in place of those that are missing or zeros, but for the constant columns. Rows
    /// without observations are 0.
    template <Executor E>
    [[nodiscard]] static Matrix<float> started(const Matrix<float>& known, const CSRMatrix<float>& observed,
                                               const Draws& draws, E& executor) {
        Matrix<float> rows(observed.rows(), draws.columns);
        parallel_for(executor, rows.rows(), 64, [&](std::size_t index) {
            if (observed.row(index).size() == 0) {
                return;
            }
            if (has_row(known, index, draws.constant)) {
                std::copy(known.row(index).begin(), known.row(index).end(), rows.row(index).begin());
            } else {
                Random random(draws.seed, draws.stream, index);
                for (float& x : rows.row(index).first(draws.drawn)) {
                    x = static_cast<float>(draws.stddev * random.normal());
                }
            }
        });
        return rows;
    }

    Matrix<float> users_;
    Matrix<float> items_;
    std::vector<float> nobody_;  // the row of a user about whom nothing is known; empty: such users are not scored
};

}  // namespace cf
}  // namespace FUNNEL_ABI
}  // namespace funnel
