// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/pipeline/candidates.hpp>
#include <funnel/pipeline/named.hpp>
#include <funnel/pipeline/stage.hpp>
#include <funnel/pipeline/trace.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace pipeline {

namespace detail {

template <class List>
concept DrawnList = requires(const List& list) {
    { list.begin()->id } -> std::convertible_to<std::uint32_t>;
    { list.begin()->propensity } -> std::convertible_to<double>;
    list.end();
};

}  // namespace detail

/// Draws items to explore, such as the arms of a bandit: a callable (request, candidates, n) that returns at most n
/// items with .id and .propensity, the probability that the item is among those it returns.
///
/// It must leave out items that are candidates already, because these may be shown without being drawn, and items that
/// the request excludes or a filter rejects, because these are not shown if they are drawn. Then the propensity is also
/// the probability that the item is shown.
template <class S, class R>
concept Explorer = requires(S& explorer, const R& request, const Candidates& candidates, std::size_t n) {
    { explorer(request, candidates, n) } -> detail::DrawnList;
};

/// Puts drawn items at places of the list; see explore().
template <class Draw>
struct Explore {
    Draw explorer;                    // a Named
    std::vector<std::size_t> places;  // ascending

    // keep(id): whether the filters of the funnel let an item pass.
    template <RecommendationRequest R, class Keep>
    void run(const R& request, Candidates& candidates, Trace& trace, const Keep& keep) const {
        static_assert(
            Explorer<detail::WorkOf<Draw>, R>,
            "explore: the explorer must be callable as (request, candidates, n), returning .id and .propensity");
        detail::traced(trace, explorer.name, candidates.size(), [&] {
            const auto n = static_cast<std::size_t>(
                std::lower_bound(places.begin(), places.end(), detail::k_of(request)) - places.begin());
            if (!candidates.empty() && n > 0) {
                const auto excluded = detail::excluded_of(request);
                add(detail::work_of(explorer)(request, candidates, n), n, candidates, trace,
                    [&](std::uint32_t id) { return std::ranges::find(excluded, id) == excluded.end() && keep(id); });
            }
            return candidates.size();
        });
    }

private:
    template <class List, class MayShow>
    void add(const List& drawn, std::size_t n, Candidates& candidates, Trace& trace, const MayShow& may_show) const {
        const std::size_t others = candidates.size();
        const float lowest = *std::min_element(candidates.scores().begin(), candidates.scores().end());
        std::vector<std::size_t> order(others);
        for (std::size_t i = 0; i < others; ++i) {
            order[i] = i;
        }
        std::vector<Explored> explored;
        for (const auto& item : drawn) {
            const std::uint32_t id = detail::plain_id(item.id, explorer.name);
            const auto propensity = static_cast<double>(item.propensity);
            if (explored.size() == n || std::ranges::find(candidates.ids(), id) != candidates.ids().end()) {
                raise<InvalidArgument>(explorer.name + ": must return at most " + std::to_string(n) +
                                       " items that are not candidates, each once; got item " + std::to_string(id));
            }
            if (!may_show(id)) {
                raise<InvalidArgument>(explorer.name + ": must not return item " + std::to_string(id) +
                                       ", which request.exclude or a filter rules out");
            }
            if (!math::is_finite(propensity) || !(propensity > 0.0) || propensity > 1.0) {
                raise<InvalidArgument>(explorer.name + ": the propensity of item " + std::to_string(id) +
                                       " must lie in (0, 1], got " + std::to_string(propensity));
            }
            const std::size_t place = std::min(places[explored.size()], order.size());
            order.insert(order.begin() + static_cast<std::ptrdiff_t>(place), candidates.size());
            candidates.append(id, lowest);
            explored.push_back({explorer.name, id, place, propensity});
        }
        candidates.arrange(order, explorer.name);
        trace.explored.insert(trace.explored.end(), explored.begin(), explored.end());
    }
};

/// Gives places of the answer to items that an explorer draws (see Explorer), and records their propensities in the
/// trace.
///
///     Funnel(retrieve(...), rank(...), explore(named("new films", draw), {4, 9}), rerank(slate), fallback(...))
///
/// Place 0 is the first. Places from request.k on are not used; in a list that is too short, an item comes last. Drawn
/// items have the lowest score of the list and no source. Write the stage behind the rankers. A rule behind it sees
/// them in trace.explored, and must pin them to their places: a selection by score would leave them out, and then they
/// are not in the trace of the answer either. An empty list stays empty.
///
/// Errors    InvalidArgument if places do not ascend
template <class Draw>
[[nodiscard]] Explore<detail::NamedFor<Draw>> explore(Draw&& explorer, std::vector<std::size_t> places) {
    require(std::adjacent_find(places.begin(), places.end(), std::greater_equal<>{}) == places.end(),
            "explore: places must ascend");
    return {detail::with_name("explore", 0, std::forward<Draw>(explorer)), std::move(places)};
}

namespace detail {

// Keeps in the trace what the answer shows of the drawn items, with their places there.
inline void settle_explored(const std::vector<Candidate>& items, Trace& trace) {
    std::erase_if(trace.explored, [&](Explored& drawn) {
        const auto shown = std::ranges::find(items, drawn.item, &Candidate::id);
        drawn.place = static_cast<std::size_t>(shown - items.begin());
        return shown == items.end();
    });
}

}  // namespace detail

}  // namespace pipeline
}  // namespace FUNNEL_ABI
}  // namespace funnel
