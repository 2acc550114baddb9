// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/options.hpp>
#include <funnel/rerank/group_quota.hpp>
#include <funnel/rerank/pins.hpp>
#include <funnel/rerank/slate_rule.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace rerank {

namespace detail {

template <class R>
inline constexpr bool is_filter = false;
template <class R>
    requires requires { R::is_filter; }
inline constexpr bool is_filter<R> = R::is_filter;

}  // namespace detail

/// A rule with a name for the report.
template <SlateRule R>
struct NamedRule {
    std::string name;
    R rule;
    bool is_hard;
};

/// A rule that is never set aside, except by a pin (a filter, such as AllowIf, not even by that). If it allows no
/// candidate, the slate ends.
template <SlateRule R>
[[nodiscard]] NamedRule<R> hard(std::string name, R rule) {
    return {std::move(name), std::move(rule), true};
}

/// A rule that is set aside at a place that would remain empty otherwise.
template <SlateRule R>
[[nodiscard]] NamedRule<R> soft(std::string name, R rule) {
    return {std::move(name), std::move(rule), false};
}

struct SlateShape {
    std::size_t candidates;      ///< number of candidates
    std::size_t places;          ///< length of the slate; min(places, candidates) can be filled
    std::vector<Pin> pins = {};  ///< candidates with a place of their own
};

/// A rule that was set aside.
struct Relaxation {
    std::string rule;       ///< its name; "pins" for a pin that came before its place
    std::size_t place;      ///< where
    std::size_t candidate;  ///< what took the place
    bool by_pin;            ///< whether that is a pinned candidate

    friend bool operator==(const Relaxation&, const Relaxation&) = default;
};

/// A quota that is not met, with the name of its rule.
struct NamedShortage {
    std::string rule;
    Shortage shortage;

    friend bool operator==(const NamedShortage&, const NamedShortage&) = default;
};

/// A pin that is not shown. The rule is the hard filter that forbids its candidate, and its place goes to another one;
/// or it is "end": the slate ended before its place.
struct DroppedPin {
    std::string rule;
    Pin pin;

    friend bool operator==(const DroppedPin&, const DroppedPin&) = default;
};

struct SlateReport {
    std::vector<Relaxation> relaxed;      ///< rules that were set aside, by place, then in the order of the rules
    std::vector<NamedShortage> short_of;  ///< quotas that the places taken so far do not meet
    std::vector<DroppedPin> dropped;      ///< pins that are not shown, by rule, then by place
};

/// Several rules and pins for one slate, with a declared order in which rules give way, and a report.
///
///     SlateRules rules({.candidates = n, .places = 10, .pins = {{7, 0}}},  // candidate 7 comes first
///                      hard("policy", AllowIf(may_be_shown)),
///                      soft("genres", GroupCap(genres, {.at_most = 3})),
///                      soft("spacing", spacing(franchises, 10, 2)));       // the last soft rule gives way first
///     const auto slate = fill_slate(relevance, 10, rules);
///     rules.report().relaxed;                                             // empty: every rule was kept
///
/// The order of operations:
///
/// 1. Filters and near-duplicates. Rules such as AllowIf and NearDuplicates keep candidates out of every place. A pin
///    whose candidate a hard filter forbids is dropped, which is reported.
/// 2. Boosts. freshness() and promote() change scores before the selection. They never overrule a rule.
/// 3. Selection. fill_slate, mmr, dpp or calibrated picks the best candidate that pins and rules allow at the place.
/// 4. Pins. A pinned candidate takes its place even against other hard rules, which is reported. From the start, it
///    counts for caps, quotas, windows and near-duplicates; from its place on, it repels others in mmr and dpp. If a
///    place would remain empty, even after step 5, the next pinned candidate comes early, reported under "pins".
/// 5. Backfill. If no candidate is allowed, soft rules are set aside for this place, one after the other, the last one
///    first. Every rule that forbids the candidate that is taken is reported with the place. At the next place, all
///    rules are back. Hard rules are kept: if they leave no candidate, the slate ends.
///
/// A rule looks ahead for itself only. Rules that can be met one by one, but not together, may lead to a dead end that
/// another order would have avoided. Caps and quotas on one partition of the candidates do not: together they are met
/// whenever they can be. A user's own rule takes part in pins if it has `pin(candidate, place)`; it is a filter if it
/// has `static constexpr bool is_filter = true`, which says that its answers depend on the candidate alone.
///
/// Cost      per place: a question to each rule for each candidate, until one is allowed
/// Errors    InvalidArgument for pins as in Pins, or if a rule is about another number of candidates
template <SlateRule... Rules>
class SlateRules {
public:
    explicit SlateRules(const SlateShape& shape, NamedRule<Rules>... rules)
        : pins_(shape.candidates, shape.places, shape.pins),
          places_(std::min(shape.places, shape.candidates)),
          is_taken_(shape.candidates, false),
          rules_(std::move(rules)...) {
        for_each_rule([&](const auto& named, std::size_t) {
            detail::require_rule_of(named.rule, shape.candidates, ("SlateRules: " + named.name).c_str());
        });
        std::size_t soft_rules = 0;
        for_each_rule([&](const auto& named, std::size_t) { soft_rules += named.is_hard ? 0U : 1U; });
        last_rung_ = soft_rules;
        for_each_rule(
            [&](const auto& named, std::size_t at) { kept_until_[at] = named.is_hard ? never : soft_rules--; });
        for_each_rule([&](const auto& named, std::size_t) {
            if constexpr (detail::is_filter<std::remove_cvref_t<decltype(named.rule)>>) {
                if (named.is_hard) {
                    drop_pins(named);
                }
            }
        });
        for (const Pin& pin : pins_.left()) {
            for_each_rule([&](auto& named, std::size_t) {
                if constexpr (requires { named.rule.pin(pin.candidate, pin.place); }) {
                    named.rule.pin(pin.candidate, pin.place);
                }
            });
        }
        choose_rung();
    }

    [[nodiscard]] std::size_t candidates() const noexcept { return is_taken_.size(); }

    [[nodiscard]] bool allows(std::size_t candidate) const {
        if (next_ == places_ || candidate >= is_taken_.size() || is_taken_[candidate]) {
            return false;
        }
        if (calls_pin_) {
            return pins_.left().front().candidate == candidate;
        }
        return pins_.allows(candidate) && (pins_.is_pinned_place() || keeps_rules(candidate, rung_));
    }

    void place(std::size_t candidate) {
        require_below(candidate, is_taken_.size(), "SlateRules: candidate");
        require(next_ < places_ && !is_taken_[candidate], "SlateRules: the place or the candidate is taken");
        const auto left = pins_.left();
        const bool is_pinned =
            std::any_of(left.begin(), left.end(), [&](const Pin& pin) { return pin.candidate == candidate; });
        if (!pins_.allows(candidate)) {
            relaxed_.push_back({"pins", next_, candidate, is_pinned});
        }
        for_each_rule([&](auto& named, std::size_t) {
            if (!std::as_const(named.rule).allows(candidate)) {
                relaxed_.push_back({named.name, next_, candidate, is_pinned});
            }
        });
        for_each_rule([&](auto& named, std::size_t) { named.rule.place(candidate); });
        pins_.place(candidate);
        is_taken_[candidate] = true;
        ++next_;
        choose_rung();
    }

    /// The quotas that cannot be met with these candidates and pins, known before the selection.
    [[nodiscard]] std::vector<NamedShortage> infeasible() const {
        std::vector<NamedShortage> all;
        for_each_rule([&](const auto& named, std::size_t) {
            if constexpr (requires { named.rule.infeasible(); }) {
                for (const Shortage& shortage : named.rule.infeasible()) {
                    all.push_back({named.name, shortage});
                }
            }
        });
        return all;
    }

    /// What was set aside so far, and what is missing so far: call it after the selection. Pins whose places the
    /// selection did not reach are among the dropped ones, under "end".
    [[nodiscard]] SlateReport report() const {
        SlateReport report{relaxed_, {}, dropped_};
        for (const Pin& pin : pins_.left()) {
            report.dropped.push_back({"end", pin});
        }
        for_each_rule([&](const auto& named, std::size_t) {
            if constexpr (requires { named.rule.unmet(); }) {
                for (const Shortage& shortage : named.rule.unmet()) {
                    report.short_of.push_back({named.name, shortage});
                }
            }
        });
        return report;
    }

private:
    static constexpr std::size_t never = static_cast<std::size_t>(-1);

    template <class Body>
    void for_each_rule(const Body& body) {
        std::size_t at = 0;
        std::apply([&](auto&... named) { (body(named, at++), ...); }, rules_);
    }
    template <class Body>
    void for_each_rule(const Body& body) const {
        std::size_t at = 0;
        std::apply([&](const auto&... named) { (body(named, at++), ...); }, rules_);
    }

    template <class Named>
    void drop_pins(const Named& filter) {
        const std::vector<Pin> all(pins_.left().begin(), pins_.left().end());
        for (const Pin& pin : all) {
            if (!filter.rule.allows(pin.candidate)) {
                dropped_.push_back({filter.name, pin});
                pins_.drop(pin.candidate);
            }
        }
    }

    // Rung r of the ladder sets aside the last r soft rules.
    [[nodiscard]] bool keeps_rules(std::size_t candidate, std::size_t rung) const {
        std::size_t at = 0;
        const auto keeps = [&](const auto& named) {
            return kept_until_[at++] <= rung || static_cast<bool>(named.rule.allows(candidate));
        };
        return std::apply([&](const auto&... named) { return (keeps(named) && ...); }, rules_);
    }

    // Finds the first rung on which a candidate may take the next place.
    void choose_rung() {
        rung_ = 0;
        calls_pin_ = false;
        if (next_ == places_ || pins_.is_pinned_place()) {
            return;
        }
        for (; rung_ <= last_rung_; ++rung_) {
            for (std::size_t i = 0; i < is_taken_.size(); ++i) {
                if (!is_taken_[i] && pins_.allows(i) && keeps_rules(i, rung_)) {
                    return;
                }
            }
        }
        rung_ = 0;
        calls_pin_ = !pins_.left().empty();
    }

    Pins pins_;
    std::size_t places_;
    std::vector<bool> is_taken_;
    std::tuple<NamedRule<Rules>...> rules_;
    std::array<std::size_t, sizeof...(Rules)> kept_until_{};  // the rung that sets the rule aside
    std::size_t last_rung_ = 0;
    std::size_t next_ = 0;
    std::size_t rung_ = 0;
    bool calls_pin_ = false;  // only the next pinned candidate can fill the place
    std::vector<Relaxation> relaxed_;
    std::vector<DroppedPin> dropped_;
};

/// The positions of a slate, and what the rules report about it. A rule of a Funnel may return it: then the trace of
/// the request keeps what was set aside.
struct RuledSlate {
    std::vector<std::size_t> positions;
    std::vector<Relaxation> set_aside;
    std::vector<NamedShortage> short_of;
    std::vector<DroppedPin> dropped;

    [[nodiscard]] auto begin() const noexcept FUNNEL_LIFETIMEBOUND { return positions.begin(); }
    [[nodiscard]] auto end() const noexcept FUNNEL_LIFETIMEBOUND { return positions.end(); }
};

/// Selects under rules, and reports what became of them.
///
///     under_rules(rules, [&](auto& rule) { return mmr(relevance, embeddings, {.k = 10}, rule); })
///
/// Shapes    rules: new ones for each slate;  select: callable with them, returning positions
template <class Select, SlateRule... Rules>
[[nodiscard]] RuledSlate under_rules(SlateRules<Rules...> rules, const Select& select) {
    std::vector<std::size_t> positions = select(rules);
    SlateReport report = rules.report();
    return {std::move(positions), std::move(report.relaxed), std::move(report.short_of), std::move(report.dropped)};
}

}  // namespace rerank
}  // namespace FUNNEL_ABI
}  // namespace funnel
