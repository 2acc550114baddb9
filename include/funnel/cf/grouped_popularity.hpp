// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/cf/recommend.hpp>
#include <funnel/cf/row_age.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/item_filter.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/core/top_k.hpp>
#include <funnel/data/interaction_log.hpp>
#include <funnel/io/container.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace cf {

struct GroupedPopularityOptions {
    PopularityOptions age = {};  ///< how rows count by their age: window, half_life, now
    /// Weight of the popularity among all users, >= 0, in rows: a group with as few rows goes half by its own counts.
    float prior = 10.0F;
};

/// Most popular items per group of users: per country, region, age class or device.
///
///     score(g, i) = count(g, i) + prior count(i) / sum over items j of count(j)
///
/// count(g, i) is the sum of the weights of the rows of item i by users of group g, and count(i) that of all rows; only
/// values > 0 count. A group without rows has the order of all users. For the most popular items of a category, pass a
/// filter that accepts the items of the category: top() then lists them by their counts.
///
///     const auto popular = GroupedPopularity::fit(log, country_of_user, countries);
///     popular.top(country, {.k = 10});
///     popular.top(country, {.k = 10}, [&](std::uint32_t item) { return category_of[item] == comedy; });
///
/// Cost      fit: O(rows + groups x items);  memory: 4 groups x items bytes
class GroupedPopularity {
public:
    static constexpr std::string_view kind = "cf.GroupedPopularity";
    static constexpr std::uint32_t layout_version = 1;

    /// Shapes    groups: one per user, each below count
    /// Errors    InvalidArgument if a shape does not match, an option is out of range, an id in the log is unknown, or
    ///           count or the number of items is 0
    template <data::InteractionLog Log>
    [[nodiscard]] static GroupedPopularity fit(const Log& log, std::span<const std::uint32_t> groups, std::size_t count,
                                               const GroupedPopularityOptions& options = {}) {
        require_equal(groups.size(), log.users(), "GroupedPopularity: number of groups of users");
        require_at_least(count, 1, "GroupedPopularity: count");
        for (const std::uint32_t group : groups) {
            require_below(group, count, "GroupedPopularity: every group");
        }
        require_not_negative(options.prior, "GroupedPopularity: prior");
        require_at_least(log.items(), 1, "GroupedPopularity: number of items in the log");
        require(count <= std::numeric_limits<std::ptrdiff_t>::max() / sizeof(double) / log.items(),
                "GroupedPopularity: groups x items must fit into memory");
        data::require_known_ids(log, "GroupedPopularity");
        const RowAge age(log, options.age, "GroupedPopularity");
        std::vector<double> sums(count * log.items());
        std::vector<double> overall(log.items());
        double total = 0.0;
        for (std::size_t row = 0; row < log.size(); ++row) {
            if (log[row].value > 0.0F) {
                const double weight = age.weight(log[row].time);
                sums[groups[log[row].user] * log.items() + log[row].item] += weight;
                overall[log[row].item] += weight;
                total += weight;
            }
        }
        GroupedPopularity result;
        result.scores_ = Matrix<float>(count, log.items());
        for (std::size_t group = 0; group < count; ++group) {
            for (std::size_t item = 0; item < log.items(); ++item) {
                const double share = total > 0.0 ? overall[item] / total : 0.0;
                result.scores_(group, item) =
                    static_cast<float>(sums[group * log.items() + item] + static_cast<double>(options.prior) * share);
            }
        }
        require(are_valid(result.scores_),
                "GroupedPopularity: scores must be finite: half_life is too small or now is too late");
        return result;
    }

    [[nodiscard]] std::size_t groups() const noexcept { return scores_.rows(); }
    [[nodiscard]] std::size_t items() const noexcept { return scores_.cols(); }

    /// One score per item.
    ///
    /// Errors    InvalidArgument if the group is unknown
    [[nodiscard]] std::span<const float> scores(std::size_t group) const& FUNNEL_LIFETIMEBOUND {
        require_below(group, groups(), "GroupedPopularity: group");
        return scores_.row(group);
    }
    void scores(std::size_t group) const&& = delete;

    /// The k items with the highest scores above 0 of a group, without seen ones, best first; ties go to the smaller
    /// id.
    ///
    /// Shapes    seen: item ids, ascending (not checked)
    /// Cost      O(items)
    /// Errors    InvalidArgument if the group is unknown
    template <ItemFilter Filter = AcceptAll>
    [[nodiscard]] std::vector<Scored<>> top(std::size_t group, std::size_t k, const Filter& filter = {},
                                            std::span<const std::uint32_t> seen = {}) const {
        const std::span<const float> of_group = scores(group);
        std::vector<Scored<>> list(std::min(k, items()));
        const auto has_rows = [&](std::uint32_t item) noexcept(is_nothrow_filter<Filter>) {
            return of_group[item] > 0.0F && filter(item);
        };
        funnel::detail::keep_first(list, best_unseen(of_group, seen, list, has_rows).size());
        return list;
    }

    /// Errors    IOError;  InvalidArgument if the object is moved-from
    void save(const std::string& path) const {
        require(groups() > 0, "GroupedPopularity::save: the object must not be moved-from");
        io::ContainerWriter file(kind, layout_version);
        file.matrix("scores", scores_.view());
        file.save(path);
    }

    /// Errors    IOError;  CorruptData if the file is damaged or holds something else
    [[nodiscard]] static GroupedPopularity load(const std::string& path) {
        const io::ContainerReader file(path, kind, layout_version);
        GroupedPopularity result;
        result.scores_ = file.matrix<float>("scores");
        file.check(result.groups() > 0 && result.items() > 0, "scores", "must have rows and columns");
        file.check(are_valid(result.scores_), "scores", "must be finite and >= 0");
        return result;
    }

private:
    GroupedPopularity() = default;

    [[nodiscard]] static bool are_valid(const Matrix<float>& scores) noexcept {
        for (std::size_t group = 0; group < scores.rows(); ++group) {
            if (!std::ranges::all_of(scores.row(group),
                                     [](const float& score) { return math::is_finite(score) && score >= 0.0F; })) {
                return false;
            }
        }
        return true;
    }

    Matrix<float> scores_;
};

}  // namespace cf
}  // namespace FUNNEL_ABI
}  // namespace funnel
