// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/scored.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace funnel::inline FUNNEL_ABI::pipeline {

/// Sources are numbered, and a candidate remembers its own as the bits of one word.
inline constexpr std::size_t max_sources = 32;

/// An item on its way through the funnel.
struct Candidate {
    std::uint32_t id;
    float score;            ///< what the latest stage thinks of it; higher is better
    std::uint32_t sources;  ///< bit s is set if source s found it

    [[nodiscard]] constexpr bool is_from(std::size_t source) const noexcept {
        return source < max_sources && (sources >> source & 1U) != 0;
    }

    friend constexpr bool operator==(const Candidate&, const Candidate&) = default;
};

/// Where a source had an item in its own list.
struct Found {
    float score;       ///< on the scale of that source
    std::size_t rank;  ///< 0 is the top

    friend constexpr bool operator==(const Found&, const Found&) = default;
};

/// The items that a request is still about, best first, each once; and what every source said about them.
///
/// Cost      12 + 8 x sources bytes an item
class Candidates {
public:
    explicit Candidates(std::size_t sources = 0) : sources_(sources) {
        require(sources <= max_sources, "Candidates: at most 32 sources");
    }

    [[nodiscard]] std::size_t size() const noexcept { return ids_.size(); }
    [[nodiscard]] bool empty() const noexcept { return ids_.empty(); }
    [[nodiscard]] std::size_t sources() const noexcept { return sources_; }

    /// Position i < size() (not checked).
    [[nodiscard]] Candidate operator[](std::size_t i) const noexcept { return {ids_[i], scores_[i], found_by_[i]}; }
    [[nodiscard]] std::span<const std::uint32_t> ids() const noexcept { return {ids_.data(), ids_.size()}; }
    [[nodiscard]] std::span<const float> scores() const noexcept { return {scores_.data(), scores_.size()}; }

    /// What a source said about the item at a position, if it found it.
    ///
    /// Errors    InvalidArgument if there is no such position or source
    [[nodiscard]] std::optional<Found> found(std::size_t i, std::size_t source) const {
        require(i < size() && source < sources_, "Candidates: found needs a position and a source that exist");
        if (!(*this)[i].is_from(source)) {
            return std::nullopt;
        }
        const Place place = places_[i * sources_ + source];
        return Found{place.score, place.rank};
    }

    /// What the sources said, as features for a ranker: two columns a source.
    ///
    ///     column 2s: the score of source s;  column 2s + 1: 1 / (1 + its rank);  both 0 if s did not find the item
    ///
    /// Returns   size() x 2 sources()
    [[nodiscard]] Matrix<float> source_features() const {
        Matrix<float> features(size(), 2 * sources_);
        for (std::size_t i = 0; i < size(); ++i) {
            for (std::size_t s = 0; s < sources_; ++s) {
                if (const auto place = found(i, s)) {
                    features(i, 2 * s) = place->score;
                    features(i, 2 * s + 1) = 1.0F / (1.0F + static_cast<float>(place->rank));
                }
            }
        }
        return features;
    }

    /// Adds an item at the end; found_at(source, ...) then says who found it.
    void append(std::uint32_t id, float score) {
        ids_.push_back(id);
        scores_.push_back(score);
        found_by_.push_back(0);
        places_.resize(places_.size() + sources_);
    }

    /// Position and source exist (not checked).
    void found_at(std::size_t i, std::size_t source, float score, std::size_t rank) noexcept {
        found_by_[i] |= std::uint32_t{1} << source;
        places_[i * sources_ + source] = {score, static_cast<std::uint32_t>(rank)};
    }

    /// Gives every item a new score, and puts them in order: score down, then id up.
    ///
    /// Errors    InvalidArgument, which names the stage, if there is not one score an item or one is NaN
    void rescore(std::span<const float> scores, std::string_view stage) {
        if (scores.size() != size()) {
            raise<InvalidArgument>(std::string(stage) + ": must return one score a candidate, " +
                                   std::to_string(size()) + ", not " + std::to_string(scores.size()));
        }
        std::vector<std::size_t> order(size());
        for (std::size_t i = 0; i < size(); ++i) {
            if (scores[i] != scores[i]) {
                raise<InvalidArgument>(std::string(stage) + ": the score of item " + std::to_string(ids_[i]) +
                                       " is NaN");
            }
            order[i] = i;
        }
        scores_.assign(scores.begin(), scores.end());
        std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
            return ranks_before(Scored<>{ids_[a], scores_[a]}, Scored<>{ids_[b], scores_[b]});
        });
        arrange(order, stage);
    }

    /// Keeps the items at the given positions, in that order.
    ///
    /// Errors    InvalidArgument, which names the stage, if a position does not exist or comes twice
    void arrange(std::span<const std::size_t> positions, std::string_view stage) {
        std::vector<bool> is_taken(size(), false);
        Candidates arranged(sources_);
        for (const std::size_t i : positions) {
            if (i >= size() || is_taken[i]) {
                raise<InvalidArgument>(std::string(stage) + ": must return positions below " + std::to_string(size()) +
                                       ", each at most once; " + std::to_string(i) + " is not one");
            }
            is_taken[i] = true;
            arranged.ids_.push_back(ids_[i]);
            arranged.scores_.push_back(scores_[i]);
            arranged.found_by_.push_back(found_by_[i]);
            const auto row = places_.begin() + static_cast<std::ptrdiff_t>(i * sources_);
            arranged.places_.insert(arranged.places_.end(), row, row + static_cast<std::ptrdiff_t>(sources_));
        }
        *this = std::move(arranged);
    }

    /// Keeps the first n, if there are more.
    void truncate(std::size_t n) {
        if (n < size()) {
            ids_.resize(n);
            scores_.resize(n);
            found_by_.resize(n);
            places_.resize(n * sources_);
        }
    }

private:
    struct Place {
        float score = 0.0F;
        std::uint32_t rank = 0;
    };

    std::size_t sources_;
    std::vector<std::uint32_t> ids_;
    std::vector<float> scores_;
    std::vector<std::uint32_t> found_by_;
    std::vector<Place> places_;  // size() x sources()
};

}  // namespace funnel::pipeline
