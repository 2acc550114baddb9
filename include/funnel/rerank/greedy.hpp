// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/feature_blocks.hpp>
#include <funnel/kernels/reduce.hpp>
#include <funnel/rerank/slate.hpp>
#include <funnel/rerank/slate_candidates.hpp>
#include <funnel/rerank/slate_rule.hpp>
#include <funnel/rerank/slate_scratch.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <optional>
#include <span>
#include <utility>

// The greedy core of mmr.hpp and dpp.hpp.
//
// The score of a candidate only falls as picks are added. A score that is out of date is therefore an upper bound, and
// a candidate whose bound is below the best score so far need not be brought up to date. Candidates are sorted by
// falling relevance and grouped into blocks of the width of a vector register; a block is brought up to date as a
// whole, by all picks that it has missed at once. A block is opened (its slots are set up) and packed (transposed) when
// it is first needed.
//
// Blocks are evaluated in float, with a bound on the rounding error. If more than one candidate may be the best, their
// scores are computed in double. So the picks are those of a greedy selection in double, on every backend.
namespace funnel {
inline namespace FUNNEL_ABI {
namespace rerank::detail {

inline constexpr double never = std::numeric_limits<double>::lowest();

// Measure: what a selection maximises. It reads and writes the scratch.
//   level(relevance)          the part of a score that does not depend on the picks, in double
//   begin_block(b, highest)   sets base and bound of block b, whose highest relevance is given
//   open_block(b)             sets weight and state of the slots of b
//   evaluate(b, vectors)      applies vectors to block b; returns the bound of b
//   bound_of(b)               the bound of b from weight and state
//   upper(slot), lower(slot)  bounds of a score at the current time; lower may be `never`
//   uppers(b)                 upper of each slot of b
//   set_time(t)               t picks have been made
//   exact(slot)               the score in double, or `never` if the candidate adds nothing
//   same(a, b)                whether b is as good as a, the best score, up to rounding
//   remove(slot)              no longer counts
//   take(slot)                makes the vector of pick t; false if the candidate turns out to add nothing
template <kernels::HostBackend Backend, class Measure>
class BlockGreedy {
public:
    static constexpr std::size_t width = kernels::feature_block_width<Backend>();

    BlockGreedy(FeatureRows features, std::span<const float> relevance, Measure& measure, GreedyMemory& memory)
        : features_(features), relevance_(relevance), measure_(measure), s_(memory), alive_(relevance.size()) {
        const std::size_t n = relevance.size();
        s_.begin(n, features.rows.cols());
        sort_by_relevance();
        // Slots behind the last candidate repeat the first one; they are gone from the start.
        std::fill(s_.order.begin() + as_offset(n), s_.order.begin() + as_offset(s_.slots), s_.order[0]);
        std::fill(s_.gone.begin(), s_.gone.begin() + as_offset(n), std::uint8_t{0});
        std::fill(s_.gone.begin() + as_offset(n), s_.gone.begin() + as_offset(s_.slots), std::uint8_t{1});
        if constexpr (Measure::needs_direction) {
            for (std::size_t slot = 0; slot < n; ++slot) {
                s_.gone[slot] = features.lengths[s_.order[slot]] == 0.0 ? 1 : 0;
                alive_ -= s_.gone[slot];
            }
        }
        for (std::size_t b = 0; b < blocks(); ++b) {
            s_.upto[b] = unopened;
            float highest = std::numeric_limits<float>::lowest();
            for (std::size_t slot = b * width; slot < std::min((b + 1) * width, n); ++slot) {
                highest = std::max(highest, relevance[s_.order[slot]]);
            }
            measure.begin_block(b, highest);
        }
    }

    // The slot of the next pick, or nothing.
    template <SlateRule Rule>
    [[nodiscard]] std::optional<std::size_t> next(std::size_t t, const Rule& rule) {
        measure_.set_time(t);
        while (true) {
            contested_ = 0;
            double threshold = never;
            // The block with the highest bound comes first: its best candidate rules out most other blocks.
            const std::span<const double> bounds(s_.bound.data(), blocks());
            const double highest = chosen(bounds, never, [](double x, double y) { return std::max(x, y); });
            const auto start =
                static_cast<std::size_t>(std::find(bounds.begin(), bounds.end(), highest) - bounds.begin());
            visit(start, t, rule, threshold);
            for (std::size_t b = 0; b < blocks(); ++b) {
                if (s_.bound[b] >= threshold && b != start) {
                    visit(b, t, rule, threshold);
                }
            }
            const auto best = best_of_contested(threshold);
            if (!best) {
                return std::nullopt;
            }
            if (*best == nothing_new) {
                continue;  // all of them have been removed
            }
            if (measure_.take(*best)) {
                return best;
            }
            drop(*best);
        }
    }

    // The slot is picked, or can never be picked.
    void drop(std::size_t slot) noexcept {
        const std::size_t b = slot / width;
        open(b);
        s_.gone[slot] = 1;
        --alive_;
        measure_.remove(slot);
        const auto gone = std::span(s_.gone).subspan(b * width, width);
        s_.bound[b] = std::find(gone.begin(), gone.end(), 0) == gone.end() ? never : measure_.bound_of(b);
    }

    // Candidates that can still be picked.
    [[nodiscard]] std::size_t alive() const noexcept { return alive_; }

private:
    static constexpr std::uint32_t unopened = std::numeric_limits<std::uint32_t>::max();
    static constexpr std::uint32_t unpacked = unopened - 1;
    static constexpr std::size_t nothing_new = std::numeric_limits<std::size_t>::max();

    [[nodiscard]] std::size_t blocks() const noexcept { return s_.slots / width; }

    [[nodiscard]] static std::ptrdiff_t as_offset(std::size_t n) noexcept { return static_cast<std::ptrdiff_t>(n); }

    // The element that choose(x, y) prefers to all others, or start. Eight at a time, which a compiler turns into
    // vector instructions.
    template <class T, class Choose>
    [[nodiscard]] static T chosen(std::span<const T> x, T start, const Choose& choose) noexcept {
        std::array<T, 8> best{};
        best.fill(start);
        std::size_t i = 0;
        for (; i + 8 <= x.size(); i += 8) {
            for (std::size_t c = 0; c < 8; ++c) {
                best[c] = choose(best[c], x[i + c]);
            }
        }
        for (; i < x.size(); ++i) {
            best[0] = choose(best[0], x[i]);
        }
        return std::accumulate(best.begin(), best.end(), start, choose);
    }

    // In buckets of the distance from the highest relevance, which are narrower near it: 128 for distances between
    // (2^e - 1) / 63 and (2^(e + 1) - 1) / 63 of the largest one, e = 0..5. An approximate order is enough: it decides
    // how many blocks are evaluated, not what is picked.
    void sort_by_relevance() noexcept {
        constexpr std::uint32_t last_bucket = 6 * 128;
        const std::size_t n = relevance_.size();
        const auto highest = static_cast<double>(kernels::max<Backend>(relevance_));
        const auto lowest = static_cast<double>(
            chosen(relevance_, std::numeric_limits<float>::max(), [](float x, float y) { return std::min(x, y); }));
        const double step = highest > lowest ? 63.0 / (highest - lowest) : 0.0;
        std::uint32_t* const buckets = s_.contested.data();
        for (std::size_t i = 0; i < n; ++i) {
            const auto distance = static_cast<float>(1.0 + step * (highest - static_cast<double>(relevance_[i])));
            const std::uint32_t bucket =
                (std::bit_cast<std::uint32_t>(distance) - std::bit_cast<std::uint32_t>(1.0F)) >> 16U;
            buckets[i] = std::min(bucket, last_bucket);
        }
        std::array<std::uint32_t, last_bucket + 1> starts{};
        for (std::size_t i = 0; i < n; ++i) {
            ++starts[buckets[i]];
        }
        std::uint32_t sum = 0;
        for (std::uint32_t& start : starts) {
            sum += std::exchange(start, sum);
        }
        for (std::size_t i = 0; i < n; ++i) {
            s_.order[starts[buckets[i]]++] = static_cast<std::uint32_t>(i);
        }
    }

    void open(std::size_t b) noexcept {
        if (s_.upto[b] != unopened) {
            return;
        }
        for (std::size_t slot = b * width; slot < (b + 1) * width; ++slot) {
            s_.level[slot] = measure_.level(relevance_[s_.order[slot]]);
            s_.exact_upto[slot] = 0;
        }
        measure_.open_block(b);
        s_.upto[b] = unpacked;
    }

    void pack(std::size_t b) noexcept {
        const auto candidates = std::span<const std::uint32_t>(s_.order).subspan(b * width, width);
        kernels::pack_features<Backend>(features_.rows, candidates, s_.block(b, width));
        for (std::size_t i = 0; i < width; ++i) {
            const double length = features_.lengths[candidates[i]];
            s_.scale[b * width + i] = length > 0.0 ? static_cast<float>(1.0 / length) : 0.0F;
        }
        s_.upto[b] = 0;
    }

    template <SlateRule Rule>
    void visit(std::size_t b, std::size_t t, const Rule& rule, double& threshold) {
        if (s_.bound[b] == never) {
            return;
        }
        open(b);
        if (t > 0 && s_.upto[b] != t) {
            if (s_.upto[b] == unpacked) {
                pack(b);
            }
            s_.bound[b] = measure_.evaluate(b, s_.vectors(s_.upto[b], t));
            s_.upto[b] = static_cast<std::uint32_t>(t);
            if (s_.bound[b] < threshold) {
                return;
            }
        }
        const std::array<double, width> uppers = measure_.uppers(b);
        for (std::size_t i = 0; i < width; ++i) {
            const std::size_t slot = b * width + i;
            if (uppers[i] >= threshold && s_.gone[slot] == 0 && rule.allows(s_.order[slot])) {
                s_.contested[contested_++] = static_cast<std::uint32_t>(slot);
                threshold = std::max(threshold, measure_.lower(slot));
            }
        }
    }

    // The best of the contested slots, nothing if there are none, or nothing_new if none of them adds anything.
    [[nodiscard]] std::optional<std::size_t> best_of_contested(double threshold) noexcept {
        const auto contested = std::span(s_.contested).first(contested_);
        const auto last = std::remove_if(contested.begin(), contested.end(),
                                         [&](std::uint32_t slot) { return measure_.upper(slot) < threshold; });
        const auto kept = contested.first(static_cast<std::size_t>(last - contested.begin()));
        if (kept.empty()) {
            return std::nullopt;
        }
        if (kept.size() == 1) {
            return kept[0];
        }
        double best_score = never;
        for (const std::uint32_t slot : kept) {
            s_.score[slot] = measure_.exact(slot);
            best_score = std::max(best_score, s_.score[slot]);
        }
        std::size_t best = nothing_new;
        for (const std::uint32_t slot : kept) {
            if (s_.score[slot] == never) {
                drop(slot);
            } else if (measure_.same(best_score, s_.score[slot]) &&
                       (best == nothing_new || s_.order[slot] < s_.order[best])) {
                best = slot;
            }
        }
        return best;
    }

    FeatureRows features_;
    std::span<const float> relevance_;
    Measure& measure_;
    GreedyMemory& s_;
    std::size_t contested_ = 0;
    std::size_t alive_;
};

}  // namespace rerank::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel
