// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/pipeline/candidates.hpp>
#include <funnel/pipeline/merge.hpp>
#include <funnel/pipeline/stage.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace funnel::inline FUNNEL_ABI::pipeline {

/// A ladder of sources for answers that came out too short; see fallback().
template <class... Levels>
struct Fallback {
    std::tuple<Levels...> levels;  // each a Named

    /// Fills items up to request.k, level by level. Level l is source number first_source + l.
    ///
    /// Errors    InvalidArgument, which names the level, if a score is NaN; whatever a level throws
    template <RecommendationRequest R, std::predicate<std::uint32_t> Keep>
    void fill(std::vector<Candidate>& items, const R& request, std::size_t first_source, const Keep& keep,
              Trace& trace) const {
        static_assert((Retriever<detail::WorkOf<Levels>, R> && ...),
                      "fallback: a level must be a Retriever: recommend(user, {.k = n}) or callable as (request, n)");
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
        const std::size_t size = items.size() + (give < room ? give : room);

        // So many that k are left if all that is excluded or here already comes back; more if the filters take some.
        for (std::size_t n = k + excluded.size();; n *= 2) {
            const std::vector<Scored<>> list = detail::ask(level.work, request, n);
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
                if (item.score != item.score) {
                    raise<InvalidArgument>("fallback: " + level.name + " gave item " + std::to_string(item.id) +
                                           " a score that is NaN");
                }
                const std::size_t known = number_of.size();
                if (number_of(item.id) == known && keep(item.id)) {
                    items.push_back({item.id, item.score, std::uint32_t{1} << source});
                }
            }
            if (items.size() == size || list.size() < n) {
                return;
            }
        }
    }
};

/// What to show when the funnel has fewer than k items, for whatever reason: a new user, an empty source, strict rules.
///
///     fallback(named("segment", popular_in_segment), named("popular", popular))
///
/// Levels are sources (see Retriever), asked in the given order until there are k items; a level that is not needed is
/// not asked. Their items come after those of the funnel, with the scores of their level, never twice, and never
/// against request.exclude or a filter.
template <class... Levels>
    requires(sizeof...(Levels) > 0)
[[nodiscard]] Fallback<detail::NamedFor<Levels>...> fallback(Levels&&... levels) {
    std::size_t number = 0;  // braces keep the order of evaluation, and so the numbers
    return {{detail::with_name("level", number++, std::forward<Levels>(levels))...}};
}

}  // namespace funnel::pipeline
