// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/cf/factor_scorer.hpp>
#include <funnel/cf/histories.hpp>
#include <funnel/cf/model.hpp>
#include <funnel/cf/scorer.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/core/sparse.hpp>
#include <funnel/data/interaction_log.hpp>
#include <funnel/kernels/axpy.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/dot.hpp>
#include <funnel/linalg/randomised_svd.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace cf {

struct PureSVDOptions {
    std::size_t factors = 20;       ///< > 0, number of singular vectors
    std::size_t power_steps = 12;   ///< accuracy of the decomposition, see linalg::RandomisedSVDOptions
    std::size_t oversampling = 40;  ///< likewise
    std::uint64_t seed = 1;         ///< seed of the random directions
};

/// The learned part of PureSVD: an item is a row of the right singular vectors, and a user the sum of the rows of the
/// history.
template <kernels::HostBackend Backend = kernels::DefaultBackend>
class PureSVDScorer : public FactorScorer<Backend> {
public:
    using Options = PureSVDOptions;
    static constexpr std::string_view kind = "cf.PureSVD";
    static constexpr bool needs_history = true;

    using FactorScorer<Backend>::items;

    /// The sum of the item factors of a history.
    ///
    /// Shapes    history: item ids, ascending
    /// Errors    InvalidArgument if an item is unknown
    [[nodiscard]] std::vector<float> fold_in_factors(std::span<const std::uint32_t> history) const {
        this->require_history(history);
        std::vector<float> factors(items_.cols());
        for (const std::uint32_t item : history) {
            kernels::axpy<Backend>(1.0F, items_.row(item), factors);
        }
        return factors;
    }

    /// Returns   the k history items that add most to the score, and what each adds, largest first. With k >=
    ///           |history|, the shares sum to the score, up to rounding
    /// Cost      O(|history| factors)
    /// Errors    InvalidArgument if the item is unknown
    [[nodiscard]] std::vector<Scored<>> explain_for(const Profile& profile, std::uint32_t item, std::size_t k) const {
        require_below(item, items(), "explain: item");
        return largest_shares(profile.history, k, [&](std::uint32_t from) {
            return kernels::dot<Backend>(items_.row(from), items_.row(item));
        });
    }

    template <data::InteractionLog Log, Executor E>
    static PureSVDScorer learn(const Log&, const CSRMatrix<float>& user_item, const PureSVDOptions& options,
                               E& executor) {
        require_at_least(options.factors, 1, "PureSVD: factors");
        const auto svd = linalg::randomised_svd(user_item.with_values(std::vector<float>(user_item.nonzeros(), 1.0F)),
                                                {.rank = options.factors,
                                                 .oversampling = options.oversampling,
                                                 .power_steps = options.power_steps,
                                                 .seed = options.seed},
                                                executor);
        PureSVDScorer scorer;
        const std::size_t factors =
            std::max<std::size_t>(svd.values.size(), 1);  // a file has no matrix without columns
        scorer.items_ = Matrix<float>(user_item.cols(), factors);
        const CSRMatrix<float> item_user = user_item.transposed();
        for (std::size_t item = 0; item < scorer.items(); ++item) {
            // What rounding leaves of the factors of an item that nobody took must not become a score.
            if (item_user.row(item).size() > 0) {
                const auto row = svd.right.row(item);
                std::transform(row.begin(), row.end(), scorer.items_.row(item).begin(),
                               [](double x) { return static_cast<float>(x); });
            }
        }
        scorer.users_ = Matrix<float>(user_item.rows(), factors);
        parallel_for(executor, user_item.rows(), 64, [&](std::size_t user) {
            const std::vector<float> row = scorer.fold_in_factors(user_item.row(user).columns);
            std::copy(row.begin(), row.end(), scorer.users_.row(user).begin());
        });
        return scorer;
    }

    template <class Writer>
    void write(Writer& file) const {
        this->write_factors(file);
    }

    template <class Reader>
    static PureSVDScorer read(const Reader& file, const Histories& histories) {
        PureSVDScorer scorer;
        scorer.read_factors(file, histories);
        file.check(scorer.items_.cols() <= std::max<std::size_t>(std::min(histories.users(), histories.items()), 1),
                   "item_factors", "must have at most min(users, items) columns");
        const auto are_bounded = [](MatrixView<const float> rows, double limit) {
            for (std::size_t row = 0; row < rows.rows(); ++row) {
                if (!std::ranges::all_of(rows.row(row), [&](const float& x) {
                        return math::is_finite(x) && static_cast<double>(math::abs(x)) <= limit;
                    })) {
                    return false;
                }
            }
            return true;
        };
        file.check(are_bounded(scorer.item_factors(), 1.001), "item_factors", "must lie in [-1, 1]");
        file.check(are_bounded(scorer.user_factors(), 1.001 * static_cast<double>(histories.items())), "user_factors",
                   "must be sums of item factors");
        return scorer;
    }

private:
    PureSVDScorer() = default;

    using FactorScorer<Backend>::items_;
};

/// Truncated singular value decomposition of the users x items matrix, where a missing value is 0.
///
///     X is about U S V^T;   score(u, i) = x_u V V^T e_i = sum over items j of u's history of v_j . v_i
///
/// X is 1 where the user likes the item (a value > 0), else 0: other than that, values and repetitions in the log are
/// ignored. V has one row of `factors` numbers per item; if X has fewer nonzero singular values, there are fewer
/// factors. Write PureSVD; BasicPureSVD is for another backend. Backend is used for scoring; learning uses Eigen, in
/// double.
///
/// Shapes    item_factors(), user_factors(): in an ANN index, use the inner product
/// Cost      fit: linalg::randomised_svd;  recommend: items x factors;  the model: (users + items) x factors floats
/// Source    Cremonesi, Koren, Turrin, "Performance of recommender algorithms on top-N recommendation tasks", RecSys
///           2010
template <kernels::HostBackend Backend = kernels::DefaultBackend>
using BasicPureSVD = Model<PureSVDScorer<Backend>>;

using PureSVD = BasicPureSVD<>;

}  // namespace cf
}  // namespace FUNNEL_ABI
}  // namespace funnel
