// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/ann/hnsw_graph.hpp>
#include <funnel/core/scored.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ann::detail {

/// What select_links chose, best first but for the last ones, and what it did not.
struct LinkSelection {
    std::vector<std::uint32_t> taken;
    std::vector<std::uint32_t> passed_over;
};

/// Chooses links that lead into different directions: goes through the candidates, best first, and takes one unless it
/// is at least as like one of those taken as it is like the node itself. Of equal vectors only one is taken, which
/// keeps room for links out of a heap of duplicates. If fewer than half of the limit are taken, the best of those
/// passed over follow, up to the half.
///
/// must_keep(id) says which candidates are taken in any case; they never outnumber the limit.
///
/// Source    Malkov & Yashunin, TPAMI 2020 (algorithm 4, without extension of candidates)
template <class Similar, class MustKeep>
void select_links(std::span<const Scored<>> candidates, std::size_t limit, const Similar& similarity,
                  const MustKeep& must_keep, LinkSelection& selection) {
    std::vector<std::uint32_t>& taken = selection.taken;
    std::vector<std::uint32_t>& passed_over = selection.passed_over;
    taken.clear();
    auto forced = static_cast<std::size_t>(
        std::count_if(candidates.begin(), candidates.end(), [&](const Scored<>& c) { return must_keep(c.id); }));

    const auto is_new_direction = [&](const Scored<>& candidate) {
        std::array<float, 4> scores;  // in small groups: most candidates fail at one of the first
        for (std::size_t i = 0; i < taken.size(); i += scores.size()) {
            const auto group =
                std::span<const std::uint32_t>(taken).subspan(i, std::min(scores.size(), taken.size() - i));
            similarity(candidate.id, group, std::span(scores).first(group.size()));
            if (std::any_of(scores.begin(), scores.begin() + static_cast<std::ptrdiff_t>(group.size()),
                            [&](float score) { return score >= candidate.score; })) {
                return false;
            }
        }
        return true;
    };

    passed_over.clear();
    for (const Scored<>& candidate : candidates) {
        if (taken.size() == limit) {
            return;
        }
        if (must_keep(candidate.id)) {
            taken.push_back(candidate.id);
            --forced;
        } else if (taken.size() + forced < limit && is_new_direction(candidate)) {
            taken.push_back(candidate.id);
        } else {
            passed_over.push_back(candidate.id);
        }
    }
    for (std::size_t i = 0; i < passed_over.size() && taken.size() < limit / 2; ++i) {
        taken.push_back(passed_over[i]);
    }
}

/// A link that a new node offers to a node it has chosen.
struct Offer {
    std::uint32_t target;
    std::uint32_t level;
    std::uint32_t source;
    float score;
};

/// Memory of merge_links, used again by the next call.
struct MergeScratch {
    std::vector<Scored<>> candidates;
    std::vector<std::uint32_t> ids;
    std::vector<float> scores;
    LinkSelection selection;

    /// Makes room, so that merging `offers` into a list of at most `limit` links allocates nothing.
    void reserve(std::size_t limit, std::size_t offers) {
        candidates.reserve(limit + offers);
        scores.reserve(limit);
        selection.taken.reserve(limit);
        selection.passed_over.reserve(limit + offers);
    }
};

/// Takes the offers, all for the same node and level, into its links: all if there is room, else the best choice from
/// old and new.
template <class Similar, class MustKeep>
void merge_links(HNSWGraph& graph, std::span<const Offer> offers, const Similar& similarity, const MustKeep& must_keep,
                 MergeScratch& scratch) {
    FUNNEL_ASSERT(!offers.empty());
    const std::uint32_t node = offers[0].target;
    const auto slots = graph.slots(node, offers[0].level);
    const std::size_t degree = graph.links(node, offers[0].level).size();
    if (degree + offers.size() <= slots.size()) {
        std::transform(offers.begin(), offers.end(), slots.begin() + static_cast<std::ptrdiff_t>(degree),
                       [](const Offer& offer) { return offer.source; });
        return;
    }

    const auto old = slots.first(degree);
    scratch.scores.resize(degree);
    similarity(node, old, scratch.scores);
    scratch.candidates.clear();
    for (std::size_t i = 0; i < degree; ++i) {
        scratch.candidates.push_back({old[i], scratch.scores[i]});
    }
    for (const Offer& offer : offers) {
        scratch.candidates.push_back({offer.source, offer.score});
    }
    std::sort(scratch.candidates.begin(), scratch.candidates.end(), ranks_before);
    select_links(scratch.candidates, slots.size(), similarity, must_keep, scratch.selection);
    std::fill(std::copy(scratch.selection.taken.begin(), scratch.selection.taken.end(), slots.begin()), slots.end(),
              no_node);
}

}  // namespace ann::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel
