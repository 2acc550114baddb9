// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/pipeline/candidates.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <time.h>

namespace funnel::inline FUNNEL_ABI::pipeline {

/// What one is asked for. A struct of your own with more in it (device, country, page ...) does as well.
struct Request {
    std::uint32_t user = 0;
    std::size_t k = 10;                       ///< length of the answer
    std::vector<std::uint32_t> exclude = {};  ///< items that must not be in it; your own struct may do without
};

/// Anything that says who asks, and for how many items.
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

template <class List, class Element>
concept ListOf = requires(const List& list) {
    { *list.begin() } -> std::convertible_to<Element>;
    list.end();
};

}  // namespace detail

/// A source of candidates: a model with recommend(user, {.k = n}), or a callable (request, n). Either gives items with
/// .id and .score, best first, n at most.
template <class S, class R>
concept Retriever = requires(S& source, const R& request, std::size_t n) {
    { source(request, n) } -> detail::ScoredList;
} || requires(S& source, const R& request, std::size_t n) {
    { source.recommend(request.user, {.k = n}) } -> detail::ScoredList;
};

/// Scores candidates: a model with score(user, ids), or a callable (request, candidates). Either gives one score each.
template <class S, class R>
concept Ranker = requires(S& ranker, const R& request, const Candidates& candidates) {
    { ranker(request, candidates) } -> detail::ListOf<float>;
} || requires(S& ranker, const R& request, std::span<const std::uint32_t> ids) {
    { ranker.score(request.user, ids) } -> detail::ListOf<float>;
};

/// Orders candidates: a callable (request, candidates) that gives the positions of those to keep, in their new order.
template <class S, class R>
concept Reranker = requires(S& rule, const R& request, const Candidates& candidates) {
    requires std::integral<std::remove_cvref_t<decltype(*rule(request, candidates).begin())>>;
    rule(request, candidates).end();
};

/// Says whether an item may be shown: a callable (request, id) that gives true or false.
template <class S, class R>
concept Filter = std::predicate<S&, const R&, std::uint32_t>;

struct StageOptions {
    std::optional<std::size_t> at_most =
        {};  ///< most candidates to leave the stage; a source gets those excluded on top
};

/// Something that a stage runs, with the name it has in the trace. T is a reference for what was passed as an lvalue.
template <class T>
struct Named {
    std::string name;
    T work;
    StageOptions options = {};
};

/// Gives a source, ranker, rule or level a name and limits: retrieve(named("ease", ease, {.at_most = 300})).
/// An lvalue is referred to and must outlive the funnel; an rvalue moves in.
template <class T>
[[nodiscard]] Named<T> named(std::string name, T&& work, const StageOptions& options = {}) {
    return {std::move(name), std::forward<T>(work), options};
}

/// How one stage went.
struct StageTrace {
    std::string name;
    std::size_t in;             ///< candidates that went in
    std::size_t out;            ///< candidates that came out
    std::uint64_t nanoseconds;  ///< of a steady clock
};

/// How a request went.
struct Trace {
    std::vector<StageTrace> stages;             ///< in the order they ran
    std::vector<std::string> sources;           ///< name of source s: those of retrieve, then the levels of fallback
    std::optional<std::size_t> fallback_level;  ///< the last level that gave an item, if any did
};

namespace detail {

// A clock that never goes back. The system's own, because <chrono> costs as much to parse as the rest of this header.
[[nodiscard]] inline std::uint64_t steady_nanoseconds() noexcept {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(now.tv_nsec);
}

// Runs work, which returns how many candidates came out, and writes down how it went.
template <std::invocable Work>
void traced(Trace& trace, const std::string& name, std::size_t in, Work&& work) {
    const std::uint64_t start = steady_nanoseconds();
    const std::size_t out = work();
    trace.stages.push_back({name, in, out, steady_nanoseconds() - start});
}

template <class T>
inline constexpr bool is_named = false;
template <class T>
inline constexpr bool is_named<Named<T>> = true;

// What a stage runs, as it is seen when the funnel is const: a funnel serves many threads at once.
template <class N>
using WorkOf = std::remove_reference_t<decltype((std::declval<const N&>().work))>;

// Things without a name get the name of their role and their number in it.
template <class T>
[[nodiscard]] auto with_name(const char* role, std::size_t number, T&& work) {
    if constexpr (is_named<std::remove_cvref_t<T>>) {
        return std::remove_cvref_t<T>(std::forward<T>(work));
    } else {
        return named(std::string(role) + " " + std::to_string(number), std::forward<T>(work));
    }
}

template <class T>
using NamedFor = decltype(with_name("", 0, std::declval<T>()));

template <class R>
[[nodiscard]] std::size_t k_of(const R& request) {
    require(request.k >= 0, "Funnel: request.k must not be negative");  // it may be of the caller's own type
    return static_cast<std::size_t>(request.k);
}

template <class R>
[[nodiscard]] std::span<const std::uint32_t> excluded_of(const R& request) noexcept {
    if constexpr (requires { std::span<const std::uint32_t>(request.exclude); }) {
        return request.exclude;
    } else {
        return {};
    }
}

// What a source finds, cut to n.
template <class R, Retriever<R> S>
[[nodiscard]] std::vector<Scored<>> ask(S& source, const R& request, std::size_t n) {
    const auto plain = [n](const auto& list) {
        std::vector<Scored<>> items;
        items.reserve(list.size() < n ? list.size() : n);
        for (const auto& item : list) {
            if (items.size() == n) {
                break;
            }
            items.push_back({static_cast<std::uint32_t>(item.id), static_cast<float>(item.score)});
        }
        return items;
    };
    if constexpr (requires { source(request, n); }) {
        return plain(source(request, n));
    } else {
        return plain(source.recommend(request.user, {.k = n}));
    }
}

template <class R, Ranker<R> S>
[[nodiscard]] std::vector<float> score(S& ranker, const R& request, const Candidates& candidates) {
    const auto plain = [&](const auto& list) {
        std::vector<float> scores;
        scores.reserve(candidates.size());
        for (const auto& value : list) {
            scores.push_back(static_cast<float>(value));
        }
        return scores;
    };
    if constexpr (requires { ranker(request, candidates); }) {
        return plain(ranker(request, candidates));
    } else {
        return plain(ranker.score(request.user, candidates.ids()));
    }
}

}  // namespace detail

}  // namespace funnel::pipeline
