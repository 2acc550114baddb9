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

/// The result of select_links.
struct LinkSelection {
    std::vector<std::uint32_t> taken;        // best first; candidates that fill up to half the limit come last
    std::vector<std::uint32_t> passed_over;  // rejected candidates, best first; those that fill up are in both lists
};

/// Selects links in different directions. It visits the candidates, best first, and rejects a candidate to which one
/// already taken leads: similarity.replaces_link(s, t), where s is how similar these two are, and t how similar the
/// candidate is to the node. Of equal vectors it takes only one, which leaves slots for links out of a cluster of
/// duplicates. If it takes fewer than half of the limit, the best rejected candidates are added up to half of it.
///
/// A candidate for which must_keep(id) is true is always taken. There are at most `limit` of these (not checked).
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
        std::array<float, 4> scores;  // small groups, because most candidates are rejected in the first
        for (std::size_t i = 0; i < taken.size(); i += scores.size()) {
            const auto group =
                std::span<const std::uint32_t>(taken).subspan(i, std::min(scores.size(), taken.size() - i));
            similarity(candidate.id, group, std::span(scores).first(group.size()));
            if (std::any_of(scores.begin(), scores.begin() + static_cast<std::ptrdiff_t>(group.size()),
                            [&](float score) { return similarity.replaces_link(score, candidate.score); })) {
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

/// A reverse link, from `target` to `source`, offered by a new node `source` to a neighbour that it chose.
struct Offer {
    std::uint32_t target;
    std::uint32_t level;
    std::uint32_t source;
    float score;
};

/// Scratch memory of merge_links, reused between calls.
struct MergeScratch {
    std::vector<Scored<>> candidates;
    std::vector<std::uint32_t> ids;
    std::vector<float> scores;
    LinkSelection selection;

    /// Reserves memory, so that merging `offers` offers into a list of at most `limit` links does not allocate.
    void reserve(std::size_t limit, std::size_t offers) {
        candidates.reserve(limit + offers);
        scores.reserve(limit);
        selection.taken.reserve(limit);
        selection.passed_over.reserve(limit + offers);
    }
};

/// Adds the offered links, all for the same node and level, to its links. If there are too few free slots, select_links
/// chooses from the old links and the offers.
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
