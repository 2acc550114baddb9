// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/pipeline/candidates.hpp>
#include <funnel/pipeline/explore.hpp>
#include <funnel/pipeline/fallback.hpp>
#include <funnel/pipeline/merge.hpp>
#include <funnel/pipeline/named.hpp>
#include <funnel/pipeline/stage.hpp>
#include <funnel/pipeline/trace.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace pipeline {

/// Number of candidates requested from a source without at_most; k if k is larger.
inline constexpr std::size_t default_candidates = 200;

/// Asks every source and merges the results; see retrieve().
///
/// Stages run inside a Funnel. If run() throws, candidates and trace are valid, but may be only partly updated.
template <class... Sources>
struct Retrieve {
    static_assert(sizeof...(Sources) <= max_sources, "retrieve: at most 32 sources");

    std::tuple<Sources...> sources;  // each a Named

    template <RecommendationRequest R>
    void run(const R& request, Candidates& candidates, Trace& trace) const {
        static_assert((Retriever<detail::WorkOf<Sources>, R> && ...),
                      "retrieve: a source must be a Retriever: recommend(user, {.k = n}) or callable as (request, n)");
        const auto excluded = detail::excluded_of(request);
        std::array<std::vector<Scored<>>, sizeof...(Sources)> found;
        std::vector<SourceList> lists;
        std::size_t total = 0;
        const auto ask = [&](const auto& source) {
            auto& items = found[lists.size()];
            const std::size_t most =
                source.options.at_most.value_or(std::max(default_candidates, detail::k_of(request)));
            detail::traced(trace, source.name, 0, [&] {
                // Request enough items that `most` remain after exclusions.
                items = detail::ask(source, request, math::saturating_add(most, excluded.size()));
                return items.size();
            });
            lists.push_back({.items = items, .at_most = most, .name = source.name});
            trace.sources.push_back(source.name);
            total += items.size();
        };
        std::apply([&](const auto&... each) { (ask(each), ...); }, sources);
        detail::traced(trace, "merge", total, [&] {
            candidates = merge(lists, {.exclude = excluded});
            return candidates.size();
        });
    }
};

/// Removes candidates that must not be shown; see filter().
template <class... Filters>
struct FilterStage {
    std::tuple<Filters...> filters;  // each a Named

    template <RecommendationRequest R>
    [[nodiscard]] bool keeps(const R& request, std::uint32_t id) const {
        return std::apply([&](const auto&... each) { return (detail::work_of(each)(request, id) && ...); }, filters);
    }

    template <RecommendationRequest R>
    void run(const R& request, Candidates& candidates, Trace& trace) const {
        static_assert((Filter<detail::WorkOf<Filters>, R> && ...),
                      "filter: a condition must be a Filter: callable as (request, id), returning true or false");
        const auto apply = [&](const auto& condition) {
            detail::traced(trace, condition.name, candidates.size(), [&] {
                auto& may_show = detail::work_of(condition);
                std::vector<std::size_t> kept;
                for (std::size_t i = 0; i < candidates.size(); ++i) {
                    if (may_show(request, candidates.ids()[i])) {
                        kept.push_back(i);
                    }
                }
                candidates.arrange(kept, condition.name);
                return candidates.size();
            });
        };
        std::apply([&](const auto&... each) { (apply(each), ...); }, filters);
    }
};

/// Scores the candidates again and sorts them; see rank().
template <class Model>
struct Rank {
    Model model;  // a Named

    template <RecommendationRequest R>
    void run(const R& request, Candidates& candidates, Trace& trace) const {
        static_assert(Ranker<detail::WorkOf<Model>, R>,
                      "rank: the model must be a Ranker: score(user, ids) or callable as (request, candidates)");
        detail::traced(trace, model.name, candidates.size(), [&] {
            if (!candidates.empty()) {
                candidates.rescore(detail::score(model, request, candidates), model.name);
                candidates.truncate(model.options.at_most.value_or(candidates.size()));
            }
            return candidates.size();
        });
    }
};

/// Reorders the candidates, rule by rule; see rerank().
template <class... Rules>
struct Rerank {
    std::tuple<Rules...> rules;  // each a Named

    template <RecommendationRequest R>
    void run(const R& request, Candidates& candidates, Trace& trace) const {
        static_assert((Reranker<detail::WorkOf<Rules>, R> && ...),
                      "rerank: a rule must be a Reranker: callable as (request, candidates) or with the trace, "
                      "returning positions");
        const auto apply = [&](const auto& rule) {
            detail::traced(trace, rule.name, candidates.size(), [&] {
                if (!candidates.empty()) {
                    candidates.arrange(detail::order(rule, request, candidates, trace), rule.name);
                    candidates.truncate(rule.options.at_most.value_or(candidates.size()));
                }
                return candidates.size();
            });
        };
        std::apply([&](const auto&... each) { (apply(each), ...); }, rules);
    }
};

/// Retrieves candidates from sources (see Retriever) and merges them; see merge(). A source adds at most at_most items;
/// without at_most, the larger of default_candidates and k.
template <class... Sources>
    requires(sizeof...(Sources) > 0)
[[nodiscard]] Retrieve<detail::NamedFor<Sources>...> retrieve(Sources&&... sources) {
    std::size_t number = 0;  // braces fix the order of evaluation, and thus the numbers
    return {{detail::with_name("source", number++, std::forward<Sources>(sources))...}};
}

/// Conditions (see Filter) that every item of the answer meets, including items of fallback levels.
template <class... Filters>
[[nodiscard]] FilterStage<detail::NamedFor<Filters>...> filter(Filters&&... filters) {
    std::size_t number = 0;
    return {{detail::with_name("filter", number++, std::forward<Filters>(filters))...}};
}

/// Scores the candidates with a model (see Ranker) and keeps the at_most best.
template <class Model>
[[nodiscard]] Rank<detail::NamedFor<Model>> rank(Model&& model) {
    return {detail::with_name("rank", 0, std::forward<Model>(model))};
}

/// Applies rules (see Reranker) one after the other to the whole list.
template <class... Rules>
[[nodiscard]] Rerank<detail::NamedFor<Rules>...> rerank(Rules&&... rules) {
    std::size_t number = 0;
    return {{detail::with_name("rule", number++, std::forward<Rules>(rules))...}};
}

/// The answer to a request: a list of items, and a trace of how it was made.
struct Result {
    std::vector<Candidate> items;  ///< at most k items, without duplicates, in the order to show them
    Trace trace;

    [[nodiscard]] auto begin() const noexcept FUNNEL_LIFETIMEBOUND { return items.begin(); }
    [[nodiscard]] auto end() const noexcept FUNNEL_LIFETIMEBOUND { return items.end(); }
    [[nodiscard]] std::size_t size() const noexcept { return items.size(); }
    [[nodiscard]] bool empty() const noexcept { return items.empty(); }
    /// Position i < size() (not checked).
    [[nodiscard]] const Candidate& operator[](std::size_t i) const noexcept FUNNEL_LIFETIMEBOUND {
        FUNNEL_ASSERT(i < items.size());
        return items[i];
    }
};

struct RecommendOptions {
    std::size_t k = 10;  ///< length of the answer
};

namespace detail {

template <class Stage>
inline constexpr bool is_retrieve = false;
template <class... Sources>
inline constexpr bool is_retrieve<Retrieve<Sources...>> = true;
template <class Stage>
inline constexpr bool is_fallback = false;
template <class... Levels>
inline constexpr bool is_fallback<Fallback<Levels...>> = true;
template <class Stage>
inline constexpr bool is_explore = false;
template <class Draw>
inline constexpr bool is_explore<Explore<Draw>> = true;
template <class Stage>
inline constexpr std::size_t sources_in = 0;
template <class... Sources>
inline constexpr std::size_t sources_in<Retrieve<Sources...>> = sizeof...(Sources);
template <class... Levels>
inline constexpr std::size_t sources_in<Fallback<Levels...>> = sizeof...(Levels);

}  // namespace detail

/// A recommender composed of stages at compile time. There are no virtual calls, and a stage that is not used has no
/// cost.
///
///     Funnel funnel(retrieve(ease, popular), rank(model), rerank(diversity), fallback(popular));
///     auto result = funnel.recommend({.user = 42, .k = 10});
///
/// retrieve comes first, and fallback (optional) last. Between them, filters, rankers, rules and explore() may come in
/// any order and number. Models and rules are not called for an empty list. An exception of a stage leaves recommend at
/// once: the fallback is for users about whom the sources find nothing, not for sources that fail. The funnel remains
/// usable.
///
/// A model passed as an lvalue must outlive the funnel; see named() for the other ways to own it.
template <class First, class... Rest>
class Funnel {
    static_assert(detail::is_retrieve<First>, "Funnel: the first stage must be retrieve(...)");
    static_assert(!(detail::is_retrieve<Rest> || ...), "Funnel: only the first stage can be retrieve(...)");
    static_assert(detail::sources_in<First> + (detail::sources_in<Rest> + ... + std::size_t{0}) <= max_sources,
                  "Funnel: at most 32 sources, those of retrieve(...) and the levels of fallback(...) together");

public:
    explicit Funnel(First first, Rest... rest) : stages_(std::move(first), std::move(rest)...) {}

    /// Answers a request. Safe to call from several threads if the calls to the stages are.
    ///
    /// Returns   at most request.k items, in the order of the last stage; after a ranker: higher score first, then
    ///           smaller id
    /// Errors    InvalidArgument with the name of the stage if the stage breaks its contract (NaN scores, wrong sizes,
    ///           positions that do not exist, ids or scores out of range), or if request.k is negative; any exception
    ///           of a stage
    template <RecommendationRequest R>
    [[nodiscard]] Result recommend(const R& request) const {
        Result result;
        Candidates candidates;
        const auto keep = [&](std::uint32_t id) {
            return std::apply([&](const auto&... stage) { return (keeps(stage, request, id) && ...); }, stages_);
        };
        const auto run = [&](const auto& stage) {
            if constexpr (detail::is_fallback<std::remove_cvref_t<decltype(stage)>>) {
                take(candidates, detail::k_of(request), result.items);
                stage.fill(result.items, request, candidates.sources(), keep, result.trace);
            } else if constexpr (detail::is_explore<std::remove_cvref_t<decltype(stage)>>) {
                stage.run(request, candidates, result.trace, keep);
            } else {
                stage.run(request, candidates, result.trace);
            }
        };
        std::apply([&](const auto&... stage) { (run(stage), ...); }, stages_);
        if constexpr (!has_fallback) {
            take(candidates, detail::k_of(request), result.items);
        }
        detail::settle_explored(result.items, result.trace);
        return result;
    }

    [[nodiscard]] Result recommend(const Request& request) const { return recommend<Request>(request); }

    /// The same signature as recommend() of every model in this library.
    [[nodiscard]] Result recommend(std::uint32_t user, const RecommendOptions& options = {}) const {
        return recommend(Request{.user = user, .k = options.k});
    }

private:
    static constexpr bool has_fallback = (detail::is_fallback<Rest> || ...);
    static_assert(!has_fallback ||
                      detail::is_fallback<std::tuple_element_t<sizeof...(Rest), std::tuple<First, Rest...>>>,
                  "Funnel: fallback(...) must be the last stage");

    template <class Stage, class R>
    // Whether a stage allows an item. Only filters can reject one.
    static bool keeps(const Stage& stage, const R& request, std::uint32_t id) {
        if constexpr (requires { stage.keeps(request, id); }) {
            return stage.keeps(request, id);
        } else {
            return true;
        }
    }

    // Copies the first k candidates.
    static void take(const Candidates& candidates, std::size_t k, std::vector<Candidate>& items) {
        items.reserve(std::min(k, candidates.size()));
        for (std::size_t i = 0; i < candidates.size() && i < k; ++i) {
            items.push_back(candidates[i]);
        }
    }

    std::tuple<First, Rest...> stages_;
};

}  // namespace pipeline
}  // namespace FUNNEL_ABI
}  // namespace funnel
