// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/pipeline/candidates.hpp>
#include <funnel/pipeline/named.hpp>
#include <funnel/pipeline/trace.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace pipeline {

/// A request. You can use your own struct instead, with more fields (device, country, page ...).
struct Request {
    std::uint32_t user = 0;
    std::size_t k = 10;                       ///< length of the answer
    std::vector<std::uint32_t> exclude = {};  ///< items that must not be in the answer; optional in your own struct
};

/// Any type with a user and an integral k.
template <class R>
concept RecommendationRequest = requires(const R& request) {
    request.user;
    requires std::integral<std::remove_cvref_t<decltype(request.k)>>;
};

namespace detail {

template <class List>
concept ScoredList = requires(const List& list) {
    { list.begin()->id } -> std::convertible_to<std::uint32_t>;
    { list.begin()->score } -> std::convertible_to<float>;
    { list.size() } -> std::convertible_to<std::size_t>;
    list.end();
};

template <class List>
concept PositionList = requires(const List& list) {
    requires std::integral<std::remove_cvref_t<decltype(*list.begin())>>;
    list.end();
};

template <class List, class Element>
concept ListOf = requires(const List& list) {
    { *list.begin() } -> std::convertible_to<Element>;
    list.end();
};

}  // namespace detail

/// A source of candidates: a model with recommend(user, {.k = n}), or a callable (request, n). Both return at most n
/// items with .id and .score, best first. n may be as large as std::size_t allows: it is a limit, not a size to
/// allocate.
///
/// A source that knows nothing about a user returns an empty list, and the fallback is asked. If a source throws, the
/// exception leaves recommend, and no fallback is asked.
template <class S, class R>
concept Retriever = requires(S& source, const R& request, std::size_t n) {
    { source(request, n) } -> detail::ScoredList;
} || requires(S& source, const R& request, std::size_t n) {
    { source.recommend(request.user, {.k = n}) } -> detail::ScoredList;
};

/// Scores candidates: a model with score(user, ids), or a callable (request, candidates). Both return one score per
/// candidate.
template <class S, class R>
concept Ranker = requires(S& ranker, const R& request, const Candidates& candidates) {
    { ranker(request, candidates) } -> detail::ListOf<float>;
} || requires(S& ranker, const R& request, std::span<const std::uint32_t> ids) {
    { ranker.score(request.user, ids) } -> detail::ListOf<float>;
};

/// Orders candidates: a callable (request, candidates) or (request, candidates, trace) that returns the positions of
/// the candidates to keep, in their new order. The trace is what the stages before recorded, such as the items to
/// explore.
///
/// If the list that it returns has a report (see rerank::RuledSlate), the trace of the request keeps it: what was set
/// aside, the pins that were dropped, and the quotas that are not met.
template <class S, class R>
concept Reranker = requires(S& rule, const R& request, const Candidates& candidates) {
    { rule(request, candidates) } -> detail::PositionList;
} || requires(S& rule, const R& request, const Candidates& candidates, const Trace& trace) {
    { rule(request, candidates, trace) } -> detail::PositionList;
};

/// Decides whether an item may be shown: a callable (request, id) that returns true or false.
template <class S, class R>
concept Filter = std::predicate<S&, const R&, std::uint32_t>;

namespace detail {

template <class R>
[[nodiscard]] std::size_t k_of(const R& request) {
    require(request.k >= 0, "Funnel: request.k must not be negative");  // k of a user's own struct may be signed
    return static_cast<std::size_t>(request.k);
}

template <class R>
[[nodiscard]] std::span<const std::uint32_t> excluded_of(const R& request FUNNEL_LIFETIMEBOUND) {
    if constexpr (requires { request.exclude; }) {
        static_assert(
            requires { std::span<const std::uint32_t>(request.exclude); },
            "request.exclude must be a contiguous list of std::uint32_t");
        return std::span<const std::uint32_t>(request.exclude);
    } else {
        return {};
    }
}

// Converts the id and the score of a user's own type, if they are in the range of ours.
template <class Id>
[[nodiscard]] std::uint32_t plain_id(const Id& id, const std::string& name) {
    if constexpr (std::integral<Id>) {
        if (!std::in_range<std::uint32_t>(+id)) {  // promoted: in_range accepts neither bool nor char
            raise<InvalidArgument>(name + ": " + std::to_string(+id) + " is not an item id, 0 to 4294967295");
        }
    } else if constexpr (std::floating_point<Id>) {
        constexpr double last = std::numeric_limits<std::uint32_t>::max();
        const auto number = static_cast<double>(id);
        if (!math::is_finite(number) || number < 0.0 || number > last || number != math::floor(number)) {
            raise<InvalidArgument>(name + ": " + std::to_string(number) + " is not an item id, 0 to 4294967295");
        }
    }
    return static_cast<std::uint32_t>(id);
}

template <class Score>
[[nodiscard]] float plain_score(const Score& score, const std::string& name) {
    if constexpr (std::floating_point<Score> && !std::same_as<Score, float>) {
        constexpr double largest = std::numeric_limits<float>::max();
        const auto number = static_cast<double>(score);
        if (math::is_finite(number) && (number > largest || number < -largest)) {
            raise<InvalidArgument>(name + ": a score is too large for a float: " + std::to_string(number));
        }
    }
    return static_cast<float>(score);
}

// The items of a source, cut to n.
template <class N, class R>
[[nodiscard]] std::vector<Scored<>> ask(const N& named, const R& request, std::size_t n) {
    const auto plain = [&](const auto& list) {
        std::vector<Scored<>> items;
        const std::size_t found = list.size();
        items.reserve(std::min(found, n));
        for (const auto& item : list) {
            if (items.size() == n) {
                break;
            }
            items.push_back({plain_id(item.id, named.name), plain_score(item.score, named.name)});
        }
        return items;
    };
    auto& source = work_of(named);
    if constexpr (requires { source(request, n); }) {
        return plain(source(request, n));
    } else {
        return plain(source.recommend(request.user, {.k = n}));
    }
}

template <class N, class R>
[[nodiscard]] std::vector<float> score(const N& named, const R& request, const Candidates& candidates) {
    const auto plain = [&](const auto& list) {
        std::vector<float> scores;
        scores.reserve(candidates.size());
        for (const auto& value : list) {
            scores.push_back(plain_score(value, named.name));
        }
        return scores;
    };
    auto& ranker = work_of(named);
    if constexpr (requires { ranker(request, candidates); }) {
        return plain(ranker(request, candidates));
    } else {
        return plain(ranker.score(request.user, candidates.ids()));
    }
}

// Adds what a rule reports about its list to the trace.
template <class Report>
void keep_report(const Report& report, const std::string& name, const Candidates& candidates, Trace& trace) {
    const auto id_of = [&](std::size_t candidate) {
        if (candidate >= candidates.size()) {
            raise<InvalidArgument>(name + ": the report must have positions below " +
                                   std::to_string(candidates.size()) + ", got " + std::to_string(candidate));
        }
        return candidates.ids()[candidate];
    };
    for (const auto& aside : report.relaxed) {
        trace.set_aside.push_back({name, aside.rule, aside.place, id_of(aside.candidate)});
    }
    for (const auto& dropped : report.dropped) {
        trace.dropped.push_back({name, dropped.rule, dropped.pin.place, id_of(dropped.pin.candidate)});
    }
    for (const auto& [rule, shortage] : report.short_of) {
        trace.unmet.push_back(
            {name, rule, shortage.quota.group, shortage.quota.at_least, shortage.quota.within, shortage.found});
    }
}

// The positions that a rule returns; the trace keeps its report.
template <class N, class R>
[[nodiscard]] std::vector<std::size_t> order(const N& named, const R& request, const Candidates& candidates,
                                             Trace& trace) {
    const auto plain = [&](const auto& list) {
        std::vector<std::size_t> positions;
        for (const auto position : list) {
            positions.push_back(static_cast<std::size_t>(position));
        }
        if constexpr (requires { list.report.relaxed; }) {
            keep_report(list.report, named.name, candidates, trace);
        }
        return positions;
    };
    auto& rule = work_of(named);
    if constexpr (requires { rule(request, candidates, std::as_const(trace)); }) {
        return plain(rule(request, candidates, std::as_const(trace)));
    } else {
        return plain(rule(request, candidates));
    }
}

}  // namespace detail

}  // namespace pipeline
}  // namespace FUNNEL_ABI
}  // namespace funnel
