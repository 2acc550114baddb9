// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/cf/histories.hpp>
#include <funnel/cf/recommend.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/math.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/data/user_item_matrix.hpp>
#include <funnel/io/container.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace funnel::inline FUNNEL_ABI::cf {

struct PopularityOptions {
    std::optional<double> half_life =
        {};                          ///< a row loses half its weight in this time, in the unit of the log; none: never
    std::optional<double> now = {};  ///< the time at which a row weighs 1; none: the latest time in the log
};

/// Popularity: what most people took, of late if there is a half-life. The list for users nobody knows yet.
///
///     score(i) = sum over rows of item i of 2^(-(now - time of the row) / half_life)
///
/// Each row of the log counts, so an item that one user took twice counts twice; values do not matter. Without a
/// half-life the score is the number of rows.
///
/// Cost      fit: O(rows);  recommend: O(items)
class Popularity {
public:
    static constexpr bool needs_history = false;

    /// Errors    InvalidArgument if half_life is not positive and finite, now not finite, or a row later than now while
    /// a half-life is set
    template <Executor E = Serial>
    static Popularity fit(const data::Interactions& train, const PopularityOptions& options = {}, E&& = E{}) {
        require(!options.half_life || (math::is_finite(*options.half_life) && *options.half_life > 0.0),
                "Popularity: half_life must be positive and finite");
        require(!options.now || math::is_finite(*options.now), "Popularity: now must be finite");

        const auto later = [](const data::Interaction& a, const data::Interaction& b) { return a.time < b.time; };
        const auto latest = std::max_element(train.begin(), train.end(), later);
        double now = 0.0;
        if (latest != train.end()) {
            now = options.now.value_or(latest->time);
            require(!options.half_life || latest->time <= now, "Popularity: no row may be later than now");
        }

        std::vector<double> sums(train.items(), 0.0);
        for (const data::Interaction& row : train) {
            sums[row.item] += options.half_life ? math::exp2(-((now - row.time) / *options.half_life)) : 1.0;
        }
        Popularity model;
        model.scores_.assign(sums.begin(), sums.end());
        model.histories_ = Histories(data::user_item_matrix(train));
        return model;
    }

    [[nodiscard]] std::size_t users() const noexcept { return histories_.users(); }
    [[nodiscard]] std::size_t items() const noexcept { return scores_.size(); }

    /// The score of each item.
    [[nodiscard]] std::span<const float> scores() const noexcept { return {scores_.data(), scores_.size()}; }

    /// The best items for a user, best first; for a user without a history, the most popular ones.
    ///
    /// Errors    InvalidArgument if there is no such user
    template <ItemFilter Filter = AllItems>
    [[nodiscard]] std::vector<Scored<>> recommend(std::size_t user, const RecommendOptions& options = {},
                                                  const Filter& filter = {}) const {
        return recommend_for(*this, {histories_.of(user)}, options, filter);
    }

    /// The same for a user < users() (not checked), in memory of the caller: see recommend_for.
    template <ItemFilter Filter = AllItems>
    std::span<Scored<>> recommend(std::size_t user, const RecommendOptions& options, std::span<float> scratch,
                                  std::span<Scored<>> out, const Filter& filter = {}) const
        noexcept(filters_quietly<Filter>) {
        return recommend_for(*this, {histories_.of_known(user)}, options, filter, scratch, out);
    }

    /// One score for each of the given items.
    ///
    /// Errors    InvalidArgument if there is no such user or item
    [[nodiscard]] std::vector<float> score(std::size_t user, std::span<const std::uint32_t> items) const {
        return score_for(*this, {histories_.of(user)}, items);
    }

    /// A user who was not there in training; the history is only taken out of the lists.
    ///
    /// Errors    InvalidArgument if an item is unknown or named twice
    [[nodiscard]] FoldedUser<Popularity> fold_in(std::span<const std::uint32_t> history) const {
        return {*this, checked_history(history, items())};
    }

    void score_all(const Profile&, std::span<float> out) const noexcept {
        std::copy(scores_.begin(), scores_.end(), out.begin());
    }
    [[nodiscard]] float score_one(const Profile&, std::uint32_t item) const noexcept { return scores_[item]; }

    /// Users and items by their dense ids, not their keys: load it only beside the log that it was fitted on.
    ///
    /// Errors    IOError
    void save(const std::string& path) const {
        io::ContainerWriter file("cf.Popularity", 1);
        histories_.write(file);
        file.array("scores", std::span<const float>(scores_));
        file.save(path);
    }

    /// Errors    IOError;  CorruptData if the file is not what save wrote
    static Popularity load(const std::string& path) {
        const io::ContainerReader file(path, "cf.Popularity", 1);
        Popularity model;
        model.histories_ = Histories::read(file);
        model.scores_ = file.array<float>("scores", model.histories_.items());
        file.check(std::all_of(model.scores_.begin(), model.scores_.end(),
                               [](float score) { return math::is_finite(score) && score >= 0.0F; }),
                   "scores", "must be finite and not negative");
        return model;
    }

private:
    std::vector<float> scores_;
    Histories histories_;
};

}  // namespace funnel::cf
