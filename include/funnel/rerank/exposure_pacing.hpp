// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/options.hpp>
#include <funnel/io/container.hpp>
#include <funnel/rerank/groups.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace rerank {

/// How much exposure a group may have, on average over many slates.
struct ExposureTarget {
    std::uint64_t group;  ///< the name that the caller uses
    double at_most;       ///< >= 0, mean per update: items per slate, or the unit of your own uses
};

struct ExposurePacingOptions {
    double rate = 0.01;  ///< eta > 0, in units of a score per unit of exposure: how fast prices move
};

/// Holds the exposure of groups at a target over many slates, by a price per group: dual ascent.
///
///     score'(i) = score(i) - sum over groups g of i of mu(g)
///     after each slate:   mu(g) <- max(0, mu(g) + rate * (use(g) - at_most(g)))
///
/// A group that is shown too much gets dearer until others replace it. Single slates stay free: no request gets a bad
/// list to meet a rule. A group without a target is free.
///
/// After T updates, mean use(g) <= at_most(g) + mu(g) / (rate T), whatever the scores were. A price stops rising where
/// other candidates win, so it is about as large as the differences of the scores, and the excess falls as 1 / T. If
/// there are no others, the price rises without limit: watch prices().
///
/// For a floor, limit the rest: "new items fill 2 of 10 places" is at_most 8 for the group of the others. If each
/// candidate has one group, and the targets add up to the length of the slates, each group gets its target.
///
///     ExposurePacing pacing({{.group = old, .at_most = 8.0}});
///     const Groups ages(age_of);  // per request: the groups of its candidates
///     const auto slate = fill_slate(pacing.score(relevance, ages), 10);
///     pacing.update(slate, ages);
///
/// Cost      one number per target; score: O(n c + t log G);  update: O(k c + t log G), for c groups per candidate,
///           t targets, G groups
/// Source    Balseiro, Lu, Mirrokni, "The best of many worlds: dual mirror descent for online allocation problems",
///           Operations Research 2023 (algorithm 1, Euclidean)
class ExposurePacing {
public:
    /// Errors    InvalidArgument if there is no target, a group has two, or a target or an option is out of range
    explicit ExposurePacing(std::vector<ExposureTarget> targets, const ExposurePacingOptions& options = {})
        : targets_(std::move(targets)), rate_(options.rate) {
        require_at_least(targets_.size(), 1, "ExposurePacing: number of targets");
        require_positive(rate_, "ExposurePacing: rate");
        for (const ExposureTarget& target : targets_) {
            require_not_negative(target.at_most, "ExposurePacing: at_most");
        }
        require(names_each_group_once(), "ExposurePacing: targets must name each group once");
        prices_.resize(targets_.size(), 0.0);
    }

    ExposurePacing(const ExposurePacing&) = default;
    ExposurePacing(ExposurePacing&&) noexcept = default;
    ExposurePacing& operator=(const ExposurePacing& other) { return *this = ExposurePacing(other); }  // all or nothing
    ExposurePacing& operator=(ExposurePacing&&) noexcept = default;
    ~ExposurePacing() = default;

    /// The scores, less the prices of the groups of each candidate.
    ///
    /// Shapes    scores: n;  groups: of n candidates
    /// Returns   n scores, by position
    /// Errors    InvalidArgument if the sizes differ, a score is not finite, or a result exceeds the range of float
    [[nodiscard]] std::vector<float> score(std::span<const float> scores, const Groups& groups) const {
        require_equal(groups.candidates(), scores.size(), "ExposurePacing::score: candidates of groups");
        std::vector<double> price(groups.count(), 0.0);
        for (std::size_t t = 0; t < targets_.size(); ++t) {
            if (const auto number = groups.find(targets_[t].group)) {
                price[*number] = prices_[t];
            }
        }
        std::vector<float> paced(scores.size());
        for (std::size_t i = 0; i < scores.size(); ++i) {
            require_finite(scores[i], "ExposurePacing::score: scores");
            double paid = 0.0;
            for (const std::size_t number : groups.of(i)) {
                paid += price[number];
            }
            paced[i] = static_cast<float>(static_cast<double>(scores[i]) - paid);
            require(math::is_finite(paced[i]), "ExposurePacing::score: results must be finite: a price is too large");
        }
        return paced;
    }

    /// One slate was shown: the use of a group is the number of its items.
    ///
    /// Shapes    slate: positions of candidates;  groups: of the candidates of this slate
    /// Errors    InvalidArgument if a position is out of range
    void update(std::span<const std::size_t> slate, const Groups& groups) {
        std::vector<double> items(groups.count(), 0.0);
        for (const std::size_t i : slate) {
            require_below(i, groups.candidates(), "ExposurePacing::update: position");
            for (const std::size_t number : groups.of(i)) {
                items[number] += 1.0;
            }
        }
        std::vector<double> uses;
        for (const ExposureTarget& target : targets_) {
            const auto number = groups.find(target.group);
            uses.push_back(number ? items[*number] : 0.0);
        }
        update(uses);
    }

    /// The same with uses of your own, such as sums of the probabilities that a place is seen, or of impressions.
    ///
    /// Shapes    uses: >= 0, one per target, in the order of the targets
    /// Errors    InvalidArgument if the size differs, a use is negative or not finite, or a price would overflow
    void update(std::span<const double> uses) {
        require_equal(uses.size(), targets_.size(), "ExposurePacing::update: number of uses");
        std::vector<double> next(prices_.size());
        for (std::size_t t = 0; t < uses.size(); ++t) {
            require_not_negative(uses[t], "ExposurePacing::update: uses");
            next[t] = std::max(0.0, prices_[t] + rate_ * (uses[t] - targets_[t].at_most));
            require_finite(next[t], "ExposurePacing::update: price");
        }
        prices_ = std::move(next);
    }

    /// mu, in the unit of the scores, in the order of the targets.
    [[nodiscard]] std::span<const double> prices() const noexcept FUNNEL_LIFETIMEBOUND { return prices_; }

    [[nodiscard]] std::span<const ExposureTarget> targets() const noexcept FUNNEL_LIFETIMEBOUND { return targets_; }

    /// Errors    IOError;  InvalidArgument if the object is moved-from
    void save(const std::string& path) const {
        require(!targets_.empty(), "ExposurePacing::save: the object must not be moved-from");
        std::vector<std::uint64_t> groups;
        std::vector<double> at_most;
        for (const ExposureTarget& target : targets_) {
            groups.push_back(target.group);
            at_most.push_back(target.at_most);
        }
        io::ContainerWriter file(kind, layout_version);
        file.value("rate", rate_);
        file.array("groups", groups);
        file.array("at_most", at_most);
        file.array("prices", prices_);
        file.save(path);
    }

    /// Errors    IOError;  CorruptData if the file is damaged or holds something else
    [[nodiscard]] static ExposurePacing load(const std::string& path) {
        const io::ContainerReader file(path, kind, layout_version);
        ExposurePacing pacing;
        pacing.rate_ = file.value<double>("rate");
        file.check(math::is_finite(pacing.rate_) && pacing.rate_ > 0.0, "rate", "must be finite and > 0");
        const auto groups = file.array<std::uint64_t>("groups");
        file.check(!groups.empty(), "groups", "must have at least one group");
        const auto at_most = file.array<double>("at_most", groups.size());
        pacing.prices_ = file.array<double>("prices", groups.size());
        const auto is_valid = [](const double& x) { return math::is_finite(x) && x >= 0.0; };
        file.check(std::all_of(at_most.begin(), at_most.end(), is_valid), "at_most", "must be finite and >= 0");
        file.check(std::all_of(pacing.prices_.begin(), pacing.prices_.end(), is_valid), "prices",
                   "must be finite and >= 0");
        for (std::size_t t = 0; t < groups.size(); ++t) {
            pacing.targets_.push_back({groups[t], at_most[t]});
        }
        file.check(pacing.names_each_group_once(), "groups", "must name each group once");
        return pacing;
    }

private:
    static constexpr std::string_view kind = "rerank.ExposurePacing";
    static constexpr std::uint32_t layout_version = 1;

    ExposurePacing() = default;

    [[nodiscard]] bool names_each_group_once() const {
        std::vector<std::uint64_t> groups;
        groups.reserve(targets_.size());
        for (const ExposureTarget& target : targets_) {
            groups.push_back(target.group);
        }
        std::sort(groups.begin(), groups.end());
        return std::adjacent_find(groups.begin(), groups.end()) == groups.end();
    }

    std::vector<ExposureTarget> targets_;
    std::vector<double> prices_;
    double rate_ = 0.0;
};

}  // namespace rerank
}  // namespace FUNNEL_ABI
}  // namespace funnel
