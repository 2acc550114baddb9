// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/scored.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace pipeline {

/// Sources are numbered: first those of retrieve, then the levels of fallback. A candidate stores its sources as a bit
/// set in one word.
inline constexpr std::size_t max_sources = 32;

/// An item that passes through the stages of a funnel.
struct Candidate {
    std::uint32_t id;
    float score;            ///< score from the latest stage; higher is better
    std::uint32_t sources;  ///< bit s is set if source s found it

    [[nodiscard]] constexpr bool is_from(std::size_t source) const noexcept {
        return source < max_sources && (sources >> source & 1U) != 0;
    }

    friend constexpr bool operator==(const Candidate&, const Candidate&) = default;
};

/// Score and rank of an item in the list of one source.
struct Found {
    float score;       ///< on the scale of that source
    std::size_t rank;  ///< 0 is the top

    friend constexpr bool operator==(const Found&, const Found&) = default;
};

/// The candidates of a request, best first, without duplicates, and the score and rank that each source gave them.
///
/// Scores and ranks come from user code: NaN is rejected, infinities are ordinary scores. A call that throws does not
/// change the list. A moved-from list is empty.
///
/// Cost      12 + 8 x sources bytes per item
/// Errors    InvalidArgument if there are more than 32 sources
class Candidates {
public:
    explicit Candidates(std::size_t sources = 0) : sources_(sources) {
        if (sources > max_sources) {
            raise<InvalidArgument>("Candidates: at most 32 sources, got " + std::to_string(sources));
        }
    }

    [[nodiscard]] std::size_t size() const noexcept { return ids_.size(); }
    [[nodiscard]] bool empty() const noexcept { return ids_.empty(); }
    [[nodiscard]] std::size_t sources() const noexcept { return sources_; }

    /// Position i < size() (not checked).
    [[nodiscard]] Candidate operator[](std::size_t i) const noexcept {
        FUNNEL_ASSERT(i < size());
        return {ids_[i], scores_[i], found_by_[i]};
    }
    [[nodiscard]] std::span<const std::uint32_t> ids() const noexcept FUNNEL_LIFETIMEBOUND {
        return {ids_.data(), ids_.size()};
    }
    [[nodiscard]] std::span<const float> scores() const noexcept FUNNEL_LIFETIMEBOUND {
        return {scores_.data(), scores_.size()};
    }

    /// Score and rank that a source gave the item at a position, if it found the item.
    ///
    /// Errors    InvalidArgument if there is no such position or source
    [[nodiscard]] std::optional<Found> found(std::size_t i, std::size_t source) const {
        require_place(i, source, "found");
        if (!(*this)[i].is_from(source)) {
            return std::nullopt;
        }
        const Place place = places_[i * sources_ + source];
        return Found{place.score, place.rank};
    }

    /// Scores and ranks of all sources as features for a ranker: two columns per source.
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

    /// Adds an item at the end; call found_at(source, ...) afterwards to record its sources.
    ///
    /// Errors    InvalidArgument if the score is NaN
    void append(std::uint32_t id, float score) {
        reject_nan(score, id, "Candidates");
        make_room(ids_, 1);
        make_room(scores_, 1);
        make_room(found_by_, 1);
        make_room(places_, sources_);
        // Nothing below this line throws.
        ids_.push_back(id);
        scores_.push_back(score);
        found_by_.push_back(0);
        places_.resize(places_.size() + sources_);
    }

    /// Records the score and rank that a source gave the item at a position; ranks above 2^32 - 1 are stored as
    /// 2^32 - 1.
    ///
    /// Errors    InvalidArgument if there is no such position or source, or the score is NaN
    void found_at(std::size_t i, std::size_t source, float score, std::size_t rank) {
        require_place(i, source, "found_at");
        reject_nan(score, ids_[i], "Candidates");
        constexpr std::size_t last = std::numeric_limits<std::uint32_t>::max();
        found_by_[i] |= std::uint32_t{1} << source;
        places_[i * sources_ + source] = {score, static_cast<std::uint32_t>(std::min(rank, last))};
    }

    /// Replaces all scores, then sorts the items: higher score first, then smaller id.
    ///
    /// Errors    InvalidArgument with the name of the stage if there is not one score per item or a score is NaN
    void rescore(std::span<const float> scores, std::string_view stage) {
        if (scores.size() != size()) {
            raise<InvalidArgument>(std::string(stage) + ": must return one score per candidate, " +
                                   std::to_string(size()) + ", got " + std::to_string(scores.size()));
        }
        std::vector<std::size_t> order(size());
        for (std::size_t i = 0; i < size(); ++i) {
            reject_nan(scores[i], ids_[i], stage);
            order[i] = i;
        }
        std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
            return ranks_before(Scored<>{ids_[a], scores[a]}, Scored<>{ids_[b], scores[b]});
        });
        Candidates sorted = picked(order, stage);
        for (std::size_t at = 0; at < order.size(); ++at) {
            sorted.scores_[at] = scores[order[at]];
        }
        *this = std::move(sorted);
    }

    /// Keeps the items at the given positions, in that order.
    ///
    /// Errors    InvalidArgument with the name of the stage if a position does not exist or occurs twice
    void arrange(std::span<const std::size_t> positions, std::string_view stage) { *this = picked(positions, stage); }

    /// Keeps only the first n items.
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

    static void reject_nan(float score, std::uint32_t id, std::string_view stage) {
        if (math::is_nan(score)) {
            raise<InvalidArgument>(std::string(stage) + ": the score of item " + std::to_string(id) + " is NaN");
        }
    }

    void require_place(std::size_t i, std::size_t source, const char* function) const {
        if (i >= size() || source >= sources_) {
            raise<InvalidArgument>(std::string("Candidates: ") + function + " needs a position below " +
                                   std::to_string(size()) + " and a source below " + std::to_string(sources_) +
                                   ", got " + std::to_string(i) + " and " + std::to_string(source));
        }
    }

    // Reserves room for more elements; growth doubles the capacity, as in push_back.
    template <class T>
    static void make_room(std::vector<T>& elements, std::size_t more) {
        if (elements.capacity() - elements.size() < more) {
            elements.reserve(elements.size() + std::max(elements.size(), more));
        }
    }

    [[nodiscard]] Candidates picked(std::span<const std::size_t> positions, std::string_view stage) const {
        std::vector<bool> is_taken(size(), false);
        Candidates picked(sources_);
        for (const std::size_t i : positions) {
            if (i >= size() || is_taken[i]) {
                raise<InvalidArgument>(std::string(stage) + ": must return positions below " + std::to_string(size()) +
                                       ", each at most once; " + std::to_string(i) + " is not one");
            }
            is_taken[i] = true;
            picked.ids_.push_back(ids_[i]);
            picked.scores_.push_back(scores_[i]);
            picked.found_by_.push_back(found_by_[i]);
            const auto row = places_.begin() + static_cast<std::ptrdiff_t>(i * sources_);
            picked.places_.insert(picked.places_.end(), row, row + static_cast<std::ptrdiff_t>(sources_));
        }
        return picked;
    }

    std::size_t sources_;
    std::vector<std::uint32_t> ids_;
    std::vector<float> scores_;
    std::vector<std::uint32_t> found_by_;
    std::vector<Place> places_;  // size() x sources()
};

}  // namespace pipeline
}  // namespace FUNNEL_ABI
}  // namespace funnel
