// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/cf/histories.hpp>
#include <funnel/cf/model.hpp>
#include <funnel/cf/recommend.hpp>
#include <funnel/cf/row_age.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/sparse.hpp>

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

/// The learned part of Popularity: one score per item.
class PopularityScorer {
public:
    using Options = PopularityOptions;
    static constexpr std::string_view kind = "cf.Popularity";
    static constexpr bool needs_history = false;

    [[nodiscard]] std::size_t items() const noexcept { return scores_.size(); }

    [[nodiscard]] std::span<const float> scores() const& noexcept FUNNEL_LIFETIMEBOUND {
        return {scores_.data(), scores_.size()};
    }
    void scores() const&& = delete;

    void score_all(const Profile&, std::span<float> out) const noexcept {
        FUNNEL_ASSERT(out.size() == items());
        std::copy(scores_.begin(), scores_.end(), out.begin());
    }
    void keep_known_zeros(const Profile&, std::span<float> scores) const noexcept {
        std::fill(scores.begin(), scores.end(), 1.0F);  // a score of 0 is never evidence: every row adds more than 0
    }
    [[nodiscard]] float score_one(const Profile&, std::uint32_t item) const noexcept {
        FUNNEL_ASSERT(item < items());
        return scores_[item];
    }

    template <data::InteractionLog Log, Executor E>
    static PopularityScorer learn(const Log& train, const CSRMatrix<float>&, const PopularityOptions& options, E&) {
        const RowAge age(train, options, "Popularity");
        std::vector<double> sums(train.items(), 0.0);
        for (std::size_t row = 0; row < train.size(); ++row) {
            if (train[row].value > 0.0F) {
                sums[train[row].item] += age.weight(train[row].time);
            }
        }
        require(math::all_finite(sums), "Popularity: scores must be finite: half_life is too small or now is too late");
        return PopularityScorer({sums.begin(), sums.end()});
    }

    template <class Writer>
    void write(Writer& file) const {
        file.array("scores", scores_);
    }

    template <class Reader>
    static PopularityScorer read(const Reader& file, const Histories& histories) {
        auto scores = file.template array<float>("scores", histories.items());
        file.check(std::all_of(scores.begin(), scores.end(),
                               [](float score) { return math::is_finite(score) && score >= 0.0F; }),
                   "scores", "must be finite and >= 0");
        return PopularityScorer(std::move(scores));
    }

private:
    explicit PopularityScorer(std::vector<float> scores) : scores_(std::move(scores)) {}

    std::vector<float> scores_;
};

/// Most popular items: scores an item by its number of rows in the log, optionally decayed by age. Works for users
/// without a history.
///
///     score(i) = sum over rows of item i, not older than window, of 2^(-(now - time of the row) / half_life)
///
/// Each row with a value > 0 counts, so an item that one user took twice counts twice. Without half_life, the score is
/// the number of such rows. Items with score 0 are not recommended: they have no rows, or only rows that are older than
/// the window or hundreds of half-lives old.
///
/// Cost      fit: O(rows);  recommend: O(items)
using Popularity = Model<PopularityScorer>;

}  // namespace cf
}  // namespace FUNNEL_ABI
}  // namespace funnel
