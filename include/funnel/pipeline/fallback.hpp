// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/pipeline/candidates.hpp>
#include <funnel/pipeline/merge.hpp>
#include <funnel/pipeline/named.hpp>
#include <funnel/pipeline/stage.hpp>
#include <funnel/pipeline/trace.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace pipeline {

/// Sources that are asked in order when an answer is too short; see fallback().
template <class... Levels>
struct Fallback {
    static_assert(sizeof...(Levels) <= max_sources, "fallback: at most 32 levels");

    std::tuple<Levels...> levels;  // each a Named

    /// Adds items up to request.k, level by level. Level l is source number first_source + l. If a call throws, items
    /// and trace keep what was added before.
    ///
    /// Errors    InvalidArgument with the name of the level if a score is NaN or an id is out of range; InvalidArgument
    ///           if there are more than 32 sources in total; any exception of a level
    template <RecommendationRequest R, std::predicate<std::uint32_t> Keep>
    void fill(std::vector<Candidate>& items, const R& request, std::size_t first_source, const Keep& keep,
              Trace& trace) const {
        static_assert((Retriever<detail::WorkOf<Levels>, R> && ...),
                      "fallback: a level must be a Retriever: recommend(user, {.k = n}) or callable as (request, n)");
        if (first_source > max_sources - sizeof...(Levels)) {
            raise<InvalidArgument>("fallback: at most 32 sources, got " + std::to_string(first_source) + " and " +
                                   std::to_string(sizeof...(Levels)) + " levels");
        }
        std::size_t level = 0;
        const auto climb = [&](const auto& named_level) {
            trace.sources.push_back(named_level.name);
            if (items.size() < detail::k_of(request)) {
                const std::size_t before = items.size();
                detail::traced(trace, named_level.name, before, [&] {
                    fill_from(named_level, items, request, first_source + level, keep);
                    return items.size();
                });
                if (items.size() > before) {
                    trace.fallback_level = level;
                }
            }
            ++level;
        };
        std::apply([&](const auto&... each) { (climb(each), ...); }, levels);
    }

private:
    template <class Level, class R, class Keep>
    static void fill_from(const Level& level, std::vector<Candidate>& items, const R& request, std::size_t source,
                          const Keep& keep) {
        const std::size_t k = detail::k_of(request);
        const auto excluded = detail::excluded_of(request);
        const std::size_t give = level.options.at_most.value_or(std::numeric_limits<std::size_t>::max());
        const std::size_t room = k - items.size();
        const std::size_t size = items.size() + std::min(give, room);

        // Request enough items that k remain after exclusions and duplicates; request more if filters remove some.
        std::size_t distinct = 0;
        for (std::size_t n = math::saturating_add(k, excluded.size());; n = math::saturating_multiply(n, 2)) {
            const std::vector<Scored<>> list = detail::ask(level, request, n);
            detail::IdNumbers number_of(excluded.size() + items.size() + list.size());
            for (const std::uint32_t id : excluded) {
                number_of(id);
            }
            for (const Candidate& item : items) {
                number_of(item.id);
            }
            for (const Scored<>& item : list) {
                if (items.size() == size) {
                    return;
                }
                if (math::is_nan(item.score)) {
                    raise<InvalidArgument>("fallback: " + level.name + " gave item " + std::to_string(item.id) +
                                           " a score that is NaN");
                }
                const std::size_t known = number_of.size();
                if (number_of(item.id) == known && keep(item.id)) {
                    items.push_back({item.id, item.score, std::uint32_t{1} << source});
                }
            }
            // Stop if the list is exhausted or contains only known items.
            if (items.size() == size || list.size() < n || number_of.size() == distinct) {
                return;
            }
            distinct = number_of.size();
        }
    }
};

/// Fills the answer when the funnel has fewer than k items, for example for a new user, an empty source or strict
/// filters.
///
///     fallback(named("segment", popular_in_segment), named("popular", popular))
///
/// Levels are sources (see Retriever). They are asked in the given order until there are k items; further levels are
/// not asked. Their items follow those of the funnel and have the scores of their level. They are never duplicates,
/// never in request.exclude, and never rejected by a filter.
template <class... Levels>
    requires(sizeof...(Levels) > 0)
[[nodiscard]] Fallback<detail::NamedFor<Levels>...> fallback(Levels&&... levels) {
    std::size_t number = 0;  // braces fix the order of evaluation, and thus the numbers
    return {{detail::with_name("level", number++, std::forward<Levels>(levels))...}};
}

}  // namespace pipeline
}  // namespace FUNNEL_ABI
}  // namespace funnel
